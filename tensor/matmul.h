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

/* C = A B or, with `add`, C += A B, with room for the packed B given: gemm_room(N, K) numbers,
 * 64-byte aligned. For use in parallel_for, whose workers may not fail, as taking memory can. */
size_t gemm_room(ptrdiff_t N, ptrdiff_t K);
void gemm_in(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, Matrix B, real *C,
             ptrdiff_t c_row, bool add);

/* The same, C = A B or C += A B, for a B that does not lie in memory as a matrix (the patches of a
 * convolution): pack writes columns [first, first + lanes) of B as (K, width), one step of K after
 * the other, and zeros in the lanes beyond. */
typedef void (*GemmPack)(real *out, int width, ptrdiff_t first, ptrdiff_t lanes, const void *ctx);
void gemm_packed(real *room, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, Matrix A, GemmPack pack,
                 const void *ctx, real *C, ptrdiff_t c_row, bool add);

/* The shape of a (…,M,K) times b (…,K,N): (…,M,N) with the leading axes broadcast. Fails, in
 * the name of `function`, with both shapes where they do not fit. */
Shape matmul_shape(Shape a, Shape b, const char *function);

/* out = a b; out is contiguous and has the shape matmul_shape gives. */
void tensor_matmul(Tensor *out, const Tensor *a, const Tensor *b);

/* y (…,O) = x (…,D) w' + b, with w (O,D) and b (O) or NULL. All are contiguous. */
void linear_forward(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b);

#endif
