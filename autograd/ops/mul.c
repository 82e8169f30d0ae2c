/* mul -------------------------------------------------------- y = a b
 *   shape     broadcast of a and b
 *   backward  ga = gy b, gb = gy a, each summed over its stretched axes
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real mul_value(real a, real b) { return a * b; }
MAP2(mul_map, mul_value)

static void mul_forward(Var *y)
{
    mul_map(y->value, y->in[0]->value, y->in[1]->value);
}

static void mul_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, var_mul(gy, b));
    SEND(b, var_mul(gy, a));
}

static Var *mul_sample(Var **in) { return var_mul(in[0], in[1]); }

const Op op_mul = {
    .name = "mul",
    .forward = mul_forward,
    .backward = mul_backward,
    .sample = {.call = mul_sample, .n_in = 2, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2},
                      {.shape = {1, {3}}, .low = -2, .high = 2}}},
};

Var *var_mul(Var *a, Var *b)
{
    return var_apply(&op_mul, var_broadcast(a, b, "var_mul"), VARS(a, b));
}
