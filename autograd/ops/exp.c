/* exp -------------------------------------------------------- y = e^x
 *   shape     y (...) = x (...)
 *   backward  gx = gy y
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real exp_value(real x) { return exp(x); }
MAP1(exp_map, exp_value)

static void exp_forward(Var *y)
{
    exp_map(y->value, y->in[0]->value);
}

static void exp_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_mul(gy, y));
}

static Var *exp_sample(Var **in) { return var_exp(in[0]); }

const Op op_exp = {
    .name = "exp",
    .forward = exp_forward,
    .backward = exp_backward,
    .sample = {.call = exp_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_exp(Var *x)
{
    return var_apply_like(&op_exp, x);
}
