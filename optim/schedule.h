/* optim/schedule.h -- a learning rate that changes during training.
 *
 *  - A Schedule is plain data: a kind and its settings. A Trainer with a .schedule applies it
 *    before every update and saves its state in the checkpoint:
 *
 *      Trainer t = {.net = net, …, .epochs = 20,
 *                   .schedule = {.kind = SCHEDULE_COSINE, .epochs = 20, .warmup = 0.5}};
 *
 *  - In a loop of your own, two calls do the same:
 *
 *      Schedule s = {.kind = SCHEDULE_PLATEAU, .factor = 0.1, .patience = 3};
 *      for (int epoch = 0; epoch < epochs; epoch++) {
 *          for (int i = 0; i < batches; i++) {
 *              …
 *              schedule_apply(&s, opt, epoch + (double)i / batches);
 *              optimizer_step(opt);
 *          }
 *          schedule_observe(&s, loss_of(net, test));
 *      }
 *
 *  - A group's rate is its base rate, which is its rate before the first update, times a factor
 *    that is the same for all groups. So the rates of two groups always keep the same ratio.
 *  - Time is measured in epochs from the start of training, including fractions of an epoch: each
 *    update has a factor of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_SCHEDULE_H
#define SLOPE_OPTIM_SCHEDULE_H

#include "optim/optimizer.h"

SLOPE_C_BEGIN

/* How the factor changes; the formulas are below. */
typedef enum ScheduleKind {
    SCHEDULE_CONSTANT, /* without a warm-up, the rates are left to the program */
    SCHEDULE_STEP,
    SCHEDULE_COSINE,
    SCHEDULE_PLATEAU,
} ScheduleKind;

/* The factor at time t:
 *
 *      CONSTANT   1
 *      STEP       factor^n,  n = floor(t / every)
 *      COSINE     lowest + (1 - lowest) (1 + cos(pi u)) / 2,
 *                 u = (t - warmup) / (epochs - warmup), but at least 0 and at most 1
 *      PLATEAU    factor^n,  n = how many times the test loss has stopped falling
 *
 * STEP and PLATEAU never go below `lowest`. During a warm-up the factor is also multiplied by
 * warmup_from + (1 - warmup_from) t / warmup, which rises to 1; if warmup_from is 0, the first
 * update changes nothing. The warm-up is part of the time: STEP drops at t = every and COSINE ends
 * at t = epochs, with or without it.
 *
 * PLATEAU compares the test loss of each epoch with the best one so far. A loss is better if it is
 * below best - threshold |best|; NaN and Inf never are. After more than `patience` consecutive
 * epochs without a better loss, the rate drops. (A Trainer's .patience differs: it stops training
 * after exactly that many.) During the `cooldown` epochs that follow, worse losses are not counted.
 *
 * The rates are those of PyTorch's schedulers: StepLR, CosineAnnealingLR and, with .threshold_mode
 * 'rel', ReduceLROnPlateau. A warm-up is LinearLR, combined with COSINE by SequentialLR and with
 * STEP by ChainedScheduler. Four things differ:
 *
 *  - PyTorch's schedulers change the rate when they are called, usually once per epoch. Here the
 *    warm-up and COSINE change it with every update, as PyTorch's do if they are called after every
 *    batch and their lengths are given in batches.
 *  - `lowest` is a fraction of the base rate, while eta_min and min_lr are rates.
 *  - COSINE stays at `lowest`, while CosineAnnealingLR rises again.
 *  - If the best loss is negative, ReduceLROnPlateau accepts slightly worse losses as better. */
typedef struct Schedule {
    ScheduleKind kind;
    double every;       /* STEP: epochs between two drops */
    double epochs;      /* COSINE: the time at which it reaches `lowest` */
    double factor;      /* STEP, PLATEAU: the factor of one drop; above 0 and below 1 */
    double lowest;      /* STEP, COSINE, PLATEAU: the lowest factor; at least 0 and below 1 */
    int    patience;    /* PLATEAU */
    int    cooldown;    /* PLATEAU */
    double threshold;   /* PLATEAU; at least 0 and below 1 */
    double warmup;      /* all kinds: length in epochs; 0: no warm-up */
    double warmup_from; /* the factor at time 0 of a warm-up; 0 to 1 */

    /* The state; initially 0. To change the rates in the middle of a run, change .base. */
    int    groups;                 /* how many groups there are; 0 before the first update */
    real   base[OPTIMIZER_GROUPS]; /* their base rates */
    real   rate[OPTIMIZER_GROUPS]; /* the rates that schedule_apply has set */
    bool   has_best;               /* PLATEAU: has there been a finite loss? */
    double best;                   /* the best loss */
    int    bad;                    /* consecutive epochs that were counted as worse */
    int    cooling;                /* epochs left of the cooldown */
    int    drops;                  /* the number of drops so far */
} Schedule;

/* The factor at this time, in epochs from the start of training; for PLATEAU, after the drops so
 * far. Like the next two functions, it fails if a setting is out of range, or is not 0 although the
 * kind does not use it. */
double schedule_factor(const Schedule *s, double epoch);

/* Sets the rate of every group for an update at this time. The first call records the base rates.
 * Later calls fail if the optimizer's rates or groups have been changed since the last call: to
 * change the rates, change s->base, or assign a new Schedule to *s, which starts from the current
 * rates. So when one schedule has ended, use optimizer_set_lr to set the base rates of the next. A
 * CONSTANT schedule without a warm-up does nothing. */
void schedule_apply(Schedule *s, Optimizer *opt, double epoch);

/* Passes PLATEAU the test loss of the epoch that has just ended. Other kinds ignore it. */
void schedule_observe(Schedule *s, double loss);

SLOPE_C_END

#endif
