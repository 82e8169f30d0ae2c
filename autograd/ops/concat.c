/* concat ------------------------ y = n tensors one after another along an axis
 *   shape     all shapes are equal except along that axis, whose sizes add up
 *   backward  each input gets its slice of gy
 *   care      the same tensor may occur several times; its gradients then add up
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

static int concat_axis(const Var *y)
{
    return *(const int *)y->attr;
}

static void concat_forward(Var *y)
{
    ptrdiff_t at = 0;
    int axis = concat_axis(y);
    for (int i = 0; i < y->n_in; i++) {
        ptrdiff_t size = y->in[i]->value->shape.dim[axis];
        Tensor *part = tensor_slice(y->value, axis, at, at + size, 1);
        tensor_copy(part, y->in[i]->value);
        tensor_free(part);
        at += size;
    }
}

static void concat_backward(Var *y, Var *gy)
{
    ptrdiff_t at = 0;
    int axis = concat_axis(y);
    for (int i = 0; i < y->n_in; i++) {
        ptrdiff_t size = y->in[i]->value->shape.dim[axis];
        SEND(y->in[i], var_slice(gy, axis, at, at + size, 1));
        at += size;
    }
}

static Var *concat_sample(Var **in)
{
    return var_concat((Var *const[]){in[0], in[1], in[0]}, 3, 1);
}

const Op op_concat = {
    .name = "concat",
    .forward = concat_forward,
    .backward = concat_backward,
    .sample = {.call = concat_sample, .n_in = 2,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2},
                      {.shape = {2, {2, 1}}, .low = -2, .high = 2}}},
};

Var *var_concat(Var *const *x, int n, int axis)
{
    if (!x || n < 1)
        slope_fail("var_concat", "expected at least one tensor, found %d", x ? n : 0);
    for (int i = 0; i < n; i++)
        var_check(x[i], "var_concat");
    Shape out = var_shape(x[0]);
    axis = shape_axis(out, axis, "var_concat");
    for (int i = 1; i < n; i++) {
        Shape s = var_shape(x[i]), expected = var_shape(x[0]);
        expected.dim[axis] = s.ndim == out.ndim ? s.dim[axis] : 0;
        if (!shape_equal(s, expected))
            slope_fail("var_concat", "tensor %d has shape %s, which differs from the first's %s in "
                       "more than axis %d", i, SHAPE_TEXT(s), SHAPE_TEXT(var_shape(x[0])), axis);
        out.dim[axis] += s.dim[axis];
        shape_check(out, "var_concat");
    }
    return var_apply_with(&op_concat, out, x, n, &axis, sizeof axis);
}
