/* tensor/kernels/softmax.c -- softmax and its logarithm along one axis.
 *
 * Both first subtract the maximum along the axis: the largest exponential is then e^0 = 1, so
 * nothing overflows, and the result is the same because the common factor cancels.
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

/* One line along the axis: n elements, `step` apart. */
static void softmax_line(const Softmax *s, const real *x, real *y)
{
    ptrdiff_t n = s->view.n, step = s->view.inner;
    real max = tensor_row_max(x, n, step);
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * step] = exp(x[i * step] - max);
    real sum = tensor_row_sum(y, n, step), log_sum = log(sum);
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * step] = s->log ? x[i * step] - max - log_sum : y[i * step] / sum;
}

static void softmax_lines(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Softmax *s = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        ptrdiff_t start = i / s->view.inner * s->view.n * s->view.inner + i % s->view.inner;
        softmax_line(s, s->x + start, s->y + start);
    }
}

static void softmax_run(Tensor *y, const Tensor *x, int axis, bool log_wanted)
{
    Softmax s = {.view = shape_axis_view(x->shape, axis), .x = tensor_read(x), .log = log_wanted};
    s.y = tensor_write(y);
    parallel_for(s.view.outer * s.view.inner, 1 + 2048 / (s.view.n + 1), softmax_lines, &s);
}

void tensor_softmax(Tensor *y, const Tensor *x, int axis)
{
    softmax_run(y, x, axis, false);
}

void tensor_log_softmax(Tensor *y, const Tensor *x, int axis)
{
    softmax_run(y, x, axis, true);
}
