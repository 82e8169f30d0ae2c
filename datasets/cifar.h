/* datasets/cifar.h -- CIFAR-10, small colour photographs in ten classes.
 *
 *  - cifar10_load looks for the set in $SLOPE_DATA/cifar-10, then ./data/cifar-10, then
 *    /usr/share/datasets/cifar-10.
 *  - cifar_parse and cifar_read read one file of records, from memory and from disk.
 *  - A file that is missing, ends within a record or has a label above 9 yields NULL and an Error,
 *    whose hint recognises CIFAR-100, the Python version and other files mistaken for this set.
 *
 * Format ("binary version"): nothing but records of 3073 bytes, each a label from 0 to 9 and then
 * the pixels as three planes of 32x32, red, green and blue, row by row. The set's own files have
 * 10000 records each, but nothing in them says so: any number of records except 0 is accepted.
 * Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_CIFAR_H
#define SLOPE_DATASETS_CIFAR_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

enum { CIFAR_IMAGE = 3 * 32 * 32, CIFAR_RECORD = 1 + CIFAR_IMAGE };

/* The names of the ten classes. */
extern const char *const cifar10_classes[10];

/* The records of a file as images (3,32,32) with ten classes, mean .4734 and standard deviation
 * .2516. These are computed over all training pixels, the three channels together, because a
 * dataset has only one of each (per channel the means are .4914 .4822 .4465, the deviations .2470
 * .2435 .2616). `name` names the dataset, and the file in errors. You free the dataset.
 * A gzipped file is refused. */
Dataset *cifar_parse(const uint8_t *data, size_t size, const char *name, Error *err);
Dataset *cifar_read(const char *path, Error *err);

/* The set: data_batch_1.bin to data_batch_5.bin in this order for training, or test_batch.bin. If
 * `dir` is NULL, the folders above are searched, otherwise only `dir` and `dir`/cifar-10; so is the
 * subfolder cifar-10-batches-bin of each, which unpacking the archive creates. The first folder
 * that holds data_batch_1.bin or test_batch.bin is used. If none does, the error says which folders
 * were searched and how to get the set. */
Dataset *cifar10_load(const char *dir, bool train, Error *err);

SLOPE_C_END

#endif
