/* tensor/kernels/gemm_micro_kernel.h -- the innermost piece of a matrix product: a tile of C held
 * in registers.
 *
 *  - A tile is up to TILE_M rows of A against up to TILE_N columns of B. Each step of the sum loads
 *    TILE_V vectors of B and TILE_M single numbers of A and does TILE_M * TILE_V multiply-adds, so
 *    that arithmetic and not loading sets the pace.
 *  - The rows of A may lie anywhere: each has a pointer of its own. B is read a row of
 *    TILE_N columns a step, whole vectors.
 *  - One source serves every processor: the sizes come from its registers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_GEMM_MICRO_KERNEL_H
#define SLOPE_TENSOR_KERNELS_GEMM_MICRO_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/kernels/vec.h"

/* TILE_M * TILE_V sums, TILE_V vectors of B and one number of A fill the registers: 32 of them with
 * AVX-512 and NEON, 16 otherwise. TILE_M * TILE_V is also at least what keeps the multipliers busy:
 * their number (2 a core) times their latency (4 or 5 cycles). */
#if defined(__AVX512F__)
#define TILE_M 12
#define TILE_V 2
#elif defined(__ARM_NEON)
#define TILE_M 6
#define TILE_V 4
#else
#define TILE_M 6
#define TILE_V 2
#endif

enum { TILE_N = TILE_V * VEC };

/* C = start + A B for one tile, where start is C itself (add), a bias, or 0. */
typedef struct GemmTile {
    ptrdiff_t   steps;     /* of the sum */
    const real *a[TILE_M]; /* the first number of each row of A … */
    ptrdiff_t   a_step;    /* … and how far on the next one lies; after every `run` of them … */
    ptrdiff_t   run, skip; /* … it lies `skip` further still. Steps are a multiple of the run. */
    const real *b;         /* row of B after row, b_step apart, in whole vectors up to the width */
    ptrdiff_t   b_step;
    real       *c;
    ptrdiff_t   c_row;
    bool        add;
    const real *row_bias, *col_bias; /* one number for each row or column of the tile, or NULL */
} GemmTile;

/* `rows` <= TILE_M and `cols` <= TILE_N of the tile exist; no others are read from A or written to
 * C. */
void tensor_gemm_micro_kernel(const GemmTile *t, int rows, int cols);

#endif
