/* optim/trainer.h -- the training loop: the one place where network, optimizer and data meet.
 *
 *  - trainer_fit runs epochs over a loader, evaluates on another one after each epoch, and keeps a
 *    history.
 *  - For regression, use data with real-valued targets and .loss = loss_mse. Then there is no
 *    accuracy.
 *  - Progress goes to stderr: a bar on a terminal, and one line per epoch; nothing if quiet is set.
 *    NO_COLOR is respected.
 *  - A step callback sees the network after every update (to record slopes, for example).
 *  - With a checkpoint, training that is killed at any moment and restarted by the same program
 *    produces the same bits as training that is never interrupted.
 *
 *      Trainer t = {.net = net, .optimizer = opt, .loss = loss_cross_entropy,
 *                   .train = train, .test = test, .epochs = 5};
 *      t.checkpoint = "run.checkpoint";
 *      if (!trainer_resume(&t, &err)) …   // resumes from the file if it exists
 *      trainer_fit(&t);
 *      history_write_csv(&t.history, "history.csv", &err);
 *      history_free(&t.history);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_TRAINER_H
#define SLOPE_OPTIM_TRAINER_H

#include "optim/loss.h"
#include "optim/optimizer.h"

SLOPE_C_BEGIN

typedef struct EpochRecord {
    int    epoch; /* from 1 */
    /* Accuracies are NaN if the data have no classes. */
    double train_loss, train_accuracy; /* means over the epoch's examples, during training */
    double test_loss, test_accuracy;   /* after the epoch; NaN without test data */
    double seconds;                    /* of training, without the evaluation */
} EpochRecord;

typedef struct History {
    EpochRecord *record;
    int          count;
} History;

/* Sums over the examples of the current epoch so far. */
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
    double     clip_norm;    /* 0: gradients are not clipped; must not be negative */
    const char *name;     /* printed before the progress; may be NULL */
    bool       quiet;    /* no progress at all */
    bool       bar_only; /* the bar, but no per-epoch line: for callers that print a table */
    StepFn     on_step; /* may be NULL */
    void      *ctx;
    const char *checkpoint;       /* the file to save after every epoch; NULL: none */
    int64_t     checkpoint_every; /* steps between further saves within epochs; 0: none */

    int64_t step;    /* updates done */
    int     epoch;   /* epochs done, ... */
    Tally   tally;   /* ... and the completed part of the current one */
    /* Consecutive saves of the checkpoint that failed; 0 if the last one succeeded. */
    int64_t failed_saves;
    History history;
};

/* Trains for t->epochs more epochs; an unfinished epoch is resumed and counts as the first of them.
 * If the network is in evaluation mode, all of it is put into training mode. Otherwise its parts
 * keep their modes, so that one that the program has put into evaluation mode with module_eval
 * stays in it.
 *
 * Fails before the first step if the trainer's parts do not fit together: an optimizer of a
 * different network; examples, of .train or .test, that the network or the loss refuses; a loss of
 * optim/loss.h that needs classes although the data have targets, or the reverse; with
 * loss_cross_entropy and fewer outputs than the dataset has classes, labels for which the network
 * has no output; a class that has one name in the training data and another in the test data; a
 * last batch of one example, on which a batch norm cannot train. To find out, it runs the network
 * and the loss on the first batch of each loader, .train in training mode and .test in evaluation
 * mode, and then restores the network's modes, buffers, counters and random streams, and the
 * thread's next random_stream. After a failure that you catch, tape_rewind restores them. If
 * .epochs is 0, nothing is run.
 *
 * Fails if the loss becomes NaN or Inf, naming the step and, if there is one, the example or the
 * parameter that is not finite. A checkpoint that cannot be saved does not stop the training: the
 * first of consecutive failures is reported on stderr, and the old file is kept. */
void trainer_fit(Trainer *t);

/* --- checkpoints: optim/resume.c -------------------------------------------------------------- */

/* Saves, durably and in one safetensors file, everything that the next steps depend on: the network
 * with its buffers, counters and random streams ("model."), the optimizer's state and the settings
 * of its groups ("optimizer."), the steps and epochs done, the completed part of the current epoch,
 * and the history ("trainer."). A step callback may call it after making all its changes.
 *
 * It does not save what the program sets up each time: the data, the loss, clip_norm, epochs, the
 * callback's own state, and the thread's random_seed. Training draws nothing from that seed, unless
 * a module of your own calls random_stream in its forward.
 *
 * Returns false, fills in *err and leaves the old file as it is if a parameter or a slot
 * contains NaN or infinity or a buffer contains NaN, if a group has a setting that optimizer_step
 * refuses, if the trainer's counts do not agree with each other and with the data, if the file
 * cannot be written, or when out of memory. */
bool trainer_save(const Trainer *t, const char *path, Error *err);

/* Restores a trainer that was set up in the same way to the saved state. Returns false, fills in
 * *err and leaves the trainer unchanged when out of memory, or if the file is damaged, lacks a slot
 * that the next step uses, has counts that do not agree, or was saved with a different network,
 * optimizer, grouping of parameters, size of the data, number of classes or targets, batch size or
 * order (the next batch would be different), or in the other precision (the bits would be
 * different). The trainer may be at any point of its training, even within an epoch that has become
 * NaN. Settings of groups, such as the learning rate, are taken from the file, because a schedule
 * may have changed them. To change one, do so afterwards. */
bool trainer_load(Trainer *t, const char *path, Error *err);

/* Loads t->checkpoint, if that file exists, and subtracts the epochs done from t->epochs, so that
 * trainer_fit then runs the remaining ones. If it does not exist, training starts afresh, and the
 * result is true. */
bool trainer_resume(Trainer *t, Error *err);

/* --- results ---------------------------------------------------------------------------------- */

/* Loss and accuracy over a loader, in evaluation mode and without gradients. If the data have no
 * classes, the accuracy is NaN and `predicted` must be NULL. Otherwise, if it is not NULL, it
 * receives the predicted class of every example, in the loader's order. The loss is
 * weighted by batch size. The loader restarts at epoch 0, so do not pass the one from which
 * trainer_fit is currently training. */
typedef struct Evaluation {
    double loss, accuracy;
} Evaluation;
Evaluation trainer_evaluate(Module *net, LossFn loss, Loader *loader, int32_t *predicted);

void history_free(History *history);

/* epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds; numbers have a decimal point in
 * every locale. The file is replaced as a checkpoint is: if it cannot be written completely, the
 * result is false, *err says why, and the old file is kept. */
bool history_write_csv(const History *history, const char *path, Error *err);

SLOPE_C_END

#endif
