/* batch_norm --------------------- y = (x - mean) rstd w + b, rstd = 1/sqrt(var + eps)
 *   shape     y (N,C,...) = x (N,C,...), w and b (C) or both NULL; outputs 1 and 2 are the mean
 *             and the biased variance (C) over all axes except the channels, output 3 (C) is what
 *             was lost when the mean was rounded to `real`
 *   backward  with xhat = (x - mean) rstd and E the mean over a channel:
 *             gb = sum of gy, gw = sum of gy xhat, gx = w rstd (gy - E[gy] - xhat E[gy xhat])
 *   care      a kernel computes the rule in two passes; if the rule is being recorded, it is
 *             computed with ops instead, so that it can be differentiated again. If the mean is
 *             large in comparison with the deviation, one float cannot represent it precisely
 *             enough: the kernels add output 3, the ops subtract the mean twice.
 *   source    Ioffe and Szegedy, arXiv:1502.03167, 2015
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
#include "autograd/op.h"
#include "autograd/record.h"
#include "tensor/check.h"
#include "tensor/kernels/norm.h"

static real batch_norm_eps(const Var *y)
{
    return *(const real *)y->attr;
}

static const Tensor *batch_norm_input(const Var *y, int i)
{
    return i < y->n_in ? y->in[i]->value : NULL;
}

static void batch_norm_forward(Var *y)
{
    tensor_batch_norm(y->value, var_output(y, 1)->value, var_output(y, 3)->value,
                      var_output(y, 2)->value, y->in[0]->value, batch_norm_input(y, 1),
                      batch_norm_input(y, 2), batch_norm_eps(y));
}

/* --- the rule as a kernel --------------------------------------------------------------------- */

/* Where to write input i's gradient; NULL if it is not wanted. */
static Var *batch_norm_slot(Var *y, int i, Var *gy)
{
    if (i >= y->n_in || !var_needs_grad(y->in[i]))
        return NULL;
    return i == 0 && var_may_overwrite(gy) ? gy : var_empty(var_shape(y->in[i]));
}

static void batch_norm_fused(Var *y, Var *gy)
{
    Var *g[3], *x = y->in[0];
    gy = var_contiguous(gy);
    for (int i = 0; i < 3; i++)
        g[i] = batch_norm_slot(y, i, gy);
    tensor_batch_norm_backward(g[0] ? g[0]->value : NULL, g[1] ? g[1]->value : NULL,
                               g[2] ? g[2]->value : NULL, gy->value, x->value,
                               batch_norm_input(y, 1), var_output(y, 1)->value,
                               var_output(y, 3)->value, var_output(y, 2)->value,
                               batch_norm_eps(y));
    for (int i = 0; i < 3; i++)
        if (g[i])
            var_send(y->in[i], g[i]);
}

/* --- the rule in ops -------------------------------------------------------------------------- */

static void batch_norm_in_ops(Var *y, Var *gy)
{
    Var *x = y->in[0], *w = y->n_in > 1 ? y->in[1] : NULL;
    Axes axes = shape_all_but_channels(var_shape(x));
    Shape channels = shape_channels(var_shape(x));
    Var *d = var_sub(x, var_mean(x, axes, true));
    d = var_sub(d, var_mean(d, axes, true));
    Var *var = var_mean(var_square(d), axes, true);
    Var *rstd = var_pow(var_add_scalar(var, batch_norm_eps(y)), -(real)0.5);
    Var *xhat = var_mul(d, rstd), *g_xhat = var_mul(gy, xhat);
    Var *centered = var_sub(var_sub(gy, var_mean(gy, axes, true)),
                            var_mul(xhat, var_mean(g_xhat, axes, true)));
    Var *gx = var_mul(rstd, centered);
    SEND(x, w ? var_mul(var_reshape(w, channels), gx) : gx);
    if (w) {
        SEND(w, var_sum(g_xhat, axes, false));
        SEND(y->in[2], var_sum(gy, axes, false));
    }
}

static void batch_norm_backward(Var *y, Var *const *gy)
{
    if (grad_enabled() || tape_anomaly_mode())
        batch_norm_in_ops(y, gy[0]);
    else
        batch_norm_fused(y, gy[0]);
}

static Var *batch_norm_sample(Var **in) { return var_batch_norm(in[0], in[1], in[2], (real)0.1); }

const Op op_batch_norm = {
    .name = "batch_norm",
    .forward = batch_norm_forward,
    .backward_all = batch_norm_backward,
    .sample = {.call = batch_norm_sample, .n_in = 3,
               .in = {{.shape = {4, {3, 2, 2, 3}}, .low = -2, .high = 2},
                      {.shape = {1, {2}}, .low = (real)0.5, .high = 2},
                      {.shape = {1, {2}}, .low = -2, .high = 2}}},
};

static void batch_norm_check(Shape x, const Var *w, const Var *b, const char *function)
{
    const char *name = w ? w->name : "";
    if (x.ndim < 2)
        slope_fail(function, "input %s: expected (N,C,...)", SHAPE_TEXT(x));
    if (shape_count(x) <= x.dim[1])
        slope_fail(function, "input %s%s%s has %s value per channel, but training needs at least "
                   "2, because the variance of one value is 0; if this is the last batch of an "
                   "epoch, set .drop_last in the loader's options or choose another batch size",
                   SHAPE_TEXT(x), name[0] ? " for" : "", QUOTED(name),
                   shape_count(x) ? "one" : "no");
    if (!w != !b)
        slope_fail(function, "a weight needs a bias and vice versa");
    if (w && (!shape_equal(var_shape(w), SHAPE(x.dim[1])) ||
              !shape_equal(var_shape(b), SHAPE(x.dim[1]))))
        slope_fail(function, "weight%s %s and bias %s: expected one element for each of the %td "
                   "channels on axis 1 of %s", QUOTED(name), SHAPE_TEXT(var_shape(w)),
                   SHAPE_TEXT(var_shape(b)), x.dim[1], SHAPE_TEXT(x));
}

/* The mean and the variance are for the running statistics: no gradient flows through them. */
Var *var_batch_norm_named(Var *x, Var *w, Var *b, real eps, const char *function)
{
    var_check(x, function);
    if (w && b)
        var_check(w, function), var_check(b, function);
    Shape s = var_shape(x);
    batch_norm_check(s, w, b, function);
    Shape c = SHAPE(s.dim[1]);
    Var *in[3] = {var_contiguous(x), w ? var_contiguous(w) : NULL, b ? var_contiguous(b) : NULL};
    Var *y = var_apply_all(&op_batch_norm, (const Shape *const[]){&s, &c, &c, &c}, 4, in, w ? 3 : 1,
                           &eps, sizeof eps);
    for (int k = 1; k < 4; k++)
        var_output(y, k)->requires_grad = false;
    return y;
}

Var *var_batch_norm(Var *x, Var *w, Var *b, real eps)
{
    return var_batch_norm_named(x, w, b, eps, "var_batch_norm");
}
