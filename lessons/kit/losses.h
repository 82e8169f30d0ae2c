/* lessons/kit/losses.h -- the loss while a network trains, step by step.
 *
 *  - The loss of a single batch is noisy: a LossLog records the mean over every few steps.
 *  - loss_log_step is a StepFn: set it and the log in a Trainer, or call it from your own StepFn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_LOSSES_H
#define SLOPE_LESSONS_KIT_LOSSES_H

#include "lessons/kit/plot.h"

SLOPE_C_BEGIN

typedef struct LossLog {
    int     every, n, capacity;
    double *step, *loss; /* (n): a step, and the mean loss since the previous entry */
    double  sum;         /* the trainer's tally at the last entry */
    int64_t count;
} LossLog;

/* Records the mean over every `every` steps, and over the remaining steps of an epoch. */
LossLog *loss_log_new(int every);
void loss_log_free(LossLog *log);
void loss_log_step(const Trainer *t, int64_t step, void *log);

SLOPE_C_END

#endif
