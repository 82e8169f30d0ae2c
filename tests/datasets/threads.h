/* tests/datasets/threads.h -- batches that must not depend on the number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_DATASETS_THREADS_H
#define SLOPE_TESTS_DATASETS_THREADS_H

#include "datasets/loader.h"
#include "tensor/parallel.h"
#include "tests/testing.h"

/* One batch of `count` images of this shape, large enough to be divided among several threads, has
 * the same bits on one thread and on three. */
static inline void threads_agree(ptrdiff_t count, Shape image, LoaderOptions options)
{
    Dataset *data = dataset_new("large", DATASET_BYTES, count, image, 1);
    for (ptrdiff_t i = 0; i < count * shape_count(image); i++)
        data->bytes[i] = (uint8_t)(i * i >> 5);
    options.batch = count;
    Loader *a = loader_new(data, options), *b = loader_new(data, options);
    Batch one, two;
    parallel_set_threads(1);
    loader_next(a, &one);
    parallel_set_threads(3);
    loader_next(b, &two);
    ck_assert(tensor_same_bits(one.x, two.x));
    loader_free(a), loader_free(b);
    dataset_free(data);
}

#endif
