/* lessons/assignments/a6_rrelu/tests.c -- what RReLU must do; points.txt assigns the points.
 *
 * Each test checks one thing: gradients are compared with the slopes that the submission drew,
 * whatever their distribution, and modules with one another. Slopes of 0, or the same slope
 * everywhere, would pass all of these comparisons, so wherever slopes are read, they must differ
 * (see read_slopes in draws.h).
 *
 * rrelu.h leaves nothing to chance, so a visible test, whose seed is fixed, always passes or always
 * fails. The hidden tests, whose seeds are new in each run, reject correct slopes with a
 * probability below 1e-10: their bounds are at 7 standard deviations.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "draws.h"
#include "modules.h"

#define NOT_IN_OPS                                                                              \
    "the second derivative is missing: the rule must be written in ops (var_mul, var_where ...), " \
    "not as a loop over elements"
#define OTHER_SLOPES                                                                            \
    "backward multiplies by slopes within the limits, but not by those that forward drew: keep " \
    "in y->attr what is needed to draw the same ones again, and leave it unchanged: "            \
    "tensor_fill_uniform advances the Rng that it gets"
#define NO_SLOPE                                                                               \
    "the slope is missing: gx = a gy where x is not positive, whatever the sign of gy"
#define MEAN_SLOPE "the mean slope belongs to evaluation: gx uses the slopes that forward drew"

/* --- 1: forward ------------------------------------------------------------------------------- */

/* y as it must be if only inputs that are not positive are multiplied, whatever the slopes are. */
static Var *sides_of(Var *x, Var *y)
{
    Var *expected = var_scale(x, 1);
    real *to = tensor_write(expected->value);
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++)
        if (at(x, i) < 0 && isfinite(at(x, i)))
            to[i] = (real)at(y, i);
    return expected;
}

/* Compares y for x with y for 2 x: twice the input must yield twice the result. */
static void check_sides(Var *x, Draw d)
{
    Var *y = ask_value(x, d), *right = var_is_positive(x), *twice = var_scale(x, 2);
    Var *swapped = var_where(right, y, x);
    judge_compare("y", y, sides_of(x, y), (Tolerance){0, 0},
                  MISTAKES({d.number[LOWER] > 1 ? swapped : NULL, "max(x, a x) is a different "
                            "function if a > 1: test whether x > 0"},
                           {swapped, "positive inputs are multiplied, negative ones are not"},
                           {y, "y must be x where x > 0: only the left side has slopes"}));
    judge_compare("y of 2 x", ask_value(twice, d), var_scale(y, 2), (Tolerance){1e-12, 0},
                  MISTAKES({var_where(right, twice, y), "on the left, y is a slope times x"}));
    read_slopes(x, y, d);
}

/* With slopes from 2 to 3, max(x, a x) is wrong; with negative ones, the sign of y. */
START_TEST(rrelu_sides)
{
    const real inf = (real)INFINITY;
    Draw d = draw_default();
    Var *edges = var_leaf_from(SHAPE(7), (real[]){0, -(real)0.0, inf, (real)NAN, 1000, -1, -2});
    check_sides(mixed_input(), d);
    check_sides(mixed_input(), draw_new(2, 3));
    check_sides(mixed_input(), draw_new(-3, -2));
    check_sides(edges, d);
    Var *y = ask_value(var_full(SHAPE(2), -inf), d);
    judge_compare("y of -infinity", y, var_full(SHAPE(2), -inf), (Tolerance){0, 0}, NULL, 0);
}
END_TEST

/* The slopes must span at least 0.9 of the interval, as 1000 uniform ones nearly always do. */
static void check_bounds(double lower, double upper)
{
    Stats s = tensor_stats(ask_slopes(SHAPE(1000), draw_new(lower, upper))->value);
    double slack = 1e-12 * (fabs(lower) + fabs(upper));
    if (s.min < lower - slack || s.max > upper + slack)
        judge_fail("a = lower + (upper - lower) u with u from 0 to 1",
                   "slopes from %g to %g were requested; they range from %g to %g", lower, upper,
                   s.min, s.max);
    if (s.max - s.min < 0.9 * (upper - lower))
        judge_fail("a = lower + (upper - lower) u with u from 0 to 1", "slopes from %g to %g "
                   "were requested; all are from %g to %g", lower, upper, s.min, s.max);
}

START_TEST(rrelu_bounds)
{
    check_bounds(draw_lower, draw_upper);
    check_bounds(0.5, 0.75);
    check_bounds(-2, 0.25);
    Var *y = ask_value(minus_one(SHAPE(9)), draw_new(0.3, 0.3));
    judge_compare("y at x = -1 for lower = upper = 0.3", y, var_full(SHAPE(9), -(real)0.3),
                  (Tolerance){1e-6, 0}, NULL, 0);
}
END_TEST

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The number of different values in x. */
static ptrdiff_t count_distinct(const Var *x)
{
    ptrdiff_t n = tensor_count(x->value), distinct = 1;
    double *sorted = malloc((size_t)n * sizeof *sorted);
    for (ptrdiff_t i = 0; i < n; i++)
        sorted[i] = at(x, i);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_numbers);
    for (ptrdiff_t i = 1; i < n; i++)
        distinct += sorted[i] != sorted[i - 1];
    free(sorted);
    return distinct;
}

/* The correlation of slopes `lag` positions apart: its standard deviation is 1 / sqrt(n). */
static double correlation(const Var *slope, ptrdiff_t lag)
{
    Stats s = tensor_stats(slope->value);
    ptrdiff_t n = tensor_count(slope->value);
    double sum = 0;
    for (ptrdiff_t i = 0; i + lag < n; i++)
        sum += (at(slope, i) - s.mean) * (at(slope, i + lag) - s.mean);
    return sum / (double)n / (s.std * s.std);
}

/* With 53 random bits, two of 1680 slopes are equal with a probability of 1e-10. */
static void check_distinct(Shape shape)
{
    ptrdiff_t distinct = count_distinct(ask_slopes(shape, draw_default()));
    const char *hint = distinct == shape.dim[0] ? "each element has its own slope, not each sample"
                     : distinct == shape.dim[1] ? "each element has its own slope; RReLU is not "
                                                  "PReLU, which has one for each channel"
                     : "each element has its own slope, made from all bits of a random word";
    if (distinct < shape_count(shape))
        judge_fail(hint, "%td elements have only %td different slopes", shape_count(shape),
                   distinct);
}

START_TEST(rrelu_own)
{
    check_distinct(SHAPE(8, 6, 5, 7));
    Var *slope = ask_slopes(SHAPE(20000), draw_default());
    for (ptrdiff_t lag = 1; lag <= 64; lag++)
        if (fabs(correlation(slope, lag)) > 7 / sqrt(20000))
            judge_fail("draw them with the library's generator: see tensor/random.h",
                       "slopes %td positions apart are not independent: their correlation is %.3f",
                       lag, correlation(slope, lag));
}
END_TEST

/* Another seed, stream or position must yield other slopes. */
static void check_depends(Var *slope, Draw d, int which, const char *name)
{
    Var *other = ask_slopes(var_shape(slope), draw_plus(d, which, 1));
    if (share_equal(slope, other) > 0.01)
        judge_fail("use all of rng: its seed, its stream and its position",
                   "another %s yields the same slopes", name);
}

START_TEST(rrelu_positions)
{
    const Shape all = SHAPE(1000);
    Draw d = draw_default();
    Var *slope = ask_slopes(all, d), *x = judge_input(all, -2, 2);
    check_shift("the same call again", slope, ask_slopes(all, d), 0,
                "the same rng must yield the same slopes: draw from rng, and from nothing else");
    check_depends(slope, d, SEED, "seed");
    check_depends(slope, d, STREAM, "stream");
    check_depends(slope, d, POSITION, "position");
    check_shift("half as many elements", slope, ask_slopes(SHAPE(500), d), 0,
                "slope i must be number i of rng, however many elements there are");
    check_shift("rng.position + 100", slope, ask_slopes(all, draw_plus(d, POSITION, 100)), 100,
                "slope i must come from the word at rng.position + i");
    Var *sign = var_add_scalar(var_scale(var_is_positive(x), 2), -1);
    Var *mixed = read_slopes(sign, ask_value(sign, d), d);
    check_shift("where other inputs are positive", var_where(var_is_positive(x), mixed, slope),
                mixed, 0, "slope i must be number i of rng, whatever the inputs are: draw one for "
                "each element, not only where x is negative");
}
END_TEST

/* --- 2: backward ------------------------------------------------------------------------------ */

/* Compares gx, the service's answer, with `factor` gy times the slopes in the answer's y. */
static void check_gradient(const char *service, Var *x, Draw d, double factor)
{
    double mean = (d.number[LOWER] + d.number[UPPER]) / 2;
    Var *gy = judge_input(var_shape(x), 1, 2), *one = var_full(var_shape(x), 1);
    Var *y = check_shape("y", judge_ask(service, VARS(x, gy), d.number, DRAW), x);
    Var *gx = check_shape("gx", judge_answer_var(1), x), *slope = read_slopes(x, y, d);
    Var *g = var_scale(gy, (real)factor), *by_output = var_is_positive(y);
    Var *averaged = var_where(var_is_positive(x), one, var_scale(one, (real)mean));
    judge_compare("gx", gx, var_mul(g, slope), check_slopes,
                  MISTAKES({var_where(by_output, g, var_mul(g, slope)), "the side is selected by "
                            "the sign of the output, but for a < 0 the left side is positive, "
                            "too. Test the sign of the input"},
                           {g, NO_SLOPE},
                           {var_mul(g, averaged), MEAN_SLOPE},
                           {are_slopes(x, g, gx, d) ? gx : NULL, OTHER_SLOPES}));
}

START_TEST(rrelu_gradient)
{
    check_gradient("gradient", mixed_input(), draw_default(), 1);
    check_gradient("gradient", judge_input(SHAPE(5, 4, 3), -2, 2), draw_default(), 1);
    check_gradient("gradient", judge_input(SHAPE(50), -2, 2), draw_new(-0.75, -0.25), 1);
}
END_TEST

/* The slope at 0 is that of the same call at -1. */
START_TEST(rrelu_gradient_0)
{
    Draw d = draw_default();
    Var *gy = judge_input(SHAPE(6), 1, 2), *slope = ask_slopes(SHAPE(6), d);
    Var *x = var_leaf_from(SHAPE(6), (real[]){0, -1, -(real)0.0, 0, -1, 0}), *negative = var_neg(x);
    judge_ask("gradient", VARS(x, gy), d.number, DRAW);
    Var *gx = check_shape("gx", judge_answer_var(1), x), *left = var_mul(gy, slope);
    Var *is_left = var_is_positive(negative), *nan = var_scalar((real)NAN);
    Var *mean = var_scalar((real)(d.number[LOWER] + d.number[UPPER]) / 2);
    judge_compare("gx at 0", gx, left, check_slopes,
                  MISTAKES({var_where(is_left, left, gy), "the derivative is from the wrong side: "
                            "by rrelu.h, x = 0 is on the left"},
                           {var_where(is_left, left, var_scalar(0)), "the derivative at 0 is a, "
                            "not 0"},
                           {var_where(is_left, left, nan), "0/0: the slope cannot be computed as "
                            "y/x where x is 0"},
                           {gy, NO_SLOPE},
                           {var_mul(gy, mean), MEAN_SLOPE},
                           {are_slopes(minus_one(SHAPE(6)), gy, gx, d) ? gx : NULL,
                            OTHER_SLOPES}));
}
END_TEST

/* Fails unless gx / gy are possible slopes where x < 0, as read_slopes does for y. */
static void check_backward_slopes(Var *x, Var *gx, Var *gy, Draw d)
{
    Var *slope = divide_left(x, var_mul(var_div(gx, gy), x));
    ptrdiff_t i = find_impossible(x, slope, d);
    if (i >= 0)
        judge_fail(fabs(at(slope, i) - 1) < 1e-9 ? NO_SLOPE : "see tests 2.1 and 2.2",
                   "at x = %g gx is %g and gy is %g: gx is not a random slope times gy", at(x, i),
                   at(gx, i), at(gy, i));
    check_vary(x, slope, "backward multiplies by the slopes that forward drew: see test 2.1");
}

/* Checks the gradients of <v, gx>. The slopes are those of the submission's own gx, so that a
 * mistake in them is not counted twice. */
static void check_second(Var *x, Draw d)
{
    Var *gy = judge_input(var_shape(x), 1, 2), *v = judge_input(var_shape(x), 1, 2);
    judge_ask("second", VARS(x, gy, v), d.number, DRAW);
    Var *gx = check_shape("gx", judge_answer_var(1), x), *none = var_scale(x, 0);
    Var *ggx = judge_answer_var(2), *ggy = judge_answer_var(3);
    if (judge_answer()->tensors < 4)
        judge_fail(NOT_IN_OPS, "gx cannot be differentiated");
    check_backward_slopes(x, gx, gy, d);
    judge_compare("the gradient of <v, gx> with respect to gy", ggy ? ggy : none,
                  var_mul(v, var_div(gx, gy)), (Tolerance){1e-9, 0},
                  MISTAKES({none, NOT_IN_OPS},
                           {var_mul(v, var_is_positive(x)), NOT_IN_OPS}));
    judge_compare("the gradient of <v, gx> with respect to x", ggx ? ggx : none, none,
                  (Tolerance){0, 1e-9}, MISTAKES({ggx, "the slopes do not change with x, so this "
                                                       "gradient is 0"}));
}

START_TEST(rrelu_second)
{
    check_second(mixed_input(), draw_default());
    check_second(judge_input(SHAPE(4, 5), -2, 2), draw_default());
}
END_TEST

/* Asks for the sample's result at x; returns its branch hash, and its slopes in *slope. */
static double ask_sample(Var *x, Var **slope)
{
    const Draw any = {{-(double)INFINITY, (double)INFINITY}};
    Var *y = judge_ask("sample", VARS(x), NONE);
    if (judge_answer()->numbers != 2)
        judge_fail("see .sample and .branch_hash in autograd/ops/relu.c; the checker detects the "
                   "kink by branch_hash", "op_rrelu has no sample of one input, or no "
                   "branch_hash");
    double hash = judge_answer()->number[0] * 0x1p32 + judge_answer()->number[1];
    *slope = read_slopes(x, check_shape("y of the sample", y, x), any);
    return hash;
}

static void check_sample_hash(Var *x, double hash)
{
    Var *slope;
    if (ask_sample(var_scale(x, (real)0.5), &slope) != hash)
        judge_fail("it must depend on the side of each element, and on nothing else",
                   "branch_hash changes although every element stays on its side of 0");
    for (int i = 0; i < 4; i++) {
        Var *other = var_scale(x, (real)0.5);
        tensor_write(other->value)[i] = 1;
        if (ask_sample(other, &slope) == hash)
            judge_fail("see op_branch_of_signs in autograd/op.h",
                       "branch_hash stays the same although element %d crosses 0", i);
    }
}

/* A few numbers from -2 to 2 may all have the same sign, so they are drawn with several seeds. */
static void check_sample_sides(void)
{
    bool left = false, right = false;
    for (int seed = 0; seed < 32 && !(left && right); seed++) {
        Var *x = judge_ask("sample inputs", NONE, NUMBERS(seed));
        Stats drawn = x ? tensor_stats(x->value) : (Stats){0};
        left = left || drawn.min < 0;
        right = right || drawn.max > 0;
    }
    if (!(left && right))
        judge_fail("choose .low, .high and .both_signs so that both sides are tested",
                   "the inputs of op_rrelu's sample are all on one side of 0");
}

START_TEST(rrelu_sample)
{
    Var *x = judge_input(SHAPE(4), -2, -1), *slope, *again;
    double hash = ask_sample(x, &slope);
    check_sample_sides();
    ask_sample(var_scale(x, (real)0.5), &again);
    if (share_equal(slope, again) < 1)
        judge_fail("the checker can compare two calls only if both have the same slopes: give the "
                   "sample a fixed Rng", "the sample draws different slopes when called again");
    check_sample_hash(x, hash);
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
    JUDGE_TEST(rrelu_sides);
    JUDGE_TEST(rrelu_bounds);
    JUDGE_TEST(rrelu_own);
    JUDGE_TEST(rrelu_positions);
    JUDGE_TEST(rrelu_gradient);
    JUDGE_TEST(rrelu_gradient_0);
    JUDGE_TEST(rrelu_second);
    JUDGE_TEST(rrelu_sample);
    JUDGE_TEST(module_draws);
    JUDGE_TEST(module_mean);
    JUDGE_TEST(module_streams);
    JUDGE_TEST(module_seeds);
    JUDGE_TEST(module_refuses);
    hidden_tests();
}
