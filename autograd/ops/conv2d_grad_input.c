/* conv2d_grad_input -- gx[n,c,h,w] = sum of w[o,c,r,s] g[n,o,p,q] over outputs that read it
 *   shape     g (N,O,P,Q), w (O,C/groups,R,S) -> gx (N,C,H,W), the given shape
 *   backward  with v the gradient of gx:  for g  conv2d(v, w)
 *                                         for w  conv2d_grad_weight(v, g)
 *   care      also known as the transposed convolution
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/conv.h"

static void conv2d_grad_input_forward(Var *y)
{
    tensor_conv2d_grad_input(y->value, y->in[0]->value, y->in[1]->value, y->attr);
}

static void conv2d_grad_input_backward(Var *y, Var *v)
{
    const Conv2d *c = y->attr;
    Var *g = y->in[0], *w = y->in[1];
    SEND(g, var_conv2d(v, w, NULL, c->o));
    SEND(w, var_conv2d_grad_weight(v, g, var_shape(w), c->o));
}

static Var *conv2d_grad_input_sample(Var **in)
{
    Conv2dOptions o = {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2};
    return var_conv2d_grad_input(in[0], in[1], SHAPE(2, 4, 5, 4), o);
}

const Op op_conv2d_grad_input = {
    .name = "conv2d_grad_input",
    .forward = conv2d_grad_input_forward,
    .backward = conv2d_grad_input_backward,
    .sample = {.call = conv2d_grad_input_sample, .n_in = 2,
               .in = {{.shape = {4, {2, 2, 3, 6}}, .low = -2, .high = 2},
                      {.shape = {4, {2, 2, 3, 2}}, .low = -2, .high = 2}}},
};

Var *var_conv2d_grad_input(Var *g, Var *w, Shape x, Conv2dOptions options)
{
    var_check(g, "var_conv2d_grad_input"), var_check(w, "var_conv2d_grad_input");
    shape_check(x, "var_conv2d_grad_input");
    Conv2d c = tensor_conv2d_plan(x, var_shape(w), options, w->name,
                                  "var_conv2d_grad_input");
    if (!shape_equal(var_shape(g), SHAPE(c.N, c.O, c.P, c.Q)))
        slope_fail("var_conv2d_grad_input",
                   "the gradient has shape %s, but for input %s and weight %s the output has "
                   "shape %s",
                   SHAPE_TEXT(var_shape(g)), SHAPE_TEXT(x), SHAPE_TEXT(var_shape(w)),
                   SHAPE_TEXT(SHAPE(c.N, c.O, c.P, c.Q)));
    return var_apply_with(&op_conv2d_grad_input, x, VARS(var_contiguous(g), var_contiguous(w)), &c,
                          sizeof c);
}
