/* prelu ------------------------------------------ y = x if x > 0, else a x
 *   shape     y (N,C,...) = x (N,C,...) with slopes a (C), or any x with one shared slope a (1)
 *   backward  gx = gy where x > 0, else a gy
 *             ga = sum of gy x over the positions with x <= 0 that share the slope
 *   care      the sign of the input, which is kept for the backward pass, selects the branch: for
 *             a < 0 the output is never negative. x = 0 is on the slope side, as in PyTorch's
 *             kernels.
 *   source    He, Zhang, Ren, Sun, "Delving deep into rectifiers", arXiv:1502.01852, 2015
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/activation.h"

static void prelu_forward(Var *y)
{
    tensor_prelu(y->value, y->in[0]->value, y->in[1]->value);
}

/* Writes gx over gy. */
static void prelu_overwrite(Var *x, Var *a, Var *gy)
{
    Var *ga = var_needs_grad(a) ? var_empty(var_shape(a)) : NULL;
    tensor_prelu_backward(gy->value, ga ? ga->value : NULL, x->value, a->value, gy->value);
    var_send(x, gy);
    if (ga)
        var_send(a, ga);
}

static void prelu_backward(Var *y, Var *gy)
{
    Var *x = y->in[0], *a = y->in[1];
    if (var_needs_grad(x) && var_may_overwrite(gy)) {
        prelu_overwrite(x, a, gy);
        return;
    }
    Var *g = var_prelu_backward(x, a, gy, var_needs_grad(x), var_needs_grad(a));
    SEND(x, var_output(g, 0));
    SEND(a, var_output(g, 1));
}

static Var *prelu_sample(Var **in) { return var_prelu(in[0], in[1]); }

const Op op_prelu = {
    .name = "prelu",
    .forward = prelu_forward,
    .backward = prelu_backward,
    .branch_hash = op_branch_by_sign,
    .sample = {.call = prelu_sample, .n_in = 2,
               .in = {{.shape = {3, {2, 3, 4}}, .low = (real)0.1, .high = 2, .both_signs = true},
                      {.shape = {1, {3}}, .low = -(real)0.5, .high = (real)0.9}}},
};

/* Names another axis of x that has as many elements as there are slopes: probably the one meant. */
static const char *prelu_hint(Shape x, ptrdiff_t slopes, char hint[128])
{
    hint[0] = '\0';
    for (int i = 0; i < x.ndim; i++)
        if (i != 1 && x.dim[i] == slopes)
            snprintf(hint, 128, "; axis %d has size %td: transpose it to axis 1 if it holds the "
                     "channels", i, slopes);
    return hint;
}

static void prelu_check(Shape x, Shape a)
{
    char hint[128];
    ptrdiff_t slopes = shape_count(a);
    if (a.ndim != 1)
        slope_fail("var_prelu", "the slopes have shape %s; expected (1,) or (C,)", SHAPE_TEXT(a));
    if (slopes == 1)
        return;
    if (x.ndim < 2)
        slope_fail("var_prelu",
                   "%td slopes need an input (N,C,...) with channels on axis 1, but "
                   "its shape is %s; only one shared slope fits every shape",
                   slopes, SHAPE_TEXT(x));
    if (x.dim[1] != slopes)
        slope_fail("var_prelu", "%td slopes, but axis 1 of the input %s, which holds the channels, "
                   "has size %td; expected 1 slope or %td%s", slopes, SHAPE_TEXT(x), x.dim[1],
                   x.dim[1], prelu_hint(x, slopes, hint));
}

Var *var_prelu(Var *x, Var *a)
{
    prelu_check(var_shape(x), var_shape(a));
    return var_apply(&op_prelu, var_shape(x), VARS(var_contiguous(x), var_contiguous(a)));
}
