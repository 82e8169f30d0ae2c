/* max_pool2d_scatter -------- y = zeros, with every g added at its winner's position
 *   shape     g and winner (N,C,P,Q) -> y (N,C,H,W), the given shape
 *   backward  gg = gy read at the winners' positions
 *   care      this is the rule of max_pool2d; scatter and gather are each other's rules
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/max_pool.h"

static void max_pool2d_scatter_forward(Var *y)
{
    tensor_max_pool2d_scatter(y->value, y->in[0]->value, y->in[1]->value, y->attr);
}

static void max_pool2d_scatter_backward(Var *y, Var *gy)
{
    const Pool2d *p = y->attr;
    Var *g = y->in[0];
    SEND(g, var_max_pool2d_gather(gy, y->in[1], p->o));
}

/* The winners, here and in the sample of gather, come from pooling fixed values. */
static Var *max_pool2d_scatter_sample(Var **in)
{
    Pool2dOptions o = {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
    Var *x = var_full(SHAPE(2, 2, 5, 4), 1);
    for (ptrdiff_t i = 0; i < 80; i++)
        tensor_write(x->value)[i] = (real)(i * 37 % 80);
    return var_max_pool2d_scatter(in[0], var_output(var_max_pool2d(x, o), 1), var_shape(x), o);
}

const Op op_max_pool2d_scatter = {
    .name = "max_pool2d_scatter",
    .forward = max_pool2d_scatter_forward,
    .backward = max_pool2d_scatter_backward,
    .sample = {.call = max_pool2d_scatter_sample, .n_in = 1,
               .in = {{.shape = {4, {2, 2, 3, 3}}, .low = -2, .high = 2}}},
};

Var *var_max_pool2d_scatter(Var *g, Var *winner, Shape x, Pool2dOptions options)
{
    var_check(g, "var_max_pool2d_scatter"), var_check(winner, "var_max_pool2d_scatter");
    shape_check(x, "var_max_pool2d_scatter");
    Pool2d p = tensor_max_pool2d_plan(x, options, "var_max_pool2d_scatter");
    Shape pooled = SHAPE(x.dim[0], x.dim[1], p.P, p.Q);
    if (!shape_equal(var_shape(g), pooled) || !shape_equal(var_shape(winner), pooled))
        slope_fail("var_max_pool2d_scatter", "gradient %s and winners %s: expected %s",
                   SHAPE_TEXT(var_shape(g)), SHAPE_TEXT(var_shape(winner)), SHAPE_TEXT(pooled));
    return var_apply_with(&op_max_pool2d_scatter, x,
                          VARS(var_contiguous(g), var_contiguous(winner)), &p, sizeof p);
}
