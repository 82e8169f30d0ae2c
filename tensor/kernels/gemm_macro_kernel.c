/* tensor/kernels/gemm_macro_kernel.c -- the middle of a matrix product: a group of slivers of B,
 * and the strips of A that pass it by.
 *
 * The slivers are packed or, if the rows of B lie along memory, read where they are. A strip is the
 * rows of a tile; it goes past all slivers of the group before the next strip comes. Packing costs
 * little if many rows of A use it, and makes every layout of B alike. A is read one number at a
 * time, in any layout: where it lies or, if many slivers pass by, from a copy of the strip.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm.h"

#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/transpose.h"
#include "tensor/memory.h"

enum {
    LINE = CACHE_LINE / sizeof(real), /* numbers in a cache line */
    PACK_AHEAD = 4, /* while row k of B is packed, row k + 4 is prefetched; measured */
};

/* --- packing ------------------------------------------------------------------------------------ */

static void pack_singly(real *out, ptrdiff_t K, ptrdiff_t cols, Matrix B)
{
    for (ptrdiff_t k = 0; k < K; k++)
        for (ptrdiff_t j = 0; j < cols; j++)
            out[k * TILE_N + j] = B.p[k * B.row + j * B.col];
}

/* Whole slivers of a B whose rows lie along memory: row after row across all slivers, so that
 * memory is read in order. */
static void pack_straight(real *slivers, ptrdiff_t K, ptrdiff_t N, Matrix B)
{
    for (ptrdiff_t k = 0; k < K; k++) {
        const real *b = B.p + k * B.row, *ahead = B.p + min_size(k + PACK_AHEAD, K - 1) * B.row;
        for (ptrdiff_t j = 0; j < N; j += TILE_N)
            for (int v = 0; v < TILE_N; v += VEC) {
                __builtin_prefetch(ahead + j + v);
                vec_store(slivers + j * K + k * TILE_N + v, vec_load(b + j + v));
            }
    }
}

void tensor_gemm_pack(real *slivers, ptrdiff_t K, ptrdiff_t N, Matrix B)
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
        ptrdiff_t cols = min_size(VEC, N - j);
        if (B.row == 1)
            transpose_rows(out, TILE_N, B.p + j * B.col, B.col, cols, K);
        else
            pack_singly(out, K, cols, matrix_at(B, 0, j));
    }
}

/* --- a strip of A ------------------------------------------------------------------------------- */

/* A strip that many slivers pass by is copied first, each row by itself: rows that lie a power of
 * two apart drive one another out of the first cache, and steps that lie apart fill it with what is
 * not asked for. STRIP_ROW is no power of two for the same reason. STRIP_HIGH is TILE_M rounded up
 * to whole squares, since a transposed square writes all its rows. */
enum {
    STRIP_ROW = GEMM_STEPS + VEC,
    STRIP_HIGH = (TILE_M + VEC - 1) / VEC * VEC,
    STRIP_STRAIGHT = 4 * TILE_N, /* a copy pays with more columns than this, measured, … */
    STRIP_TRANSPOSED = 2 * TILE_N, /* … or than this, if A's columns lie along memory */
};

/* Only plain matrices are copied, not rows with places or gaps of their own. */
static bool strip_pays(const GemmRows *A, ptrdiff_t N, ptrdiff_t K)
{
    if (A->at || A->run < K || K > GEMM_STEPS)
        return false;
    return A->step == 1 ? N > STRIP_STRAIGHT : A->row == 1 && N > STRIP_TRANSPOSED;
}

static void strip_point(GemmTile *t, const GemmRows *A, ptrdiff_t first, ptrdiff_t rows)
{
    t->a_step = A->step;
    for (ptrdiff_t i = 0; i < rows; i++)
        t->a[i] = A->p + (A->at ? A->at[first + i] : (first + i) * A->row);
}

/* A's columns, which lie along memory, become the copy's: whole squares of them if A has `left`
 * rows enough, even if the strip has fewer. */
static void strip_transpose(real *copy, ptrdiff_t rows, ptrdiff_t left, const real *a,
                            ptrdiff_t step, ptrdiff_t K)
{
    rows = min_size(ceil_div(rows, VEC) * VEC, left);
    for (ptrdiff_t k = 0; k < K; k += VEC)
        transpose_rows(copy + k, STRIP_ROW, a + k * step, step, min_size(VEC, K - k), rows);
}

static void strip_copy(GemmTile *t, ptrdiff_t rows, ptrdiff_t left, real *copy)
{
    if (t->a_step == 1)
        for (ptrdiff_t i = 0; i < rows; i++)
            memcpy(copy + i * STRIP_ROW, t->a[i], (size_t)t->steps * sizeof(real));
    else
        strip_transpose(copy, rows, left, t->a[0], t->a_step, t->steps);
    for (ptrdiff_t i = 0; i < rows; i++)
        t->a[i] = copy + i * STRIP_ROW;
    t->a_step = 1;
}

/* Rows of the strip that will be copied next, prefetched a few cache lines a tile while this strip
 * is at work. */
typedef struct Prefetch {
    const real *p;
    ptrdiff_t   rows, row, K;
    ptrdiff_t   k;     /* numbers of the first row that were prefetched already */
    ptrdiff_t   lines; /* to prefetch at a time */
} Prefetch;

/* Rows [first, first + rows) of A, spread over so many tiles. */
static Prefetch prefetch_rows(const GemmRows *A, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t K,
                              ptrdiff_t tiles)
{
    return (Prefetch){.p = A->p + first * A->row, .rows = rows, .row = A->row, .K = K,
                      .lines = ceil_div(rows * ceil_div(K, LINE), tiles)};
}

static void prefetch_some(Prefetch *next)
{
    for (ptrdiff_t n = 0; n < next->lines && next->rows > 0; n++) {
        __builtin_prefetch(next->p + next->k);
        next->k += LINE;
        if (next->k >= next->K)
            next->k = 0, next->p += next->row, next->rows--;
    }
}

/* --- a group ------------------------------------------------------------------------------------ */

static void gemm_strip(GemmTile *t, ptrdiff_t rows, ptrdiff_t N, Slivers B, GemmOut C,
                       Prefetch *next)
{
    t->row_bias = C.row_bias;
    for (ptrdiff_t j = 0; j < N; j += TILE_N, B.p += B.sliver) {
        t->b = B.p;
        t->c = C.p + j;
        t->col_bias = C.col_bias ? C.col_bias + j : NULL;
        prefetch_some(next);
        tensor_gemm_micro_kernel(t, (int)rows, (int)min_size(TILE_N, N - j));
    }
}

/* The rows are dealt out evenly: 64 are 4 strips of 11 and 2 of 10, not 5 of 12 and one of 4, since
 * a low tile leaves multipliers idle. */
void tensor_gemm_macro_kernel(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, const GemmRows *A, Slivers B,
                              GemmOut C)
{
    _Alignas(VEC_BYTES) real copy[STRIP_HIGH * STRIP_ROW];
    GemmTile t = {.steps = K, .run = A->run, .skip = A->skip, .b_step = B.row, .c_row = C.row,
                  .add = C.add};
    ptrdiff_t strips = ceil_div(M, TILE_M), tiles = ceil_div(N, TILE_N);
    bool copied = strip_pays(A, N, K);
    for (ptrdiff_t s = 0; s < strips; s++) {
        ptrdiff_t first = part_begin(M, strips, s), end = part_begin(M, strips, s + 1);
        ptrdiff_t after = part_begin(M, strips, min_size(s + 2, strips));
        Prefetch next = {0}; /* nothing */
        strip_point(&t, A, first, end - first);
        if (copied)
            strip_copy(&t, end - first, M - first, copy);
        if (copied && A->step == 1)
            next = prefetch_rows(A, end, after - end, K, tiles);
        gemm_strip(&t, end - first, N, B, gemm_out_at(C, first, 0), &next);
    }
}
