/* tensor/kernels/gemm.h -- the one dense kernel: C = A B, blocked for the caches, vectorised, in
 * parallel.
 *
 *  - gemm multiplies matrices in memory, of any strides.
 *  - tensor_gemm_macro_kernel and tensor_gemm_pack are what it is made of, for callers whose
 *    operands are no matrices in memory: the convolutions pack patches of an image as B, or read
 *    them as A.
 *  - The bits do not depend on the number of threads: each element of C is summed by one thread,
 *    in an order that sizes and strides decide.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_GEMM_H
#define SLOPE_TENSOR_KERNELS_GEMM_H

#include "tensor/kernels/gemm_micro_kernel.h"

/* A matrix somewhere in memory: element (i, j) at p[i * row + j * col]. Its transpose has the two
 * strides exchanged. */
typedef struct Matrix {
    const real *p;
    ptrdiff_t   row, col;
} Matrix;

static inline Matrix matrix_at(Matrix m, ptrdiff_t i, ptrdiff_t j)
{
    m.p += i * m.row + j * m.col;
    return m;
}

static inline Matrix matrix_transpose(Matrix m)
{
    return (Matrix){m.p, m.col, m.row};
}

/* What C starts from, and where it lies: its rows are `row` apart, its columns 1. It must not
 * overlap A or B. With `add` it starts from what it holds; else from a bias, if one is not NULL:
 * one number a row or one a column, not both; else from 0. */
typedef struct GemmOut {
    real       *p;
    ptrdiff_t   row;
    bool        add;
    const real *row_bias, *col_bias;
} GemmOut;

static inline GemmOut gemm_out_at(GemmOut C, ptrdiff_t i, ptrdiff_t j)
{
    C.p += i * C.row + j;
    C.row_bias = C.row_bias ? C.row_bias + i : NULL;
    C.col_bias = C.col_bias ? C.col_bias + j : NULL;
    return C;
}

/* C (M,N) = start + A (M,K) B (K,N). Sizes may be 0, but no pointer NULL. */
void tensor_gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, GemmOut C);

/* GEMM_STEPS steps of the sum are taken at a time, at most. GEMM_ROOM numbers hold a packed group:
 * 8 slivers of so many steps, 256 KB with AVX-512, a part of the second cache; or more of fewer. */
enum { GEMM_STEPS = 256, GEMM_ROOM = 8 * TILE_N * GEMM_STEPS };

/* The same on this thread alone, in GEMM_ROOM numbers of room: for use in parallel_for, whose
 * workers may not fail, as taking memory can. */
void tensor_gemm_in(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B,
                    GemmOut C);

/* --- its parts ---------------------------------------------------------------------------------- */

/* Rows of A, where they lie: row i begins at p[at[i]] (or p[i * row] if at is NULL) and goes on as
 * GemmTile's a_step, run and skip say. They are read there or, if it pays, from a copy. */
typedef struct GemmRows {
    const real      *p;
    const ptrdiff_t *at;
    ptrdiff_t        row, step, run, skip;
} GemmRows;

/* Columns of B as tiles read them, TILE_N at a time: a row of a sliver lies `row` numbers after the
 * one before, a sliver `sliver` numbers. */
typedef struct Slivers {
    const real *p;
    ptrdiff_t   row, sliver;
} Slivers;

/* C (M,N) = start + A (M,K) B (K,N) for any K. B is read in whole vectors: N is rounded up to them. */
void tensor_gemm_macro_kernel(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, const GemmRows *A, Slivers B,
                              GemmOut C);

/* Packs N columns of B's first K rows as slivers (N / TILE_N, K, TILE_N), the number of slivers
 * rounded up; what is missing to the last becomes 0. */
void tensor_gemm_pack(real *slivers, ptrdiff_t K, ptrdiff_t N, Matrix B);

static inline Slivers slivers_packed(const real *slivers, ptrdiff_t K)
{
    return (Slivers){.p = slivers, .row = TILE_N, .sliver = K * TILE_N};
}

/* Those of a matrix with B.col = 1, without packing. Its columns must be whole vectors, or numbers
 * behind its rows are read. */
static inline Slivers slivers_in_place(Matrix B)
{
    return (Slivers){.p = B.p, .row = B.row, .sliver = TILE_N};
}

#endif
