/* datasets/dataset.h -- examples and their classes, as they lie in memory.
 *
 *  - Images stay bytes here (a quarter of the memory) and become `real` in a batch.
 *  - Points and other measurements are `real` from the start.
 *  - dataset_free drops everything; dataset_take borrows nothing: it copies.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_DATASET_H
#define SLOPE_DATASETS_DATASET_H

#include "tensor/tensor.h"

typedef struct Dataset {
    char      name[48];
    ptrdiff_t count;
    Shape     sample;     /* of one example: (1, 28, 28) or (2) */
    uint8_t  *bytes;      /* (count, sample) images 0 … 255, or NULL */
    real     *features;   /* (count, sample) numbers, or NULL */
    Labels    labels;     /* (count), each 0 … classes-1 */
    int       classes;
    const char *const *class_names; /* `classes` static texts, or NULL */
    real mean, std; /* of value/255 for bytes, of the value for features; what a Loader
                     * normalises with: x -> (x - mean) / std. (0, 1) leaves it alone. */
} Dataset;

/* An empty dataset with room for `count` examples: bytes or features zeroed, labels zeroed,
 * mean 0 and std 1. The _try_ form returns NULL instead of failing when memory is short (for
 * readers). */
typedef enum DatasetKind { DATASET_BYTES, DATASET_FEATURES } DatasetKind;
Dataset *dataset_new(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                     int classes);
Dataset *dataset_try_new(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                         int classes);
void dataset_free(Dataset *data);

/* A copy of the first `count` examples; fails if there are fewer. */
Dataset *dataset_take(const Dataset *data, ptrdiff_t count);

/* Writes examples which[0], … which[count-1] (NULL: 0 … count-1) to x (count, sample),
 * normalised, and their classes to labels (count), which may be NULL. Runs in parallel. */
void dataset_read(const Dataset *data, const int32_t *which, ptrdiff_t count, real *x,
                  int32_t *labels);

/* All examples in one tensor (count, sample), normalised. You free it. For small sets. */
Tensor *dataset_tensor(const Dataset *data);

/* Draws one image, (H,W) or (C,H,W), as text: 5 shades, two columns a pixel, the channels
 * averaged. Bytes only. */
void dataset_print_image(FILE *out, const Dataset *data, ptrdiff_t index);

#endif
