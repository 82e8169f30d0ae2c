/* nn/layers.h -- the ready-made modules.
 *
 *  - Layouts, names and default initial values are PyTorch's, so weights can be exchanged in both
 *    directions: linear weight [out, in], bias [out]; PReLU weight [1] or [C], all 0.25.
 *  - Initial values come from random_stream(): call random_seed first to get the same ones again.
 *  - Each constructor returns a Module to add to a parent, or to free with module_free.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_LAYERS_H
#define SLOPE_NN_LAYERS_H

#include "nn/module.h"

SLOPE_C_BEGIN

/* y (...,out) = x (...,in) weight' + bias. */
Module *linear_new(ptrdiff_t in, ptrdiff_t out);
Module *linear_new_without_bias(ptrdiff_t in, ptrdiff_t out);

/* y = f(x) for any function of one Var. The summary shows `name`, which is not copied:
 *     activation_new("Tanh", var_tanh) */
Module *activation_new(const char *name, Var *(*f)(Var *));

/* y = x if x > 0, else 0. */
Module *relu_new(void);

/* y = x if x > 0, else slope x, the slope fixed. PyTorch's default is 0.01. */
Module *leaky_relu_new(real slope);

/* y = x if x > 0, else a x, with num_parameters learned slopes a that start at `init` (0.25 in
 * He et al., arXiv:1502.01852): one shared by all elements, or one for each of the C channels of
 * axis 1. */
Module *prelu_new(ptrdiff_t num_parameters, real init);
bool module_is_prelu(const Module *m);

/* Convolution of (N,in,H,W) with `out` square kernels, weight [out, in/groups, kernel, kernel] and
 * bias [out]. The _with form takes separate kernel sizes for height and width, and the bias is
 * optional. conv2d_padding(1) and conv2d_stride_padding(2, 1) set these options for height and
 * width and leave the others at their defaults. PyTorch's
 *     nn.Conv2d(3, 64, 3, stride=2, padding=1)
 * is
 *     conv2d_new(3, 64, 3, conv2d_stride_padding(2, 1)) */
Conv2dOptions conv2d_padding(ptrdiff_t padding);
Conv2dOptions conv2d_stride_padding(ptrdiff_t stride, ptrdiff_t padding);
Module *conv2d_new(ptrdiff_t in, ptrdiff_t out, ptrdiff_t kernel, Conv2dOptions options);
Module *conv2d_new_with(ptrdiff_t in, ptrdiff_t out, ptrdiff_t kernel_height,
                        ptrdiff_t kernel_width, Conv2dOptions options, bool with_bias);

/* The maximum of each window: the windows are `kernel` x `kernel` and adjacent, or as the options
 * say. */
Module *max_pool2d_new(ptrdiff_t kernel);
Module *max_pool2d_new_with(Pool2dOptions options);

/* Global average pooling: (N,C,H,W) -> (N,C), the mean of each channel of each image. In PyTorch it
 * takes two modules, nn.AdaptiveAvgPool2d(1) and nn.Flatten(), so the numbers of the modules after
 * it in a Sequential are higher by one there. */
Module *global_avg_pool2d_new(void);

/* Batch normalisation of `channels` channels, axis 1: 1d of (N,C) or (N,C,L), 2d of (N,C,H,W). In
 * training it normalises with the mean and the biased variance of the batch and updates the running
 * ones: running <- (1 - momentum) running + momentum batch, with the unbiased variance. In
 * evaluation it normalises with the running ones. Names: weight, bias, running_mean,
 * running_var, num_batches_tracked.
 *
 * The options are a copy of BATCH_NORM_DEFAULTS, changed where needed; others are refused, since a
 * momentum or an eps that was left out would be 0:
 *     BatchNormOptions o = BATCH_NORM_DEFAULTS;
 *     o.momentum = (real)0.01; */
typedef struct BatchNormOptions {
    real momentum, eps;
    bool affine;        /* learn weight and bias */
    bool from_defaults; /* set in BATCH_NORM_DEFAULTS */
} BatchNormOptions;
extern const BatchNormOptions BATCH_NORM_DEFAULTS; /* momentum 0.1, eps 1e-5, affine */
Module *batch_norm1d_new(ptrdiff_t channels);
Module *batch_norm2d_new(ptrdiff_t channels);
Module *batch_norm1d_new_with(ptrdiff_t channels, BatchNormOptions options);
Module *batch_norm2d_new_with(ptrdiff_t channels, BatchNormOptions options);

/* In training every element x becomes 0 with probability p, else x / (1 - p); in evaluation nothing
 * changes. Each module has its own random stream, which is saved with the training state. */
Module *dropout_new(real p);

/* (N, ...) -> (N, the product of the rest). */
Module *flatten_new(void);

/* Applies modules named "0", "1" ... one after another. Takes ownership of them.
 *     sequential_new((Module *[]){linear_new(2, 8), prelu_new(8, 0.25), linear_new(8, 2)}, 3);
 * SEQUENTIAL counts for you: SEQUENTIAL(linear_new(2, 8), prelu_new(8, 0.25), linear_new(8, 2)).
 * (C does not specify the order in which the parts are created, and so which random stream each
 * gets; GCC and Clang create them from left to right.) */
Module *sequential_new(Module *const *parts, int n);
#define SEQUENTIAL(...) SLOPE_PASS(sequential_new, Module *, __VA_ARGS__)

SLOPE_C_END

#endif
