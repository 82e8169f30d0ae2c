/* lessons/assignments/a6_rrelu/draws.h -- how the tests call RReLU, and read its slopes.
 *
 * A call of var_rrelu is described by five numbers, a Draw, so that the judge can make the same
 * call twice, or a call that shares some of its random numbers. At x = -1 the result is -a, which
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

/* A random seed and stream. */
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

/* A tensor of the answer whose elements are read here: it must have x's shape. */
static Var *check_shape(const char *what, Var *y, const Var *x)
{
    if (!y)
        judge_fail(NOTHING_ARRIVED, "%s was not computed", what);
    if (!shape_equal(var_shape(y), var_shape(x)))
        judge_fail("", "%s has shape %s, expected %s", what, SHAPE_TEXT(var_shape(y)),
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

/* The slope y / x of each element with x < 0, and 1 for the others. Fails unless there are slopes:
 * not 0, not 1, not all equal, and roughly within the limits of d. */
static Var *read_slopes(const Var *x, const Var *y, Draw d)
{
    Var *slope = var_full(var_shape(x), 1);
    double first = (double)NAN;
    bool differ = false;
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++) {
        if (!(at(x, i) < 0))
            continue;
        double a = at(y, i) / at(x, i);
        if (!is_slope(a, d))
            judge_fail(a == 0 ? "is the forward function written?" : SLOPES_FIRST,
                       "at x = %g the result is %g, which is not a random slope times x", at(x, i),
                       at(y, i));
        first = isnan(first) ? a : first;
        differ = differ || fabs(a - first) > 1e-9;
        tensor_write(slope->value)[i] = (real)a;
    }
    if (!differ)
        judge_fail("a slope is to be drawn for each element", "all slopes are %.6g", first);
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

/* Slopes i ... of the first must be slopes i - shift ... of the second. */
static void check_shift(const char *what, const Var *first, const Var *second, ptrdiff_t shift,
                        const char *hint)
{
    for (ptrdiff_t i = shift; i < tensor_count(first->value); i++)
        if (i - shift < tensor_count(second->value) && at(first, i) != at(second, i - shift))
            judge_fail(hint, "%s: slope %td was %.10g and is %.10g", what, i, at(first, i),
                       at(second, i - shift));
}

/* Wrong slopes are far off, and how precisely they must be drawn is tested by rrelu_words. */
static const Tolerance check_slopes = {.relative = 1e-6};

/* Are all gradients gx / gy on the left within the limits? Then other slopes were drawn. */
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
