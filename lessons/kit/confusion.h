/* lessons/kit/confusion.h -- a confusion matrix as a picture.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_CONFUSION_H
#define SLOPE_LESSONS_KIT_CONFUSION_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

/* Draws the counts as coloured cells in the picture NAME.svg, one row per true class, one column
 * per predicted class. Long names are shortened. If there are more than PLOT_CELLS classes, the
 * picture is NAME.png; its cells then show colours without counts, and its axes class numbers. */
void draw_confusion(const Lesson *lesson, const char *name, const char *title,
                    const Confusion *confusion);

SLOPE_C_END

#endif
