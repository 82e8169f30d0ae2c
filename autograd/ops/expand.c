/* expand ------------------------------------ y = x stretched by broadcasting
 *   shape     the given one, to which x must broadcast
 *   backward  gx = gy summed over the stretched axes (SEND does that)
 *   care      a view: a stretched axis has stride 0
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/check.h"

static Tensor *expand_view(const Var *y)
{
    return tensor_expand(y->in[0]->value, *(const Shape *)y->attr);
}

static void expand_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, gy);
}

static Var *expand_sample(Var **in) { return var_expand(in[0], SHAPE(2, 3, 4)); }

const Op op_expand = {
    .name = "expand",
    .view = expand_view,
    .backward = expand_backward,
    .sample = {.call = expand_sample, .n_in = 1,
               .in = {{.shape = {2, {3, 1}}, .low = -2, .high = 2}}},
};

Var *var_expand(Var *x, Shape shape)
{
    var_check(x, "var_expand");
    tensor_check_expand(var_shape(x), shape, "var_expand");
    return var_apply_with(&op_expand, shape, VARS(x), &shape, sizeof shape);
}
