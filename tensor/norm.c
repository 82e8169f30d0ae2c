/* tensor/norm.c -- the batch normalisation kernels.
 *
 * Both directions need two sums a channel: forward of d = x - s and of d^2, s being a guess at the
 * channel's mean, that of its first few numbers; backward of gy and gy xhat. norm_sums makes either
 * pair. From the first,
 *
 *      mean = s + E[d],   variance = E[d^2] - E[d]^2,
 *
 * in one pass; the shift by s keeps the difference from cancelling when the mean is large.
 *
 * A task is one channel of one block of `outer`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/norm.h"

#include <math.h>
#include <tgmath.h>

#include "tensor/activation.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum { NORM_LANES = 16, NORM_BLOCKS = 16 };

typedef struct Norm {
    AxisView    view; /* outer, C = n, inner */
    const real *x, *gy, *w, *b, *mean, *rstd;
    real       *y;             /* or gx */
    real       *sums;          /* (3, C): the two means, then rstd; behind them partial */
    real       *partial;       /* (2, blocks, C) */
    ptrdiff_t   blocks, grain; /* how `outer` is cut for the sums */
} Norm;

static Norm norm_begin(const Tensor *x)
{
    Norm n = {.view = axis_view(x->shape, 1), .x = tensor_read(x)};
    n.grain = (n.view.outer + NORM_BLOCKS - 1) / NORM_BLOCKS;
    n.grain = n.grain ? n.grain : 1;
    n.blocks = (n.view.outer + n.grain - 1) / n.grain;
    return n;
}

/* --- sums ------------------------------------------------------------------------------------- */

/* The two sums over one run of a channel. Forward, `mean` holds the shifts. */
static void norm_run(const Norm *n, ptrdiff_t at, ptrdiff_t c, real lane1[NORM_LANES],
                     real lane2[NORM_LANES])
{
    const real *x = n->x + at, *g = n->gy ? n->gy + at : NULL;
    real shift = n->mean ? n->mean[c] : 0, scale = g ? n->rstd[c] : 1;
    for (ptrdiff_t i = 0; i < n->view.inner; i++) {
        real d = (x[i] - shift) * scale, first = g ? g[i] : d;
        lane1[i % NORM_LANES] += first;
        lane2[i % NORM_LANES] += first * d;
    }
}

static real norm_fold(real lane[NORM_LANES])
{
    for (int half = NORM_LANES / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0];
}

/* Task t: block t / C of `outer`, channel t % C. */
static void norm_sum_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Norm *n = ctx;
    ptrdiff_t C = n->view.n;
    for (ptrdiff_t t = begin; t < end; t++) {
        real lane1[NORM_LANES] = {0}, lane2[NORM_LANES] = {0};
        ptrdiff_t first = t / C * n->grain, last = first + n->grain;
        for (ptrdiff_t o = first; o < last && o < n->view.outer; o++)
            norm_run(n, (o * C + t % C) * n->view.inner, t % C, lane1, lane2);
        n->partial[t] = norm_fold(lane1);
        n->partial[n->blocks * C + t] = norm_fold(lane2);
    }
}

/* sum1 and sum2 (C) over all blocks, each divided by `by`. */
static void norm_sums(Norm *n, real *sum1, real *sum2, real by)
{
    ptrdiff_t C = n->view.n, tasks = n->blocks * C;
    n->partial = n->sums + 3 * C;
    parallel_for(tasks, 1 + 16384 / (n->grain * n->view.inner + 1), norm_sum_tasks, n);
    for (int which = 0; which < 2; which++) {
        real *sum = which ? sum2 : sum1;
        for (ptrdiff_t c = 0; c < C; c++) {
            real total = 0;
            for (ptrdiff_t b = 0; b < n->blocks; b++)
                total += n->partial[which * tasks + b * C + c];
            sum[c] = total / by;
        }
    }
}

/* --- second passes ---------------------------------------------------------------------------- */

/* Planes (outer, C) [begin, end). */
static void norm_write_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Norm *n = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t c = t % n->view.n, at = t * n->view.inner;
        real scale = n->rstd[c] * (n->w ? n->w[c] : 1), mean = n->mean[c], b = n->b ? n->b[c] : 0;
        for (ptrdiff_t i = 0; i < n->view.inner; i++)
            n->y[at + i] = (n->x[at + i] - mean) * scale + b;
    }
}

static void norm_write_gradient(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Norm *n = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t c = t % n->view.n, at = t * n->view.inner;
        real scale = n->rstd[c] * (n->w ? n->w[c] : 1), mean = n->mean[c], rstd = n->rstd[c];
        real s1 = n->sums[c], s2 = n->sums[n->view.n + c];
        for (ptrdiff_t i = 0; i < n->view.inner; i++)
            n->y[at + i] = scale * (n->gy[at + i] - s1 - (n->x[at + i] - mean) * rstd * s2);
    }
}

static void norm_write(Norm *n, ParallelFn fn)
{
    parallel_for(n->view.outer * n->view.n, 1 + 16384 / (n->view.inner + 1), fn, n);
}

/* --- the two kernels -------------------------------------------------------------------------- */

/* The mean of channel c's first numbers, at most NORM_LANES, in image 0 or over the rows. */
static real norm_guess(const Norm *n, ptrdiff_t c)
{
    ptrdiff_t step = n->view.inner > 1 ? 1 : n->view.n, k = 0;
    ptrdiff_t most = n->view.inner > 1 ? n->view.inner : n->view.outer;
    real sum = 0;
    for (; k < most && k < NORM_LANES; k++)
        sum += n->x[c * n->view.inner + k * step];
    return sum / (real)k;
}

static void norm_mean_and_variance(Norm *n, real *mean, real *var, real count)
{
    ptrdiff_t C = n->view.n;
    for (ptrdiff_t c = 0; c < C; c++)
        mean[c] = norm_guess(n, c);
    n->mean = mean;
    real *sums = n->sums;
    norm_sums(n, sums, sums + C, count);
    for (ptrdiff_t c = 0; c < C; c++) {
        real d = sums[c], v = sums[C + c] - d * d;
        mean[c] += d;
        var[c] = v < 0 ? 0 : v; /* rounding; a NaN stays */
    }
}

/* 1 / sqrt(var + eps) into the room behind the two sums. */
static void norm_set_rstd(Norm *n, const real *var, real eps)
{
    real *rstd = n->sums + 2 * n->view.n;
    for (ptrdiff_t c = 0; c < n->view.n; c++)
        rstd[c] = 1 / sqrt(var[c] + eps);
    n->rstd = rstd;
}

/* For sums and partial, in one block: were there two, a failure to get the second would lose the
 * first. */
static size_t norm_room(const Norm *n)
{
    return (size_t)((3 + 2 * n->blocks) * n->view.n) * sizeof(real);
}

void batch_norm_forward(Tensor *y, Tensor *mean, Tensor *var, const Tensor *x, const Tensor *w,
                        const Tensor *b, real eps)
{
    Norm n = norm_begin(x);
    n.sums = pool_take(norm_room(&n));
    norm_mean_and_variance(&n, tensor_write(mean), tensor_write(var),
                           (real)(n.view.outer * n.view.inner));
    norm_set_rstd(&n, tensor_read(var), eps);
    n.w = w ? tensor_read(w) : NULL, n.b = b ? tensor_read(b) : NULL;
    n.y = tensor_write(y);
    norm_write(&n, norm_write_planes);
    pool_give(n.sums, norm_room(&n));
}

static void norm_scale_out(Tensor *out, const real *mean_of, ptrdiff_t C, real count)
{
    real *p = out ? tensor_write(out) : NULL;
    for (ptrdiff_t c = 0; p && c < C; c++)
        p[c] = mean_of[c] * count;
}

void batch_norm_backward(Tensor *gx, Tensor *gw, Tensor *gb, const Tensor *gy, const Tensor *x,
                         const Tensor *w, const Tensor *mean, const Tensor *var, real eps)
{
    Norm n = norm_begin(x);
    ptrdiff_t C = n.view.n;
    real count = (real)(n.view.outer * n.view.inner);
    n.sums = pool_take(norm_room(&n));
    norm_set_rstd(&n, tensor_read(var), eps);
    n.gy = tensor_read(gy), n.mean = tensor_read(mean);
    norm_sums(&n, n.sums, n.sums + C, count);
    n.w = w ? tensor_read(w) : NULL;
    n.y = gx ? tensor_write(gx) : NULL;
    if (gx)
        norm_write(&n, norm_write_gradient);
    norm_scale_out(gb, n.sums, C, count);
    norm_scale_out(gw, n.sums + C, C, count);
    pool_give(n.sums, norm_room(&n));
}
