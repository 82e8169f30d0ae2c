/* sigmoid ----------------------------------------- y = 1 / (1 + e^-x)
 *   shape     y (...) = x (...)
 *   backward  gx = gy y (1 - y)
 *   care      e^-|x| cannot overflow
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real sigmoid_value(real x)
{
    real e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}
MAP1(sigmoid_map, sigmoid_value)

static void sigmoid_forward(Var *y)
{
    sigmoid_map(y->value, y->in[0]->value);
}

static void sigmoid_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_mul(gy, var_mul(y, var_sub(var_scalar(1), y))));
}

static Var *sigmoid_sample(Var **in) { return var_sigmoid(in[0]); }

const Op op_sigmoid = {
    .name = "sigmoid",
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
    .sample = {.call = sigmoid_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_sigmoid(Var *x)
{
    return var_apply_like(&op_sigmoid, x);
}
