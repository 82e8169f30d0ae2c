/* autograd/op_check.c -- the gradient check of an op, on inputs that its sample describes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/gradcheck.h"
#include "tensor/random.h"

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

static void op_check_sample(const Op *op)
{
    const OpSample *s = &op->sample;
    if (!s->call)
        slope_fail("op_check", "op '%s' has no sample, which op_check needs to call it", op->name);
    if (s->n_in < 1 || s->n_in > OP_SAMPLE_INPUTS)
        slope_fail("op_check", "the sample of op '%s' has n_in = %d; expected 1 to %d", op->name,
                   s->n_in, OP_SAMPLE_INPUTS);
    for (int k = 0; k < s->n_in; k++)
        if (!(s->in[k].low < s->in[k].high))
            slope_fail("op_check", "in the sample of op '%s' input %d is drawn from %g to %g; "
                       "expected .low below .high", op->name, k, (double)s->in[k].low,
                       (double)s->in[k].high);
}

static Var *op_sample_call(Var **in, void *ctx)
{
    const Op *op = ctx;
    return op->sample.call(in);
}

GradReport op_check(const Op *op, GradCheckOptions options)
{
    op_check_sample(op);
    Var *in[OP_SAMPLE_INPUTS];
    size_t mark = tape_mark();
    op_sample_inputs(&op->sample, options.seed, in);
    GradReport named, report = gradcheck(op_sample_call, (void *)(uintptr_t)op, in,
                                         op->sample.n_in, options);
    tape_rewind(mark);
    named = report;
    snprintf(named.message, sizeof named.message, "%.60s: %.330s", op->name, report.message);
    return named;
}
