/* optim/trainer.h -- the training loop: the one place where network, optimizer and data meet.
 *
 *  - trainer_fit runs epochs over a loader, evaluates on another one after each epoch, and keeps a
 *    history.
 *  - For regression, use data with real-valued targets and .loss = loss_mse. No accuracy is
 *    computed then.
 *  - Progress goes to stderr: a bar on a terminal, and one line per epoch; nothing if quiet is set.
 *    NO_COLOR is respected.
 *  - One callback is called after every update (to record slopes, for example), and another after
 *    every epoch.
 *  - With .schedule, the learning rate changes during training: see optim/schedule.h.
 *  - With .patience, training stops early; with .keep_best, it ends with the best weights; with
 *    .accumulate, several batches share an update.
 *  - With a checkpoint, training that is killed at any moment and restarted by the same program
 *    produces the same bits as training that is never interrupted.
 *
 *      Trainer t = {.net = net, .optimizer = opt, .loss = loss_cross_entropy,
 *                   .train = train, .test = test, .epochs = 5};
 *      t.checkpoint = "run.checkpoint";
 *      if (!trainer_resume(&t, &err)) …   // resumes from the file if it exists
 *      trainer_fit(&t);
 *      history_write_csv(&t.history, "history.csv", &err);
 *      trainer_clear(&t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_TRAINER_H
#define SLOPE_OPTIM_TRAINER_H

#include "optim/loss.h"
#include "optim/schedule.h"

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

/* The epoch with the lowest test loss so far, for .patience and .keep_best. */
typedef struct BestEpoch {
    int    epoch;   /* from 1; 0: none yet */
    double loss;    /* its test loss */
    int    waited;  /* epochs since then, or since the search began, without a lower test loss */
    bool   stopped; /* did the last trainer_fit stop early? */
    bool   in_net;  /* with keep_best: does the network have the weights of this epoch? */
    struct Snapshot *weights; /* with keep_best: of this epoch or, if in_net, of the last one */
} BestEpoch;

typedef struct Trainer Trainer;

/* Called after every update; step counts from 1 over all epochs. */
typedef void (*StepFn)(const Trainer *t, int64_t step, void *ctx);

/* Called after every epoch and its evaluation. The epoch's record is already in t->history, and is
 * valid until the next epoch ends. The checkpoint is saved afterwards, so that what the callback
 * changes is saved. */
typedef void (*EpochFn)(const Trainer *t, const EpochRecord *record, void *ctx);

struct Trainer {
    Module    *net;       /* all borrowed */
    Optimizer *optimizer;
    LossFn     loss;
    Loader    *train, *test; /* test may be NULL */
    int        epochs;       /* how many trainer_fit runs */
    Schedule   schedule;     /* of the learning rate; all 0: the rate is left to the program */
    double     clip_norm;    /* 0: gradients are not clipped; must not be negative */
    int        accumulate;   /* batches per update; 0 means 1 */
    int        patience;     /* stop after this many epochs without a lower test loss; 0: never */
    bool       keep_best;    /* end with the weights of the epoch with the lowest test loss */
    const char *name;     /* printed before the progress; may be NULL */
    bool       quiet;    /* no progress at all */
    bool       bar_only; /* the bar, but no per-epoch line: for callers that print a table */
    StepFn     on_step;  /* may be NULL */
    EpochFn    on_epoch; /* may be NULL */
    void      *ctx;      /* passed to both */
    const char *checkpoint;       /* the file to save after every epoch; NULL: none */
    int64_t     checkpoint_every; /* updates between further saves of it in an epoch; 0: none */

    int64_t step;    /* updates done */
    int     epoch;   /* epochs done, ... */
    Tally   tally;   /* ... and the completed part of the current one */
    /* Consecutive saves of the checkpoint that failed; 0 if the last one succeeded. */
    int64_t failed_saves;
    History   history;
    BestEpoch best; /* trainer_clear frees both */
};

/* Trains for t->epochs more epochs; an unfinished epoch is resumed and counts as the first of them.
 * If the network is in evaluation mode, all of it is put into training mode. Otherwise its parts
 * keep their modes, so that one that the program has put into evaluation mode with module_eval
 * stays in it.
 *
 * With .accumulate = n, an update uses n batches, or as many as are left in the epoch. The gradient
 * of each batch is weighted by its share of the examples. So if the loss is a mean over the
 * examples of a batch, the weighted sum is, up to rounding, the gradient of the mean over all of
 * them, as for one large batch. A cross-entropy with class weights or ignored rows is not such a
 * mean: each batch divides by its own sum of weights, so the result differs from that of one large
 * batch. Two kinds of layers also behave differently: a batch norm normalises each batch by itself
 * and updates its running statistics n times, and a dropout draws different masks. clip_norm
 * applies to the sum. step, on_step and checkpoint_every count updates, and the tally changes only
 * when an update is complete.
 *
 * With .schedule, the rates of all groups are set before each update. The time is the number of
 * epochs done plus the fraction of the current one that precedes the update, so another call of
 * trainer_fit continues where the last one ended. Training fails if the program changes a rate in
 * the meantime: schedule.h says what to change instead.
 *
 * With .patience = n, training stops after n consecutive epochs without a test loss lower than the
 * lowest before; NaN and Inf never count as lower. With .keep_best, the parameters, buffers and
 * counters are copied after each epoch that has the lowest test loss so far, and trainer_fit ends
 * by exchanging them with the copy: the network then has the weights of epoch t->best.epoch. The
 * next call of trainer_fit first exchanges them back. So two calls do the same as one call with the
 * sum of their epochs, and after an early stop nothing more is trained until you raise .patience.
 * To continue from the best weights, or from weights that you have changed, call trainer_clear
 * before trainer_fit. If you set .keep_best between two calls, the search starts afresh; if you
 * clear it between two calls, the network keeps the weights that it has.
 *
 * Fails before the first step if the trainer's parts do not fit together:
 *  - an optimizer of a different network;
 *  - .patience, .keep_best or a SCHEDULE_PLATEAU without .test;
 *  - .checkpoint_every without .checkpoint;
 *  - epochs after a SCHEDULE_COSINE has reached a rate of 0;
 *  - an .accumulate that was changed within an epoch;
 *  - examples, of .train or .test, that the network or the loss refuses;
 *  - a loss of optim/loss.h that needs classes although the data have targets, or the reverse;
 *  - a loss that depends on no trained parameter, for example because all are frozen;
 *  - with loss_cross_entropy, labels for which the network has no output, if it has fewer outputs
 *    than the dataset has classes;
 *  - a class that has one name in the training data and another in the test data;
 *  - a last batch of one example, on which a batch norm cannot train.
 *
 * To check this, it runs the network and the loss on the first batch of each loader, .train in
 * training mode and .test in evaluation mode, and then restores the network's modes, buffers,
 * counters and random streams, and the thread's next random_stream. After a failure that you catch,
 * tape_rewind restores them. If .epochs is 0 or training has stopped early, nothing is run.
 *
 * Fails if the loss becomes NaN or Inf, naming the step and, if there is one, the example or the
 * parameter that is not finite. The network then has its last weights; with .keep_best, a call with
 * .epochs = 0 exchanges them for the best. A checkpoint that cannot be saved does not stop the
 * training: the first of consecutive failures is reported on stderr, and the old file is kept. */
void trainer_fit(Trainer *t);

/* --- checkpoints: optim/resume.c -------------------------------------------------------------- */

/* Saves, durably and in one safetensors file, everything that the next steps depend on: the network
 * with its buffers, counters and random streams ("model."), which parameters are frozen, the
 * optimizer's state and the settings of its groups ("optimizer."), the schedule ("schedule."), the
 * steps and epochs done, the completed part of the current epoch, the history and the best epoch
 * ("trainer."), and with keep_best the copy of the weights ("best."). A callback may call it after
 * making all its changes.
 *
 * It does not save what the program sets up each time: the data, the loss, clip_norm, epochs,
 * patience, the callbacks' own state, and the thread's random_seed. Training draws nothing from
 * that seed, unless a module of your own calls random_stream in its forward.
 *
 * Returns false, fills in *err and leaves the old file as it is if a parameter or a slot contains
 * NaN or infinity or a buffer contains NaN, if a group has a setting that optimizer_step refuses,
 * or a rate that its schedule did not set, if the trainer's counts do not agree with each other,
 * with the data and with .accumulate, if the file cannot be written, or when out of memory. */
bool trainer_save(const Trainer *t, const char *path, Error *err);

/* Restores a trainer that was set up in the same way to the saved state. Returns false, fills in
 * *err and leaves the trainer unchanged when out of memory, or if the file is damaged, lacks a slot
 * that the next step uses, has counts that do not agree, or was saved in the other precision (the
 * bits would be different). The same happens if it was saved with a different network, optimizer,
 * schedule, grouping of parameters, size of the data, number of classes or targets, batch size,
 * order or transform of the images (the next batch would be different), number of batches per
 * update or setting of keep_best. The trainer may be at any point of its training, even within an
 * epoch whose loss has become NaN. Settings of groups, such as the learning rate, are taken from
 * the file, because a callback may have changed them. To change one, do so afterwards; with a
 * schedule, change its fields, such as .base or .epochs, or assign a new one, whose base rates are
 * the current ones: at the end of a cosine these are almost 0, so call optimizer_set_lr first. */
bool trainer_load(Trainer *t, const char *path, Error *err);

/* Loads t->checkpoint, if that file exists, and subtracts the epochs done from t->epochs, so that
 * trainer_fit then runs the remaining ones. With keep_best it ends with the best weights even if
 * there are none to run. Says on stderr from where training is resumed, unless .quiet is set. If
 * the file does not exist, training starts afresh, and the result is true. */
bool trainer_resume(Trainer *t, Error *err);

/* --- results ---------------------------------------------------------------------------------- */

/* Loss and accuracy over a loader, in evaluation mode and without gradients. If the data have no
 * classes, the accuracy is NaN and `predicted` must be NULL. Otherwise `predicted`, if it is not
 * NULL, receives the predicted class of every example, in the loader's order; this fails if the
 * output of a batch of B examples does not have shape (B,K). The losses of the batches are weighted
 * by their sizes. The loader restarts at epoch 0, so do not pass the one from which trainer_fit is
 * currently training. */
typedef struct Evaluation {
    double loss, accuracy;
} Evaluation;
Evaluation trainer_evaluate(Module *net, LossFn loss, Loader *loader, int32_t *predicted);

/* Frees the history and the copy of the best weights, and empties t->history and t->best. The rest
 * stays as it is: the network keeps its weights, and .step and .epoch are not reset. What the
 * trainer borrows is not used, and may already have been freed. */
void trainer_clear(Trainer *t);

/* Frees the records and empties *history: for a history that outlives its trainer. */
void history_free(History *history);

/* epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds; numbers have a decimal point in
 * every locale. The file is replaced as a checkpoint is: if it cannot be written completely, the
 * result is false, *err says why, and the old file is kept. */
bool history_write_csv(const History *history, const char *path, Error *err);

SLOPE_C_END

#endif
