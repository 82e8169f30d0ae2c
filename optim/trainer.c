/* optim/trainer.c -- the training loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/trainer.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "optim/progress.h"
#include "tensor/files/decimal.h"
#include "tensor/memory.h"

static void tally_add(Tally *t, const Var *loss, const Var *output, const Batch *batch)
{
    t->loss += (double)var_item(loss) * (double)batch->count;
    t->correct += labels_correct(output->value, &batch->labels);
    t->count += batch->count;
    t->batches++;
}

static Evaluation tally_mean(const Tally *t)
{
    return (Evaluation){.loss = t->loss / (double)t->count,
                        .accuracy = (double)t->correct / (double)t->count};
}

/* --- evaluation ------------------------------------------------------------------------------- */

Evaluation trainer_evaluate(Module *net, LossFn loss, Loader *loader, int32_t *predicted)
{
    Tally tally = {0};
    size_t outer = tape_mark();
    module_eval_begin(net);
    no_grad_begin();
    loader_start(loader, 0);
    for (Batch batch; loader_next(loader, &batch);) {
        size_t mark = tape_mark();
        Var *output = module_forward(net, var_const(batch.x));
        if (predicted)
            tensor_argmax_rows(predicted + tally.count, output->value);
        tally_add(&tally, loss(output, &batch.labels), output, &batch);
        tape_rewind(mark);
    }
    no_grad_end();
    tape_rewind(outer);
    module_eval_end(net);
    return tally_mean(&tally);
}

/* --- training --------------------------------------------------------------------------------- */

static void trainer_step(Trainer *t, const Batch *batch)
{
    size_t mark = tape_mark();
    optimizer_zero_grad(t->optimizer);
    Var *output = module_forward(t->net, var_const(batch->x));
    Var *loss = t->loss(output, &batch->labels);
    if (!isfinite(var_item(loss)))
        slope_fail("trainer_fit", "the loss is %s at step %lld; lower the learning rate, clip the "
                   "gradients, or turn anomaly_mode on to find the op that caused it",
                   isnan(var_item(loss)) ? "nan" : "infinite", (long long)t->step + 1);
    var_backward(loss);
    if (t->clip_norm > 0)
        optimizer_clip_norm(t->optimizer, t->clip_norm);
    optimizer_step(t->optimizer);
    t->step++;
    tally_add(&t->tally, loss, output, batch);
    tape_rewind(mark);
    if (t->on_step)
        t->on_step(t, t->step, t->ctx);
}

static void trainer_title(const Trainer *t, int last, char title[64])
{
    snprintf(title, 64, "%s%sepoch %d/%d", t->name ? t->name : "", t->name ? ": " : "",
             t->epoch + 1, last);
}

static void trainer_show(const Trainer *t, Progress *progress)
{
    char note[64];
    Evaluation mean = tally_mean(&t->tally);
    snprintf(note, sizeof note, "loss %.4f accuracy %.4f", mean.loss, mean.accuracy);
    progress_update(progress, t->tally.batches, note);
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
    loader_skip(t->train, t->tally.batches);
    module_train(t->net);
    for (Batch batch; loader_next(t->train, &batch);) {
        trainer_step(t, &batch);
        t->tally.seconds = slope_seconds() - started;
        trainer_show(t, progress);
        if (t->checkpoint_every > 0 && t->step % t->checkpoint_every == 0)
            trainer_checkpoint(t, progress);
    }
    Evaluation mean = tally_mean(&t->tally);
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

static void trainer_report(const Trainer *t, Progress *progress, const EpochRecord *r)
{
    char test[64] = "";
    if (t->test)
        snprintf(test, sizeof test, "test loss %.4f accuracy %.4f, ", r->test_loss,
                 r->test_accuracy);
    if (t->bar_only)
        progress_clear(progress);
    else
        progress_done(progress, "train loss %.4f accuracy %.4f, %s%.1f s", r->train_loss,
                      r->train_accuracy, test, r->seconds);
}

static void trainer_check(const Trainer *t)
{
    const char *missing = !t->net         ? "net"
                          : !t->optimizer ? "optimizer"
                          : !t->loss      ? "loss"
                          : !t->train     ? "train"
                                          : NULL;
    if (missing)
        slope_fail("trainer_fit", "the trainer has no .%s", missing);
    if (t->epochs < 0 || t->epochs > INT_MAX - t->epoch) /* trainer_resume may leave 0 */
        slope_fail("trainer_fit", "%d more epochs after %d; expected 0 or more", t->epochs,
                   t->epoch);
}

void trainer_fit(Trainer *t)
{
    trainer_check(t);
    for (int last = t->epoch + t->epochs; t->epoch < last;) {
        char title[64];
        trainer_title(t, last, title);
        Progress progress = progress_begin(title, loader_batches(t->train), t->quiet);
        EpochRecord r = {
            .epoch = t->epoch + 1, .test_loss = (double)NAN, .test_accuracy = (double)NAN};
        trainer_epoch(t, &progress, &r);
        if (t->test) {
            Evaluation e = trainer_evaluate(t->net, t->loss, t->test, NULL);
            r.test_loss = e.loss, r.test_accuracy = e.accuracy;
        }
        t->epoch++;
        t->tally = (Tally){0};
        *history_add(&t->history) = r;
        trainer_report(t, &progress, &r);
        trainer_checkpoint(t, &progress);
    }
}

/* --- history ---------------------------------------------------------------------------------- */

void history_free(History *history)
{
    memory_free(history->record);
    *history = (History){0};
}

static void history_write_rows(FILE *f, const History *history)
{
    locale_t before = slope_decimal_begin();
    for (int i = 0; i < history->count; i++) {
        const EpochRecord *r = &history->record[i];
        fprintf(f, "%d,%.6f,%.6f,%.6f,%.6f,%.3f\n", r->epoch, r->train_loss, r->train_accuracy,
                r->test_loss, r->test_accuracy, r->seconds);
    }
    slope_decimal_end(before);
}

bool history_write_csv(const History *history, const char *path, Error *err)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return error_set(err, path, -1, "cannot be written: %s", strerror(errno));
    fprintf(f, "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n");
    history_write_rows(f, history);
    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return error_set(err, path, -1, "could not be written completely: %s", strerror(errno));
    return true;
}
