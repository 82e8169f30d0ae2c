/* tensor/kernels/conv.h -- two-dimensional convolution and its two gradients.
 *
 *  - y (N,O,P,Q) from x (N,C,H,W) and w (O,C/groups,R,S):
 *
 *      y[n,o,p,q] = b[o] + sum over c,r,s of
 *                   w[o,c,r,s] x[n, c, p sh - ph + r dh, q sw - pw + s dw]
 *
 *    with stride s, padding p (of zeros), dilation d, each for height and width; P is
 *    (H + 2 ph - dh (R-1) - 1) / sh + 1, rounded down.
 *  - It is linear in x and in w, so three kernels close under differentiation: the forward, the
 *    gradient of x from gy and w, the gradient of w from x and gy.
 *  - Each is a matrix product in which patches of the image are one side (an implicit GEMM): only
 *    the piece at work is ever in a buffer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_CONV_H
#define SLOPE_TENSOR_KERNELS_CONV_H

#include "tensor/kernels/options.h"
#include "tensor/tensor.h"

/* All sizes of one convolution. */
typedef struct Conv2d {
    Conv2dOptions o;
    ptrdiff_t N, C, H, W; /* input */
    ptrdiff_t O, R, S;    /* weight */
    ptrdiff_t P, Q;       /* output height and width */
} Conv2d;

/* Works the sizes out; fails in the name of `function`, with both shapes and the formula, where
 * they do not fit. */
Conv2d tensor_conv2d_plan(Shape x, Shape w, Conv2dOptions options, const char *function);

/* All tensors are contiguous. b (O), and its gradient gb, may be NULL. */
void tensor_conv2d(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b, const Conv2d *c);
void tensor_conv2d_grad_input(Tensor *gx, const Tensor *gy, const Tensor *w, const Conv2d *c);
void tensor_conv2d_grad_weight(Tensor *gw, Tensor *gb, const Tensor *x, const Tensor *gy,
                               const Conv2d *c);

#endif
