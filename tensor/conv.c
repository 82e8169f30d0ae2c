/* tensor/conv.c -- convolution as a matrix product that packs its right side from the image.
 *
 * For one image and one group, with c,r,s and p,q each read as a single index:
 *
 *   forward       y (O, PQ)   = w (O, CRS)  patches (CRS, PQ)   patches[crs,pq] = x[c,h,w]
 *   grad_input    gx (C, HW)  = w' (C, ORS) spread (ORS, HW)    spread[ors,hw]  = gy[o,p,q]
 *   grad_weight   gw (O, CRS) = gy (O, PQ)  patches' (PQ, CRS), summed over the images
 *
 * where h = p sh - ph + r dh and w = q sw - pw + s dw, and what lies outside is 0. The channels of
 * the right side are taken a few at a time, so that what is packed stays small. Images are
 * shared out among the threads in at most CONV_BLOCKS blocks, each with room of its own to pack
 * in; the weight's gradient is summed per block and then over the blocks in order, so the bits do
 * not depend on the number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/conv.h"

#include <string.h>

#include "tensor/matmul.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum { CONV_BLOCKS = 16, CONV_STEPS = 256, CONV_PLACES = 1024 };

/* --- rows of patches -------------------------------------------------------------------------- */

/* out[i] = row[at + i step] for i < n, where that lies in 0 … size-1, else 0. */
static inline void conv_gather(real *out, ptrdiff_t n, const real *row, ptrdiff_t size,
                               ptrdiff_t at, ptrdiff_t step)
{
    if (step == 1 && at >= 0 && at + n <= size) {
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = row[at + i];
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t j = at + i * step;
        out[i] = j >= 0 && j < size ? row[j] : 0;
    }
}

/* out[i] = row[(at + i) / step] where that is a whole number in 0 … size-1, else 0: the positions
 * of an input that output j touched, read the other way round. */
static inline void conv_spread(real *out, ptrdiff_t n, const real *row, ptrdiff_t size,
                               ptrdiff_t at, ptrdiff_t step)
{
    if (step == 1) {
        conv_gather(out, n, row, size, at, 1);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t j = at + i;
        out[i] = j >= 0 && j % step == 0 && j / step < size ? row[j / step] : 0;
    }
}

static void conv_zero(real *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = 0;
}

/* --- packing ---------------------------------------------------------------------------------- */

/* One image and one group: its channels of x, or of gy. */
typedef struct ConvPart {
    const Conv2d *c;
    const real   *image;
    ptrdiff_t     channels;
    ptrdiff_t     row, rows; /* of the output, where not all of them are packed */
} ConvPart;

/* Columns are positions (p,q), steps (c,r,s). A run of positions in one row of the output reads a
 * run of one row of the input. */
static void conv_pack_patches(real *out, int width, ptrdiff_t first, ptrdiff_t lanes,
                              const void *ctx)
{
    const ConvPart *part = ctx;
    const Conv2d *c = part->c;
    const Conv2dOptions *o = &c->o;
    if (lanes < width)
        memset(out, 0, (size_t)(part->channels * c->R * c->S * width) * sizeof(real));
    for (ptrdiff_t lane = 0, n; lane < lanes; lane += n) {
        ptrdiff_t p = (first + lane) / c->Q, q = (first + lane) % c->Q;
        n = c->Q - q < lanes - lane ? c->Q - q : lanes - lane;
        real *to = out + lane;
        for (ptrdiff_t ch = 0; ch < part->channels; ch++)
            for (ptrdiff_t r = 0; r < c->R; r++) {
                ptrdiff_t h = p * o->stride[0] - o->padding[0] + r * o->dilation[0];
                ptrdiff_t w = q * o->stride[1] - o->padding[1];
                bool inside = h >= 0 && h < c->H;
                const real *row = inside ? part->image + (ch * c->H + h) * c->W : NULL;
                for (ptrdiff_t s = 0; s < c->S; s++, to += width)
                    if (inside)
                        conv_gather(to, n, row, c->W, w + s * o->dilation[1], o->stride[1]);
                    else
                        conv_zero(to, n);
            }
    }
}

/* Columns are input positions (h,w), steps (o,r,s): gy where output p,q read this input. */
static void conv_pack_spread(real *out, int width, ptrdiff_t first, ptrdiff_t lanes,
                             const void *ctx)
{
    const ConvPart *part = ctx;
    const Conv2d *c = part->c;
    const Conv2dOptions *o = &c->o;
    if (lanes < width)
        memset(out, 0, (size_t)(part->channels * c->R * c->S * width) * sizeof(real));
    for (ptrdiff_t lane = 0, n; lane < lanes; lane += n) {
        ptrdiff_t h = (first + lane) / c->W, w = (first + lane) % c->W;
        n = c->W - w < lanes - lane ? c->W - w : lanes - lane;
        real *to = out + lane;
        for (ptrdiff_t ch = 0; ch < part->channels; ch++)
            for (ptrdiff_t r = 0; r < c->R; r++) {
                ptrdiff_t t = h + o->padding[0] - r * o->dilation[0], p = t / o->stride[0];
                bool inside = t >= 0 && t % o->stride[0] == 0 && p < c->P;
                const real *row = inside ? part->image + (ch * c->P + p) * c->Q : NULL;
                for (ptrdiff_t s = 0; s < c->S; s++, to += width)
                    if (inside)
                        conv_spread(to, n, row, c->Q, w + o->padding[1] - s * o->dilation[1],
                                    o->stride[1]);
                    else
                        conv_zero(to, n);
            }
    }
}

/* Columns are (c,r,s), steps (p,q) in the part's rows: the patches on their side. */
static void conv_pack_turned(real *out, int width, ptrdiff_t first, ptrdiff_t lanes,
                             const void *ctx)
{
    const ConvPart *part = ctx;
    const Conv2d *c = part->c;
    const Conv2dOptions *o = &c->o;
    if (lanes < width)
        memset(out, 0, (size_t)(part->rows * c->Q * width) * sizeof(real));
    for (ptrdiff_t lane = 0; lane < lanes; lane++) {
        ptrdiff_t s = (first + lane) % c->S, r = (first + lane) / c->S % c->R;
        ptrdiff_t ch = (first + lane) / c->S / c->R;
        real *to = out + lane;
        for (ptrdiff_t p = part->row; p < part->row + part->rows; p++) {
            ptrdiff_t h = p * o->stride[0] - o->padding[0] + r * o->dilation[0];
            ptrdiff_t w = s * o->dilation[1] - o->padding[1];
            bool inside = h >= 0 && h < c->H;
            const real *row = inside ? part->image + (ch * c->H + h) * c->W : NULL;
            for (ptrdiff_t q = 0; q < c->Q; q++, w += o->stride[1], to += width)
                *to = inside && w >= 0 && w < c->W ? row[w] : 0;
        }
    }
}

/* --- images shared out among the threads ------------------------------------------------------ */

typedef struct Conv {
    const Conv2d *c;
    const real   *x, *w, *b, *gy;
    real         *out;     /* y or gx, or the blocks' sums for gw */
    real         *room;    /* `each` numbers a block */
    size_t        each, bytes;
    ptrdiff_t     grain;   /* images a block */
    ptrdiff_t     Cg, Og;  /* channels in and out of a group */
    ptrdiff_t     weights; /* in a group: Og Cg R S */
    ptrdiff_t     few;     /* channels packed at a time, … */
    ptrdiff_t     rows;    /* … and of the output, for the weight's gradient */
} Conv;

static ptrdiff_t conv_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* `channels`: how many the right side has. */
static Conv conv_begin(const Conv2d *c, ptrdiff_t channels)
{
    Conv v = {.c = c, .grain = (c->N + CONV_BLOCKS - 1) / CONV_BLOCKS,
              .Cg = c->C / c->o.groups, .Og = c->O / c->o.groups};
    v.weights = v.Og * v.Cg * c->R * c->S;
    v.few = conv_min(channels, CONV_STEPS / (c->R * c->S) + 1);
    return v;
}

static ptrdiff_t conv_blocks(const Conv *v)
{
    return (v->c->N + v->grain - 1) / v->grain;
}

/* Takes `each` numbers a block and `more` besides, which it returns, as one piece: were there two,
 * a failure to get the second would lose the first. */
static real *conv_take_room(Conv *v, ptrdiff_t more)
{
    size_t room = (size_t)conv_blocks(v) * v->each;
    v->bytes = (room + (size_t)more) * sizeof(real);
    v->room = pool_take(v->bytes);
    return v->room + room;
}

static void conv_give_room(const Conv *v)
{
    pool_give(v->room, v->bytes);
}

static real *conv_room(const Conv *v, ptrdiff_t begin)
{
    return v->room + (size_t)(begin / v->grain) * v->each;
}

/* --- forward ---------------------------------------------------------------------------------- */

static void conv_fill_bias(real *y, const real *b, ptrdiff_t channels, ptrdiff_t plane)
{
    for (ptrdiff_t o = 0; o < channels; o++)
        for (ptrdiff_t i = 0; i < plane; i++)
            y[o * plane + i] = b[o];
}

static void conv_forward_images(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Conv *v = ctx;
    const Conv2d *c = v->c;
    ptrdiff_t plane = c->P * c->Q, K = v->Cg * c->R * c->S;
    for (ptrdiff_t n = begin; n < end; n++)
        for (ptrdiff_t g = 0; g < c->o.groups; g++) {
            real *y = v->out + (n * c->O + g * v->Og) * plane;
            if (v->b)
                conv_fill_bias(y, v->b + g * v->Og, v->Og, plane);
            for (ptrdiff_t ch = 0; ch < v->Cg; ch += v->few) {
                ptrdiff_t few = conv_min(v->few, v->Cg - ch);
                ConvPart part = {c, v->x + (n * c->C + g * v->Cg + ch) * c->H * c->W, few, 0, c->P};
                Matrix w = {v->w + g * v->weights + ch * c->R * c->S, K, 1};
                gemm_packed(conv_room(v, begin), v->Og, plane, few * c->R * c->S, w,
                            conv_pack_patches, &part, y, plane, v->b || ch > 0);
            }
        }
}

void conv2d_forward(Tensor *y, const Tensor *x, const Tensor *w, const Tensor *b, const Conv2d *c)
{
    if (tensor_count(y) == 0)
        return;
    if (c->C == 0)
        tensor_fill(y, 0); /* an empty sum; the bias is still to come */
    Conv v = conv_begin(c, c->C / c->o.groups);
    v.each = gemm_room(c->P * c->Q, v.few * c->R * c->S);
    v.x = tensor_read(x), v.w = tensor_read(w), v.b = b ? tensor_read(b) : NULL;
    v.out = tensor_write(y);
    conv_take_room(&v, 0);
    parallel_for(c->N, v.grain, conv_forward_images, &v);
    conv_give_room(&v);
}

/* --- the gradient of the input ---------------------------------------------------------------- */

/* w is turned: (groups, Cg, Og, R, S). */
static void conv_input_images(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Conv *v = ctx;
    const Conv2d *c = v->c;
    ptrdiff_t plane = c->H * c->W, K = v->Og * c->R * c->S;
    for (ptrdiff_t n = begin; n < end; n++)
        for (ptrdiff_t g = 0; g < c->o.groups; g++) {
            real *gx = v->out + (n * c->C + g * v->Cg) * plane;
            for (ptrdiff_t ch = 0; ch < v->Og; ch += v->few) {
                ptrdiff_t few = conv_min(v->few, v->Og - ch);
                ConvPart part = {c, v->gy + (n * c->O + g * v->Og + ch) * c->P * c->Q, few, 0,
                                 c->P};
                Matrix w = {v->w + g * v->weights + ch * c->R * c->S, K, 1};
                gemm_packed(conv_room(v, begin), v->Cg, plane, few * c->R * c->S, w,
                            conv_pack_spread, &part, gx, plane, ch > 0);
            }
        }
}

/* (groups, Og, Cg, RS) -> (groups, Cg, Og, RS) */
static void conv_turn_weights(real *out, const real *w, const Conv *v)
{
    ptrdiff_t RS = v->c->R * v->c->S;
    for (ptrdiff_t g = 0; g < v->c->o.groups; g++)
        for (ptrdiff_t o = 0; o < v->Og; o++)
            for (ptrdiff_t c = 0; c < v->Cg; c++)
                memcpy(out + g * v->weights + (c * v->Og + o) * RS,
                       w + g * v->weights + (o * v->Cg + c) * RS, (size_t)RS * sizeof(real));
}

void conv2d_grad_input(Tensor *gx, const Tensor *gy, const Tensor *w, const Conv2d *c)
{
    if (tensor_count(gx) == 0)
        return;
    if (c->O == 0)
        tensor_fill(gx, 0);
    Conv v = conv_begin(c, c->O / c->o.groups);
    v.each = gemm_room(c->H * c->W, v.few * c->R * c->S);
    real *turned = conv_take_room(&v, tensor_count(w));
    conv_turn_weights(turned, tensor_read(w), &v);
    v.w = turned, v.gy = tensor_read(gy);
    v.out = tensor_write(gx);
    parallel_for(c->N, v.grain, conv_input_images, &v);
    conv_give_room(&v);
}

/* --- the gradient of the weight --------------------------------------------------------------- */

/* One image, a few channels of one group, a few rows of gy at a time. */
static void conv_weight_part(const Conv *v, real *room, const real *x, ptrdiff_t few, Matrix gy,
                             real *sum, bool add)
{
    const Conv2d *c = v->c;
    for (ptrdiff_t p = 0; p < c->P; p += v->rows, add = true) {
        ConvPart part = {c, x, few, p, conv_min(v->rows, c->P - p)};
        Matrix rows = {gy.p + p * c->Q, gy.row, 1};
        gemm_packed(room, v->Og, few * c->R * c->S, part.rows * c->Q, rows, conv_pack_turned, &part,
                    sum, v->Cg * c->R * c->S, add);
    }
}

/* A block's images, summed into the block's own copy of gw. */
static void conv_weight_images(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Conv *v = ctx;
    const Conv2d *c = v->c;
    ptrdiff_t plane = c->P * c->Q;
    real *sum = v->out + begin / v->grain * v->weights * c->o.groups;
    for (ptrdiff_t n = begin; n < end; n++)
        for (ptrdiff_t g = 0; g < c->o.groups; g++) {
            Matrix gy = {v->gy + (n * c->O + g * v->Og) * plane, plane, 1};
            for (ptrdiff_t ch = 0; ch < v->Cg; ch += v->few) {
                ptrdiff_t few = conv_min(v->few, v->Cg - ch);
                const real *x = v->x + (n * c->C + g * v->Cg + ch) * c->H * c->W;
                conv_weight_part(v, conv_room(v, begin), x, few, gy,
                                 sum + g * v->weights + ch * c->R * c->S, n > begin);
            }
        }
}

static void conv_add_blocks(real *gw, const real *sums, ptrdiff_t blocks, ptrdiff_t n)
{
    memcpy(gw, sums, (size_t)n * sizeof(real));
    for (ptrdiff_t b = 1; b < blocks; b++)
        for (ptrdiff_t i = 0; i < n; i++)
            gw[i] += sums[b * n + i];
}

void conv2d_grad_weight(Tensor *gw, const Tensor *x, const Tensor *gy, const Conv2d *c)
{
    if (c->N == 0 || tensor_count(gw) == 0) {
        tensor_fill(gw, 0);
        return;
    }
    Conv v = conv_begin(c, c->C / c->o.groups);
    v.rows = conv_min(c->P, CONV_PLACES / c->Q + 1);
    v.each = gemm_room(v.few * c->R * c->S, v.rows * c->Q);
    ptrdiff_t n = tensor_count(gw);
    v.out = conv_take_room(&v, conv_blocks(&v) * n);
    v.x = tensor_read(x), v.gy = tensor_read(gy);
    parallel_for(c->N, v.grain, conv_weight_images, &v);
    conv_add_blocks(tensor_write(gw), v.out, conv_blocks(&v), n);
    conv_give_room(&v);
}
