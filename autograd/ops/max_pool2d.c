/* max_pool2d -------------------------------- y = the maximum of each window of x
 *   shape     x (N,C,H,W) -> y (N,C,P,Q); a second output holds the winners' positions
 *   backward  gx = gy at the winners' positions, added up where windows overlap, else 0
 *   care      the first of equal elements wins; a NaN propagates; see tensor/kernels/max_pool.h
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
#include "autograd/op.h"
#include "tensor/kernels/max_pool.h"

static void max_pool2d_forward(Var *y)
{
    tensor_max_pool2d(y->value, var_output(y, 1)->value, y->in[0]->value, y->attr);
}

/* The positions are integers that do not vary with x, so they require no gradient. */
static void max_pool2d_backward(Var *y, Var *gy)
{
    const Pool2d *p = y->attr;
    Var *x = y->in[0];
    SEND(x, var_max_pool2d_scatter(gy, var_output(y, 1), var_shape(x), p->o));
}

static uint64_t max_pool2d_branch_hash(const Var *y)
{
    const Tensor *winner = var_output(y, 1)->value;
    uint64_t hash = 0;
    for (ptrdiff_t i = 0, n = tensor_count(winner); i < n; i++)
        hash = hash * 1000003 + (uint64_t)tensor_read(winner)[i];
    return hash;
}

static Var *max_pool2d_sample(Var **in)
{
    Pool2dOptions o = {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
    return var_max_pool2d(in[0], o);
}

const Op op_max_pool2d = {
    .name = "max_pool2d",
    .forward = max_pool2d_forward,
    .backward = max_pool2d_backward,
    .branch_hash = max_pool2d_branch_hash,
    .sample = {.call = max_pool2d_sample, .n_in = 1,
               .in = {{.shape = {4, {2, 2, 5, 4}}, .low = -2, .high = 2}}},
};

Pool2dOptions var_max_pool2d_options(Pool2dOptions options, const char *function)
{
    return tensor_max_pool2d_options(options, function);
}

Var *var_max_pool2d_named(Var *x, Pool2dOptions options, const char *function)
{
    var_check(x, function);
    Pool2d p = tensor_max_pool2d_plan(var_shape(x), options, function);
    Shape s = var_shape(x);
    Shape out = SHAPE(s.dim[0], s.dim[1], p.P, p.Q);
    Var *y = var_apply_all(&op_max_pool2d, (const Shape *const[]){&out, &out}, 2,
                           VARS(var_contiguous(x)), &p, sizeof p);
    var_output(y, 1)->requires_grad = false;
    return y;
}

Var *var_max_pool2d(Var *x, Pool2dOptions options)
{
    return var_max_pool2d_named(x, options, "var_max_pool2d");
}
