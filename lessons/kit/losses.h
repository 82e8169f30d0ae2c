/* lessons/kit/losses.h -- the loss while a network trains, step by step.
 *
 *  - One batch's loss is noisy: a LossLog notes the mean over every so many steps.
 *  - loss_log_step is a StepFn: put it and the log into a Trainer, or call it from your own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_LOSSES_H
#define SLOPE_LESSONS_KIT_LOSSES_H

#include "lessons/kit/plot.h"

typedef struct LossLog {
    int     every, n, capacity;
    double *step, *loss; /* (n): after this step, the mean loss since the one before */
    double  sum;         /* of the trainer's tally when last noted */
    int64_t count;
} LossLog;

/* Notes a mean over `every` steps (and over the rest of an epoch). */
LossLog *loss_log_new(int every);
void loss_log_free(LossLog *log);
void loss_log_step(const Trainer *t, int64_t step, void *log);

#endif
