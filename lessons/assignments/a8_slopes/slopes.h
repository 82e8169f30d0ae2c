/* lessons/assignments/a8_slopes/slopes.h -- an experiment on learned slopes: what slopes.c must
 * define, and the rows that it writes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_A8_SLOPES_SLOPES_H
#define SLOPE_LESSONS_ASSIGNMENTS_A8_SLOPES_SLOPES_H

#include "slope.h"

/* Trains a network with two or more PReLUs on `train`, classifies the examples of `test`, and
 * writes rows of CSV to `out`, in any order and without a header line:
 *
 *     layer,LAYER,UNITS,SLOPES        each PReLU, counted from the input: 0, 1 ... UNITS is the
 *                                     number of features or channels of its input; SLOPES is
 *                                     UNITS, or 1 if all share one slope
 *     slope,STEP,LAYER,CHANNEL,VALUE  slope CHANNEL (0 ... SLOPES - 1) of that layer after STEP
 *                                     updates of the weights; write VALUE with "%.9g"
 *     prediction,INDEX,CLASS          the class (0 ... classes - 1) of example INDEX of `test`
 *
 *  - There is one `layer` row per PReLU, and one `prediction` row per example of `test`.
 *  - At 10 steps or more, all slopes of all layers are recorded, once each: at step 0, where every
 *    slope is 0.25, and finally after the last update.
 *  - The output has at most a million bytes. `out` is only written to; the caller closes it.
 *  - The same arguments yield the same bytes. Another seed yields other initial weights.
 *  - `test` must not influence the training, nor one of its examples the class of another.
 *
 * Both sets contain `features`, not bytes: examples of any shape, such as (2) or (1,8,8), any
 * number of them, in any order, and each feature on any scale, or constant. The sets' `mean` and
 * `std` are 0 and 1, so a loader does not scale the features. Both sets have the same shape and the
 * same two or more classes; each class occurs in `train`. The labels of `test` are not known: all
 * are 0. */
void experiment(const Dataset *train, const Dataset *test, FILE *out, uint64_t seed);

#endif
