/* tensor/kernels/norm.h -- batch normalisation of channels, x seen as (outer, C, inner).
 *
 *  - y = (x - mean) / sqrt(var + eps) * w + b, mean and biased variance over outer and inner.
 *  - A kernel reads its input twice: once for the sums, once to write; the second time from cache
 *    where a channel fits into it.
 *  - Sums are made per block of a size that the shape decides and the blocks added in order: the
 *    same bits on any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_NORM_H
#define SLOPE_TENSOR_KERNELS_NORM_H

#include "tensor/tensor.h"

/* mean, var (C): the mean and the biased variance of each channel. w and b (C) may be NULL. All
 * tensors are contiguous; channels are axis 1 and have at least one number each. */
void tensor_batch_norm(Tensor *y, Tensor *mean, Tensor *var, const Tensor *x, const Tensor *w,
                       const Tensor *b, real eps);

/* With rstd = 1 / sqrt(var + eps), xhat = (x - mean) rstd and n numbers a channel:
 *     gb = sum gy,  gw = sum gy xhat,  gx = w rstd (gy - gb/n - xhat gw/n)
 * Source: Ioffe and Szegedy, arXiv:1502.03167, 2015. gx, gw and gb may be NULL: not wanted.
 * gx may be gy itself. */
void tensor_batch_norm_backward(Tensor *gx, Tensor *gw, Tensor *gb, const Tensor *gy,
                                const Tensor *x, const Tensor *w, const Tensor *mean,
                                const Tensor *var, real eps);

#endif
