/* tensor/kernels/activation.h -- the kernels of PReLU and softmax, each in one pass over memory.
 *
 *  - PReLU: y = x if x > 0, else a x, with one slope for all or one per channel. The branch is
 *    decided by the input, never by the sign of the output, and x = 0 is on the side of the slope.
 *  - Softmax and its logarithm along one axis, with the maximum subtracted first.
 *  - All tensors are contiguous, and all but the slopes have the same shape.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_ACTIVATION_H
#define SLOPE_TENSOR_KERNELS_ACTIVATION_H

#include "tensor/tensor.h"

/* Fails, naming `function` and the slopes by `name`, which may be "", unless slopes of shape a fit
 * an input of shape x: a must be (C), with C the size of axis 1 of x, or (1) or () for one shared
 * slope. */
void tensor_prelu_check(Shape x, Shape a, const char *name, const char *function);

/* y = PReLU(x) with slopes a. */
void tensor_prelu(Tensor *y, const Tensor *x, const Tensor *a);

/* gx = g where x > 0, else a g; ga = the sum of x g over the elements with x <= 0 that share the
 * slope. gx or ga may be NULL if it is not requested. gx may be g itself. */
void tensor_prelu_backward(Tensor *gx, Tensor *ga, const Tensor *x, const Tensor *a,
                           const Tensor *g);

/* y = e^x / sum e^x, or its logarithm, along an axis (0 … ndim-1). */
void tensor_softmax(Tensor *y, const Tensor *x, int axis);
void tensor_log_softmax(Tensor *y, const Tensor *x, int axis);

#endif
