/* maximum, minimum ------ y = the larger of a and b; y = the smaller of the two
 *   shape     broadcast of a and b
 *   backward  ga = gy where a is chosen, half of gy where the two are equal, else 0; gb alike
 *   care      a != a lets a NaN on the left through; one on the right passes anyway
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real maximum_value(real a, real b) { return a > b || a != a ? a : b; }
MAP2(maximum_map, maximum_value)

static inline real minimum_value(real a, real b) { return a < b || a != a ? a : b; }
MAP2(minimum_map, minimum_value)

static void maximum_forward(Var *y)
{
    maximum_map(y->value, y->in[0]->value, y->in[1]->value);
}

static void minimum_forward(Var *y)
{
    minimum_map(y->value, y->in[0]->value, y->in[1]->value);
}

/* 1 where a is the larger, a half where the two are equal, else 0. A constant: it does not change
 * when a and b move a little. */
static inline real maximum_share_value(real a, real b)
{
    return a > b ? 1 : a == b ? (real)0.5 : 0;
}
MAP2(maximum_share_map, maximum_share_value)

/* gy where a is the larger, half of it where the two are equal. Selected, not only multiplied: the
 * loser of an infinite gradient gets 0, not Inf * 0. */
static Var *maximum_part(Var *gy, Var *a, Var *b)
{
    Var *share = var_empty(var_shape(gy));
    maximum_share_map(share->value, a->value, b->value);
    return var_where(share, var_mul(gy, share), var_scalar(0));
}

static void maximum_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, maximum_part(gy, a, b));
    SEND(b, maximum_part(gy, b, a));
}

/* a is the smaller where b is the larger. */
static void minimum_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, maximum_part(gy, b, a));
    SEND(b, maximum_part(gy, a, b));
}

static uint64_t maximum_branch_hash(const Var *y)
{
    Shape shape = y->value->shape;
    Tensor *a = tensor_expand(y->in[0]->value, shape), *b = tensor_expand(y->in[1]->value, shape);
    uint64_t hash = op_branch_of_order(op_branch_of_order(0, a, b), b, a);
    tensor_free(a), tensor_free(b);
    return hash;
}

static Var *maximum_sample(Var **in) { return var_maximum(in[0], in[1]); }
static Var *minimum_sample(Var **in) { return var_minimum(in[0], in[1]); }

/* The two have their kinks at the same places and take the same inputs. */
#define MAXIMUM_OP(id)                                                  \
    const Op op_##id = {                                                \
        .name = #id,                                                    \
        .forward = id##_forward,                                        \
        .backward = id##_backward,                                      \
        .branch_hash = maximum_branch_hash,                             \
        .sample = {.call = id##_sample, .n_in = 2, .any_shape = true,   \
                   .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}, \
                          {.shape = {1, {3}}, .low = -2, .high = 2}}},  \
    };
MAXIMUM_OP(maximum)
MAXIMUM_OP(minimum)

Var *var_maximum(Var *a, Var *b)
{
    return var_apply(&op_maximum, var_broadcast(a, b, "var_maximum"), VARS(a, b));
}

Var *var_minimum(Var *a, Var *b)
{
    return var_apply(&op_minimum, var_broadcast(a, b, "var_minimum"), VARS(a, b));
}
