/* minimum --------------------------------- y = the smaller of a and b
 *   shape     broadcast of a and b
 *   backward  ga = gy where a wins, half of gy where the two are equal, else 0
 *   care      a != a lets a NaN on the left through; one on the right passes anyway
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real minimum_value(real a, real b) { return a < b || a != a ? a : b; }
MAP2(minimum_map, minimum_value)

static void minimum_forward(Var *y)
{
    minimum_map(y->value, y->in[0]->value, y->in[1]->value);
}

/* 1 where a wins alone, a half where the two are equal, else 0. A constant: it
 * does not change when a and b move a little. */
static inline real minimum_share_value(real a, real b)
{
    return a < b ? 1 : a == b ? (real)0.5 : 0;
}
MAP2(minimum_share_map, minimum_share_value)

/* gy where the share is 1, half of it where it is a half. Selected, not multiplied: the loser of an
 * infinite gradient gets 0, not Inf * 0. */
static Var *minimum_part(Var *gy, Var *share)
{
    return var_where(share, var_mul(gy, share), var_scalar(0));
}

static void minimum_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    Shape shape = y->value->shape;
    Var *a_share = var_empty(shape), *b_share = var_empty(shape);
    minimum_share_map(a_share->value, a->value, b->value);
    minimum_share_map(b_share->value, b->value, a->value);
    SEND(a, minimum_part(gy, a_share));
    SEND(b, minimum_part(gy, b_share));
}

static uint64_t minimum_branch_hash(const Var *y)
{
    Shape shape = y->value->shape;
    Tensor *a = tensor_expand(y->in[0]->value, shape), *b = tensor_expand(y->in[1]->value, shape);
    uint64_t hash = op_branch_of_order(op_branch_of_order(0, a, b), b, a);
    tensor_free(a), tensor_free(b);
    return hash;
}

static Var *minimum_sample(Var **in) { return var_minimum(in[0], in[1]); }

const Op op_minimum = {
    .name = "minimum",
    .forward = minimum_forward,
    .backward = minimum_backward,
    .branch_hash = minimum_branch_hash,
    .sample = {.call = minimum_sample, .n_in = 2, .any_shape = true,
             .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2},
                    {.shape = {1, {3}}, .low = -2, .high = 2}}},
};

Var *var_minimum(Var *a, Var *b)
{
    return var_apply(&op_minimum, var_broadcast(a, b, "var_minimum"), VARS(a, b));
}
