/* tensor/matmul.h -- the matrix product, for any strides and any batch of matrices.
 *
 *  - gemm is the one dense kernel: C = A B on strided matrices, C with unit column stride.
 *  - tensor_matmul multiplies the last two axes and broadcasts the ones before.
 *  - The bits do not depend on the number of threads: each element of C is summed by one
 *    thread, in the order of k.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_MATMUL_H
#define SLOPE_TENSOR_MATMUL_H

#include "tensor/tensor.h"

/* A matrix somewhere in memory: element (i, j) at p[i * row + j * col]. A transpose is a swap
 * of the two strides. */
typedef struct Matrix {
    const real *p;
    ptrdiff_t   row, col;
} Matrix;

/* C (M,N) = A (M,K) B (K,N). C's rows lie c_row apart, its columns 1 apart; it must not overlap A
 * or B. K = 0 gives zeros. */
void gemm(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, real *C, ptrdiff_t c_row);

/* The same with room for the packed B given, gemm_room(N, K) numbers, 64-byte aligned: for use in
 * parallel_for, whose workers may not fail, as taking memory can. */
size_t gemm_room(ptrdiff_t N, ptrdiff_t K);
void gemm_in(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, real *C,
             ptrdiff_t c_row);

/* The shape of a (…,M,K) times b (…,K,N): (…,M,N) with the leading axes broadcast. Fails, in
 * the name of `function`, with both shapes where they do not fit. */
Shape matmul_shape(Shape a, Shape b, const char *function);

/* out = a b; out is contiguous and has the shape matmul_shape gives. */
void tensor_matmul(Tensor *out, const Tensor *a, const Tensor *b);

#endif
