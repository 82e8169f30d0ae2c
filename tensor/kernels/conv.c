/* tensor/kernels/conv.c -- convolution and its input gradient, as matrix products whose right side
 * is packed from a few rows of an image at a time (an implicit GEMM).
 *
 * For one image and one group, with c,r,s and p,q each read as a single index:
 *
 *   forward     y (O, PQ)  = w (O, CRS)   patches (CRS, PQ)    of x
 *   grad_input  gx (C, HW) = w' (C, ORS)  patches (ORS, HW)    of gy
 *
 * where w' has input and output channels exchanged and its kernel turned by half a circle, and gy
 * is spread out by the stride. So both are one pass: a task takes some rows of one image's result;
 * it stages (tensor/kernels/conv_stage.h) and packs a few channels of the image at a time and adds
 * their product with the weights. Each result is summed by one thread in the order of c, r, s, so
 * the bits do not depend on the number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/conv.h"

#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/conv_stage.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    CONV_SLIVERS = 8,      /* of patches packed at a time, about, … */
    CONV_MANY = 128,       /* … but a single one of more taps than these; measured */
    CONV_TAPS = 640,       /* packed at a time, at most; measured: the longer the sum, the less often
                              C is read and written */
    CONV_BLOCKS = 64,      /* of tasks for the threads to share out */
    CONV_STAGED = 1 << 16, /* numbers staged at a time, unless a single channel has more */
};

typedef struct Conv {
    ConvStage   stage;
    ptrdiff_t   images, groups;
    ptrdiff_t   in, out;  /* channels of a group: of the image, of the result */
    ptrdiff_t   few;      /* channels of the image that are packed at a time */
    ptrdiff_t   columns;  /* of patches that are packed at a time, at most */
    ptrdiff_t   chunks;   /* an image's result is cut into so many runs of rows */
    const real *x, *w, *b;
    real       *y;
    ptrdiff_t  *tap;
    real       *room;     /* `each` numbers for every worker: slivers, then staged planes */
    ptrdiff_t   each, slivers;
    int         workers;
    size_t      bytes;
} Conv;

static ptrdiff_t conv_places(const Conv *v)
{
    return v->stage.s.kernel[0] * v->stage.s.kernel[1];
}

/* --- a pass ------------------------------------------------------------------------------------- */

/* How many columns of so many taps are packed at a time. With many taps one sliver is work enough.
 * With few, its product is soon done, and it counts for more to walk along the rows of image and
 * result. */
static ptrdiff_t conv_columns(ptrdiff_t taps)
{
    return taps > CONV_MANY ? TILE_N : CONV_SLIVERS * TILE_N;
}

/* y (out, count) = start + w (out, taps) patches (taps, count) */
static void conv_product(const Conv *v, real *room, const real *staged, const GemmRows *w,
                         ptrdiff_t count, GemmOut y)
{
    for (ptrdiff_t j = 0; j < count; j += v->columns, y.p += v->columns) {
        ptrdiff_t cols = min_size(v->columns, count - j);
        tensor_conv_stage_pack(&v->stage, room, staged, v->tap, w->run, j, cols);
        tensor_gemm_macro_kernel(v->out, cols, w->run, w, slivers_packed(room, w->run), y);
    }
}

/* Rows [first, first + rows) of the result of image n, group g, a few channels at a time; once even
 * without channels, for the bias. */
static void conv_rows(const Conv *v, real *room, ptrdiff_t n, ptrdiff_t g, ptrdiff_t first,
                      ptrdiff_t rows)
{
    const ConvShape *s = &v->stage.s;
    ptrdiff_t from = s->image[0] * s->image[1], to = s->result[0] * s->result[1];
    ptrdiff_t places = conv_places(v), K = v->in * places, c = 0;
    const real *x = v->x + (n * v->groups + g) * v->in * from;
    GemmRows w = {.p = v->w + g * v->out * K, .row = K, .step = 1};
    GemmOut y = {.p = v->y + (n * v->groups + g) * v->out * to + first * s->result[1], .row = to,
                 .row_bias = v->b ? v->b + g * v->out : NULL};
    do {
        ptrdiff_t few = min_size(v->few, v->in - c);
        const real *staged =
            tensor_conv_stage_fill(&v->stage, room + v->slivers, x, few, first, rows);
        w.run = few * places;
        conv_product(v, room, staged, &w, rows * s->result[1], y);
        x += few * from, w.p += few * places, c += few, y.add = true;
    } while (c < v->in);
}

static void conv_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Conv *v = ctx;
    real *room = v->room + parallel_worker() * v->each;
    memset(room + v->slivers, 0, (size_t)(v->each - v->slivers) * sizeof(real));
    ptrdiff_t rows = v->stage.rows, all = v->stage.s.result[0];
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t first = t % v->chunks * rows;
        for (ptrdiff_t g = 0; g < v->groups; g++)
            conv_rows(v, room, t / v->chunks, g, first, min_size(rows, all - first));
    }
}

/* --- room --------------------------------------------------------------------------------------- */

/* How many channels are packed at a time: at most CONV_TAPS taps, and planes that fit the second
 * cache; evenly dealt out. */
static ptrdiff_t conv_few(const Conv *v)
{
    ptrdiff_t steps = CONV_TAPS / conv_places(v), fit = CONV_STAGED / v->stage.plane;
    ptrdiff_t most = max_size(1, min_size(steps, fit));
    return v->in ? ceil_div(v->in, ceil_div(v->in, most)) : 1;
}

/* Takes room for the workers, for `weights` numbers, which it returns, and for the taps, all in one
 * block: were there several, a failure to get the second would lose the first. */
static real *conv_take_room(Conv *v, ptrdiff_t weights)
{
    ptrdiff_t taps = v->few * conv_places(v);
    v->columns = conv_columns(taps);
    v->slivers = v->columns * taps + VEC;
    v->each = v->slivers + tensor_conv_stage_workspace(&v->stage, v->few);
    v->each = ceil_div(v->each, VEC) * VEC; /* so that every worker's begins at a vector */
    v->workers = parallel_threads();
    ptrdiff_t numbers = ceil_div(v->workers * v->each + weights, VEC) * VEC;
    v->bytes = (size_t)numbers * sizeof(real) + (size_t)taps * sizeof *v->tap;
    v->room = memory_take(v->bytes);
    v->tap = (ptrdiff_t *)(void *)(v->room + numbers);
    tensor_conv_stage_taps(&v->stage, v->few, v->tap);
    return v->room + v->workers * v->each;
}

/* --- the two kernels ---------------------------------------------------------------------------- */

static Conv conv_begin(const Conv2d *c, ConvShape s, ptrdiff_t in, ptrdiff_t out)
{
    ptrdiff_t rows = CONV_SLIVERS * TILE_N / s.result[1];
    Conv v = {.images = c->N, .groups = c->o.groups, .in = in / c->o.groups,
              .out = out / c->o.groups, .stage = tensor_conv_stage_plan(s, max_size(1, rows))};
    v.chunks = ceil_div(s.result[0], v.stage.rows);
    v.few = conv_few(&v);
    return v;
}

static void conv_run(Conv *v)
{
    ptrdiff_t tasks = v->images * v->chunks;
    parallel_for_workers(v->workers, tasks, ceil_div(tasks, CONV_BLOCKS), conv_tasks, v);
    memory_give(v->room, v->bytes);
}

void tensor_conv2d(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b, const Conv2d *c)
{
    if (tensor_count(y) == 0)
        return;
    Conv v = conv_begin(c, tensor_conv_shape(c), c->C, c->O);
    v.x = tensor_read(x), v.w = tensor_read(w), v.b = b ? tensor_read(b) : NULL;
    v.y = tensor_write(y);
    conv_take_room(&v, 0);
    conv_run(&v);
}

/* (groups, Og, Cg, R, S) -> (groups, Cg, Og, R, S) with r and s counted from the end */
static void conv_turn_weights(real *out, const real *w, const Conv2d *c)
{
    ptrdiff_t Og = c->O / c->o.groups, Cg = c->C / c->o.groups, places = c->R * c->S;
    for (ptrdiff_t g = 0; g < c->o.groups; g++)
        for (ptrdiff_t i = 0; i < Cg; i++)
            for (ptrdiff_t o = 0; o < Og; o++, out += places)
                for (ptrdiff_t k = 0; k < places; k++)
                    out[k] = w[((g * Og + o) * Cg + i) * places + places - 1 - k];
}

void tensor_conv2d_grad_input(Tensor *gx, const Tensor *gy, const Tensor *w, const Conv2d *c)
{
    if (tensor_count(gx) == 0)
        return;
    ConvShape s = {.image = {c->P, c->Q}, .kernel = {c->R, c->S}, .result = {c->H, c->W},
                   .step = {1, 1}};
    for (int i = 0; i < 2; i++) {
        s.spread[i] = c->o.stride[i], s.dilation[i] = c->o.dilation[i];
        s.padding[i] = (s.kernel[i] - 1) * s.dilation[i] - c->o.padding[i];
    }
    Conv v = conv_begin(c, s, c->O, c->C);
    real *turned = conv_take_room(&v, tensor_count(w));
    conv_turn_weights(turned, tensor_read(w), c);
    v.x = tensor_read(gy), v.w = turned, v.y = tensor_write(gx);
    conv_run(&v);
}
