/* lessons/kit/filters.h -- drawing the filters of a convolution, and what they do to an image.
 *
 *  - Both functions take a Conv2d with small kernels, such as 3x3, and the PReLU after it, with one
 *    slope per channel. In all pictures black is negative, grey is 0, white is positive.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_FILTERS_H
#define SLOPE_LESSONS_KIT_FILTERS_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

/* All filters in the order of their slopes, `columns` per row, averaged over the input channels, in
 * the picture NAME.svg. */
void draw_filters(const Lesson *lesson, const char *name, const char *title, Module *conv,
                  Module *prelu, int columns);

/* One image (1,C,H,W) through the filters with the smallest, the median and the largest slope,
 * before and after PReLU. */
void draw_responses(const Lesson *lesson, const char *name, const char *title, Module *conv,
                    Module *prelu, const Tensor *image);

SLOPE_C_END

#endif
