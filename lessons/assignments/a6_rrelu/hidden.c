/* lessons/assignments/a6_rrelu/hidden.c -- the hidden tests, included by tests.c. Students' copies
 * lack this file.
 *
 * SPDX-License-Identifier: MIT
 */

/* --- 1: forward ------------------------------------------------------------------------------- */

/* The largest difference between the share of slopes below t and its expected value, times sqrt(n).
 * It exceeds 3.6 with probability 2 e^(-2 3.6^2) = 1e-11 (Kolmogorov and Smirnov). */
static double distance(const Var *slope, double lower, double upper)
{
    ptrdiff_t n = tensor_count(slope->value);
    double *sorted = malloc((size_t)n * sizeof *sorted), most = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        sorted[i] = (at(slope, i) - lower) / (upper - lower);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_numbers);
    for (ptrdiff_t i = 0; i < n; i++)
        most = fmax(most, fabs(sorted[i] - ((double)i + 0.5) / (double)n));
    free(sorted);
    return most * sqrt((double)n);
}

/* For n uniform slopes, the standard deviation of the mean is w / sqrt(12 n); the variance is
 * w^2 / 12, with a standard deviation of w^2 / sqrt(180 n). */
static void check_uniform(double lower, double upper)
{
    static const char uniform[] = "a = lower + (upper - lower) u, with one uniform number u",
                      inverse[] = "the slopes are uniform, not their reciprocals";
    const double n = 100000, w = upper - lower, mean = (lower + upper) / 2, variance = w * w / 12;
    const double bound = 7 * w / sqrt(12 * n); /* of the error of the mean */
    Var *slope = ask_slopes(SHAPE((ptrdiff_t)n), draw_new(lower, upper));
    Stats s = tensor_stats(slope->value);
    double inverse_mean = log(upper / lower) / (1 / lower - 1 / upper); /* may be NaN */
    if (fabs(s.mean - mean) > bound)
        judge_fail(fabs(s.mean - inverse_mean) < bound ? inverse : uniform,
                   "the mean of %g slopes is %.5f; expected %.5f", n, s.mean, mean);
    if (fabs(s.std * s.std - variance) > 7 * w * w / sqrt(180 * n))
        judge_fail(uniform, "the variance of %g slopes is %.6f; expected %.6f", n, s.std * s.std,
                   variance);
    if (distance(slope, lower, upper) > 3.6)
        judge_fail(uniform, "the slopes have the right mean and variance, but are not uniform");
}

START_TEST(rrelu_uniform)
{
    check_uniform(draw_lower, draw_upper);
    check_uniform(-1, 0.5);
}
END_TEST

/* n slopes as in rrelu.h, but from the words at `position` + `step` i. */
static Var *words_at(ptrdiff_t n, Draw d, double position, uint64_t step)
{
    Var *slope = var_empty(SHAPE(n));
    const double *q = d.number;
    for (ptrdiff_t i = 0; i < n; i++) {
        Rng rng = {(uint64_t)q[SEED], (uint64_t)q[STREAM], (uint64_t)position + step * (uint64_t)i};
        tensor_write(slope->value)[i] = (real)(q[LOWER] + (q[UPPER] - q[LOWER]) *
                                               (double)rng_uniform(&rng));
    }
    return slope;
}

START_TEST(rrelu_words)
{
    const ptrdiff_t n = 700;
    Draw d = draw_plus(draw_default(), POSITION, 0x1p40 + (double)rng_below(judge_rng(), 1000));
    double p = d.number[POSITION], both = d.number[LOWER] + d.number[UPPER];
    Var *expected = words_at(n, d, p, 1);
    judge_compare("the slope", ask_slopes(SHAPE(n), d), expected, (Tolerance){1e-9, 0},
                  MISTAKES({words_at(n, d, 0, 1), "rng.position is ignored"},
                           {words_at(n, d, p + 1, 1), "element 0 uses the word at rng.position, "
                                                      "not the one after it"},
                           {words_at(n, d, p, 2), "one word for each element, not two"},
                           {words_at(n, d, (double)(uint32_t)p, 1), "the position has 64 bits"},
                           {var_sub(var_scalar((real)both), expected), "upper and lower are "
                                                                       "exchanged"}));
}
END_TEST

/* y of x must be y of a contiguous copy. */
static void check_layout(Var *x)
{
    Draw d = draw_default();
    Var *copy = var_leaf(var_contiguous(x)->value), *y = ask_value(x, d);
    judge_compare("y", y, ask_value(copy, d), (Tolerance){0, 0},
                  MISTAKES({y, "the elements of x, or their slopes, are not in row-major order: "
                               "x may be transposed, sliced or expanded"}));
    read_slopes(x, y, d);
}

START_TEST(rrelu_layouts)
{
    check_layout(var_transpose(mixed_input(), 0, 1));
    check_layout(var_slice(mixed_input(), 1, 0, 4, 2));
    check_layout(var_transpose(judge_input(SHAPE(3, 5, 4), -2, 2), 0, 2));
    check_layout(var_expand(var_reshape(var_scalar(-3), SHAPE(1, 1)), SHAPE(2, 3)));
    Draw d = draw_default();
    ask_value(var_empty(SHAPE(0, 3)), d);
    Var *slope = ask_slopes(SHAPE(2), d), *one = ask_value(var_scalar(-1), d);
    judge_compare("y of a scalar", one, var_scale(var_select(slope, 0, 0), -1), (Tolerance){0, 0},
                  NULL, 0);
}
END_TEST

/* --- 2: backward ------------------------------------------------------------------------------ */

/* The gradient of a module's first forward pass, computed after the second pass. */
static void check_kept_in_module(void)
{
    Run run = run_with(run_new(), FORWARDS(A, A));
    run.wanted = 0;
    Var *x = judge_input(SHAPE(8, 8), -2, 2), *gy = judge_input(SHAPE(8, 8), 1, 2);
    Draw d = run_limits(run);
    Var *slope = read_slopes(x, ask_forwards(run, x, gy), d);
    Var *gx = check_shape("gx", judge_answer_var(1), x);
    judge_compare("gx of a module that has drawn again", gx, var_mul(gy, slope), check_slopes,
                  MISTAKES({are_slopes(x, gy, gx, d) ? gx : NULL, OTHER_SLOPES}));
}

START_TEST(rrelu_kept)
{
    for (int i = 0; i < 5; i++)
        check_gradient("both", judge_input(SHAPE(7, 8 + i), -2, 2), draw_default(), 2);
    check_kept_in_module();
}
END_TEST

/* --- 3: the module ---------------------------------------------------------------------------- */

START_TEST(module_keeps)
{
    static const char hint[] = "in evaluation nothing is drawn: the stream must not advance";
    Run run = run_new();
    Var *first = ask_run(run_with(run, FORWARDS(A)));
    check_shift("after two passes in evaluation", first,
                ask_run(run_with(run, FORWARDS(A_EVAL, A_EVAL, A))), 0, hint);
    judge_restart();
    Var *second = ask_run(run_with(run, FORWARDS(A, A)));
    check_differ(first, second, not_new, "two forward passes");
    check_shift("after a pass in evaluation", second,
                ask_run(run_with(run, FORWARDS(A, A_EVAL, A))), 0, hint);
}
END_TEST

/* The state after some forward passes, loaded into a module in another process with another seed,
 * must yield the slopes that the next pass would have drawn. */
static void check_resumed(int before)
{
    static const int training[] = {A, A, A, A, A};
    Run run = run_new();
    Var *x = minus_one(SHAPE(6, 10)), *first = ask_run(run_with(run, 1, training));
    Var *next = ask_run(run_with(run, before + 1, training));
    ask_run(run_with(run, before, training));
    double number[9] = {run.lower, run.upper, run_new().seed};
    if (judge_answer()->numbers != 6)
        judge_fail("module_add_rng makes the stream a part of the module, which is saved with it",
                   "the module has no part of kind PART_RNG");
    memcpy(number + 3, judge_answer()->number, 6 * sizeof *number);
    judge_restart();
    Var *y = check_shape("y", judge_ask("resume", VARS(x), number, 9), x);
    Var *resumed = read_slopes(x, y, run_limits(run));
    check_differ(first, next, not_new, "two forward passes");
    judge_compare("the slope after resuming", resumed, next, (Tolerance){0, 0},
                  MISTAKES({first, "the slopes are those of the first forward pass: advance the "
                                   "Rng that module_add_rng returned"},
                           {resumed, "draw from the Rng that module_add_rng returned, not from a "
                                     "copy"}));
}

START_TEST(module_resumes)
{
    check_resumed(1);
    check_resumed(3);
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(rrelu_uniform);
    JUDGE_TEST(rrelu_words);
    JUDGE_TEST(rrelu_layouts);
    JUDGE_TEST(rrelu_kept);
    JUDGE_TEST(module_keeps);
    JUDGE_TEST(module_resumes);
}
