/* autograd/probe.c -- a function of Vars around a point: its values, finite differences and their
 * errors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/probe.h"

#include <math.h>
#include <string.h>

#include "tensor/random.h"

Var *slope_cotangent(Shape shape, uint64_t seed, uint64_t stream)
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

/* --- values ----------------------------------------------------------------------------------- */

Var *slope_probe_call(const Probe *p)
{
    Var *y = p->fn(p->in, p->ctx);
    if (!y)
        slope_fail("gradcheck", "the function returned NULL; expected a Var");
    var_check(y, "gradcheck");
    if (p->here && !shape_equal(var_shape(y), p->here->shape))
        slope_fail("gradcheck", "the function returned shape %s, then %s; its shape must not "
                   "depend on the inputs' values", SHAPE_TEXT(p->here->shape),
                   SHAPE_TEXT(var_shape(y)));
    return y;
}

/* Compares the results of two calls with the same inputs, bit by bit. */
static void probe_compare(Probe *p, const Tensor *first, const Tensor *second)
{
    for (ptrdiff_t i = 0, n = tensor_count(first); i < n && !p->differs; i++) {
        real a = tensor_read(first)[i], b = tensor_read(second)[tensor_locate(second, i)];
        p->differs = memcmp(&a, &b, sizeof a) != 0;
        p->twice[0] = (double)a, p->twice[1] = (double)b;
    }
}

/* Writes the result to y; returns the hash of the branches. */
static uint64_t probe_value(Probe *p, Tensor *y)
{
    uint64_t hash = 0;
    size_t mark = tape_mark();
    tensor_copy(y, slope_probe_call(p)->value);
    for (size_t i = mark, end = tape_mark(); i < end; i++) {
        const Var *v = tape_at(i);
        if (v->op && v->op->branch_hash && v->out_index == 0)
            hash = hash * 31 + v->op->branch_hash(v);
    }
    tape_rewind(mark);
    probe_compare(p, y, slope_probe_call(p)->value);
    tape_rewind(mark);
    return hash;
}

Probe slope_probe(GradFunction fn, void *ctx, Var **in, uint64_t seed)
{
    Probe p = {.fn = fn, .ctx = ctx, .in = in};
    size_t mark = tape_mark();
    Shape shape = var_shape(slope_probe_call(&p));
    tape_rewind(mark);
    p.u = slope_cotangent(shape, seed, 1000);
    p.here = var_empty(shape)->value;
    p.branches = probe_value(&p, p.here);
    return p;
}

/* --- differences ------------------------------------------------------------------------------ */

/* <u, to - from>, element by element and in double: elements that do not change add no rounding
 * error. */
static double probe_change(const Probe *p, const Tensor *to, const Tensor *from)
{
    const real *u = tensor_read(p->u->value), *a = tensor_read(to), *b = tensor_read(from);
    double sum = 0;
    for (ptrdiff_t i = 0, n = tensor_count(to); i < n; i++)
        sum += (double)u[i] * ((double)a[i] - (double)b[i]);
    return sum;
}

Difference slope_probe_difference(Probe *p, Tensor *x, ptrdiff_t at, double h)
{
    real before = tensor_read(x)[at];
    volatile real up = (real)((double)before + h), down = (real)((double)before - h); /* rounded */
    double width = (double)up - (double)down;
    size_t mark = tape_mark();
    Tensor *above = var_empty(p->here->shape)->value, *below = var_empty(p->here->shape)->value;
    tensor_write(x)[at] = up;
    uint64_t branches_above = probe_value(p, above);
    tensor_write(x)[at] = down;
    uint64_t branches_below = probe_value(p, below);
    tensor_write(x)[at] = before;
    Difference d = {
        .x = (double)before, .h = h,
        .central = probe_change(p, above, below) / width,
        .left = probe_change(p, p->here, below) / ((double)before - (double)down),
        .right = probe_change(p, above, p->here) / ((double)up - (double)before),
        .rounding = up == before || down == before ? HUGE_VAL : p->rounding / width,
        .kink = branches_above != p->branches || branches_below != p->branches,
    };
    tape_rewind(mark);
    return d;
}

/* --- rounding --------------------------------------------------------------------------------- */

double slope_sum_squares(const Tensor *a, const Tensor *b)
{
    double sum = 0;
    for (ptrdiff_t i = 0, n = tensor_count(a); i < n; i++) {
        double product = (double)tensor_read(a)[tensor_locate(a, i)] *
                         (double)tensor_read(b)[tensor_locate(b, i)];
        sum += isfinite(product * product) ? product * product : 0;
    }
    return sum;
}

double slope_probe_backward(Probe *p, bool retain)
{
    double sum = 0;
    size_t mark = tape_mark();
    Var *y = slope_probe_call(p);
    size_t end = tape_mark();
    probe_compare(p, p->here, y->value);
    for (size_t i = mark; retain && i < end; i++)
        if (tape_at(i)->op && tape_at(i)->value && tape_at(i)->requires_grad)
            var_retain_grad(tape_at(i));
    if (y->requires_grad)
        var_backward_with(y, p->u);
    for (size_t i = mark; retain && i < end; i++)
        if (tape_at(i)->grad)
            sum += slope_sum_squares(tape_at(i)->value, tape_at(i)->grad);
    tape_rewind(mark);
    return sum;
}
