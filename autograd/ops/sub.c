/* sub ------------------------------------------------------ y = a - b
 *   shape     broadcast of a and b
 *   backward  ga = gy, gb = -gy, each summed over its stretched axes
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real sub_value(real a, real b) { return a - b; }
MAP2(sub_map, sub_value)

static void sub_forward(Var *y)
{
    sub_map(y->value, y->in[0]->value, y->in[1]->value);
}

static void sub_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, gy);
    SEND(b, var_neg(gy));
}

static Var *sub_sample(Var **in) { return var_sub(in[0], in[1]); }

const Op op_sub = {
    .name = "sub",
    .forward = sub_forward,
    .backward = sub_backward,
    .sample = {.call = sub_sample, .n_in = 2, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2},
                      {.shape = {1, {3}}, .low = -2, .high = 2}}},
};

Var *var_sub(Var *a, Var *b)
{
    return var_apply(&op_sub, var_broadcast(a, b, "var_sub"), VARS(a, b));
}
