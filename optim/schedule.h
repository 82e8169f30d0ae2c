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
 *  - A group's rate is its base rate, which is the one it has before the first update, times a
 *    factor that is the same for all groups. So a group with a rate of its own keeps the ratio.
 *  - Time is measured in epochs from the start of training, and fractions count: each update has a
 *    factor of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_SCHEDULE_H
#define SLOPE_OPTIM_SCHEDULE_H

#include "optim/optimizer.h"

SLOPE_C_BEGIN

/* The factor at time t is given below. */
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
 *      PLATEAU    factor^n,  n how often the test loss has stopped falling
 *
 * STEP and PLATEAU never go below `lowest`. During a warm-up the factor is also multiplied by
 * warmup_from + (1 - warmup_from) t / warmup, which rises to 1; if warmup_from is 0, the first
 * update changes nothing. The warm-up is part of the time: STEP drops at t = every and COSINE ends
 * at t = epochs, with or without it.
 *
 * PLATEAU compares the test loss of each epoch with the lowest one so far. A loss is better if it
 * is below best - threshold |best|; NaN and Inf never are. After more than `patience` consecutive
 * epochs without a better one, the rate drops (a Trainer's own .patience stops after exactly that
 * many). During the `cooldown` epochs that follow, worse losses are not counted.
 *
 * The rates are those of PyTorch's schedulers: StepLR, CosineAnnealingLR and, with .threshold_mode
 * 'rel', ReduceLROnPlateau; a warm-up is LinearLR, with COSINE in a SequentialLR, with STEP in a
 * ChainedScheduler. Four things differ. PyTorch's schedulers move when they are called, usually
 * once per epoch; here the warm-up and COSINE move with every update, as PyTorch's do if they are
 * called after every batch with lengths in batches. `lowest` is a fraction of the base rate, while
 * eta_min and min_lr are rates. COSINE stays at `lowest`, while CosineAnnealingLR rises again. And
 * for a negative best loss ReduceLROnPlateau accepts slightly worse ones as better. */
typedef struct Schedule {
    ScheduleKind kind;
    double every;       /* STEP: epochs between two drops */
    double epochs;      /* COSINE: when it reaches `lowest` */
    double factor;      /* STEP, PLATEAU: of one drop; above 0 and below 1 */
    double lowest;      /* STEP, COSINE, PLATEAU: a factor; at least 0 and below 1 */
    int    patience;    /* PLATEAU */
    int    cooldown;    /* PLATEAU */
    double threshold;   /* PLATEAU; at least 0 and below 1 */
    double warmup;      /* all kinds: epochs; 0: none */
    double warmup_from; /* the factor of the first update; 0 to 1 */

    /* The state; initially 0. To change the rates in the middle of a run, change .base. */
    int    groups;                 /* how many have a base rate; 0 before the first update */
    real   base[OPTIMIZER_GROUPS]; /* their base rates */
    real   rate[OPTIMIZER_GROUPS]; /* the rates that schedule_apply has set */
    bool   has_best;               /* PLATEAU: has there been a finite loss? */
    double best;                   /* the lowest one */
    int    bad;                    /* epochs since then that count as worse */
    int    cooling;                /* epochs left of the cooldown */
    int    drops;                  /* so far */
} Schedule;

/* The factor at a time, in epochs from the start of training; for PLATEAU, after the drops so
 * far. Like the next two, fails if a setting is out of range, or is not 0 although the kind does
 * not use it. */
double schedule_factor(const Schedule *s, double epoch);

/* Sets the rate of every group for an update at this time. The first call remembers the base rates.
 * Later ones fail if the optimizer has other rates or groups than the last one left: to change the
 * rates, change s->base, or assign a new Schedule to *s, which starts from the present rates. So
 * after a schedule that has ended, optimizer_set_lr gives the next one its base rates. A CONSTANT
 * schedule without a warm-up does nothing. */
void schedule_apply(Schedule *s, Optimizer *opt, double epoch);

/* Tells PLATEAU the test loss of the epoch that has ended. Other kinds ignore it. */
void schedule_observe(Schedule *s, double loss);

SLOPE_C_END

#endif
