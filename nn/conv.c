/* nn/conv.c -- Conv2d and MaxPool2d as modules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/init.h"
#include "nn/layers.h"

/* --- Conv2d ----------------------------------------------------------------------------------- */

typedef struct Conv2dModule {
    Module        base;
    Conv2dOptions options;
    Var          *weight; /* (out, in/groups, R, S) */
    Var          *bias;   /* (out), or NULL */
} Conv2dModule;

static Var *conv2d_module_forward(Module *self, Var *x)
{
    const Conv2dModule *c = (const Conv2dModule *)self;
    return var_conv2d(x, c->weight, c->bias, c->options);
}

static void conv2d_describe(const Module *self, char *text, size_t size)
{
    const Conv2dModule *c = (const Conv2dModule *)self;
    const Conv2dOptions *o = &c->options;
    const ptrdiff_t *w = c->weight->value->shape.dim;
    char stride[64] = "", groups[32] = "";
    if (o->stride[0] > 1 || o->stride[1] > 1)
        snprintf(stride, sizeof stride, ", stride %tdx%td", o->stride[0], o->stride[1]);
    if (o->groups != 1)
        snprintf(groups, sizeof groups, ", %td groups", o->groups);
    snprintf(text, size, "%td, %td, %tdx%td%s%s%s", w[1] * o->groups, w[0], w[2], w[3], stride,
             groups, c->bias ? "" : ", no bias");
}

Conv2dOptions conv2d_padding(ptrdiff_t padding)
{
    Conv2dOptions options = CONV2D_DEFAULTS;
    options.padding[0] = options.padding[1] = padding;
    return options;
}

Module *conv2d_new_with(ptrdiff_t in, ptrdiff_t out, ptrdiff_t kernel_height,
                        ptrdiff_t kernel_width, Conv2dOptions options, bool with_bias)
{
    static const ModuleType type = {"Conv2d", conv2d_module_forward, conv2d_describe};
    if (in < 1 || out < 1 || kernel_height < 1 || kernel_width < 1)
        slope_fail("conv2d_new",
                   "%td channels in, %td out, kernel %td x %td; expected at least 1 of each", in,
                   out, kernel_height, kernel_width);
    if (options.groups == 0) /* left out */
        options.groups = 1;
    if (options.groups < 1 || in % options.groups || out % options.groups)
        slope_fail("conv2d_new", "%td channels in and %td out do not divide into %td groups", in,
                   out, options.groups);
    Conv2dModule *c = module_new(sizeof *c, &type);
    c->options = options;
    c->weight = module_add_param(
        &c->base, "weight",
        tensor_zeros(SHAPE(out, in / options.groups, kernel_height, kernel_width)));
    if (with_bias)
        c->bias = module_add_param(&c->base, "bias", tensor_zeros(SHAPE(out)));
    Rng rng = random_stream();
    init_default(c->weight, c->bias, &rng);
    return &c->base;
}

Module *conv2d_new(ptrdiff_t in, ptrdiff_t out, ptrdiff_t kernel, Conv2dOptions options)
{
    return conv2d_new_with(in, out, kernel, kernel, options, true);
}

/* --- MaxPool2d -------------------------------------------------------------------------------- */

typedef struct MaxPool2d {
    Module        base;
    Pool2dOptions options;
} MaxPool2d;

static Var *max_pool2d_module_forward(Module *self, Var *x)
{
    return var_max_pool2d(x, ((const MaxPool2d *)self)->options);
}

static void max_pool2d_describe(const Module *self, char *text, size_t size)
{
    const Pool2dOptions *o = &((const MaxPool2d *)self)->options;
    snprintf(text, size, "%tdx%td", o->kernel[0], o->kernel[1]);
}

Module *max_pool2d_new_with(Pool2dOptions options)
{
    static const ModuleType type = {"MaxPool2d", max_pool2d_module_forward, max_pool2d_describe};
    MaxPool2d *m = module_new(sizeof *m, &type);
    m->options = options;
    return &m->base;
}

Module *max_pool2d_new(ptrdiff_t kernel)
{
    return max_pool2d_new_with((Pool2dOptions){.kernel = {kernel, kernel}});
}
