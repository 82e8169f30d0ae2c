/* prelu_backward ---------- gx = g if x > 0, else a g;  ga = sum of x g, x <= 0
 *   shape     gx, x and g (N,C,...), ga and a (C), (1) or ()
 *   backward  with v and w the gradients of gx and ga, and w broadcast along the channels:
 *               for g   v where x > 0, else a v + w x      (the v terms by the same kernel)
 *               for a   sum of v g over x <= 0
 *               for x   w g where x <= 0, else 0
 *   care      one pass over memory computes both outputs. It is an op with its own rule so that
 *             PReLU's gradient can be differentiated again: d2y/dx da = 1 for x <= 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/activation.h"

static void prelu_backward_forward(Var *y)
{
    Var *x = y->in[0], *a = y->in[1], *g = y->in[2];
    tensor_prelu_backward(y->value, var_output(y, 1)->value, x->value, a->value, g->value);
}

/* The shape in which slopes broadcast along axis 1 of x; () for a shared slope, because x may be a
 * scalar. */
static Shape prelu_spread_shape(Shape x, Shape a)
{
    return shape_count(a) == 1 ? SHAPE_SCALAR : shape_channels(x);
}

static void prelu_backward_backward(Var *y, Var *const *gy)
{
    Var *x = y->in[0], *a = y->in[1], *g = y->in[2], *v = gy[0], *w = gy[1];
    Shape spread = prelu_spread_shape(var_shape(x), var_shape(a));
    Var *right = var_is_positive(x), *zero = var_scalar(0);
    if (v) {
        SEND(g, var_prelu_backward(x, a, v, true, false));
        SEND(a,
             var_reshape(var_sum_to(var_where(right, zero, var_mul(v, g)), spread), var_shape(a)));
    }
    if (w) {
        Var *w_spread = var_reshape(w, spread);
        SEND(g, var_where(right, zero, var_mul(w_spread, x)));
        SEND(x, var_where(right, zero, var_mul(w_spread, g)));
    }
}

/* Combines both outputs, with one value per element: gx + ga, broadcast along the channels. */
static Var *prelu_backward_sample(Var **in)
{
    Var *y = var_prelu_backward(in[0], in[1], in[2], true, true);
    Shape spread = prelu_spread_shape(var_shape(in[0]), var_shape(in[1]));
    return var_add(var_output(y, 0), var_reshape(var_output(y, 1), spread));
}

const Op op_prelu_backward = {
    .name = "prelu_backward",
    .forward = prelu_backward_forward,
    .backward_all = prelu_backward_backward,
    .branch_hash = op_branch_by_sign,
    .sample = {.call = prelu_backward_sample, .n_in = 3,
               .in = {{.shape = {3, {2, 3, 4}}, .low = (real)0.1, .high = 2, .both_signs = true},
                      {.shape = {1, {3}}, .low = -(real)0.5, .high = (real)0.9},
                      {.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_prelu_backward(Var *x, Var *a, Var *g, bool want_gx, bool want_ga)
{
    var_check(x, "var_prelu_backward"), var_check(a, "var_prelu_backward");
    var_check(g, "var_prelu_backward");
    tensor_prelu_check(var_shape(x), var_shape(a), a->name, "var_prelu_backward");
    Shape gx = var_shape(x), ga = var_shape(a);
    if (!shape_equal(var_shape(g), gx))
        slope_fail("var_prelu_backward", "g has shape %s, but x has shape %s; they must be equal",
                   SHAPE_TEXT(var_shape(g)), SHAPE_TEXT(gx));
    const Shape *out[] = {want_gx ? &gx : NULL, want_ga ? &ga : NULL};
    return var_apply_all(&op_prelu_backward, out, 2,
                         VARS(var_contiguous(x), var_contiguous(a), var_contiguous(g)), NULL, 0);
}
