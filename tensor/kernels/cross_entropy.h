/* tensor/kernels/cross_entropy.h -- the cross-entropy of each row of scores, and its gradient.
 *
 *  - x (N,K) holds K class scores per example, and label (N) the class of each row, as a real. A
 *    row with a negative label does not count: its loss is 0, and so is its gradient.
 *  - The target of a row is q_k = c_k ((1-s) [k = label] + s/K), where s is the label smoothing and
 *    c (K) holds the class weights. If c is NULL, every c_k is 1.
 *  - All tensors are contiguous. Rows are processed in parallel, each by one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_CROSS_ENTROPY_H
#define SLOPE_TENSOR_KERNELS_CROSS_ENTROPY_H

#include "tensor/tensor.h"

/* p (N,K) = softmax(x) along the rows, and loss[i] = - sum over k of q_k log p_k, for i below N.
 * For a row that does not count, p and the loss are 0. */
void tensor_cross_entropy(double *loss, Tensor *p, const Tensor *x, const Tensor *label,
                          const Tensor *c, real smoothing);

/* gx (N,K) = weight (p sum(q) - q), where weight (N) has one value per row. */
void tensor_cross_entropy_backward(Tensor *gx, const Tensor *p, const Tensor *label,
                                   const Tensor *weight, const Tensor *c, real smoothing);

#endif
