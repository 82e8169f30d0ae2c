/* abs -------------------------------------------------------- y = |x|
 *   shape     y (...) = x (...)
 *   backward  gx = gy sign(x), with sign(0) = 0
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real abs_value(real x) { return fabs(x); }
MAP1(abs_map, abs_value)

static void abs_forward(Var *y)
{
    abs_map(y->value, y->in[0]->value);
}

static void abs_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    Var *sign = var_empty(var_shape(x));
    tensor_sign(sign->value, x->value);
    SEND(x, var_mul(gy, sign));
}

static Var *abs_sample(Var **in) { return var_abs(in[0]); }

const Op op_abs = {
    .name = "abs",
    .forward = abs_forward,
    .backward = abs_backward,
    .branch_hash = op_branch_of_input,
    .sample = {.call = abs_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.1, .high = 2, .both_signs = true}}},
};

Var *var_abs(Var *x)
{
    return var_apply_like(&op_abs, x);
}
