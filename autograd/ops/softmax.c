/* softmax -------------------------------- y_i = e^x_i / sum over j of e^x_j
 *   shape     y (...) = x (...); i and j run along one axis
 *   backward  gx = y (gy - sum of gy y along the axis)
 *   care      the kernel subtracts the maximum first, so no exponential overflows
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/activation.h"

static int softmax_axis(const Var *y)
{
    return *(const int *)y->attr;
}

static void softmax_forward(Var *y)
{
    tensor_softmax(y->value, y->in[0]->value, softmax_axis(y));
}

static void softmax_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    Var *along = var_sum(var_mul(gy, y), AXES(softmax_axis(y)), true);
    SEND(x, var_mul(y, var_sub(gy, along)));
}

static Var *softmax_sample(Var **in) { return var_softmax(in[0], 1); }

const Op op_softmax = {
    .name = "softmax",
    .forward = softmax_forward,
    .backward = softmax_backward,
    .sample = {.call = softmax_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 4, 3}}, .low = -2, .high = 2}}},
};

Var *var_softmax(Var *x, int axis)
{
    var_check(x, "var_softmax");
    axis = shape_axis(var_shape(x), axis, "var_softmax");
    return var_apply_with(&op_softmax, var_shape(x), VARS(var_contiguous(x)), &axis, sizeof axis);
}
