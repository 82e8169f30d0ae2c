/* datasets/transform.h -- images padded, cropped and flipped on their way into a batch.
 *
 *  - pad: a black frame around each image; 2 makes 32x32 of 28x28.
 *  - crop: a square window at a random place of what pad made (or in its middle).
 *  - flip: left and right exchanged for one image in two.
 *  - A LoaderOptions has a Transform: give a random one to the training loader only, and to the
 *    loader of the test set one of the same shape that leaves nothing to chance.
 *
 *      LoaderOptions train = {.shuffle = true, .transform = {.pad = 4, .crop = 32, .flip = true}};
 *      LoaderOptions test  = {0};                              // CIFAR-10: 32x32 either way
 *
 * What happens to an image depends on the seed, the epoch and the image's number in the dataset
 * alone: not on the order, the batch or the threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_TRANSFORM_H
#define SLOPE_DATASETS_TRANSFORM_H

#include "datasets/dataset.h"

typedef struct Transform {
    int  pad;    /* pixels on each of the four sides. They are black: 0 before normalising, so
                  * (0 - mean) / std in the batch, as the black of the image is. */
    int  crop;   /* side of the window, at most the padded image's; 0: no cropping */
    bool center; /* the window is in the middle (up and left of it, if that is half a pixel) */
    bool flip;
} Transform;

/* The shape of an example (C,H,W) or (H,W) after the transform: both sides H + 2 pad, or crop.
 * Without a transform (all 0) any shape stays as it is. Fails if the transform does not fit. */
Shape transform_shape(Transform transform, Shape sample);

/* dataset_read with a transform: x is (count, transform_shape), labels as there. Without a
 * transform it is dataset_read. Runs in parallel and allocates nothing. */
void transform_read(const Dataset *data, Transform transform, uint64_t seed, int epoch,
                    const int32_t *which, ptrdiff_t count, real *x, int32_t *labels);

#endif
