/* tests/bench/gemm_steps/steps.h -- a matrix product made fast, step by step.
 *
 *  - Each step computes C = A B for n x n matrices in row-major order, and changes one thing in the
 *    step before it. tensor/kernels/MATMUL.md explains the steps; `make gemm-steps` measures them.
 *  - n is a multiple of STEPS_UNIT, so that no step needs code for the edges of C. The library has
 *    such code: see tensor/kernels/gemm_micro_kernel.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_GEMM_STEPS_H
#define SLOPE_TESTS_GEMM_STEPS_H

#include "tensor/kernels/vec.h"

enum { STEPS_UNIT = 256 };

/* A micro-tile of C has MR rows of NR elements, which are NV vectors. Its sums, NV vectors of B and
 * one element of A must fit into the vector registers: MR NV + NV + 1 of 16, or of 32 with
 * AVX-512. */
enum { MR = 4, NV = 2, NR = NV * VEC };

typedef void (*GemmStep)(int n, const real *A, const real *B, real *C);

/* plain.c: one thread, plain C */
void step_naive(int n, const real *A, const real *B, real *C);
void step_order(int n, const real *A, const real *B, real *C);
void step_blocked(int n, const real *A, const real *B, real *C);
void step_micro_tile(int n, const real *A, const real *B, real *C);

/* packed.c: packed operands, vectors, threads */
void step_packed(int n, const real *A, const real *B, real *C);
void step_vector(int n, const real *A, const real *B, real *C);
void step_threads(int n, const real *A, const real *B, real *C);

#endif
