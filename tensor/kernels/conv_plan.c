/* tensor/kernels/conv_plan.c -- checks the shapes and options of a convolution and computes its
 * sizes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/conv.h"

#include "tensor/check.h"

/* The largest kernel, stride, padding or dilation, since some rows of the padded image must fit
 * into memory. */
#define CONV_MOST ((ptrdiff_t)1 << 20)

const Conv2dOptions CONV2D_DEFAULTS = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};

Conv2dOptions tensor_conv2d_options(Conv2dOptions o, const char *function)
{
    if (o.stride[0] == 0 && o.stride[1] == 0)
        o.stride[0] = o.stride[1] = 1;
    if (o.dilation[0] == 0 && o.dilation[1] == 0)
        o.dilation[0] = o.dilation[1] = 1;
    if (o.groups == 0)
        o.groups = 1;
    for (int i = 0; i < 2; i++) {
        if (o.stride[i] < 1 || o.padding[i] < 0 || o.dilation[i] < 1)
            slope_fail(function, "stride (%td, %td), padding (%td, %td), dilation (%td, %td): "
                       "expected a stride and a dilation of 1 or more and a padding of 0 or "
                       "more%s", o.stride[0], o.stride[1], o.padding[0], o.padding[1],
                       o.dilation[0], o.dilation[1],
                       PAIR_HINT(o.stride[1] == 0 || o.dilation[1] == 0));
        if (o.stride[i] > CONV_MOST || o.padding[i] > CONV_MOST || o.dilation[i] > CONV_MOST)
            slope_fail(function, "stride %td, padding %td or dilation %td is too large; expected "
                       "at most %td", o.stride[i], o.padding[i], o.dilation[i], CONV_MOST);
    }
    if (o.groups < 1)
        slope_fail(function, "%td groups; expected 1 or more", o.groups);
    return o;
}

static void conv_check_channels(Shape x, Shape w, Conv2dOptions o, const char *name,
                                const char *function)
{
    if (x.ndim != 4 || w.ndim != 4)
        slope_fail(function, "input %s and weight%s %s: expected (N,C,H,W) and (O,C/groups,R,S)",
                   SHAPE_TEXT(x), QUOTED(name), SHAPE_TEXT(w));
    if (x.dim[1] % o.groups || w.dim[0] % o.groups)
        slope_fail(function, "input %s and weight%s %s: %td channels in and %td out do not divide "
                   "into %td groups", SHAPE_TEXT(x), QUOTED(name), SHAPE_TEXT(w), x.dim[1],
                   w.dim[0], o.groups);
    if (w.dim[1] != x.dim[1] / o.groups)
        slope_fail(function, "input %s and weight%s %s in %td group(s): the weight's axis 1 "
                   "should be channels / groups = %td / %td = %td", SHAPE_TEXT(x), QUOTED(name),
                   SHAPE_TEXT(w), o.groups, x.dim[1], o.groups, x.dim[1] / o.groups);
}

/* (size + 2 padding - dilation (kernel-1) - 1) / stride + 1 */
static ptrdiff_t conv_output_size(Shape x, Shape w, Conv2dOptions o, int i, const char *name,
                                  const char *function)
{
    ptrdiff_t size = x.dim[2 + i], kernel = w.dim[2 + i];
    if (kernel < 1)
        slope_fail(function, "weight%s %s has an empty kernel", QUOTED(name), SHAPE_TEXT(w));
    if (kernel > CONV_MOST)
        slope_fail(function, "weight%s %s: kernel %td is too large; expected at most %td",
                   QUOTED(name), SHAPE_TEXT(w), kernel, CONV_MOST);
    ptrdiff_t slack = size + 2 * o.padding[i] - o.dilation[i] * (kernel - 1) - 1;
    if (slack < 0)
        slope_fail(function, "input %s and weight%s %s: along the %s the kernel extends over "
                   "dilation (kernel-1) + 1 = %td, but the padded input has only %td + 2 x %td = "
                   "%td",
                   SHAPE_TEXT(x), QUOTED(name), SHAPE_TEXT(w), i ? "width" : "height",
                   o.dilation[i] * (kernel - 1) + 1, size, o.padding[i], size + 2 * o.padding[i]);
    return slack / o.stride[i] + 1;
}

Conv2d tensor_conv2d_plan(Shape x, Shape w, Conv2dOptions options, const char *name,
                          const char *function)
{
    options = tensor_conv2d_options(options, function);
    conv_check_channels(x, w, options, name, function);
    Conv2d c = {
        .o = options,
        .N = x.dim[0], .C = x.dim[1], .H = x.dim[2], .W = x.dim[3],
        .O = w.dim[0], .R = w.dim[2], .S = w.dim[3],
        .P = conv_output_size(x, w, options, 0, name, function),
        .Q = conv_output_size(x, w, options, 1, name, function),
    };
    shape_check((Shape){4, {c.N, c.O, c.P, c.Q}}, function);
    return c;
}
