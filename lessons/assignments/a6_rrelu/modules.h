/* lessons/assignments/a6_rrelu/modules.h -- the tests of the module, included by tests.c.
 *
 * A test lists forward passes of two modules, in training or in evaluation, and examines one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_MODULES_H
#define SLOPE_LESSONS_ASSIGNMENTS_MODULES_H

#include <string.h>

#include "draws.h"

/* A forward pass of module A or B, in training or in evaluation: see services_forwards. */
enum { A, B, A_EVAL, B_EVAL };

typedef struct Run {
    double lower, upper, seed;
    int    wanted; /* the index in `forward` of the result to return */
    int    n, forward[8];
} Run;

/* The default limits and a random seed. */
static Run run_new(void)
{
    return (Run){draw_lower, draw_upper, draw_default().number[SEED], 0, 1, {A}};
}

static Draw run_limits(Run run)
{
    return (Draw){{run.lower, run.upper}};
}

#define FORWARDS(...) (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__}

/* `run` with these forward passes; the result of the last is wanted. */
static Run run_with(Run run, int n, const int *forward)
{
    run.n = n, run.wanted = n - 1;
    memcpy(run.forward, forward, (size_t)n * sizeof *forward);
    return run;
}

/* Returns y of the wanted pass; the answer's tensor 1 is gx. */
static Var *ask_forwards(Run run, Var *x, Var *gy)
{
    double number[12] = {run.lower, run.upper, run.seed, run.wanted};
    for (int i = 0; i < run.n; i++)
        number[4 + i] = run.forward[i];
    return check_shape("y", judge_ask("forwards", VARS(x, gy), number, 4 + run.n), x);
}

/* The slopes of the wanted pass, which must be in training, for an x of this shape. */
static Var *ask_run_of(Run run, Shape shape)
{
    Var *x = minus_one(shape);
    return read_slopes(x, ask_forwards(run, x, var_full(shape, 1)), run_limits(run));
}

static Var *ask_run(Run run)
{
    return ask_run_of(run, SHAPE(6, 10));
}

/* Fails if a slope of one forward pass is among those of another. */
static void check_disjoint(const Var *a, const Var *b, const char *hint)
{
    for (ptrdiff_t i = 0; i < tensor_count(a->value); i++)
        for (ptrdiff_t k = 0; k < tensor_count(b->value); k++)
            if (at(a, i) == at(b, k))
                judge_fail(hint, "two forward passes share slopes: slope %td of one is slope %td "
                           "of the other, %.10g", i, k, at(a, i));
}

/* Fails if many slopes are equal: a comparison of `what` would then prove nothing. */
static void check_differ(const Var *a, const Var *b, const char *hint, const char *what)
{
    if (share_equal(a, b) > 0.1)
        judge_fail(hint, "%s: they draw the same slopes", what);
}

static const char not_new[] = "each forward pass in training draws new slopes: advance the "
                              "module's stream by one word for each element";

/* Two forward passes of 60 elements must draw what one of 120 draws. Each run has a new process. */
static void check_continues(Run run)
{
    judge_restart();
    Var *all = ask_run_of(run_with(run, FORWARDS(A)), SHAPE(120));
    judge_restart();
    Var *second = ask_run_of(run_with(run, FORWARDS(A, A)), SHAPE(60));
    check_shift("the second of two passes of 60 elements, compared with one of 120", all, second,
                60, "a forward pass continues the stream where the last one ended: advance it by "
                "one word for each element, and call random_stream() only in rrelu_new");
}

START_TEST(module_draws)
{
    Run run = run_new();
    Var *slope[3];
    for (int i = 0; i < 3; i++) {
        slope[i] = ask_run(run_with(run, i + 1, (int[]){A, A, A}));
        for (int k = 0; k < i; k++)
            check_disjoint(slope[k], slope[i], not_new);
    }
    check_continues(run);
}
END_TEST

static bool is_same(const Var *a, const Var *b)
{
    return a && b ? tensor_all_close(a->value, b->value, 0, 1e-12) : !a && !b;
}

/* Where x > 0, y may also be what the op itself returns if both limits are the mean, and so may gx
 * everywhere: a mistake in the op is not counted twice. */
static void check_mean(Run run)
{
    double l = run.lower, u = run.upper;
    Draw both = draw_new((l + u) / 2, (l + u) / 2);
    Var *x = mixed_input(), *gy = judge_input(var_shape(x), 1, 2), *right = var_is_positive(x);
    Var *one = var_full(var_shape(x), 1), *mean = var_scalar((real)both.number[LOWER]);
    Var *y = ask_forwards(run, x, gy), *gx = judge_answer_var(1);
    const char *refused = judge_refusal("gradient", VARS(x, gy), both.number, DRAW);
    Var *own = refused ? NULL : judge_answer_var(0), *own_gx = refused ? NULL : judge_answer_var(1);
    Var *expected = leaky(x, mean);
    if (own && shape_equal(var_shape(own), var_shape(x)) &&
        is_same(var_where(right, y, one), var_where(right, own, one)))
        expected = var_where(right, y, expected);
    judge_compare("y in evaluation", y, expected, check_slopes,
                  MISTAKES({x, "in evaluation, y = x is right for dropout; RReLU has a mean slope"},
                           {leaky(x, var_scalar((real)l)), "in evaluation the slope is the mean, "
                                                           "not lower"},
                           {leaky(x, var_scalar((real)(l + u))), "the mean is (lower + upper) / 2"},
                           {leaky(x, var_scalar((real)((u - l) / 2))),
                            "the mean is (lower + upper) / 2"},
                           {leaky(x, var_scalar((real)(2 / (1 / l + 1 / u)))), "this is the "
                            "paper's slope; by rrelu.h, it is (lower + upper) / 2"},
                           {var_mul(x, mean), "positive inputs are multiplied, too"},
                           {are_slopes(x, x, y, run_limits(run)) ? y : NULL, "in evaluation "
                            "nothing is random: the slope is (lower + upper) / 2"}));
    if (!is_same(gx, own_gx))
        judge_compare("gx in evaluation", gx, var_mul(gy, var_where(right, one, mean)),
                      check_slopes, NULL, 0);
}

START_TEST(module_mean)
{
    Run run = run_new();
    check_mean(run_with(run, FORWARDS(A_EVAL)));
    check_mean(run_with(run, FORWARDS(A, A_EVAL)));
    run.lower = -0.5, run.upper = 0.25;
    check_mean(run_with(run, FORWARDS(A_EVAL, A_EVAL)));
}
END_TEST

START_TEST(module_streams)
{
    static const char shared[] = "each module has a stream of its own: random_stream() in "
                                 "rrelu_new, and module_add_rng";
    Run run = run_new();
    Var *a = ask_run(run_with(run, FORWARDS(A))), *b = ask_run(run_with(run, FORWARDS(B)));
    check_differ(a, b, shared, "two modules");
    judge_restart();
    Var *after = ask_run(run_with(run, FORWARDS(A, A, B)));
    check_shift("a module, once another has drawn", b, after, 0, shared);
}
END_TEST

START_TEST(module_seeds)
{
    static const char twice[] = "only random_seed and the module decide what is drawn: call "
                                "random_stream() in rrelu_new";
    Run run = run_new(), other = run_new();
    Var *slope = ask_run(run);
    check_shift("the same seed again", slope, ask_run(run), 0, twice);
    check_differ(slope, ask_run(other), twice, "two seeds");
    judge_restart();
    check_shift("the same seed in another process", slope, ask_run(run), 0, twice);
}
END_TEST

static void check_refused(double lower, double upper)
{
    if (!judge_refusal("new", NONE, NUMBERS(lower, upper)))
        judge_fail("call slope_fail unless lower <= upper and both are finite",
                   "rrelu_new(%g, %g) creates a module", lower, upper);
}

START_TEST(module_refuses)
{
    const double inf = (double)INFINITY, nan = (double)NAN;
    judge_ask("new", NONE, NUMBERS(draw_lower, draw_upper));
    judge_ask("new", NONE, NUMBERS(0.25, 0.25));
    judge_ask("new", NONE, NUMBERS(-1, 2));
    check_refused(0.5, 0.25);
    check_refused(nan, 0.25), check_refused(0.25, nan);
    check_refused(-inf, 0.25), check_refused(0.25, inf);
}
END_TEST

#endif
