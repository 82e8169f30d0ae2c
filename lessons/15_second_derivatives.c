/* Lesson 15: derivatives of derivatives. A gradient is a function too.
 *
 * You will see  PReLU's second derivatives, the one that is not 0 and what happens at the kink;
 *               products with a matrix of second derivatives that is never built; Newton's method
 *               on a slope, where it is perfect and where it goes astray; the checker checked.
 * You need      lessons 02 (PReLU's derivatives), 03 (the tape) and 04 (the checker).
 *
 * PReLU has dy/dx = 1 if x > 0, else a, and dy/da = 0 if x > 0, else x. Once more:
 *
 *     d2y/dx da = 1 if x <= 0, else 0        d2y/dx2 = 0        d2y/da2 = 0                   (1)
 *
 * Backward rules are written in ops, so a gradient g is on the tape as any value is, and can be
 * differentiated again. For D parameters the second derivatives of a loss L are a matrix, the
 * Hessian H = dg/dtheta, of D^2 numbers. Its product with a vector v needs no matrix:
 *
 *     H v = d (g . v) / dtheta                                                              (2)
 *
 * which is one more backward pass for every D. In the same way, two backward passes give the
 * product J v with a Jacobian J: the first computes J' u, which is linear in u, so
 * J v = d (J' u . v) / du. The library computes these products in var_hvp and var_jvp.
 *
 * Newton's method takes the parabola that fits L at a, and goes to its lowest point; with error e
 * and a* the minimum,
 *
 *     a <- a - L'(a) / L''(a)          e <- L'''/(2 L'') e^2, near a*                       (3)
 *     a <- a - lr L'(a)                e <- (1 - lr L'') e      (gradient descent)          (4)
 *
 * PReLU is linear in its slope. So a squared loss is a parabola in a, and (3) needs one step.
 *
 * Run   make lesson-15          (built in double)
 * It prints, among other things:
 *
 *     x       dy/dx   dy/da   by hand  dx, then da  da, then dx  differences
 *     -0.5    0.25    -0.5    1        1            1            1
 *     0.5     1       0       0        0            0            0
 *     [ok] var_hvp gives the same bits as (2)
 *     [ok] (2) gives what the full matrix times v gives, up to 4e-15
 *     [ok] one PReLU: from 1.1 to 0.500000000000 in one step
 *     [ok] from a = 0.2, where L'' = -0.24 < 0, Newton climbs: L from 0.021 to 0.065
 *     FAIL: input 0, element 0: the gradient is -0.539155735, but finite differences give 0.539 ...
 *     [ok] a flipped sign fails, all 6 of x: the ratio is -1.000
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "lessons/kit/plot.h"

/* dy/dx on the tape; zeros where y does not depend on x. */
static Var *derivative(Var *y, Var *x, GradMode mode)
{
    Var *g[1];
    var_grad(y, VARS(x), mode, g);
    return g[0] ? g[0] : var_full(var_shape(x), 0);
}

static double number(Var *x) { return (double)var_item(x); }

/* --- PReLU's own ------------------------------------------------------------------------------ */

typedef enum Wrt { X, A } Wrt;

/* The first derivative by one, the second by the other, at (x, a). */
static void differentiate(double x, double a, Wrt one, Wrt other, double *first, double *second)
{
    size_t mark = tape_mark();
    Var *in[] = {var_leaf(var_full(SHAPE(1), (real)x)->value),
                 var_leaf(var_full(SHAPE(1), (real)a)->value)};
    Var *g = derivative(var_prelu(in[X], in[A]), in[one], CREATE_GRAPH);
    *first = number(g);
    *second = g->requires_grad ? number(derivative(g, in[other], GRAD_ONLY)) : 0;
    tape_rewind(mark);
}

/* The same second derivative as a central difference of the first. */
static double difference(double x, double a, Wrt one, Wrt other, double h)
{
    double up, down, unused;
    differentiate(x + (other == X ? h : 0), a + (other == A ? h : 0), one, other, &up, &unused);
    differentiate(x - (other == X ? h : 0), a - (other == A ? h : 0), one, other, &down, &unused);
    return (up - down) / (2 * h);
}

/* d gx/d gy at (x, a): how gx depends on gy, the gradient that arrives at y. It is J v with v = 1,
 * because gx = J' gy. */
static double by_gy(double x, double a)
{
    size_t mark = tape_mark();
    Var *in = var_leaf(var_full(SHAPE(1), (real)x)->value), *v = var_full(SHAPE(1), 1);
    double slope = number(var_jvp(var_prelu(in, var_scalar((real)a)), VARS(in), &v));
    tape_rewind(mark);
    return slope;
}

static void prelu_twice(void)
{
    const double at[] = {-2, -1, -0.5, 0, 0.5, 2}, a = 0.25, h = 1e-3;
    int agree = 0, pure = 0;
    section("PReLU, a = 0.25: d2y/dx da by hand, by the tape, by differences of gradients");
    say("  x       dy/dx   dy/da   by hand  dx, then da  da, then dx  differences\n");
    for (int i = 0; i < 6; i++) {
        double x = at[i], hand = x > 0 ? 0 : 1, gx, ga, xa, ax, xx, aa;
        differentiate(x, a, X, A, &gx, &xa), differentiate(x, a, A, X, &ga, &ax);
        differentiate(x, a, X, X, &gx, &xx), differentiate(x, a, A, A, &ga, &aa);
        double numeric = difference(x, a, X, A, h);
        say("  %-7g %-7g %-7g %-8g %-12g %-12g %g\n", x, gx, ga, hand, xa, ax, numeric);
        agree += xa == hand && ax == hand && fabs(numeric - hand) < 1e-12;
        pure += xx == 0 && aa == 0 && difference(x, a, A, A, h) == 0 &&
                (x == 0 || difference(x, a, X, X, h) == 0);
    }
    claim(agree == 6, "(1): all four ways agree, in either order");
    claim(pure == 6, "(1): the two pure second derivatives are 0");
    claim_close(difference(0, a, X, X, h), (1 - a) / (2 * h), 1e-9,
                "but at the kink dy/dx jumps by 1 - a: the difference is (1 - a)/(2h) = %g,",
                (1 - a) / (2 * h));
    claim_close(difference(0, a, X, X, h / 10), 10 * (1 - a) / (2 * h), 1e-8,
                "... and ten times that with a tenth of h. The tape's 0 is one side's answer");
    claim(by_gy(0, a) == a, "at the kink derivatives of every order are those of the side x <= 0: "
                            "gx = a gy, so d gx/d gy = a (PyTorch 2.13 returns 1)");
}

/* --- a Hessian, and products with it ---------------------------------------------------------- */

enum { N = 16, D = 10 };
static const char *const parameter[D] = {"w11", "w12", "w21", "w22", "b1",
                                         "b2",  "a1",  "a2",  "v1",  "v2"};

typedef struct Problem {
    Var *x, *t, *theta; /* (N,2), (N,1), (D) */
} Problem;

/* The loss of a network 2-2-1: linear, PReLU, linear, its parameters in one vector. */
static Var *loss_of(const Problem *p, Var *theta)
{
    Var *w = var_reshape(var_slice(theta, 0, 0, 4, 1), SHAPE(2, 2));
    Var *b = var_slice(theta, 0, 4, 6, 1), *a = var_slice(theta, 0, 6, 8, 1);
    Var *v = var_reshape(var_slice(theta, 0, 8, 10, 1), SHAPE(1, 2));
    return var_mse(var_linear(var_prelu(var_linear(p->x, w, b), a), v, NULL), p->t);
}

/* (2), written out. */
static Var *hessian_times_in_full(const Problem *p, Var *v)
{
    Var *g = derivative(loss_of(p, p->theta), p->theta, CREATE_GRAPH);
    return derivative(var_dot(g, v), p->theta, GRAD_ONLY);
}

/* (2) in one call, which leaves only the product on the tape. */
static Var *hessian_times(const Problem *p, Var *v)
{
    Var *Hv;
    var_hvp(loss_of(p, p->theta), VARS(p->theta), &v, &Hv);
    return Hv;
}

static Var *gradient_at(const Problem *p, Var *theta)
{
    Var *leaf = var_leaf(theta->value);
    return derivative(loss_of(p, leaf), leaf, GRAD_ONLY);
}

/* Column by column: H e_j. */
static void hessian(const Problem *p, double H[D * D])
{
    for (int j = 0; j < D; j++) {
        Var *e = var_full(SHAPE(D), 0);
        tensor_write(e->value)[j] = 1;
        const real *column = tensor_read(hessian_times(p, e)->value);
        for (int i = 0; i < D; i++)
            H[i * D + j] = (double)column[i];
    }
}

static Var *normal(Rng *rng, Shape shape)
{
    Var *x = var_empty(shape);
    tensor_fill_normal(x->value, rng, 0, 1);
    return x;
}

static void draw_hessian(const Lesson *lesson, const double H[D * D])
{
    double rounded[D * D], most = 0;
    for (int i = 0; i < D * D; i++) {
        rounded[i] = round(100 * H[i]) / 100 + 0.; /* + 0: no -0 */
        most = fmax(most, fabs(H[i]));
    }
    Plot *p = plot_new(lesson, "hessian", "The Hessian of a network 2-2-1 with PReLU", 1, 1);
    plot_size(p, 820, 760);
    plot_panel(p, "blue above 0, orange below", "", "");
    plot_matrix(p, D, D, rounded, parameter, parameter);
    plot_grey_range(p, -most, most);
    plot_set(p, "set palette defined (-1 '#d55e00', 0 '#ffffff', 1 '#0072b2')");
    plot_draw(p);
}

/* H v by (2), by the matrix, and by the difference of two gradients. */
static void compare(const Problem *p, Var *v, const double H[D * D])
{
    double off = 0, skew = 0, numeric = 0, h = 1e-6;
    const Tensor *Hv = hessian_times(p, v)->value;
    const real *product = tensor_read(Hv);
    Var *up = gradient_at(p, var_add(p->theta, var_scale(v, (real)h)));
    Var *down = gradient_at(p, var_sub(p->theta, var_scale(v, (real)h)));
    for (int i = 0; i < D; i++) {
        double sum = 0;
        for (int j = 0; j < D; j++) {
            sum += H[i * D + j] * (double)tensor_read(v->value)[j];
            skew = fmax(skew, fabs(H[i * D + j] - H[j * D + i]));
        }
        double slope = (double)(tensor_read(up->value)[i] - tensor_read(down->value)[i]) / (2 * h);
        off = fmax(off, fabs((double)product[i] - sum));
        numeric = fmax(numeric, fabs((double)product[i] - slope));
    }
    claim(tensor_same_bits(Hv, hessian_times_in_full(p, v)->value),
          "var_hvp gives the same bits as (2)");
    claim(off < 1e-12, "(2) gives what the full matrix times v gives, up to %.0e", off);
    claim(numeric < 1e-6, "... and the difference of two gradients, up to %.0e", numeric);
    claim(skew < 1e-12, "H is symmetric up to %.0e", skew);
}

static void hessian_products(const Lesson *lesson)
{
    section("The Hessian of a network, and its product with a vector");
    size_t mark = tape_mark();
    Rng rng = rng_new(lesson->seed, 15);
    Problem p = {normal(&rng, SHAPE(N, 2)), normal(&rng, SHAPE(N, 1)), NULL};
    p.theta = var_leaf(normal(&rng, SHAPE(D))->value);
    tensor_write(p.theta->value)[4] = tensor_write(p.theta->value)[5] = 0; /* b: half lie left */
    Var *v = normal(&rng, SHAPE(D));
    double H[D * D];
    hessian(&p, H);
    compare(&p, v, H);
    draw_hessian(lesson, H);
    size_t start = tape_mark();
    loss_of(&p, p.theta);
    size_t forward = tape_mark() - start;
    hessian_times_in_full(&p, v);
    say("  Lines on the tape: %zu for the loss, %zu with its gradient and H v. H itself: %d times "
        "that.\n", forward, tape_mark() - start - forward, D);
    double a_block = H[6 * D + 6];
    tensor_write(p.theta->value)[6] += 3; /* another slope: the signs before PReLU stay */
    hessian(&p, H);
    claim(a_block > 0 && H[6 * D + 6] == a_block,
          "d2L/da1^2 = %.4f at a1 and at a1 + 3: L is a parabola in a slope", a_block);
    tape_rewind(mark);
}

/* --- Newton's method on a slope --------------------------------------------------------------- */

enum { STEPS = 30 };
typedef Var *(*Model)(Var *x, Var *a);
static Var *once(Var *x, Var *a) { return var_prelu(x, a); }
static Var *twice(Var *x, Var *a) { return var_prelu(var_prelu(x, a), a); }

typedef struct Fit {
    Model model;
    Var  *x, *t; /* t is what the model gives with the slope 0.5 */
} Fit;

/* L, L', L'' at a. */
static void loss_at(const Fit *fit, double a, double L[3])
{
    size_t mark = tape_mark();
    Var *leaf = var_leaf(var_full(SHAPE(1), (real)a)->value);
    Var *loss = var_mse(fit->model(fit->x, leaf), fit->t);
    Var *g = derivative(loss, leaf, CREATE_GRAPH);
    L[0] = number(loss), L[1] = number(g), L[2] = number(derivative(g, leaf, GRAD_ONLY));
    tape_rewind(mark);
}

/* STEPS steps of (3), or with lr > 0 of (4), from a[0]. */
static void descend(const Fit *fit, double lr, double a[STEPS])
{
    for (int k = 0; k + 1 < STEPS; k++) {
        double L[3];
        loss_at(fit, a[k], L);
        a[k + 1] = a[k] - (lr > 0 ? lr * L[1] : L[2] != 0 ? L[1] / L[2] : 0);
    }
}

static void plot_error(Plot *p, const char *legend, const double *a)
{
    double step[STEPS], error[STEPS];
    for (int k = 0; k < STEPS; k++)
        step[k] = k, error[k] = fmax(fabs(a[k] - 0.5), 1e-17);
    plot_line_points(p, legend, STEPS, step, error);
}

static void plot_loss(Plot *p, const Fit *fit, const double *newton)
{
    enum { POINTS = 101 };
    double a[POINTS], y[POINTS], fitted[POINTS], L[3], tangent[3], path[6];
    loss_at(fit, newton[0], tangent);
    for (int i = 0; i < POINTS; i++) {
        a[i] = -0.2 + 1.4 * i / (POINTS - 1);
        loss_at(fit, a[i], L);
        double d = a[i] - newton[0];
        y[i] = L[0], fitted[i] = tangent[0] + tangent[1] * d + tangent[2] * d * d / 2;
    }
    for (int k = 0; k < 6; k++)
        loss_at(fit, newton[k], L), path[k] = L[0];
    plot_y_range(p, -0.05, 0.6);
    plot_line(p, "the loss", POINTS, a, y);
    plot_line(p, "the parabola fitted at the start", POINTS, a, fitted);
    plot_line_points(p, "Newton, step by step", 6, newton, path);
}

/* From 1.1: Newton, and gradient descent with two learning rates. */
static void one_prelu(const Fit *fit, double n[STEPS], double slow[STEPS], double wild[STEPS])
{
    double L[3];
    n[0] = slow[0] = wild[0] = 1.1;
    loss_at(fit, 1.1, L);
    descend(fit, 0, n), descend(fit, 0.2 / L[2], slow), descend(fit, 1.9 / L[2], wild);
    claim_close(n[1], 0.5, 1e-12, "one PReLU: from 1.1 to %.12f in one step", n[1]);
    claim_close(slow[20] - 0.5, 0.6 * pow(0.8, 20), 1e-9,
                "gradient descent, lr = 0.2 / L'': 0.8^20 of the error is left after 20 steps");
    claim_close(wild[20] - 0.5, 0.6 * pow(-0.9, 20), 1e-9,
                "lr = 1.9 / L'': (-0.9)^20 is left. It leaps from side to side");
}

static void two_prelus(const Fit *fit, double n[STEPS])
{
    double up[STEPS] = {0.2}, before[3], after[3];
    say("  Two layers with one slope: on the left y = a^2 x, or a x where a < 0: "
        "L is no parabola.\n");
    n[0] = 1.1;
    descend(fit, 0, n);
    for (int k = 0; k < 7; k++)
        say("    step %d   a = %.16f   error %.1e\n", k, n[k], fabs(n[k] - 0.5));
    claim_close((n[4] - 0.5) / pow(n[3] - 0.5, 2), 3, 0.5,
                "(3): an error of e leaves 3/(2 a*) e^2 = 3 e^2: the digits double");
    descend(fit, 0, up), loss_at(fit, up[0], before), loss_at(fit, up[1], after);
    claim(before[2] < 0 && after[0] > before[0],
          "from a = 0.2, where L'' = %.2f < 0, Newton climbs: L from %.3f to %.3f", before[2],
          before[0], after[0]);
}

static void newton(const Lesson *lesson)
{
    section("Newton's method on a slope");
    size_t mark = tape_mark();
    Rng rng = rng_new(lesson->seed, 16);
    Var *x = normal(&rng, SHAPE(200)), *best = var_full(SHAPE(1), (real)0.5);
    Fit one = {once, x, once(x, best)}, two = {twice, x, twice(x, best)};
    double n1[STEPS], n2[STEPS], slow[STEPS], wild[STEPS];
    one_prelu(&one, n1, slow, wild);
    two_prelus(&two, n2);
    Plot *p = plot_new(lesson, "newton", "Newton and gradient descent on one slope", 1, 3);
    plot_size(p, 1500, 620);
    plot_panel(p, "One PReLU: its loss is the parabola", "slope a", "loss");
    plot_key(p, "outside bottom center");
    plot_set(p, "set xlabel offset 0, 0.6; set key height 1.5");
    plot_loss(p, &one, n1);
    plot_panel(p, "Two with the same slope: nearly", "slope a", "loss");
    plot_key(p, "outside bottom center");
    plot_loss(p, &two, n2);
    plot_panel(p, "How far from the minimum", "step", "|a - 0.5|, at least 1e-17");
    plot_log_y(p), plot_key(p, "outside bottom center");
    plot_error(p, "gradient, lr = 0.2/L\", one PReLU", slow);
    plot_error(p, "gradient, lr = 1.9/L\", one PReLU", wild);
    plot_error(p, "Newton, one PReLU", n1), plot_error(p, "Newton, two PReLUs", n2);
    plot_draw(p);
    tape_rewind(mark);
}

/* --- a check of the check --------------------------------------------------------------------- */

static void wrong_forward(Var *y) { op_prelu.forward(y); }

/* PReLU's rule, and one mistake: a flipped sign; one position where a sum belongs (var_send would
 * have summed); the side asked of the output; numbers in place of ops. */
typedef enum Mistake { NONE, FLIPPED, NO_SUM, FROM_OUTPUT, DETACHED } Mistake;

static void wrong_backward(Var *y, Var *gy)
{
    Mistake m = *(const Mistake *)y->attr;
    Var *x = y->in[0], *a = y->in[1], *right = var_is_positive(m == FROM_OUTPUT ? y : x);
    Var *gx = var_where(right, gy, var_mul(gy, a)), *ga = var_where(right, var_scalar(0),
                                                                    var_mul(gy, x));
    SEND(x, m == FLIPPED ? var_neg(gx) : m == DETACHED ? var_detach(gx) : gx);
    SEND(a, m == NO_SUM ? var_slice(ga, 0, 0, 1, 1) : ga);
}

static Var *wrong_prelu(Var **in, void *mistake)
{
    static const Op op = {
        .name = "wrong_prelu", .forward = wrong_forward, .backward = wrong_backward};
    return var_apply_with(&op, var_shape(in[0]), VARS(in[0], in[1]), mistake, sizeof(Mistake));
}

static GradReport check(Mistake m, int order)
{
    size_t mark = tape_mark();
    static const real x[6] = {-2, 1, -1, 2, -(real)0.5, 3};
    Var *in[] = {var_leaf_from(SHAPE(6), x), var_leaf_from(SHAPE(1), (real[]){-(real)0.5})};
    GradCheckOptions o = GRADCHECK_DEFAULTS;
    o.order = order;
    GradReport r = gradcheck(wrong_prelu, &m, in, 2, o);
    say("  %s\n", r.message);
    tape_rewind(mark);
    return r;
}

/* The two numbers in which the checker says what is wrong. */
static double ratio(const GradReport *r)
{
    double gradient = 0, numeric = 1;
    const char *says = strstr(r->message, "the gradient is");
    int found = says ? sscanf(says, "the gradient is %lf, but finite differences give %lf",
                              &gradient, &numeric) : 0;
    return found == 2 ? gradient / numeric : (double)NAN;
}

static void check_of_the_check(void)
{
    section("A check of the check: a checker that has never failed has proved nothing");
    claim(check(NONE, 1).verdict == GRAD_PASS && check(NONE, 2).verdict == GRAD_PASS,
          "the right rule passes, in both orders");
    GradReport r = check(FLIPPED, 1);
    claim(r.verdict == GRAD_FAIL && fabs(ratio(&r) + 1) < 1e-6,
          "a flipped sign fails, all %ld of x: the ratio is %.3f", r.failures, ratio(&r));
    r = check(NO_SUM, 1);
    claim(r.verdict == GRAD_FAIL && strstr(r.message, "input 1") && r.failures == 1,
          "a missing sum fails, at the slope and only there");
    r = check(FROM_OUTPUT, 1);
    claim(r.verdict == GRAD_FAIL && fabs(ratio(&r) - 1 / -0.5) < 1e-6,
          "the side asked of the output fails: 1 for a, their ratio is %.3f = 1/a", ratio(&r));
    claim(check(DETACHED, 1).verdict == GRAD_PASS, "a rule made of numbers, not ops, passes once,");
    claim(check(DETACHED, 2).verdict == GRAD_FAIL, "... and fails in order 2: its gradient is 0");
}

int main(int argc, char **argv)
{
    Lesson lesson = lesson_begin(argc, argv, "15", "Second derivatives", 0);
    prelu_twice();
    hessian_products(&lesson);
    newton(&lesson);
    check_of_the_check();
    return lesson_end(&lesson);
}

/* Exercises
 *
 * 1. Show from (1) that a network of PReLUs and linear layers has d2y/dx2 = 0 off its kinks, in
 *    every direction. What then is the Hessian of its squared loss with respect to x? Check it.
 * 2. Newton for both slopes of the network at once: solve the 2 x 2 block of H against its
 *    gradient. Is one step enough?
 * 3. The largest eigenvalue of H by power iteration, v <- H v / |H v|, without ever building H.
 * 4. From a = 0.2 Newton climbed. Take |L''| for L'' in (3). Where does it go now?
 * 5. Write a checker that compares absolute values only. Which of the four mistakes passes it?
 */
