/* tensor/kernels/max_pool.h -- max pooling of planes, and moving numbers to and from the winners.
 *
 *  - y (N,C,P,Q) is the largest of each window of x (N,C,H,W); `winner` is where it was found, its
 *    offset inside the plane (h W + w), as a real. The first of equals wins, and a NaN wins over
 *    every number, so it spreads.
 *  - Padding counts as -Inf and can be at most half the kernel, so no window is without an element.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_MAX_POOL_H
#define SLOPE_TENSOR_KERNELS_MAX_POOL_H

#include "tensor/kernels/options.h"
#include "tensor/tensor.h"

typedef struct Pool2d {
    Pool2dOptions o;
    ptrdiff_t planes;     /* N C */
    ptrdiff_t H, W, P, Q; /* input and output sizes */
} Pool2d;

/* Works the sizes out, with P = (H + 2 padding - kernel) / stride + 1; fails in the name of
 * `function` where they do not fit. */
Pool2d tensor_max_pool2d_plan(Shape x, Pool2dOptions options, const char *function);

/* All tensors are contiguous. */
void tensor_max_pool2d(Tensor *y, Tensor *winner, const Tensor *x, const Pool2d *p);

/* Adds every g (N,C,P,Q) to gx (N,C,H,W), zero before, at its winner's place; and the other way
 * round, reads v (N,C,H,W) at the winners' places into y (N,C,P,Q).
 * The winners must come from a pooling of this shape; a place outside the plane fails. */
void tensor_max_pool2d_scatter(Tensor *gx, const Tensor *g, const Tensor *winner, const Pool2d *p);
void tensor_max_pool2d_gather(Tensor *y, const Tensor *v, const Tensor *winner, const Pool2d *p);

#endif
