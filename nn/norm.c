/* nn/norm.c -- BatchNorm1d, BatchNorm2d and Dropout, which differ in training and evaluation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
#include "nn/check.h"
#include "nn/layers.h"
#include "tensor/check.h"

/* --- batch normalisation ---------------------------------------------------------------------- */

const BatchNormOptions BATCH_NORM_DEFAULTS = {
    .momentum = (real)0.1, .eps = (real)1e-5, .affine = true, .from_defaults = true};

typedef struct BatchNorm {
    Module           base;
    BatchNormOptions options;
    ptrdiff_t        channels;
    int              least_ndim, most_ndim;   /* of the input */
    Var             *weight, *bias;           /* (C), or NULL */
    Tensor          *running_mean, *running_var; /* (C) */
    int64_t         *num_batches_tracked;
} BatchNorm;

/* running <- (1 - m) running + m scale batch */
static void batch_norm_move(Tensor *running, const Tensor *batch, double m, double scale)
{
    real *r = tensor_write(running);
    const real *x = tensor_read(batch);
    for (ptrdiff_t c = 0; c < tensor_count(running); c++)
        r[c] = (real)((1 - m) * (double)r[c] + m * scale * (double)x[c]);
}

/* n / (n-1) makes the variance of n values unbiased. n is at least 2, because
 * var_batch_norm_named refuses fewer. */
static void batch_norm_track(BatchNorm *b, const Tensor *mean, const Tensor *var, ptrdiff_t n)
{
    double m = (double)b->options.momentum;
    batch_norm_move(b->running_mean, mean, m, 1);
    batch_norm_move(b->running_var, var, m, (double)n / (double)(n - 1));
    ++*b->num_batches_tracked;
}

static Var *batch_norm_train(BatchNorm *b, Var *x)
{
    Var *y = var_batch_norm_named(x, b->weight, b->bias, b->options.eps, b->base.type->name);
    ptrdiff_t n = tensor_count(x->value) / b->channels;
    batch_norm_track(b, var_output(y, 1)->value, var_output(y, 2)->value, n);
    return y;
}

/* y = (x - running_mean) w / sqrt(running_var + eps) + b. The running statistics are copied, so
 * that further training does not change a graph that was recorded here. */
static Var *batch_norm_eval(const BatchNorm *b, Var *x)
{
    Shape channels = shape_channels(var_shape(x));
    Var *mean = var_empty(channels), *var = var_empty(channels);
    Tensor from_mean = tensor_as(b->running_mean, channels),
           from_var = tensor_as(b->running_var, channels);
    tensor_copy(mean->value, &from_mean);
    tensor_copy(var->value, &from_var);
    Var *scale = var_pow(var_add_scalar(var, b->options.eps), -(real)0.5);
    if (!b->weight)
        return var_mul(var_sub(x, mean), scale);
    scale = var_mul(scale, var_reshape(b->weight, channels));
    return var_add(var_mul(var_sub(x, mean), scale), var_reshape(b->bias, channels));
}

static Var *batch_norm_forward_module(Module *self, Var *x)
{
    BatchNorm *b = (BatchNorm *)self;
    Shape s = var_shape(x);
    if (s.ndim < b->least_ndim || s.ndim > b->most_ndim || s.dim[1] != b->channels)
        slope_fail(self->type->name, "expected an input %s with %td channels on axis 1%s%s, found "
                   "shape %s", b->most_ndim == 4 ? "(N,C,H,W)" : "(N,C) or (N,C,L)", b->channels,
                   b->weight ? " for" : "", QUOTED(b->weight ? b->weight->name : ""),
                   SHAPE_TEXT(s));
    return self->training ? batch_norm_train(b, x) : batch_norm_eval(b, x);
}

static void batch_norm_describe(const Module *self, char *text, size_t size)
{
    snprintf(text, size, "%td", ((const BatchNorm *)self)->channels);
}

static Module *batch_norm_make(const ModuleType *type, ptrdiff_t channels, BatchNormOptions options,
                               int least_ndim, int most_ndim, const char *function)
{
    if (channels < 1)
        slope_fail(function, "%td channels; expected at least 1", channels);
    if (!options.from_defaults)
        slope_fail(function, "options left out are 0, which is not the usual momentum or eps; "
                   "start with BatchNormOptions o = BATCH_NORM_DEFAULTS;");
    if (!(options.momentum >= 0 && options.momentum <= 1) || !(options.eps >= 0))
        slope_fail(function, "momentum %g and eps %g; expected a momentum from 0 to 1 and an eps "
                   "of 0 or more", (double)options.momentum, (double)options.eps);
    BatchNorm *b = module_new(sizeof *b, type);
    b->options = options, b->channels = channels;
    b->least_ndim = least_ndim, b->most_ndim = most_ndim;
    if (options.affine) {
        b->weight = module_add_param(&b->base, "weight", tensor_full(SHAPE(channels), 1));
        b->bias = module_add_param(&b->base, "bias", tensor_zeros(SHAPE(channels)));
    }
    b->running_mean = module_add_buffer(&b->base, "running_mean", tensor_zeros(SHAPE(channels)));
    b->running_var = module_add_buffer(&b->base, "running_var", tensor_full(SHAPE(channels), 1));
    b->num_batches_tracked = module_add_counter(&b->base, "num_batches_tracked");
    return &b->base;
}

bool slope_module_is_batch_norm(const Module *m)
{
    return m->type->forward == batch_norm_forward_module;
}

static Module *batch_norm1d_make(ptrdiff_t channels, BatchNormOptions options, const char *function)
{
    static const ModuleType type = {"BatchNorm1d", batch_norm_forward_module, batch_norm_describe};
    return batch_norm_make(&type, channels, options, 2, 3, function);
}

static Module *batch_norm2d_make(ptrdiff_t channels, BatchNormOptions options, const char *function)
{
    static const ModuleType type = {"BatchNorm2d", batch_norm_forward_module, batch_norm_describe};
    return batch_norm_make(&type, channels, options, 4, 4, function);
}

Module *batch_norm1d_new_with(ptrdiff_t channels, BatchNormOptions options)
{
    return batch_norm1d_make(channels, options, "batch_norm1d_new_with");
}

Module *batch_norm2d_new_with(ptrdiff_t channels, BatchNormOptions options)
{
    return batch_norm2d_make(channels, options, "batch_norm2d_new_with");
}

Module *batch_norm1d_new(ptrdiff_t channels)
{
    return batch_norm1d_make(channels, BATCH_NORM_DEFAULTS, "batch_norm1d_new");
}

Module *batch_norm2d_new(ptrdiff_t channels)
{
    return batch_norm2d_make(channels, BATCH_NORM_DEFAULTS, "batch_norm2d_new");
}

/* --- dropout ---------------------------------------------------------------------------------- */

typedef struct Dropout {
    Module base;
    real   p;
    Rng   *rng;
} Dropout;

/* The seed and the module select the random stream, the step and the position a word in it: each
 * forward in training advances the stream by as many words as its mask
 * needs, one per two elements. */
static Var *dropout_forward_module(Module *self, Var *x)
{
    Dropout *d = (Dropout *)self;
    if (!self->training || d->p == 0)
        return x;
    Var *y = var_dropout(x, d->p, *d->rng);
    d->rng->position += ((uint64_t)tensor_count(x->value) + 1) / 2;
    return y;
}

static void dropout_describe(const Module *self, char *text, size_t size)
{
    snprintf(text, size, "%g", (double)((const Dropout *)self)->p);
}

Module *dropout_new(real p)
{
    static const ModuleType type = {"Dropout", dropout_forward_module, dropout_describe};
    if (!(p >= 0 && p <= 1))
        slope_fail("dropout_new", "the probability is %g; expected a number from 0 to 1",
                   (double)p);
    Dropout *d = module_new(sizeof *d, &type);
    d->p = p;
    d->rng = module_add_rng(&d->base, "rng", random_stream());
    return &d->base;
}
