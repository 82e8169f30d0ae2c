/* lessons/kit/curve.h -- any function of one number, drawn with its derivative.
 *
 *  - A Curve is a `Var *f(Var *)` or a module with one input and one output, over a range of x.
 *  - draw_curve draws a whole picture: the function, and below it the derivative, which the tape
 *    computes. plot_curve and plot_derivative add one of the two to a panel, whose ranges you can
 *    set.
 *  - A line is interrupted where its values jump, as a derivative does at a kink, and where the
 *    function or the derivative is NaN or infinite. A single point between two interruptions is
 *    drawn as a dot.
 *
 *      static Var *swish(Var *x) { return var_mul(x, var_sigmoid(x)); }
 *
 *      Lesson here = lesson_here("pictures");
 *      draw_curve(&here, "swish", "Swish: x sigmoid(x)", (Curve){.f = swish});
 *      draw_curve(&here, "net", "What it learned", (Curve){.module = net, .low = -1, .high = 1});
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_CURVE_H
#define SLOPE_LESSONS_KIT_CURVE_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

/* Exactly one of f and module is set. Each is called with one number at a time, of shape (1,1): one
 * example with one input. It must return one number; if it refuses the shape, its own message says
 * why. A module runs in evaluation mode, so that it does not change; afterwards its modes are
 * restored. The gradients of its parameters stay as they are. */
typedef struct Curve {
    Var   *(*f)(Var *x);
    Module *module;
    double  low, high; /* the range of x; if both are 0, -4 to 4 */
    int     points;    /* equally spaced over the range, ends included; if 0, 801 */
} Curve;

/* Draws NAME.svg. Fails if there is nothing to draw: if the function or its derivative is finite at
 * none of the points. */
void draw_curve(const Lesson *lesson, const char *name, const char *title, Curve c);

/* Draw y, or dy/dx, against x as a line in the current panel. */
void plot_curve(Plot *p, const char *legend, Curve c);
void plot_derivative(Plot *p, const char *legend, Curve c);

SLOPE_C_END

#endif
