/* max --------------------------------------- y = maximum of x over some axes
 *   shape     those axes of x become 1 (keepdim) or are removed
 *   backward  gx = gy at the maxima, shared evenly among equal ones, else 0
 *   care      a NaN in x makes y NaN, and gx NaN at all elements of which y is the maximum, as in
 *             PyTorch's amax; the maximum of no elements is an error
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

static Shape max_kept_shape(const Var *y)
{
    return *(const Shape *)y->attr;
}

static void max_forward(Var *y)
{
    Tensor kept = tensor_as(y->value, max_kept_shape(y));
    tensor_max_to(&kept, y->in[0]->value);
}

/* 1 where x is the maximum, else 0; treated as a constant. */
static Var *max_winners(const Var *y)
{
    Var *winners = var_empty(var_shape(y->in[0]));
    Tensor kept = tensor_as(y->value, max_kept_shape(y));
    tensor_equal_to(winners->value, y->in[0]->value, &kept);
    return winners;
}

static void max_backward(Var *y, Var *gy)
{
    Var *x = y->in[0], *winners = max_winners(y);
    Var *share = var_div(winners, var_sum_to(winners, max_kept_shape(y)));
    SEND(x, var_mul(var_reshape(gy, max_kept_shape(y)), share));
}

/* Hashes which elements equal the maximum. */
static uint64_t max_branch_hash(const Var *y)
{
    Var *winners = max_winners(y);
    return op_branch_of_signs(0, winners->value);
}

static Var *max_sample(Var **in) { return var_max(in[0], AXES(0, 2), false); }

const Op op_max = {
    .name = "max",
    .forward = max_forward,
    .backward = max_backward,
    .branch_hash = max_branch_hash,
    .sample = {.call = max_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_max(Var *x, Axes axes, bool keepdim)
{
    var_check(x, "var_max");
    Shape s = var_shape(x);
    unsigned mask = shape_axes(s, axes, "var_max");
    for (int i = 0; i < s.ndim; i++)
        if (mask >> i & 1 && s.dim[i] == 0)
            slope_fail("var_max", "axis %d of shape %s is empty, so there is no "
                       "maximum", i, SHAPE_TEXT(s));
    Shape kept = shape_reduce(s, mask, true);
    return var_apply_with(&op_max, shape_reduce(s, mask, keepdim), VARS(x), &kept, sizeof kept);
}
