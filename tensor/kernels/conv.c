/* tensor/kernels/conv.c -- convolution and its input gradient, as matrix products whose right
 * operand is packed from some rows of an image at a time (an implicit GEMM).
 *
 * For one image and one group, with c,r,s and p,q each read as a single index:
 *
 *   forward     y (O, PQ)  = w (O, CRS)   patches (CRS, PQ)    of x
 *   grad_input  gx (C, HW) = wt (C, ORS)  patches (ORS, HW)    of gy
 *
 * where wt is w with input and output channels exchanged and each kernel rotated by 180 degrees,
 * and gy is spread out by the stride. So one pass serves both. A task computes some rows of the
 * result of one image: it stages (tensor/kernels/conv_stage.h) and packs some channels of the image
 * at a time and adds the product of the weights and these patches. Each result is summed by one
 * thread in the order of c, r, s, so it has the same bits for any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/conv.h"

#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/conv_stage.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

/* CONV_LONG and CONV_TAPS were measured. */
enum {
    CONV_PANELS = 8,       /* micro-panels of patches packed at a time, about, … */
    CONV_LONG = 128,       /* … but only one if it has more taps than this */
    CONV_TAPS = 640,       /* taps packed at a time, at most: the more, the less often y is read
                              and written */
    CONV_BLOCKS = 64,      /* blocks of tasks that the threads divide among themselves, at most */
    CONV_STAGED = 1 << 16, /* elements staged at a time, unless a single channel has more */
};

typedef struct Conv {
    ConvStage   stage;
    ptrdiff_t   images, groups;
    ptrdiff_t   in, out;   /* channels per group: of the image, of the result */
    ptrdiff_t   channels;  /* of the image, packed at a time, at most */
    ptrdiff_t   columns;   /* of patches, packed at a time, at most */
    ptrdiff_t   bands;     /* tasks per image; each is a band of rows of the result */
    const real *x, *w, *b;
    real       *y;
    ptrdiff_t  *tap;
    real       *workspace; /* `each` elements per worker: `panels` of micro-panels, then planes */
    ptrdiff_t   each, panels;
    int         workers;
    size_t      bytes;
} Conv;

/* Taps per channel: R S. */
static ptrdiff_t conv_kernel_size(const Conv *v)
{
    return v->stage.s.kernel[0] * v->stage.s.kernel[1];
}

/* --- a pass ----------------------------------------------------------------------------------- */

/* The number of columns of patches packed at a time. With many taps, one micro-panel is enough
 * work. With few, its product is computed quickly, and it matters more that long pieces of the rows
 * of the image and of the result are visited in order. */
static ptrdiff_t conv_columns(ptrdiff_t taps)
{
    return taps > CONV_LONG ? GEMM_NR : CONV_PANELS * GEMM_NR;
}

/* y (out, count) = start + w (out, taps) patches (taps, count) */
static void conv_product(const Conv *v, real *panels, const real *staged, const GemmRows *w,
                         ptrdiff_t count, GemmOut y)
{
    for (ptrdiff_t j = 0; j < count; j += v->columns, y.p += v->columns) {
        ptrdiff_t cols = min_size(v->columns, count - j);
        tensor_conv_stage_pack(&v->stage, panels, staged, v->tap, w->run, j, cols);
        tensor_gemm_macro_kernel(v->out, cols, w->run, w, micro_panels_packed(panels, w->run), y);
    }
}

/* Computes rows [first, first + rows) of the result of image n, group g, adding up some channels at
 * a time. The loop runs once even if there are no channels, for the bias. */
static void conv_rows(const Conv *v, real *workspace, ptrdiff_t n, ptrdiff_t g, ptrdiff_t first,
                      ptrdiff_t rows)
{
    const ConvShape *s = &v->stage.s;
    ptrdiff_t from = s->image[0] * s->image[1], to = s->result[0] * s->result[1];
    ptrdiff_t size = conv_kernel_size(v), K = v->in * size, c = 0;
    const real *x = v->x + (n * v->groups + g) * v->in * from;
    GemmRows w = {.p = v->w + g * v->out * K, .row = K, .col = 1};
    GemmOut y = {.p = v->y + (n * v->groups + g) * v->out * to + first * s->result[1], .row = to,
                 .row_bias = v->b ? v->b + g * v->out : NULL};
    do {
        ptrdiff_t channels = min_size(v->channels, v->in - c);
        const real *staged =
            tensor_conv_stage_fill(&v->stage, workspace + v->panels, x, channels, first, rows);
        w.run = channels * size;
        conv_product(v, workspace, staged, &w, rows * s->result[1], y);
        x += channels * from, w.p += channels * size, c += channels, y.add = true;
    } while (c < v->in);
}

static void conv_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Conv *v = ctx;
    real *workspace = v->workspace + parallel_worker() * v->each;
    memset(workspace + v->panels, 0, (size_t)(v->each - v->panels) * sizeof(real));
    ptrdiff_t rows = v->stage.rows, all = v->stage.s.result[0];
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t first = t % v->bands * rows;
        for (ptrdiff_t g = 0; g < v->groups; g++)
            conv_rows(v, workspace, t / v->bands, g, first, min_size(rows, all - first));
    }
}

/* --- workspace -------------------------------------------------------------------------------- */

/* The number of channels packed at a time: at most CONV_TAPS taps, and no more planes than fit into
 * the second-level cache. The channels are divided evenly. */
static ptrdiff_t conv_channels(const Conv *v)
{
    ptrdiff_t taps = CONV_TAPS / conv_kernel_size(v), fit = CONV_STAGED / v->stage.plane;
    ptrdiff_t most = max_size(1, min_size(taps, fit));
    return v->in ? ceil_div(v->in, ceil_div(v->in, most)) : 1;
}

/* Allocates memory for the workers, for `weights` elements, and for the taps; returns that of the
 * weights. It is one block: if there were two and the second allocation failed, the first would
 * leak. */
static real *conv_take_workspace(Conv *v, ptrdiff_t weights)
{
    ptrdiff_t taps = v->channels * conv_kernel_size(v);
    v->columns = conv_columns(taps);
    v->panels = v->columns * taps + VEC;
    v->each = v->panels + tensor_conv_stage_workspace(&v->stage, v->channels);
    v->each = ceil_div(v->each, VEC) * VEC; /* so that the workspace of every worker is aligned */
    v->workers = parallel_threads();
    ptrdiff_t numbers = ceil_div(v->workers * v->each + weights, VEC) * VEC;
    v->bytes = (size_t)numbers * sizeof(real) + (size_t)taps * sizeof *v->tap;
    v->workspace = memory_take(v->bytes);
    v->tap = (ptrdiff_t *)(void *)(v->workspace + numbers);
    tensor_conv_stage_taps(&v->stage, v->channels, v->tap);
    return v->workspace + v->workers * v->each;
}

/* --- the two kernels -------------------------------------------------------------------------- */

/* What both kernels share, for `in` channels of the image and `out` channels of the result. */
static Conv conv_begin(const Conv2d *c, ConvShape s, ptrdiff_t in, ptrdiff_t out)
{
    ptrdiff_t rows = CONV_PANELS * GEMM_NR / s.result[1];
    Conv v = {.images = c->N, .groups = c->o.groups, .in = in / c->o.groups,
              .out = out / c->o.groups, .stage = tensor_conv_stage_plan(s, max_size(1, rows))};
    v.bands = ceil_div(s.result[0], v.stage.rows);
    v.channels = conv_channels(&v);
    return v;
}

static void conv_run(Conv *v)
{
    ptrdiff_t tasks = v->images * v->bands;
    parallel_for_workers(v->workers, tasks, ceil_div(tasks, CONV_BLOCKS), conv_tasks, v);
    memory_give(v->workspace, v->bytes);
}

void tensor_conv2d(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b, const Conv2d *c)
{
    tensor_check(y, "tensor_conv2d");
    tensor_check(x, "tensor_conv2d"), tensor_check(w, "tensor_conv2d");
    if (tensor_count(y) == 0)
        return;
    Conv v = conv_begin(c, tensor_conv_shape(c), c->C, c->O);
    v.x = tensor_read(x), v.w = tensor_read(w), v.b = b ? tensor_read(b) : NULL;
    v.y = tensor_write(y);
    conv_take_workspace(&v, 0);
    conv_run(&v);
}

/* out (groups,Cg,Og,R,S) = w (groups,Og,Cg,R,S) with each kernel rotated by 180 degrees. */
static void conv_rotate_weights(real *out, const real *w, const Conv2d *c)
{
    ptrdiff_t Og = c->O / c->o.groups, Cg = c->C / c->o.groups, size = c->R * c->S;
    for (ptrdiff_t g = 0; g < c->o.groups; g++)
        for (ptrdiff_t i = 0; i < Cg; i++)
            for (ptrdiff_t o = 0; o < Og; o++, out += size)
                for (ptrdiff_t k = 0; k < size; k++)
                    out[k] = w[((g * Og + o) * Cg + i) * size + size - 1 - k];
}

void tensor_conv2d_grad_input(Tensor *gx, const Tensor *gy, const Tensor *w, const Conv2d *c)
{
    tensor_check(gx, "tensor_conv2d_grad_input");
    tensor_check(gy, "tensor_conv2d_grad_input"), tensor_check(w, "tensor_conv2d_grad_input");
    if (tensor_count(gx) == 0)
        return;
    ConvShape s = {.image = {c->P, c->Q}, .kernel = {c->R, c->S}, .result = {c->H, c->W},
                   .stride = {1, 1}};
    for (int i = 0; i < 2; i++) {
        s.spread[i] = c->o.stride[i], s.dilation[i] = c->o.dilation[i];
        s.padding[i] = (s.kernel[i] - 1) * s.dilation[i] - c->o.padding[i];
    }
    Conv v = conv_begin(c, s, c->O, c->C);
    real *rotated = conv_take_workspace(&v, tensor_count(w));
    conv_rotate_weights(rotated, tensor_read(w), c);
    v.x = tensor_read(gy), v.w = rotated, v.y = tensor_write(gx);
    conv_run(&v);
}
