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
 *        [ok] x = -3 -1 2 5, g = 2: dL/da = 2(-3) + 2(-1) = -8
 *        [ok] x = -3 -1 200 500: the same
 *        [ok] x = -6 -1 2 5: changed by g (-3)
 *        [ok] a = 0, x = -3: dy/dx = 0, as with ReLU: the unit is dead
 *        [ok] ... but dy/da = -3, and ReLU has no slope to learn
 *        [ok] ... one step later a = 0.3, and dy/dx = 0.3: revived
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/plot.h"

enum { N = 513, ZERO = N / 2, SLOPES = 4 };
static const double slope[SLOPES] = {-0.5, 0, 0.25, 1.5};
static const double Inf = (double)INFINITY, NaN = (double)NAN;

static double point(int i) { return (i - ZERO) / 128.0; } /* -2 ... 2; number ZERO is 0 */

typedef struct Pair { double dx, da; } Pair;

static Pair by_hand(double x, double a)
{
    return x > 0 ? (Pair){1, 0} : (Pair){a, x};
} /* (1), (2) */

static Var *leaf(double value) { return var_leaf(var_full(SHAPE(1), (real)value)->value); }
static double number(const Tensor *x) { return (double)tensor_item(x); }

static double prelu_of(double x, double a) { return (double)var_item(var_prelu(leaf(x), leaf(a))); }

/* PyTorch at the right. */
static Pair by_tape(double x0, double a0)
{
    size_t mark = tape_mark();
    Var *x = leaf(x0), *a = leaf(a0); // x = torch.tensor([x0], requires_grad=True); a too
    var_backward(var_prelu(x, a));               // F.prelu(x, a).backward()
    Pair d = {number(x->grad), number(a->grad)}; // d = (x.grad.item(), a.grad.item())
    tape_rewind(mark);
    return d;
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
    for (int s = 0; s < SLOPES; s++)
        for (int i = 0; i < N; i++) {
            Pair h = by_hand(point(i), slope[s]), t = by_tape(point(i), slope[s]);
            agree_dx += t.dx == h.dx;
            agree_da += t.da == h.da;
        }
    claim(agree_dx == SLOPES * N, "dy/dx is equation (1) at %d points for %d slopes", N, SLOPES);
    claim(agree_da == SLOPES * N, "dy/da is equation (2) there: it does not even depend on a");
}

/* A check that knows nothing of (1) and (2). PReLU is made of straight lines, so away from the bend
 * a central difference is exact and h may be large. Lesson 04 tells what happens at the bend. */
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
    claim(slope_gradient((const real[]){-6, -1, 2, 5}) == ga - 6,
          "x = -6 -1 2 5: changed by g (-3)");
    claim(slope_gradient((const real[]){3, 1, 2, 5}) == 0, "all positive: 0, and a stays as it is");
}

static Var *random_leaf(Shape shape, Rng *rng)
{
    Var *x = var_empty(shape);
    tensor_fill_normal(x->value, rng, 0, 1);
    return var_leaf(x->value);
}

/* Equations (3) and (4). Three channels with slopes that differ, or a mixed-up channel would not
 * show. */
static void the_sum_over_positions(void)
{
    section("One slope, many positions: x (2,3,4,5)");
    Rng rng = random_stream();
    Shape shape = SHAPE(2, 3, 4, 5);
    Var *x = random_leaf(shape, &rng),
        *g = random_leaf(shape, &rng);                    // x = torch.randn(2, 3, 4, 5 ...)
    Var *a = var_leaf(lesson_grid(3, -0.5, 0.75)->value); // a = torch.linspace(-0.5, 0.75, 3 ...)
    var_backward_with(var_prelu(x, a), g);                            // F.prelu(x, a).backward(g)
    Var *one = leaf(0.25);                               // one = torch.full((1,), 0.25 ...)
    var_backward_with(var_prelu(var_detach(x), one), g); // F.prelu(x.detach(), one).backward(g)
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
    Pair zero = by_tape(0, 0.25), minus = by_tape(-0.0, 0.25), unknown = by_tape(NaN, 0.25);
    double left = -prelu_of(-1, 0.25), right = prelu_of(1, 0.25); /* straight lines from 0: y / x */
    claim(left == 0.25 && right == 1, "the slope is %g on the left of 0 and %g on the right", left,
          right);
    claim(zero.dx == left && minus.dx == left,
          "at +0 and -0 the tape takes the left one: dy/dx = a");
    claim(zero.da == 0 && minus.da == 0, "dy/da = x = 0, the same from both sides: no jump there");
    claim(unknown.dx == 0.25 && isnan(unknown.da),
          "x = NaN is not > 0, so dy/dx = a, and dy/da = NaN");
    claim(by_tape(Inf, 0.25).da == 0 && by_tape(-Inf, 0.25).da == -Inf,
          "dy/da is 0 at +Inf and -Inf at -Inf");
}

static void dead_units(void)
{
    section("\"No dead neurons: the gradient is at least a > 0\"");
    for (int s = 0; s < SLOPES; s++) {
        double a = slope[s], least = Inf;
        for (int i = 0; i < N; i++)
            least = fmin(least, by_tape(point(i), a).dx);
        claim(least == fmin(1, a), "a = %g: the least dy/dx is %g = min(1, a), %s", a, least,
              a <= 0 ? "not positive" : a > 1 ? "less than a" : "as the document says");
    }
    Pair dead = by_tape(-3, 0);
    Var *x = leaf(-3);
    var_backward(var_relu(x));
    claim(dead.dx == 0 && number(x->grad) == 0,
          "a = 0, x = -3: dy/dx = 0, as with ReLU: the unit is dead");
    claim(dead.da == -3, "... but dy/da = -3, and ReLU has no slope to learn");
    double a = 0 - 0.1 * dead.da; /* a step of gradient descent on L = y, learning rate 0.1 */
    claim(by_tape(-3, a).dx > 0, "... one step later a = %g, and dy/dx = %g: revived", a,
          by_tape(-3, a).dx);
}

/* Some programs keep y in place of x, to save memory, and ask whether y > 0. */
static void from_the_output(void)
{
    section("Why not ask the sign of the output?");
    for (int s = 0; s < SLOPES; s++) {
        double a = slope[s];
        int wrong = 0;
        for (int i = 0; i < N; i++)
            wrong += by_hand(prelu_of(point(i), a), a).dx != by_tape(point(i), a).dx;
        claim(wrong == (a < 0 ? ZERO : 0), "a = %g: dy/dx is wrong at %d of %d points", a, wrong,
              N);
    }
    claim(prelu_of(-1, 0) == prelu_of(-2, 0) && by_tape(-1, 0).da != by_tape(-2, 0).da,
          "a = 0: for x = -1 and x = -2 y is the same but dy/da is not. So keep x");
}

static void picture(const Lesson *lesson)
{
    double x[N], dx[N], da[N], zeros[SLOPES] = {0}, ones[SLOPES] = {1, 1, 1, 1};
    Plot *p = plot_new(lesson, "derivatives", "The two derivatives of PReLU", 1, 2);
    plot_size(p, 1200, 520);
    plot_panel(p, "By the input: dy/dx = 1 if x > 0, else a", "input x", "dy/dx");
    plot_y_range(p, -0.8, 1.8), plot_key(p, "bottom right");
    plot_label(p, "x > 0: 1 for every a", 0.4, 1.09);
    for (int s = 0; s < SLOPES; s++) {
        char legend[32];
        snprintf(legend, sizeof legend, "a = %g", slope[s]);
        for (int i = 0; i < N; i++)
            x[i] = point(i), dx[i] = by_tape(x[i], slope[s]).dx, da[i] = by_tape(x[i], slope[s]).da;
        dx[ZERO + 1] = NaN; /* lifts the pen: a jump is not a steep line */
        plot_line(p, legend, N, x, dx);
    }
    plot_dots(p, "taken at x = 0", true, SLOPES, zeros, slope);
    plot_dots(p, "not taken", false, SLOPES, zeros, ones);
    plot_panel(p, "By the slope: dy/da = 0 if x > 0, else x", "input x", "dy/da");
    plot_y_range(p, -2.2, 1), plot_key(p, "bottom right");
    plot_label(p, "x > 0: a learns nothing", 0.3, 0.15);
    plot_label(p, "x < 0: dy/da = x", -1.1, -1.4);
    plot_line(p, "every a", N, x, da);
    plot_dots(p, "taken at x = 0", true, 1, zeros, zeros);
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
 * 2. Let by_tape differentiate L = y^2 (var_square). What are dL/dx and dL/da by hand? Claim both.
 * 3. Divide g by N, as a mean over the batch does. How many times larger is dL/da for 32x32 images
 *    than for 8x8 ones, if x = -1 everywhere? Claim the ratio.
 * 4. For a < 0, show that no rule at all that sees only y and a can find dy/dx: claim two inputs
 *    with one output and different derivatives.
 * 5. Flip the sign in prelu_ga (tensor/kernels/prelu.c) and run this lesson. Which claims name the
 *    mistake, and which are blind to it? Put it back.
 */
