/* permute --------------------------- y = x with its axes in another order
 *   shape     axis i of y is axis order[i] of x
 *   backward  gx = gy with its axes put back in order
 *   care      a view
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/check.h"

static const int *permute_order(const Var *y)
{
    const Axes *order = y->attr;
    return order->axis;
}

static Tensor *permute_view(const Var *y)
{
    return tensor_permute(y->in[0]->value, permute_order(y));
}

static void permute_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    int back[MAX_DIMS];
    for (int i = 0; i < var_shape(x).ndim; i++)
        back[permute_order(y)[i]] = i;
    SEND(x, var_permute(gy, back));
}

static Var *permute_sample(Var **in) { return var_permute(in[0], (const int[]){2, 0, 1}); }

const Op op_permute = {
    .name = "permute",
    .view = permute_view,
    .backward = permute_backward,
    .sample = {.call = permute_sample,
               .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_permute(Var *x, const int *order)
{
    var_check(x, "var_permute");
    Axes axes = tensor_check_permute(var_shape(x), order, "var_permute");
    return var_apply_with(&op_permute, var_shape(x), VARS(x), &axes, sizeof axes);
}
