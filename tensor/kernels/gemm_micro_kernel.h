/* tensor/kernels/gemm_micro_kernel.h -- the innermost part of a matrix product: a micro-tile of C,
 * whose sums are kept in registers.
 *
 *  - A micro-tile is up to GEMM_MR rows by GEMM_NR columns of C. For each k, the index of the sum,
 *    the micro-kernel loads GEMM_NV vectors of B and GEMM_MR single elements of A and does a vector
 *    multiply-add for each pair of them, so that arithmetic, not loading, is the bottleneck.
 *  - The rows of A may be anywhere in memory: each has its own pointer. B is read in whole vectors,
 *    one row for each k.
 *  - One source serves every processor: the sizes follow from the number of vector registers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_GEMM_MICRO_KERNEL_H
#define SLOPE_TENSOR_KERNELS_GEMM_MICRO_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/kernels/vec.h"

/* MR and NR are the names that BLIS and the literature use; NV is the number of vectors in NR.
 * MR * NV sums, NV vectors of B and one element of A fill the vector registers: 32 of them with
 * AVX-512 and NEON, 16 otherwise. MR * NV is also at least the number of independent multiply-adds
 * that keep a core busy: 2 units times a latency of 4 or 5 cycles. */
#if defined(__AVX512F__)
#define GEMM_MR 12
#define GEMM_NV 2
#elif defined(__ARM_NEON)
#define GEMM_MR 6
#define GEMM_NV 4
#else
#define GEMM_MR 6
#define GEMM_NV 2
#endif

enum { GEMM_NR = GEMM_NV * VEC };

/* The operands of C (rows,cols) = start + A (rows,K) B (K,cols) for one micro-tile, where start is
 * C itself (add), a bias, or 0. All strides are in elements. */
typedef struct MicroTile {
    ptrdiff_t   K;          /* terms of each sum; a multiple of `run` */
    const real *a[GEMM_MR]; /* the first element of each row of A */
    ptrdiff_t   a_col;      /* from an element of a row of A to the next */
    ptrdiff_t   run, skip;  /* after every `run` elements of a row, skip `skip` more */
    const real *b;          /* rows of B, b_row apart; cols is rounded up to whole vectors */
    ptrdiff_t   b_row;
    real       *c;          /* rows of C, c_row apart */
    ptrdiff_t   c_row;
    bool        add;
    const real *row_bias, *col_bias; /* one value per row or per column of the tile, or NULL */
} MicroTile;

/* Computes `rows` <= GEMM_MR by `cols` <= GEMM_NR elements of C. Reads no other rows of A and
 * writes nothing else. Cannot fail. */
void tensor_gemm_micro_kernel(const MicroTile *t, int rows, int cols);

#endif
