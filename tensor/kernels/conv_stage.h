/* tensor/kernels/conv_stage.h -- copies of image planes, laid out so that a convolution reads its
 * patches as whole vectors.
 *
 *  - A staged plane is some rows of a plane of the image with the zeros of the padding around them.
 *    No patch extends beyond it, so packing needs no test for the border.
 *  - With a stride of 2, neighbouring results read every second column. So the staged columns are
 *    sorted by their index modulo the stride, and neighbouring results read adjacent elements
 *    again.
 *  - The gradient of the input is a convolution, too: of gy, spread out with zeros in between.
 *  - A tap is one position of the kernel in one channel. Through it, result (p,q) reads the
 *    element at  row(p) + q + tap  in the staged planes, where tap is the offset of the tap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_CONV_STAGE_H
#define SLOPE_TENSOR_KERNELS_CONV_STAGE_H

#include "tensor/kernels/conv.h"
#include "tensor/kernels/gemm.h"

/* The sizes of one convolution, forward or backward. Index 0 is the height, 1 the width. */
typedef struct ConvShape {
    ptrdiff_t image[2], kernel[2], result[2];
    ptrdiff_t spread[2];   /* distance between pixels, with zeros in between; 1: adjacent */
    ptrdiff_t stride[2];   /* distance between the patches of neighbouring results */
    ptrdiff_t dilation[2]; /* distance between neighbouring positions of the kernel */
    ptrdiff_t padding[2];  /* zeros before the first pixel; if negative, pixels that are cut off */
} ConvShape;

/* The sizes of the forward convolution. */
ConvShape tensor_conv_shape(const Conv2d *c);

/* The layout of staged planes. */
typedef struct ConvStage {
    ConvShape s;
    ptrdiff_t rows;   /* of the result that are staged at a time, at most */
    ptrdiff_t height; /* rows of a staged plane */
    ptrdiff_t cols;   /* a staged row is stride[1] pieces of this many columns */
    ptrdiff_t row;    /* elements in a staged row */
    ptrdiff_t plane;  /* elements in a staged plane */
    bool      direct; /* 1x1, stride 1, no padding: the image itself is read, not a copy */
} ConvStage;

/* The layout for at most `rows` rows of the result at a time. */
ConvStage tensor_conv_stage_plan(ConvShape s, ptrdiff_t rows);

/* The number of elements that `channels` staged planes need, including VEC more that packing may
 * read. */
ptrdiff_t tensor_conv_stage_workspace(const ConvStage *g, ptrdiff_t channels);

/* Writes the offsets of the taps of `channels` channels: tap (channels,R,S). */
void tensor_conv_stage_taps(const ConvStage *g, ptrdiff_t channels, ptrdiff_t *tap);

/* Stages the pixels that rows [first, first + rows) of the result read from `channels` planes of an
 * image. Columns without pixels are not written, so the workspace `staged` must be all zeros before
 * its first use. Returns `staged` or, if the stage is direct, row `first` of the image. */
const real *tensor_conv_stage_fill(const ConvStage *g, real *staged, const real *image,
                                   ptrdiff_t channels, ptrdiff_t first, ptrdiff_t rows);

/* Packs patches (taps,count) as micro-panels of GEMM_NR columns, like tensor_gemm_pack. Column i
 * holds the elements that result first + i reads through the taps, counting the staged results row
 * by row. `staged` is the return value of tensor_conv_stage_fill. May write VEC elements beyond the
 * last micro-panel. */
void tensor_conv_stage_pack(const ConvStage *g, real *panels, const real *staged,
                            const ptrdiff_t *tap, ptrdiff_t taps, ptrdiff_t first, ptrdiff_t count);

#endif
