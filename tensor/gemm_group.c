/* tensor/gemm_group.c -- the middle of a matrix product: B packed, and the strips of A that pass it by.
 *
 * A group is some slivers of packed B. A strip, the rows of a tile and GEMM_STEPS columns of A, goes
 * past all of them before the next strip comes. Packing B costs little as long as many rows of A use
 * it, and makes every layout of B alike; a group may also lie in a matrix as it is. A is read one
 * number at a time, in any layout: where it lies or, if many slivers pass by, from a copy of the strip.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/gemm.h"

#include <string.h>

#include "tensor/cut.h"
#include "tensor/turn.h"

enum {
    LINE = CACHE_LINE / sizeof(real), /* numbers that memory hands over at a time */
    PACK_AHEAD = 4,                   /* rows of B that are asked for before they are packed */
};

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
    for (ptrdiff_t k = 0; k < K; k++) {
        const real *b = B.p + k * B.row, *soon = B.p + cut_min(k + PACK_AHEAD, K - 1) * B.row;
        for (ptrdiff_t j = 0; j < N; j += TILE_N)
            for (int v = 0; v < TILE_N; v += VEC) {
                __builtin_prefetch(soon + j + v);
                vec_store(slivers + j * K + k * TILE_N + v, vec_load(b + j + v));
            }
    }
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
        ptrdiff_t cols = cut_min(VEC, N - j);
        if (B.row == 1)
            turn_rows(out, TILE_N, B.p + j * B.col, B.col, cols, K);
        else
            pack_singly(out, K, cols, matrix_at(B, 0, j));
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

/* Rows of A that will be copied next. Fetching them takes long, but goes on beside arithmetic: a few
 * lines are asked for at every tile. */
typedef struct Soon {
    const real *p;
    ptrdiff_t   rows, row, K;
    ptrdiff_t   k;     /* how far the first of them has been asked for */
    ptrdiff_t   lines; /* to ask for at a time */
} Soon;

static void soon_ask(Soon *soon)
{
    for (ptrdiff_t n = 0; n < soon->lines && soon->rows > 0; n++) {
        __builtin_prefetch(soon->p + soon->k);
        soon->k += LINE;
        if (soon->k >= soon->K)
            soon->k = 0, soon->p += soon->row, soon->rows--;
    }
}

/* --- a group ------------------------------------------------------------------------------------ */

static void gemm_strip(GemmTile *t, int rows, ptrdiff_t N, Slivers B, GemmOut C, Soon *soon)
{
    t->row_bias = C.row_bias;
    for (ptrdiff_t j = 0; j < N; j += TILE_N, B.p += B.next) {
        t->b = B.p;
        t->c = C.p + j;
        t->col_bias = C.col_bias ? C.col_bias + j : NULL;
        soon_ask(soon);
        gemm_tile(t, rows, (int)cut_min(TILE_N, N - j));
    }
}

/* The rows are dealt out evenly: 64 are 4 strips of 11 and 2 of 10, not 5 of 12 and one of 4, since a
 * low tile leaves multipliers idle. */
void gemm_group(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, const GemmRows *A, Slivers B, GemmOut C)
{
    _Alignas(VEC_BYTES) real copy[STRIP_HIGH * STRIP_ROW];
    GemmTile t = {.steps = K, .run = A->run, .skip = A->skip, .b_step = B.step, .c_row = C.row,
                  .add = C.add};
    ptrdiff_t strips = cut_parts(M, TILE_M);
    ptrdiff_t lines = cut_parts(TILE_M * cut_parts(K, LINE), cut_parts(N, TILE_N));
    bool pays = strip_pays(A, N, K);
    for (ptrdiff_t s = 0; s < strips; s++) {
        ptrdiff_t first = s * M / strips, rows = (s + 1) * M / strips - first;
        Soon soon = {0}; /* nothing, unless it pays */
        t.a_step = A->step;
        for (ptrdiff_t i = 0; i < rows; i++)
            t.a[i] = A->p + (A->at ? A->at[first + i] : (first + i) * A->row);
        if (pays)
            strip_copy(&t, (int)rows, M - first, copy);
        if (pays && A->step == 1)
            soon = (Soon){.p = A->p + (first + rows) * A->row, .row = A->row, .K = K, .lines = lines,
                          .rows = cut_min((s + 2) * M / strips, M) - first - rows};
        gemm_strip(&t, (int)rows, N, B, gemm_out_at(C, first, 0), &soon);
    }
}
