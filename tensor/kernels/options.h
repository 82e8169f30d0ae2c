/* tensor/kernels/options.h -- the options that a kernel and its op share.
 *
 *  - In each pair, index 0 is the height and index 1 the width.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_OPTIONS_H
#define SLOPE_TENSOR_KERNELS_OPTIONS_H

#include <stddef.h>

/* Convolution. Start from CONV2D_DEFAULTS. */
typedef struct Conv2dOptions {
    ptrdiff_t stride[2], padding[2], dilation[2];
    ptrdiff_t groups;
} Conv2dOptions;
#define CONV2D_DEFAULTS ((Conv2dOptions){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1})

/* Max pooling. A stride of 0 means the size of the kernel. */
typedef struct Pool2dOptions {
    ptrdiff_t kernel[2], stride[2], padding[2];
} Pool2dOptions;

#endif
