/* nn/linear.c -- y = x weight' + bias.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/init.h"
#include "nn/layers.h"

typedef struct Linear {
    Module    base;
    ptrdiff_t in, out;
    Var      *weight; /* (out, in) */
    Var      *bias;   /* (out), or NULL */
} Linear;

static Var *linear_module_forward(Module *self, Var *x)
{
    const Linear *l = (const Linear *)self;
    Shape s = var_shape(x);
    if (s.ndim < 1 || s.dim[s.ndim - 1] != l->in)
        slope_fail("Linear", "expected an input (...,%td) for '%s', found shape %s%s", l->in,
                   l->weight->name, SHAPE_TEXT(s),
                   s.ndim > 2 && shape_count(s) == s.dim[0] * l->in ? "; put flatten_new() "
                   "before it" : "");
    return var_linear(x, l->weight, l->bias);
}

static void linear_describe(const Module *self, char *text, size_t size)
{
    const Linear *l = (const Linear *)self;
    snprintf(text, size, "%td, %td%s", l->in, l->out, l->bias ? "" : ", no bias");
}

static Module *linear_make(ptrdiff_t in, ptrdiff_t out, bool with_bias, const char *function)
{
    static const ModuleType type = {"Linear", linear_module_forward, linear_describe};
    if (in < 1 || out < 1)
        slope_fail(function, "%td inputs and %td outputs; expected at least 1 of each", in, out);
    shape_check((Shape){2, {out, in}}, function);
    Linear *l = module_new(sizeof *l, &type);
    l->in = in, l->out = out;
    l->weight = module_add_param(&l->base, "weight", tensor_zeros(SHAPE(out, in)));
    if (with_bias)
        l->bias = module_add_param(&l->base, "bias", tensor_zeros(SHAPE(out)));
    Rng rng = random_stream();
    init_default(l->weight, l->bias, &rng);
    return &l->base;
}

Module *linear_new(ptrdiff_t in, ptrdiff_t out)
{
    return linear_make(in, out, true, "linear_new");
}

Module *linear_new_without_bias(ptrdiff_t in, ptrdiff_t out)
{
    return linear_make(in, out, false, "linear_new_without_bias");
}
