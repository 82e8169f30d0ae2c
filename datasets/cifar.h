/* datasets/cifar.h -- CIFAR-10, small colour photographs of ten kinds of things.
 *
 *  - cifar10_load looks for the set in $SLOPE_DATA/cifar-10, then ./data/cifar-10, then
 *    /usr/share/datasets/cifar-10.
 *  - cifar_parse and cifar_read read one file of records, from memory and from the disk.
 *  - A file that is missing, cut within a record or holds a label above 9 gives NULL and an Error.
 *
 * Format ("binary version"): records of 3073 bytes and nothing else: a label 0 … 9, then the pixels
 * as three planes of 32x32, red, green, blue, row by row. The set's own files have 10000 records
 * each, but that is written nowhere in them: any whole number from 1 up is taken.
 * Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_CIFAR_H
#define SLOPE_DATASETS_CIFAR_H

#include "datasets/dataset.h"

enum { CIFAR_IMAGE = 3 * 32 * 32, CIFAR_RECORD = 1 + CIFAR_IMAGE };

/* Its ten class names. */
extern const char *const cifar10_classes[10];

/* The records of a file as images (3,32,32) with ten classes, mean .4734 and standard deviation
 * .2516: those of all training pixels, the three channels together (each by itself has mean .4914
 * .4822 .4465, deviation .2470 .2435 .2616; a dataset keeps one of each). You free it. A gzipped
 * file is refused. `name` is what the dataset, and an error, is called. */
Dataset *cifar_parse(const uint8_t *data, size_t size, const char *name, Error *err);
Dataset *cifar_read(const char *path, Error *err);

/* The set: data_batch_1.bin … data_batch_5.bin one after the other for training, or
 * test_batch.bin. `dir` NULL: search as above; otherwise only `dir` and `dir`/cifar-10 are looked
 * in. The first folder that holds data_batch_1.bin or test_batch.bin is taken. When nothing is
 * found the error says where it looked and how to get the set. */
Dataset *cifar10_load(const char *dir, bool train, Error *err);

#endif
