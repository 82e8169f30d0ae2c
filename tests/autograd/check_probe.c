/* tests/autograd/check_probe.c -- differences that cannot be trusted: a step that is lost in
 * rounding, or too long, or that leaves the function's domain. A right gradient must not be blamed
 * for them, and a wrong one must not pass because of them.
 *
 * Unlike check_gradcheck.c it runs in float too, where most of this happens.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "tests/testing.h"

/* A number whose neighbours are further away than the default step, without the max(1, |x|). */
static const real large = (real)(0.1 / (double)REAL_EPSILON);

/* --- functions, with right and wrong gradients ------------------------------------------------ */

static Var *probe_square(Var **in, void *ctx) { return (void)ctx, var_square(in[0]); }
static Var *probe_log(Var **in, void *ctx) { return (void)ctx, var_log(in[0]); }
static Var *probe_sqrt(Var **in, void *ctx) { return (void)ctx, var_sqrt(in[0]); }

static Var *probe_sine(Var **in, void *ctx)
{
    return var_sin(var_scale(in[0], *(const real *)ctx));
}

/* x^2 with the gradient 1.1 (2x). */
static Var *probe_wrong_square(Var **in, void *ctx)
{
    (void)ctx;
    Var *x = in[0], *still = var_detach(x);
    return var_sub(var_mul(var_scale(x, (real)2.2), still),
                   var_scale(var_square(still), (real)1.2));
}

/* sin(c x), whose gradient is wrong just as the difference with half the default step is. */
static Var *probe_wrong_sine(Var **in, void *ctx)
{
    double half = (double)*(const real *)ctx * GRADCHECK_DEFAULTS.h / 2;
    Var *y = probe_sine(in, ctx);
    real factor = (real)(sin(half) / half);
    return var_add(var_scale(y, factor), var_scale(var_detach(y), 1 - factor));
}

/* (x + c) - c: a staircase, whose steps are as wide as the spacing of numbers at c. */
static Var *probe_staircase(Var **in, void *ctx)
{
    real c = *(const real *)ctx;
    return var_add_scalar(var_add_scalar(in[0], c), -c);
}

/* x + 1 / epsilon^2, in which x vanishes. The gradient is 1, or 0 if there is a ctx. */
static Var *probe_absorbed(Var **in, void *ctx)
{
    real huge = 1 / (REAL_EPSILON * REAL_EPSILON);
    return var_add_scalar(ctx ? var_scale(in[0], 0) : in[0], huge);
}

/* The report for the values x (n). */
static GradReport probe_report(GradFunction fn, void *ctx, int n, const real *x, double h)
{
    size_t mark = tape_mark();
    GradCheckOptions o = GRADCHECK_DEFAULTS;
    if (h > 0)
        o.h = h;
    Var *leaf = var_leaf_from(SHAPE(n), x);
    GradReport r = gradcheck(fn, ctx, &leaf, 1, o);
    tape_rewind(mark);
    return r;
}

static void probe_passes(GradFunction fn, void *ctx, int n, const real *x)
{
    GradReport r = probe_report(fn, ctx, n, x, 0);
    ck_assert_msg(r.verdict == GRAD_PASS, "%s", r.message);
    ck_assert_int_eq(r.nonzero, n);
}

/* The first coordinate cannot be judged, and none is blamed. */
static void probe_is_lost(GradReport r, const char *why)
{
    ck_assert_int_eq(r.verdict, GRAD_FAIL);
    ck_assert_int_eq(r.failures, 0);
    ck_assert_int_gt(r.lost, 0);
    ck_assert_msg(strncmp(r.message, "FAIL: input 0, element 0: the gradient ", 39) == 0, "%s",
                  r.message);
    ck_assert_msg(strstr(r.message, why), "%s", r.message);
    ck_assert(strstr(r.message, "; scale the inputs, change the step, or build for double"));
}

/* --- the step --------------------------------------------------------------------------------- */

START_TEST(large_inputs_get_a_large_step)
{
    const real x[] = {2, large, -2 * large};
    probe_passes(probe_square, NULL, 3, x);
    GradReport r = probe_report(probe_wrong_square, NULL, 3, x, 0);
    ck_assert_msg(r.verdict == GRAD_FAIL, "%s", r.message);
    ck_assert_msg(strstr(r.message, "element 1: the gradient is"), "%s", r.message);
    ck_assert_int_eq(r.failures, 2);
    ck_assert_int_eq(r.lost, 1); /* 4.4 in place of 4 beside squares of large numbers */
}
END_TEST

START_TEST(a_step_lost_in_rounding_is_blamed_and_not_the_gradient)
{
    double h = (double)REAL_EPSILON / 100;
    GradReport r = probe_report(probe_square, NULL, 2, (const real[]){2, 3}, h);
    probe_is_lost(r, "is lost in rounding");
    ck_assert_int_eq(r.lost, 2);
    probe_is_lost(probe_report(probe_wrong_square, NULL, 2, (const real[]){2, 3}, h), "is lost");
}
END_TEST

/* Where the default step is longer than the function's waves. */
START_TEST(a_step_that_is_too_long_is_halved)
{
    real fast = (real)(1.5 / GRADCHECK_DEFAULTS.h), slow = 1;
    probe_passes(probe_sine, &fast, 3, (const real[]){(real)0.1, (real)0.5, -(real)0.7});
    real far = (real)(2 / GRADCHECK_DEFAULTS.h);
    probe_passes(probe_sine, &slow, 2, (const real[]){far, -far - 1});
}
END_TEST

/* The first difference disagrees, and one difference that agrees is not enough. */
START_TEST(a_wrong_gradient_does_not_pass_at_one_of_many_steps)
{
    real fast = (real)(1.5 / GRADCHECK_DEFAULTS.h);
    GradReport r = probe_report(probe_wrong_sine, &fast, 1, (const real[]){(real)0.1}, 0);
    ck_assert_msg(r.verdict == GRAD_FAIL && r.failures == 1, "%s", r.message);
}
END_TEST

START_TEST(a_step_out_of_the_domain_is_halved_too)
{
    real tiny = (real)(GRADCHECK_DEFAULTS.h / 10);
    probe_passes(probe_log, NULL, 2, (const real[]){tiny, 1});
    probe_passes(probe_sqrt, NULL, 2, (const real[]){tiny, 1});
    GradReport r = probe_report(probe_sqrt, NULL, 2, (const real[]){0, 1}, 0);
    probe_is_lost(r, "leads to a result that is not finite");
    ck_assert_int_eq(r.lost, 1);
}
END_TEST

/* --- rounding in the function ----------------------------------------------------------------- */

START_TEST(a_staircase_of_rounding_blames_nobody)
{
    const real x[] = {1, -3, (real)0.3, 2, (real)-0.7};
    for (real c = large / 4096; c < 4096 * large; c *= (real)1.3) {
        GradReport r = probe_report(probe_staircase, &c, 5, x, 0);
        ck_assert_msg(r.failures == 0, "c = %g: %s", (double)c, r.message);
        ck_assert((r.verdict == GRAD_PASS) == (r.lost == 0));
        if (c > 64 * large)
            probe_is_lost(r, "changes the result too little or too unevenly");
    }
    probe_is_lost(probe_report(probe_absorbed, NULL, 2, x, 0), "changes the result too little");
}
END_TEST

/* A gradient of 0 and a difference of 0 agree, but the difference is 0 because of rounding. */
START_TEST(a_wrong_0_does_not_pass_because_of_rounding)
{
    int wrong = 1;
    probe_is_lost(probe_report(probe_absorbed, &wrong, 1, (const real[]){1}, 0), "too little");
}
END_TEST

/* --- the ops ---------------------------------------------------------------------------------- */

START_TEST(the_default_options_suit_every_op_in_this_precision)
{
    for (const OpEntry *e = op_table; e->op; e++)
        for (int order = 1; order <= (e->op->once ? 1 : 2); order++) {
            GradCheckOptions o = GRADCHECK_DEFAULTS;
            o.order = order;
            GradReport r = op_check(e->op, o);
            ck_assert_msg(r.verdict == GRAD_PASS, "%s, order %d", r.message, order);
        }
}
END_TEST

static void probe_triple_forward(Var *y)
{
    for (ptrdiff_t i = 0; i < 3; i++) {
        real x = tensor_read(y->in[0]->value)[i];
        tensor_write(y->value)[i] = 3 * x;
    }
}
static void probe_triple_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_scale(gy, *(const real *)y->attr));
}

/* 3x, whose backward rule says *ctx. */
static Var *probe_triple(Var **in, void *ctx)
{
    static const Op op = {
        .name = "triple", .forward = probe_triple_forward, .backward = probe_triple_backward};
    return var_apply_with(&op, var_shape(in[0]), VARS(in[0]), ctx, sizeof(real));
}

START_TEST(what_the_header_says_of_3_is_true)
{
    const real x[] = {(real)0.5, 1, -1};
    real good = 3, close = (real)3.005, wrong = (real)3.02;
    probe_passes(probe_triple, &good, 3, x);
    if (sizeof(real) == sizeof(float))
        probe_passes(probe_triple, &close, 3, x);
    GradReport r = probe_report(probe_triple, &wrong, 3, x, 0);
    ck_assert_int_eq(r.failures, 3);
}
END_TEST

/* At sin(10^4) the first steps span several periods, so all their differences are near 0; between
 * those and the steps that rounding spoils, few are left in float. */
START_TEST(a_step_of_many_periods_blames_no_right_gradient)
{
    const real one = 1;
    for (int i = 0; i < 40; i++) {
        Var *x = var_leaf_from(SHAPE(1), (const real[]){10000 + (real)i / 4});
        GradReport r = gradcheck(probe_sine, (void *)&one, &x, 1, GRADCHECK_DEFAULTS);
        ck_assert_msg(r.failures == 0, "%s", r.message);
        tape_rewind(0);
    }
}
END_TEST

int main(void)
{
    const TTest *const step[] = {large_inputs_get_a_large_step,
                                 a_step_lost_in_rounding_is_blamed_and_not_the_gradient,
                                 a_step_that_is_too_long_is_halved,
                                 a_step_of_many_periods_blames_no_right_gradient,
                                 a_wrong_gradient_does_not_pass_at_one_of_many_steps,
                                 a_step_out_of_the_domain_is_halved_too, NULL};
    const TTest *const rounding[] = {a_staircase_of_rounding_blames_nobody,
                                     a_wrong_0_does_not_pass_because_of_rounding, NULL};
    const TTest *const ops[] = {the_default_options_suit_every_op_in_this_precision,
                                what_the_header_says_of_3_is_true, NULL};

    Suite *suite = suite_create("probe");
    testing_add(suite, "step", 30, step);
    testing_add(suite, "rounding", 30, rounding);
    testing_add(suite, "ops", 60, ops);
    return testing_main(suite);
}
