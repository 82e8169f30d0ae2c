/* autograd/gradcheck.c -- does the gradient agree with finite differences?
 *
 * Away from kinks the gradient must equal the central difference. If the ops took different
 * branches at x-h, x and x+h, a kink lies within the step: the central difference is a mixture of
 * two slopes, and the gradient must lie between left and right. (autograd/probe.h defines the
 * three, and the errors of the central one.)
 *
 * A gradient that disagrees with one difference is not blamed yet: a step may span several periods
 * of a sine. The step is halved until the disagreement has vanished in two consecutive differences
 * (PASS), or is smaller than the rounding error, which each halving doubles. If it was clearly
 * larger than truncation and rounding before that, the verdict is FAIL, otherwise LOST.
 *
 * Second order: the function checked is the gradient itself, <v, d<u,fn>/din>, recorded with
 * CREATE_GRAPH, as a function of the inputs and of u. At a kink its one-sided differences are 0 or
 * of order 1/h, so a coordinate there is counted but not judged. A wrong gradient has derivatives,
 * too, and an op may compute these correctly, so the gradient itself is checked first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/gradcheck.h"

#include <math.h>

#include "autograd/probe.h"

enum { CHECK_INPUTS = 16, CHECK_HALVINGS = 60, CHECK_TEXT = 320 };

const GradCheckOptions GRADCHECK_DEFAULTS = {
#ifdef SLOPE_DOUBLE
    .h = 1e-6, .atol = 1e-5, .rtol = 1e-3,
#else
    .h = 5e-3, .atol = 5e-3, .rtol = 2e-3,
#endif
    .order = 1, .max_kinks = 0.1, .from_defaults = true,
};

typedef struct Check {
    Probe        probe;
    Var        **in;
    int          n_in;
    const GradCheckOptions *options;
    GradReport  *report;
    const char  *nothing; /* why the check would prove nothing, or NULL */
    char         text[CHECK_TEXT]; /* the message, without the verdict */
} Check;

enum { CHECK_LOST = GRAD_FAIL + 1 }; /* the verdict on a coordinate; a check with one fails */

const char *grad_verdict_name(GradVerdict verdict)
{
    static const char *const names[] = {"PASS", "KINK", "FAIL", "LOST"};
    return names[verdict];
}

/* --- one coordinate --------------------------------------------------------------------------- */

/* How far the gradient is from the central difference or, at a kink, from the range between left
 * and right; infinite if one of them is not finite. */
static double check_gap(double analytic, const Difference *d)
{
    if (!isfinite(analytic) || !isfinite(d->left) || !isfinite(d->right))
        return HUGE_VAL;
    double low = d->kink ? fmin(d->left, d->right) : d->central;
    double high = d->kink ? fmax(d->left, d->right) : d->central;
    return fmax(0, fmax(low - analytic, analytic - high));
}

/* Halves the step until the verdict is clear; *d becomes the last difference. */
static int check_judge(Check *c, Tensor *x, ptrdiff_t at, double analytic, Difference *d)
{
    const int agrees = d->kink ? GRAD_KINK : GRAD_PASS;
    double change = 0; /* of the central difference, by the last halving */
    bool blamed = false;
    Difference blame = *d; /* the last one with which the gradient clearly disagrees */
    for (int halvings = 0; halvings < CHECK_HALVINGS; halvings++) {
        double gap = check_gap(analytic, d);
        double size = d->kink ? fmax(fabs(d->left), fabs(d->right)) : fabs(d->central);
        double tolerance = c->options->atol + c->options->rtol * size;
        if (d->kink && c->options->order > 1)
            return GRAD_KINK;
        if (gap <= tolerance && change <= tolerance) { /* unless rounding may have caused that */
            double limit = blamed ? tolerance / 8 : size == 0 ? tolerance : HUGE_VAL;
            return d->rounding > limit ? CHECK_LOST : agrees;
        }
        if (halvings > 0 && gap > tolerance + 4 * (d->rounding + change))
            blamed = true, blame = *d;
        if (d->rounding > fmax(gap, change))
            break;
        Difference finer = slope_probe_difference(&c->probe, x, at, d->h / 2);
        change = fabs(finer.central - d->central);
        if (isnan(change))
            change = HUGE_VAL;
        *d = finer;
    }
    if (!blamed)
        return CHECK_LOST;
    *d = blame;
    return GRAD_FAIL;
}

/* Describes the first failure or, if nothing fails, the first lost coordinate. */
static void check_blame(Check *c, int verdict, int input, ptrdiff_t i, double analytic,
                        const Difference *first, const Difference *last)
{
    const GradReport *r = c->report;
    if (verdict == GRAD_FAIL && r->failures == 1)
        snprintf(c->text, sizeof c->text, "input %d, element %td: the gradient is %.9g, but finite "
                 "differences give %.9g (left %.9g, right %.9g%s)", input, i, analytic,
                 last->central, last->left, last->right, last->kink ? ", with a kink between" : "");
    if (verdict == CHECK_LOST && r->lost == 1 && r->failures == 0)
        snprintf(c->text, sizeof c->text, "input %d, element %td: the gradient %.9g cannot be "
                 "checked, since a step of %.3g from %.9g %s; scale the inputs, change the step, "
                 "or build for double", input, i, analytic, first->h, first->x,
                 isinf(first->rounding)      ? "is lost in rounding"
                 : !isfinite(first->central) ? "leads to a result that is not finite"
                                             : "changes the result too little or too unevenly");
}

static void check_coordinate(Check *c, Tensor *x, int input, ptrdiff_t i, double analytic)
{
    GradReport *r = c->report;
    ptrdiff_t at = tensor_locate(x, i);
    double h = c->options->h * fmax(1, fabs((double)tensor_read(x)[at]));
    Difference first = slope_probe_difference(&c->probe, x, at, h), d = first;
    int verdict = check_judge(c, x, at, analytic, &d);
    r->checked++;
    r->nonzero += analytic != 0;
    r->kinks += verdict == GRAD_KINK;
    r->failures += verdict == GRAD_FAIL;
    r->lost += verdict == CHECK_LOST;
    double error = fabs(analytic - d.central);
    if (!d.kink && verdict != CHECK_LOST && !(error <= r->worst))
        r->worst = error;
    check_blame(c, verdict, input, i, analytic, &first, &d);
    if (c->options->trace)
        fprintf(c->options->trace, "%s  input %d element %td  analytic %+.9e  central %+.9e  left "
                "%+.9e  right %+.9e\n", grad_verdict_name((GradVerdict)verdict), input, i, analytic,
                d.central, d.left, d.right);
}

/* --- all coordinates -------------------------------------------------------------------------- */

/* Writes the tape's gradients to `gradient` (on the tape; NULL for an input that requires none),
 * and estimates the rounding error. The backward pass adds to a ->grad that holds a known value,
 * which is then subtracted, so that `=` in place of `+=` is noticed. */
static void check_gradients(Check *c, Var **gradient)
{
    const real start = (real)0.125;
    Tensor *kept[CHECK_INPUTS];
    double sum = 0;
    for (int i = 0; i < c->n_in; i++) {
        kept[i] = c->in[i]->grad;
        if (c->in[i]->requires_grad)
            c->in[i]->grad = tensor_full(var_shape(c->in[i]), start);
    }
    slope_probe_backward(&c->probe, false);
    for (int i = 0; i < c->n_in; i++) {
        gradient[i] = NULL;
        if (!c->in[i]->requires_grad)
            continue;
        gradient[i] = var_add_scalar(var_const(c->in[i]->grad), -start);
        /* x is exact, but an op may compute intermediate results from it, which are not */
        sum += slope_sum_squares(c->in[i]->value, gradient[i]->value);
    }
    c->probe.rounding = (double)REAL_EPSILON * sqrt(sum + slope_probe_backward(&c->probe, true));
    for (int i = 0; i < c->n_in; i++) {
        if (c->in[i]->requires_grad)
            tensor_free(c->in[i]->grad);
        c->in[i]->grad = kept[i];
    }
}

/* Says why the function cannot be checked at this point, whatever the verdicts on coordinates. */
static bool check_is_impossible(Check *c)
{
    const Probe *p = &c->probe;
    ptrdiff_t broken = tensor_find_nonfinite(p->here);
    if (p->differs)
        snprintf(c->text, sizeof c->text, "two calls with the same inputs gave %.9g and %.9g; "
                 "dropout or another source of randomness must be fixed while checking",
                 p->twice[0], p->twice[1]);
    else if (broken >= 0)
        snprintf(c->text, sizeof c->text, "element %td of the %s is %g; a derivative can be "
                 "checked only where that is finite", broken,
                 c->options->order > 1 ? "gradient" : "result",
                 (double)tensor_read(p->here)[broken]);
    else if (c->nothing)
        snprintf(c->text, sizeof c->text, "nothing was checked: %s", c->nothing);
    return p->differs || broken >= 0 || c->nothing;
}

static void check_conclude(Check *c)
{
    GradReport *r = c->report;
    r->verdict = GRAD_FAIL;
    if (check_is_impossible(c)) {
        r->failures = r->lost = 0;
    } else if (r->failures + r->lost > 0) {
        return; /* described already */
    } else if ((double)r->kinks > c->options->max_kinks * (double)r->checked) {
        snprintf(c->text, sizeof c->text, "%ld of %ld coordinates are at a kink, more than %g "
                 "percent; move the inputs away from it or use a smaller step", r->kinks,
                 r->checked, 100 * c->options->max_kinks);
    } else {
        r->verdict = r->kinks ? GRAD_KINK : GRAD_PASS;
        snprintf(c->text, sizeof c->text, "%ld coordinates agree%s, %ld at a kink between the left "
                 "and the right slope, largest error %.2g with a step of %g max(1, |x|)",
                 r->checked - r->kinks, r->nonzero ? "" : " (all are 0, which proves little)",
                 r->kinks, r->worst, c->options->h);
    }
}

static void check_run(Check *c, GradFunction fn, void *ctx)
{
    Var *gradient[CHECK_INPUTS];
    size_t mark = tape_mark();
    c->probe = slope_probe(fn, ctx, c->in, c->options->seed);
    if (!c->probe.differs && tensor_find_nonfinite(c->probe.here) < 0) {
        check_gradients(c, gradient);
        for (int k = 0; k < c->n_in; k++) {
            Tensor *x = c->in[k]->value;
            for (ptrdiff_t i = 0; gradient[k] && i < tensor_count(x) && !c->probe.differs; i++)
                check_coordinate(c, x, k, i, (double)tensor_read(gradient[k]->value)[i]);
        }
    }
    check_conclude(c);
    tape_rewind(mark);
}

/* --- second order ----------------------------------------------------------------------------- */

/* For check_second, whose inputs are those of fn, followed by the cotangent u of its result. */
typedef struct Second {
    GradFunction fn;
    void        *ctx;
    int          n_in;
    uint64_t     seed;
} Second;

/* <v, d<u,fn>/din> with random constants v, as a function of in and u. */
static Var *check_second(Var **in, void *ctx)
{
    const Second *s = ctx;
    Var *u = in[s->n_in], *x[CHECK_INPUTS], *g[CHECK_INPUTS], *total = var_scalar(0);
    Var *y = s->fn(in, s->ctx);
    int n = 0;
    for (int i = 0; i < s->n_in; i++)
        if (in[i]->requires_grad)
            x[n++] = in[i];
    if (!y->requires_grad || n == 0)
        return total;
    var_grad_with(y, u, x, n, CREATE_GRAPH, g);
    for (int i = 0; i < n; i++)
        if (g[i])
            total = var_add(total,
                            var_dot(g[i], slope_cotangent(var_shape(g[i]), s->seed, (uint64_t)i)));
    return total;
}

static void check_run_second(Check *c, GradFunction fn, void *ctx, Shape result)
{
    Second second = {.fn = fn, .ctx = ctx, .n_in = c->n_in, .seed = c->options->seed};
    Var *in[CHECK_INPUTS];
    for (int i = 0; i < c->n_in; i++)
        in[i] = c->in[i];
    size_t mark = tape_mark();
    in[c->n_in++] = var_leaf(slope_cotangent(result, c->options->seed, 500)->value);
    c->in = in;
    check_run(c, check_second, &second);
    tape_rewind(mark);
}

/* --- the public functions --------------------------------------------------------------------- */

static void check_options(const GradCheckOptions *o)
{
    if (!o->from_defaults)
        slope_fail("gradcheck", "options left out are 0, which is not the usual tolerance; start "
                   "with GradCheckOptions o = GRADCHECK_DEFAULTS;");
    if (!(o->h > 0) || !isfinite(o->h) || !(o->atol >= 0) || !(o->rtol >= 0) || o->order < 1 ||
        o->order > 2 || !(o->max_kinks >= 0 && o->max_kinks <= 1))
        slope_fail("gradcheck", "h %g, atol %g, rtol %g, order %d, max_kinks %g; expected h above "
                   "0, tolerances of 0 or more, order 1 or 2, and max_kinks from 0 to 1", o->h,
                   o->atol, o->rtol, o->order, o->max_kinks);
}

/* Do the ranges of memory from the first to the last element overlap? */
static bool check_overlap(const Tensor *a, const Tensor *b)
{
    ptrdiff_t last_a = a->offset, last_b = b->offset;
    for (int i = 0; i < a->shape.ndim; i++)
        last_a += (a->shape.dim[i] - 1) * a->stride[i];
    for (int i = 0; i < b->shape.ndim; i++)
        last_b += (b->shape.dim[i] - 1) * b->stride[i];
    return a->storage == b->storage && a->offset <= last_b && b->offset <= last_a;
}

/* Every element of in[i] must have memory of its own: fails if another element of it, or an element
 * of another input, shares that memory. */
static void check_alone(Var **in, int n_in, int i)
{
    const Tensor *x = in[i]->value;
    for (int axis = 0; axis < x->shape.ndim; axis++)
        if (x->stride[axis] == 0 && x->shape.dim[axis] > 1 && tensor_count(x) > 0)
            slope_fail("gradcheck", "input %d, %s, is expanded: its elements share memory, so none "
                       "can be changed alone; pass a leaf with a contiguous value", i,
                       VAR_TEXT(in[i]));
    for (int k = 0; k < n_in; k++)
        if (k != i && (in[k] == in[i] || check_overlap(x, in[k]->value)))
            slope_fail("gradcheck", "inputs %d and %d share memory, so neither can be changed "
                       "alone; pass a Var once and let the function use it twice",
                       k < i ? k : i, k < i ? i : k);
}

static void check_inputs(Var **in, int n_in)
{
    if (n_in < 1 || n_in >= CHECK_INPUTS)
        slope_fail("gradcheck", "%d inputs; expected 1 to %d", n_in, CHECK_INPUTS - 1);
    for (int i = 0; i < n_in; i++) {
        var_check(in[i], "gradcheck");
        if (in[i]->requires_grad && in[i]->op)
            slope_fail("gradcheck", "input %d is %s; expected a leaf, which the checker can change",
                       i, VAR_TEXT(in[i]));
    }
    for (int i = 0; i < n_in; i++)
        if (in[i]->requires_grad)
            check_alone(in, n_in, i);
}

/* Why a check would prove nothing, or NULL. */
static const char *check_nothing(const Check *c, Shape result)
{
    ptrdiff_t wanted = 0;
    for (int i = 0; i < c->n_in; i++)
        wanted += c->in[i]->requires_grad ? tensor_count(c->in[i]->value) : 0;
    if (wanted == 0)
        return "no input with elements requires a gradient; create one with var_leaf_from";
    return shape_count(result) == 0 ? "the function's result has no elements" : NULL;
}

GradReport gradcheck(GradFunction fn, void *ctx, Var **in, int n_in, GradCheckOptions options)
{
    check_options(&options);
    check_inputs(in, n_in);
    const int order = options.order;
    GradReport report = {0};
    Check c = {.in = in, .n_in = n_in, .options = &options, .report = &report};
    size_t mark = tape_mark();
    Shape result = var_shape(slope_probe_call(&(Probe){.fn = fn, .ctx = ctx, .in = in}));
    tape_rewind(mark);
    c.nothing = check_nothing(&c, result);
    options.order = 1;
    check_run(&c, fn, ctx);
    bool first = order > 1 && report.failures + report.lost > 0;
    if (order > 1 && report.verdict != GRAD_FAIL) {
        report = (GradReport){0};
        options.order = order;
        check_run_second(&c, fn, ctx, result);
    }
    snprintf(report.message, sizeof report.message, "%s: %s%s", grad_verdict_name(report.verdict),
             first ? "at order 1, " : "", c.text);
    return report;
}
