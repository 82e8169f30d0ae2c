/* tensor/kernels/softmax.c -- softmax and its logarithm along one axis.
 *
 * Both first subtract the maximum along the axis: the largest exponential is then e^0 = 1, so
 * nothing overflows, and the result is the same because the common factor cancels. The logarithm of
 * the largest element is -log(1 + rest), where rest is the sum of the other exponentials; if rest
 * is small, it is about -rest. A sum that includes the 1 would then lose the digits of rest, so
 * rest is added up without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <tgmath.h>

#include "tensor/kernels/activation.h"
#include "tensor/kernels/reduce.h"
#include "tensor/parallel.h"

typedef struct Softmax {
    AxisView    view;
    const real *x;
    real       *y;
    bool        log;
} Softmax;

/* log(1 + x) for x >= 0. Source: Goldberg, "What every computer scientist should know about
 * floating-point arithmetic", 1991, theorem 4. */
static real softmax_log1p(real x)
{
    real sum = 1 + x;
    return sum == 1 ? x : log(sum) * (x / (sum - 1));
}

/* The logarithm of the sum of n exponentials, the largest of which is 1. If the others are so small
 * that the sum would round their digits off, they are added up without the 1. */
static real softmax_log_sum(const real *y, ptrdiff_t n, ptrdiff_t step)
{
    double rest = tensor_row_sum(y, n, step) - 1, ones = 0, sum = 0;
    double least = n > TENSOR_ROW_FEW ? 1 : 16 * DBL_EPSILON / (double)REAL_EPSILON;
    if (!(rest < least))
        return softmax_log1p((real)rest);
    for (ptrdiff_t i = 0; i < n; i++)
        if (y[i * step] == 1)
            ones++;
        else
            sum += (double)y[i * step];
    return softmax_log1p((real)(ones - 1 + sum));
}

/* One line along the axis: n elements, `step` apart. */
static void softmax_line(const Softmax *s, const real *x, real *y)
{
    ptrdiff_t n = s->view.n, step = s->view.inner;
    real max = tensor_row_max(x, n, step);
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * step] = exp(x[i * step] - max);
    real sum = s->log ? softmax_log_sum(y, n, step) : (real)tensor_row_sum(y, n, step);
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * step] = s->log ? x[i * step] - max - sum : y[i * step] / sum;
}

static void softmax_lines(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Softmax *s = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        ptrdiff_t start = i / s->view.inner * s->view.n * s->view.inner + i % s->view.inner;
        softmax_line(s, s->x + start, s->y + start);
    }
}

static void softmax_run(Tensor *y, const Tensor *x, int axis, bool log_wanted,
                        const char *function)
{
    tensor_check(y, function), tensor_check(x, function);
    Softmax s = {.view = shape_axis_view(x->shape, axis), .x = tensor_read(x), .log = log_wanted};
    s.y = tensor_write(y);
    parallel_for(s.view.outer * s.view.inner, 1 + 2048 / (s.view.n + 1), softmax_lines, &s);
}

void tensor_softmax(Tensor *y, const Tensor *x, int axis)
{
    softmax_run(y, x, axis, false, "tensor_softmax");
}

void tensor_log_softmax(Tensor *y, const Tensor *x, int axis)
{
    softmax_run(y, x, axis, true, "tensor_log_softmax");
}
