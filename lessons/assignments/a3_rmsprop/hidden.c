/* lessons/assignments/a3_rmsprop/hidden.c -- the hidden tests, included by tests.c. Copies for
 * students lack this file.
 *
 * SPDX-License-Identifier: MIT
 */

static double uniform(double low, double high)
{
    return low + (high - low) * (double)rng_uniform(judge_rng());
}

/* If the gradient stays the same, v - m^2 tends to 0, until only rounding error is left. eps is so
 * large that the root of that error does not matter. */
START_TEST(centered_still)
{
    enum { STEPS = 100, N = 50 };
    Settings s = {.lr = 1e-4, .alpha = 0.6, .eps = 1e-3, .centered = 1};
    Training t = training_of(STEPS, N, s);
    real *g = tensor_write(t.g->value);
    for (ptrdiff_t i = N; i < STEPS * N; i++)
        g[i] = g[i - N];
    Var *path = train(&t);
    for (ptrdiff_t i = 0; i < STEPS * N; i++)
        if (isnan((double)tensor_read(path->value)[i]))
            judge_fail("v - m^2 is never negative, but rounding can make it so: use fmax(v - m^2, "
                       "0)", "theta is NaN after step %td if the gradient is %g in every step",
                       i / N + 1, (double)g[i]);
    compare_paths(path, &t, (Tolerance){1e-3, 1e-3});
}
END_TEST

START_TEST(mixed)
{
    for (int i = 0; i < 12; i++) {
        Settings s = {.lr = uniform(0.01, 0.2), .alpha = uniform(0.5, 0.995),
                      .eps = pow(10, uniform(-6, -1)), .decay = uniform(0.1, 1),
                      .momentum = i % 2 ? uniform(0.1, 0.95) : 0, .centered = i / 2 % 2};
        check_settings(40, s);
    }
}
END_TEST

START_TEST(schedule)
{
    const Settings s[] = {{.lr = 0.1, .alpha = 0.9},
                          {.lr = 0.1, .alpha = 0.9, .momentum = 0.75},
                          {.lr = 0.03, .alpha = 0.9, .momentum = 0.75},
                          {.lr = 0.03, .alpha = 0.9, .momentum = 0.75, .centered = 1},
                          {.lr = 0.01, .alpha = 0.9}};
    Training t = training_of(50, 6, s[0]);
    t.segments = 5;
    for (int k = 0; k < t.segments; k++)
        t.segment[k] = (Segment){10, s[k]};
    check_training(&t);
}
END_TEST

START_TEST(resumed_all)
{
    Settings s = {.lr = uniform(0.01, 0.1), .alpha = uniform(0.8, 0.99), .eps = 1e-8,
                  .decay = 0.1, .momentum = uniform(0.5, 0.9), .centered = 1};
    check_resume(s);
    s.centered = 0;
    check_resume(s);
    s.centered = 1, s.momentum = 0;
    check_resume(s);
}
END_TEST

START_TEST(groups)
{
    double number[2 * SETTINGS];
    Training t[PARAMS];
    Var *path[PARAMS];
    Settings own = {.lr = 0.03, .alpha = 0.6, .eps = 0.01, .decay = 0.2, .momentum = 0.5,
                    .centered = 1};
    Settings other = {.lr = uniform(0.1, 0.2), .alpha = uniform(0.9, 0.99), .eps = 1e-8};
    for (int i = 0; i < 2; i++) {
        Settings s = i ? own : other, of_slopes = i ? other : own;
        network_trainings(t, 10, s, of_slopes);
        put_settings(number, &s);
        put_settings(&number[SETTINGS], &of_slopes);
        network_train(t, number, 2 * SETTINGS, path);
        Training wrong = t[2];
        wrong.segment[0].s = s;
        check_same("the group of slopes", path[2], alone(t[2]), "the slopes are updated with the "
                   "settings of another group: read all of them from the group that update gets",
                   alone(wrong));
        check_same("the weight", path[0], alone(t[0]), "", NULL);
        check_same("the bias", path[1], alone(t[1]), "", NULL);
    }
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(centered_still);
    JUDGE_TEST(mixed);
    JUDGE_TEST(schedule);
    JUDGE_TEST(resumed_all);
    JUDGE_TEST(groups);
}
