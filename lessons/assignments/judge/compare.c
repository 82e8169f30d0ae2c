/* lessons/assignments/judge/compare.c -- compares what a submission computed with what is
 * expected, and guesses the mistake.
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/judge/grade.h"
#include "lessons/assignments/judge/judge.h"

/* A mistake explains an element if it yields the same value up to rounding. */
static const Tolerance compare_same = {.relative = 1e-9};

static double compare_at(const Var *x, ptrdiff_t i)
{
    return (double)tensor_read(x->value)[tensor_locate(x->value, i)];
}

static bool compare_close(double got, double expected, Tolerance t)
{
    if (!isfinite(expected)) /* an infinite tolerance would allow everything */
        return isnan(expected) ? isnan(got) : got == expected;
    return fabs(got - expected) <= t.relative * fabs(expected) + t.absolute;
}

/* --- hints ------------------------------------------------------------------------------------ */

/* The hint of the mistake that explains every element, or "". */
static const char *compare_mistake(const Var *got, const Mistake *m, int mistakes)
{
    for (int k = 0; k < mistakes; k++) {
        bool same = m[k].value && shape_equal(got->value->shape, m[k].value->value->shape);
        for (ptrdiff_t i = 0, n = tensor_count(got->value); i < n && same; i++)
            same = compare_close(compare_at(got, i), compare_at(m[k].value, i), compare_same);
        if (same)
            return m[k].hint;
    }
    return "";
}

/* Is every element right to the digits of a float? */
static bool compare_is_float(const Var *got, const Var *expected, Tolerance t)
{
    const Tolerance rough = {4 * (double)FLT_EPSILON, t.absolute};
    for (ptrdiff_t i = 0, n = tensor_count(got->value); i < n; i++)
        if (!compare_close(compare_at(got, i), compare_at(expected, i), rough))
            return false;
    return true;
}

static bool compare_overflowed(const Var *got, const Var *expected)
{
    for (ptrdiff_t i = 0, n = tensor_count(got->value); i < n; i++)
        if (!isfinite(compare_at(got, i)) && isfinite(compare_at(expected, i)))
            return true;
    return false;
}

/* got / expected, if that is the same for all elements; otherwise NaN. */
static double compare_ratio(const Var *got, const Var *expected)
{
    double ratio = (double)NAN;
    for (ptrdiff_t i = 0, n = tensor_count(got->value); i < n; i++) {
        double g = compare_at(got, i), e = compare_at(expected, i);
        if (g == 0 && e == 0)
            continue; /* the ratio is undefined */
        if (isnan(ratio))
            ratio = g / e;
        if (!compare_close(g, ratio * e, compare_same))
            return (double)NAN;
    }
    return ratio;
}

/* A hint for a mistake that can be recognised in any assignment, or "". */
static const char *compare_trace(const Var *got, const Var *expected, Tolerance t, char hint[256])
{
    double ratio = compare_ratio(got, expected), n = (double)tensor_count(got->value);
    if (compare_overflowed(got, expected))
        return "not stable: an intermediate result overflowed, as in inf - inf or 0 * inf";
    if (compare_is_float(got, expected, t))
        return "right to about seven digits, as if computed in float: use real, and functions of "
               "<tgmath.h>, instead of float, expf ...";
    if (isnan(ratio))
        return "";
    if (ratio == 0)
        return "every element is 0: is it computed at all?";
    if (compare_close(ratio, -1, compare_same))
        return "the sign is flipped";
    snprintf(hint, 256, "every element is %.6g times what it should be%s", ratio,
             compare_close(ratio, n, compare_same) ? ", which is the number of elements: is there "
             "one sum too many?" : "");
    return hint;
}

/* --- failing ---------------------------------------------------------------------------------- */

static void compare_shapes(const char *what, const Var *got, Shape shape)
{
    if (!got)
        judge_fail("no gradient arrived: does the backward rule SEND to its input?",
                   "%s was not computed", what);
    if (!shape_equal(got->value->shape, shape))
        judge_fail("", "%s has shape %s, expected %s", what, SHAPE_TEXT(got->value->shape),
                   SHAPE_TEXT(shape));
}

/* "3 = (1, 0)", the position of element i. */
static void compare_index(char text[128], Shape s, ptrdiff_t i)
{
    Shape at = {.ndim = s.ndim};
    ptrdiff_t rest = i;
    for (int d = s.ndim - 1; d >= 0; d--)
        at.dim[d] = rest % s.dim[d], rest /= s.dim[d];
    snprintf(text, 128, s.ndim > 1 ? "%td = %s" : "%td", i, SHAPE_TEXT(at));
}

/* A NaN may have a sign, which has no meaning, so it is not printed. */
static void compare_number(char text[128], double x)
{
    snprintf(text, 128, "%.10g", isnan(x) ? fabs(x) : x);
}

static void compare_off(const char *what, const Var *got, const Var *expected, ptrdiff_t i,
                        const char *note, const char *hint)
{
    Outcome *o = judge_outcome;
    compare_index(o->index, got->value->shape, i);
    size_t used = strlen(o->index);
    snprintf(o->index + used, sizeof o->index - used, "%s", note);
    compare_number(o->expected, compare_at(expected, i));
    compare_number(o->got, compare_at(got, i));
    judge_fail(hint, "%s is wrong", what);
}

/* The first wrong element, or -1. */
static ptrdiff_t compare_find(const Var *got, const Var *expected, Tolerance t)
{
    for (ptrdiff_t i = 0, n = tensor_count(got->value); i < n; i++)
        if (!compare_close(compare_at(got, i), compare_at(expected, i), t))
            return i;
    return -1;
}

void judge_compare(const char *what, const Var *got, const Var *expected, Tolerance tolerance,
                   const Mistake *mistake, int mistakes)
{
    char trace[256];
    compare_shapes(what, got, expected->value->shape);
    ptrdiff_t i = compare_find(got, expected, tolerance);
    if (i < 0)
        return;
    const char *hint = compare_mistake(got, mistake, mistakes);
    compare_off(what, got, expected, i, "",
                hint[0] ? hint : compare_trace(got, expected, tolerance, trace));
}

/* --- elementwise functions -------------------------------------------------------------------- */

/* factor formula(x, p), with the elements of x in row-major order or in memory order. */
static Var *formula_values(const Formula *e, JudgeFormula formula, bool in_memory)
{
    Var *y = var_empty(e->x->value->shape);
    real *to = tensor_write(y->value);
    const real *memory = tensor_read(e->x->value);
    for (ptrdiff_t i = 0, n = tensor_count(y->value); i < n; i++)
        to[i] = (real)((e->factor ? compare_at(e->factor, i) : 1) *
                       formula(in_memory ? (double)memory[i] : compare_at(e->x, i), e->p));
    return y;
}

static const char *formula_hint(const Var *got, const Formula *e, const FormulaMistake *m, int n)
{
    for (int k = 0; k < n; k++) {
        Mistake one = {formula_values(e, m[k].formula, false), m[k].hint};
        if (compare_mistake(got, &one, 1)[0])
            return m[k].hint;
    }
    const Tensor *x = e->x->value; /* n elements in memory order, if x reaches that far */
    if (tensor_is_contiguous(x) || wire_span(x) < tensor_count(x))
        return "";
    Mistake order = {formula_values(e, e->formula, true), "the strides of x are ignored: its "
                     "elements are read in the order in which they lie in memory"};
    return compare_mistake(got, &order, 1);
}

void judge_formula(const char *what, const Var *got, Formula e, const FormulaMistake *mistake,
                   int mistakes)
{
    char trace[256], note[64];
    const Tolerance tolerance = {.relative = e.tolerance};
    Var *expected = formula_values(&e, e.formula, false);
    compare_shapes(what, got, expected->value->shape);
    ptrdiff_t i = compare_find(got, expected, tolerance);
    if (i < 0)
        return;
    const char *hint = formula_hint(got, &e, mistake, mistakes);
    snprintf(note, sizeof note, " (x = %g)", compare_at(e.x, i));
    compare_off(what, got, expected, i, note,
                hint[0] ? hint : compare_trace(got, expected, tolerance, trace));
}
