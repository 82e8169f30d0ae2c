/* tensor/kernels/max_pool.c -- max pooling, plane by plane.
 *
 * The forward pass handles many windows at once: for each position (r,s) of the kernel it compares
 * that element of every window with the largest so far, which vectors can do for any kernel and
 * stride. 2x2 windows with stride 2 have their own loops.
 * Windows may overlap, so several outputs can have the same winner; for this reason the scatter
 * adds. One thread handles a whole plane, so the order of the additions is fixed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/max_pool.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "tensor/check.h"
#include "tensor/kernels/vec.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    MAX_POOL_GRAIN = 32768, /* elements that justify waking a thread */
    MAX_POOL_LANES = 64,    /* windows handled at once */
};

/* The largest plane and kernel: offsets are int32_t, and winners are reals. */
#define MAX_POOL_LARGEST ((ptrdiff_t)1 << (REAL_MANT_DIG < 30 ? REAL_MANT_DIG : 30))

/* --- sizes ------------------------------------------------------------------------------------ */

Pool2dOptions tensor_max_pool2d_options(Pool2dOptions o, const char *function)
{
    if (o.stride[0] == 0 && o.stride[1] == 0)
        o.stride[0] = o.kernel[0], o.stride[1] = o.kernel[1];
    for (int i = 0; i < 2; i++)
        if (o.kernel[i] < 1 || o.stride[i] < 1 || o.padding[i] < 0 ||
            o.padding[i] > o.kernel[i] / 2)
            slope_fail(function, "kernel (%td, %td), stride (%td, %td), padding (%td, %td): "
                       "expected a kernel and a stride of 1 or more and a padding of 0 to half the "
                       "kernel%s", o.kernel[0], o.kernel[1], o.stride[0], o.stride[1],
                       o.padding[0], o.padding[1],
                       PAIR_HINT(o.kernel[1] == 0 || o.stride[1] == 0));
    return o;
}

static ptrdiff_t max_pool_size(Shape x, Pool2dOptions o, int i, const char *function)
{
    if (x.dim[2 + i] == 0)
        slope_fail(function, "input %s: there is no largest element in an empty plane",
                   SHAPE_TEXT(x));
    ptrdiff_t slack = x.dim[2 + i] - (o.kernel[i] - 2 * o.padding[i]);
    if (slack < 0)
        slope_fail(function, "input %s: along the %s the kernel %td is larger than the padded "
                   "input %td + 2 x %td", SHAPE_TEXT(x), i ? "width" : "height", o.kernel[i],
                   x.dim[2 + i], o.padding[i]);
    if (o.kernel[i] > MAX_POOL_LARGEST)
        slope_fail(function, "kernel %td: a window has at most %td rows and columns", o.kernel[i],
                   MAX_POOL_LARGEST);
    return slack / o.stride[i] + 1;
}

Pool2d tensor_max_pool2d_plan(Shape x, Pool2dOptions options, const char *function)
{
    if (x.ndim != 4)
        slope_fail(function, "input %s: expected (N,C,H,W)", SHAPE_TEXT(x));
    options = tensor_max_pool2d_options(options, function);
    Pool2d p = {.o = options, .planes = x.dim[0] * x.dim[1], .H = x.dim[2], .W = x.dim[3]};
    p.P = max_pool_size(x, options, 0, function);
    p.Q = max_pool_size(x, options, 1, function);
    shape_check((Shape){4, {x.dim[0], x.dim[1], p.P, p.Q}}, function);
    if (p.H * p.W > MAX_POOL_LARGEST)
        slope_fail(function, "input %s: a plane may have at most %td elements", SHAPE_TEXT(x),
                   MAX_POOL_LARGEST);
    return p;
}

/* --- the largest of each window --------------------------------------------------------------- */

typedef struct MaxPoolRun {
    const Pool2d  *p;
    const real    *x, *winner_in;
    real          *y, *winner;
    const int32_t *top, *left; /* (P Q + MAX_POOL_LANES): the first row and column of each window */
    atomic_bool   *lost;       /* set if a winner is outside its plane */
} MaxPoolRun;

/* Where windows begin. The last one is repeated, so that all lanes can be read beyond it. */
static void max_pool_windows(const Pool2d *p, int32_t *top, int32_t *left)
{
    ptrdiff_t o = 0, i = 0, j = 0;
    for (; o < p->P * p->Q + MAX_POOL_LANES; o++) {
        top[o] = (int32_t)(i * p->o.stride[0] - p->o.padding[0]);
        left[o] = (int32_t)(j * p->o.stride[1] - p->o.padding[1]);
        if (j + 1 < p->Q)
            j++;
        else if (i + 1 < p->P)
            i++, j = 0;
    }
}

static inline int32_t max_pool_clamp(int32_t i, int32_t last)
{
    return i < 0 ? 0 : i > last ? last : i;
}

/* MAX_POOL_LANES windows of a plane, from output o on: largest[k] and its offset, place[k]. In
 * place of an element in the padding, its nearest neighbour in the plane is read: that is in the
 * window, too, and reading an element twice changes nothing. */
static void max_pool_lanes(const MaxPoolRun *run, const real *restrict x, ptrdiff_t o,
                           real *restrict largest, real *restrict place)
{
    const Pool2d *p = run->p;
    const int32_t *top = run->top + o, *left = run->left + o;
    int32_t W = (int32_t)p->W, last_row = (int32_t)p->H - 1, last_column = W - 1;
    int32_t row[MAX_POOL_LANES];
    for (int k = 0; k < MAX_POOL_LANES; k++) {
        largest[k] = -(real)INFINITY;
        place[k] = (real)(max_pool_clamp(top[k], last_row) * W +
                          max_pool_clamp(left[k], last_column));
    }
    for (int32_t r = 0; r < p->o.kernel[0]; r++) {
        for (int k = 0; k < MAX_POOL_LANES; k++)
            row[k] = max_pool_clamp(top[k] + r, last_row) * W;
        for (int32_t s = 0; s < p->o.kernel[1]; s++)
            for (int k = 0; k < MAX_POOL_LANES; k++) {
                int32_t at = row[k] + max_pool_clamp(left[k] + s, last_column);
                real v = x[at];
                bool wins = (v > largest[k]) | (v != v); /* a NaN wins */
                largest[k] = wins ? v : largest[k];
                place[k] = wins ? (real)at : place[k];
            }
    }
}

static void max_pool_forward_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const MaxPoolRun *run = ctx;
    ptrdiff_t in = run->p->H * run->p->W, out = run->p->P * run->p->Q;
    real largest[MAX_POOL_LANES], place[MAX_POOL_LANES];
    for (ptrdiff_t plane = begin; plane < end; plane++)
        for (ptrdiff_t o = 0; o < out; o += MAX_POOL_LANES) {
            size_t bytes =
                (size_t)(out - o < MAX_POOL_LANES ? out - o : MAX_POOL_LANES) * sizeof(real);
            max_pool_lanes(run, run->x + plane * in, o, largest, place);
            memcpy(run->y + plane * out + o, largest, bytes);
            memcpy(run->winner + plane * out + o, place, bytes);
        }
}

/* The most common case: 2x2 windows with stride 2 and no padding. Neighbouring windows are
 * adjacent, so vectors can load them without looking up offsets, which takes half the time. */
static bool max_pool_is_2x2(const Pool2dOptions *o)
{
    return o->kernel[0] == 2 && o->kernel[1] == 2 && o->stride[0] == 2 && o->stride[1] == 2 &&
           o->padding[0] == 0 && o->padding[1] == 0;
}

/* One row of outputs; `place` is the offset of x, where its first window begins, in the plane. */
static void max_pool_row_2x2(const Pool2d *p, const real *restrict x, real place, real *restrict y,
                             real *restrict winner)
{
    const real *restrict below = x + p->W;
    real down = (real)p->W;
    for (int j = 0; j < (int)p->Q; j++) {
        real v[4] = {x[2 * j], x[2 * j + 1], below[2 * j], below[2 * j + 1]};
        real largest = v[0], best = 0, step[4] = {0, 1, down, down + 1};
        for (int k = 1; k < 4; k++) {
            bool wins = (v[k] > largest) | (v[k] != v[k]);
            largest = wins ? v[k] : largest;
            best = wins ? step[k] : best;
        }
        y[j] = largest;
        winner[j] = place + (real)(2 * j) + best;
    }
}

static void max_pool_forward_2x2(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const MaxPoolRun *run = ctx;
    const Pool2d *p = run->p;
    for (ptrdiff_t plane = begin; plane < end; plane++)
        for (ptrdiff_t i = 0; i < p->P; i++) {
            ptrdiff_t place = 2 * i * p->W, out = (plane * p->P + i) * p->Q;
            max_pool_row_2x2(p, run->x + plane * p->H * p->W + place, (real)place, run->y + out,
                             run->winner + out);
        }
}

/* --- scatter and gather ----------------------------------------------------------------------- */

/* True if the winner is an offset in its plane. It is used as an address, so it must be. */
static inline bool max_pool_is_place(real winner, real places)
{
    return winner >= 0 && winner < places;
}

/* One plane; false if a winner is outside it. */
static bool max_pool_scatter_plane(const Pool2d *p, real *gx, const real *g, const real *winner)
{
    ptrdiff_t in = p->H * p->W;
    bool all = true;
    memset(gx, 0, (size_t)in * sizeof(real)); /* now the plane is in the cache */
    for (ptrdiff_t i = 0; i < p->P * p->Q; i++)
        if (max_pool_is_place(winner[i], (real)in))
            gx[(ptrdiff_t)winner[i]] += g[i];
        else
            all = false;
    return all;
}

/* VEC adjacent 2x2 windows, the first at offset `place` of a plane of this width: their two rows of
 * gx, 2 VEC elements each, become g at the winners and 0 elsewhere. Returns a 1 for each winner
 * found in its window. */
static inline vec max_pool_scatter_2x2(real *gx, real *below, const real *g, const real *winner,
                                       real place, real width)
{
    vec w = vec_load(winner) - place, v = vec_load(g), zero = {0};
    for (int k = 0; k < VEC; k++)
        w[k] -= (real)(2 * k);
    vec_mask m[4] = {w == zero, w == zero + 1, w == zero + width, w == zero + width + 1};
    vec a = vec_select(m[0], v, zero), b = vec_select(m[1], v, zero);
    vec c = vec_select(m[2], v, zero), d = vec_select(m[3], v, zero);
    vec_store(gx, VEC_ZIP(a, b, VEC_LOWER));
    vec_store(gx + VEC, VEC_ZIP(a, b, VEC_UPPER));
    vec_store(below, VEC_ZIP(c, d, VEC_LOWER));
    vec_store(below + VEC, VEC_ZIP(c, d, VEC_UPPER));
    return vec_select(m[0] | m[1] | m[2] | m[3], vec_all(1), zero);
}

/* A row of windows; the last ones, fewer than VEC, are handled through a temporary copy. False if a
 * winner is outside its window; then the plane of gx must be computed again. */
static bool max_pool_scatter_row_2x2(const Pool2d *p, real *gx, const real *g, const real *winner,
                                     real place)
{
    real *below = gx + p->W, width = (real)p->W;
    vec found = {0};
    ptrdiff_t j = 0, n = p->Q % VEC;
    for (; j + VEC <= p->Q; j += VEC, place += 2 * VEC)
        found += max_pool_scatter_2x2(gx + 2 * j, below + 2 * j, g + j, winner + j, place, width);
    if (n) {
        real some_g[VEC] = {0}, some_winner[VEC], rows[2][2 * VEC];
        for (ptrdiff_t k = 0; k < VEC; k++) /* -1: in no window */
            some_winner[k] = k < n ? winner[j + k] : -1;
        memcpy(some_g, g + j, (size_t)n * sizeof(real));
        found += max_pool_scatter_2x2(rows[0], rows[1], some_g, some_winner, place, width);
        memcpy(gx + 2 * j, rows[0], (size_t)(2 * n) * sizeof(real));
        memcpy(below + 2 * j, rows[1], (size_t)(2 * n) * sizeof(real));
    }
    return (ptrdiff_t)vec_sum(found) == p->Q;
}

/* A plane of such rows; elements in no window become 0. */
static bool max_pool_scatter_plane_2x2(const Pool2d *p, real *gx, const real *g, const real *winner)
{
    for (ptrdiff_t i = 0; i < p->P; i++) {
        ptrdiff_t place = 2 * i * p->W;
        if (!max_pool_scatter_row_2x2(p, gx + place, g + i * p->Q, winner + i * p->Q, (real)place))
            return false;
        if (p->W % 2)
            gx[place + p->W - 1] = gx[place + 2 * p->W - 1] = 0;
    }
    if (p->H % 2)
        memset(gx + (p->H - 1) * p->W, 0, (size_t)p->W * sizeof(real));
    return true;
}

static void max_pool_scatter_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const MaxPoolRun *run = ctx;
    const Pool2d *p = run->p;
    bool usual = max_pool_is_2x2(&p->o);
    for (ptrdiff_t plane = begin; plane < end; plane++) {
        ptrdiff_t out = plane * p->P * p->Q;
        real *gx = run->y + plane * p->H * p->W;
        const real *g = run->x + out, *winner = run->winner_in + out;
        if (usual && max_pool_scatter_plane_2x2(p, gx, g, winner))
            continue;
        if (!max_pool_scatter_plane(p, gx, g, winner))
            atomic_store(run->lost, true);
    }
}

static void max_pool_gather_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const MaxPoolRun *run = ctx;
    ptrdiff_t in = run->p->H * run->p->W, out = run->p->P * run->p->Q;
    bool lost = false;
    for (ptrdiff_t plane = begin; plane < end; plane++) {
        const real *x = run->x + plane * in, *winner = run->winner_in + plane * out;
        real *y = run->y + plane * out;
        for (ptrdiff_t i = 0; i < out; i++)
            if (max_pool_is_place(winner[i], (real)in))
                y[i] = x[(ptrdiff_t)winner[i]];
            else
                lost = true;
    }
    if (lost)
        atomic_store(run->lost, true);
}

/* --- whole tensors ---------------------------------------------------------------------------- */

static void max_pool_run(MaxPoolRun run, ParallelFn fn)
{
    parallel_for(run.p->planes, 1 + MAX_POOL_GRAIN / (run.p->H * run.p->W + 1), fn, &run);
}

void tensor_max_pool2d(Tensor *y, Tensor *winner, const Tensor *x, const Pool2d *p)
{
    tensor_check(y, "tensor_max_pool2d"), tensor_check(winner, "tensor_max_pool2d");
    tensor_check(x, "tensor_max_pool2d");
    MaxPoolRun run = {.p = p, .x = tensor_read(x)};
    if (max_pool_is_2x2(&p->o)) {
        run.y = tensor_write(y), run.winner = tensor_write(winner);
        max_pool_run(run, max_pool_forward_2x2);
        return;
    }
    size_t windows = (size_t)(p->P * p->Q + MAX_POOL_LANES), bytes = 2 * windows * sizeof(int32_t);
    int32_t *top = memory_take(bytes), *left = top + windows;
    max_pool_windows(p, top, left);
    run.y = tensor_write(y), run.winner = tensor_write(winner);
    run.top = top, run.left = left;
    max_pool_run(run, max_pool_forward_planes);
    memory_give(top, bytes);
}

/* Fails, naming the first winner outside its plane. Workers cannot fail, so they only record that
 * there is one, and skip it. */
static void max_pool_refuse(const Tensor *winner, const Pool2d *p, const char *function)
{
    const real *w = tensor_read(winner);
    ptrdiff_t i = 0;
    while (max_pool_is_place(w[i], (real)(p->H * p->W)))
        i++;
    slope_fail(function, "winner %td is at offset %g in a plane of %td elements; winners must be "
               "from max pooling of the same shape", i, (double)w[i], p->H * p->W);
}

/* Runs scatter or gather, from x to y. */
static void max_pool_move(Tensor *y, const Tensor *x, const Tensor *winner, const Pool2d *p,
                          ParallelFn fn, const char *function)
{
    atomic_bool lost = false;
    max_pool_run((MaxPoolRun){.p = p, .x = tensor_read(x), .y = tensor_write(y),
                              .winner_in = tensor_read(winner), .lost = &lost}, fn);
    if (atomic_load(&lost))
        max_pool_refuse(winner, p, function);
}

void tensor_max_pool2d_scatter(Tensor *gx, const Tensor *g, const Tensor *winner, const Pool2d *p)
{
    const char *function = "tensor_max_pool2d_scatter";
    tensor_check(gx, function), tensor_check(g, function), tensor_check(winner, function);
    max_pool_move(gx, g, winner, p, max_pool_scatter_planes, "var_max_pool2d_scatter");
}

void tensor_max_pool2d_gather(Tensor *y, const Tensor *v, const Tensor *winner, const Pool2d *p)
{
    const char *function = "tensor_max_pool2d_gather";
    tensor_check(y, function), tensor_check(v, function), tensor_check(winner, function);
    max_pool_move(y, v, winner, p, max_pool_gather_planes, "var_max_pool2d_gather");
}
