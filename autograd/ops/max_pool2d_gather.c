/* max_pool2d_gather ---------------------------- y = x read at the winners' positions
 *   shape     x (N,C,H,W), winner (N,C,P,Q) -> y (N,C,P,Q)
 *   backward  gx = gy scattered back to those positions
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/max_pool.h"

static void max_pool2d_gather_forward(Var *y)
{
    tensor_max_pool2d_gather(y->value, y->in[0]->value, y->in[1]->value, y->attr);
}

static void max_pool2d_gather_backward(Var *y, Var *gy)
{
    const Pool2d *p = y->attr;
    Var *x = y->in[0];
    SEND(x, var_max_pool2d_scatter(gy, y->in[1], var_shape(x), p->o));
}

static Var *max_pool2d_gather_sample(Var **in)
{
    Pool2dOptions o = {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
    Var *x = var_full(SHAPE(2, 2, 5, 4), 1);
    for (ptrdiff_t i = 0; i < 80; i++)
        tensor_write(x->value)[i] = (real)(i * 37 % 80);
    return var_max_pool2d_gather(in[0], var_output(var_max_pool2d(x, o), 1), o);
}

const Op op_max_pool2d_gather = {
    .name = "max_pool2d_gather",
    .forward = max_pool2d_gather_forward,
    .backward = max_pool2d_gather_backward,
    .sample = {.call = max_pool2d_gather_sample, .n_in = 1,
               .in = {{.shape = {4, {2, 2, 5, 4}}, .low = -2, .high = 2}}},
};

Var *var_max_pool2d_gather(Var *x, Var *winner, Pool2dOptions options)
{
    var_check(x, "var_max_pool2d_gather"), var_check(winner, "var_max_pool2d_gather");
    Shape s = var_shape(x);
    Pool2d p = tensor_max_pool2d_plan(s, options, "var_max_pool2d_gather");
    Shape pooled = SHAPE(s.dim[0], s.dim[1], p.P, p.Q);
    if (!shape_equal(var_shape(winner), pooled))
        slope_fail("var_max_pool2d_gather", "winners %s: expected %s",
                   SHAPE_TEXT(var_shape(winner)), SHAPE_TEXT(pooled));
    return var_apply_with(&op_max_pool2d_gather, pooled,
                          VARS(var_contiguous(x), var_contiguous(winner)), &p, sizeof p);
}
