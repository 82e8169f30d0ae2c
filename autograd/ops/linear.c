/* linear ----------------------------------------------------- y = x w' + b
 *   shape     x (...,D), w (O,D), b (O) or NULL -> y (...,O)
 *   backward  with x and gy as matrices of D and O columns:
 *             gx = gy w, gw = gy' x, gb = gy summed over the rows
 *   care      gw is computed in w's own layout; if y were made of transpose and matmul, gw would
 *             come out transposed and would have to be copied
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/matmul.h"

static void linear_forward(Var *y)
{
    const Tensor *b = y->n_in > 2 ? y->in[2]->value : NULL;
    tensor_linear(y->value, y->in[0]->value, y->in[1]->value, b);
}

/* x reshaped to this shape; x itself if it has this shape already. */
static Var *linear_as(Var *x, Shape shape)
{
    return shape_equal(var_shape(x), shape) ? x : var_reshape(x, shape);
}

/* (...,D) as (M,D) */
static Var *linear_rows(Var *x)
{
    Shape s = var_shape(x);
    ptrdiff_t rows = 1;
    for (int i = 0; i + 1 < s.ndim; i++)
        rows *= s.dim[i];
    return linear_as(x, SHAPE(rows, s.dim[s.ndim - 1]));
}

static void linear_backward(Var *y, Var *gy)
{
    Var *x = y->in[0], *w = y->in[1], *g = linear_rows(gy);
    SEND(x, linear_as(var_matmul(g, w), var_shape(x)));
    SEND(w, var_matmul(var_transpose(g, 0, 1), linear_rows(x)));
    if (y->n_in > 2)
        SEND(y->in[2], var_sum(g, AXES(0), false));
}

static Var *linear_sample(Var **in) { return var_linear(in[0], in[1], in[2]); }

const Op op_linear = {
    .name = "linear",
    .forward = linear_forward,
    .backward = linear_backward,
    .sample = {.call = linear_sample, .n_in = 3,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2},
                      {.shape = {2, {5, 4}}, .low = -2, .high = 2},
                      {.shape = {1, {5}}, .low = -2, .high = 2}}},
};

Var *var_linear(Var *x, Var *w, Var *b)
{
    var_check(x, "var_linear"), var_check(w, "var_linear");
    if (b)
        var_check(b, "var_linear");
    Shape out = var_shape(x), weight = var_shape(w);
    if (out.ndim < 1 || weight.ndim != 2 || out.dim[out.ndim - 1] != weight.dim[1])
        slope_fail("var_linear", "input %s and weight %s: expected (...,D) and (O,D)",
                   SHAPE_TEXT(out), SHAPE_TEXT(weight));
    out.dim[out.ndim - 1] = weight.dim[0];
    if (b && !shape_equal(var_shape(b), SHAPE(weight.dim[0])))
        slope_fail("var_linear",
                   "the bias has shape %s; expected one element for each of the %td outputs",
                   SHAPE_TEXT(var_shape(b)), weight.dim[0]);
    shape_check(out, "var_linear");
    x = var_contiguous(x), w = var_contiguous(w);
    if (!b)
        return var_apply(&op_linear, out, VARS(x, w));
    return var_apply(&op_linear, out, VARS(x, w, var_contiguous(b)));
}
