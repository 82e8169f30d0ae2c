/* squeeze ------------------------------ y = x without an axis of size 1
 *   shape     the shape of x without that axis
 *   backward  gx = gy with the axis inserted again: the derivative of squeeze is unsqueeze
 *   care      y is a view, for any strides of x
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

static Tensor *squeeze_view(const Var *y)
{
    return tensor_select(y->in[0]->value, *(const int *)y->attr, 0);
}

static void squeeze_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_unsqueeze(gy, *(const int *)y->attr));
}

static Var *squeeze_sample(Var **in) { return var_squeeze(in[0], 1); }

const Op op_squeeze = {
    .name = "squeeze",
    .view = squeeze_view,
    .backward = squeeze_backward,
    .sample = {.call = squeeze_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 1, 4}}, .low = -2, .high = 2}}},
};

Var *var_squeeze(Var *x, int axis)
{
    var_check(x, "var_squeeze");
    Shape shape = var_shape(x);
    axis = shape_axis(shape, axis, "var_squeeze");
    if (shape.dim[axis] != 1)
        slope_fail("var_squeeze", "axis %d of shape %s has size %td; only an axis of size 1 can be "
                   "removed without losing elements", axis, SHAPE_TEXT(shape), shape.dim[axis]);
    return var_apply_with(&op_squeeze, shape_reduce(shape, 1u << axis, false), VARS(x), &axis,
                          sizeof axis);
}
