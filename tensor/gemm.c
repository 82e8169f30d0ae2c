/* tensor/gemm.c -- C = A B, blocked for the caches and shared out among the threads.
 *
 * The product is cut from the inside out:
 *
 *   tile    up to TILE_M rows by TILE_N columns of C in registers (tensor/gemm_tile.c);
 *   strip   the rows of a tile, GEMM_STEPS columns of A: they stay in the first cache while all
 *           slivers of a group pass by;
 *   group   some slivers, each TILE_N columns of B and GEMM_STEPS rows of it, packed: copied so that a
 *           tile reads them strictly forwards. They stay in the second cache while all strips pass
 *           by, and C is visited along its rows;
 *   task    a group against some strips, for all steps of the sum: what one thread does at a time.
 *
 * Packing B costs little as long as many rows of A use it, and makes every layout of B alike. A is
 * read one number at a time, in any layout: where it lies or, if many slivers pass by, from a copy of
 * the strip.
 *
 * Source of the scheme: Goto and van de Geijn, "Anatomy of high-performance matrix
 * multiplication", 2008.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/gemm.h"

#include <string.h>

#include "tensor/cut.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    TASKS = 8,         /* at least, side by side, or else one below another … */
    TASK_ROWS = 48,    /* … if that leaves so many rows to each; … */
    GROUP_ROWS = 512,  /* … but so many rows at most */
    DOT = 4,           /* dot products at a time, … */
    DOT_ROWS = 8,      /* … for so many rows at most */
    TASK_WORK = 65536, /* multiply-adds for which a thread is worth waking */
};

typedef struct Gemm {
    ptrdiff_t M, N, K;
    Matrix    A, B;
    GemmOut   C;
    real     *room;   /* a group for each worker */
    ptrdiff_t across; /* tasks side by side, … */
    ptrdiff_t cols;   /* … each so many columns … */
    ptrdiff_t rows;   /* … and so many rows */
} Gemm;

static Matrix matrix_at(Matrix m, ptrdiff_t i, ptrdiff_t j)
{
    m.p += i * m.row + j * m.col;
    return m;
}

/* What element (i, j) of C starts from. */
static real gemm_start(const GemmOut *C, ptrdiff_t i, ptrdiff_t j)
{
    if (C->add)
        return C->p[i * C->row + j];
    return C->row_bias ? C->row_bias[i] : C->col_bias ? C->col_bias[j] : 0;
}

static GemmOut gemm_out_at(GemmOut C, ptrdiff_t i, ptrdiff_t j)
{
    C.p += i * C.row + j;
    C.row_bias = C.row_bias ? C.row_bias + i : NULL;
    C.col_bias = C.col_bias ? C.col_bias + j : NULL;
    return C;
}

/* --- packing ------------------------------------------------------------------------------------ */

static void pack_singly(real *out, ptrdiff_t K, ptrdiff_t cols, Matrix B)
{
    for (ptrdiff_t k = 0; k < K; k++)
        for (ptrdiff_t j = 0; j < cols; j++)
            out[k * TILE_N + j] = B.p[k * B.row + j * B.col];
}

/* Whole slivers whose columns lie side by side. Rows are read to their end, for memory comes in
 * pages and in order. */
static void pack_straight(real *slivers, ptrdiff_t K, ptrdiff_t N, Matrix B)
{
    for (ptrdiff_t k = 0; k < K; k++)
        for (ptrdiff_t j = 0; j < N; j += TILE_N)
            for (int v = 0; v < TILE_N; v += VEC)
                vec_store(slivers + j * K + k * TILE_N + v, vec_load(B.p + k * B.row + j + v));
}

/* A square of VEC by VEC numbers, turned in registers. */
static inline void turn_square(real *out, ptrdiff_t out_row, const real *in, ptrdiff_t in_row)
{
    vec square[VEC];
    for (int i = 0; i < VEC; i++)
        square[i] = vec_load(in + i * in_row);
    vec_transpose(square);
    for (int i = 0; i < VEC; i++)
        vec_store(out + i * out_row, square[i]);
}

/* VEC columns that each lie along memory. */
static void pack_turned(real *out, ptrdiff_t K, Matrix B)
{
    ptrdiff_t k = 0;
    for (; k + VEC <= K; k += VEC, out += VEC * TILE_N)
        turn_square(out, TILE_N, B.p + k, B.col);
    pack_singly(out, K - k, VEC, matrix_at(B, k, 0));
}

void gemm_pack(real *slivers, ptrdiff_t K, ptrdiff_t N, Matrix B)
{
    ptrdiff_t whole = N / TILE_N * TILE_N, j = 0;
    if (whole < N)
        memset(slivers + whole * K, 0, (size_t)(K * TILE_N) * sizeof(real));
    if (B.col == 1) {
        pack_straight(slivers, K, whole, B);
        j = whole;
    }
    for (; j < N; j += VEC) {
        real *out = slivers + j / TILE_N * TILE_N * K + j % TILE_N;
        if (N - j >= VEC && B.row == 1)
            pack_turned(out, K, matrix_at(B, 0, j));
        else
            pack_singly(out, K, cut_min(VEC, N - j), matrix_at(B, 0, j));
    }
}

/* --- strips of A -------------------------------------------------------------------------------- */

/* A strip that many slivers pass by is copied first, each row by itself: rows that lie a power of two
 * apart drive one another out of the first cache, and steps that lie apart fill it with what is not
 * asked for. The copy's rows are a little longer than needed for that same reason, and there are as
 * many as squares have. */
enum {
    STRIP_ROW = GEMM_STEPS + VEC,
    STRIP_HIGH = (TILE_M + VEC - 1) / VEC * VEC,
    STRIP_STRAIGHT = 4 * TILE_N, /* columns beyond which a copy pays, measured, … */
    STRIP_TURNED = 2 * TILE_N,   /* … and if A's columns lie along memory */
};

/* Only plain matrices are copied, not rows with places or gaps of their own. */
static bool strip_pays(const GemmRows *A, ptrdiff_t N, ptrdiff_t K)
{
    if (A->at || A->run < K || K > GEMM_STEPS)
        return false;
    return A->step == 1 ? N > STRIP_STRAIGHT : A->row == 1 && N > STRIP_TURNED;
}

/* Columns along memory are turned by squares while A, which has `left` rows from here on, has as
 * many as a square. */
static void strip_turn(real *copy, int rows, ptrdiff_t left, const real *a, ptrdiff_t step,
                       ptrdiff_t K)
{
    for (int i = 0; i < rows; i += VEC) {
        ptrdiff_t k = 0;
        for (; i + VEC <= left && k + VEC <= K; k += VEC)
            turn_square(copy + i * STRIP_ROW + k, STRIP_ROW, a + k * step + i, step);
        for (; k < K; k++)
            for (int r = i; r < i + VEC && r < rows; r++)
                copy[r * STRIP_ROW + k] = a[k * step + r];
    }
}

static void strip_copy(GemmTile *t, int rows, ptrdiff_t left, real *copy)
{
    if (t->a_step == 1)
        for (int i = 0; i < rows; i++)
            memcpy(copy + i * STRIP_ROW, t->a[i], (size_t)t->steps * sizeof(real));
    else
        strip_turn(copy, rows, left, t->a[0], t->a_step, t->steps);
    for (int i = 0; i < rows; i++)
        t->a[i] = copy + i * STRIP_ROW;
    t->a_step = 1;
}

/* --- a group ------------------------------------------------------------------------------------ */

static void gemm_strip(GemmTile *t, int rows, ptrdiff_t N, const real *b, ptrdiff_t next, GemmOut C)
{
    t->row_bias = C.row_bias;
    for (ptrdiff_t j = 0; j < N; j += TILE_N, b += next) {
        t->b = b;
        t->c = C.p + j;
        t->col_bias = C.col_bias ? C.col_bias + j : NULL;
        gemm_tile(t, rows, (int)cut_min(TILE_N, N - j));
    }
}

/* The rows are dealt out evenly: 64 are 4 strips of 11 and 2 of 10, not 5 of 12 and one of 4, since a
 * low tile leaves multipliers idle. */
void gemm_group(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, const GemmRows *A, const real *slivers,
                GemmOut C)
{
    _Alignas(VEC_BYTES) real copy[STRIP_HIGH * STRIP_ROW];
    GemmTile t = {.steps = K, .run = A->run, .skip = A->skip, .b_step = TILE_N, .c_row = C.row,
                  .add = C.add};
    ptrdiff_t strips = cut_parts(M, TILE_M);
    bool pays = strip_pays(A, N, K);
    for (ptrdiff_t s = 0; s < strips; s++) {
        ptrdiff_t first = s * M / strips, rows = (s + 1) * M / strips - first;
        t.a_step = A->step;
        for (ptrdiff_t i = 0; i < rows; i++)
            t.a[i] = A->p + (A->at ? A->at[first + i] : (first + i) * A->row);
        if (pays)
            strip_copy(&t, (int)rows, M - first, copy);
        gemm_strip(&t, (int)rows, N, slivers, K * TILE_N, gemm_out_at(C, first, 0));
    }
}

/* The same for so few rows that packing B would cost more than their product: whole vectors of its
 * rows are read where they lie. */
static void gemm_few_rows(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C)
{
    GemmTile t = {.steps = K, .a_step = A.col, .run = K, .b_step = B.row, .c_row = C.row,
                  .add = C.add};
    for (ptrdiff_t i = 0; i < M; i++)
        t.a[i] = A.p + i * A.row;
    gemm_strip(&t, (int)M, N, B.p, TILE_N, C);
}

/* --- dot products ------------------------------------------------------------------------------- */

/* DOT elements of a row of C, where the row of A and the columns of B all lie along memory: nothing
 * is packed, and the vectors run along the sum. */
static void dot_few(ptrdiff_t K, const real *a, const real *b, ptrdiff_t b_col, real out[DOT])
{
    vec sum[DOT] = {{0}};
    ptrdiff_t k = 0;
    for (; k + VEC <= K; k += VEC)
        for (int j = 0; j < DOT; j++)
            sum[j] += vec_load(a + k) * vec_load(b + j * b_col + k);
    for (int j = 0; j < DOT; j++) {
        out[j] = vec_sum(sum[j]);
        for (ptrdiff_t rest = k; rest < K; rest++)
            out[j] += a[rest] * b[j * b_col + rest];
    }
}

/* Columns DOT * [begin, end) of C, all rows. The last few start further left and are done twice. */
static void dot_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t j = cut_min(t * DOT, g->N - DOT), fresh = t * DOT - j;
        for (ptrdiff_t i = 0; i < g->M; i++) {
            real sum[DOT], *c = g->C.p + i * g->C.row + j;
            dot_few(g->K, g->A.p + i * g->A.row, g->B.p + j * g->B.col, g->B.col, sum);
            for (ptrdiff_t q = fresh; q < DOT; q++)
                c[q] = sum[q] + gemm_start(&g->C, i, j + q);
        }
    }
}

/* --- tasks -------------------------------------------------------------------------------------- */

/* Rows [i, i + m) and columns [j, j + n) of C, GEMM_STEPS of the sum from k on. */
static void gemm_block(const Gemm *g, real *room, ptrdiff_t i, ptrdiff_t m, ptrdiff_t j,
                       ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t K = cut_min(GEMM_STEPS, g->K - k);
    Matrix A = matrix_at(g->A, i, k), B = matrix_at(g->B, k, j);
    GemmRows rows = {.p = A.p, .row = A.row, .step = A.col, .run = K};
    GemmOut C = gemm_out_at(g->C, i, j);
    C.add = C.add || k > 0;
    if (m <= TILE_M && B.col == 1 && n % VEC == 0) {
        gemm_few_rows(m, n, K, A, B, C);
        return;
    }
    gemm_pack(room, K, n, B);
    gemm_group(m, n, K, &rows, room, C);
}

static void gemm_part(const Gemm *g, real *room, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t i = t / g->across * g->rows, j = t % g->across * g->cols, k = 0;
        do
            gemm_block(g, room, i, cut_min(g->rows, g->M - i), j, cut_min(g->cols, g->N - j), k);
        while ((k += GEMM_STEPS) < g->K);
    }
}

static void gemm_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    gemm_part(g, g->room + (ptrdiff_t)parallel_worker() * GEMM_ROOM, begin, end);
}

/* Cuts the product into tasks, in a way that does not depend on the number of threads, and returns
 * how many. Wide groups read C and B along more of a row; narrow ones share out more evenly. With
 * AVX-512, 1024 x 1024 floats are 8 tasks: 4 across of 8 slivers, 256 columns, and 2 down of 512
 * rows. */
static ptrdiff_t gemm_cut(Gemm *g)
{
    ptrdiff_t slivers = cut_parts(g->N, TILE_N);
    g->cols = (slivers < 4 * GEMM_GROUP ? cut_parts(slivers, TASKS) : GEMM_GROUP) * TILE_N;
    g->across = cut_parts(g->N, g->cols);
    ptrdiff_t down = cut_min(cut_parts(g->M, TASK_ROWS), cut_parts(TASKS, g->across));
    g->rows = cut_parts(g->M, cut_max(down, cut_parts(g->M, GROUP_ROWS)));
    return cut_parts(g->M, g->rows) * g->across;
}

void gemm_in(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C)
{
    Gemm g = {.M = M, .N = N, .K = K, .A = A, .B = B, .C = C};
    if (M > 0 && N > 0)
        gemm_part(&g, room, 0, gemm_cut(&g));
}

void gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C)
{
    if (M == 0 || N == 0)
        return;
    Gemm g = {.M = M, .N = N, .K = K, .A = A, .B = B, .C = C};
    if (M <= DOT_ROWS && N >= DOT && A.col == 1 && B.row == 1) {
        parallel_for(cut_parts(N, DOT), 1 + TASK_WORK / (M * DOT * (K + 1)), dot_tasks, &g);
        return;
    }
    ptrdiff_t tasks = gemm_cut(&g), grain = 1 + TASK_WORK / (g.rows * g.cols * (K + 1));
    int workers = parallel_threads();
    size_t bytes = (size_t)workers * GEMM_ROOM * sizeof(real);
    g.room = pool_take(bytes);
    parallel_for_workers(workers, tasks, grain, gemm_tasks, &g);
    pool_give(g.room, bytes);
}
