/* tensor/kernels/norm.h -- batch normalisation per channel; x is viewed as (outer, C, inner).
 *
 *  - y = (x - mean) / sqrt(var + eps) * w + b, with the mean and the biased variance over outer and
 *    inner.
 *  - A kernel reads its input twice, once for the sums and once to compute the result; the second
 *    time from the cache, if a channel fits into it. It computes the sums again if they show that
 *    the variance is not accurate, which typical data do not.
 *  - Sums are computed in blocks whose size depends only on the shape, and the blocks are added in
 *    order, so the results have the same bits for any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_NORM_H
#define SLOPE_TENSOR_KERNELS_NORM_H

#include "tensor/tensor.h"

/* mean, lost, var (C): the mean of each channel, what rounding it to `real` lost, and the biased
 * variance. w and b (C) may be NULL. All tensors are contiguous; channels are axis 1 and have at
 * least one element each. */
void tensor_batch_norm(Tensor *y, Tensor *mean, Tensor *lost, Tensor *var, const Tensor *x,
                       const Tensor *w, const Tensor *b, real eps);

/* With rstd = 1 / sqrt(var + eps), xhat = (x - mean) rstd and n elements per channel:
 *     gb = sum gy,  gw = sum gy xhat,  gx = w rstd (gy - gb/n - xhat gw/n)
 * Source: Ioffe and Szegedy, arXiv:1502.03167, 2015. gx, gw and gb may be NULL if they are not
 * requested. gx may be gy itself. */
void tensor_batch_norm_backward(Tensor *gx, Tensor *gw, Tensor *gb, const Tensor *gy,
                                const Tensor *x, const Tensor *w, const Tensor *mean,
                                const Tensor *lost, const Tensor *var, real eps);

#endif
