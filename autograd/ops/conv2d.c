/* conv2d -------------- y[n,o,p,q] = b[o] + sum of w[o,c,r,s] x[n,c,h,w] over c,r,s
 *   where     h = p sh - ph + r dh, w = q sw - pw + s dw; outside the image x is 0
 *   shape     x (N,C,H,W), w (O,C/groups,R,S), b (O) or NULL -> y (N,O,P,Q);
 *             see tensor/kernels/conv.h
 *   backward  gx = conv2d_grad_input(gy, w), gw = conv2d_grad_weight(x, gy),
 *             gb = gy summed over N, P and Q
 *   care      linear in x and in w: the rules of conv2d, conv2d_grad_input and conv2d_grad_weight
 *             are made of one another, so all can be differentiated any number of times. If the
 *             rule is not being recorded, gw and gb are computed in one pass over gy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
#include "autograd/op.h"
#include "autograd/record.h"
#include "tensor/kernels/conv.h"

static void conv2d_forward(Var *y)
{
    const Tensor *b = y->n_in > 2 ? y->in[2]->value : NULL;
    tensor_conv2d(y->value, y->in[0]->value, y->in[1]->value, b, y->attr);
}

/* Computes gw and gb in one pass over gy. */
static void conv2d_fused(Var *y, Var *gy)
{
    Var *x = y->in[0], *w = y->in[1], *b = y->in[2];
    Var *g = var_contiguous(gy), *gw = var_empty(var_shape(w));
    Var *gb = var_needs_grad(b) ? var_empty(var_shape(b)) : NULL;
    tensor_conv2d_grad_weight(gw->value, gb ? gb->value : NULL, x->value, g->value, y->attr);
    var_send(w, gw);
    if (gb)
        var_send(b, gb);
}

static void conv2d_backward(Var *y, Var *gy)
{
    const Conv2d *c = y->attr;
    Var *x = y->in[0], *w = y->in[1];
    SEND(x, var_conv2d_grad_input(gy, w, var_shape(x), c->o));
    if (y->n_in > 2 && var_needs_grad(w) && !grad_enabled() && !tape_anomaly_mode()) {
        conv2d_fused(y, gy);
        return;
    }
    SEND(w, var_conv2d_grad_weight(x, gy, var_shape(w), c->o));
    if (y->n_in > 2)
        SEND(y->in[2], var_sum(gy, AXES(0, 2, 3), false));
}

static Var *conv2d_sample(Var **in)
{
    Conv2dOptions o = {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2};
    return var_conv2d(in[0], in[1], in[2], o);
}

const Op op_conv2d = {
    .name = "conv2d",
    .forward = conv2d_forward,
    .backward = conv2d_backward,
    .sample = {.call = conv2d_sample, .n_in = 3,
               .in = {{.shape = {4, {2, 4, 5, 4}}, .low = -2, .high = 2},
                      {.shape = {4, {2, 2, 3, 2}}, .low = -2, .high = 2},
                      {.shape = {1, {2}}, .low = -2, .high = 2}}},
};

Conv2dOptions var_conv2d_options(Conv2dOptions options, const char *function)
{
    return tensor_conv2d_options(options, function);
}

Var *var_conv2d_named(Var *x, Var *w, Var *b, Conv2dOptions options, const char *function)
{
    var_check(x, function), var_check(w, function);
    Conv2d c = tensor_conv2d_plan(var_shape(x), var_shape(w), options, w->name, function);
    if (b)
        var_check(b, function);
    if (b && !shape_equal(var_shape(b), SHAPE(c.O)))
        slope_fail(function, "the bias has shape %s; expected one element for each of the %td "
                   "output channels", SHAPE_TEXT(var_shape(b)), c.O);
    Shape out = SHAPE(c.N, c.O, c.P, c.Q);
    x = var_contiguous(x), w = var_contiguous(w);
    if (!b)
        return var_apply_with(&op_conv2d, out, VARS(x, w), &c, sizeof c);
    return var_apply_with(&op_conv2d, out, VARS(x, w, var_contiguous(b)), &c, sizeof c);
}

Var *var_conv2d(Var *x, Var *w, Var *b, Conv2dOptions options)
{
    return var_conv2d_named(x, w, b, options, "var_conv2d");
}
