/* select ---------------------- y = x at one index of an axis, which is removed
 *   shape     x's without that axis
 *   backward  gx = zeros with gy at that index
 *   care      a view
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/check.h"

typedef struct SelectAttr {
    int       axis;
    ptrdiff_t index;
} SelectAttr;

static Tensor *select_view(const Var *y)
{
    const SelectAttr *s = y->attr;
    return tensor_select(y->in[0]->value, s->axis, s->index);
}

static void select_backward(Var *y, Var *gy)
{
    const SelectAttr *s = y->attr;
    Var *x = y->in[0];
    Shape one = shape_reduce(var_shape(x), 1u << s->axis, true);
    SEND(x, var_slice_scatter(var_reshape(gy, one), var_shape(x), s->axis, s->index, 1));
}

static Var *select_sample(Var **in) { return var_select(in[0], 1, 2); }

const Op op_select = {
    .name = "select",
    .view = select_view,
    .backward = select_backward,
    .sample = {.call = select_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_select(Var *x, int axis, ptrdiff_t index)
{
    var_check(x, "var_select");
    SelectAttr s = {tensor_check_select(var_shape(x), axis, index, "var_select"), index};
    return var_apply_with(&op_select, var_shape(x), VARS(x), &s, sizeof s);
}
