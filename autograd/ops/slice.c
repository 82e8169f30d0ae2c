/* slice ------------------- y = elements start, start+step ... below stop of an axis
 *   shape     x's with that axis shortened
 *   backward  gx = zeros with gy at those elements
 *   care      a view
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/check.h"

typedef struct SliceAttr {
    int       axis;
    ptrdiff_t start, stop, step;
} SliceAttr;

static Tensor *slice_view(const Var *y)
{
    const SliceAttr *s = y->attr;
    return tensor_slice(y->in[0]->value, s->axis, s->start, s->stop, s->step);
}

static void slice_backward(Var *y, Var *gy)
{
    const SliceAttr *s = y->attr;
    Var *x = y->in[0];
    SEND(x, var_slice_scatter(gy, var_shape(x), s->axis, s->start, s->step));
}

static Var *slice_sample(Var **in) { return var_slice(in[0], -1, 1, 6, 2); }

const Op op_slice = {
    .name = "slice",
    .view = slice_view,
    .backward = slice_backward,
    .sample = {.call = slice_sample, .n_in = 1,
               .in = {{.shape = {2, {2, 7}}, .low = -2, .high = 2}}},
};

Var *var_slice(Var *x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step)
{
    var_check(x, "var_slice");
    axis = tensor_check_slice(var_shape(x), axis, start, stop, step, "var_slice");
    SliceAttr s = {axis, start, stop, step};
    return var_apply_with(&op_slice, var_shape(x), VARS(x), &s, sizeof s);
}
