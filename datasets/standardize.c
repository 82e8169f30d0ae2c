/* datasets/standardize.c -- the mean and standard deviation of each column, and scaling by them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/standardize.h"

#include <math.h>
#include <string.h>

/* --- checks ----------------------------------------------------------------------------------- */

static void standardize_check_values(const Dataset *data)
{
    ptrdiff_t each = shape_count(data->sample);
    for (ptrdiff_t i = 0; i < data->count * each; i++)
        if (!isfinite(data->features[i]))
            slope_fail("dataset_standardize", "column %td of example %td of %s (both counted from "
                       "0) is %s; expected a finite number", i % each, i / each, data->name,
                       isnan(data->features[i]) ? "NaN" : "infinite");
}

static void standardize_check(const Dataset *data)
{
    if (!data->features)
        slope_fail("dataset_standardize", "%s stores bytes; expected features. A Loader normalises "
                   "bytes by the dataset's mean and std", data->name);
    if (data->mean != 0 || data->std != 1)
        slope_fail("dataset_standardize", "%s has mean %g and std %g, which a Loader would apply "
                   "after this; set them to 0 and 1", data->name, (double)data->mean,
                   (double)data->std);
    standardize_check_values(data);
}

static void standardize_check_both(const Dataset *train, const Dataset *rest)
{
    if (!train)
        slope_fail("dataset_standardize", "the training set is NULL; did its reader report an "
                   "Error?");
    if (train == rest)
        slope_fail("dataset_standardize", "%s was passed twice; if there is only one dataset, pass "
                   "NULL as the second", train->name);
    if (rest && !shape_equal(train->sample, rest->sample))
        slope_fail("dataset_standardize", "the examples of %s have shape %s, and those of %s have "
                   "%s; expected the same", train->name, SHAPE_TEXT(train->sample), rest->name,
                   SHAPE_TEXT(rest->sample));
    if (train->count < 1)
        slope_fail("dataset_standardize", "%s has no examples; expected at least one, to compute "
                   "means", train->name);
    standardize_check(train);
    if (rest)
        standardize_check(rest);
}

/* --- measuring -------------------------------------------------------------------------------- */

/* Two passes: the mean of the squares minus the square of the mean would cancel for a large mean. A
 * column is constant if its values are equal: rounding can make their mean differ from them.
 * Returns false if the numbers cannot be scaled. */
static bool standardize_measure(const Dataset *train, ptrdiff_t column, real *mean, real *std)
{
    ptrdiff_t each = shape_count(train->sample);
    const real *x = train->features + column;
    double sum = 0, squares = 0;
    bool constant = true;
    for (ptrdiff_t i = 0; i < train->count; i++) {
        sum += (double)x[i * each];
        constant = constant && x[i * each] == x[0];
    }
    double center = constant ? (double)x[0] : sum / (double)train->count;
    for (ptrdiff_t i = 0; i < train->count; i++) {
        double away = (double)x[i * each] - center;
        squares += away * away;
    }
    *mean = (real)center;
    *std = constant ? (real)INFINITY : (real)sqrt(squares / (double)train->count);
    return isfinite(center) && isfinite(squares) && *std > 0;
}

/* Returns the means and standard deviations, (2, sample). */
static Tensor *standardize_scale(const Dataset *train)
{
    ptrdiff_t dim[1 + MAX_DIMS] = {2}, each = shape_count(train->sample);
    memcpy(dim + 1, train->sample.dim, sizeof train->sample.dim);
    Tensor *scale = tensor_new(shape_new(1 + train->sample.ndim, dim));
    real *mean = tensor_write(scale), *std = mean + each;
    for (ptrdiff_t d = 0; d < each; d++)
        if (!standardize_measure(train, d, &mean[d], &std[d])) {
            tensor_free(scale);
            slope_fail("dataset_standardize", "the numbers in column %td of %s (counted from 0) "
                       "are too large or too close together to be scaled", d, train->name);
        }
    return scale;
}

/* --- scaling ---------------------------------------------------------------------------------- */

static void standardize_apply(Dataset *data, const real *mean, const real *std)
{
    ptrdiff_t each = shape_count(data->sample);
    for (ptrdiff_t i = 0; i < data->count; i++)
        for (ptrdiff_t d = 0; d < each; d++) {
            real *x = &data->features[i * each + d];
            *x = (*x - mean[d]) / std[d];
        }
}

Tensor *dataset_standardize(Dataset *train, Dataset *rest)
{
    standardize_check_both(train, rest);
    Tensor *scale = standardize_scale(train);
    const real *mean = tensor_read(scale), *std = mean + shape_count(train->sample);
    standardize_apply(train, mean, std);
    if (rest)
        standardize_apply(rest, mean, std);
    return scale;
}
