/* tensor/kernels/matmul.h -- the matrix product, for any strides and any batch of matrices.
 *
 *  - tensor_matmul multiplies the last two axes and broadcasts the ones before.
 *  - tensor_linear is x w' + b. All of it ends in tensor_gemm (tensor/kernels/gemm.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_MATMUL_H
#define SLOPE_TENSOR_KERNELS_MATMUL_H

#include "tensor/tensor.h"

/* The shape of a (…,M,K) times b (…,K,N): (…,M,N) with the leading axes broadcast. Fails, in
 * the name of `function`, with both shapes where they do not fit. */
Shape tensor_matmul_shape(Shape a, Shape b, const char *function);

/* out = a b; out is contiguous and has the shape tensor_matmul_shape gives. */
void tensor_matmul(Tensor *out, const Tensor *a, const Tensor *b);

/* y (…,O) = x (…,D) w' + b, with w (O,D) and b (O) or NULL. All are contiguous. */
void tensor_linear(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b);

#endif
