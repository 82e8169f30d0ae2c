/* lessons/assignments/a1_elu/tests.c -- what ELU and SELU must do; points.txt assigns the points.
 *
 * Each test checks one thing, so that one mistake costs its own points and no more: values and
 * gradients are compared with formulas, far from 0 to all digits; second derivatives are compared
 * with finite differences of the submission's gradient, so that a wrong gradient is not counted
 * twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "elu.h"

#include <math.h>

#include "lessons/assignments/testing.h"

#define NOTHING_ARRIVED "no gradient arrived: does the backward rule SEND to its input?"
#define NOT_IN_OPS                                                                           \
    "second derivative missing: the rule must be written in ops (var_mul, var_exp ...), not " \
    "as a loop over elements"

enum { MIXED = 12 };
static const double selu_lambda = 1.0507009873554804934, selu_alpha = 1.6732632423543772848;

/* --- formulas, right and wrong ---------------------------------------------------------------- */

static double elu(double x, double a) { return x > 0 ? x : a * expm1(x); }
static double elu_no_alpha(double x, double a) { return (void)a, elu(x, 1); }
static double elu_exp(double x, double a) { return x > 0 ? x : a * (exp(x) - 1); }
static double elu_max(double x, double a) { return fmax(x, a * expm1(x)); }
static double elu_no_one(double x, double a) { return x > 0 ? x : a * exp(x); }

static double slope(double x, double a) { return x > 0 ? 1 : a * exp(x); }
static double slope_no_alpha(double x, double a) { return (void)a, slope(x, 1); }
static double slope_right(double x, double a) { return x >= 0 ? 1 : a * exp(x); }
static double slope_half(double x, double a) { return x == 0 ? (1 + a) / 2 : slope(x, a); }
static double slope_of_output(double x, double a) { return x > 0 ? 1 : elu_exp(x, a) + a; }
static double slope_of_expm1(double x, double a) { return x > 0 ? 1 : elu(x, a) + a; }
static double slope_by_output(double x, double a)
{
    return elu(x, a) > 0 ? 1 : a * exp(x);
}

static double selu(double x, double p) { return (void)p, selu_lambda * elu(x, selu_alpha); }
static double selu_no_lambda(double x, double p) { return (void)p, elu(x, selu_alpha); }
static double selu_half_lambda(double x, double p)
{
    return (void)p, (x > 0 ? 1 : selu_lambda) * elu(x, selu_alpha);
}
static double selu_slope(double x, double p) { return (void)p, selu_lambda * slope(x, selu_alpha); }
static double selu_slope_no_lambda(double x, double p) { return (void)p, slope(x, selu_alpha); }

static const GradeMistake value_mistake[] = {
    {elu_no_alpha, "missing alpha"},
    {elu_max, "max(x, alpha (e^x - 1)) is a different function for some alpha: branch on x > 0"},
    {elu_no_one, "alpha e^x without the - 1"},
};
enum { VALUE_MISTAKES = sizeof value_mistake / sizeof *value_mistake };

static const GradeMistake slope_mistake[] = {
    {slope_no_alpha, "missing alpha"},
    {slope_right, "the derivative is from the wrong side: by elu.h, x = 0 is on the left"},
    {slope_half, "the derivative is the mean of both sides: by elu.h, x = 0 is on the left"},
    {slope_by_output, "the side is selected by the sign of the output, but for alpha < 0 the left "
                      "half is positive too. Test the sign of the input"},
    {slope_of_output, "alpha e^x is computed as y + alpha, but far to the left y is -alpha up to "
                      "the last digits, and the sum cancels. Compute e^x"},
    {slope_of_expm1, "alpha e^x is computed as y + alpha, but far to the left y is -alpha up to "
                     "the last digits, and the sum cancels. Compute e^x"},
};
enum { SLOPE_MISTAKES = sizeof slope_mistake / sizeof *slope_mistake };

/* --- calling ---------------------------------------------------------------------------------- */

static Var *mixed_input(void) /* elements on both sides, none at 0 */
{
    static const real x[MIXED] = {-5,          -2, -1, -(real)0.5, -(real)0.25, -(real)0.125,
                                  (real)0.125, 1,  2,  (real)0.5,  3,           -3};
    return var_leaf_from(SHAPE(3, 4), x);
}

/* A tolerance of 1e-9 allows e^x - 1 in place of expm1 unless |x| < 1e-7; elu_small does not. */
static void check_values(Var *x, double alpha)
{
    grade_formula("y", var_elu(x, (real)alpha)->value,
                  (GradeExpected){elu, x->value, alpha, NULL, 1e-9}, value_mistake,
                  VALUE_MISTAKES);
}

/* The gradient of <u, fn(x)>, for random u of either sign. */
static Tensor *gradient(Var *x, Var *y, Var *u)
{
    var_zero_grad(x);
    var_backward_with(y, u);
    return x->grad;
}

static void check_gradient(Var *x, double alpha)
{
    Var *u = grade_leaf(var_shape(x), -2, 2);
    grade_formula("gx", gradient(x, var_elu(x, (real)alpha), u),
                  (GradeExpected){slope, x->value, alpha, u->value, 1e-11}, slope_mistake,
                  SLOPE_MISTAKES);
}

/* --- 1: ELU forward --------------------------------------------------------------------------- */

START_TEST(elu_values)
{
    static const double alpha[] = {1, 0.5, 2, -0.5};
    Var *x = mixed_input();
    for (int i = 0; i < 4; i++)
        check_values(x, alpha[i]);
    Var *y[] = {var_elu(x, 1), var_elu(x, 2)}; /* two at once: each keeps its own alpha */
    double diff = tensor_max_difference(y[0]->value, y[1]->value);
    if (!(diff > 0.9))
        grade_fail("keep alpha in y->attr, not in a static variable",
                   "ELU with alpha 1 and ELU with alpha 2 return the same values");
    if (y[0]->op != &op_elu)
        grade_fail("apply it with var_apply_with(&op_elu, ...)", "var_elu does not use op_elu");
}
END_TEST

START_TEST(elu_edges)
{
    const real inf = (real)INFINITY;
    Var *x = var_leaf_from(SHAPE(6), (real[]){0, -(real)0.0, inf, -inf, (real)NAN, -1000});
    check_values(x, 2);
    check_values(var_scalar(-1), 2);
    check_values(var_transpose(mixed_input(), 0, 1), 2);
    check_values(var_slice(mixed_input(), 1, 0, 4, 2), 2);
    check_values(var_expand(var_reshape(var_scalar(-3), SHAPE(1, 1)), SHAPE(2, 3)), 2);
    check_values(var_empty(SHAPE(0, 3)), 2);
}
END_TEST

START_TEST(elu_small)
{
    static const GradeMistake cancels = {elu_exp, "e^x - 1 loses digits near 0: use expm1"};
    static const real near[] = {-(real)1e-3, -(real)1e-8, -(real)1e-12, -(real)1e-20};
    Var *x = var_leaf_from(SHAPE(4), near);
    grade_formula("y", var_elu(x, 1)->value, (GradeExpected){elu, x->value, 1, NULL, 1e-13},
                  &cancels, 1);
}
END_TEST

START_TEST(elu_random)
{
    for (int i = 0; i < 20; i++) {
        Shape shape = SHAPE(1 + (ptrdiff_t)rng_below(grade_rng(), 5),
                            1 + (ptrdiff_t)rng_below(grade_rng(), 7), 3);
        double alpha = 4 * (double)rng_uniform(grade_rng()) - 1;
        check_values(grade_leaf(shape, -2, 2), alpha);
        check_values(grade_leaf(shape, -40, 10), alpha);
    }
}
END_TEST

/* --- 2: ELU backward -------------------------------------------------------------------------- */

START_TEST(elu_gradient)
{
    static const double alpha[] = {1, 0.5, 2, -0.5};
    Var *x = mixed_input();
    for (int i = 0; i < 4; i++)
        check_gradient(x, alpha[i]);
    var_zero_grad(x);
    Var *y = var_elu(x, -(real)0.5), *u = var_full(var_shape(x), 1);
    var_backward_with(var_add(y, y), u); /* used twice: two gradients meet in y */
    grade_formula("gx of y + y", x->grad,
                  (GradeExpected){slope, x->value, -0.5, var_scale(u, 2)->value, 1e-11},
                  slope_mistake, SLOPE_MISTAKES);
}
END_TEST

START_TEST(elu_gradient_at_0)
{
    Var *x = var_leaf_from(SHAPE(2, 2), (real[]){0, -(real)0.0, 1, -1});
    check_gradient(x, 2);
}
END_TEST

START_TEST(elu_gradient_far)
{
    for (int i = 0; i < 10; i++)
        check_gradient(grade_leaf(SHAPE(4, 5), -60, 30), 0.5 + i / 8.);
    check_gradient(var_leaf_from(SHAPE(4), (real[]){-700, -(real)40.5, 710, 5000}), 2);
}
END_TEST

START_TEST(elu_sample)
{
    const Op *op[] = {&op_elu, &op_selu};
    for (int i = 0; i < 2; i++) {
        if (!op[i]->sample.call || !op[i]->branch_hash)
            grade_fail("see autograd/ops/relu.c", "%s has no %s", op[i]->name,
                       op[i]->sample.call ? "branch_hash, by which the checker detects the kink"
                                          : "sample");
        GradCheckOptions o = GRADCHECK_DEFAULTS;
        GradReport r = op_check(op[i], o);
        if (r.verdict == GRAD_FAIL || r.nonzero < 2)
            grade_fail(r.verdict == GRAD_FAIL ? "" : "the sample needs inputs on both sides of 0",
                       "%s", r.message);
    }
}
END_TEST

/* Compares the derivative of <v, gx>, with respect to x and gy, with differences of gx. */
static Var *call_elu(Var **in, void *ctx) { return var_elu(in[0], *(const real *)ctx); }
static Var *call_selu(Var **in, void *ctx) { return (void)ctx, var_selu(in[0]); }

static void check_second(GradFunction fn, Var *x, real alpha)
{
    Var *g[1], *gg[1] = {NULL};
    var_grad(var_sum(fn(&x, &alpha), ALL_AXES, false), VARS(x), CREATE_GRAPH, g);
    if (!g[0])
        grade_fail(NOTHING_ARRIVED, "gx was not computed");
    if (g[0]->requires_grad)
        var_grad(var_sum(g[0], ALL_AXES, false), VARS(x), GRAD_ONLY, gg);
    if (!gg[0] || tensor_stats(gg[0]->value).max == tensor_stats(gg[0]->value).min)
        grade_fail(NOT_IN_OPS, "d gx/dx is %s", gg[0] ? "the same everywhere" : "missing");
    GradCheckOptions o = GRADCHECK_DEFAULTS;
    o.order = 2, o.seed = rng_next(grade_rng());
    GradReport r = gradcheck(fn, &alpha, &x, 1, o);
    if (r.verdict == GRAD_FAIL)
        grade_fail(NOT_IN_OPS, "gradient of the gradient: %s", r.message);
}

START_TEST(elu_second)
{
    static const real alpha[] = {1, (real)0.5, 2};
    for (int i = 0; i < 3; i++)
        check_second(call_elu, mixed_input(), alpha[i]);
}
END_TEST

START_TEST(elu_second_far)
{
    Var *x = var_leaf_from(SHAPE(5), (real[]){5000, 710, -1, -(real)2.5, -5000}), *g[1], *gg[1];
    var_grad(var_sum(var_elu(x, 2), ALL_AXES, false), VARS(x), CREATE_GRAPH, g);
    if (!g[0])
        grade_fail(NOTHING_ARRIVED, "gx was not computed");
    if (!g[0]->requires_grad)
        grade_fail(NOT_IN_OPS, "gx does not depend on x");
    var_grad(var_sum(g[0], ALL_AXES, false), VARS(x), GRAD_ONLY, gg);
    for (int i = 0; i < 5; i++)
        if (!gg[0] || !isfinite((double)tensor_read(gg[0]->value)[i]))
            grade_fail("not stable: e^x overflows on the side that is not selected, and the "
                       "gradient of that side is 0 * inf. Compute e^x only from the x <= 0",
                       "the gradient of the gradient at x = %g is %g",
                       (double)tensor_read(x->value)[i],
                       gg[0] ? (double)tensor_read(gg[0]->value)[i] : 0);
}
END_TEST

/* --- 3: SELU ---------------------------------------------------------------------------------- */

START_TEST(selu_values)
{
    static const GradeMistake mistake[] = {
        {selu_no_lambda, "missing lambda"},
        {selu_half_lambda, "lambda must also multiply the right side"}};
    Var *x = mixed_input(), *y = var_selu(x);
    grade_formula("y", y->value, (GradeExpected){selu, x->value, 0, NULL, 1e-12}, mistake, 2);
    if (y->op != &op_selu)
        grade_fail("apply it with var_apply_like(&op_selu, x)", "var_selu does not use op_selu");
}
END_TEST

START_TEST(selu_gradient)
{
    static const GradeMistake mistake[] = {{selu_slope_no_lambda, "missing lambda"}};
    Var *x = mixed_input(), *u = grade_leaf(var_shape(x), -2, 2);
    grade_formula("gx", gradient(x, var_selu(x), u),
                  (GradeExpected){selu_slope, x->value, 0, u->value, 1e-11}, mistake, 1);
}
END_TEST

START_TEST(selu_second)
{
    check_second(call_selu, mixed_input(), 0);
}
END_TEST

/* For a million inputs the sampling errors of the mean and the variance are about 1e-3 and 2e-3. */
START_TEST(selu_moments)
{
    Var *x = var_empty(SHAPE(1000000));
    tensor_fill_normal(x->value, grade_rng(), 0, 1);
    Stats s = tensor_stats(var_selu(x)->value);
    if (!(fabs(s.mean) < 0.01 && fabs(s.std - 1) < 0.01))
        grade_fail("lambda and alpha must make them 0 and 1",
                   "normal inputs leave with mean %.4f and standard deviation %.4f", s.mean, s.std);
}
END_TEST

void grade_tests(void)
{
    GRADE_TEST(elu_values);
    GRADE_TEST(elu_edges);
    GRADE_TEST(elu_small);
    GRADE_TEST(elu_random);
    GRADE_TEST(elu_gradient);
    GRADE_TEST(elu_gradient_at_0);
    GRADE_TEST(elu_gradient_far);
    GRADE_TEST(elu_sample);
    GRADE_TEST(elu_second);
    GRADE_TEST(elu_second_far);
    GRADE_TEST(selu_values);
    GRADE_TEST(selu_gradient);
    GRADE_TEST(selu_second);
    GRADE_TEST(selu_moments);
}
