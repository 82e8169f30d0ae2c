/* datasets/select.h -- copies selected examples into a new dataset. Internal: programs call
 * dataset_take and dataset_split.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_SELECT_H
#define SLOPE_DATASETS_SELECT_H

#include "datasets/dataset.h"

/* Returns a new dataset with copies of examples which[0], … which[count-1] (NULL: 0 … count-1).
 * All must exist. The name, note, classes, class names, mean and std are those of `data`. Returns
 * NULL if there is not enough memory. */
Dataset *slope_dataset_try_select(const Dataset *data, const int32_t *which, ptrdiff_t count);

#endif
