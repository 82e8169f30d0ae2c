/* tensor/kernels/conv_stage.h -- images laid out so that a convolution reads every patch as whole
 * vectors.
 *
 *  - A staged plane is a plane of the image with its padding of zeros around it. With it in place
 *    no patch sticks out, so packing needs no test.
 *  - If neighbouring outputs read every second or third column (stride), the staged columns are
 *    dealt out by their remainder: then neighbouring outputs read neighbouring numbers again.
 *  - The gradient of the input is a convolution too, of gy spread out with zeros in between.
 *  - A tap is one place of the kernel in one channel. The number that output (p,q) reads through a
 *    tap lies at  row(p) + q + tap  in the staged planes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_CONV_STAGE_H
#define SLOPE_TENSOR_KERNELS_CONV_STAGE_H

#include "tensor/kernels/conv.h"
#include "tensor/kernels/gemm.h"

/* A convolution as the staging sees it. Index 0 is the height, 1 the width. */
typedef struct ConvShape {
    ptrdiff_t image[2], kernel[2], result[2];
    ptrdiff_t spread[2];   /* image pixels lie so far apart, zeros between them */
    ptrdiff_t step[2];     /* results lie so far apart */
    ptrdiff_t dilation[2]; /* kernel places lie so far apart */
    ptrdiff_t padding[2];  /* zeros before the first pixel; negative: so many are cut off */
} ConvShape;

/* The forward convolution. */
ConvShape tensor_conv_shape(const Conv2d *c);

typedef struct ConvStage {
    ConvShape s;
    ptrdiff_t rows;   /* of the result that are staged at a time, at most */
    ptrdiff_t height; /* rows of a staged plane */
    ptrdiff_t cols;   /* a staged row is step[1] pieces of so many columns */
    ptrdiff_t row;    /* numbers in a staged row, … */
    ptrdiff_t plane;  /* … and in a staged plane */
    bool      direct; /* 1x1, no padding: the image itself is read, not a copy */
} ConvStage;

ConvStage tensor_conv_stage_plan(ConvShape s, ptrdiff_t rows);

/* Numbers of room that `channels` staged planes need; packing reads a little beyond the last. */
ptrdiff_t tensor_conv_stage_workspace(const ConvStage *g, ptrdiff_t channels);

/* Writes where the taps of `channels` channels lie: (channels, kernel) numbers. */
void tensor_conv_stage_taps(const ConvStage *g, ptrdiff_t channels, ptrdiff_t *tap);

/* Stages what rows [first, first + rows) of the result read of `channels` planes of an image. The
 * columns around and between the pixels are left as they are: before its first use the room must be
 * all zeros. Returns where it lies: `staged` or, if the stage is direct, the image from that row
 * on. */
const real *tensor_conv_stage_fill(const ConvStage *g, real *staged, const real *image,
                                   ptrdiff_t channels, ptrdiff_t first, ptrdiff_t rows);

/* Packs patches, one a column: what results [first, first + count) of those staged, counted row by
 * row, read through `taps` taps. Needs VEC numbers of room behind the last sliver.
 * `staged` is what tensor_conv_stage_fill returned. */
void tensor_conv_stage_pack(const ConvStage *g, real *slivers, const real *staged,
                            const ptrdiff_t *tap, ptrdiff_t taps, ptrdiff_t first, ptrdiff_t count);

#endif
