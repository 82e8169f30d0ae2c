/* tests/bench/gemm_steps/steps.h -- the matrix product in the order in which one makes it fast.
 *
 *  - Each step computes C = A B for n x n numbers in row-major order, and changes one thing of the
 *    step before it. tensor/README.md tells the story, `make gemm-steps` measures it.
 *  - n is a multiple of STEPS_UNIT, so that no step needs code for edges; tensor/kernels/gemm.c has
 *    it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_GEMM_STEPS_H
#define SLOPE_TESTS_GEMM_STEPS_H

#include "tensor/kernels/vec.h"

enum { STEPS_UNIT = 256 };

/* A tile of C has ROWS x COLUMNS numbers. Its sums, a row's worth of B and a number of A must fit
 * into the registers: ROWS x VECTORS + VECTORS + 1 of 16 vectors, of 32 with AVX-512. */
enum { ROWS = 4, VECTORS = 2, COLUMNS = VECTORS * VEC };

typedef void (*GemmStep)(int n, const real *A, const real *B, real *C);

/* plain.c: one thread, plain C */
void step_naive(int n, const real *A, const real *B, real *C);
void step_order(int n, const real *A, const real *B, real *C);
void step_blocked(int n, const real *A, const real *B, real *C);
void step_tile(int n, const real *A, const real *B, real *C);

/* packed.c: packed operands */
void step_packed(int n, const real *A, const real *B, real *C);
void step_vector(int n, const real *A, const real *B, real *C);
void step_threads(int n, const real *A, const real *B, real *C);

#endif
