/* log_softmax --------------------- y_i = x_i - log of the sum over j of e^x_j
 *   shape     y (...) = x (...); i and j run along one axis
 *   backward  gx = gy - e^y times the sum of gy along the axis
 *   care      the kernel subtracts the maximum first, so no exponential overflows, and keeps the
 *             digits of a logarithm near 0, which is that of a class that is almost certain
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/activation.h"

static int log_softmax_axis(const Var *y)
{
    return *(const int *)y->attr;
}

static void log_softmax_forward(Var *y)
{
    tensor_log_softmax(y->value, y->in[0]->value, log_softmax_axis(y));
}

static void log_softmax_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    Var *along = var_sum(gy, AXES(log_softmax_axis(y)), true);
    SEND(x, var_sub(gy, var_mul(var_exp(y), along)));
}

static Var *log_softmax_sample(Var **in) { return var_log_softmax(in[0], 1); }

const Op op_log_softmax = {
    .name = "log_softmax",
    .forward = log_softmax_forward,
    .backward = log_softmax_backward,
    .sample = {.call = log_softmax_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 4, 3}}, .low = -2, .high = 2}}},
};

Var *var_log_softmax(Var *x, int axis)
{
    var_check(x, "var_log_softmax");
    axis = shape_axis(var_shape(x), axis, "var_log_softmax");
    return var_apply_with(&op_log_softmax, var_shape(x), VARS(var_contiguous(x)), &axis,
                          sizeof axis);
}
