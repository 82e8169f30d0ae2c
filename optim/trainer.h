/* optim/trainer.h -- the training loop: the one place where network, optimizer and data meet.
 *
 *  - trainer_fit runs epochs over a loader, evaluates on another after each, and keeps history.
 *  - Progress goes to stderr: a bar on a terminal, a line an epoch otherwise; nothing with quiet.
 *    NO_COLOR is respected.
 *  - A step callback sees the network after every update (to record slopes, say).
 *
 *      Trainer t = {.net = net, .optimizer = opt, .loss = loss_cross_entropy,
 *                   .train = train, .test = test, .epochs = 5};
 *      trainer_fit(&t);
 *      history_write_csv(&t.history, "history.csv", &err);
 *      history_free(&t.history);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_TRAINER_H
#define SLOPE_OPTIM_TRAINER_H

#include "datasets/loader.h"
#include "nn/loss.h"
#include "optim/optimizer.h"

typedef struct EpochRecord {
    int    epoch; /* from 1 */
    double train_loss, train_accuracy; /* means over the epoch's batches, as they were trained */
    double test_loss, test_accuracy;   /* after the epoch; NaN without test data */
    double seconds;                    /* of training, without the evaluation */
} EpochRecord;

typedef struct History {
    EpochRecord *record;
    int          count;
} History;

typedef struct Trainer Trainer;

/* Called after every update; step counts from 1 over all epochs. */
typedef void (*StepFn)(const Trainer *t, int64_t step, void *ctx);

struct Trainer {
    Module    *net;       /* all borrowed */
    Optimizer *optimizer;
    LossFn     loss;
    Loader    *train, *test; /* test may be NULL */
    int        epochs;       /* how many trainer_fit runs */
    double     clip_norm;    /* 0: gradients are not clipped */
    const char *name;     /* in front of the progress; may be NULL */
    bool       quiet;    /* no progress at all */
    bool       bar_only; /* the bar, but no line an epoch: for who prints a table afterwards */
    StepFn     on_step; /* may be NULL */
    void      *ctx;

    int64_t step; /* updates done */
    int     epoch; /* epochs done */
    History history;
};

/* Trains for t->epochs more epochs. Fails if the loss becomes NaN or Inf, with the step. */
void trainer_fit(Trainer *t);

/* Loss and accuracy over a loader, in evaluation mode and without gradients. Where `predicted` is
 * not NULL it gets the class found for every example, in the loader's order. The loader's loss is
 * weighted by batch size. */
typedef struct Evaluation {
    double loss, accuracy;
} Evaluation;
Evaluation evaluate(Module *net, LossFn loss, Loader *loader, int32_t *predicted);

void history_free(History *history);

/* epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds */
bool history_write_csv(const History *history, const char *path, Error *err);

#endif
