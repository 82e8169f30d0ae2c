/* add ------------------------------------------------------ y = a + b
 *   shape     broadcast of a and b
 *   backward  ga = gy, gb = gy, each summed over its stretched axes
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real add_value(real a, real b) { return a + b; }
MAP2(add_map, add_value)

static void add_forward(Var *y)
{
    add_map(y->value, y->in[0]->value, y->in[1]->value);
}

static void add_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, gy);
    SEND(b, gy);
}

static Var *add_sample(Var **in) { return var_add(in[0], in[1]); }

const Op op_add = {
    .name = "add",
    .forward = add_forward,
    .backward = add_backward,
    .sample = {.call = add_sample, .n_in = 2, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2},
                      {.shape = {1, {3}}, .low = -2, .high = 2}}},
};

Var *var_add(Var *a, Var *b)
{
    return var_apply(&op_add, var_broadcast(a, b, "var_add"), VARS(a, b));
}
