/* lessons/kit/losses.c -- the loss while a network trains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/losses.h"

#include <string.h>

#include "tensor/memory.h"

LossLog *loss_log_new(int every)
{
    LossLog *log = memory_new(sizeof *log);
    log->every = every;
    return log;
}

void loss_log_free(LossLog *log)
{
    memory_free(log->step), memory_free(log->loss);
    memory_free(log);
}

static double *loss_grow(double *old, int n, int capacity)
{
    double *bigger = memory_new_array((size_t)capacity, sizeof *bigger);
    if (old)
        memcpy(bigger, old, (size_t)n * sizeof *bigger);
    memory_free(old);
    return bigger;
}

/* The trainer's tally accumulates over an epoch, so an entry is the difference from the last one.
 * It restarts at 0 in every epoch, so the last step of an epoch is recorded too. */
void loss_log_step(const Trainer *t, int64_t step, void *ctx)
{
    LossLog *log = ctx;
    const Tally *tally = &t->tally;
    bool last = tally->batches == loader_batches(t->train);
    if (!last && tally->batches % log->every != 0)
        return;
    if (log->n == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 64;
        log->step = loss_grow(log->step, log->n, log->capacity);
        log->loss = loss_grow(log->loss, log->n, log->capacity);
    }
    log->step[log->n] = (double)step;
    log->loss[log->n++] = (tally->loss - log->sum) / (double)(tally->count - log->count);
    log->sum = last ? 0 : tally->loss;
    log->count = last ? 0 : tally->count;
}
