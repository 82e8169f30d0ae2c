/* tensor/kernels/conv_stage.c -- copying image planes to their staged layout, and packing patches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/conv_stage.h"

#include <string.h>

#include "tensor/cut.h"

/* While row h of an image is copied, row h + 2 is prefetched. This was measured. */
enum { STAGE_AHEAD = 2 };

ConvShape tensor_conv_shape(const Conv2d *c)
{
    const Conv2dOptions *o = &c->o;
    return (ConvShape){.image = {c->H, c->W}, .kernel = {c->R, c->S}, .result = {c->P, c->Q},
                       .spread = {1, 1}, .stride = {o->stride[0], o->stride[1]},
                       .dilation = {o->dilation[0], o->dilation[1]},
                       .padding = {o->padding[0], o->padding[1]}};
}

/* The number of pixels, zeros included, that neighbouring results span along one axis: from the
 * first pixel that the first of them reads to the last pixel that the last one reads. */
static ptrdiff_t stage_reach(const ConvShape *s, int axis, ptrdiff_t results)
{
    return (results - 1) * s->stride[axis] + (s->kernel[axis] - 1) * s->dilation[axis] + 1;
}

static bool stage_is_direct(const ConvShape *s)
{
    for (int i = 0; i < 2; i++)
        if (s->kernel[i] != 1 || s->spread[i] != 1 || s->stride[i] != 1 || s->padding[i] != 0)
            return false;
    return true;
}

ConvStage tensor_conv_stage_plan(ConvShape s, ptrdiff_t rows)
{
    ConvStage g = {.s = s, .rows = min_size(rows, s.result[0]), .direct = stage_is_direct(&s)};
    g.height = stage_reach(&s, 0, g.rows);
    g.cols = ceil_div(stage_reach(&s, 1, s.result[1]), s.stride[1]);
    g.row = g.cols * s.stride[1];
    g.plane = g.direct ? s.image[0] * s.image[1] : g.height * g.row;
    return g;
}

ptrdiff_t tensor_conv_stage_workspace(const ConvStage *g, ptrdiff_t channels)
{
    return g->direct ? 0 : channels * g->plane + VEC;
}

void tensor_conv_stage_taps(const ConvStage *g, ptrdiff_t channels, ptrdiff_t *tap)
{
    const ConvShape *s = &g->s;
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t i = 0; i < s->kernel[0]; i++)
            for (ptrdiff_t j = 0; j < s->kernel[1]; j++) {
                ptrdiff_t down = i * s->dilation[0], across = j * s->dilation[1];
                *tap++ = c * g->plane + down * g->row + across % s->stride[1] * g->cols +
                         across / s->stride[1];
            }
}

/* --- staging ---------------------------------------------------------------------------------- */

/* Copies `count` pixels and prefetches those that are `ahead` elements after them. */
static void stage_copy(real *out, const real *x, ptrdiff_t count, ptrdiff_t ahead)
{
    ptrdiff_t i = 0;
    for (; i + VEC <= count; i += VEC) {
        __builtin_prefetch(x + i + ahead);
        vec_store(out + i, vec_load(x + i));
    }
    for (; i < count; i++)
        out[i] = x[i];
}

/* Copies pixels [begin, end) of an image row to their columns in a staged row. */
static void stage_row(const ConvStage *g, real *staged, const real *image, ptrdiff_t begin,
                      ptrdiff_t end, ptrdiff_t ahead)
{
    ptrdiff_t spread = g->s.spread[1], stride = g->s.stride[1], padding = g->s.padding[1];
    if (spread == 1 && stride == 1) {
        stage_copy(staged + padding + begin, image + begin, end - begin, ahead);
        return;
    }
    for (ptrdiff_t w = begin; w < end; w++) {
        ptrdiff_t at = w * spread + padding;
        staged[at % stride * g->cols + at / stride] = image[w];
    }
}

/* The smallest i >= 0 with i * spread >= n. */
static ptrdiff_t stage_first(ptrdiff_t n, ptrdiff_t spread)
{
    return n <= 0 ? 0 : ceil_div(n, spread);
}

const real *tensor_conv_stage_fill(const ConvStage *g, real *staged, const real *image,
                                   ptrdiff_t channels, ptrdiff_t first, ptrdiff_t rows)
{
    const ConvShape *s = &g->s;
    if (g->direct)
        return image + first * s->image[1];
    ptrdiff_t width = stage_reach(s, 1, s->result[1]), height = stage_reach(s, 0, rows);
    ptrdiff_t begin = stage_first(-s->padding[1], s->spread[1]);
    ptrdiff_t end = min_size(s->image[1], stage_first(width - s->padding[1], s->spread[1]));
    for (ptrdiff_t t = 0; t < height; t++) {
        ptrdiff_t at = first * s->stride[0] + t - s->padding[0], h = at / s->spread[0];
        bool inside = at >= 0 && at % s->spread[0] == 0 && h < s->image[0] && begin < end;
        ptrdiff_t ahead = inside ? min_size(STAGE_AHEAD, s->image[0] - 1 - h) * s->image[1] : 0;
        for (ptrdiff_t c = 0; c < channels; c++)
            if (inside)
                stage_row(g, staged + c * g->plane + t * g->row,
                          image + (c * s->image[0] + h) * s->image[1], begin, end, ahead);
            else
                memset(staged + c * g->plane + t * g->row, 0, (size_t)g->row * sizeof(real));
    }
    return staged;
}

/* --- packing ---------------------------------------------------------------------------------- */

/* One vector of a row of a micro-panel: the elements at `from` in the staged planes go to columns
 * `lane` and following. At the end of a row of results, fewer than VEC of them are needed. What is
 * copied beyond those is overwritten by the next piece or the next row, or is in columns that do
 * not exist and are ignored. */
typedef struct StagePiece {
    ptrdiff_t lane, from;
} StagePiece;

/* Cuts results [first, first + count) into pieces; returns their number. */
static int stage_pieces(const ConvStage *g, ptrdiff_t first, ptrdiff_t count,
                        StagePiece piece[GEMM_NR])
{
    ptrdiff_t Q = g->s.result[1], row = g->s.stride[0] * g->row;
    int n = 0;
    for (ptrdiff_t lane = 0; lane < count; n++) {
        ptrdiff_t p = (first + lane) / Q, q = (first + lane) % Q;
        piece[n] = (StagePiece){.lane = lane, .from = p * row + q};
        lane += min_size(VEC, min_size(Q - q, count - lane));
    }
    return n;
}

/* One piece of every row of a micro-panel. */
static void stage_pack_piece(real *panel, const real *staged, const ptrdiff_t *tap, ptrdiff_t taps)
{
    for (ptrdiff_t k = 0; k < taps; k++)
        vec_store(panel + k * GEMM_NR, vec_load(staged + tap[k]));
}

/* One micro-panel (taps, GEMM_NR), of which `count` columns exist. */
static void stage_pack_panel(const ConvStage *g, real *panel, const real *staged,
                             const ptrdiff_t *tap, ptrdiff_t taps, ptrdiff_t first,
                             ptrdiff_t count)
{
    StagePiece piece[GEMM_NR];
    int pieces = stage_pieces(g, first, count, piece);
    if (count < GEMM_NR)
        memset(panel, 0, (size_t)(taps * GEMM_NR) * sizeof(real));
    if (pieces * VEC == count) /* whole vectors, which do not overlap: in any order */
        for (int i = 0; i < pieces; i++)
            stage_pack_piece(panel + piece[i].lane, staged + piece[i].from, tap, taps);
    else
        for (ptrdiff_t k = 0; k < taps; k++, panel += GEMM_NR)
            for (int i = 0; i < pieces; i++)
                vec_store(panel + piece[i].lane, vec_load(staged + tap[k] + piece[i].from));
}

void tensor_conv_stage_pack(const ConvStage *g, real *panels, const real *staged,
                            const ptrdiff_t *tap, ptrdiff_t taps, ptrdiff_t first, ptrdiff_t count)
{
    if (g->direct) {
        tensor_gemm_pack(panels, taps, count, (Matrix){staged + first, g->plane, 1});
        return;
    }
    for (ptrdiff_t end = first + count; first < end; first += GEMM_NR, panels += taps * GEMM_NR)
        stage_pack_panel(g, panels, staged, tap, taps, first, min_size(GEMM_NR, end - first));
}
