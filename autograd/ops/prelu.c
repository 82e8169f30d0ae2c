/* prelu ------------------------------------------ y = x if x > 0, else a x
 *   shape     y (N,C,...) = x (N,C,...) with slopes a (C), or any x with one shared slope a (1) or
 *             ()
 *   backward  gx = gy where x > 0, else a gy
 *             ga = sum of gy x over the positions with x <= 0 that share the slope
 *   care      the sign of the input, which is kept for the backward pass, selects the branch: for
 *             a < 0 the output is never negative. x = 0 is on the slope side, as in PyTorch's
 *             kernels, and the second derivatives there agree: gx = a gy, so d gx/d gy = a and
 *             d gx/d a = gy (PyTorch 2.13 returns 1 and 0). NaN is on that side, too: gx = a gy
 *             and ga = NaN.
 *   source    He, Zhang, Ren, Sun, "Delving deep into rectifiers", arXiv:1502.01852, 2015
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
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

Var *var_prelu_named(Var *x, Var *a, const char *function)
{
    var_check(x, function), var_check(a, function);
    tensor_prelu_check(var_shape(x), var_shape(a), a->name, function);
    return var_apply(&op_prelu, var_shape(x), VARS(var_contiguous(x), var_contiguous(a)));
}

Var *var_prelu(Var *x, Var *a)
{
    return var_prelu_named(x, a, "var_prelu");
}
