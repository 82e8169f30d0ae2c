/* Average pooling and its adjoint: the solution that scores all points.
 *
 * Both kernels walk the same windows, so they agree on every window and on its weight; the
 * derivative of each is then the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "avgpool.h"

/* --- sizes ------------------------------------------------------------------------------------ */

static const char *const avg_pool_axis[] = {"height", "width"};

static void avg_pool_check_options(const Pool2dOptions *o, int i, const char *function)
{
    if (o->kernel[i] < 1 || o->stride[i] < 1 || o->padding[i] < 0)
        slope_fail(function, "along the %s, kernel %td, stride %td, padding %td: expected a kernel "
                   "and a stride of 1 or more and a padding of 0 or more", avg_pool_axis[i],
                   o->kernel[i], o->stride[i], o->padding[i]);
    if (o->padding[i] > o->kernel[i] / 2)
        slope_fail(function, "along the %s, the padding %td is more than half the kernel %td, so "
                   "a window could contain nothing else", avg_pool_axis[i], o->padding[i],
                   o->kernel[i]);
}

static ptrdiff_t avg_pool_size(const AvgPool *p, int i, const char *function)
{
    ptrdiff_t slack = p->in[i] - (p->o.kernel[i] - 2 * p->o.padding[i]);
    if (slack < 0)
        slope_fail(function, "along the %s, the kernel %td is larger than the padded input %td + "
                   "2 x %td", avg_pool_axis[i], p->o.kernel[i], p->in[i], p->o.padding[i]);
    return slack / p->o.stride[i] + 1;
}

/* The sizes for x (N,C,H,W); fails, naming `function`, if they do not fit. */
static AvgPool avg_pool_plan(Shape x, Pool2dOptions o, bool count_include_pad, const char *function)
{
    if (x.ndim != 4)
        slope_fail(function, "input %s: expected (N,C,H,W)", SHAPE_TEXT(x));
    if (x.dim[2] == 0 || x.dim[3] == 0)
        slope_fail(function, "input %s: an empty plane has no mean", SHAPE_TEXT(x));
    if (o.stride[0] == 0 && o.stride[1] == 0)
        o.stride[0] = o.kernel[0], o.stride[1] = o.kernel[1];
    AvgPool p = {.o = o, .count_include_pad = count_include_pad};
    p.planes = x.dim[0] * x.dim[1];
    for (int i = 0; i < 2; i++) {
        p.in[i] = x.dim[2 + i];
        avg_pool_check_options(&o, i, function);
        p.out[i] = avg_pool_size(&p, i, function);
    }
    return p;
}

/* --- windows ---------------------------------------------------------------------------------- */

/* The part of a window in the plane: rows top … bottom - 1, columns left … right - 1. */
typedef struct AvgPoolWindow {
    ptrdiff_t top, bottom, left, right;
    real      divisor;
} AvgPoolWindow;

static AvgPoolWindow avg_pool_window(const AvgPool *p, ptrdiff_t i, ptrdiff_t j)
{
    ptrdiff_t from[2] = {i, j}, to[2];
    for (int k = 0; k < 2; k++) {
        from[k] = from[k] * p->o.stride[k] - p->o.padding[k];
        to[k] = from[k] + p->o.kernel[k];
        from[k] = from[k] < 0 ? 0 : from[k];
        to[k] = to[k] > p->in[k] ? p->in[k] : to[k];
    }
    real area = (real)p->o.kernel[0] * (real)p->o.kernel[1];
    real inside = (real)((to[0] - from[0]) * (to[1] - from[1]));
    return (AvgPoolWindow){from[0], to[0], from[1], to[1], p->count_include_pad ? area : inside};
}

/* The mean over one window of a plane x (H,W). */
static real avg_pool_mean(const AvgPool *p, AvgPoolWindow a, const real *x)
{
    real sum = 0;
    for (ptrdiff_t h = a.top; h < a.bottom; h++)
        for (ptrdiff_t w = a.left; w < a.right; w++)
            sum += x[h * p->in[1] + w];
    return sum / a.divisor;
}

/* Adds one window's share of g to a plane (H,W). */
static void avg_pool_share(const AvgPool *p, AvgPoolWindow a, real g, real *y)
{
    real share = g / a.divisor;
    for (ptrdiff_t h = a.top; h < a.bottom; h++)
        for (ptrdiff_t w = a.left; w < a.right; w++)
            y[h * p->in[1] + w] += share;
}

/* avg_pool2d ------------------------------------- y = the mean of each window of x
 *   shape     x (N,C,H,W) -> y (N,C,P,Q)
 *   backward  gx = gy, divided likewise, added at all elements of each window
 *   care      each window is summed anew: a running sum would carry a NaN, or the rounding error
 *             of a large element, into windows that do not contain it
 */
static void avg_pool2d_forward(Var *y)
{
    const AvgPool *p = y->attr;
    const real *x = tensor_read(y->in[0]->value); /* contiguous: see var_avg_pool2d */
    real *out = tensor_write(y->value);
    for (ptrdiff_t plane = 0; plane < p->planes; plane++, x += p->in[0] * p->in[1])
        for (ptrdiff_t i = 0; i < p->out[0]; i++)
            for (ptrdiff_t j = 0; j < p->out[1]; j++)
                *out++ = avg_pool_mean(p, avg_pool_window(p, i, j), x);
}

static void avg_pool2d_backward(Var *y, Var *gy)
{
    const AvgPool *p = y->attr;
    Var *x = y->in[0];
    SEND(x, var_avg_pool2d_scatter(gy, var_shape(x), p->o, p->count_include_pad));
}

static Var *avg_pool2d_sample(Var **in)
{
    return var_avg_pool2d(in[0], AVG_POOL_SAMPLE, AVG_POOL_SAMPLE_COUNT_INCLUDE_PAD);
}

const Op op_avg_pool2d = {
    .name = "avg_pool2d",
    .forward = avg_pool2d_forward,
    .backward = avg_pool2d_backward,
    .sample = {.call = avg_pool2d_sample, .n_in = 1,
               .in = {{.shape = {4, {2, 2, 5, 4}}, .low = -2, .high = 2}}},
};

Var *var_avg_pool2d(Var *x, Pool2dOptions options, bool count_include_pad)
{
    var_check(x, "var_avg_pool2d");
    Shape s = var_shape(x);
    AvgPool p = avg_pool_plan(s, options, count_include_pad, "var_avg_pool2d");
    return var_apply_with(&op_avg_pool2d, SHAPE(s.dim[0], s.dim[1], p.out[0], p.out[1]),
                          VARS(var_contiguous(x)), &p, sizeof p);
}

/* avg_pool2d_scatter ------- y = at each element, the sum of g / divisor over its windows
 *   shape     g (N,C,P,Q) -> y (N,C,H,W), the given shape
 *   backward  gg = the mean of each window of gy
 */
static void avg_pool2d_scatter_forward(Var *y)
{
    const AvgPool *p = y->attr;
    const real *g = tensor_read(y->in[0]->value); /* contiguous: see var_avg_pool2d_scatter */
    tensor_fill(y->value, 0);
    real *out = tensor_write(y->value);
    for (ptrdiff_t plane = 0; plane < p->planes; plane++, out += p->in[0] * p->in[1])
        for (ptrdiff_t i = 0; i < p->out[0]; i++)
            for (ptrdiff_t j = 0; j < p->out[1]; j++)
                avg_pool_share(p, avg_pool_window(p, i, j), *g++, out);
}

static void avg_pool2d_scatter_backward(Var *y, Var *gy)
{
    const AvgPool *p = y->attr;
    Var *g = y->in[0];
    SEND(g, var_avg_pool2d(gy, p->o, p->count_include_pad));
}

static Var *avg_pool2d_scatter_sample(Var **in)
{
    return var_avg_pool2d_scatter(in[0], AVG_POOL_SAMPLE_SHAPE, AVG_POOL_SAMPLE,
                                  AVG_POOL_SAMPLE_COUNT_INCLUDE_PAD);
}

const Op op_avg_pool2d_scatter = {
    .name = "avg_pool2d_scatter",
    .forward = avg_pool2d_scatter_forward,
    .backward = avg_pool2d_scatter_backward,
    .sample = {.call = avg_pool2d_scatter_sample, .n_in = 1,
               .in = {{.shape = {4, {2, 2, 3, 3}}, .low = -2, .high = 2}}},
};

Var *var_avg_pool2d_scatter(Var *g, Shape x, Pool2dOptions options, bool count_include_pad)
{
    const char *function = "var_avg_pool2d_scatter";
    var_check(g, function), shape_check(x, function);
    AvgPool p = avg_pool_plan(x, options, count_include_pad, function);
    Shape pooled = SHAPE(x.dim[0], x.dim[1], p.out[0], p.out[1]);
    if (!shape_equal(var_shape(g), pooled))
        slope_fail(function, "gradient %s: pooling %s yields %s", SHAPE_TEXT(var_shape(g)),
                   SHAPE_TEXT(x), SHAPE_TEXT(pooled));
    return var_apply_with(&op_avg_pool2d_scatter, x, VARS(var_contiguous(g)), &p, sizeof p);
}
