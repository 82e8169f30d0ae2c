/* optim/trainer.h -- the training loop: the one place where network, optimizer and data meet.
 *
 *  - trainer_fit runs epochs over a loader, evaluates on another after each, and keeps history.
 *  - Progress goes to stderr: a bar on a terminal, a line an epoch otherwise; nothing with quiet.
 *    NO_COLOR is respected.
 *  - A step callback sees the network after every update (to record slopes, say).
 *  - With a checkpoint, training killed at any moment and begun again by the same program gives the
 *    same bits as training never interrupted.
 *
 *      Trainer t = {.net = net, .optimizer = opt, .loss = loss_cross_entropy,
 *                   .train = train, .test = test, .epochs = 5};
 *      t.checkpoint = "run.checkpoint";
 *      if (!trainer_resume(&t, &err)) …   // goes on from the file if there is one
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

/* Sums over the examples of an epoch so far. */
typedef struct Tally {
    double  loss;
    int64_t correct, count; /* of examples */
    int64_t batches;
    double  seconds;
} Tally;

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
    const char *checkpoint;       /* a file saved after every epoch; NULL: none is */
    int64_t     checkpoint_every; /* ... and every so many steps; 0: not within epochs */

    int64_t step;    /* updates done */
    int     epoch;   /* epochs done, ... */
    Tally   tally;   /* ... and the part done of the one under way */
    /* Consecutive saves of the checkpoint that failed; 0 if the last one succeeded. */
    int64_t failed_saves;
    History history;
};

/* Trains for t->epochs more epochs; an epoch begun before counts as the first of them and is gone
 * on with. Fails if the loss becomes NaN or Inf, with the step. A checkpoint that cannot be saved
 * stops nothing: the first of a row is told on stderr, the old file stays. */
void trainer_fit(Trainer *t);

/* --- checkpoints: optim/resume.c -------------------------------------------------------------- */

/* Saves, durably and as one safetensors file, all that the next steps depend on: the network with
 * its buffers, counters and streams of random numbers ("model."), the optimizer's memory and its
 * groups' settings ("optimizer."), steps, epochs, the part done of the epoch under way, and the
 * history ("trainer."). May be called in a step callback, when that has changed all it means to.
 *
 * Not in it is what the program sets up each time: the data, the loss, clip_norm, epochs, what a
 * callback keeps for itself, and the thread's random_seed, from which nothing is drawn in training
 * but by a module of your own that calls random_stream in its forward. */
bool trainer_save(const Trainer *t, const char *path, Error *err);

/* Puts a trainer made in the same way back to where the other was saved. False and *err, with the
 * trainer unchanged, if the file is damaged, or was saved with another network, optimizer, grouping
 * of parameters, size of the data, batch or order (then the next batch would be another), or in
 * the other precision (its bits could not be the same). Settings of groups, as the learning rate,
 * are the file's: a schedule may have changed them on the way. To change one, do so afterwards. */
bool trainer_load(Trainer *t, const char *path, Error *err);

/* Loads t->checkpoint, if there is such a file, and takes the epochs done off t->epochs: after it
 * trainer_fit does what was left to do. A missing file is a fresh start, and true. */
bool trainer_resume(Trainer *t, Error *err);

/* --- results ---------------------------------------------------------------------------------- */

/* Loss and accuracy over a loader, in evaluation mode and without gradients. Where `predicted` is
 * not NULL it gets the class found for every example, in the loader's order. The loss is
 * weighted by batch size. The loader begins again at epoch 0: do not give it the one that
 * trainer_fit is training from while it does. */
typedef struct Evaluation {
    double loss, accuracy;
} Evaluation;
Evaluation trainer_evaluate(Module *net, LossFn loss, Loader *loader, int32_t *predicted);

void history_free(History *history);

/* epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds */
bool history_write_csv(const History *history, const char *path, Error *err);

#endif
