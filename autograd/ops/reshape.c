/* reshape ------------------------------ y = the elements of x in another shape
 *   shape     the given one, with as many elements as x
 *   backward  gx = gy in x's shape
 *   care      a view; x is copied first if it is not contiguous and the shapes differ
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/check.h"

static Tensor *reshape_view(const Var *y)
{
    const Tensor *x = y->in[0]->value;
    const Shape *shape = y->attr;
    return shape_equal(x->shape, *shape) ? tensor_ref(x) : tensor_reshape(x, *shape);
}

static void reshape_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_reshape(gy, var_shape(x)));
}

static Var *reshape_sample(Var **in) { return var_reshape(in[0], SHAPE(4, 3)); }

const Op op_reshape = {
    .name = "reshape",
    .view = reshape_view,
    .backward = reshape_backward,
    .sample = {.call = reshape_sample, .n_in = 1,
               .in = {{.shape = {2, {2, 6}}, .low = -2, .high = 2}}},
};

Var *var_reshape(Var *x, Shape shape)
{
    var_check(x, "var_reshape");
    tensor_check_reshape(var_shape(x), shape, "var_reshape");
    if (!shape_equal(var_shape(x), shape))
        x = var_contiguous(x);
    return var_apply_with(&op_reshape, shape, VARS(x), &shape, sizeof shape);
}
