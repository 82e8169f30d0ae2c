/* Lesson 01: PReLU, forward. A line that bends at 0.
 *
 * You will see  the definition; its edges, 0, NaN and infinity; one slope for all channels or one
 *               for each; what the formula max(x, ax) gets wrong; which outputs a slope reaches.
 * You need      C, and a function made of two straight pieces. A `real` is a float, or a double in
 *               the double library; a Tensor holds numbers; a Var is a tensor that remembers how it
 *               was made; say() prints, and claim() prints [ok] if what it says holds.
 *
 * PReLU leaves positive numbers alone and multiplies the rest by a slope a, which will be learned:
 *
 *      y = x if x > 0, else a x                                                        (1)
 *
 * Split x into (x + |x|)/2, which is x or 0, and (x - |x|)/2, which is 0 or x. Equation (1)
 * multiplies only the second by a, so for finite x
 *
 *      y = (1 + a) x / 2 + (1 - a) |x| / 2                                             (2)
 *
 * The document, a short text for PyTorch users whose claims these lessons test (lessons/README.md),
 * sums PReLU up as max(x, ax). But x - ax = (1 - a) x has the sign of x only while
 * a < 1. Beyond 1 it has the other sign, and the larger of the two is the wrong one:
 *
 *      y = max(x, ax) for a <= 1,    y = min(x, ax) for a >= 1                         (3)
 *
 * Run   make lesson-01
 * It prints, among other things (a row is an x):
 *
 *      x         a = -0.5  a = 0     a = 0.25  a = 1     a = 1.5
 *      0         -0        0         0         0         0
 *      -0        0         -0        -0        -0        -0
 *      -inf      inf       nan       -inf      -inf      -inf
 *        [ok] a = 0.25: max(x, ax) yes, min(x, ax) no
 *        [ok] a = 1: max(x, ax) yes, min(x, ax) yes
 *        [ok] a = 1.5: max(x, ax) no, min(x, ax) yes
 *        [ok] a counterexample: a = 1.5, x = -1. PReLU: -1.5. max(-1, -1.5) = -1
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "lessons/kit/plot.h"

enum { N = 1025, SLOPES = 5 };
static const double slope[SLOPES] = {-0.5, 0, 0.25, 1, 1.5};
static const double Inf = (double)INFINITY, NaN = (double)NAN;

static real by_hand(real x, real a) { return x > 0 ? x : a * x; } /* (1) in C */

/* The framework's PReLU with one shared slope: of a tensor, of a number. */
static Var *prelu(Var *x, double a) { return var_prelu(x, var_full(SHAPE(1), (real)a)); }
static double prelu_of(double x, double a)
{
    return (double)var_item(prelu(var_scalar((real)x), a));
}

static bool same(Var *y, Var *z) { return tensor_max_difference(y->value, z->value) == 0; }

static void say_table(const double *x, int n)
{
    say("x        ");
    for (int s = 0; s < SLOPES; s++)
        say(" a = %-5g", slope[s]);
    for (int i = 0; i < n; i++) {
        say("\n%-9g", x[i]);
        for (int s = 0; s < SLOPES; s++) {
            double y = prelu_of(x[i], slope[s]);
            say(" %-9g", isnan(y) ? NaN : y); /* drops a NaN's sign, which means nothing */
        }
    }
    say("\n");
}

static void definition(Var *x)
{
    section("The definition: y = x if x > 0, else a x");
    say_table((const double[]){-2, -1, -0.5, 0.5, 2}, 5);
    const real *in = tensor_read(x->value);
    int agree = 0;
    for (int s = 0; s < SLOPES; s++) {
        const real *y = tensor_read(prelu(x, slope[s])->value);
        for (int i = 0; i < N; i++)
            agree += y[i] == by_hand(in[i], (real)slope[s]);
    }
    claim(agree == SLOPES * N, "the framework agrees with (1) at %d points for %d slopes", N,
          SLOPES);
}

/* On which side is 0? PyTorch's documentation says the side of x; its kernels, the document and
 * Slope say the slope's. In y only the sign of a zero can tell; in the derivatives it counts:
 * lesson 02. */
static void edges(void)
{
    const double x[5] = {+0.0, -0.0, NaN, Inf, -Inf};
    const struct { double y[SLOPES]; const char *rule; } row[5] = {
        {{-0.0, 0, 0, 0, 0}, "+0 is on the slope's side: y = a (+0), which is -0 for a < 0"},
        {{0, -0.0, -0.0, -0.0, -0.0}, "-0 is too: y = a (-0), which is +0 for a < 0"},
        {{NaN, NaN, NaN, NaN, NaN}, "NaN stays NaN"},
        {{Inf, Inf, Inf, Inf, Inf}, "+Inf stays +Inf for every a"},
        {{Inf, NaN, -Inf, -Inf, -Inf}, "-Inf becomes a (-Inf), and 0 times infinity is NaN"}};
    section("The edges: x = +0, -0, NaN, +Inf, -Inf");
    say_table(x, 5);
    for (int i = 0; i < 5; i++) {
        int agree = 0;
        for (int s = 0; s < SLOPES; s++) {
            double y = prelu_of(x[i], slope[s]), e = row[i].y[s];
            agree += isnan(e) ? isnan(y) : y == e && !signbit(y) == !signbit(e);
        }
        claim(agree == SLOPES, "%s", row[i].rule);
    }
}

/* The document's code for both modes, PyTorch above. */
static void usage(void)
{
    section("Basic usage");
    // prelu_shared = nn.PReLU(num_parameters=1)
    Module *shared = prelu_new(1, (real)0.25);
    // prelu_per_channel = nn.PReLU(num_parameters=64)
    Module *per_channel = prelu_new(64, (real)0.25);
    // prelu_custom = nn.PReLU(num_parameters=64, init=0.1)
    Module *custom = prelu_new(64, (real)0.1);
    Tensor *a = module_param(shared, "weight")->value;
    Tensor *b = module_param(per_channel, "weight")->value;
    // print(f"Initial a: {prelu_shared.weight.item():.4f}")
    say("Initial a: %.4f\n", (double)tensor_item(a));
    // print(f"Parameters shape: {prelu_per_channel.weight.shape}")
    say("Parameters shape: %s\n", SHAPE_TEXT(b->shape));
    claim(tensor_item(a) == (real)0.25, "shared: one slope for all channels, initially 0.25");
    claim(shape_equal(b->shape, SHAPE(64)), "per channel: 64 slopes for 64 channels");
    Stats s = tensor_stats(module_param(custom, "weight")->value);
    claim_close(s.mean, 0.1, 1e-7, "init = 0.1: all %td slopes start there", s.count);
    module_free(shared), module_free(per_channel), module_free(custom);
}

/* Channels are axis 1: in a row-major (N,C,H,W), element i belongs to channel i / (H W) % C. */
static void channels(void)
{
    section("Which slope for which element? An input (2,3,4,5)");
    const real a[3] = {-1, (real)0.25, 2};
    Tensor *count = tensor_arange(120), *slopes = tensor_from(SHAPE(3), a);
    Var *x = var_add_scalar(var_reshape(var_const(count), SHAPE(2, 3, 4, 5)), -60); /* -60 ... 59 */
    Var *one = prelu(x, 0.25), *each = var_prelu(x, var_const(slopes));
    int agree_one = 0, agree_each = 0;
    for (int i = 0; i < 120; i++) {
        real in = (real)(i - 60);
        agree_one += tensor_read(one->value)[i] == by_hand(in, a[1]);
        agree_each += tensor_read(each->value)[i] == by_hand(in, a[i / (4 * 5) % 3]);
    }
    claim(agree_one == 120, "shared: all 120 elements use the one slope 0.25");
    claim(agree_each == 120, "per channel: every element uses its channel's: -1, 0.25 or 2");
    tensor_free(count), tensor_free(slopes);
}

static void formulas(Var *x)
{
    section("Is it max(x, ax)?");
    int split = 0;
    for (int s = 0; s < SLOPES; s++) {
        double a = slope[s];
        Var *y = prelu(x, a), *ax = var_scale(x, (real)a);
        bool is_max = same(y, var_maximum(x, ax)), is_min = same(y, var_minimum(x, ax));
        claim(is_max == (a <= 1) && is_min == (a >= 1), "a = %g: max(x, ax) %s, min(x, ax) %s", a,
              is_max ? "yes" : "no", is_min ? "yes" : "no");
        split += same(
            y, var_add(var_scale(x, (real)(1 + a) / 2), var_scale(var_abs(x), (real)(1 - a) / 2)));
    }
    claim(prelu_of(-1, 1.5) == -1.5,
          "a counterexample: a = 1.5, x = -1. PReLU: -1.5. max(-1, -1.5) = -1");
    claim(split == SLOPES, "equation (2) holds for every slope at every x of the grid");
    claim(isnan(1.25 * Inf - 0.25 * Inf) && prelu_of(Inf, 1.5) == Inf,
          "... but at x = Inf, a = 1.5 it is Inf - Inf = NaN, where PReLU is Inf");
    claim(fmax(NaN, 0) + 0.25 * fmin(NaN, 0) == 0 && isnan(prelu_of(NaN, 0.25)),
          "fmax(x, 0) + a fmin(x, 0) turns NaN into 0, hiding a bug; PReLU shows it");
}

static void ranges(Var *x)
{
    section("Which outputs can be reached? The document says all");
    claim(prelu_of(-1e6 / 0.25, 0.25) == -1e6,
          "a > 0: any y < 0, from x = y / a. The range is all numbers");
    claim(tensor_stats(prelu(x, 0)->value).min == 0, "a = 0: none below 0. The range is y >= 0");
    claim(tensor_stats(prelu(x, -0.5)->value).min == 0, "a < 0: none below 0 either,");
    claim(prelu_of(-4, -0.5) == prelu_of(2, -0.5),
          "... for the line is folded: -4 and 2 both give 2");
}

static void relatives(Var *x)
{
    section("Special slopes");
    claim(same(prelu(x, 0), var_relu(x)), "a = 0 is ReLU");
    claim(signbit(prelu_of(-1, 0)) && !signbit(var_item(var_relu(var_scalar(-1)))),
          "... up to the sign of zero: 0 times -1 is -0, and ReLU gives +0");
    claim(same(prelu(x, 0.01), var_leaky_relu(x, (real)0.01)),
          "a = 0.01, never learned, is Leaky ReLU");
    claim(same(prelu(x, 1), x), "a = 1 is the identity");
    claim(same(prelu(x, -1), var_abs(x)), "a = -1 is |x|");
    claim(same(prelu(var_scale(x, 8), 0.25), var_scale(prelu(x, 0.25), 8)),
          "PReLU(8 x) = 8 PReLU(x): it is positively homogeneous");
}

static void picture(const Lesson *lesson, Var *x)
{
    Plot *p = plot_new(lesson, "activations", "PReLU: y = x if x > 0, else a x", 1, 2);
    plot_size(p, 1080, 540);
    plot_panel(p, "The family: the slope a turns the left half", "input x", "output y");
    plot_key(p, "bottom right"), plot_equal_axes(p), plot_y_range(p, -4, 4);
    plot_label(p, "x > 0: y = x for every a", -0.95, 3);
    for (int s = 0; s < SLOPES; s++) {
        char legend[32];
        snprintf(legend, sizeof legend, "a = %g", slope[s]);
        plot_tensors(p, legend, x->value, prelu(x, slope[s])->value);
    }
    plot_panel(p, "a > 1: max(x, ax) takes the wrong piece on both sides", "input x", "output y");
    plot_key(p, "bottom right"), plot_equal_axes(p), plot_y_range(p, -4, 4);
    plot_tensors(p, "PReLU, a = 1.5", x->value, prelu(x, 1.5)->value);
    plot_tensors(p, "max(x, 1.5 x)", x->value, var_maximum(x, var_scale(x, (real)1.5))->value);
    plot_draw(p);
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "01", "PReLU, forward", 0);
    size_t mark = tape_mark();
    Var *x = lesson_grid(N, -4, 4); /* steps of 1/128, exact in binary: == will mean equal */
    definition(x);
    edges();
    usage();
    channels();
    formulas(x);
    ranges(x);
    relatives(x);
    picture(&lesson, x);
    tape_rewind(mark); /* frees all that was computed above; lesson 03 says how */
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Replace 1.5 by 2 in `slope`. Predict every line of output that changes, then run.
 * 2. Write >= for > in by_hand: every claim still holds. Make `definition` compare signs of zeros
 *    too, as `edges` does. For which slopes does it notice now?
 * 3. Show from (2) that PReLU(x) + PReLU(-x) = (1 - a) |x|, and claim it over the grid.
 * 4. For which a has PReLU an inverse? It is a PReLU again. Claim the round trip over the grid.
 * 5. Draw a function of your own with its derivative: include lessons/kit/curve.h, write
 *    static Var *mine(Var *x) in terms of var_ functions, and in main call
 *        draw_curve(&lesson, "mine", "My function", (Curve){.f = mine});
 *    Where is the line of the derivative interrupted? lessons/kit/README.md shows how a program
 *    outside this folder does the same.
 * 6. Give `channels` an input (2,4,5,3), channels last. Read the message that stops it, and mend
 *    the program with var_permute.
 */
