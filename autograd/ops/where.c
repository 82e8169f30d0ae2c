/* where -------------------------- y = a where condition is not 0, else b
 *   shape     that to which condition, a and b broadcast
 *   backward  ga = gy where condition is not 0, else 0; gb is the reverse
 *   care      it selects instead of multiplying, so here neither Inf * 0 nor a NaN from the side
 *             that was not chosen can occur; in that side's own rule they may: see autograd/ops.def
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real where_value(real condition, real a, real b)
{
    return condition != 0 ? a : b;
}
MAP3(where_map, where_value)

static void where_forward(Var *y)
{
    where_map(y->value, y->in[0]->value, y->in[1]->value, y->in[2]->value);
}

static void where_backward(Var *y, Var *gy)
{
    Var *condition = y->in[0], *a = y->in[1], *b = y->in[2];
    SEND(a, var_where(condition, gy, var_scalar(0)));
    SEND(b, var_where(condition, var_scalar(0), gy));
}

/* The condition holds for every other element. */
static Var *where_sample(Var **in)
{
    Var *condition = var_full(var_shape(in[0]), 0);
    real *c = tensor_write(condition->value);
    for (ptrdiff_t i = 1, n = tensor_count(condition->value); i < n; i += 2)
        c[i] = 1;
    return var_where(condition, in[0], in[1]);
}

const Op op_where = {
    .name = "where",
    .forward = where_forward,
    .backward = where_backward,
    .sample = {.call = where_sample, .n_in = 2, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2},
                      {.shape = {1, {3}}, .low = -2, .high = 2}}},
};

Var *var_where(Var *condition, Var *a, Var *b)
{
    var_check(condition, "var_where");
    Shape ab = var_broadcast(a, b, "var_where"), out;
    if (!shape_broadcast(var_shape(condition), ab, &out, "var_where"))
        slope_fail("var_where", "the condition's shape %s does not broadcast with %s",
                   SHAPE_TEXT(var_shape(condition)), SHAPE_TEXT(ab));
    return var_apply(&op_where, out, VARS(condition, a, b));
}
