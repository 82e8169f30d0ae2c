/* transpose ----------------------------------- y = x with two axes exchanged
 *   shape     x's with the two sizes exchanged
 *   backward  gx = gy with the same two exchanged again
 *   care      a view
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

typedef struct TransposeAttr {
    int axis0, axis1;
} TransposeAttr;

static Tensor *transpose_view(const Var *y)
{
    const TransposeAttr *t = y->attr;
    return tensor_transpose(y->in[0]->value, t->axis0, t->axis1);
}

static void transpose_backward(Var *y, Var *gy)
{
    const TransposeAttr *t = y->attr;
    Var *x = y->in[0];
    SEND(x, var_transpose(gy, t->axis0, t->axis1));
}

static Var *transpose_sample(Var **in) { return var_transpose(in[0], 0, -1); }

const Op op_transpose = {
    .name = "transpose",
    .view = transpose_view,
    .backward = transpose_backward,
    .sample = {.call = transpose_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_transpose(Var *x, int axis0, int axis1)
{
    var_check(x, "var_transpose");
    TransposeAttr t = {shape_axis(var_shape(x), axis0, "var_transpose"),
                       shape_axis(var_shape(x), axis1, "var_transpose")};
    return var_apply_with(&op_transpose, var_shape(x), VARS(x), &t, sizeof t);
}
