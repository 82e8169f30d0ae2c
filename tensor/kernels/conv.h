/* tensor/kernels/conv.h -- two-dimensional convolution and its two gradients.
 *
 *  - y (N,O,P,Q) from x (N,C,H,W) and w (O,C/groups,R,S):
 *
 *      y[n,o,p,q] = b[o] + sum over c,r,s of
 *                   w[o,c,r,s] x[n, c, p sh - ph + r dh, q sw - pw + s dw]
 *
 *    with stride s, padding p (of zeros), dilation d, each for height and width; P is
 *    (H + 2 ph - dh (R-1) - 1) / sh + 1, rounded down.
 *  - It is linear in x and in w, so three kernels are closed under differentiation: the forward
 *    pass, the gradient of x from gy and w, and the gradient of w from x and gy.
 *  - Each is a matrix product one of whose operands consists of patches of an image. Only the part
 *    in use is ever copied to a workspace (an implicit GEMM).
 *  - conv.c computes the first two, conv_weight.c the third; all read images through conv_stage.h.
 *  - The results have the same bits for any number of threads.
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
    ptrdiff_t N, C, H, W; /* the input's shape */
    ptrdiff_t O, R, S;    /* output channels, kernel height and width */
    ptrdiff_t P, Q;       /* output height and width */
} Conv2d;

/* Returns the options, with the defaults in the fields that were left out. Fails, naming
 * `function`, if an option is out of range. */
Conv2dOptions tensor_conv2d_options(Conv2dOptions options, const char *function);

/* The sizes for x (N,C,H,W) and w (O,C/groups,R,S). If they do not fit, or an option is out of
 * range, it fails, naming `function` and the weight by `name`, which may be ""; the message shows
 * the shapes and the formula. */
Conv2d tensor_conv2d_plan(Shape x, Shape w, Conv2dOptions options, const char *name,
                          const char *function);

/* The three kernels. All tensors are contiguous and have the shapes of c: x, gx (N,C,H,W), w, gw
 * (O,C/groups,R,S), b, gb (O), and y, gy (N,O,P,Q). b and gb may be NULL. Results are overwritten.
 * The kernels fail only if there is no memory for the workspace. */
void tensor_conv2d(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b, const Conv2d *c);
void tensor_conv2d_grad_input(Tensor *gx, const Tensor *gy, const Tensor *w, const Conv2d *c);
void tensor_conv2d_grad_weight(Tensor *gw, Tensor *gb, const Tensor *x, const Tensor *gy,
                               const Conv2d *c);

#endif
