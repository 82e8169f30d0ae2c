/* nn/conv.c -- Conv2d, MaxPool2d and GlobalAvgPool2d as modules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "tensor/check.h"

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
    return var_conv2d_named(x, c->weight, c->bias, c->options, "Conv2d");
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

Conv2dOptions conv2d_stride_padding(ptrdiff_t stride, ptrdiff_t padding)
{
    if (stride < 1) /* in the options, a stride of 0 would mean the default, 1 */
        slope_fail("conv2d_stride_padding", "stride %td, padding %td: expected a stride of at "
                   "least 1", stride, padding);
    Conv2dOptions options = CONV2D_DEFAULTS;
    options.stride[0] = options.stride[1] = stride;
    options.padding[0] = options.padding[1] = padding;
    return options;
}

Conv2dOptions conv2d_padding(ptrdiff_t padding)
{
    return conv2d_stride_padding(1, padding);
}

/* For a square kernel, padding of the height alone is almost always a mistake. */
static void conv_check_padding(const ptrdiff_t kernel[2], const ptrdiff_t padding[2],
                               atomic_bool *warned, const char *function)
{
    if (kernel[0] == kernel[1] && padding[0] > 0 && padding[1] == 0)
        slope_warn_once(warned, function, "padding (%td, 0) for a %tdx%td kernel pads the height "
                        "only%s", padding[0], kernel[0], kernel[1], PAIR_HINT(true));
}

static Module *conv2d_make(ptrdiff_t in, ptrdiff_t out, const ptrdiff_t kernel[2],
                           Conv2dOptions options, bool with_bias, const char *function)
{
    static const ModuleType type = {"Conv2d", conv2d_module_forward, conv2d_describe};
    static atomic_bool warned;
    if (in < 1 || out < 1 || kernel[0] < 1 || kernel[1] < 1)
        slope_fail(function, "%td channels in, %td out, kernel %td x %td; expected at least 1 of "
                   "each", in, out, kernel[0], kernel[1]);
    options = var_conv2d_options(options, function);
    conv_check_padding(kernel, options.padding, &warned, function);
    if (in % options.groups || out % options.groups)
        slope_fail(function, "%td channels in and %td out do not divide into %td groups", in,
                   out, options.groups);
    const Shape weight = {4, {out, in / options.groups, kernel[0], kernel[1]}};
    shape_check(weight, function);
    Conv2dModule *c = module_new(sizeof *c, &type);
    c->options = options;
    c->weight = module_add_param(&c->base, "weight", tensor_zeros(weight));
    if (with_bias)
        c->bias = module_add_param(&c->base, "bias", tensor_zeros(SHAPE(out)));
    Rng rng = random_stream();
    init_default(c->weight, c->bias, &rng);
    return &c->base;
}

Module *conv2d_new_with(ptrdiff_t in, ptrdiff_t out, ptrdiff_t kernel_height,
                        ptrdiff_t kernel_width, Conv2dOptions options, bool with_bias)
{
    const ptrdiff_t kernel[2] = {kernel_height, kernel_width};
    return conv2d_make(in, out, kernel, options, with_bias, "conv2d_new_with");
}

Module *conv2d_new(ptrdiff_t in, ptrdiff_t out, ptrdiff_t kernel, Conv2dOptions options)
{
    const ptrdiff_t square[2] = {kernel, kernel};
    return conv2d_make(in, out, square, options, true, "conv2d_new");
}

/* --- MaxPool2d -------------------------------------------------------------------------------- */

typedef struct MaxPool2d {
    Module        base;
    Pool2dOptions options;
} MaxPool2d;

static Var *max_pool2d_module_forward(Module *self, Var *x)
{
    return var_max_pool2d_named(x, ((const MaxPool2d *)self)->options, "MaxPool2d");
}

static void max_pool2d_describe(const Module *self, char *text, size_t size)
{
    const Pool2dOptions *o = &((const MaxPool2d *)self)->options;
    snprintf(text, size, "%tdx%td", o->kernel[0], o->kernel[1]);
}

static Module *max_pool2d_make(Pool2dOptions options, const char *function)
{
    static const ModuleType type = {"MaxPool2d", max_pool2d_module_forward, max_pool2d_describe};
    static atomic_bool warned;
    options = var_max_pool2d_options(options, function);
    conv_check_padding(options.kernel, options.padding, &warned, function);
    MaxPool2d *m = module_new(sizeof *m, &type);
    m->options = options;
    return &m->base;
}

Module *max_pool2d_new_with(Pool2dOptions options)
{
    return max_pool2d_make(options, "max_pool2d_new_with");
}

Module *max_pool2d_new(ptrdiff_t kernel)
{
    return max_pool2d_make((Pool2dOptions){.kernel = {kernel, kernel}}, "max_pool2d_new");
}

/* --- GlobalAvgPool2d -------------------------------------------------------------------------- */

static Var *global_avg_pool2d_forward(Module *self, Var *x)
{
    (void)self;
    Shape s = var_shape(x);
    if (s.ndim != 4)
        slope_fail("GlobalAvgPool2d", "the input has shape %s; expected (N,C,H,W)", SHAPE_TEXT(s));
    if (s.dim[2] == 0 || s.dim[3] == 0)
        slope_fail("GlobalAvgPool2d", "the images of input %s have no pixels to average",
                   SHAPE_TEXT(s));
    return var_mean(x, AXES(2, 3), false);
}

Module *global_avg_pool2d_new(void)
{
    static const ModuleType type = {"GlobalAvgPool2d", global_avg_pool2d_forward, NULL};
    return module_new(sizeof(Module), &type);
}
