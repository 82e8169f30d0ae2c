/* autograd/gradcheck.c -- is the gradient the derivative?
 *
 * A random cotangent u reduces the function's result to one number, f(in) = <u, fn(in)>, so that a
 * permuted or partly summed gradient cannot hide (with u = 1 it could). For one coordinate x of an
 * input, with the step as rounded to floating point,
 *
 *      central  (f(x+h) - f(x-h)) / ((x+h) - (x-h))     error about h^2 |f'''| / 6 + eps |f| / h
 *      left     (f(x) - f(x-h)) / (x - (x-h))
 *      right    (f(x+h) - f(x)) / ((x+h) - x)
 *
 * Away from kinks the gradient must equal the central difference. If the ops took different
 * branches at x-h, x and x+h, a kink lies within the step: the central difference is a mixture of
 * two slopes, and the gradient must lie between left and right.
 *
 * Second order: the function checked is the gradient itself, <v, d<u,fn>/din>, recorded with
 * CREATE_GRAPH, as a function of the inputs and of u. At a kink its one-sided differences are 0 or
 * of order 1/h, so a coordinate there is counted but not judged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/gradcheck.h"

#include <math.h>

#include "autograd/record.h"
#include "tensor/memory.h"
#include "tensor/random.h"

enum { CHECK_INPUTS = 16 };

/* The function being checked, and where its random numbers come from. */
typedef struct Check {
    GradFunction fn;
    void        *ctx;
    Var        **in;
    int          n_in;
    uint64_t     seed;
    const GradCheckOptions *options;
    GradReport  *report;
} Check;

const char *grad_verdict_name(GradVerdict verdict)
{
    static const char *const names[] = {"PASS", "KINK", "FAIL"};
    return names[verdict];
}

/* --- the function as one number --------------------------------------------------------------- */

/* Constants of magnitude 0.5 … 1.5 and either sign: none is near 0, so
 * no element goes unnoticed. */
static Var *check_cotangent(Shape shape, uint64_t seed, uint64_t stream)
{
    Rng rng = rng_new(seed, stream);
    Var *u = var_empty(shape);
    real *p = tensor_write(u->value);
    for (ptrdiff_t i = 0, n = tensor_count(u->value); i < n; i++) {
        real magnitude = (real)0.5 + rng_uniform(&rng);
        p[i] = rng_next(&rng) & 1 ? magnitude : -magnitude;
    }
    return u;
}

static Var *check_apply(const Check *c)
{
    Var *y = c->fn(c->in, c->ctx);
    return var_dot(y, check_cotangent(var_shape(y), c->seed, 1000));
}

typedef struct Probe {
    double   f;
    uint64_t branch_hash; /* of all ops that ran */
} Probe;

static Probe check_probe(const Check *c)
{
    size_t mark = tape_mark();
    Probe s = {.f = (double)var_item(check_apply(c))};
    for (size_t i = mark, end = tape_mark(); i < end; i++) {
        const Var *v = tape_at(i);
        if (v->op && v->op->branch_hash && v->out_index == 0)
            s.branch_hash = s.branch_hash * 31 + v->op->branch_hash(v);
    }
    tape_rewind(mark);
    return s;
}

/* --- one coordinate --------------------------------------------------------------------------- */

/* The finite differences at one coordinate. */
typedef struct Difference {
    double central, left, right;
    bool   kink; /* the ops' branches differ within the step */
} Difference;

static Difference check_difference(const Check *c, Tensor *x, ptrdiff_t at)
{
    real before = tensor_read(x)[at], h = (real)c->options->h;
    volatile real up = before + h, down = before - h; /* x+h and x-h as rounded */
    Probe here = check_probe(c);
    tensor_write(x)[at] = up;
    Probe above = check_probe(c);
    tensor_write(x)[at] = down;
    Probe below = check_probe(c);
    tensor_write(x)[at] = before;
    return (Difference){
        .central = (above.f - below.f) / ((double)up - (double)down),
        .left = (here.f - below.f) / ((double)before - (double)down),
        .right = (above.f - here.f) / ((double)up - (double)before),
        .kink = above.branch_hash != here.branch_hash || below.branch_hash != here.branch_hash,
    };
}

static bool check_is_close(const GradCheckOptions *o, double analytic, double numeric)
{
    return fabs(analytic - numeric) <= o->atol + o->rtol * fabs(numeric);
}

static GradVerdict check_judge(const GradCheckOptions *o, double analytic, const Difference *d)
{
    if (!d->kink)
        return check_is_close(o, analytic, d->central) ? GRAD_PASS : GRAD_FAIL;
    double low = fmin(d->left, d->right), high = fmax(d->left, d->right);
    bool between = analytic >= low - o->atol - o->rtol * fabs(low) &&
                   analytic <= high + o->atol + o->rtol * fabs(high);
    return between || o->order > 1 ? GRAD_KINK : GRAD_FAIL;
}

static void check_count(const Check *c, int input, ptrdiff_t i, double analytic,
                        const Difference *d)
{
    GradReport *r = c->report;
    GradVerdict verdict = check_judge(c->options, analytic, d);
    r->checked++;
    r->nonzero += analytic != 0;
    r->kinks += verdict == GRAD_KINK;
    r->failures += verdict == GRAD_FAIL;
    double error = fabs(analytic - d->central);
    if (!d->kink && !(error <= r->worst))
        r->worst = error;
    if (verdict == GRAD_FAIL && r->failures == 1)
        snprintf(r->message, sizeof r->message, "input %d, element %td: the gradient is %.9g, but "
                 "finite differences give %.9g (left %.9g, right %.9g%s)", input, i, analytic,
                 d->central, d->left, d->right, d->kink ? ", a kink lies between" : "");
    if (c->options->trace)
        fprintf(c->options->trace, "%s  input %d element %td  analytic %+.9e  central %+.9e  left "
                "%+.9e  right %+.9e\n", grad_verdict_name(verdict), input, i, analytic, d->central,
                d->left, d->right);
}

/* --- all coordinates -------------------------------------------------------------------------- */

/* Writes the tape's gradients to `gradient`, for the caller to free. var_backward adds them to a
 * ->grad that holds a known number, which is then subtracted, so `=` in
 * place of `+=` would show. */
static void check_analytic(const Check *c, Tensor **gradient)
{
    const real start = (real)0.125;
    Tensor *kept[CHECK_INPUTS];
    size_t mark = tape_mark();
    Var *f = check_apply(c), *minus_start = var_scalar(-start);
    for (int i = 0; i < c->n_in; i++) {
        kept[i] = c->in[i]->grad;
        c->in[i]->grad = c->in[i]->requires_grad ? tensor_full(var_shape(c->in[i]), start) : NULL;
    }
    if (f->requires_grad)
        var_backward(f);
    for (int i = 0; i < c->n_in; i++) {
        gradient[i] = c->in[i]->grad;
        c->in[i]->grad = kept[i];
        if (gradient[i])
            tensor_add(gradient[i], gradient[i], minus_start->value);
    }
    tape_rewind(mark);
}

static void check_conclude(const Check *c)
{
    GradReport *r = c->report;
    if (r->failures > 0) {
        r->verdict = GRAD_FAIL;
    } else if ((double)r->kinks > c->options->max_kinks * (double)r->checked) {
        r->verdict = GRAD_FAIL;
        snprintf(r->message, sizeof r->message,
                 "%ld of %ld coordinates lie at a kink, more than %g "
                 "percent; move the inputs away from it or use a smaller step",
                 r->kinks, r->checked, 100 * c->options->max_kinks);
    } else {
        r->verdict = r->kinks ? GRAD_KINK : GRAD_PASS;
        snprintf(r->message, sizeof r->message, "%ld coordinates agree, %ld at a kink between the "
                 "left and the right slope, largest error %.2g", r->checked - r->kinks, r->kinks,
                 r->worst);
    }
}

static void check_run(const Check *c)
{
    Tensor *gradient[CHECK_INPUTS];
    check_analytic(c, gradient);
    for (int k = 0; k < c->n_in; k++) {
        Tensor *x = c->in[k]->value;
        for (ptrdiff_t i = 0, n = tensor_count(x); gradient[k] && i < n; i++) {
            Difference d = check_difference(c, x, tensor_locate(x, i));
            check_count(c, k, i, (double)tensor_read(gradient[k])[i], &d);
        }
        tensor_free(gradient[k]);
    }
    check_conclude(c);
}

/* --- second order ----------------------------------------------------------------------------- */

/* For check_second, whose inputs are those of fn and then the cotangent u of its result. */
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
    if (!y->requires_grad)
        return total;
    var_grad_with(y, u, x, n, CREATE_GRAPH, g);
    for (int i = 0; i < n; i++)
        if (g[i])
            total = var_add(total,
                            var_dot(g[i], check_cotangent(var_shape(g[i]), s->seed, (uint64_t)i)));
    return total;
}

static void check_run_second(const Check *c)
{
    Second second = {.fn = c->fn, .ctx = c->ctx, .n_in = c->n_in, .seed = c->seed};
    Var *in[CHECK_INPUTS + 1];
    for (int i = 0; i < c->n_in; i++)
        in[i] = c->in[i];
    size_t mark = tape_mark();
    Var *y = c->fn(in, c->ctx);
    in[c->n_in] = var_leaf(check_cotangent(var_shape(y), c->seed, 500)->value);
    Check outer = *c;
    outer.fn = check_second, outer.ctx = &second;
    outer.in = in, outer.n_in = c->n_in + 1;
    check_run(&outer);
    tape_rewind(mark);
}

/* --- the public functions --------------------------------------------------------------------- */

GradReport gradcheck(GradFunction fn, void *ctx, Var **in, int n_in, GradCheckOptions options)
{
    if (n_in < 1 || n_in >= CHECK_INPUTS)
        slope_fail("gradcheck", "%d inputs; expected 1 to %d", n_in, CHECK_INPUTS - 1);
    for (int i = 0; i < n_in; i++) {
        var_check(in[i], "gradcheck");
        if (in[i]->requires_grad && in[i]->op)
            slope_fail("gradcheck", "input %d is %s; expected a leaf, which the checker can change",
                       i, VAR_TEXT(in[i]));
    }
    GradReport report = {0};
    Check c = {.fn = fn, .ctx = ctx, .in = in, .n_in = n_in, .seed = options.seed,
               .options = &options, .report = &report};
    if (options.order > 1)
        check_run_second(&c);
    else
        check_run(&c);
    return report;
}

static real op_sample_number(Rng *rng, const OpSampleInput *d)
{
    real number = d->low + (d->high - d->low) * rng_uniform(rng);
    return d->both_signs && rng_next(rng) & 1 ? -number : number;
}

void op_sample_inputs(const OpSample *sample, uint64_t seed, Var **in)
{
    for (int k = 0; k < sample->n_in; k++) {
        Rng rng = rng_new(seed, (uint64_t)k);
        Var *x = var_empty(sample->in[k].shape);
        x->requires_grad = true;
        real *p = tensor_write(x->value);
        for (ptrdiff_t i = 0, n = tensor_count(x->value); i < n; i++)
            p[i] = op_sample_number(&rng, &sample->in[k]);
        in[k] = x;
    }
}

static Var *op_sample_call(Var **in, void *ctx)
{
    const Op *op = ctx;
    return op->sample.call(in);
}

GradReport op_check(const Op *op, GradCheckOptions options)
{
    if (!op->sample.call)
        slope_fail("op_check", "op '%s' has no sample, which op_check needs to call it", op->name);
    Var *in[OP_SAMPLE_INPUTS];
    size_t mark = tape_mark();
    op_sample_inputs(&op->sample, options.seed, in);
    GradReport report = gradcheck(op_sample_call, (void *)(uintptr_t)op, in, op->sample.n_in,
                                  options);
    tape_rewind(mark);
    return report;
}
