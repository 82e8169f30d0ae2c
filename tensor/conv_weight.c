/* tensor/conv_weight.c -- the gradient of a convolution's weight.
 *
 *      gw' (CRS, O) = patches (CRS, PQ) gy' (PQ, O), summed over the images
 *
 * Turned this way, a row of the left side runs along a row of the staged image, where a tile reads it
 * as it lies, and only gy is packed.
 *
 * The gradient of the bias, the sum of gy, is taken in passing from what is packed.
 *
 * The images are cut into at most WEIGHT_BLOCKS blocks with a sum each, which are then added in order;
 * where that would take much room, or there are few images, the channels are cut too. Neither depends
 * on the number of threads, so neither do the bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/conv_stage.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    WEIGHT_BLOCKS = 16,
    WEIGHT_SUMS = 1 << 22,   /* numbers that all blocks' sums may take */
    WEIGHT_STAGED = 1 << 15, /* and the staged planes of a few channels, about */
};

typedef struct ConvWeight {
    ConvStage     stage;
    const Conv2d *c;
    const real   *x, *gy;
    real         *gw, *sums; /* (blocks, groups, CRS, O), each of a group */
    real         *gb, *bias; /* and (blocks, O) for the bias; NULL where nobody asks */
    ptrdiff_t    *tap;
    real         *room;      /* `each` numbers for every worker: slivers, then staged planes */
    ptrdiff_t     each, slivers;
    ptrdiff_t     Cg, Og;    /* channels in and out of a group */
    ptrdiff_t     grain;     /* images a block */
    ptrdiff_t     blocks;
    ptrdiff_t     few;       /* channels a task */
    ptrdiff_t     parts;     /* of few channels in a group */
} ConvWeight;

static ptrdiff_t weight_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t weight_parts(ptrdiff_t n, ptrdiff_t d)
{
    return (n + d - 1) / d;
}

/* --- the bias ----------------------------------------------------------------------------------- */

/* sum (n) += the rows of packed slivers (K, n) */
static void weight_add_rows(real *sum, const real *slivers, ptrdiff_t K, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VEC) {
        ptrdiff_t sliver = j / TILE_N * TILE_N;
        const real *at = slivers + sliver * K + j - sliver;
        vec total = {0};
        for (ptrdiff_t k = 0; k < K; k++)
            total += vec_load(at + k * TILE_N);
        for (ptrdiff_t i = 0; i < VEC && j + i < n; i++)
            sum[j + i] += total[i];
    }
}

static void weight_add_bias(const ConvWeight *v)
{
    for (ptrdiff_t o = 0; o < v->c->O; o++) {
        v->gb[o] = 0;
        for (ptrdiff_t b = 0; b < v->blocks; b++)
            v->gb[o] += v->bias[b * v->c->O + o];
    }
}

/* --- tasks -------------------------------------------------------------------------------------- */

/* Adds (or sets) what rows of gy from the first on, of image n, give for a few channels and, if
 * bias is not NULL, for it. */
static void weight_rows(const ConvWeight *v, real *room, ptrdiff_t n, ptrdiff_t channel,
                        ptrdiff_t out, ptrdiff_t few, ptrdiff_t first, real *sum, bool add,
                        real *bias)
{
    const Conv2d *c = v->c;
    ptrdiff_t rows = weight_min(v->stage.rows, c->P - first), count = rows * c->Q;
    const real *x = v->x + (n * c->C + channel) * c->H * c->W;
    GemmRows patches = {.p = x + first * c->W, .at = v->tap, .step = 1, .run = c->Q,
                        .skip = c->o.stride[0] * v->stage.row - c->Q};
    if (!v->stage.direct) {
        patches.p = room + v->slivers;
        conv_stage_fill(&v->stage, room + v->slivers, x, few, first, rows);
    }
    const real *gy = v->gy + ((n * c->O + out) * c->P + first) * c->Q;
    gemm_pack(room, count, v->Og, (Matrix){gy, 1, c->P * c->Q});
    if (bias)
        weight_add_rows(bias, room, count, v->Og);
    for (ptrdiff_t j = 0; j < v->Og; j += TILE_N) /* a sliver at a time stays in the first cache */
        gemm_group(few * c->R * c->S, weight_min(TILE_N, v->Og - j), count, &patches,
                   room + j * count, (GemmOut){.p = sum + j, .row = v->Og, .add = add});
}

/* Task: a block of images, a group, a few of its channels. */
static void weight_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const ConvWeight *v = ctx;
    const Conv2d *c = v->c;
    real *room = v->room + parallel_worker() * v->each;
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t part = t % v->parts * v->few, g = t / v->parts % c->o.groups;
        ptrdiff_t b = t / v->parts / c->o.groups;
        real *sum = v->sums + ((b * c->o.groups + g) * v->Cg + part) * c->R * c->S * v->Og;
        real *bias = v->gb && part == 0 ? v->bias + b * c->O + g * v->Og : NULL;
        bool add = false;
        if (bias)
            memset(bias, 0, (size_t)v->Og * sizeof(real));
        if (!v->stage.direct)
            memset(room + v->slivers, 0, (size_t)(v->each - v->slivers) * sizeof(real));
        for (ptrdiff_t n = b * v->grain; n < weight_min((b + 1) * v->grain, c->N); n++)
            for (ptrdiff_t p = 0; p < c->P; p += v->stage.rows, add = true)
                weight_rows(v, room, n, g * v->Cg + part, g * v->Og,
                            weight_min(v->few, v->Cg - part), p, sum, add, bias);
    }
}

/* Adds up the blocks' rows [begin, end) of gw', counted over all groups, and turns them. */
static void weight_add_blocks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const ConvWeight *v = ctx;
    ptrdiff_t O = v->Og, K = v->Cg * v->c->R * v->c->S, all = v->c->o.groups * K;
    for (ptrdiff_t i = begin; i < end; i++) {
        real *sum = v->sums + i * O;
        for (ptrdiff_t b = 1; b < v->blocks; b++)
            for (ptrdiff_t o = 0; o < O; o++)
                sum[o] += v->sums[(b * all + i) * O + o];
        for (ptrdiff_t o = 0; o < O; o++)
            v->gw[(i / K * O + o) * K + i % K] = sum[o];
    }
}

/* gb where there are no weights: the sum of gy (N,O,P,Q) seen as (N,O,PQ). */
static void weight_sum_channels(Tensor *gb, const Tensor *gy)
{
    Shape s = gy->shape;
    Tensor out = tensor_as(gb, SHAPE(s.dim[1], 1)), in = tensor_as(gy, SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]));
    tensor_sum_to(&out, &in);
}

/* --- the kernel --------------------------------------------------------------------------------- */

static ConvWeight weight_plan(const Conv2d *c)
{
    ptrdiff_t rows = GEMM_STEPS / c->Q;
    ConvWeight v = {.c = c, .stage = conv_stage_plan(conv_shape(c), rows ? rows : 1),
                    .Cg = c->C / c->o.groups, .Og = c->O / c->o.groups};
    ptrdiff_t weights = c->O * v.Cg * c->R * c->S, most = WEIGHT_SUMS / weights;
    v.blocks = weight_min(weight_min(WEIGHT_BLOCKS, c->N), most ? most : 1);
    v.grain = weight_parts(c->N, v.blocks);
    v.blocks = weight_parts(c->N, v.grain);
    ptrdiff_t tasks = v.blocks * c->o.groups;
    v.parts = weight_min(v.Cg, weight_parts(WEIGHT_BLOCKS, tasks));
    ptrdiff_t fit = WEIGHT_STAGED / (v.stage.height * v.stage.row) + 1;
    v.few = weight_min(fit, weight_parts(v.Cg, v.parts));
    v.parts = weight_parts(v.Cg, v.few);
    return v;
}

void conv2d_grad_weight(Tensor *gw, Tensor *gb, const Tensor *x, const Tensor *gy, const Conv2d *c)
{
    if (c->N == 0 || tensor_count(gw) == 0) {
        tensor_fill(gw, 0);
        if (gb)
            weight_sum_channels(gb, gy);
        return;
    }
    ConvWeight v = weight_plan(c);
    ptrdiff_t weights = tensor_count(gw), taps = v.few * c->R * c->S;
    v.slivers = weight_parts(v.Og, TILE_N) * TILE_N * v.stage.rows * c->Q;
    v.each = weight_parts(v.slivers + conv_stage_room(&v.stage, v.few), VEC) * VEC;
    int workers = parallel_threads();
    ptrdiff_t sums = v.blocks * (weights + c->O);
    ptrdiff_t numbers = weight_parts(workers * v.each + sums, VEC) * VEC;
    size_t bytes = (size_t)numbers * sizeof(real) + (size_t)taps * sizeof *v.tap;
    v.room = pool_take(bytes);
    v.sums = v.room + workers * v.each;
    v.bias = v.sums + v.blocks * weights;
    v.tap = (ptrdiff_t *)(void *)(v.room + numbers);
    conv_stage_taps(&v.stage, v.few, v.tap);
    v.x = tensor_read(x), v.gy = tensor_read(gy), v.gw = tensor_write(gw);
    v.gb = gb ? tensor_write(gb) : NULL;
    parallel_for_workers(workers, v.blocks * c->o.groups * v.parts, 1, weight_tasks, &v);
    parallel_for(v.Cg * c->o.groups * c->R * c->S, 1 + 16384 / (v.blocks * v.Og),
                 weight_add_blocks, &v);
    if (gb)
        weight_add_bias(&v);
    pool_give(v.room, bytes);
}
