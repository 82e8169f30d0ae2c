/* tests/xor.h -- a small training set that no straight line separates.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_XOR_H
#define SLOPE_TESTS_XOR_H

#include "datasets/dataset.h"
#include "tensor/random.h"

/* The four points (0,0) (0,1) (1,0) (1,1) in turn, class 1 where the two coordinates differ;
 * `noise` is the standard deviation added to each coordinate. */
static inline Dataset *xor_points(ptrdiff_t count, real noise)
{
    Dataset *data = dataset_new("xor", DATASET_FEATURES, count, SHAPE(2), 2);
    Rng rng = rng_new(1, 0x706f696e74730002); /* "points" in ASCII, then 2 */
    for (ptrdiff_t i = 0; i < count; i++) {
        int a = (int)(i / 2 % 2), b = (int)(i % 2);
        data->labels.data[i] = a ^ b;
        data->features[2 * i] = (real)a + noise * rng_normal(&rng);
        data->features[2 * i + 1] = (real)b + noise * rng_normal(&rng);
    }
    return data;
}

#endif
