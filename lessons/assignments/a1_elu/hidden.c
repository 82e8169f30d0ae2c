/* lessons/assignments/a1_elu/hidden.c -- the hidden tests, included by tests.c. Copies for students
 * lack this file.
 *
 * SPDX-License-Identifier: MIT
 */

START_TEST(elu_random)
{
    for (int i = 0; i < 20; i++) {
        Shape shape = SHAPE(1 + (ptrdiff_t)rng_below(judge_rng(), 5),
                            1 + (ptrdiff_t)rng_below(judge_rng(), 7), 3);
        double alpha = 4 * (double)rng_uniform(judge_rng()) - 1;
        check_values(judge_input(shape, -2, 2), alpha);
        check_values(judge_input(shape, -40, 10), alpha);
    }
}
END_TEST

START_TEST(elu_gradient_far)
{
    for (int i = 0; i < 10; i++)
        check_gradient(judge_input(SHAPE(4, 5), -60, 30), 0.5 + i / 8.);
    check_gradient(var_leaf_from(SHAPE(4), (real[]){-700, -(real)40.5, 710, 5000}), 2);
}
END_TEST

/* x is far to the right, a little to the left, or far to the left. Where it is negative, the result
 * must be a multiple of e^x; which multiple is tested elsewhere. */
START_TEST(elu_second_far)
{
    static const char unstable[] = "not stable: e^x overflows on the side that is not selected, "
        "and the gradient of that side is 0 * inf. Compute e^x only from the x <= 0";
    Var *x = var_concat((Var *[]){judge_input(SHAPE(4), 710, 6000), judge_input(SHAPE(4), -3, -1),
                                  judge_input(SHAPE(2), -6000, -800)}, 3, 0);
    Var *one = var_full(SHAPE(10), 1);
    judge_ask("second", VARS(x, one, one), ALPHA(2));
    if (!judge_answer_var(0))
        judge_fail(NOT_IN_OPS, "gx does not depend on x");
    Var *gg = ask("second", VARS(x, one, one), ALPHA(2));
    double factor = (double)tensor_read(gg->value)[4] / exp((double)tensor_read(x->value)[4]);
    if (!isfinite(factor) || factor == 0)
        judge_fail("first make test 2.5 pass", "at x = %g the gradient of the gradient is %g",
                   (double)tensor_read(x->value)[4], (double)tensor_read(gg->value)[4]);
    Var *left = var_scale(var_exp(var_minimum(x, var_scalar(0))), (real)factor);
    Var *right = var_is_positive(x);
    judge_compare("the gradient of gx", gg, var_where(right, var_scalar(0), left),
                  (Tolerance){1e-6, 0},
                  MISTAKES({var_where(right, var_scalar((real)NAN), left), unstable}));
}
END_TEST

/* For a million inputs the sampling errors of the mean and the variance are about 1e-3 and 2e-3.
 * Random numbers of mean 0 and variance 1 would not do: each must be the SELU of its input. */
START_TEST(selu_moments)
{
    Var *x = var_empty(SHAPE(1000000));
    tensor_fill_normal(x->value, judge_rng(), 0, 1);
    Var *y = ask("value", VARS(x), NONE);
    Stats s = tensor_stats(y->value);
    if (!(fabs(s.mean) < 0.01 && fabs(s.std - 1) < 0.01))
        judge_fail("lambda and alpha must make them 0 and 1",
                   "normal inputs leave with mean %.4f and standard deviation %.4f", s.mean, s.std);
    judge_formula("y", y, (Formula){selu, x, 0, NULL, 1e-3}, NULL, 0);
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(elu_random);
    JUDGE_TEST(elu_gradient_far);
    JUDGE_TEST(elu_second_far);
    JUDGE_TEST(selu_moments);
}
