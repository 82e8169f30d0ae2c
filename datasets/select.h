/* datasets/select.h -- chosen examples as a dataset of their own. Internal: programs call
 * dataset_take and dataset_split.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_SELECT_H
#define SLOPE_DATASETS_SELECT_H

#include "datasets/dataset.h"

/* Returns a copy of examples which[0], … which[count-1] (NULL: 0 … count-1), which must exist,
 * and of all that the dataset says about them: name, note, classes and their names, mean, std.
 * Returns NULL if there is not enough memory. */
Dataset *slope_dataset_try_select(const Dataset *data, const int32_t *which, ptrdiff_t count);

#endif
