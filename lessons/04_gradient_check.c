/* Lesson 04: is the derivative the derivative? Ask the values.
 *
 * You will see  three ways to differentiate by computing values only; how far each can be
 *               trusted, and at which step; what a kink does to them; a checker that knows about
 *               kinks, and that refuses a wrong op; PReLU checked in all its modes.
 * You need      lesson 03 and Taylor's formula.
 *
 * With eps the spacing of numbers near 1 (2.2e-16 in double, 1.2e-7 in float),
 *
 *     forward   (f(x+h) - f(x)) / h        is off by about   h |f''| / 2    + eps |f| / h   (1)
 *     central   (f(x+h) - f(x-h)) / (2h)   is off by about   h^2 |f'''| / 6 + eps |f| / h   (2)
 *
 * The first term, truncation, wants a small h; the second, rounding, a large one. Up to factors
 * made of f and its derivatives they balance at
 *
 *     forward   h = eps^(1/2), error eps^(1/2)      central   h = eps^(1/3), error eps^(2/3)  (3)
 *
 * A step along the imaginary axis subtracts nothing, so nothing cancels and h may be tiny:
 *
 *     complex   Im f(x + ih) / h           is off by about   h^2 |f'''| / 6                 (4)
 *
 * PReLU is straight on either side, so (2) has no truncation error there, unless the step crosses
 * 0. For |x| < h the two ends lie on different sides, f(x+h) = x + h but f(x-h) = a (x-h), and
 *
 *     central   =   (1 + a) / 2 + (1 - a) x / (2h)                                          (5)
 *
 * which is neither slope, and wrong by up to |1 - a| / 2 however small h is.
 *
 * Run   make lesson-04          (built in double)
 * It prints, among other things:
 *
 *     [ok] forward, double: smallest error 1.6e-08 at h = 1.8e-08; (3) says 1.5e-08 at 1.5e-08
 *     [ok] central, double: smallest error 1.9e-11 at h = 3.2e-06; (3) says 3.7e-11 at 6.1e-06
 *     [ok] with h = 1e-200 the complex step is off by 4e-16: nothing cancels
 *     [ok] a =  0.25: at 0 it is wrong by (1 - a)/2 = 0.375, with h as small as 1e-6
 *     FAIL: input 0, element 0: the gradient is -1.07831147, but finite differences give ...
 *     [ok] with a = -0.5 it is caught: FAIL
 *     [ok] PReLU per channel, (N,C,H,W)      order 2: 51 derivatives, off by at most 8e-13
 *
 * SPDX-License-Identifier: MIT
 */
#include <complex.h>
#include <math.h>

#include "lessons/kit/plot.h"

enum { POINTS = 25, STEPS = 57, CURVES = 5, DENSE = 201 };

/* --- differences ------------------------------------------------------------------------------ */

/* f(x) = x tanh x and f'(x) by the framework, in double; f by plain C, in float and for complex
 * z. */
static Var *f_of(Var *x) { return var_mul(x, var_tanh(x)); }
static float f_plain(float x) { return x * tanhf(x); }
static double f_float(double x) { return (double)f_plain((float)x); }
static double complex f_complex(double complex z) { return z * ctanh(z); }

static double f_double(double x)
{
    size_t mark = tape_mark();
    double y = (double)var_item(f_of(var_scalar((real)x)));
    tape_rewind(mark);
    return y;
}

static double slope_of_f(double x)
{
    size_t mark = tape_mark();
    Var *v = var_leaf(var_scalar((real)x)->value);
    var_backward(f_of(v));
    double slope = (double)tensor_item(v->grad);
    tape_rewind(mark);
    return slope;
}

typedef double (*Function)(double);

/* x in the precision in which f sees it. */
static double as_seen(Function f, double x) { return f == f_float ? (double)(float)x : x; }

/* (1) and (2), divided by the step that was realised: x + h is rounded too. */
static double forward(Function f, double x, double h)
{
    double up = as_seen(f, x + h);
    return (f(up) - f(x)) / (up - x);
}

static double central(Function f, double x, double h)
{
    double up = as_seen(f, x + h), down = as_seen(f, x - h);
    return (f(up) - f(down)) / (up - down);
}

static double complex_step(Function f, double x, double h)
{
    (void)f;
    return cimag(f_complex(x + h * (double complex)I)) / h;
}

/* --- the U-shaped curves ---------------------------------------------------------------------- */

typedef struct Curve {
    const char *name;
    double (*scheme)(Function f, double x, double h);
    Function f;
    double   smallest, best_h, best_error; /* the h to stop at; what (3) promises */
} Curve;

static const Curve curve[CURVES] = {
    {"forward, float", forward, f_float, 9e-7, 3.5e-4, 3.5e-4},
    {"central, float", central, f_float, 9e-7, 4.9e-3, 2.4e-5},
    {"forward, double", forward, f_double, 9e-15, 1.5e-8, 1.5e-8},
    {"central, double", central, f_double, 9e-15, 6.1e-6, 3.7e-11},
    {"complex step, double", complex_step, f_double, 9e-15, 0, 0},
};

/* The largest error over a few points: one point may be lucky, all of them are not. */
static double worst_error(const Curve *c, double h)
{
    double worst = 1e-17;
    for (int i = 0; i < POINTS; i++) {
        double x = 0.5 + i / 32.;
        worst = fmax(worst, fabs(c->scheme(c->f, x, h) - slope_of_f(x)));
    }
    return worst;
}

static void claim_curve(const Curve *c, double h, double error)
{
    double power = c->scheme == forward ? 1 : 2,
           ratio = worst_error(c, 0.08) / worst_error(c, 0.02);
    bool place = h > c->best_h / 10 && h < c->best_h * 10;
    bool depth = error > c->best_error / 10 && error < c->best_error * 10;
    claim(place && depth, "%s: smallest error %.1e at h = %.1e; (3) says %.1e at %.1e", c->name,
          error, h, c->best_error, c->best_h);
    claim_close(log2(ratio) / 2, power, 0.1, "%s: to the right the error grows like h^%g", c->name,
                power);
}

static void u_curves(const Lesson *lesson)
{
    section("Error against step: truncation from the right, rounding from the left");
    Plot *p = plot_new(lesson, "error", "How wrong is a difference quotient? f(x) = x tanh x", 1,
                       1);
    plot_size(p, 900, 600);
    plot_panel(p, "", "step h", "largest error of the derivative");
    plot_log_x(p), plot_log_y(p), plot_key(p, "bottom right"), plot_set(p, "set pointsize 1.1");
    plot_x_range(p, 1e-15, 2), plot_y_range(p, 1e-17, 10);
    plot_label(p, "rounding ~ eps / h", 1e-12, 0.01), plot_label(p, "float", 3e-6, 0.2);
    plot_label(p, "truncation ~ h", 1.5e-6, 8e-8), plot_label(p, "truncation ~ h^2", 4e-4, 2e-9);
    plot_points(p, "minima by theory", CURVES - 1,
                (double[]){curve[0].best_h, curve[1].best_h, curve[2].best_h, curve[3].best_h},
                (double[]){curve[0].best_error, curve[1].best_error, curve[2].best_error,
                           curve[3].best_error});
    for (int k = 0; k < CURVES; k++) {
        const Curve *c = &curve[(k + CURVES - 1) % CURVES]; /* the complex step first, beneath */
        double h[STEPS], error[STEPS];
        int n = 0, best = 0;
        for (; n < STEPS && pow(10, -n / 4.) > c->smallest; n++) {
            h[n] = pow(10, -n / 4.);
            error[n] = worst_error(c, h[n]);
            best = error[n] < error[best] ? n : best;
        }
        plot_line(p, c->name, n, h, error);
        if (c->best_h > 0)
            claim_curve(c, h[best], error[best]);
    }
    plot_draw(p);
}

static void complex_steps(void)
{
    section("The complex step, and where it must not go");
    double a = 0.25, tiny = 1e-200, worst = worst_error(&curve[CURVES - 1], tiny);
    claim(worst < 8 * DBL_EPSILON,
          "with h = 1e-200 the complex step is off by %.1g: nothing cancels", worst);
    for (int x = -1; x <= 1; x += 2) {
        double complex z = x + tiny * (double complex)I,
                       y = (1 + a) / 2 * z + (1 - a) / 2 * cabs(z);
        claim_close(cimag(y) / tiny, (1 + a) / 2, 1e-12,
                    "PReLU as (1+a)/2 z + (1-a)/2 |z| at x = %+d: "
                    "it says %g, but the slope is %g",
                    x, cimag(y) / tiny, x > 0 ? 1 : a);
    }
    say("  It needs a function with a complex derivative. |z| is real for every z, so the "
        "imaginary part,\n"
        "  which was to be the derivative, is lost. z > 0 does not even compile. A branch on the "
        "real part\n"
        "  works, but at a kink it answers with one of the slopes and never says that there is "
        "another.\n");
}

/* --- kinks ------------------------------------------------------------------------------------ */

static double slope_in_use; /* a, for the function that central() calls */

static double prelu(double x)
{
    size_t mark = tape_mark();
    double y = (double)var_item(
        var_prelu(var_scalar((real)x), var_full(SHAPE(1), (real)slope_in_use)));
    tape_rewind(mark);
    return y;
}

static void realised_step(void)
{
    section("The realised step");
    double x = 0.8, h = 1e-10, nominal = (prelu(x + h) - prelu(x - h)) / (2 * h);
    claim(fabs(nominal - 1) > 1e-8, "PReLU at 0.8, h = 1e-10, divided by 2h: off by %.1e",
          nominal - 1);
    claim(central(prelu, x, h) == 1, "divided by (x+h) - (x-h), as rounded: exactly 1");
    slope_in_use = 0.25;
    claim_close(central(prelu, -0.8, 0.5), 0.25, 1e-15,
                "PReLU is straight, so even h = 0.5 gives a = 0.25");
}

static void at_the_kink(const Lesson *lesson)
{
    section("Across the kink: neither slope");
    const double slope[] = {0.25, -0.5}, h = 1e-6;
    double x[DENSE], numeric[DENSE], truth[DENSE];
    Plot *p = plot_new(lesson, "kink", "The central difference across the kink of PReLU", 1, 2);
    plot_panel(p, "What it measures: the slope of a chord; a = 0.25", "x / h", "y / h");
    plot_line(p, "PReLU", 3, (double[]){-2, 0, 2}, (double[]){-0.5, 0, 2});
    plot_line_points(p, "the chord from x - h to x + h", 2, (double[]){-0.7, 1.3},
                     (double[]){-0.175, 1.3});
    plot_dots(p, "x = 0.3 h", true, 1, &(double){0.3}, &(double){0.3});
    plot_panel(p, "What it says, for every x", "x / h", "derivative");
    plot_y_range(p, -0.7, 1.6);
    for (int s = 0; s < 2; s++) {
        double a = slope_in_use = slope[s], off = 0;
        for (int i = 0; i < DENSE; i++) {
            x[i] = -2 + 4. * i / (DENSE - 1);
            numeric[i] = central(prelu, x[i] * h, h);
            truth[i] = x[i] > 0 ? 1 : a;
            off = fmax(off, fabs(x[i]) < 1 ? fabs(numeric[i] - (1 + a) / 2 - (1 - a) * x[i] / 2)
                                           : fabs(numeric[i] - truth[i]));
        }
        claim(off < 1e-9, "a = %5g: at %d places it is (5) within h of 0, the slope elsewhere", a,
              DENSE);
        claim_close(numeric[DENSE / 2] - truth[DENSE / 2], (1 - a) / 2, 1e-9,
                    "a = %5g: at 0 it is wrong by (1 - a)/2 = %g, with h as small as 1e-6", a,
                    (1 - a) / 2);
        truth[DENSE / 2 + 1] = (double)NAN; /* lifts the pen: a jump is not a steep line */
        plot_line(p, s ? "central, a = -0.5" : "central, a = 0.25", DENSE, x, numeric);
        plot_line(p, s ? "the slope, a = -0.5" : "the slope, a = 0.25", DENSE, x, truth);
    }
    plot_draw(p);
}

/* --- the checker ------------------------------------------------------------------------------ */

static Var *prelu_of(Var **in, void *ctx) { return (void)ctx, var_prelu(in[0], in[1]); }

/* A PReLU with a famous mistake: its backward asks on which side the *output* lies. */
static void wrong_forward(Var *y) { op_prelu.forward(y); }
static void wrong_backward(Var *y, Var *gy)
{
    Var *x = y->in[0], *a = y->in[1], *right = var_is_positive(y);
    SEND(x, var_where(right, gy, var_mul(gy, a)));
    SEND(a, var_where(right, var_scalar(0), var_mul(gy, x)));
}

static Var *wrong_of(Var **in, void *ctx)
{
    static const Op wrong = {
        .name = "wrong_prelu", .forward = wrong_forward, .backward = wrong_backward};
    return (void)ctx, var_apply(&wrong, var_shape(in[0]), VARS(in[0], in[1]));
}

/* x (20), all clear of 0 but for the first `near`, and one slope. */
static GradVerdict verdict_of(GradFunction fn, int near, real slope)
{
    size_t mark = tape_mark();
    Var *in[] = {var_leaf(var_empty(SHAPE(20))->value), var_leaf(var_full(SHAPE(1), slope)->value)};
    real *x = tensor_write(in[0]->value);
    for (int i = 0; i < 20; i++)
        x[i] = i < near ? (real)(1e-7 * (i + 1)) : (real)(i - 9.5) / 4;
    GradReport r = gradcheck(fn, NULL, in, 2, GRADCHECK_DEFAULTS);
    say("  %s\n", r.message);
    tape_rewind(mark);
    return r.verdict;
}

static void verdicts(void)
{
    section("The checker's verdicts");
    claim(verdict_of(prelu_of, 0, (real)0.25) == GRAD_PASS, "no x near 0: PASS");
    claim(verdict_of(prelu_of, 1, (real)0.25) == GRAD_KINK,
          "one x within h of 0: KINK, and counted");
    claim(verdict_of(prelu_of, 5, (real)0.25) == GRAD_FAIL,
          "five of them: FAIL, too little was checked");
    say("  The wrong op, whose derivative goes by the sign of its output:\n");
    claim(verdict_of(wrong_of, 0, (real)0.25) == GRAD_PASS, "with a = 0.25 it gets away: PASS");
    claim(verdict_of(wrong_of, 0, -(real)0.5) == GRAD_FAIL, "with a = -0.5 it is caught: FAIL");
}

/* --- PReLU in all modes ----------------------------------------------------------------------- */

static void all_modes(const Lesson *lesson)
{
    section("PReLU in all modes, against central differences");
    static const real slopes[] = {-(real)0.5, (real)0.25, (real)1.5};
    static const struct Mode { const char *name; Shape x; int first, n; } mode[] = {
        {"shared, a = -0.5, (N,D)    ", {2, {4, 5}}, 0, 1},
        {"shared, a = 0.25, (N,C,H,W)", {4, {2, 3, 2, 2}}, 1, 1},
        {"per channel, (N,C)         ", {2, {4, 3}}, 0, 3},
        {"per channel, (N,C,L)       ", {3, {2, 3, 4}}, 0, 3},
        {"per channel, (N,C,H,W)     ", {4, {2, 3, 2, 2}}, 0, 3},
    };
    for (size_t m = 0; m < sizeof mode / sizeof *mode; m++)
        for (int order = 1; order <= 2; order++) {
            size_t mark = tape_mark();
            Var *in[2];
            /* 0.1 <= |x| < 2 */
            OpSample sample = {.n_in = 1, .in = {{mode[m].x, (real)0.1, 2, true}}};
            op_sample_inputs(&sample, lesson->seed, in);
            Tensor *a = tensor_from(SHAPE(mode[m].n), slopes + mode[m].first);
            in[1] = var_leaf(a);
            GradCheckOptions o = GRADCHECK_DEFAULTS;
            o.h = 1e-3, o.rtol = o.atol = 1e-9, o.order = order, o.seed = lesson->seed;
            GradReport r = gradcheck(prelu_of, NULL, in, 2, o);
            if (!claim(r.verdict == GRAD_PASS && r.nonzero > 0,
                       "PReLU %s order %d: %ld derivatives, off "
                       "by at most %.0e",
                       mode[m].name, order, r.checked, r.worst))
                say("           %s\n", r.message);
            tensor_free(a);
            tape_rewind(mark);
        }
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "04", "Checking gradients", 0);
    u_curves(&lesson);
    complex_steps();
    realised_step();
    at_the_kink(&lesson);
    verdicts();
    all_modes(&lesson);
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. The five-point formula (-f(x+2h) + 8 f(x+h) - 8 f(x-h) + f(x-2h)) / (12h) is off by about h^4.
 *    Where will its minimum lie, and how deep? Add it to `curve` and see.
 * 2. Repair wrong_backward by one letter. Then break it otherwise: send to a without the `where`.
 * 3. Give the wrong op a .branch_hash, and call verdict_of(wrong_of, 1, 0.25). Which verdict, and
 *    what was it without?
 * 4. In tensor/kernels/prelu.c flip the sign in prelu_ga and in prelu_ga_vec, which does the same
 *    for vectors. Which claims fail, and which do not? Put it back. What if only one of the two is
 *    wrong?
 * 5. A network has a million parameters. Instead of every coordinate check one random direction u:
 *    (f(x+hu) - f(x-hu)) / (2h) against <gradient, u>. Which mistakes might it miss?
 */
