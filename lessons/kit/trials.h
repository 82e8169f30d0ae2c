/* lessons/kit/trials.h -- one network trained with several activations, on several amounts of data
 * and from several seeds, to find differences that are not due to the seed.
 *
 *  - trials_train trains a 784-128-128-10 network once and records its accuracy, loss and mean
 *    slopes.
 *  - The seed determines the images, their order and the initial weights: trials with the same seed
 *    differ only in their activation, so trials_difference compares them seed by seed.
 *  - trials_value and trials_difference return a mean over the seeds with its standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_TRIALS_H
#define SLOPE_LESSONS_KIT_TRIALS_H

#include "lessons/kit/lesson.h"

SLOPE_C_BEGIN

enum { TRIAL_WIDTH = 128, TRIAL_SIZES = 3, TRIAL_KINDS = 9, TRIAL_SEEDS = 10 };

typedef struct TrialKind {
    const char *name;
    double      slope;   /* the fixed slope, or the initial value of a learned one */
    ptrdiff_t   learned; /* how many slopes a layer learns: 0, 1 or TRIAL_WIDTH */
} TrialKind;

typedef struct TrialSize {
    ptrdiff_t samples;
    int       seeds, epochs, kinds; /* only the first `kinds` kinds are tried */
} TrialSize;

/* TRAIN_LOSS is the mean over the last epoch; SLOPE_1 and SLOPE_2 are means over a layer. */
enum { ACCURACY, TRAIN_LOSS, SLOPE_1, SLOPE_2, TRIAL_FIELDS };

typedef struct Trials {
    const TrialKind *kind;
    TrialSize        size[TRIAL_SIZES];
    double           value[TRIAL_FIELDS][TRIAL_SIZES][TRIAL_KINDS][TRIAL_SEEDS];
} Trials;

/* Trains kind k with a seed derived from the lesson's seed and s, and records the results. If the
 * size is smaller than the training set, each seed draws its images at random. */
void trials_train(const Lesson *lesson, Trials *t, const LessonData *data, int size, int k, int s);

typedef struct Mean {
    double mean, error, sd; /* error: the standard error of the mean, sd / sqrt(n) */
    bool   clear;           /* is 0 outside the 95 % confidence interval by Student's t? */
} Mean;

/* The mean over the seeds of a field for kind k, and of its difference from kind `minus`. */
Mean trials_value(const Trials *t, int field, int size, int k);
Mean trials_difference(const Trials *t, int field, int size, int k, int minus);

/* Writes runs.csv, one line per training run. */
void trials_write(const Lesson *lesson, const Trials *t);

SLOPE_C_END

#endif
