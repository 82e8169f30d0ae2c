/* datasets/transform.h -- images padded, cropped and flipped on their way into a batch.
 *
 *  - pad: a black frame around each image; 2 turns 28x28 into 32x32.
 *  - crop: a window at a random position in the padded image (or in its middle).
 *  - flip: left and right exchanged, at random, with a given probability.
 *  - LoaderOptions has a Transform: give a random one to the training loader only, and give the
 *    loader of the test set one with the same resulting shape that leaves nothing to chance.
 *
 *      // CIFAR-10: 32x32 either way
 *      LoaderOptions train = {.shuffle = true, .transform = {.pad = 4, .crop = {32, 32},
 *                                                            .flip_probability = 0.5}};
 *      LoaderOptions test  = {0};
 *
 * What happens to an image depends on the seed, the epoch and the image's number in the dataset
 * alone, not on the order, the batch or the threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_TRANSFORM_H
#define SLOPE_DATASETS_TRANSFORM_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

/* A field that is left out is 0 and does nothing, except that a window whose .center is left out is
 * at a random position. To pad height and width differently, take a window of a padded image:
 * for 28x28 images, .pad = 2 and .crop = {32, 28} with .center add four rows but no columns. */
typedef struct Transform {
    int  pad;     /* pixels on each of the four sides. They are black: 0 before normalising, so
                   * (0 - mean) / std in the batch, like black pixels of the image. */
    int  crop[2]; /* height and width of the window, at most the padded image's; {0, 0}: no
                   * cropping. Give both: in C, {32} means {32, 0}, which is refused. */
    bool center;  /* the window is in the middle (half a pixel up and left of it if need be) */
    double flip_probability; /* of exchanging left and right, from 0 to 1 */
} Transform;

/* The shape of an example (C,H,W) or (H,W) after the transform: height and width are those of .crop
 * or, without cropping, the size plus 2 pad. Without a transform (all 0) any shape stays as it is.
 * Fails if the transform does not fit, or if one of its numbers is out of range. */
Shape transform_shape(Transform transform, Shape sample);

/* dataset_read with a transform: x is (count, transform_shape); labels are the same. Without a
 * transform it is dataset_read. Runs in parallel and allocates nothing. */
void transform_read(const Dataset *data, Transform transform, uint64_t seed, int epoch,
                    const int32_t *which, ptrdiff_t count, real *x, int32_t *labels);

SLOPE_C_END

#endif
