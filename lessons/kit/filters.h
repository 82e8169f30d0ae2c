/* lessons/kit/filters.h -- drawing what a convolution learned, and what it does to an image.
 *
 *  - Both take a Conv2d with 3x3 kernels (or other small ones) and the PReLU after it, of a slope
 *    a channel. In all pictures black is negative, grey 0, white positive.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_FILTERS_H
#define SLOPE_LESSONS_KIT_FILTERS_H

#include "lessons/kit/plot.h"

/* All filters, in the order of their slopes, `columns` in a row; several input channels are
 * averaged. A picture of its own, NAME.svg. */
void draw_filters(const Lesson *lesson, const char *name, const char *title, Module *conv,
                  Module *prelu, int columns);

/* One image (1,C,H,W) through the filters of the smallest, the middle and the largest slope, before
 * and after PReLU. */
void draw_responses(const Lesson *lesson, const char *name, const char *title, Module *conv,
                    Module *prelu, const Tensor *image);

#endif
