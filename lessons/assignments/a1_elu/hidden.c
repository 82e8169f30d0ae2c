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

START_TEST(elu_second_far)
{
    Var *x = var_leaf_from(SHAPE(5), (real[]){5000, 710, -1, -(real)2.5, -5000});
    Var *one = var_full(SHAPE(5), 1), *gg = judge_ask("second", VARS(x, one, one), ALPHA(2));
    if (judge_answer()->tensors == 0)
        judge_fail(NOT_IN_OPS, "gx does not depend on x");
    for (int i = 0; i < 5; i++)
        if (!gg || !isfinite((double)tensor_read(gg->value)[i]))
            judge_fail("not stable: e^x overflows on the side that is not selected, and the "
                       "gradient of that side is 0 * inf. Compute e^x only from the x <= 0",
                       "the gradient of the gradient at x = %g is %g",
                       (double)tensor_read(x->value)[i],
                       gg ? (double)tensor_read(gg->value)[i] : 0);
}
END_TEST

/* For a million inputs the sampling errors of the mean and the variance are about 1e-3 and 2e-3. */
START_TEST(selu_moments)
{
    Var *x = var_empty(SHAPE(1000000));
    tensor_fill_normal(x->value, judge_rng(), 0, 1);
    Var *y = judge_ask("value", VARS(x), NONE);
    if (!y)
        judge_fail("", "y was not computed");
    Stats s = tensor_stats(y->value);
    if (!(s.min > -1.8))
        judge_fail("the left side must level off", "SELU of a normal number is %.4f", s.min);
    if (!(fabs(s.mean) < 0.01 && fabs(s.std - 1) < 0.01))
        judge_fail("lambda and alpha must make them 0 and 1",
                   "normal inputs leave with mean %.4f and standard deviation %.4f", s.mean, s.std);
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(elu_random);
    JUDGE_TEST(elu_gradient_far);
    JUDGE_TEST(elu_second_far);
    JUDGE_TEST(selu_moments);
}
