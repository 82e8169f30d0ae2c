/* tensor/kernels/conv_weight.c -- the gradient of a convolution's weight.
 *
 *      gw (O, CRS) = gy (O, PQ) times the transpose of patches (CRS, PQ), summed over the images
 *
 * What is computed is the transpose of gw, patches times the transpose of gy: then a row of the
 * left operand runs along a row of the staged image, where the micro-kernel reads it in place, and
 * only gy is packed. The gradient of the bias, the sum of gy, is computed from the packed gy.
 *
 * The images are divided into at most WEIGHT_BLOCKS blocks. Each has its own sum; these are then
 * added in order. If that would need too much memory, or if there are few images, the channels are
 * divided, too. The division does not depend on the number of threads, so neither do the bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/conv_stage.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    WEIGHT_BLOCKS = 16,      /* of images, at most; if there are fewer, channels are divided, too */
    WEIGHT_SUMS = 1 << 22,   /* elements in the sums of all blocks, at most, unless one has more */
    WEIGHT_STAGED = 1 << 15, /* elements in the staged planes of a task, about */
    WEIGHT_GRAIN = 16384,    /* additions that justify waking a thread */
};

typedef struct ConvWeight {
    ConvStage     stage;
    const Conv2d *c;
    const real   *x, *gy;
    real         *gw, *sums; /* sums (blocks,groups,CgRS,Og) */
    real         *gb, *bias; /* bias (blocks,O); gb is NULL if it is not requested */
    ptrdiff_t    *tap;
    real         *workspace; /* `each` elements per worker: `panels` of micro-panels, then planes */
    ptrdiff_t     each, panels;
    ptrdiff_t     Cg, Og;    /* input and output channels per group */
    ptrdiff_t     images;    /* per block */
    ptrdiff_t     blocks;    /* of images */
    ptrdiff_t     channels;  /* of x per task */
    ptrdiff_t     parts;     /* that the channels of a group are divided into */
} ConvWeight;

/* --- the bias --------------------------------------------------------------------------------- */

/* sum (n) += the rows of packed micro-panels (K,n) */
static void weight_add_rows(real *sum, const real *panels, ptrdiff_t K, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += VEC) {
        ptrdiff_t panel = j / GEMM_NR * GEMM_NR;
        const real *at = panels + panel * K + j - panel;
        vec total = {0};
        for (ptrdiff_t k = 0; k < K; k++)
            total += vec_load(at + k * GEMM_NR);
        for (ptrdiff_t i = 0; i < VEC && j + i < n; i++)
            sum[j + i] += total[i];
    }
}

/* gb (O) = the sum of bias (blocks,O), in the order of the blocks. */
static void weight_add_bias(const ConvWeight *v)
{
    for (ptrdiff_t o = 0; o < v->c->O; o++) {
        v->gb[o] = 0;
        for (ptrdiff_t b = 0; b < v->blocks; b++)
            v->gb[o] += v->bias[b * v->c->O + o];
    }
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* What a task computes: the sums of some channels of a group over a block of images. */
typedef struct WeightPart {
    ptrdiff_t first, channels; /* of x */
    ptrdiff_t out;             /* the first channel of the group in gy */
    real     *sum;             /* (channels R S, Og) */
    real     *bias;            /* (Og), or NULL: not requested, or computed by another task */
} WeightPart;

static WeightPart weight_part(const ConvWeight *v, ptrdiff_t block, ptrdiff_t g, ptrdiff_t part)
{
    const Conv2d *c = v->c;
    ptrdiff_t first = part * v->channels, groups = c->o.groups;
    return (WeightPart){
        .first = g * v->Cg + first, .channels = min_size(v->channels, v->Cg - first),
        .out = g * v->Og,
        .sum = v->sums + ((block * groups + g) * v->Cg + first) * c->R * c->S * v->Og,
        .bias = v->gb && part == 0 ? v->bias + block * c->O + g * v->Og : NULL};
}

/* Adds the product of the staged patches and the rows of gy of image n, from row `first` on, to the
 * sum of the part; without `add`, overwrites the sum. */
static void weight_rows(const ConvWeight *v, real *workspace, const WeightPart *part, ptrdiff_t n,
                        ptrdiff_t first, bool add)
{
    const Conv2d *c = v->c;
    ptrdiff_t rows = min_size(v->stage.rows, c->P - first), count = rows * c->Q;
    const real *x = v->x + (n * c->C + part->first) * c->H * c->W;
    GemmRows patches = {
        .p = tensor_conv_stage_fill(&v->stage, workspace + v->panels, x, part->channels, first,
                                    rows),
        .at = v->tap, .col = 1, .run = c->Q, .skip = c->o.stride[0] * v->stage.row - c->Q};
    const real *gy = v->gy + ((n * c->O + part->out) * c->P + first) * c->Q;
    tensor_gemm_pack(workspace, count, v->Og, (Matrix){gy, 1, c->P * c->Q});
    if (part->bias)
        weight_add_rows(part->bias, workspace, count, v->Og);
    for (ptrdiff_t j = 0; j < v->Og; j += GEMM_NR) { /* one micro-panel at a time */
        GemmOut sum = {.p = part->sum + j, .row = v->Og, .add = add};
        tensor_gemm_macro_kernel(part->channels * c->R * c->S, min_size(GEMM_NR, v->Og - j), count,
                                 &patches, micro_panels_packed(workspace + j * count, count), sum);
    }
}

/* Task: a block of images, a group, some of its channels. */
static void weight_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const ConvWeight *v = ctx;
    ptrdiff_t groups = v->c->o.groups;
    real *workspace = v->workspace + parallel_worker() * v->each;
    memset(workspace + v->panels, 0, (size_t)(v->each - v->panels) * sizeof(real));
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t block = t / v->parts / groups;
        ptrdiff_t n = block * v->images, last = min_size(n + v->images, v->c->N);
        WeightPart part = weight_part(v, block, t / v->parts % groups, t % v->parts);
        if (part.bias)
            memset(part.bias, 0, (size_t)v->Og * sizeof(real));
        for (bool add = false; n < last; n++)
            for (ptrdiff_t p = 0; p < v->c->P; p += v->stage.rows, add = true)
                weight_rows(v, workspace, &part, n, p, add);
    }
}

/* Task: one row of the sums of a group, that is, one c,r,s. Adds up the blocks and writes the
 * result to gw, transposed. */
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

/* gb if there are no images or no weights: the sum of gy (N,O,P,Q) viewed as (N,O,PQ). */
static void weight_sum_channels(Tensor *gb, const Tensor *gy)
{
    Shape s = gy->shape;
    Tensor out = tensor_as(gb, SHAPE(s.dim[1], 1));
    Tensor in = tensor_as(gy, SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]));
    tensor_sum_to(&out, &in);
}

/* --- the kernel ------------------------------------------------------------------------------- */

static ConvWeight weight_plan(const Conv2d *c)
{
    ptrdiff_t rows = GEMM_KC / c->Q;
    ConvWeight v = {.c = c,
                    .stage = tensor_conv_stage_plan(tensor_conv_shape(c), max_size(1, rows)),
                    .Cg = c->C / c->o.groups,
                    .Og = c->O / c->o.groups};
    ptrdiff_t weights = c->O * v.Cg * c->R * c->S, most = max_size(1, WEIGHT_SUMS / weights);
    v.blocks = min_size(min_size(WEIGHT_BLOCKS, c->N), most);
    v.images = ceil_div(c->N, v.blocks);
    v.blocks = ceil_div(c->N, v.images);
    ptrdiff_t tasks = v.blocks * c->o.groups;
    v.parts = min_size(v.Cg, ceil_div(WEIGHT_BLOCKS, tasks));
    ptrdiff_t fit = WEIGHT_STAGED / (v.stage.height * v.stage.row) + 1;
    v.channels = min_size(fit, ceil_div(v.Cg, v.parts));
    v.parts = ceil_div(v.Cg, v.channels);
    return v;
}

/* Allocates memory for the workers, the sums and the taps, and returns its size in bytes. It is one
 * block: if there were two and the second allocation failed, the first would leak. */
static size_t weight_take_workspace(ConvWeight *v, int workers)
{
    const Conv2d *c = v->c;
    ptrdiff_t weights = c->O * v->Cg * c->R * c->S, taps = v->channels * c->R * c->S;
    v->panels = ceil_div(v->Og, GEMM_NR) * GEMM_NR * v->stage.rows * c->Q;
    v->each = ceil_div(v->panels + tensor_conv_stage_workspace(&v->stage, v->channels), VEC) * VEC;
    ptrdiff_t sums = v->blocks * (weights + c->O);
    ptrdiff_t numbers = ceil_div(workers * v->each + sums, VEC) * VEC;
    size_t bytes = (size_t)numbers * sizeof(real) + (size_t)taps * sizeof *v->tap;
    v->workspace = memory_take(bytes);
    v->sums = v->workspace + workers * v->each;
    v->bias = v->sums + v->blocks * weights;
    v->tap = (ptrdiff_t *)(void *)(v->workspace + numbers);
    tensor_conv_stage_taps(&v->stage, v->channels, v->tap);
    return bytes;
}

void tensor_conv2d_grad_weight(Tensor *gw, Tensor *gb, const Tensor *x, const Tensor *gy,
                               const Conv2d *c)
{
    tensor_check(gw, "tensor_conv2d_grad_weight");
    tensor_check(x, "tensor_conv2d_grad_weight"), tensor_check(gy, "tensor_conv2d_grad_weight");
    if (c->N == 0 || tensor_count(gw) == 0) {
        tensor_fill(gw, 0);
        if (gb)
            weight_sum_channels(gb, gy);
        return;
    }
    ConvWeight v = weight_plan(c);
    int workers = parallel_threads();
    size_t bytes = weight_take_workspace(&v, workers);
    v.x = tensor_read(x), v.gy = tensor_read(gy), v.gw = tensor_write(gw);
    v.gb = gb ? tensor_write(gb) : NULL;
    parallel_for_workers(workers, v.blocks * c->o.groups * v.parts, 1, weight_tasks, &v);
    parallel_for(c->C * c->R * c->S, 1 + WEIGHT_GRAIN / (v.blocks * v.Og),
                 weight_add_blocks, &v);
    if (gb)
        weight_add_bias(&v);
    memory_give(v.workspace, bytes);
}
