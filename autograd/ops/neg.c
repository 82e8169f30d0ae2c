/* neg --------------------------------------------------------- y = -x
 *   shape     y (...) = x (...)
 *   backward  gx = -gy
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real neg_value(real x) { return -x; }
MAP1(neg_map, neg_value)

static void neg_forward(Var *y)
{
    neg_map(y->value, y->in[0]->value);
}

static void neg_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_neg(gy));
}

static Var *neg_sample(Var **in) { return var_neg(in[0]); }

const Op op_neg = {
    .name = "neg",
    .forward = neg_forward,
    .backward = neg_backward,
    .sample = {.call = neg_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_neg(Var *x)
{
    return var_apply_like(&op_neg, x);
}
