/* datasets/standardize.h -- the columns of a table, each scaled to mean 0 and standard deviation 1.
 *
 *  - The columns of a table usually have different units. A network learns faster if none is much
 *    larger than the others.
 *  - The means and standard deviations are those of the training examples. The same numbers scale
 *    the other examples, and every new row for which the network is to predict something:
 *
 *      DatasetSplit split = dataset_split(all, 0.8, SPLIT_PLAIN, 1);
 *      Tensor *scale = dataset_standardize(split.train, split.rest);
 *      …
 *      const real *mean = tensor_read(scale), *std = mean + D; // a new row has D numbers
 *      for (int d = 0; d < D; d++)
 *          row[d] = (row[d] - mean[d]) / std[d];
 *      …
 *      tensor_free(scale);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_STANDARDIZE_H
#define SLOPE_DATASETS_STANDARDIZE_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

/* Replaces every feature x of both datasets by (x - mean) / std, where mean and std are the mean
 * and the standard deviation (the root of the mean squared deviation) of its column of `train`; a
 * column is one position of the sample. `rest` may be NULL. Targets and labels are not changed.
 *
 * Returns the numbers that were used, (2, sample), which you free: first the means, then the
 * standard deviations. For a column that is the same in all training examples, from which nothing
 * can be learned, the second number is infinity, so that the column becomes 0 in every row.
 *
 * Fails, before it changes anything, if a dataset stores bytes (a Loader normalises them) or has a
 * mean or std other than (0, 1), which a Loader would apply to the result; if `train` has no
 * examples; if the samples of the two have different shapes, or both are the same dataset; if a
 * feature is NaN or infinite; or if the numbers of a column are too large or too close together for
 * a finite mean and a std above 0. */
Tensor *dataset_standardize(Dataset *train, Dataset *rest);

SLOPE_C_END

#endif
