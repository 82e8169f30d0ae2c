/* tensor/kernels/conv_weight.c -- the gradient of a convolution's weight.
 *
 *      gw' (CRS, O) = patches (CRS, PQ) gy' (PQ, O), summed over the images
 *
 * Turned this way, a row of the left side runs along a row of the staged image, where a tile reads
 * it as it lies, and only gy is packed.
 *
 * The gradient of the bias, the sum of gy, is taken in passing from what is packed.
 *
 * The images are cut into at most WEIGHT_BLOCKS blocks with a sum each, which are then added in
 * order; where that would take much room, or there are few images, the channels are cut too.
 * Neither depends on the number of threads, so neither do the bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/conv_stage.h"
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

/* What a task adds to: a few channels of a group in a block of images. */
typedef struct WeightPart {
    ptrdiff_t channel, few; /* of x */
    ptrdiff_t out;          /* the group's first channel of gy */
    real     *sum;          /* (few R S, Og) */
    real     *bias;         /* (Og), or NULL: another part sees to it */
} WeightPart;

static WeightPart weight_part(const ConvWeight *v, ptrdiff_t block, ptrdiff_t g, ptrdiff_t part)
{
    const Conv2d *c = v->c;
    ptrdiff_t first = part * v->few, groups = c->o.groups;
    return (WeightPart){
        .channel = g * v->Cg + first, .few = min_size(v->few, v->Cg - first), .out = g * v->Og,
        .sum = v->sums + ((block * groups + g) * v->Cg + first) * c->R * c->S * v->Og,
        .bias = v->gb && part == 0 ? v->bias + block * c->O + g * v->Og : NULL};
}

/* Adds what rows of gy from `first` on, of image n, give; the very first rows set it. */
static void weight_rows(const ConvWeight *v, real *room, const WeightPart *part, ptrdiff_t n,
                        ptrdiff_t first, bool add)
{
    const Conv2d *c = v->c;
    ptrdiff_t rows = min_size(v->stage.rows, c->P - first), count = rows * c->Q;
    const real *x = v->x + (n * c->C + part->channel) * c->H * c->W;
    GemmRows patches = {
        .p = tensor_conv_stage_fill(&v->stage, room + v->slivers, x, part->few, first, rows),
        .at = v->tap, .step = 1, .run = c->Q, .skip = c->o.stride[0] * v->stage.row - c->Q};
    const real *gy = v->gy + ((n * c->O + part->out) * c->P + first) * c->Q;
    tensor_gemm_pack(room, count, v->Og, (Matrix){gy, 1, c->P * c->Q});
    if (part->bias)
        weight_add_rows(part->bias, room, count, v->Og);
    for (ptrdiff_t j = 0; j < v->Og; j += TILE_N) { /* a sliver at a time */
        GemmOut sum = {.p = part->sum + j, .row = v->Og, .add = add};
        tensor_gemm_macro_kernel(part->few * c->R * c->S, min_size(TILE_N, v->Og - j), count,
                                 &patches, slivers_packed(room + j * count, count), sum);
    }
}

/* Task: a block of images, a group, a few of its channels. */
static void weight_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const ConvWeight *v = ctx;
    ptrdiff_t groups = v->c->o.groups;
    real *room = v->room + parallel_worker() * v->each;
    memset(room + v->slivers, 0, (size_t)(v->each - v->slivers) * sizeof(real));
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t block = t / v->parts / groups;
        ptrdiff_t n = block * v->grain, last = min_size(n + v->grain, v->c->N);
        WeightPart part = weight_part(v, block, t / v->parts % groups, t % v->parts);
        if (part.bias)
            memset(part.bias, 0, (size_t)v->Og * sizeof(real));
        for (bool add = false; n < last; n++)
            for (ptrdiff_t p = 0; p < v->c->P; p += v->stage.rows, add = true)
                weight_rows(v, room, &part, n, p, add);
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
    Tensor out = tensor_as(gb, SHAPE(s.dim[1], 1));
    Tensor in = tensor_as(gy, SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]));
    tensor_sum_to(&out, &in);
}

/* --- the kernel --------------------------------------------------------------------------------- */

static ConvWeight weight_plan(const Conv2d *c)
{
    ptrdiff_t rows = GEMM_STEPS / c->Q;
    ConvWeight v = {.c = c,
                    .stage = tensor_conv_stage_plan(tensor_conv_shape(c), max_size(1, rows)),
                    .Cg = c->C / c->o.groups,
                    .Og = c->O / c->o.groups};
    ptrdiff_t weights = c->O * v.Cg * c->R * c->S, most = max_size(1, WEIGHT_SUMS / weights);
    v.blocks = min_size(min_size(WEIGHT_BLOCKS, c->N), most);
    v.grain = ceil_div(c->N, v.blocks);
    v.blocks = ceil_div(c->N, v.grain);
    ptrdiff_t tasks = v.blocks * c->o.groups;
    v.parts = min_size(v.Cg, ceil_div(WEIGHT_BLOCKS, tasks));
    ptrdiff_t fit = WEIGHT_STAGED / (v.stage.height * v.stage.row) + 1;
    v.few = min_size(fit, ceil_div(v.Cg, v.parts));
    v.parts = ceil_div(v.Cg, v.few);
    return v;
}

/* Takes all room in one block, whose size it returns: the workers', the sums, the taps. Were there
 * several blocks, a failure to get the second would lose the first. */
static size_t weight_take_room(ConvWeight *v, int workers)
{
    const Conv2d *c = v->c;
    ptrdiff_t weights = c->O * v->Cg * c->R * c->S, taps = v->few * c->R * c->S;
    v->slivers = ceil_div(v->Og, TILE_N) * TILE_N * v->stage.rows * c->Q;
    v->each = ceil_div(v->slivers + tensor_conv_stage_workspace(&v->stage, v->few), VEC) * VEC;
    ptrdiff_t sums = v->blocks * (weights + c->O);
    ptrdiff_t numbers = ceil_div(workers * v->each + sums, VEC) * VEC;
    size_t bytes = (size_t)numbers * sizeof(real) + (size_t)taps * sizeof *v->tap;
    v->room = memory_take(bytes);
    v->sums = v->room + workers * v->each;
    v->bias = v->sums + v->blocks * weights;
    v->tap = (ptrdiff_t *)(void *)(v->room + numbers);
    tensor_conv_stage_taps(&v->stage, v->few, v->tap);
    return bytes;
}

void tensor_conv2d_grad_weight(Tensor *gw, Tensor *gb, const Tensor *x, const Tensor *gy,
                               const Conv2d *c)
{
    if (c->N == 0 || tensor_count(gw) == 0) {
        tensor_fill(gw, 0);
        if (gb)
            weight_sum_channels(gb, gy);
        return;
    }
    ConvWeight v = weight_plan(c);
    int workers = parallel_threads();
    size_t bytes = weight_take_room(&v, workers);
    v.x = tensor_read(x), v.gy = tensor_read(gy), v.gw = tensor_write(gw);
    v.gb = gb ? tensor_write(gb) : NULL;
    parallel_for_workers(workers, v.blocks * c->o.groups * v.parts, 1, weight_tasks, &v);
    parallel_for(c->C * c->R * c->S, 1 + 16384 / (v.blocks * v.Og), weight_add_blocks, &v);
    if (gb)
        weight_add_bias(&v);
    memory_give(v.room, bytes);
}
