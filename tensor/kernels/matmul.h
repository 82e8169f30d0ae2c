/* tensor/kernels/matmul.h -- the matrix product of tensors, for any strides and any batch.
 *
 *  - tensor_matmul multiplies the matrices in the last two axes and broadcasts the other axes.
 *  - tensor_linear is the forward pass of a linear layer.
 *  - Both call tensor_gemm (tensor/kernels/gemm.h). The results have the same bits for any number
 *    of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_MATMUL_H
#define SLOPE_TENSOR_KERNELS_MATMUL_H

#include "tensor/tensor.h"

/* The shape of a (…,M,K) times b (…,K,N): (…,M,N), with the leading axes broadcast. If the
 * shapes do not fit, it fails, naming `function` and both shapes. */
Shape tensor_matmul_shape(Shape a, Shape b, const char *function);

/* out (…,M,N) = a (…,M,K) b (…,K,N). out must not overlap a or b. Fails unless out is
 * contiguous and has the shape that tensor_matmul_shape returns. */
void tensor_matmul(Tensor *out, const Tensor *a, const Tensor *b);

/* y (…,O) = x (…,D) times the transpose of w (O,D), plus b (O), which may be NULL. All tensors
 * are contiguous; the shapes are not checked. */
void tensor_linear(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b);

#endif
