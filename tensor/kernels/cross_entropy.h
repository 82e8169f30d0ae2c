/* tensor/kernels/cross_entropy.h -- the cross-entropy of rows of scores, and its gradient, row by
 * row.
 *
 *  - x (N,K) holds a row of K class scores an example, label (N) each row's class as a real; a row
 *    whose label is negative does not count: its loss is 0, and so is its gradient.
 *  - The target of a row is q_k = (1-s) [k = label] + s/K, s the label smoothing.
 *  - All tensors are contiguous. Rows run in parallel, each on one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_CROSS_ENTROPY_H
#define SLOPE_TENSOR_KERNELS_CROSS_ENTROPY_H

#include "tensor/tensor.h"

/* p (N,K) = softmax(x) along the rows, and loss[i] = - sum over k of q_k log p_k, for i below N. A
 * row that does not count gets zeros for p and 0 for its loss. */
void tensor_cross_entropy(double *loss, Tensor *p, const Tensor *x, const Tensor *label,
                          real smoothing);

/* gx (N,K) = weight (p - q), with a weight (N) for each row. */
void tensor_cross_entropy_backward(Tensor *gx, const Tensor *p, const Tensor *label,
                                   const Tensor *weight, real smoothing);

#endif
