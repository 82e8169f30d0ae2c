/* optim/trainer.c -- the training loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/trainer.h"

#include <math.h>
#include <string.h>

#include "optim/best.h"
#include "optim/progress.h"
#include "optim/rehearsal.h"
#include "optim/scheduled.h"
#include "tensor/cut.h"
#include "tensor/memory.h"

static void tally_add(Tally *t, const Var *loss, const Var *output, const Batch *batch)
{
    t->loss += (double)var_item(loss) * (double)batch->count;
    if (batch->labels.data)
        t->correct += labels_correct(output->value, &batch->labels);
    t->count += batch->count;
    t->batches++;
}

static void tally_merge(Tally *t, const Tally *more)
{
    t->loss += more->loss;
    t->correct += more->correct;
    t->count += more->count;
    t->batches += more->batches;
}

/* The means over examples of this loader's dataset; without classes the accuracy is NaN. */
static Evaluation tally_mean(const Tally *t, const Loader *loader)
{
    bool classes = loader_dataset(loader)->classes > 0;
    return (Evaluation){.loss = t->loss / (double)t->count,
                        .accuracy = classes ? (double)t->correct / (double)t->count : (double)NAN};
}

/* --- evaluation ------------------------------------------------------------------------------- */

/* The caller's array has room for one class per example. */
static void trainer_predict(const Var *output, const Batch *batch, int32_t *predicted)
{
    slope_check_scores(output, batch, "trainer_evaluate");
    tensor_argmax_rows(predicted, output->value);
}

Evaluation trainer_evaluate(Module *net, LossFn loss, Loader *loader, int32_t *predicted)
{
    const char *missing = !net ? "network" : !loss ? "loss" : !loader ? "loader" : NULL;
    if (missing)
        slope_fail("trainer_evaluate", "the %s is NULL", missing);
    if (predicted && loader_dataset(loader)->classes < 1)
        slope_fail("trainer_evaluate", "%s has no classes to predict; pass NULL, and to see the "
                   "outputs call module_forward for each batch", loader_dataset(loader)->name);
    Tally tally = {0};
    size_t outer = tape_mark();
    module_eval_begin(net);
    no_grad_begin();
    loader_start(loader, 0);
    for (Batch batch; loader_next(loader, &batch);) {
        size_t mark = tape_mark();
        Var *output = module_forward(net, var_const(batch.x));
        if (predicted)
            trainer_predict(output, &batch, predicted + tally.count);
        tally_add(&tally, loss(output, &batch), output, &batch);
        tape_rewind(mark);
    }
    no_grad_end();
    module_eval_end(net);
    tape_rewind(outer);
    return tally_mean(&tally, loader);
}

/* --- a loss that is not finite ---------------------------------------------------------------- */

static const char *trainer_number(real x)
{
    return isnan(x) ? "nan" : "infinite";
}

/* `values` are the batch's examples or their targets, or NULL. */
static void trainer_blame_data(const Trainer *t, const Batch *batch, const Tensor *values,
                               const char *finding)
{
    ptrdiff_t at = values ? tensor_find_nonfinite(values) : -1;
    if (at < 0)
        return;
    ptrdiff_t each = tensor_count(values) / batch->count, row = at / each;
    slope_fail("trainer_fit", "%s, and the data are not finite: element %td of %sexample %td of "
               "%s is %s (batch %td, row %td; all are counted from 0); remove or replace such "
               "values before training", finding, at % each,
               values == batch->y ? "the targets of " : "", loader_example(t->train, batch, row),
               loader_dataset(t->train)->name, trainer_number(tensor_read(values)[at]),
               batch->number, row);
}

typedef struct Blame {
    const char *finding; /* "the loss is nan at step 3" */
    bool        first;   /* is it the first step? */
} Blame;

static void trainer_blame_parameter(const char *name, const ModulePart *part, void *ctx)
{
    const Blame *blame = ctx;
    if (part->kind == PART_PARAM && tensor_find_nonfinite(part->param->value) >= 0)
        slope_fail("trainer_fit",
                   "%s, because the parameter '%s' was not finite before that step; %s",
                   blame->finding, name,
                   blame->first ? "check how it was initialised or loaded"
                                : "if an update made it so, lower the learning rate, or clip the "
                                  "gradients");
}

/* Fails with the cause, as far as data and weights show it. */
static _Noreturn void trainer_explain(const Trainer *t, const Batch *batch, real loss)
{
    char finding[64];
    snprintf(finding, sizeof finding, "the loss is %s at step %lld", trainer_number(loss),
             (long long)t->step + 1);
    Blame blame = {.finding = finding, .first = t->step == 0};
    trainer_blame_data(t, batch, batch->x, finding);
    trainer_blame_data(t, batch, batch->y, finding);
    module_visit(t->net, trainer_blame_parameter, &blame);
    if (blame.first)
        slope_fail("trainer_fit", "%s, although the data and the weights are finite; scale the "
                   "inputs or the initial weights, or turn anomaly_mode on to find the op that "
                   "caused it", finding);
    slope_fail("trainer_fit", "%s; lower the learning rate, clip the gradients, or turn "
               "anomaly_mode on to find the op that caused it", finding);
}

/* --- an update -------------------------------------------------------------------------------- */

/* The batches that share an update: the epoch's next .accumulate batches, or all that are left. */
typedef struct Window {
    ptrdiff_t batches, examples;
    Tally     done; /* the batches of the window so far */
} Window;

static Window window_next(const Trainer *t)
{
    ptrdiff_t first = (ptrdiff_t)t->tally.batches, left = loader_batches(t->train) - first;
    ptrdiff_t batches = min_size(left, max_size(t->accumulate, 1));
    ptrdiff_t size = loader_options(t->train).batch, before = first + batches - 1;
    ptrdiff_t last = min_size(size, loader_dataset(t->train)->count - before * size);
    return (Window){.batches = batches, .examples = (batches - 1) * size + last};
}

/* Adds the gradient of the batch's loss, times the batch's share of the window's examples. The sum
 * over the window is then the gradient of the mean loss over all its examples. */
static void trainer_batch(Trainer *t, Window *window)
{
    Batch batch;
    size_t mark = tape_mark();
    loader_next(t->train, &batch);
    Var *output = module_forward(t->net, var_const(batch.x));
    Var *loss = t->loss(output, &batch);
    if (!isfinite(var_item(loss)))
        trainer_explain(t, &batch, var_item(loss));
    real share = (real)((double)batch.count / (double)window->examples);
    var_backward(window->batches == 1 ? loss : var_scale(loss, share));
    tally_add(&window->done, loss, output, &batch);
    tape_rewind(mark);
}

/* Only whole windows are added to the tally, so that every checkpoint is between two updates. */
static void trainer_step(Trainer *t)
{
    Window window = window_next(t);
    optimizer_zero_grad(t->optimizer);
    while (window.done.batches < window.batches)
        trainer_batch(t, &window);
    if (t->clip_norm > 0)
        optimizer_clip_norm(t->optimizer, t->clip_norm);
    slope_scheduled_step(t);
    optimizer_step(t->optimizer);
    t->step++;
    tally_merge(&t->tally, &window.done);
    if (t->on_step)
        t->on_step(t, t->step, t->ctx);
}

/* --- an epoch --------------------------------------------------------------------------------- */

static void trainer_title(const Trainer *t, int last, char title[64])
{
    snprintf(title, 64, "%s%sepoch %d/%d", t->name ? t->name : "", t->name ? ": " : "",
             t->epoch + 1, last);
}

/* "loss 0.2345 accuracy 0.9876", or without the accuracy if it is NaN. */
enum { TRAINER_MEANS = 64 };
static const char *trainer_means(double loss, double accuracy, char text[TRAINER_MEANS])
{
    int n = snprintf(text, TRAINER_MEANS, "loss %.4f", loss);
    if (!isnan(accuracy) && n < TRAINER_MEANS)
        snprintf(text + n, TRAINER_MEANS - (size_t)n, " accuracy %.4f", accuracy);
    return text;
}

static void trainer_show(const Trainer *t, Progress *progress)
{
    char note[TRAINER_MEANS];
    Evaluation mean = tally_mean(&t->tally, t->train);
    trainer_means(mean.loss, mean.accuracy, note);
    progress_update(progress, (ptrdiff_t)t->tally.batches, note);
}

/* A full disk must not end the training: the first failure is reported, and
 * the next save tries again. */
static void trainer_checkpoint(Trainer *t, const Progress *progress)
{
    Error err;
    if (!t->checkpoint)
        return;
    t->failed_saves = trainer_save(t, t->checkpoint, &err) ? 0 : t->failed_saves + 1;
    if (t->failed_saves != 1)
        return;
    progress_clear(progress);
    fprintf(stderr, "slope: trainer_fit continues, but could not save its checkpoint at step "
            "%lld: ",
            (long long)t->step);
    error_print(stderr, &err);
}

/* Trains for one epoch, or what is left of it; writes the time and the means to the record. */
static void trainer_epoch(Trainer *t, Progress *progress, EpochRecord *record)
{
    double started = slope_seconds() - t->tally.seconds;
    loader_start(t->train, t->epoch);
    loader_skip(t->train, (ptrdiff_t)t->tally.batches);
    if (!t->net->training)
        module_train(t->net);
    while (t->tally.batches < loader_batches(t->train)) {
        trainer_step(t);
        t->tally.seconds = slope_seconds() - started;
        trainer_show(t, progress);
        if (t->checkpoint_every > 0 && t->step % t->checkpoint_every == 0)
            trainer_checkpoint(t, progress);
    }
    Evaluation mean = tally_mean(&t->tally, t->train);
    record->seconds = t->tally.seconds;
    record->train_loss = mean.loss, record->train_accuracy = mean.accuracy;
}

static EpochRecord *history_add(History *h)
{
    EpochRecord *record = memory_new_array((size_t)h->count + 1, sizeof *record);
    if (h->count)
        memcpy(record, h->record, (size_t)h->count * sizeof *record);
    memory_free(h->record);
    h->record = record;
    return &record[h->count++];
}

static void trainer_report(const Trainer *t, Progress *progress, const EpochRecord *r, bool best)
{
    char train[TRAINER_MEANS], test[TRAINER_MEANS];
    if (t->bar_only)
        progress_clear(progress);
    else
        progress_done(progress, "train %s, %s%s%s%.1f s",
                      trainer_means(r->train_loss, r->train_accuracy, train),
                      t->test ? "test " : "",
                      t->test ? trainer_means(r->test_loss, r->test_accuracy, test) : "",
                      best ? " (best), " : t->test ? ", " : "", r->seconds);
}

/* The final line, if training looked for the best epoch and has evaluated any. */
static void trainer_report_best(const Trainer *t, int last)
{
    char stopped[64] = "", best[64] = "no epoch had a finite test loss";
    bool none = t->best.epoch == 0 && t->best.waited == 0;
    if (t->quiet || t->bar_only || none || !slope_best_wanted(t))
        return;
    if (t->best.stopped)
        snprintf(stopped, sizeof stopped, "stopped early after epoch %d of %d; ", t->epoch, last);
    if (t->best.epoch > 0)
        snprintf(best, sizeof best, "best epoch %d, test loss %.4f", t->best.epoch, t->best.loss);
    fprintf(stderr, "%s%s%s%s%s\n", t->name ? t->name : "", t->name ? ": " : "", stopped, best,
            t->best.in_net ? "; the network now has the weights of that epoch" : "");
}

/* The training goes on: its own loss was finite. */
static void trainer_warn_of_test(const Trainer *t, double loss)
{
    static atomic_bool warned;
    if (!isfinite(loss))
        slope_warn_once(&warned, "trainer_fit", "the test loss of epoch %d is %s, although the "
                        "training loss is finite; does %s contain NaN, Inf or very large numbers?",
                        t->epoch + 1, trainer_number((real)loss),
                        loader_dataset(t->test)->name);
}

static void trainer_test(const Trainer *t, EpochRecord *r)
{
    Evaluation e = trainer_evaluate(t->net, t->loss, t->test, NULL);
    r->test_loss = e.loss, r->test_accuracy = e.accuracy;
    trainer_warn_of_test(t, e.loss);
}

/* Trains for one epoch, evaluates, and records the epoch. on_epoch is called before the checkpoint
 * is saved, so that what it changes is saved. */
static void trainer_run(Trainer *t, int last)
{
    char title[64];
    trainer_title(t, last, title);
    Progress progress = progress_begin(title, loader_batches(t->train), t->quiet);
    EpochRecord r = {
        .epoch = t->epoch + 1, .test_loss = (double)NAN, .test_accuracy = (double)NAN};
    trainer_epoch(t, &progress, &r);
    if (t->test)
        trainer_test(t, &r);
    *history_add(&t->history) = r; /* first, because it needs memory */
    t->epoch++;
    t->tally = (Tally){0};
    schedule_observe(&t->schedule, r.test_loss);
    bool best = slope_best_wanted(t) && slope_best_update(t, r.test_loss);
    trainer_report(t, &progress, &r, best);
    if (t->on_epoch)
        t->on_epoch(t, &t->history.record[t->history.count - 1], t->ctx);
    trainer_checkpoint(t, &progress);
}

void trainer_fit(Trainer *t)
{
    slope_rehearse(t);
    slope_best_begin(t);
    int last = t->epoch + t->epochs;
    while (t->epoch < last && !slope_best_is_past(t))
        trainer_run(t, last);
    t->best.stopped = t->epoch < last;
    slope_best_end(t);
    trainer_report_best(t, last);
}

void trainer_clear(Trainer *t)
{
    if (!t)
        slope_fail("trainer_clear", "the trainer is NULL");
    history_free(&t->history);
    slope_snapshot_free(t->best.weights);
    t->best = (BestEpoch){0};
}
