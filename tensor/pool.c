/* tensor/pool.c -- max pooling, plane by plane.
 *
 * Windows may overlap, so several outputs can have one winner: the scatter adds. One thread has a
 * whole plane, so the order of those additions is fixed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/pool.h"

#include <math.h>

#include "tensor/parallel.h"

enum { POOL_GRAIN = 32768 };

/* --- sizes ------------------------------------------------------------------------------------ */

static ptrdiff_t pool_size(Shape x, Pool2dOptions o, int i, const char *function)
{
    if (o.kernel[i] < 1 || o.stride[i] < 1 || o.padding[i] < 0 || o.padding[i] > o.kernel[i] / 2)
        slope_fail(function, "kernel %td, stride %td, padding %td: expected a kernel and a stride "
                   "of 1 or more and a padding of 0 to half the kernel", o.kernel[i], o.stride[i],
                   o.padding[i]);
    if (x.dim[2 + i] == 0)
        slope_fail(function, "input %s: there is no largest element in an empty plane",
                   SHAPE_TEXT(x));
    ptrdiff_t room = x.dim[2 + i] - (o.kernel[i] - 2 * o.padding[i]);
    if (room < 0)
        slope_fail(function, "input %s: along the %s the kernel %td is larger than the padded "
                   "input %td + 2 x %td", SHAPE_TEXT(x), i ? "width" : "height", o.kernel[i],
                   x.dim[2 + i], o.padding[i]);
    return room / o.stride[i] + 1;
}

Pool2d pool2d_plan(Shape x, Pool2dOptions options, const char *function)
{
    if (x.ndim != 4)
        slope_fail(function, "input %s: expected (N,C,H,W)", SHAPE_TEXT(x));
    for (int i = 0; i < 2; i++)
        if (options.stride[i] == 0)
            options.stride[i] = options.kernel[i];
    Pool2d p = {.o = options, .planes = x.dim[0] * x.dim[1], .H = x.dim[2], .W = x.dim[3]};
    p.P = pool_size(x, options, 0, function);
    p.Q = pool_size(x, options, 1, function);
    if (p.H * p.W > (ptrdiff_t)1 << REAL_MANT_DIG)
        slope_fail(function, "input %s: a plane may have at most 2^%d elements", SHAPE_TEXT(x),
                   REAL_MANT_DIG);
    return p;
}

/* --- the three kernels ------------------------------------------------------------------------ */

typedef struct PoolRun {
    const Pool2d *p;
    const real   *x, *winner_in;
    real         *y, *winner;
} PoolRun;

static ptrdiff_t pool_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static ptrdiff_t pool_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* The place of the largest element of output (i,j)'s window in the plane x. */
static ptrdiff_t pool_winner(const Pool2d *p, const real *x, ptrdiff_t i, ptrdiff_t j)
{
    ptrdiff_t top = i * p->o.stride[0] - p->o.padding[0];
    ptrdiff_t left = j * p->o.stride[1] - p->o.padding[1];
    ptrdiff_t h0 = pool_max(top, 0), h1 = pool_min(top + p->o.kernel[0], p->H);
    ptrdiff_t w0 = pool_max(left, 0), w1 = pool_min(left + p->o.kernel[1], p->W);
    ptrdiff_t best = h0 * p->W + w0;
    real largest = -(real)INFINITY;
    for (ptrdiff_t h = h0; h < h1; h++)
        for (ptrdiff_t w = w0; w < w1; w++) {
            real v = x[h * p->W + w];
            if (v > largest || isnan(v))
                largest = v, best = h * p->W + w;
        }
    return best;
}

static void pool_forward_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const PoolRun *run = ctx;
    const Pool2d *p = run->p;
    for (ptrdiff_t plane = begin; plane < end; plane++) {
        const real *x = run->x + plane * p->H * p->W;
        real *y = run->y + plane * p->P * p->Q, *winner = run->winner + plane * p->P * p->Q;
        for (ptrdiff_t i = 0; i < p->P; i++)
            for (ptrdiff_t j = 0; j < p->Q; j++, y++, winner++) {
                ptrdiff_t place = pool_winner(p, x, i, j);
                *y = x[place];
                *winner = (real)place;
            }
    }
}

static void pool_scatter_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const PoolRun *run = ctx;
    ptrdiff_t in = run->p->H * run->p->W, out = run->p->P * run->p->Q;
    for (ptrdiff_t i = begin * in; i < end * in; i++)
        run->y[i] = 0;
    for (ptrdiff_t plane = begin; plane < end; plane++)
        for (ptrdiff_t i = plane * out; i < (plane + 1) * out; i++)
            run->y[plane * in + (ptrdiff_t)run->winner_in[i]] += run->x[i];
}

static void pool_gather_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const PoolRun *run = ctx;
    ptrdiff_t in = run->p->H * run->p->W, out = run->p->P * run->p->Q;
    for (ptrdiff_t plane = begin; plane < end; plane++)
        for (ptrdiff_t i = plane * out; i < (plane + 1) * out; i++)
            run->y[i] = run->x[plane * in + (ptrdiff_t)run->winner_in[i]];
}

static void pool2d_run(PoolRun run, ParallelFn fn)
{
    parallel_for(run.p->planes, 1 + POOL_GRAIN / (run.p->H * run.p->W + 1), fn, &run);
}

void max_pool2d_forward(Tensor *y, Tensor *winner, const Tensor *x, const Pool2d *p)
{
    pool2d_run((PoolRun){.p = p, .x = tensor_read(x), .y = tensor_write(y),
                         .winner = tensor_write(winner)}, pool_forward_planes);
}

/* A winner names a place in memory: it must lie in the plane. */
static void pool_check_winners(const Tensor *winner, const Pool2d *p, const char *function)
{
    real places = (real)(p->H * p->W);
    for (ptrdiff_t i = 0, n = p->planes * p->P * p->Q; i < n; i++) {
        real w = tensor_read(winner)[i];
        if (!(w >= 0 && w < places))
            slope_fail(function, "winner %td is at place %g of a plane of %td; winners come from a "
                       "pooling of the same shape", i, (double)w, p->H * p->W);
    }
}

void max_pool2d_scatter(Tensor *gx, const Tensor *g, const Tensor *winner, const Pool2d *p)
{
    pool_check_winners(winner, p, "max_pool2d_scatter");
    pool2d_run((PoolRun){.p = p, .x = tensor_read(g), .y = tensor_write(gx),
                         .winner_in = tensor_read(winner)}, pool_scatter_planes);
}

void max_pool2d_gather(Tensor *y, const Tensor *v, const Tensor *winner, const Pool2d *p)
{
    pool_check_winners(winner, p, "max_pool2d_gather");
    pool2d_run((PoolRun){.p = p, .x = tensor_read(v), .y = tensor_write(y),
                         .winner_in = tensor_read(winner)}, pool_gather_planes);
}
