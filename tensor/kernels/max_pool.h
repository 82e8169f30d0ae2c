/* tensor/kernels/max_pool.h -- max pooling of planes, and moving values to and from the winners.
 *
 *  - y (N,C,P,Q) is the largest element of each window of x (N,C,H,W); winner (N,C,P,Q) is its
 *    offset in its plane, h W + w, as a real. The first of equal elements wins, and a NaN wins over
 *    every number, so it propagates.
 *  - Padding counts as -Inf and is at most half the kernel, so every window has an element.
 *  - The results have the same bits for any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_MAX_POOL_H
#define SLOPE_TENSOR_KERNELS_MAX_POOL_H

#include "tensor/kernels/options.h"
#include "tensor/tensor.h"

/* All sizes of one max pooling. */
typedef struct Pool2d {
    Pool2dOptions o;
    ptrdiff_t planes;     /* N C */
    ptrdiff_t H, W, P, Q; /* input and output sizes */
} Pool2d;

/* Returns the options, with the kernel's size as the stride if that was left out. Fails, naming
 * `function`, if an option is out of range. */
Pool2dOptions tensor_max_pool2d_options(Pool2dOptions options, const char *function);

/* The sizes for x (N,C,H,W), with P = (H + 2 padding - kernel) / stride + 1, rounded down, and Q
 * likewise. If they do not fit, or an option is out of range, it fails, naming `function`. */
Pool2d tensor_max_pool2d_plan(Shape x, Pool2dOptions options, const char *function);

/* Overwrites y and winner. All tensors, here and below, are contiguous and have the shapes of p.
 * Fails only if there is no memory for a workspace. */
void tensor_max_pool2d(Tensor *y, Tensor *winner, const Tensor *x, const Pool2d *p);

/* scatter overwrites gx (N,C,H,W): each element is the sum of the g (N,C,P,Q) whose winner it is.
 * gather is the reverse: it reads v (N,C,H,W) at the offsets of the winners into y (N,C,P,Q).
 * The winners must be from max pooling of the same shape; both fail if one is outside its plane. */
void tensor_max_pool2d_scatter(Tensor *gx, const Tensor *g, const Tensor *winner, const Pool2d *p);
void tensor_max_pool2d_gather(Tensor *y, const Tensor *v, const Tensor *winner, const Pool2d *p);

#endif
