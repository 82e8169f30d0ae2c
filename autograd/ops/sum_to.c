/* sum_to -------------------- y = x summed down to a shape that broadcasts to x's
 *   shape     y is the given shape, which must broadcast to x's
 *   backward  gx = gy, broadcast to x's shape
 *   care      the counterpart of expand: every gradient of a broadcast operand goes through it
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

static void sum_to_forward(Var *y)
{
    tensor_sum_to(y->value, y->in[0]->value);
}

static void sum_to_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_expand(gy, var_shape(x)));
}

static Var *sum_to_sample(Var **in) { return var_sum_to(in[0], SHAPE(3, 1)); }

const Op op_sum_to = {
    .name = "sum_to",
    .forward = sum_to_forward,
    .backward = sum_to_backward,
    .sample = {.call = sum_to_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_sum_to(Var *x, Shape shape)
{
    var_check(x, "var_sum_to");
    shape_check(shape, "var_sum_to");
    if (!shape_stretches_to(shape, var_shape(x)))
        slope_fail("var_sum_to", "shape %s does not stretch to %s", SHAPE_TEXT(shape),
                   SHAPE_TEXT(var_shape(x)));
    return var_apply(&op_sum_to, shape, VARS(x));
}
