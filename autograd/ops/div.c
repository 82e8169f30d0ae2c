/* div ------------------------------------------------------ y = a / b
 *   shape     broadcast of a and b
 *   backward  ga = gy / b, gb = -gy y / b, each summed over its stretched axes
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real div_value(real a, real b) { return a / b; }
MAP2(div_map, div_value)

static void div_forward(Var *y)
{
    div_map(y->value, y->in[0]->value, y->in[1]->value);
}

static void div_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, var_div(gy, b));
    SEND(b, var_neg(var_div(var_mul(gy, y), b)));
}

static Var *div_sample(Var **in) { return var_div(in[0], in[1]); }

const Op op_div = {
    .name = "div",
    .forward = div_forward,
    .backward = div_backward,
    .sample = {.call = div_sample, .n_in = 2, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.5, .high = 2, .both_signs = true},
                      {.shape = {1, {3}}, .low = (real)0.5, .high = 2, .both_signs = true}}},
};

Var *var_div(Var *a, Var *b)
{
    return var_apply(&op_div, var_broadcast(a, b, "var_div"), VARS(a, b));
}
