/* lessons/assignments/a1_elu/tests.c -- what ELU and SELU must do; points.txt assigns the points.
 *
 * Each test checks one thing, so that one mistake costs its own points and no more: values and
 * gradients are compared with formulas, far from 0 to all digits; second derivatives are compared
 * with finite differences of the submission's gradient, so that a wrong gradient is not counted
 * twice, as long as it bends on the left as ELU's does. What an op's sample returns is judged by
 * its values, not by a report of op_check, which the submission could forge.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/assignments/judge/judge.h"

#define NOTHING_ARRIVED "does the backward rule SEND to its input?"
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
static double slope_twice(double x, double a) { return slope(x, 2 * a); }
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

static const FormulaMistake value_mistake[] = {
    {elu_no_alpha, "missing alpha"},
    {elu_max, "max(x, alpha (e^x - 1)) is a different function, because e^x exceeds x + 1 on "
              "the right, too: branch on x > 0"},
    {elu_no_one, "alpha e^x without the - 1"},
};
enum { VALUE_MISTAKES = sizeof value_mistake / sizeof *value_mistake };

static const FormulaMistake slope_mistake[] = {
    {slope_no_alpha, "missing alpha"},
    {slope_right, "the derivative is from the wrong side: in elu.h, x = 0 is on the left"},
    {slope_half, "the derivative is the mean of both sides: in elu.h, x = 0 is on the left"},
    {slope_by_output, "the side is selected by the sign of the output, but for alpha < 0 the left "
                      "half is positive too. Test the sign of the input"},
    {slope_of_output, "alpha e^x is computed as y + alpha, but far to the left y is -alpha up to "
                      "the last digits, and the sum cancels. Compute e^x"},
    {slope_of_expm1, "alpha e^x is computed as y + alpha, but far to the left y is -alpha up to "
                     "the last digits, and the sum cancels. Compute e^x"},
};
enum { SLOPE_MISTAKES = sizeof slope_mistake / sizeof *slope_mistake };

/* --- calling ---------------------------------------------------------------------------------- */

#define ALPHA(alpha) NUMBERS(alpha)

static Var *mixed_input(void) /* elements on both sides, none at 0 */
{
    static const real x[MIXED] = {-5,          -2, -1, -(real)0.5, -(real)0.25, -(real)0.125,
                                  (real)0.125, 1,  2,  (real)0.5,  3,           -3};
    return var_leaf_from(SHAPE(3, 4), x);
}

/* judge_ask, for an answer whose elements are read here: it must have the shape of in[0]. */
static Var *ask(const char *service, Var *const *in, int n_in, const double *number, int n)
{
    Var *y = judge_ask(service, in, n_in, number, n);
    if (!y)
        judge_fail(NOTHING_ARRIVED, "%s was not computed", service);
    if (!shape_equal(var_shape(y), var_shape(in[0])))
        judge_fail("", "%s has shape %s, expected %s", service, SHAPE_TEXT(var_shape(y)),
                   SHAPE_TEXT(var_shape(in[0])));
    return var_contiguous(y);
}

/* A tolerance of 1e-9 allows e^x - 1 in place of expm1 unless |x| < 1e-7; elu_small does not. */
static void check_values(Var *x, double alpha)
{
    judge_formula("y", judge_ask("value", VARS(x), ALPHA(alpha)),
                  (Formula){elu, x, alpha, NULL, 1e-9}, value_mistake, VALUE_MISTAKES);
}

static void check_gradient(Var *x, double alpha)
{
    Var *u = judge_input(var_shape(x), -2, 2);
    judge_formula("gx", judge_ask("gradient", VARS(x, u), ALPHA(alpha)),
                  (Formula){slope, x, alpha, u, 1e-11}, slope_mistake, SLOPE_MISTAKES);
}

/* --- 1: ELU forward --------------------------------------------------------------------------- */

START_TEST(elu_values)
{
    static const double alpha[] = {1, 0.5, 2, -0.5};
    Var *x = mixed_input();
    for (int i = 0; i < 4; i++)
        check_values(x, alpha[i]);
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
    static const FormulaMistake cancels = {elu_exp, "e^x - 1 loses digits near 0: use expm1"};
    static const real near[] = {-(real)1e-3, -(real)1e-8, -(real)1e-12, -(real)1e-20};
    Var *x = var_leaf_from(SHAPE(4), near);
    judge_formula("y", judge_ask("value", VARS(x), ALPHA(1)), (Formula){elu, x, 1, NULL, 1e-13},
                  &cancels, 1);
}
END_TEST

/* --- 2: ELU backward -------------------------------------------------------------------------- */

START_TEST(elu_gradient)
{
    static const double alpha[] = {1, 0.5, 2, -0.5};
    Var *x = mixed_input(), *u = judge_input(var_shape(x), -2, 2);
    for (int i = 0; i < 4; i++)
        check_gradient(x, alpha[i]);
    judge_formula("gx of y + y", judge_ask("twice", VARS(x, u), ALPHA(-0.5)),
                  (Formula){slope, x, -0.5, var_scale(u, 2), 1e-11}, slope_mistake,
                  SLOPE_MISTAKES);
    static const FormulaMistake shared = {slope_twice, "the gradient is that for alpha 2, with "
        "which ELU was applied later: keep alpha in y->attr, not in a variable"};
    judge_formula("gx", judge_ask("both", VARS(x, u), NUMBERS(1, 2)),
                  (Formula){slope, x, 1, u, 1e-11}, &shared, 1);
}
END_TEST

START_TEST(elu_gradient_at_0)
{
    Var *x = var_leaf_from(SHAPE(2, 2), (real[]){0, -(real)0.0, 1, -1});
    check_gradient(x, 2);
}
END_TEST

/* The alpha of ELU's sample is the submission's choice. It follows from one value, if the op is
 * linear in alpha, as even most wrong ones are. */
static double check_sample_alpha(Var *x)
{
    double y = (double)tensor_read(ask("sample", VARS(x), ALPHA(1))->value)[0];
    double one = (double)tensor_read(ask("value", VARS(x), ALPHA(1))->value)[0];
    double half = (double)tensor_read(ask("value", VARS(x), ALPHA(0.5))->value)[0];
    if (one == half) /* alpha is ignored, which elu_values reports */
        return 0.5;
    double alpha = 0.5 + 0.5 * (y - half) / (one - half);
    if (!isfinite(alpha) || fabs(alpha) < 1e-3 || fabs(alpha - 1) < 1e-3)
        judge_fail("with alpha 0 the left side is not tested; with 1 the checker cannot notice "
                   "that alpha was forgotten", "the sample's alpha is %.3g; choose another", alpha);
    return alpha;
}

/* Asks for the sample's result at x, which must equal the op's; returns its hash. */
static double check_sample_at(Var *x, const double *number, int n)
{
    Var *y = ask("sample", VARS(x), number, n);
    double hash = judge_answer()->number[0] * 0x1p32 + judge_answer()->number[1];
    Var *own = ask("value", VARS(x), number, n);
    Stats s = tensor_stats(own->value);
    if (s.min == 0 && s.max == 0)
        judge_fail("is the forward function written?", "the sample's result is 0 everywhere");
    judge_compare("y of the sample", y, own, (Tolerance){1e-5, 0}, NULL, 0);
    return hash;
}

/* Compares the hash at x with that after steps that cross no kink, or one. */
static void check_sample_hash(Var *x, const double *number, int n)
{
    double hash = check_sample_at(x, number, n);
    if (check_sample_at(var_scale(x, (real)0.5), number, n) != hash)
        judge_fail("it must depend on the side of each element, and on nothing else",
                   "branch_hash changes although every element stays on its side of 0");
    for (int i = 0; i < 4; i++) {
        Var *other = var_scale(x, 1);
        tensor_write(other->value)[i] = 1;
        if (check_sample_at(other, number, n) == hash)
            judge_fail("see op_branch_of_signs in autograd/op.h",
                       "branch_hash stays the same although element %d crosses 0", i);
    }
}

/* `op` is for messages; n is 1 for ELU, which has a constant, and 0 for SELU. */
static void check_sample(const char *op, int n)
{
    Var *x = judge_input(SHAPE(4), -2, -1), *drawn;
    judge_ask("sample", VARS(x), &(double){1}, n);
    if (judge_answer()->numbers != 2 || !(drawn = judge_answer_var(1)))
        judge_fail("see .sample and .branch_hash in autograd/ops/relu.c; the checker detects the "
                   "kink by the branch_hash", "%s lacks a sample of one input, or a branch_hash",
                   op);
    Stats s = tensor_stats(drawn->value);
    if (!(s.min < 0 && s.max > 0))
        judge_fail("choose .low, .high and .both_signs so that both formulas are tested",
                   "the inputs of %s's sample are all on one side of 0", op);
    double alpha = n > 0 ? check_sample_alpha(x) : 0;
    check_sample_hash(x, &alpha, n);
}

START_TEST(elu_sample)
{
    check_sample("op_elu", 1);
    check_sample("op_selu", 0);
}
END_TEST

/* The second derivative of a wrong gradient need not be wrong. But gx must bend: on the left,
 * `bend`, its derivative, must be some multiple of e^x, and not 0. */
static void check_bend(Var *x, Var *bend)
{
    const real *at = tensor_read(x->value), *change = tensor_read(bend->value);
    double ratio = (double)change[0] / exp((double)at[0]);
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++) {
        double own = (double)change[i] / exp((double)at[i]);
        if (!isfinite(own) || (at[i] < 0 && !(own != 0 && fabs(own / ratio - 1) < 1e-3)))
            judge_fail("first make gx right: see test 2.1 or 3.2", "on the left, gx does not "
                       "change with x as alpha e^x does, so there is nothing to differentiate");
    }
}

/* Compares the gradients of <v, gx> with respect to x and gy with differences of gx. */
static void check_second(Var *x, const double *number, int n)
{
    const real h = (real)1e-5;
    Var *gy = judge_input(var_shape(x), 1, 2), *v = judge_input(var_shape(x), 1, 2);
    Var *one = var_full(var_shape(x), 1);
    Var *above = ask("gradient", VARS(var_add_scalar(x, h), gy), number, n);
    Var *below = ask("gradient", VARS(var_add_scalar(x, -h), gy), number, n);
    Var *unit = ask("gradient", VARS(x, one), number, n);
    Var *change = var_scale(var_sub(above, below), 1 / (2 * h));
    check_bend(x, var_div(change, gy));
    Var *ggx = judge_ask("second", VARS(x, gy, v), number, n), *ggy = judge_answer_var(1);
    if (judge_answer()->tensors == 0)
        judge_fail(NOT_IN_OPS, "gx does not depend on x");
    judge_compare("the gradient of <v, gx> with respect to x", ggx ? ggx : var_scale(x, 0),
                  var_mul(v, change), (Tolerance){1e-5, 1e-7},
                  MISTAKES({var_scale(x, 0), NOT_IN_OPS}));
    judge_compare("the gradient of <v, gx> with respect to gy", ggy, var_mul(v, unit),
                  (Tolerance){1e-9, 0}, NULL, 0);
}

START_TEST(elu_second)
{
    static const double alpha[] = {1, 0.5, 2};
    for (int i = 0; i < 3; i++)
        check_second(mixed_input(), ALPHA(alpha[i]));
}
END_TEST

/* --- 3: SELU ---------------------------------------------------------------------------------- */

START_TEST(selu_values)
{
    static const FormulaMistake mistake[] = {
        {selu_no_lambda, "missing lambda"},
        {selu_half_lambda, "lambda must also multiply the right side"}};
    Var *x = mixed_input();
    judge_formula("y", judge_ask("value", VARS(x), NONE), (Formula){selu, x, 0, NULL, 1e-12},
                  mistake, 2);
}
END_TEST

START_TEST(selu_gradient)
{
    static const FormulaMistake mistake[] = {{selu_slope_no_lambda, "missing lambda"}};
    Var *x = mixed_input(), *u = judge_input(var_shape(x), -2, 2);
    judge_formula("gx", judge_ask("gradient", VARS(x, u), NONE),
                  (Formula){selu_slope, x, 0, u, 1e-11}, mistake, 1);
}
END_TEST

START_TEST(selu_second)
{
    check_second(mixed_input(), NONE);
}
END_TEST

/* --- the list --------------------------------------------------------------------------------- */

#if __has_include("hidden.c")
#include "hidden.c"
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(elu_values);
    JUDGE_TEST(elu_edges);
    JUDGE_TEST(elu_small);
    JUDGE_TEST(elu_gradient);
    JUDGE_TEST(elu_gradient_at_0);
    JUDGE_TEST(elu_sample);
    JUDGE_TEST(elu_second);
    JUDGE_TEST(selu_values);
    JUDGE_TEST(selu_gradient);
    JUDGE_TEST(selu_second);
    hidden_tests();
}
