/* lessons/assignments/a6_rrelu/tests.c -- what RReLU must do; points.txt assigns the points.
 *
 * A call of var_rrelu is described by five numbers, a Draw, so that the judge can make the same
 * call twice, or a call that shares some of its random numbers. At x = -1 the result is -a, which
 * shows the slopes. Each test checks one thing: gradients are compared with the slopes that the
 * submission drew, whatever their distribution, and modules with one another. All of that would
 * hold for slopes of 0, or for the same slope everywhere, so wherever slopes are read, they must
 * differ (see read_slopes).
 *
 * rrelu.h leaves nothing to chance, so a visible test, whose seed is fixed, passes always or never.
 * The statistics of the hidden tests, whose seeds are fresh, reject good slopes with a probability
 * below 1e-10: their bounds are at 7 standard deviations.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/judge/judge.h"

#define NOTHING_ARRIVED "does the backward rule SEND to its input?"
#define NOT_IN_OPS                                                                              \
    "second derivative missing: the rule must be written in ops (var_mul, var_where ...), not as " \
    "a loop over elements"
#define OTHER_SLOPES                                                                            \
    "backward multiplies by slopes within the limits, but not by those that forward drew: keep " \
    "what is needed to draw the same ones again in y->attr"
#define SLOPES_FIRST "first make tests 1.1 and 1.4 pass"

enum { DRAW = 5, LOWER = 0, UPPER, SEED, STREAM, POSITION };
static const double draw_lower = 1 / 8., draw_upper = 1 / 3.;

typedef struct Draw {
    double number[DRAW];
} Draw;

/* A random seed and stream. */
static Draw draw_new(double lower, double upper)
{
    double seed = (double)rng_below(judge_rng(), (uint64_t)1 << 53);
    double stream = (double)rng_below(judge_rng(), (uint64_t)1 << 40);
    return (Draw){{lower, upper, seed, stream, 1000}};
}

static Draw draw_default(void)
{
    return draw_new(draw_lower, draw_upper);
}

static Draw draw_plus(Draw d, int which, double more)
{
    d.number[which] += more;
    return d;
}

/* --- calling ---------------------------------------------------------------------------------- */

static double at(const Var *x, ptrdiff_t i)
{
    return (double)tensor_read(x->value)[tensor_locate(x->value, i)];
}

/* A tensor of the answer whose elements are read here: it must have x's shape. */
static Var *check_shape(const char *what, Var *y, const Var *x)
{
    if (!y)
        judge_fail(NOTHING_ARRIVED, "%s was not computed", what);
    if (!shape_equal(var_shape(y), var_shape(x)))
        judge_fail("", "%s has shape %s, expected %s", what, SHAPE_TEXT(var_shape(y)),
                   SHAPE_TEXT(var_shape(x)));
    return y;
}

static Var *ask_value(Var *x, Draw d)
{
    return check_shape("y", judge_ask("value", VARS(x), d.number, DRAW), x);
}

static Var *minus_one(Shape shape)
{
    return var_full(shape, -1);
}

/* The slope y / x of each element with x < 0, and 1 for the others. Fails unless there are slopes:
 * numbers other than 0 and 1, not all of them equal. */
static Var *read_slopes(const Var *x, const Var *y)
{
    Var *slope = var_full(var_shape(x), 1);
    double first = (double)NAN;
    bool differ = false;
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++) {
        if (!(at(x, i) < 0))
            continue;
        double a = at(y, i) / at(x, i);
        if (!isfinite(a) || a == 0 || a == 1)
            judge_fail(a == 0 ? "is the forward function written?" : SLOPES_FIRST,
                       "at x = %g the result is %g, which is not a random slope times x", at(x, i),
                       at(y, i));
        first = isnan(first) ? a : first;
        differ = differ || fabs(a - first) > 1e-9;
        tensor_write(slope->value)[i] = (real)a;
    }
    if (!differ)
        judge_fail("a slope is to be drawn for each element", "all slopes are %.6g", first);
    return slope;
}

static Var *ask_slopes(Shape shape, Draw d)
{
    Var *x = minus_one(shape);
    return read_slopes(x, ask_value(x, d));
}

/* The share of positions where a and b are equal. */
static double share_equal(const Var *a, const Var *b)
{
    ptrdiff_t n = tensor_count(a->value), equal = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        equal += at(a, i) == at(b, i);
    return (double)equal / (double)n;
}

static Var *mixed_input(void) /* elements on both sides, none at 0 */
{
    static const real x[] = {-5,          -2, -1, -(real)0.5, -(real)0.25, -(real)0.125,
                             (real)0.125, 1,  2,  (real)0.5,  3,           -3};
    return var_leaf_from(SHAPE(3, 4), x);
}

/* x where x > 0, else a x. */
static Var *leaky(Var *x, Var *a)
{
    return var_where(var_is_positive(x), x, var_mul(a, x));
}

/* --- 1: forward ------------------------------------------------------------------------------- */

/* What y would be if only inputs that are not positive were multiplied, by whatever slopes. */
static Var *sides_of(Var *x, Var *y)
{
    Var *expected = var_scale(x, 1);
    real *to = tensor_write(expected->value);
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++)
        if (at(x, i) < 0 && isfinite(at(x, i)))
            to[i] = (real)at(y, i);
    return expected;
}

/* Compares y of x, and of 2 x: twice the input, twice the result. */
static void check_sides(Var *x, Draw d)
{
    Var *y = ask_value(x, d), *right = var_is_positive(x), *twice = var_scale(x, 2);
    Var *swapped = var_where(right, y, x);
    judge_compare("y", y, sides_of(x, y), (Tolerance){0, 0},
                  MISTAKES({d.number[LOWER] > 1 ? swapped : NULL, "max(x, a x) is a different "
                            "function if a > 1: branch on x > 0"},
                           {swapped, "positive inputs are multiplied, negative ones are not"},
                           {y, "y must be x where x > 0: only the left side has slopes"}));
    read_slopes(x, y);
    judge_compare("y of 2 x", ask_value(twice, d), var_scale(y, 2), (Tolerance){1e-12, 0},
                  MISTAKES({var_where(right, twice, y), "on the left, y is a slope times x"}));
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

/* The slopes fill at least nine tenths of the interval: among 1000 good ones, all but surely. */
static void check_bounds(double lower, double upper)
{
    Stats s = tensor_stats(ask_slopes(SHAPE(1000), draw_new(lower, upper))->value);
    double slack = 1e-12 * (fabs(lower) + fabs(upper));
    if (s.min < lower - slack || s.max > upper + slack)
        judge_fail("a = lower + (upper - lower) u with u from 0 to 1",
                   "for slopes from %g to %g they lie from %g to %g", lower, upper, s.min, s.max);
    if (s.max - s.min < 0.9 * (upper - lower))
        judge_fail("a = lower + (upper - lower) u with u from 0 to 1", "for slopes from %g to %g "
                   "all lie from %g to %g", lower, upper, s.min, s.max);
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

/* Fails if all slopes with the same index of this axis are equal. */
static void check_pattern(const Var *slope, int axis, const char *hint)
{
    Shape s = var_shape(slope);
    ptrdiff_t inner = 1;
    double first[16];
    bool pattern = true;
    for (int d = axis + 1; d < s.ndim; d++)
        inner *= s.dim[d];
    for (int k = 0; k < 16; k++)
        first[k] = (double)NAN;
    for (ptrdiff_t i = 0; i < tensor_count(slope->value); i++) {
        ptrdiff_t index = i / inner % s.dim[axis];
        first[index] = isnan(first[index]) ? at(slope, i) : first[index];
        pattern = pattern && at(slope, i) == first[index];
    }
    if (pattern)
        judge_fail(hint, "all slopes at the same index of axis %d are equal", axis);
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many different values x contains. */
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

START_TEST(rrelu_own)
{
    Var *slope = ask_slopes(SHAPE(8, 6, 5, 7), draw_default());
    check_pattern(slope, 0, "each element has its own slope, not each sample");
    check_pattern(slope, 1, "each element has its own slope, not each channel: RReLU is not PReLU");
    check_pattern(slope, 3, "each element has its own slope");
    ptrdiff_t n = tensor_count(slope->value), distinct = count_distinct(slope);
    if (distinct < n - 1) /* even two equal ones are unlikely: 1e-10 */
        judge_fail("each element has its own slope, made from all bits of a random word",
                   "%td elements have only %td different slopes", n, distinct);
    slope = ask_slopes(SHAPE(20000), draw_default());
    for (ptrdiff_t lag = 1; lag <= 64; lag++)
        if (fabs(correlation(slope, lag)) > 7 / sqrt(20000))
            judge_fail("draw them with the library's generator: see tensor/random.h",
                       "slopes %td positions apart are not independent: their correlation is %.3f",
                       lag, correlation(slope, lag));
}
END_TEST

/* Slopes i ... of the first are slopes i - shift ... of the second. */
static void check_shift(const char *what, const Var *first, const Var *second, ptrdiff_t shift,
                        const char *hint)
{
    for (ptrdiff_t i = shift; i < tensor_count(first->value); i++)
        if (i - shift < tensor_count(second->value) && at(first, i) != at(second, i - shift))
            judge_fail(hint, "%s: slope %td was %.10g and is %.10g", what, i, at(first, i),
                       at(second, i - shift));
}

/* Another seed, stream or position yields other slopes. */
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
    Var *mixed = read_slopes(sign, ask_value(sign, d));
    check_shift("where other inputs are positive", var_where(var_is_positive(x), mixed, slope),
                mixed, 0, "slope i must be number i of rng, whatever the inputs are: draw one for "
                "each element, not only where x is negative");
}
END_TEST

/* --- 2: backward ------------------------------------------------------------------------------ */

/* Wrong slopes are far off, and how precisely they must be drawn is tested by rrelu_words. */
static const Tolerance check_slopes = {.relative = 1e-6};

/* Are all gradients gx / gy on the left within the limits? Then other slopes were drawn. */
static bool are_slopes(const Var *x, const Var *gy, const Var *gx, Draw d)
{
    for (ptrdiff_t i = 0; i < tensor_count(x->value); i++) {
        double a = at(gx, i) / at(gy, i);
        if (at(x, i) < 0 && !(a >= d.number[LOWER] && a <= d.number[UPPER]))
            return false;
    }
    return true;
}

/* Compares gx, the answer to this service, with `factor` gy and the slopes of the answer's y. */
static void check_gradient(const char *service, Var *x, Draw d, double factor)
{
    double mean = (d.number[LOWER] + d.number[UPPER]) / 2;
    Var *gy = judge_input(var_shape(x), 1, 2), *one = var_full(var_shape(x), 1);
    Var *y = check_shape("y", judge_ask(service, VARS(x, gy), d.number, DRAW), x);
    Var *gx = check_shape("gx", judge_answer_var(1), x), *slope = read_slopes(x, y);
    Var *g = var_scale(gy, (real)factor), *by_output = var_is_positive(y);
    Var *averaged = var_where(var_is_positive(x), one, var_scale(one, (real)mean));
    judge_compare("gx", gx, var_mul(g, slope), check_slopes,
                  MISTAKES({var_where(by_output, g, var_mul(g, slope)), "the side is selected by "
                            "the sign of the output, but for a < 0 the left side is positive, "
                            "too. Test the sign of the input"},
                           {g, "missing slope: gx = a gy where x is not positive"},
                           {var_mul(g, averaged), "the mean slope belongs to evaluation: gx uses "
                                                  "the slopes that forward drew"},
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
    judge_compare("gx at 0", gx, left, check_slopes,
                  MISTAKES({var_where(is_left, left, gy), "the derivative is from the wrong side: "
                            "by rrelu.h, x = 0 is on the left"},
                           {var_where(is_left, left, var_scalar(0)), "the derivative at 0 is a, "
                            "not 0"},
                           {var_where(is_left, left, nan), "0/0: the slope cannot be computed as "
                            "y/x where x is 0"},
                           {are_slopes(minus_one(SHAPE(6)), gy, gx, d) ? gx : NULL,
                            OTHER_SLOPES}));
}
END_TEST

/* The gradients of <v, gx>. The slopes are those of the submission's own gx, so that a mistake in
 * them is not counted twice. */
static void check_second(Var *x, Draw d)
{
    Var *gy = judge_input(var_shape(x), 1, 2), *v = judge_input(var_shape(x), 1, 2);
    judge_ask("second", VARS(x, gy, v), d.number, DRAW);
    Var *gx = check_shape("gx", judge_answer_var(1), x), *none = var_scale(x, 0);
    Var *ggx = judge_answer_var(2), *ggy = judge_answer_var(3);
    if (judge_answer()->tensors < 4)
        judge_fail(NOT_IN_OPS, "gx depends on nothing");
    read_slopes(x, var_mul(var_div(gx, gy), x));
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

static double sample_hash(void)
{
    return judge_answer()->number[0] * 0x1p32 + judge_answer()->number[1];
}

/* Asks for the sample's result at x; returns its hash. *slope receives its slopes. */
static double ask_sample(Var *x, Var **slope)
{
    Var *y = judge_ask("sample", VARS(x), NONE);
    if (judge_answer()->numbers != 2 || !judge_answer_var(1))
        judge_fail("see .sample and .branch_hash in autograd/ops/relu.c; by its branch_hash the "
                   "checker detects the kink", "op_rrelu lacks a sample of one input, or a "
                   "branch_hash");
    double hash = sample_hash();
    *slope = read_slopes(x, check_shape("y of the sample", y, x));
    return hash;
}

static void check_sample_hash(Var *x, double hash)
{
    Var *slope;
    for (int i = 0; i < 4; i++) {
        Var *other = var_scale(x, (real)0.5);
        if (i == 0 && ask_sample(other, &slope) != hash)
            judge_fail("it must depend on the side of each element, and on nothing else",
                       "branch_hash changes although every element stays on its side of 0");
        tensor_write(other->value)[i] = 1;
        if (ask_sample(other, &slope) == hash)
            judge_fail("see op_branch_of_signs in autograd/op.h",
                       "branch_hash stays the same although element %d crosses 0", i);
    }
}

START_TEST(rrelu_sample)
{
    Var *x = judge_input(SHAPE(4), -2, -1), *slope, *again;
    double hash = ask_sample(x, &slope);
    Stats drawn = tensor_stats(judge_answer_var(1)->value);
    if (!(drawn.min < 0 && drawn.max > 0))
        judge_fail("choose .low, .high and .both_signs so that both sides are tested",
                   "the inputs of op_rrelu's sample are all on one side of 0");
    ask_sample(x, &again);
    if (share_equal(slope, again) < 1)
        judge_fail("the checker can compare two calls only if both have the same slopes: give the "
                   "sample a fixed Rng", "the sample draws other slopes when it is called again");
    check_sample_hash(x, hash);
}
END_TEST

/* --- 3: the module ---------------------------------------------------------------------------- */

/* What a module does in a list of forwards: see services_forwards. */
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

#define FORWARDS(...) (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__}

/* `run` with these forwards, the last of which is wanted. */
static Run run_with(Run run, int n, const int *forward)
{
    run.n = n, run.wanted = n - 1;
    memcpy(run.forward, forward, (size_t)n * sizeof *forward);
    return run;
}

/* Returns y; the answer's tensor 1 is gx. */
static Var *ask_forwards(Run run, Var *x, Var *gy)
{
    double number[12] = {run.lower, run.upper, run.seed, run.wanted};
    for (int i = 0; i < run.n; i++)
        number[4 + i] = run.forward[i];
    return check_shape("y", judge_ask("forwards", VARS(x, gy), number, 4 + run.n), x);
}

/* The slopes of the wanted forward, which is in training. */
static Var *ask_run(Run run)
{
    Var *x = minus_one(SHAPE(6, 10));
    return read_slopes(x, ask_forwards(run, x, var_full(SHAPE(6, 10), 1)));
}

/* Fails if a slope of one forward is among those of another. */
static void check_disjoint(const Var *a, const Var *b, const char *hint)
{
    for (ptrdiff_t i = 0; i < tensor_count(a->value); i++)
        for (ptrdiff_t k = 0; k < tensor_count(b->value); k++)
            if (at(a, i) == at(b, k))
                judge_fail(hint, "two forwards share slopes: slope %td of one is slope %td of the "
                           "other, %.10g", i, k, at(a, i));
}

/* Fails if many slopes are equal: the statement about `what` then says nothing. */
static void check_differ(const Var *a, const Var *b, const char *hint, const char *what)
{
    if (share_equal(a, b) > 0.1)
        judge_fail(hint, "%s: they draw the same slopes", what);
}

static void check_same(const Var *a, const Var *b, const char *hint, const char *message)
{
    for (ptrdiff_t i = 0; i < tensor_count(a->value); i++)
        if (at(a, i) != at(b, i))
            judge_fail(hint, "%s: slope %td was %.10g and is %.10g", message, i, at(a, i),
                       at(b, i));
}

static const char not_new[] = "each forward in training draws new slopes: advance the module's "
                              "stream by one word for each element";

START_TEST(module_draws)
{
    Run run = run_new();
    Var *slope[3];
    for (int i = 0; i < 3; i++) {
        slope[i] = ask_run(run_with(run, i + 1, (int[]){A, A, A}));
        for (int k = 0; k < i; k++)
            check_disjoint(slope[k], slope[i], not_new);
    }
}
END_TEST

static bool is_same(const Var *a, const Var *b)
{
    return a && b ? tensor_all_close(a->value, b->value, 0, 1e-12) : !a && !b;
}

/* y and gx are right, or what the op returns if both limits are the mean, so that a mistake in the
 * op is not counted twice. */
static void check_mean(Run run)
{
    double l = run.lower, u = run.upper;
    Draw both = draw_new((l + u) / 2, (l + u) / 2);
    Var *x = mixed_input(), *gy = judge_input(var_shape(x), 1, 2);
    Var *one = var_full(var_shape(x), 1), *mean = var_scalar((real)both.number[LOWER]);
    Var *y = ask_forwards(run, x, gy), *gx = judge_answer_var(1);
    Var *own = judge_ask("gradient", VARS(x, gy), both.number, DRAW);
    Var *own_gx = judge_answer_var(1), *right_gx = var_where(var_is_positive(x), one, mean);
    if (is_same(y, own) && !is_same(y, leaky(x, mean)))
        ask_slopes(SHAPE(2), draw_new(l, u));
    judge_compare("y in evaluation", y, is_same(y, own) ? own : leaky(x, mean),
                  (Tolerance){1e-12, 0},
                  MISTAKES({x, "in evaluation y = x is right for dropout; RReLU has a mean slope"},
                           {leaky(x, var_scalar((real)l)), "in evaluation the slope is the mean, "
                                                           "not lower"},
                           {leaky(x, var_scalar((real)(l + u))), "the mean is (lower + upper) / 2"},
                           {leaky(x, var_scalar((real)((u - l) / 2))),
                            "the mean is (lower + upper) / 2"},
                           {leaky(x, var_scalar((real)(2 / (1 / l + 1 / u)))), "this is the "
                            "paper's slope; by rrelu.h, it is (lower + upper) / 2"},
                           {var_mul(x, mean), "positive inputs are multiplied, too"},
                           {are_slopes(x, x, y, (Draw){{l, u}}) ? y : NULL, "in evaluation "
                            "nothing is random: the slope is (lower + upper) / 2"}));
    if (!is_same(gx, own_gx))
        judge_compare("gx in evaluation", gx, var_mul(gy, right_gx), (Tolerance){1e-12, 0}, NULL,
                      0);
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
    check_same(b, after, shared, "a module draws other slopes once another has drawn");
}
END_TEST

START_TEST(module_seeds)
{
    static const char twice[] = "only random_seed and the module decide what is drawn: take "
                                "random_stream() in rrelu_new";
    Run run = run_new(), other = run_new();
    Var *slope = ask_run(run);
    check_same(slope, ask_run(run), twice, "the same seed again");
    check_differ(slope, ask_run(other), twice, "two seeds");
    judge_restart();
    check_same(slope, ask_run(run), twice, "the same seed in another process");
}
END_TEST

static void check_refused(double lower, double upper)
{
    if (!judge_refusal("new", NONE, NUMBERS(lower, upper)))
        judge_fail("stop with slope_fail unless lower <= upper and both are finite",
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
