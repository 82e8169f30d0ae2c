/* sum ------------------------------------------ y = sum of x over some axes
 *   shape     those axes of x become 1 (keepdim) or are removed
 *   backward  gx = gy, broadcast back along those axes
 *   care      summed in fixed blocks, pairwise: see tensor/kernels/reduce.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

/* The result's shape with the reduced axes kept as 1, so that it broadcasts to x's. */
static Shape sum_kept_shape(const Var *y)
{
    return *(const Shape *)y->attr;
}

static void sum_forward(Var *y)
{
    Tensor kept = tensor_as(y->value, sum_kept_shape(y));
    tensor_sum_to(&kept, y->in[0]->value);
}

static void sum_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_expand(var_reshape(gy, sum_kept_shape(y)), var_shape(x)));
}

static Var *sum_sample(Var **in) { return var_sum(in[0], AXES(0, -1), false); }

const Op op_sum = {
    .name = "sum",
    .forward = sum_forward,
    .backward = sum_backward,
    .sample = {.call = sum_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_sum(Var *x, Axes axes, bool keepdim)
{
    var_check(x, "var_sum");
    unsigned mask = shape_axes(var_shape(x), axes, "var_sum");
    Shape kept = shape_reduce(var_shape(x), mask, true);
    Shape out = shape_reduce(var_shape(x), mask, keepdim);
    return var_apply_with(&op_sum, out, VARS(x), &kept, sizeof kept);
}
