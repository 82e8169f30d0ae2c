/* slice_scatter --------- y = zeros, with x at elements start, start+step ... of an axis
 *   shape     the given one; x has the same shape, but with fewer elements along that axis
 *   backward  gx = that slice of gy
 *   care      slice and slice_scatter are each other's rules
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

typedef struct ScatterAttr {
    int       axis;
    ptrdiff_t start, stop, step;
} ScatterAttr;

static void slice_scatter_forward(Var *y)
{
    const ScatterAttr *s = y->attr;
    tensor_fill(y->value, 0);
    Tensor *part = tensor_slice(y->value, s->axis, s->start, s->stop, s->step);
    tensor_copy(part, y->in[0]->value);
    tensor_free(part);
}

static void slice_scatter_backward(Var *y, Var *gy)
{
    const ScatterAttr *s = y->attr;
    Var *x = y->in[0];
    SEND(x, var_slice(gy, s->axis, s->start, s->stop, s->step));
}

static Var *slice_scatter_sample(Var **in)
{
    return var_slice_scatter(in[0], SHAPE(2, 7), 1, 1, 2);
}

const Op op_slice_scatter = {
    .name = "slice_scatter",
    .forward = slice_scatter_forward,
    .backward = slice_scatter_backward,
    .sample = {.call = slice_scatter_sample, .n_in = 1,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_slice_scatter(Var *x, Shape shape, int axis, ptrdiff_t start, ptrdiff_t step)
{
    var_check(x, "var_slice_scatter");
    shape_check(shape, "var_slice_scatter");
    axis = shape_axis(shape, axis, "var_slice_scatter");
    Shape expected = shape;
    if (var_shape(x).ndim == shape.ndim)
        expected.dim[axis] = var_shape(x).dim[axis];
    if (!shape_equal(expected, var_shape(x)))
        slope_fail("var_slice_scatter", "shape %s is not a slice along axis %d of %s",
                   SHAPE_TEXT(var_shape(x)), axis, SHAPE_TEXT(shape));
    ptrdiff_t n = expected.dim[axis], last = shape.dim[axis] - 1;
    if (start < 0 || step < 1 || start > last + (n == 0) || n - 1 > (last - start) / step)
        slope_fail("var_slice_scatter", "%td elements from start %td in steps of %td do not fit "
                   "axis %d of shape %s", n, start, step, axis, SHAPE_TEXT(shape));
    ScatterAttr s = {axis, start, n ? start + (n - 1) * step + 1 : start, step};
    return var_apply_with(&op_slice_scatter, shape, VARS(x), &s, sizeof s);
}
