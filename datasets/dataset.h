/* datasets/dataset.h -- examples in memory, with their classes or with numbers to predict.
 *
 *  - Images are stored as bytes (a quarter of the memory) and become `real` in a batch.
 *  - Points and other measurements are `real` from the start.
 *  - Each example has a class (classification) or real-valued targets (regression) or neither: the
 *    data of an autoencoder need neither, because its loss compares the output with the input.
 *  - dataset_print says what a dataset holds, and what its reader decided.
 *  - dataset_free frees everything; dataset_take borrows nothing: it copies.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_DATASET_H
#define SLOPE_DATASETS_DATASET_H

#include "tensor/tensor.h"

SLOPE_C_BEGIN

typedef struct Dataset {
    char      name[48];
    ptrdiff_t count;
    Shape     sample;     /* of one example: (1, 28, 28) or (2) */
    uint8_t  *bytes;      /* (count, sample) images 0 … 255, or NULL */
    real     *features;   /* (count, sample) numbers, or NULL */
    Labels    labels;     /* (count), each 0 … classes-1; empty if there are no classes */
    int       classes;    /* 0: none; a program may set it to 0 to ignore the labels */
    const char *const *class_names; /* `classes` texts, or NULL */
    void       *owned_names;        /* the block that holds class_names, if it owns them */
    real     *targets;    /* (count, target) numbers to predict, or NULL */
    Shape     target;     /* of one example's targets: (1), or (2) for two numbers */
    char        note[256]; /* what a reader decided, such as which column is the label, or "" */
    real mean, std; /* of value/255 for bytes, of the value for features; a Loader normalises
                     * with them: x -> (x - mean) / std. (0, 1) changes nothing. They apply to all
                     * columns; dataset_standardize (standardize.h) scales each column by its own
                     * numbers. Targets are not normalised. */
} Dataset;

/* A dataset of `count` examples: bytes or features zeroed, labels zeroed, mean 0 and std 1. If
 * `classes` is 0, it has no labels. The _try_ form, for readers, returns NULL instead of failing if
 * there is not enough memory. */
typedef enum DatasetKind { DATASET_BYTES, DATASET_FEATURES } DatasetKind;
Dataset *dataset_new(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                     int classes);
Dataset *dataset_try_new(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                         int classes);

/* The same with zeroed targets of shape `target`, at least one number, instead of labels. For one
 * number per example use SHAPE(1): the targets of a batch of B are then (B,1), as is the output of
 * linear_new(in, 1). Training is easier if the targets have a mean near 0 and a standard deviation
 * near 1. If they do not, subtract the mean of the training set's targets and divide by their
 * standard deviation, in every set, and undo this in the predictions. */
Dataset *dataset_new_with_targets(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                                  Shape target);
Dataset *dataset_try_new_with_targets(const char *name, DatasetKind kind, ptrdiff_t count,
                                      Shape sample, Shape target);
void dataset_free(Dataset *data);

/* "iris.csv: 150 examples (4,), 3 classes: setosa, versicolor, virginica", with at most ten of the
 * names, or "houses.csv: 506 examples (13,), real-valued targets (1,)"; then, on a line of its own,
 * the note, if there is one. */
void dataset_print(FILE *out, const Dataset *data);

/* Gives the dataset its own copy of these `classes` names; returns false if there is not enough
 * memory. */
bool dataset_try_name_classes(Dataset *data, const char *const *names);

/* A copy of the first `count` examples; fails if there are fewer. */
Dataset *dataset_take(const Dataset *data, ptrdiff_t count);

/* Writes examples which[0], … which[count-1] (NULL: 0 … count-1) to x (count, sample),
 * normalised, and their classes to labels (count), which may be NULL, and must be NULL if there are
 * no classes. Runs in parallel. */
void dataset_read(const Dataset *data, const int32_t *which, ptrdiff_t count, real *x,
                  int32_t *labels);

/* The two halves of dataset_read, for code that arranges the values itself (transform.h).
 * dataset_read_labels checks all indices and copies the classes. dataset_values_copy copies the
 * normalised values first, first+1, … of the whole dataset and may be called from any thread.
 * dataset_values fails if std is not above 0. */
typedef struct DatasetValues {
    const Dataset *data;
    real           of_byte[256]; /* (byte/255 - mean) / std */
} DatasetValues;
DatasetValues dataset_values(const Dataset *data);
void dataset_values_copy(const DatasetValues *values, ptrdiff_t first, ptrdiff_t count, real *x);
void dataset_read_labels(const Dataset *data, const int32_t *which, ptrdiff_t count,
                         int32_t *labels);

/* Writes the targets of the same examples to y (count, target). Fails if there are none. */
void dataset_read_targets(const Dataset *data, const int32_t *which, ptrdiff_t count, real *y);

/* All examples in one tensor (count, sample), normalised, which you free. Meant for small sets. */
Tensor *dataset_tensor(const Dataset *data);

SLOPE_C_END

#endif
