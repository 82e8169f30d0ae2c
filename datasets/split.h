/* datasets/split.h -- a dataset divided at random into two: a training set and the rest.
 *
 *  - SPLIT_PLAIN ignores the classes; SPLIT_STRATIFIED takes the same share of every class, so that
 *    a rare class does not end up in only one part by chance.
 *  - The same seed gives the same parts, on every machine.
 *  - For three parts, split one of the two again.
 *
 *      Dataset *all = csv_read("iris.csv", (CsvOptions){.label_column = -1}, &err);
 *      DatasetSplit split = dataset_split(all, 0.8, SPLIT_STRATIFIED, 1);
 *      dataset_free(all);
 *      Loader *train = loader_new(split.train, (LoaderOptions){.shuffle = true});
 *      Loader *test = loader_new(split.rest, (LoaderOptions){0});
 *      …
 *      loader_free(train), loader_free(test);
 *      dataset_free(split.train), dataset_free(split.rest);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_SPLIT_H
#define SLOPE_DATASETS_SPLIT_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

typedef enum SplitKind { SPLIT_PLAIN, SPLIT_STRATIFIED } SplitKind;

/* The two parts, which you free. */
typedef struct DatasetSplit {
    Dataset *train, *rest;
} DatasetSplit;

/* Copies every example into one of the two parts, each in random order. Both keep the dataset's
 * name, note, class names, mean and std.
 *
 * The training part gets fraction * count examples, rounded to the nearest integer (halves are
 * rounded up). In a stratified split, it first gets fraction * n_k examples, rounded down, from
 * each class k of n_k examples. Then the classes that lost most by rounding each give one more,
 * until the part is full; of classes that lost the same, those with lower numbers come first. So
 * the share of each class is exact to within one example, and a class with a single example is in
 * one part only.
 *
 * Fails if the fraction is not between 0 and 1 or would leave a part empty. A stratified split also
 * fails if the dataset has no classes, for example because it has real-valued targets. */
DatasetSplit dataset_split(const Dataset *data, double fraction, SplitKind kind, uint64_t seed);

SLOPE_C_END

#endif
