/* lessons/assignments/a7_matmul/matmul.h -- what your matmul.c must define.
 *
 *  - A (M,K), B (K,N) and C (M,N) are matrices in row-major order without gaps: element (i, j) of B
 *    is B[i * N + j].
 *  - C does not overlap A or B. It may hold anything before the call, even NaN.
 *  - Sizes may be 0. A sum of no terms is 0, so for K = 0 C is filled with zeros.
 *  - One thread; the speed is measured in CPU time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_A7_MATMUL_H
#define SLOPE_LESSONS_ASSIGNMENTS_A7_MATMUL_H

#include "slope.h"

/* C = A B: each C[i * N + j] becomes the sum over k of A[i * K + k] B[k * N + j]. */
void matmul(real *C, const real *A, const real *B, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K);

#endif
