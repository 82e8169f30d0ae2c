/* unsqueeze ---------------------------- y = x with an axis of size 1 inserted
 *   shape     the shape of x with a 1 inserted as axis `axis` of the result; -1 appends it
 *   backward  gx = gy without that axis: the derivative of unsqueeze is squeeze
 *   care      y is a view, for any strides of x
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

static Shape unsqueeze_shape(Shape x, int axis)
{
    for (int i = x.ndim++; i > axis; i--)
        x.dim[i] = x.dim[i - 1];
    x.dim[axis] = 1;
    return x;
}

/* The stride of an axis of size 1 is never used. */
static Tensor *unsqueeze_view(const Var *y)
{
    int axis = *(const int *)y->attr;
    Tensor *v = tensor_ref(y->in[0]->value);
    for (int i = v->shape.ndim; i > axis; i--)
        v->stride[i] = v->stride[i - 1];
    v->stride[axis] = 1;
    v->shape = unsqueeze_shape(v->shape, axis);
    return v;
}

static void unsqueeze_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_squeeze(gy, *(const int *)y->attr));
}

static Var *unsqueeze_sample(Var **in) { return var_unsqueeze(in[0], 1); }

const Op op_unsqueeze = {
    .name = "unsqueeze",
    .view = unsqueeze_view,
    .backward = unsqueeze_backward,
    .sample = {.call = unsqueeze_sample, .n_in = 1,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_unsqueeze(Var *x, int axis)
{
    var_check(x, "var_unsqueeze");
    Shape shape = var_shape(x);
    if (shape.ndim == MAX_DIMS)
        slope_fail("var_unsqueeze", "shape %s already has %d axes, the most a shape can have",
                   SHAPE_TEXT(shape), MAX_DIMS);
    int i = axis < 0 ? axis + shape.ndim + 1 : axis;
    if (i < 0 || i > shape.ndim)
        slope_fail("var_unsqueeze", "axis %d does not exist in the result: shape %s with one more "
                   "axis has axes 0 to %d", axis, SHAPE_TEXT(shape), shape.ndim);
    return var_apply_with(&op_unsqueeze, unsqueeze_shape(shape, i), VARS(x), &i, sizeof i);
}
