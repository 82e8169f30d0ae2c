/* sqrt ---------------------------------------------------- y = sqrt x
 *   shape     y (...) = x (...)
 *   backward  gx = gy / (2 y)
 *   care      the slope at 0 is infinite
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real sqrt_value(real x) { return sqrt(x); }
MAP1(sqrt_map, sqrt_value)

static void sqrt_forward(Var *y)
{
    sqrt_map(y->value, y->in[0]->value);
}

static void sqrt_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_div(gy, var_scale(y, 2)));
}

static Var *sqrt_sample(Var **in) { return var_sqrt(in[0]); }

const Op op_sqrt = {
    .name = "sqrt",
    .forward = sqrt_forward,
    .backward = sqrt_backward,
    .sample = {.call = sqrt_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.5, .high = 3}}},
};

Var *var_sqrt(Var *x)
{
    return var_apply_like(&op_sqrt, x);
}
