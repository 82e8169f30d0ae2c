/* permute --------------------------- y = x with its axes in another order
 *   shape     axis i of y is axis order[i] of x
 *   backward  gx = gy with its axes put back in order
 *   care      a view
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "autograd/op.h"

typedef struct PermuteAttr {
    int order[MAX_DIMS];
} PermuteAttr;

static Tensor *permute_view(const Var *y)
{
    const PermuteAttr *p = y->attr;
    return tensor_permute(y->in[0]->value, p->order);
}

static void permute_backward(Var *y, Var *gy)
{
    const PermuteAttr *p = y->attr;
    Var *x = y->in[0];
    int back[MAX_DIMS];
    for (int i = 0; i < var_shape(x).ndim; i++)
        back[shape_axis(var_shape(x), p->order[i], "var_permute")] = i;
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
    PermuteAttr p = {{0}};
    memcpy(p.order, order, (size_t)var_shape(x).ndim * sizeof *order);
    return var_apply_with(&op_permute, var_shape(x), VARS(x), &p, sizeof p);
}
