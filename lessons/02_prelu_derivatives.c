/* Lesson 02: PReLU's two derivatives. One says how the input matters, one teaches the slope.
 *
 * You will see  both derivatives by hand and by the framework; that only negative inputs teach a;
 *               the sum that makes its gradient; what is done at 0, where there is no derivative;
 *               when a unit dies, and that the slope can revive it.
 * You need      lesson 01 and the chain rule.
 *
 * y = x if x > 0, else a x depends on two things, so it has two derivatives:
 *
 *      dy/dx = 1 if x > 0, else a                                                      (1)
 *      dy/da = 0 if x > 0, else x                                                      (2)
 *
 * In a network a loss L comes after y. Write g = dL/dy, one number for each element. The chain rule
 * multiplies by it. An element has its own x, but shares a with others, and L changes through all
 * of them, so that their parts add up:
 *
 *      dL/dx = g dy/dx                                                                 (3)
 *      dL/da = sum of g dy/da = sum of g x over the x <= 0 that share a                (4)
 *
 * In a tensor (N,C,H,W) a channel's slope sums over N, H and W; a shared one over C, too. At x = 0
 * the left slope is a and the right one 1. Every number between is a subgradient; the rule "x > 0,
 * else" takes a, as PyTorch's kernels do.
 *
 * Run   make lesson-02
 * It prints, among other things:
 *
EXCERPT
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/plot.h"

enum { N = 513, SLOPES = 4, ZERO = N / 2 }; /* the grid's middle, ZERO, is x = 0 */
static const double slope[SLOPES] = {-0.5, 0, 0.25, 1.5};

typedef struct Pair { double dx, da; } Pair;

static Pair by_hand(double x, double a) { return x > 0 ? (Pair){1, 0} : (Pair){a, x}; } /* (1), (2) */

static Var *leaf(double value) { return var_leaf(var_full(SHAPE(1), (real)value)->value); }
static double number(const Tensor *x) { return (double)tensor_item(x); }

static double prelu_of(double x, double a) { return (double)var_item(var_prelu(leaf(x), leaf(a))); }

/* The same by the tape. In PyTorch, for comparison:                                       */
static Pair by_tape(double x0, double a0)
{
    Var *x = leaf(x0), *a = leaf(a0);    // x = torch.tensor([x0], requires_grad=True), a likewise
    var_backward(var_prelu(x, a));       // F.prelu(x, a).backward()
    return (Pair){number(x->grad), number(a->grad)}; // x.grad, a.grad
}

/* PReLU over x = -2 ... 2, differentiated. x is (1,N) with N slopes, all equal to a: every element
 * has a slope of its own, so that a->grad is dy/da at each, not yet a sum. */
typedef struct Curve { Var *x, *a, *y; } Curve;

static Curve curve_of(double a)
{
    Var *grid = var_reshape(lesson_grid(N, -2, 2), SHAPE(1, N));
    Curve c = {.x = var_leaf(grid->value), .a = var_leaf(var_full(SHAPE(N), (real)a)->value)};
    c.y = var_prelu(c.x, c.a);
    var_backward_with(c.y, var_full(SHAPE(1, N), 1)); /* g = 1 everywhere */
    return c;
}

static void both_derivatives(void)
{
    section("By hand and by the tape");
    const double x[] = {-2, -0.5, 0, 0.5, 2};
    say("a = 0.25    x    dy/dx  by tape    dy/da  by tape\n");
    for (int i = 0; i < 5; i++) {
        Pair h = by_hand(x[i], 0.25), t = by_tape(x[i], 0.25);
        say("%13g %8g %8g %8g %8g\n", x[i], h.dx, t.dx, h.da, t.da);
    }
    int agree_dx = 0, agree_da = 0;
    for (int s = 0; s < SLOPES; s++) {
        Curve c = curve_of(slope[s]);
        for (int i = 0; i < N; i++) {
            Pair h = by_hand((double)tensor_read(c.x->value)[i], slope[s]);
            agree_dx += (double)tensor_read(c.x->grad)[i] == h.dx;
            agree_da += (double)tensor_read(c.a->grad)[i] == h.da;
        }
    }
    claim(agree_dx == SLOPES * N, "dy/dx is equation (1) at %d points for %d slopes", N, SLOPES);
    claim(agree_da == SLOPES * N, "dy/da is equation (2) there: it does not even depend on a");
}

/* A check that knows nothing of (1) and (2). PReLU is made of straight lines, so away from the bend a
 * central difference is exact and h may be large. Lesson 04 tells what happens at the bend. */
static void finite_differences(void)
{
    section("By finite differences, h = 1/8");
    const double x[] = {-1.5, 0.75}, a = 0.25, h = 0.125;
    for (int i = 0; i < 2; i++) {
        Pair t = by_tape(x[i], a);
        claim_close(t.dx, (prelu_of(x[i] + h, a) - prelu_of(x[i] - h, a)) / (2 * h), 1e-6,
                    "x = %g: dy/dx = %g", x[i], t.dx);
        claim_close(t.da, (prelu_of(x[i], a + h) - prelu_of(x[i], a - h)) / (2 * h), 1e-6,
                    "x = %g: dy/da = %g", x[i], t.da);
    }
}

/* dL/da of one slope that four inputs share, where the loss sends g = 2 to each. */
static double slope_gradient(const real x[4])
{
    Tensor *four = tensor_from(SHAPE(4), x);
    Var *a = leaf(0.25);
    var_backward_with(var_prelu(var_const(four), a), var_full(SHAPE(4), 2));
    tensor_free(four);
    return number(a->grad);
}

static void only_negatives_teach(void)
{
    section("Only negative inputs teach a");
    double ga = slope_gradient((const real[]){-3, -1, 2, 5});
    claim(ga == 2 * -3 + 2 * -1, "x = -3 -1 2 5, g = 2: dL/da = 2(-3) + 2(-1) = %g", ga);
    claim(slope_gradient((const real[]){-3, -1, 200, 500}) == ga, "x = -3 -1 200 500: the same");
    claim(slope_gradient((const real[]){-6, -1, 2, 5}) == ga - 6, "x = -6 -1 2 5: changed by g (-3)");
    claim(slope_gradient((const real[]){3, 1, 2, 5}) == 0, "all positive: 0, and a stays as it is");
}

static Var *random_leaf(Shape shape, Rng *rng)
{
    Var *x = var_empty(shape);
    tensor_fill_normal(x->value, rng, 0, 1);
    return var_leaf(x->value);
}

/* Equations (3) and (4). Three channels with slopes that differ, or a mixed-up channel would not show. */
static void the_sum_over_positions(void)
{
    section("One slope, many positions: x (2,3,4,5)");
    Rng rng = random_stream();
    Shape shape = SHAPE(2, 3, 4, 5);
    Var *x = random_leaf(shape, &rng), *g = random_leaf(shape, &rng); // x = torch.randn(2, 3, 4, 5 ...)
    Var *a = var_leaf(lesson_grid(3, -0.5, 0.75)->value);             // a = torch.linspace(-0.5, 0.75, 3 ...)
    var_backward_with(var_prelu(x, a), g);                            // F.prelu(x, a).backward(g)
    Var *one = leaf(0.25);                                            // one = torch.full((1,), 0.25 ...)
    var_backward_with(var_prelu(var_detach(x), one), g);              // F.prelu(x.detach(), one).backward(g)
    double sum[3] = {0};
    int agree = 0;
    for (int i = 0; i < 120; i++) {
        int c = i / (4 * 5) % 3;
        real xi = tensor_read(x->value)[i], gi = tensor_read(g->value)[i];
        sum[c] += (double)gi * by_hand((double)xi, 0).da;
        agree += tensor_read(x->grad)[i] == (xi > 0 ? gi : tensor_read(a->value)[c] * gi);
    }
    claim(agree == 120, "dL/dx is g or a g, each element with its own channel's a");
    for (int c = 0; c < 3; c++)
        claim_close((double)tensor_read(a->grad)[c], sum[c], 1e-5,
                    "channel %d: dL/da = %.4f, the sum over N, H and W", c, sum[c]);
    claim_close(number(one->grad), sum[0] + sum[1] + sum[2], 1e-5,
                "shared: dL/da = %.4f, the sum over the channels, too", number(one->grad));
}

static void at_zero(void)
{
    section("At x = 0, and other edges");
    Pair zero = by_tape(0, 0.25), minus = by_tape(-0.0, 0.25), nan = by_tape(NAN, 0.25);
    double left = -prelu_of(-1, 0.25), right = prelu_of(1, 0.25); /* straight lines from 0: y / x */
    claim(left == 0.25 && right == 1, "the slope is %g on the left of 0 and %g on the right", left, right);
    claim(zero.dx == left && minus.dx == left, "at +0 and -0 the tape takes the left one: dy/dx = a");
    claim(zero.da == 0 && minus.da == 0, "dy/da = x = 0, the same from both sides: no jump there");
    claim(nan.dx == 0.25 && isnan(nan.da), "x = NaN is not > 0, so dy/dx = a, and dy/da = NaN");
    claim(by_tape(INFINITY, 0.25).da == 0 && by_tape(-INFINITY, 0.25).da == -INFINITY,
          "dy/da is 0 at +Inf and -Inf at -Inf");
}

static void dead_units(void)
{
    section("\"No dead neurons: the gradient is at least a > 0\"");
    for (int s = 0; s < SLOPES; s++) {
        double a = slope[s], least = tensor_stats(curve_of(a).x->grad).min;
        claim(least == fmin(1, a), "a = %g: the least dy/dx is %g = min(1, a): %s", a, least,
              least <= 0 ? "not positive" : least < a ? "positive, but less than a" : "as the document says");
    }
    Pair dead = by_tape(-3, 0);
    claim(dead.dx == 0, "a = 0, x = -3: dy/dx = 0. Nothing passes to the weights before; the unit is dead");
    claim(dead.da == -3, "... but dy/da = -3: the slope still learns. ReLU has no such way back");
    double a = 0 - 0.1 * dead.da; /* one step of gradient descent on L = y, learning rate 0.1 */
    claim(by_tape(-3, a).dx > 0, "... and after one step a = %g and dy/dx = %g: it is alive", a, by_tape(-3, a).dx);
}

/* Some programs keep y instead of x to save memory, and ask y > 0. */
static void from_the_output(void)
{
    section("Why not decide by the sign of the output?");
    for (int s = 0; s < SLOPES; s++) {
        Curve c = curve_of(slope[s]);
        int wrong = 0;
        for (int i = 0; i < N; i++)
            wrong += (double)tensor_read(c.x->grad)[i] != by_hand((double)tensor_read(c.y->value)[i], slope[s]).dx;
        claim(wrong == (slope[s] < 0 ? ZERO : 0), "a = %g: dy/dx is wrong at %d of %d points", slope[s], wrong, N);
    }
    claim(prelu_of(-1, 0) == prelu_of(-2, 0) && by_tape(-1, 0).da != by_tape(-2, 0).da,
          "a = 0: -1 and -2 have one output and two dy/da; y does not know which. So keep x");
}

static void picture(const Lesson *lesson)
{
    Plot *p = plot_new(lesson, "derivatives", "The two derivatives of PReLU", 1, 2);
    const double at[SLOPES] = {0}, one[SLOPES] = {1, 1, 1, 1};
    plot_size(p, 1200, 520);
    plot_panel(p, "By the input: dy/dx = 1 if x > 0, else a", "input x", "dy/dx");
    plot_y_range(p, -0.8, 1.8), plot_key(p, "bottom right");
    for (int s = 0; s < SLOPES; s++) {
        Curve c = curve_of(slope[s]);
        char legend[32];
        snprintf(legend, sizeof legend, "a = %g", slope[s]);
        tensor_write(c.x->grad)[ZERO + 1] = NAN; /* lifts the pen: there is a jump, not a steep line */
        plot_tensors(p, legend, c.x->value, c.x->grad);
    }
    plot_dots(p, "taken at x = 0", true, SLOPES, at, slope);
    plot_dots(p, "not taken", false, SLOPES, at, one);
    Curve c = curve_of(0.25);
    plot_panel(p, "By the slope: dy/da = 0 if x > 0, else x", "input x", "dy/da");
    plot_y_range(p, -2.2, 1), plot_key(p, "bottom right");
    plot_label(p, "the more negative x,", -1.9, 0.5), plot_label(p, "the more a learns", -1.9, 0.35);
    plot_label(p, "x > 0: a learns nothing", 0.2, 0.15);
    plot_tensors(p, "every a", c.x->value, c.a->grad);
    plot_dots(p, "taken at x = 0", true, 1, at, at);
    plot_draw(p);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "02", "PReLU, its derivatives", 0);
    size_t mark = tape_mark();
    both_derivatives();
    finite_differences();
    only_negatives_teach();
    the_sum_over_positions();
    at_zero();
    dead_units();
    from_the_output();
    picture(&lesson);
    tape_rewind(mark);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. In by_hand, write >= for >. Which claims fail, at how many points, and why no others?
 * 2. Change by_tape so that L = y^2, as var_square has it. What are dL/dx and dL/da by hand now? Claim
 *    them for x = -2 and a = 0.25.
 * 3. The sum in (4) grows with N H W. Scale g by 1/N, as a mean over the batch does: by what is
 *    dL/da then larger for 32x32 images than for 8x8 ones? Claim the ratio, for x = -1 everywhere.
 * 4. For a < 0, y > 0 on both sides of 0. Show that no rule that sees only y and a can find dy/dx:
 *    give two inputs with one output and claim that their derivatives differ.
 * 5. tensor/prelu.c: flip a sign in prelu_ga and run this lesson. Which claims name the mistake, and
 *    which are blind to it? (Put it back.)
 */
