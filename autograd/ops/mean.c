/* mean ---------------------------------------- y = mean of x over some axes
 *   shape     those axes of x become 1 (keepdim) or are removed
 *   backward  gx = gy / n, broadcast back along those axes; each mean is over n elements
 *   care      divided by n, not multiplied by 1/n, so that the mean of equal numbers is that
 *             number; the mean of no elements is 0/0 = NaN, as in NumPy
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

typedef struct MeanAttr {
    Shape kept; /* the result's shape with the reduced axes kept as 1 */
    real  n;
} MeanAttr;

static inline real mean_divide(real sum, real n) { return sum / n; }
MAP1C(mean_divide_map, mean_divide)

static void mean_forward(Var *y)
{
    const MeanAttr *m = y->attr;
    Tensor kept = tensor_as(y->value, m->kept);
    tensor_sum_to(&kept, y->in[0]->value);
    mean_divide_map(y->value, y->value, m->n);
}

static void mean_backward(Var *y, Var *gy)
{
    const MeanAttr *m = y->attr;
    Var *x = y->in[0];
    SEND(x, var_expand(var_reshape(var_div(gy, var_scalar(m->n)), m->kept), var_shape(x)));
}

static Var *mean_sample(Var **in) { return var_mean(in[0], AXES(1), true); }

const Op op_mean = {
    .name = "mean",
    .forward = mean_forward,
    .backward = mean_backward,
    .sample = {.call = mean_sample, .n_in = 1,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2}}},
};

Var *var_mean(Var *x, Axes axes, bool keepdim)
{
    var_check(x, "var_mean");
    unsigned mask = shape_axes(var_shape(x), axes, "var_mean");
    MeanAttr m = {.kept = shape_reduce(var_shape(x), mask, true), .n = 1};
    for (int i = 0; i < var_shape(x).ndim; i++)
        m.n *= mask >> i & 1 ? (real)var_shape(x).dim[i] : 1;
    Shape out = shape_reduce(var_shape(x), mask, keepdim);
    return var_apply_with(&op_mean, out, VARS(x), &m, sizeof m);
}
