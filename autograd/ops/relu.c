/* relu ---------------------------------------- y = x if x > 0, else 0
 *   shape     y (...) = x (...)
 *   backward  gx = gy where y is not 0, else 0
 *   care      the test x <= 0 lets a NaN through, and where y is NaN, gx = gy, as in PyTorch; the
 *             gradient is selected, not multiplied, so Inf * 0 cannot occur
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real relu_value(real x) { return x <= 0 ? 0 : x; }
MAP1(relu_map, relu_value)

static void relu_forward(Var *y)
{
    relu_map(y->value, y->in[0]->value);
}

static void relu_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_where(var_detach(y), gy, var_scalar(0)));
}

static Var *relu_sample(Var **in) { return var_relu(in[0]); }

const Op op_relu = {
    .name = "relu",
    .forward = relu_forward,
    .backward = relu_backward,
    .branch_hash = op_branch_by_sign,
    .sample = {.call = relu_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.1, .high = 2, .both_signs = true}}},
};

Var *var_relu(Var *x)
{
    var_check(x, "var_relu");
    return var_apply_like(&op_relu, x);
}
