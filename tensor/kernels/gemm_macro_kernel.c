/* tensor/kernels/gemm_macro_kernel.c -- the middle of a matrix product: packing a block of B, and
 * multiplying it by rows of A.
 *
 * The block of B consists of micro-panels, each GEMM_NR columns wide. They are packed or, if the
 * rows of B are contiguous, read in place. Packing costs little if many rows of A use the block,
 * and makes every layout of B alike. A micro-panel of A is the rows of one micro-tile; it is
 * multiplied by all micro-panels of B before the next one is. A is read one element at a time, in
 * any layout: in place or, if there are many micro-panels of B, from a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm.h"

#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/transpose.h"
#include "tensor/memory.h"

enum {
    LINE = CACHE_LINE / sizeof(real), /* elements per cache line */
    PACK_AHEAD = 4, /* while row k of B is packed, row k + 4 is prefetched; this was measured */
};

/* --- packing ---------------------------------------------------------------------------------- */

/* At most VEC columns of any B, one element at a time. */
static void pack_singly(real *out, ptrdiff_t K, ptrdiff_t cols, Matrix B)
{
    for (ptrdiff_t k = 0; k < K; k++)
        for (ptrdiff_t j = 0; j < cols; j++)
            out[k * GEMM_NR + j] = B.p[k * B.row + j * B.col];
}

/* Whole micro-panels of a B with contiguous rows. Each row is packed across all micro-panels before
 * the next row, so that memory is read in order. */
static void pack_straight(real *panels, ptrdiff_t K, ptrdiff_t N, Matrix B)
{
    for (ptrdiff_t k = 0; k < K; k++) {
        const real *b = B.p + k * B.row, *ahead = B.p + min_size(k + PACK_AHEAD, K - 1) * B.row;
        for (ptrdiff_t j = 0; j < N; j += GEMM_NR)
            for (int v = 0; v < GEMM_NR; v += VEC) {
                __builtin_prefetch(ahead + j + v);
                vec_store(panels + j * K + k * GEMM_NR + v, vec_load(b + j + v));
            }
    }
}

void tensor_gemm_pack(real *panels, ptrdiff_t K, ptrdiff_t N, Matrix B)
{
    ptrdiff_t whole = N / GEMM_NR * GEMM_NR, j = 0;
    if (whole < N)
        memset(panels + whole * K, 0, (size_t)(K * GEMM_NR) * sizeof(real));
    if (B.col == 1) {
        pack_straight(panels, K, whole, B);
        j = whole;
    }
    for (; j < N; j += VEC) {
        real *out = panels + j / GEMM_NR * GEMM_NR * K + j % GEMM_NR;
        ptrdiff_t cols = min_size(VEC, N - j);
        if (B.row == 1)
            transpose_rows(out, GEMM_NR, B.p + j * B.col, B.col, cols, K);
        else
            pack_singly(out, K, cols, matrix_at(B, 0, j));
    }
}

/* --- a micro-panel of A ----------------------------------------------------------------------- */

/* If there are many micro-panels of B, each micro-panel of A is copied first, so that its rows are
 * contiguous and close together. Rows whose distance is a power of two evict one another from the
 * first-level cache, and elements of a row that are not adjacent bring in whole cache lines of
 * which the micro-panel uses little. The distance of rows in the copy, COPY_ROW, is therefore not a
 * power of two. COPY_HEIGHT is GEMM_MR rounded up to a multiple of VEC, since transposing a square
 * writes VEC rows. The two limits were measured. */
enum {
    COPY_ROW = GEMM_KC + VEC,
    COPY_HEIGHT = (GEMM_MR + VEC - 1) / VEC * VEC,
    COPY_COLS = 4 * GEMM_NR,            /* copying pays for more columns of B than this, … */
    COPY_COLS_TRANSPOSED = 2 * GEMM_NR, /* … or than this, if the columns of A are contiguous */
};

/* Only the rows of a plain matrix are copied, not rows with `at` or `skip`. */
static bool panel_copy_pays(const GemmRows *A, ptrdiff_t N, ptrdiff_t K)
{
    if (A->at || A->run < K || K > GEMM_KC)
        return false;
    return A->col == 1 ? N > COPY_COLS : A->row == 1 && N > COPY_COLS_TRANSPOSED;
}

/* Points t at rows [first, first + rows) of A in place. */
static void panel_point(MicroTile *t, const GemmRows *A, ptrdiff_t first, ptrdiff_t rows)
{
    t->a_col = A->col;
    for (ptrdiff_t i = 0; i < rows; i++)
        t->a[i] = A->p + (A->at ? A->at[first + i] : (first + i) * A->row);
}

/* copy (rows,K) = the micro-panel at `a`, whose columns are contiguous and `col` apart. A has
 * `left` rows from there on; `rows` is rounded up to whole squares as far as these rows allow. */
static void panel_transpose(real *copy, ptrdiff_t rows, ptrdiff_t left, const real *a,
                            ptrdiff_t col, ptrdiff_t K)
{
    rows = min_size(ceil_div(rows, VEC) * VEC, left);
    for (ptrdiff_t k = 0; k < K; k += VEC)
        transpose_rows(copy + k, COPY_ROW, a + k * col, col, min_size(VEC, K - k), rows);
}

/* Copies the rows that t points at, and points t at the copy. */
static void panel_copy(MicroTile *t, ptrdiff_t rows, ptrdiff_t left, real *copy)
{
    if (t->a_col == 1)
        for (ptrdiff_t i = 0; i < rows; i++)
            memcpy(copy + i * COPY_ROW, t->a[i], (size_t)t->K * sizeof(real));
    else
        panel_transpose(copy, rows, left, t->a[0], t->a_col, t->K);
    for (ptrdiff_t i = 0; i < rows; i++)
        t->a[i] = copy + i * COPY_ROW;
    t->a_col = 1;
}

/* The micro-panel of A that will be copied next: before each micro-tile of the current one, a few
 * of its cache lines are prefetched. */
typedef struct Prefetch {
    const real *p;
    ptrdiff_t   rows, row, K;
    ptrdiff_t   k;     /* elements of the first row that have been prefetched */
    ptrdiff_t   lines; /* to prefetch per micro-tile */
} Prefetch;

/* Rows [first, first + rows) of A, divided evenly among `tiles` micro-tiles. */
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

/* --- the macro-kernel ------------------------------------------------------------------------- */

/* C (rows,N) = start + one micro-panel of A, at which t points, times B. */
static void panel_multiply(MicroTile *t, ptrdiff_t rows, ptrdiff_t N, MicroPanels B, GemmOut C,
                           Prefetch *next)
{
    t->row_bias = C.row_bias;
    for (ptrdiff_t j = 0; j < N; j += GEMM_NR, B.p += B.panel) {
        t->b = B.p;
        t->c = C.p + j;
        t->col_bias = C.col_bias ? C.col_bias + j : NULL;
        prefetch_some(next);
        tensor_gemm_micro_kernel(t, (int)rows, (int)min_size(GEMM_NR, N - j));
    }
}

/* The rows are divided evenly: with GEMM_MR = 12, 64 rows are 4 micro-panels of 11 rows and 2 of
 * 10, not 5 of 12 and one of 4, because a short micro-tile leaves multipliers idle. */
void tensor_gemm_macro_kernel(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, const GemmRows *A,
                              MicroPanels B, GemmOut C)
{
    _Alignas(VEC_BYTES) real copy[COPY_HEIGHT * COPY_ROW];
    MicroTile t = {.K = K, .run = A->run, .skip = A->skip, .b_row = B.row, .c_row = C.row,
                   .add = C.add};
    ptrdiff_t panels = ceil_div(M, GEMM_MR), tiles = ceil_div(N, GEMM_NR);
    bool copied = panel_copy_pays(A, N, K);
    for (ptrdiff_t i = 0; i < panels; i++) {
        ptrdiff_t first = part_begin(M, panels, i), end = part_begin(M, panels, i + 1);
        ptrdiff_t after = part_begin(M, panels, min_size(i + 2, panels));
        Prefetch next = {0}; /* nothing */
        panel_point(&t, A, first, end - first);
        if (copied)
            panel_copy(&t, end - first, M - first, copy);
        if (copied && A->col == 1)
            next = prefetch_rows(A, end, after - end, K, tiles);
        panel_multiply(&t, end - first, N, B, gemm_out_at(C, first, 0), &next);
    }
}
