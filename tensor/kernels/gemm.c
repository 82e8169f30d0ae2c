/* tensor/kernels/gemm.c -- C = A B, blocked for the caches and shared out among the threads.
 *
 * The product is cut from the inside out:
 *
 *   tile    up to TILE_M rows by TILE_N columns of C in registers
 *   (tensor/kernels/gemm_micro_kernel.c); strip   the rows of a tile, GEMM_STEPS columns of A: they
 *   stay in the first cache while all
 *           slivers of a group pass by;
 *   group   some slivers, each TILE_N columns and at most GEMM_STEPS rows of B, mostly packed:
 *   copied
 *           so that a tile reads them strictly forwards. They stay in the second cache while all
 *           strips pass by, and C is visited along its rows (tensor/kernels/gemm_macro_kernel.c);
 *   task    a group against some strips, for all steps of the sum: what one thread does at a time.
 *
 * Few rows use B too little to pay for packing: then gemm takes dot products, reads B where it
 * lies, or computes the transpose of C.
 *
 * Source of the scheme: Goto and van de Geijn, "Anatomy of high-performance matrix
 * multiplication", 2008.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm.h"

#include "tensor/cut.h"
#include "tensor/kernels/transpose.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

/* Measured, all of them. */
enum {
    TASKS = 8,         /* a product is cut into at least so many tasks, … */
    TASK_ROWS = 48,    /* … if that leaves each about so many rows of C, … */
    GROUP_ROWS = 512,  /* … and none has more than these */
    FEW_STEPS = 32,    /* shorter sums get no wider groups than sums of this length */
    DOT = 4,           /* dot products at a time, … */
    DOT_ROWS = 8,      /* … if C has at most so many rows */
    TASK_WORK = 65536, /* multiply-adds for which a thread is worth waking */
    NEAR = (1 << 21) / sizeof(real), /* numbers of a B, 2 MB, that need not be packed … */
    NEAR_ROWS = 256,   /* … for at most so many rows of C */
    SWAP_RATIO = 8,    /* C' is computed if N and K are at least so many times M */
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

/* What element (i, j) of C starts from. */
static real gemm_start(const GemmOut *C, ptrdiff_t i, ptrdiff_t j)
{
    if (C->add)
        return C->p[i * C->row + j];
    return C->row_bias ? C->row_bias[i] : C->col_bias ? C->col_bias[j] : 0;
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
        ptrdiff_t j = min_size(t * DOT, g->N - DOT), fresh = t * DOT - j;
        for (ptrdiff_t i = 0; i < g->M; i++) {
            real sum[DOT], *c = g->C.p + i * g->C.row + j;
            dot_few(g->K, g->A.p + i * g->A.row, g->B.p + j * g->B.col, g->B.col, sum);
            for (ptrdiff_t q = fresh; q < DOT; q++)
                c[q] = sum[q] + gemm_start(&g->C, i, j + q);
        }
    }
}

/* --- tasks -------------------------------------------------------------------------------------- */

/* B is read in place only if its rows lie along memory and are whole vectors, and a single strip
 * uses it, or few strips and B is small enough to stay in a near cache. */
static bool gemm_packs(const Gemm *g, ptrdiff_t m, ptrdiff_t n)
{
    bool near = g->M <= NEAR_ROWS && g->K * g->N <= NEAR;
    return g->B.col != 1 || n % VEC != 0 || (m > TILE_M && !near);
}

/* B (K,n) for m rows of A: packed into the room or where it lies. */
static Slivers gemm_slivers(const Gemm *g, real *room, ptrdiff_t m, ptrdiff_t n, ptrdiff_t K,
                            Matrix B)
{
    if (!gemm_packs(g, m, n))
        return slivers_in_place(B);
    tensor_gemm_pack(room, K, n, B);
    return slivers_packed(room, K);
}

/* Rows [i, i + m) and columns [j, j + n) of C, GEMM_STEPS of the sum from k on. */
static void gemm_block(const Gemm *g, real *room, ptrdiff_t i, ptrdiff_t m, ptrdiff_t j,
                       ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t K = min_size(GEMM_STEPS, g->K - k);
    Matrix A = matrix_at(g->A, i, k), B = matrix_at(g->B, k, j);
    GemmRows rows = {.p = A.p, .row = A.row, .step = A.col, .run = K};
    GemmOut C = gemm_out_at(g->C, i, j);
    C.add = C.add || k > 0;
    tensor_gemm_macro_kernel(m, n, K, &rows, gemm_slivers(g, room, m, n, K, B), C);
}

static void gemm_part(const Gemm *g, real *room, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t i = t / g->across * g->rows, j = t % g->across * g->cols, k = 0;
        do
            gemm_block(g, room, i, min_size(g->rows, g->M - i), j, min_size(g->cols, g->N - j), k);
        while ((k += GEMM_STEPS) < g->K);
    }
}

static void gemm_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Gemm *g = ctx;
    gemm_part(g, g->room + (ptrdiff_t)parallel_worker() * GEMM_ROOM, begin, end);
}

/* Cuts the product into tasks, in a way that does not depend on the number of threads, and returns
 * how many. Narrow groups share out more evenly, but wide ones read C and B along more of a row and
 * have every strip of A copied less often. With AVX-512, 1024 x 1024 floats are 8 tasks: 4 across
 * of 8 slivers, 256 columns, and 2 down of 512 rows. */
static ptrdiff_t gemm_cut(Gemm *g)
{
    ptrdiff_t slivers = ceil_div(g->N, TILE_N);
    ptrdiff_t steps = max_size(FEW_STEPS, min_size(g->K, GEMM_STEPS));
    ptrdiff_t most = GEMM_ROOM / TILE_N / steps; /* slivers in a group */
    /* At first: groups of full width if that makes four or more, else TASKS narrow ones; … */
    ptrdiff_t narrow = slivers < 4 * most ? ceil_div(slivers, TASKS) : most;
    /* … then downwards what is missing to TASKS, but neither too few rows each nor too many; … */
    ptrdiff_t down = ceil_div(TASKS, ceil_div(slivers, narrow));
    down = max_size(min_size(down, ceil_div(g->M, TASK_ROWS)), ceil_div(g->M, GROUP_ROWS));
    /* … at last as wide as still leaves TASKS. */
    ptrdiff_t wide = min_size(most, ceil_div(slivers, ceil_div(TASKS, down)));
    ptrdiff_t group = max_size(narrow, wide);
    g->rows = ceil_div(g->M, down);
    g->cols = group * TILE_N;
    g->across = ceil_div(slivers, group);
    return ceil_div(g->M, g->rows) * g->across;
}

void tensor_gemm_in(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B,
                    GemmOut C)
{
    Gemm g = {.M = M, .N = N, .K = K, .A = A, .B = B, .C = C};
    if (M > 0 && N > 0)
        gemm_part(&g, room, 0, gemm_cut(&g));
}

/* g->room holds GEMM_ROOM numbers for each worker. */
static void gemm_run(Gemm *g, int workers)
{
    ptrdiff_t tasks = gemm_cut(g), grain = 1 + TASK_WORK / (g->rows * g->cols * (g->K + 1));
    parallel_for_workers(workers, tasks, grain, gemm_tasks, g);
}

/* --- the transpose instead ---------------------------------------------------------------------- */

/* If C has few rows for its columns, each number of a packed B is used too seldom to be worth
 * packing. C' = B' A' packs A' instead, and takes B' strip by strip. C' is kept in a buffer and
 * transposed in the end: M N numbers more to write and read, little beside a long sum. */
static bool swap_pays(const Gemm *g)
{
    bool along = g->A.col == 1 && g->B.row == 1;
    return along && !g->C.add && g->N >= SWAP_RATIO * g->M && g->K >= SWAP_RATIO * g->M;
}

/* out (cols,rows) = in' for in (rows,cols), whose rows lie side by side. */
typedef struct Transpose {
    const real *in;
    real       *out;
    ptrdiff_t   rows, cols, out_row;
} Transpose;

/* Task: VEC rows of `in`. */
static void transpose_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Transpose *t = ctx;
    for (ptrdiff_t i = begin * VEC; i < min_size(end * VEC, t->rows); i += VEC)
        transpose_rows(t->out + i, t->out_row, t->in + i * t->cols, t->cols,
                       min_size(VEC, t->rows - i), t->cols);
}

/* C = A B by way of C', for which there is room at c. */
static void gemm_swapped(const Gemm *g, int workers, real *c)
{
    GemmOut C = {.p = c, .row = g->M, .row_bias = g->C.col_bias, .col_bias = g->C.row_bias};
    Gemm swapped = {.M = g->N, .N = g->M, .K = g->K, .A = matrix_transpose(g->B),
                    .B = matrix_transpose(g->A), .C = C, .room = g->room};
    Transpose back = {.in = c, .out = g->C.p, .rows = g->N, .cols = g->M, .out_row = g->C.row};
    gemm_run(&swapped, workers);
    parallel_for(ceil_div(g->N, VEC), 1 + TASK_WORK / (VEC * g->M), transpose_tasks, &back);
}

void tensor_gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C)
{
    if (M == 0 || N == 0)
        return;
    Gemm g = {.M = M, .N = N, .K = K, .A = A, .B = B, .C = C};
    if (M <= DOT_ROWS && N >= DOT && A.col == 1 && B.row == 1) {
        parallel_for(ceil_div(N, DOT), 1 + TASK_WORK / (M * DOT * (K + 1)), dot_tasks, &g);
        return;
    }
    bool swap = swap_pays(&g);
    int workers = parallel_threads();
    size_t numbers = (size_t)workers * GEMM_ROOM;
    size_t bytes = (numbers + (swap ? (size_t)(M * N) : 0)) * sizeof(real);
    g.room = memory_take(bytes);
    if (swap)
        gemm_swapped(&g, workers, g.room + numbers);
    else
        gemm_run(&g, workers);
    memory_give(g.room, bytes);
}
