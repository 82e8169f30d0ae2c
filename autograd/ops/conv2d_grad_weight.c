/* conv2d_grad_weight ----- gw[o,c,r,s] = sum of g[n,o,p,q] x[n,c,h,w] over n,p,q
 *   shape     x (N,C,H,W), g (N,O,P,Q) -> gw (O,C/groups,R,S), the given shape
 *   backward  with v the gradient of gw:  for x  conv2d_grad_input(g, v)
 *                                         for g  conv2d(x, v)
 *   kernel    tensor/kernels/conv_weight.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/conv.h"

static void conv2d_grad_weight_forward(Var *y)
{
    tensor_conv2d_grad_weight(y->value, NULL, y->in[0]->value, y->in[1]->value, y->attr);
}

static void conv2d_grad_weight_backward(Var *y, Var *v)
{
    const Conv2d *c = y->attr;
    Var *x = y->in[0], *g = y->in[1];
    SEND(x, var_conv2d_grad_input(g, v, var_shape(x), c->o));
    SEND(g, var_conv2d(x, v, NULL, c->o));
}

static Var *conv2d_grad_weight_sample(Var **in)
{
    Conv2dOptions o = {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2};
    return var_conv2d_grad_weight(in[0], in[1], SHAPE(2, 2, 3, 2), o);
}

const Op op_conv2d_grad_weight = {
    .name = "conv2d_grad_weight",
    .forward = conv2d_grad_weight_forward,
    .backward = conv2d_grad_weight_backward,
    .sample = {.call = conv2d_grad_weight_sample, .n_in = 2,
               .in = {{.shape = {4, {2, 4, 5, 4}}, .low = -2, .high = 2},
                      {.shape = {4, {2, 2, 3, 6}}, .low = -2, .high = 2}}},
};

Var *var_conv2d_grad_weight(Var *x, Var *g, Shape w, Conv2dOptions options)
{
    var_check(x, "var_conv2d_grad_weight"), var_check(g, "var_conv2d_grad_weight");
    shape_check(w, "var_conv2d_grad_weight");
    Conv2d c = tensor_conv2d_plan(var_shape(x), w, options, "", "var_conv2d_grad_weight");
    if (!shape_equal(var_shape(g), SHAPE(c.N, c.O, c.P, c.Q)))
        slope_fail("var_conv2d_grad_weight",
                   "the gradient has shape %s, but for input %s and weight %s the output has "
                   "shape %s",
                   SHAPE_TEXT(var_shape(g)), SHAPE_TEXT(var_shape(x)), SHAPE_TEXT(w),
                   SHAPE_TEXT(SHAPE(c.N, c.O, c.P, c.Q)));
    return var_apply_with(&op_conv2d_grad_weight, w, VARS(var_contiguous(x), var_contiguous(g)), &c,
                          sizeof c);
}
