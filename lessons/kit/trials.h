/* lessons/kit/trials.h -- one network trained with several activations, on several amounts of data,
 * from several seeds; and what differs by more than the seeds do.
 *
 *  - trials_train trains 784-128-128-10 once and keeps its accuracy, loss and mean slopes.
 *  - The seed decides on images, order and weights alone: trials with the same seed differ in
 *    their activation only, so trials_difference compares them seed by seed.
 *  - trials_value and trials_difference give a mean over the seeds with its standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_TRIALS_H
#define SLOPE_LESSONS_KIT_TRIALS_H

#include "lessons/kit/lesson.h"

enum { TRIAL_WIDTH = 128, TRIAL_SIZES = 3, TRIAL_KINDS = 9, TRIAL_SEEDS = 10 };

typedef struct TrialKind {
    const char *name;
    double      slope;   /* fixed, or where a learned one starts */
    ptrdiff_t   learned; /* how many slopes a layer learns: 0, 1 or TRIAL_WIDTH */
} TrialKind;

typedef struct TrialSize {
    ptrdiff_t samples;
    int       seeds, epochs, kinds; /* the first so many kinds are tried */
} TrialSize;

/* loss: the mean over the last epoch, in training; slopes: the mean over each layer */
enum { ACCURACY, TRAIN_LOSS, SLOPE_1, SLOPE_2, TRIAL_FIELDS };

typedef struct Trials {
    const TrialKind *kind;
    TrialSize        size[TRIAL_SIZES];
    double           value[TRIAL_FIELDS][TRIAL_SIZES][TRIAL_KINDS][TRIAL_SEEDS];
} Trials;

/* Trains kind k from seed number s of the lesson's own and notes the results. A size smaller than
 * the training set draws its images at random, others for every seed. */
void trials_train(const Lesson *lesson, Trials *t, const LessonData *data, int size, int k, int s);

typedef struct Mean {
    double mean, error, sd; /* error: the standard error of the mean, sd / sqrt(n) */
    bool   clear;           /* is 0 outside the 95 % interval of Student's t? */
} Mean;

/* Over the seeds: of a field for kind k; and of that minus the one of kind `minus`. */
Mean trials_value(const Trials *t, int field, int size, int k);
Mean trials_difference(const Trials *t, int field, int size, int k, int minus);

/* runs.csv: a line a training. */
void trials_write(const Lesson *lesson, const Trials *t);

#endif
