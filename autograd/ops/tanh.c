/* tanh ---------------------------------------------------- y = tanh x
 *   shape     y (...) = x (...)
 *   backward  gx = gy (1 - y^2)
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real tanh_value(real x) { return tanh(x); }
MAP1(tanh_map, tanh_value)

static void tanh_forward(Var *y)
{
    tanh_map(y->value, y->in[0]->value);
}

static void tanh_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_mul(gy, var_sub(var_scalar(1), var_square(y))));
}

static Var *tanh_sample(Var **in) { return var_tanh(in[0]); }

const Op op_tanh = {
    .name = "tanh",
    .forward = tanh_forward,
    .backward = tanh_backward,
    .sample = {.call = tanh_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_tanh(Var *x)
{
    return var_apply_like(&op_tanh, x);
}
