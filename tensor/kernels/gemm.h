/* tensor/kernels/gemm.h -- the matrix product C = A B, blocked for the caches, vectorised and
 * parallel.
 *
 *  - tensor_gemm multiplies matrices of any strides.
 *  - tensor_gemm_pack and tensor_gemm_macro_kernel are its parts, for callers whose operands are
 *    not matrices in memory: the convolutions pack patches of an image as B, or read them as A.
 *  - The result has the same bits for any number of threads: each element of C is summed by one
 *    thread, in an order that depends only on sizes and strides.
 *  - Sizes and strides are in elements, not bytes. MATMUL.md explains the terms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_GEMM_H
#define SLOPE_TENSOR_KERNELS_GEMM_H

#include "tensor/kernels/gemm_micro_kernel.h"

/* A matrix somewhere in memory: element (i, j) is p[i * row + j * col]. Its transpose has the two
 * strides exchanged. */
typedef struct Matrix {
    const real *p;
    ptrdiff_t   row, col;
} Matrix;

/* The part of m whose first element is (i, j). */
static inline Matrix matrix_at(Matrix m, ptrdiff_t i, ptrdiff_t j)
{
    m.p += i * m.row + j * m.col;
    return m;
}

static inline Matrix matrix_transpose(Matrix m)
{
    return (Matrix){m.p, m.col, m.row};
}

/* Where C is and what it starts from. Element (i, j) is p[i * row + j]; C must not overlap A or B.
 * If `add` is set, C starts from the values it holds; otherwise from row_bias[i] or col_bias[j], of
 * which at least one is NULL; if both are NULL, from 0. */
typedef struct GemmOut {
    real       *p;
    ptrdiff_t   row;
    bool        add;
    const real *row_bias, *col_bias;
} GemmOut;

/* The part of C whose first element is (i, j). */
static inline GemmOut gemm_out_at(GemmOut C, ptrdiff_t i, ptrdiff_t j)
{
    C.p += i * C.row + j;
    C.row_bias = C.row_bias ? C.row_bias + i : NULL;
    C.col_bias = C.col_bias ? C.col_bias + j : NULL;
    return C;
}

/* C (M,N) = start + A (M,K) B (K,N), on all threads. Sizes may be 0; A.p, B.p and C.p are not NULL.
 * Fails if there is no memory for the workspace. */
void tensor_gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C);

/* At most GEMM_KC terms of each sum are added at a time; BLIS calls this number KC. GEMM_WORKSPACE
 * elements hold a packed block of B: 8 micro-panels of GEMM_KC rows (256 KB with AVX-512, part of
 * the second-level cache), or more micro-panels of fewer rows. Both values were measured. */
enum { GEMM_KC = 256, GEMM_WORKSPACE = 8 * GEMM_NR * GEMM_KC };

/* The same on the calling thread alone, in a workspace of GEMM_WORKSPACE elements. It cannot fail,
 * so the blocks of a parallel_for, which must not fail, can call it. */
void tensor_gemm_in_workspace(real *workspace, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A,
                              Matrix B, GemmOut C);

/* --- the parts of the product ----------------------------------------------------------------- */

/* The rows of A. Row i begins at p[at[i]], or at p[i * row] if `at` is NULL; its elements are `col`
 * apart, and after each `run` of them an additional `skip` elements are skipped. K is a multiple of
 * `run`. The rows are read in place or, where that is faster, from a copy. */
typedef struct GemmRows {
    const real      *p;
    const ptrdiff_t *at;
    ptrdiff_t        row, col, run, skip;
} GemmRows;

/* A block of B as the micro-kernel reads it: micro-panels of GEMM_NR columns, which begin `panel`
 * elements apart. The rows of each are `row` elements apart. */
typedef struct MicroPanels {
    const real *p;
    ptrdiff_t   row, panel;
} MicroPanels;

/* C (M,N) = start + A (M,K) B (K,N) for any M, N and K, on the calling thread. Whole vectors of B
 * are read: N rounded up to a multiple of VEC. Cannot fail. */
void tensor_gemm_macro_kernel(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, const GemmRows *A,
                              MicroPanels B, GemmOut C);

/* Packs B (K,N) as micro-panels (ceil(N / GEMM_NR), K, GEMM_NR). Columns of the last one beyond N
 * become 0. */
void tensor_gemm_pack(real *panels, ptrdiff_t K, ptrdiff_t N, Matrix B);

/* What tensor_gemm_pack wrote, with the same K. */
static inline MicroPanels micro_panels_packed(const real *panels, ptrdiff_t K)
{
    return (MicroPanels){.p = panels, .row = GEMM_NR, .panel = K * GEMM_NR};
}

/* The columns of B without packing, for B.col = 1. Their number must be a multiple of VEC, or the
 * macro-kernel reads beyond the rows of B. */
static inline MicroPanels micro_panels_in_place(Matrix B)
{
    return (MicroPanels){.p = B.p, .row = B.row, .panel = GEMM_NR};
}

#endif
