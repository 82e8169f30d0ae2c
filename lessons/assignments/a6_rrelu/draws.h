/* lessons/assignments/a6_rrelu/draws.h -- how the tests call RReLU, and read its slopes.
 *
 * Five numbers, a Draw, describe a call of var_rrelu, so that the judge can make the same call
 * twice, or another call that shares some of its random numbers. At x = -1 the result is -a, which
 * shows the slopes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_DRAWS_H
#define SLOPE_LESSONS_ASSIGNMENTS_DRAWS_H

#include <math.h>

#include "lessons/assignments/judge/judge.h"

#define NOTHING_ARRIVED "does the backward rule SEND to its input?"
#define SLOPES_FIRST "on the left, y is a slope times x: see tests 1.1, 1.2 and 1.4"

enum { DRAW = 5, LOWER = 0, UPPER, SEED, STREAM, POSITION };
static const double draw_lower = 1 / 8., draw_upper = 1 / 3.;

typedef struct Draw {
    double number[DRAW]; /* lower, upper, and the seed, stream and position of the Rng */
} Draw;

/* A Draw with a random seed and stream. */
static Draw draw_new(double lower, double upper)
{
    double seed = (double)rng_below(judge_rng(), (uint64_t)1 << 53);
    double stream = (double)rng_below(judge_rng(), (uint64_t)1 << 40);
    return (Draw){{lower, upper, seed, stream, 1000}};
}

static Draw draw_default(void)
{
    return draw_new(draw_lower, draw_upper);
}

static Draw draw_plus(Draw d, int which, double more)
{
    d.number[which] += more;
    return d;
}

/* --- calling ---------------------------------------------------------------------------------- */

static double at(const Var *x, ptrdiff_t i)
{
    return (double)tensor_read(x->value)[tensor_locate(x->value, i)];
}

/* Returns y, a tensor of the answer; fails unless it has x's shape. `what` names it in messages. */
static Var *check_shape(const char *what, Var *y, const Var *x)
{
    if (!y)
        judge_fail(NOTHING_ARRIVED, "%s was not computed", what);
    if (!shape_equal(var_shape(y), var_shape(x)))
        judge_fail("", "%s has shape %s; expected %s", what, SHAPE_TEXT(var_shape(y)),
                   SHAPE_TEXT(var_shape(x)));
    return y;
}

static Var *ask_value(Var *x, Draw d)
{
    return check_shape("y", judge_ask("value", VARS(x), d.number, DRAW), x);
}

static Var *minus_one(Shape shape)
{
    return var_full(shape, -1);
}

static bool is_slope(double a, Draw d)
{
    double low = d.number[LOWER], high = d.number[UPPER];
    double slack = 0.5 + fmax(fabs(low), fabs(high));
    return a > low - slack && a < high + slack && a != 0 && a != 1;
}

/* y / x for each element with x < 0, and 1 for the others. */
static Var *divide_left(const Var *x, const Var *y)
{
    Var *slope = var_full(var_shape(x), 1);
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++)
        if (at(x, i) < 0)
            tensor_write(slope->value)[i] = (real)(at(y, i) / at(x, i));
    return slope;
}

/* The first element with x < 0 whose slope is impossible, or -1. */
static ptrdiff_t find_impossible(const Var *x, const Var *slope, Draw d)
{
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++)
        if (at(x, i) < 0 && !is_slope(at(slope, i), d))
            return i;
    return -1;
}

/* Fails with this hint if all elements with x < 0 have the same slope. */
static void check_vary(const Var *x, const Var *slope, const char *hint)
{
    double first = (double)NAN;
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++) {
        if (!(at(x, i) < 0))
            continue;
        first = isnan(first) ? at(slope, i) : first;
        if (fabs(at(slope, i) - first) > 1e-9)
            return;
    }
    judge_fail(hint, "all slopes are %.6g", first);
}

/* The slope y / x of each element with x < 0, and 1 for the others. Fails unless these are possible
 * slopes: not 0, not 1, not all equal, and roughly within the limits of d. */
static Var *read_slopes(const Var *x, const Var *y, Draw d)
{
    Var *slope = divide_left(x, y);
    ptrdiff_t i = find_impossible(x, slope, d);
    if (i >= 0)
        judge_fail(at(slope, i) == 0 ? "is the forward function written?" : SLOPES_FIRST,
                   "at x = %g the result is %g, which is not a random slope times x", at(x, i),
                   at(y, i));
    check_vary(x, slope, "draw a slope for each element");
    return slope;
}

static Var *ask_slopes(Shape shape, Draw d)
{
    Var *x = minus_one(shape);
    return read_slopes(x, ask_value(x, d), d);
}

/* The share of positions where a and b are equal. */
static double share_equal(const Var *a, const Var *b)
{
    ptrdiff_t n = tensor_count(a->value), equal = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        equal += at(a, i) == at(b, i);
    return (double)equal / (double)n;
}

static Var *mixed_input(void) /* elements on both sides, none at 0 */
{
    static const real x[] = {-5,          -2, -1, -(real)0.5, -(real)0.25, -(real)0.125,
                             (real)0.125, 1,  2,  (real)0.5,  3,           -3};
    return var_leaf_from(SHAPE(3, 4), x);
}

/* x where x > 0, else a x. */
static Var *leaky(Var *x, Var *a)
{
    return var_where(var_is_positive(x), x, var_mul(a, x));
}

/* --- comparing -------------------------------------------------------------------------------- */

/* For i from `shift` on, slope i of the first must be slope i - shift of the second. */
static void check_shift(const char *what, const Var *first, const Var *second, ptrdiff_t shift,
                        const char *hint)
{
    for (ptrdiff_t i = shift; i < tensor_count(first->value); i++)
        if (i - shift < tensor_count(second->value) && at(first, i) != at(second, i - shift))
            judge_fail(hint, "%s: slope %td was %.10g and is now %.10g", what, i, at(first, i),
                       at(second, i - shift));
}

/* Wrong slopes differ by far more than this; rrelu_words tests how precisely they are computed. */
static const Tolerance check_slopes = {.relative = 1e-6};

/* Is gx / gy within the limits everywhere on the left? If so, backward has drawn other slopes. */
static bool are_slopes(const Var *x, const Var *gy, const Var *gx, Draw d)
{
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++) {
        double a = at(gx, i) / at(gy, i);
        if (at(x, i) < 0 && !(a >= d.number[LOWER] && a <= d.number[UPPER]))
            return false;
    }
    return true;
}

#endif
