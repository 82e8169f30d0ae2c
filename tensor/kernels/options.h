/* tensor/kernels/options.h -- the options that a kernel and its op share.
 *
 *  - A field that is left out is 0 and has its usual value: (Conv2dOptions){.padding = {1, 1}} has
 *    stride 1.
 *  - In each pair, index 0 is the height and index 1 the width. Give both: in C, {2} means {2, 0}.
 *    A stride, a dilation or a pooling kernel of {2, 0} is refused. A padding of {2, 0} is valid:
 *    it adds two rows above and two below the image, but no columns. The constructors of modules
 *    warn about it if the kernel is square.
 *
 *      Conv2dOptions half = {.stride = {2, 2}, .padding = {1, 1}};
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_OPTIONS_H
#define SLOPE_TENSOR_KERNELS_OPTIONS_H

#include <stddef.h>

#include "tensor/language.h"

SLOPE_C_BEGIN

/* Convolution. A stride or dilation of {0, 0} means {1, 1}; 0 groups mean 1. CONV2D_DEFAULTS sets
 * these values and no padding. */
typedef struct Conv2dOptions {
    ptrdiff_t stride[2], padding[2], dilation[2];
    ptrdiff_t groups;
} Conv2dOptions;
extern const Conv2dOptions CONV2D_DEFAULTS;

/* Max pooling. The kernel must be given; a stride of {0, 0} means the kernel's size. */
typedef struct Pool2dOptions {
    ptrdiff_t kernel[2], stride[2], padding[2];
} Pool2dOptions;

SLOPE_C_END

#endif
