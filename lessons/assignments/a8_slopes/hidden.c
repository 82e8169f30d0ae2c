/* lessons/assignments/a8_slopes/hidden.c -- hidden tests, which draw fresh data in every run.
 *
 * SPDX-License-Identifier: MIT
 */

static ptrdiff_t draw_between(int low, int high)
{
    return low + (ptrdiff_t)rng_below(judge_rng(), (uint64_t)(high - low + 1));
}

/* Easy data of random sizes. */
static Task random_task(int classes)
{
    ptrdiff_t n = draw_between(150, 500), m = draw_between(300, 400);
    return easy(n, m, SHAPE(draw_between(3, 12)), classes);
}

START_TEST(random_data)
{
    for (int i = 0; i < 3; i++) {
        Task t = random_task(i == 0 ? 5 : (int)draw_between(2, 4));
        check_run(t, "sizes and classes are not those of the visible tests");
        check_predictions(&first, &t);
    }
}
END_TEST

static double spirals_accuracy(void)
{
    Task t = spirals_run();
    return accuracy(&first, &t);
}

static void check_mean(double mean, double least)
{
    if (!(mean >= least))
        judge_fail(FIT, "the mean accuracy is %.3g: expected at least %g", mean, least);
}

/* The accuracy on clusters that overlap; a linear classifier reaches 0.4. */
static double mixture_accuracy(void)
{
    Task t = mixture(600, 600, SHAPE(4), 3, 4);
    run(&first, &t, rng_next(judge_rng()) >> 32);
    return accuracy(&first, &t);
}

START_TEST(accuracy_more)
{
    double mean = (spirals_accuracy() + spirals_accuracy()) / 2;
    judge_leaderboard("accuracy on spirals", mean);
    check_mean(mean, 0.85);
}
END_TEST

START_TEST(accuracy_mix)
{
    double mean = (mixture_accuracy() + mixture_accuracy()) / 2;
    judge_leaderboard("accuracy on mixtures", mean);
    check_mean(mean, 0.8);
}
END_TEST

static void check_finite(const Output *o)
{
    for (int i = 0; i < o->slopes; i++)
        if (!isfinite(o->slope[i].value))
            judge_fail("", "slope %g of layer %g is %g at step %g", o->slope[i].channel,
                       o->slope[i].layer, o->slope[i].value, o->slope[i].step);
}

START_TEST(random_slopes)
{
    for (int i = 0; i < 2; i++) {
        check_run(random_task(i == 0 ? 4 : (int)draw_between(2, 3)), NOT_LEARNED);
        check_layers(&first);
        check_start(&first);
        check_moments(&first, 10);
        check_learned(&first);
        check_finite(&first);
    }
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(random_data);
    JUDGE_TEST(accuracy_more);
    JUDGE_TEST(accuracy_mix);
    JUDGE_TEST(random_slopes);
}
