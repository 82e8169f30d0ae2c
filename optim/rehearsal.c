/* optim/rehearsal.c -- does everything that a trainer holds fit together?
 *
 * The network and the loss run on one batch of each loader, in the modes in which trainer_fit will
 * run them. A part that refuses its input thus does so before the first step, and the shapes of the
 * outputs show the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/rehearsal.h"

#include <limits.h>
#include <string.h>

#include "autograd/record.h"
#include "nn/check.h"
#include "optim/best.h"
#include "optim/scheduled.h"
#include "tensor/cut.h"

void slope_check_trainer(const Trainer *t, const char *function)
{
    if (!t)
        slope_fail(function, "the trainer is NULL");
    const char *missing = !t->net         ? "net"
                          : !t->optimizer ? "optimizer"
                          : !t->train     ? "train"
                                          : NULL;
    if (missing)
        slope_fail(function, "the trainer has no .%s", missing);
}

void slope_check_scores(const Var *output, const Batch *batch, const char *function)
{
    Shape s = var_shape(output);
    if (s.ndim != 2 || s.dim[0] != batch->count || s.dim[1] < 1)
        slope_fail(function, "for a batch of shape %s the network's output has shape %s; expected "
                   "(%td,K), one row per example", SHAPE_TEXT(batch->x->shape), SHAPE_TEXT(s),
                   batch->count);
}

static void rehearsal_check_stopping(const Trainer *t)
{
    if (t->patience < 0)
        slope_fail("trainer_fit", "patience is %d; expected the number of epochs to wait for a "
                   "lower test loss, or 0 to run all epochs", t->patience);
    if (slope_best_wanted(t) && !t->test)
        slope_fail("trainer_fit", "%s is set, but there is no .test data whose loss shows which "
                   "epoch is best", t->keep_best ? "keep_best" : "patience");
}

/* Training can be continued only between two updates. */
static void rehearsal_check_windows(const Trainer *t)
{
    int64_t done = t->tally.batches;
    if (t->accumulate < 0)
        slope_fail("trainer_fit", "accumulate is %d; expected the number of batches per update, or "
                   "0 for 1", t->accumulate);
    if (t->accumulate > 1 && done % t->accumulate != 0 && done < loader_batches(t->train))
        slope_fail("trainer_fit", "accumulate is %d, but %lld batches of epoch %d are done, which "
                   "is not a multiple of it; change it only between epochs", t->accumulate,
                   (long long)done, t->epoch + 1);
}

static void rehearsal_check_fields(const Trainer *t)
{
    slope_check_trainer(t, "trainer_fit");
    if (!t->loss)
        slope_fail("trainer_fit", "the trainer has no .loss");
    if (t->epochs < 0 || t->epochs > INT_MAX - t->epoch) /* trainer_resume may leave 0 */
        slope_fail("trainer_fit", "%d more epochs after %d; expected 0 to %d", t->epochs,
                   t->epoch, INT_MAX - t->epoch);
    if (!(t->clip_norm >= 0))
        slope_fail("trainer_fit", "clip_norm is %g; expected a norm above 0, or 0 for no clipping",
                   t->clip_norm);
    if (t->checkpoint_every < 0)
        slope_fail("trainer_fit", "checkpoint_every is %lld; expected a number of updates, or 0",
                   (long long)t->checkpoint_every);
    if (t->checkpoint_every > 0 && !t->checkpoint)
        slope_fail("trainer_fit", "checkpoint_every is %lld, but no .checkpoint names the file to "
                   "save", (long long)t->checkpoint_every);
    rehearsal_check_stopping(t);
    rehearsal_check_windows(t);
    slope_scheduled_check(t);
}

/* Labels are compared by number, so class i must have the same name in both sets. A set may lack
 * names, or the last classes of the other. */
static void rehearsal_check_classes(const Trainer *t)
{
    const Dataset *train = loader_dataset(t->train), *test = loader_dataset(t->test);
    if (!train->class_names || !test->class_names)
        return;
    for (int i = 0; i < train->classes && i < test->classes; i++)
        if (strcmp(train->class_names[i], test->class_names[i]) != 0)
            slope_fail("trainer_fit", "class %d is '%s' in the .train data, %s, but '%s' in the "
                       ".test data, %s; read a CSV file of test data with the names of the "
                       "training data (CsvOptions.classes and .class_names)", i,
                       SHOWN(train->class_names[i]), train->name, SHOWN(test->class_names[i]),
                       test->name);
}

/* --- what a forward may write to -------------------------------------------------------------- */

/* The block of a Var that holds the copy of a part; the copy of a buffer is the Var's value. */
typedef struct RehearsalCopy {
    ModulePart part;
    int64_t    counter;
    Rng        rng;
} RehearsalCopy;

static void rehearsal_save(const char *name, const ModulePart *part, void *ctx)
{
    (void)name, (void)ctx;
    if (part->kind == PART_PARAM)
        return;
    Var *v = tape_append();
    var_alloc_block(v, 0, sizeof(RehearsalCopy));
    RehearsalCopy *copy = v->block;
    copy->part = *part;
    if (part->kind == PART_BUFFER)
        v->value = tensor_clone(part->buffer);
    else if (part->kind == PART_COUNTER)
        copy->counter = *part->counter;
    else
        copy->rng = *part->rng;
}

static void rehearsal_restore(const Var *v)
{
    const RehearsalCopy *copy = v->block;
    if (!copy->part.owner) /* freed meanwhile */
        return;
    if (copy->part.kind == PART_BUFFER)
        tensor_copy(copy->part.buffer, v->value);
    else if (copy->part.kind == PART_COUNTER)
        *copy->part.counter = copy->counter;
    else
        *copy->part.rng = copy->rng;
}

/* A rehearsal is a scope, so that a rewind also ends one that failed. The copies precede it on the
 * tape and are therefore still alive when it ends. */
typedef struct Rehearsal {
    size_t first;  /* index of the first copy */
    Rng    stream; /* the thread's next one */
} Rehearsal;

static void rehearsal_end(const Var *scope)
{
    const Rehearsal *r = scope->block;
    if (!r) /* it could not be allocated */
        return;
    for (size_t i = r->first; i < scope->index; i++)
        rehearsal_restore(tape_at(i));
    random_seed(r->stream.seed); /* streams are numbered from 0 */
    for (uint64_t i = 0; i < r->stream.stream; i++)
        random_stream();
}

static void rehearsal_forget(const Var *scope, const void *module)
{
    const Rehearsal *r = scope->block;
    for (size_t i = r ? r->first : scope->index; i < scope->index; i++) {
        RehearsalCopy *copy = tape_at(i)->block;
        if (copy->part.owner == module)
            copy->part.owner = NULL;
    }
}

static void rehearsal_begin(const Module *net)
{
    static const ScopeKind kind = {"trainer_fit", rehearsal_end, rehearsal_forget};
    size_t first = tape_mark();
    module_visit(net, rehearsal_save, NULL);
    Var *scope = tape_scope_open(&kind, grad_enabled());
    var_alloc_block(scope, 0, sizeof(Rehearsal));
    *(Rehearsal *)scope->block = (Rehearsal){first, random_stream()};
}

/* --- the output ------------------------------------------------------------------------------- */

/* "the .test loader, whose examples have shape (1, 28, 28)" */
enum { REHEARSAL_TEXT = 160 };
static const char *rehearsal_text(const Trainer *t, const Loader *loader, char text[REHEARSAL_TEXT])
{
    Shape sample = transform_shape(loader_options(loader).transform,
                                   loader_dataset(loader)->sample);
    snprintf(text, REHEARSAL_TEXT, "the .%s loader, whose examples have shape %s",
             loader == t->train ? "train" : "test", SHAPE_TEXT(sample));
    return text;
}
#define REHEARSAL_TEXT_OF(t, loader) rehearsal_text((t), (loader), (char[REHEARSAL_TEXT]){0})

/* The data must have what a loss of the library compares the output with: classes or targets. */
static void rehearsal_check_kind(const Trainer *t, const Loader *loader)
{
    const Dataset *data = loader_dataset(loader);
    bool classes = t->loss == loss_cross_entropy, mse = t->loss == loss_mse;
    bool targets = mse || t->loss == loss_bce;
    if ((!classes || data->classes > 0) && (!targets || data->targets))
        return;
    slope_fail("trainer_fit", "%s: %s, but %s has %s; %s", REHEARSAL_TEXT_OF(t, loader),
               classes ? "loss_cross_entropy needs classes"
               : mse   ? "loss_mse needs real-valued targets"
                       : "loss_bce needs targets from 0 to 1",
               data->name,
               data->targets       ? "real-valued targets"
               : data->classes > 0 ? "classes"
                                   : "neither classes nor targets",
               data->targets       ? "use loss_mse"
               : data->classes > 0 ? "use loss_cross_entropy, or see dataset_new_with_targets and "
                                     "CsvOptions.targets"
                                   : "use a loss of your own");
}

/* loss_bce accepts targets from 0 to 1. */
static void rehearsal_check_probabilities(const Trainer *t, const Loader *loader)
{
    const Dataset *data = loader_dataset(loader);
    ptrdiff_t each = shape_count(data->target);
    for (ptrdiff_t i = 0; i < data->count * each; i++)
        if (!(data->targets[i] >= 0 && data->targets[i] <= 1))
            slope_fail("trainer_fit", "%s: loss_bce needs targets from 0 to 1, but target %td of "
                       "example %td of %s is %g", REHEARSAL_TEXT_OF(t, loader), i % each, i / each,
                       data->name, (double)data->targets[i]);
}

/* loss_cross_entropy accepts the labels 0 … K-1 and its default ignore_index. Called if the data
 * have more than K classes, although not all of them need to occur. */
static void rehearsal_check_labels(const Trainer *t, const Loader *loader, ptrdiff_t K)
{
    const Dataset *data = loader_dataset(loader);
    for (ptrdiff_t i = 0; i < data->count; i++) {
        int32_t label = data->labels.data[i];
        if ((label < 0 || label >= K) && label != CROSS_ENTROPY_DEFAULTS.ignore_index)
            slope_fail("trainer_fit", "%s: the network has %td output%s per example, so labels "
                       "must be from 0 to %td, but example %td of %s has label %d (of %d classes); "
                       "the network needs one output per class",
                       REHEARSAL_TEXT_OF(t, loader), K, K == 1 ? "" : "s", K - 1, i, data->name,
                       (int)label, data->classes);
    }
}

/* If the data have classes, the output must have one row of scores per example. If not, any output
 * that the loss accepts is valid. */
static void rehearsal_check_output(const Trainer *t, const Loader *loader, const Batch *batch,
                                   const Var *output)
{
    Shape s = var_shape(output);
    if (!batch->labels.data)
        return;
    if (s.ndim != 2 || s.dim[0] != batch->count || s.dim[1] < 1)
        slope_fail("trainer_fit", "%s: for a batch of shape %s the network's output has "
                   "shape %s; expected (%td,K), one row per example%s",
                   REHEARSAL_TEXT_OF(t, loader), SHAPE_TEXT(batch->x->shape), SHAPE_TEXT(s),
                   batch->count, t->loss == loss_cross_entropy ? "" : "; if the loss does not use "
                   "the classes, set the dataset's .classes to 0");
    if (t->loss == loss_cross_entropy && s.dim[1] < loader_dataset(loader)->classes)
        rehearsal_check_labels(t, loader, s.dim[1]);
}

static void rehearsal_check_loss(const Var *loss)
{
    if (!loss)
        slope_fail("trainer_fit", "the loss function returned NULL; expected a Var");
    if (shape_count(var_shape(loss)) != 1)
        slope_fail("trainer_fit", "the loss has shape %s; expected one element: reduce it with "
                   "var_mean", SHAPE_TEXT(var_shape(loss)));
    if (grad_enabled() && !loss->requires_grad)
        slope_fail("trainer_fit", "the loss does not depend on any parameter that is trained; "
                   "are all of them frozen (see module_unfreeze), or does the loss not use the "
                   "output?");
}

/* --- batch norm ------------------------------------------------------------------------------- */

/* The number of examples in a batch of the .train loader. */
static ptrdiff_t rehearsal_count(const Trainer *t, ptrdiff_t number)
{
    ptrdiff_t batch = loader_options(t->train).batch;
    return min_size(batch, loader_dataset(t->train)->count - number * batch);
}

/* A batch norm has exactly one counter, so visiting its counter visits the batch norm. */
static bool rehearsal_is_norm(const ModulePart *part)
{
    return part->kind == PART_COUNTER && slope_module_is_batch_norm(part->owner);
}

/* Puts a batch norm into evaluation mode, in which it accepts a batch of one example, and clears
 * the output shape of an earlier forward pass. The rewind restores the mode. */
static void rehearsal_spare_norm(const char *name, const ModulePart *part, void *ctx)
{
    (void)name, (void)ctx;
    if (!rehearsal_is_norm(part))
        return;
    part->owner->output = SHAPE_SCALAR;
    module_eval_begin(part->owner);
}

/* Called if the last batch has one example. Fails if the part belongs to a batch norm that will be
 * in training mode and had one value per channel and example when the first batch was run. */
static void rehearsal_check_norm(const char *name, const ModulePart *part, void *ctx)
{
    const Trainer *t = ctx;
    const Module *m = part->owner;
    Shape s = m->output;
    ptrdiff_t count = rehearsal_count(t, 0);
    bool trains = m->training || !t->net->training; /* trainer_fit will call module_train */
    if (!rehearsal_is_norm(part) || !trains || s.ndim < 2 || shape_count(s) != count * s.dim[1])
        return;
    size_t length = strlen(name) - strlen(part->name); /* of "features.1." */
    slope_fail("trainer_fit", "%s batch of the .train loader has 1 example, but %s '%.*s' needs at "
               "least 2 values per channel in training; %s", count == 1 ? "every" : "the last",
               m->type->name, (int)(length ? length - 1 : 0), name,
               count > 1 ? "set .drop_last in the loader's options, or choose a batch size that "
                           "does not leave a remainder of 1"
               : loader_dataset(t->train)->count > 1
                   ? "choose a larger batch size"
                   : "the data set has only one example, so add more examples");
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* Runs the first batch. The loader is at its start again before anything can fail; the batch stays
 * valid. The modes are restored, and the rehearsal ends, at the rewind. */
static void rehearsal_run(const Trainer *t, Loader *loader, size_t mark)
{
    Batch batch;
    rehearsal_check_kind(t, loader);
    if (t->loss == loss_bce)
        rehearsal_check_probabilities(t, loader);
    loader_start(loader, 0);
    loader_next(loader, &batch);
    loader_start(loader, 0);
    Var *output = module_forward(t->net, var_const(batch.x));
    rehearsal_check_output(t, loader, &batch, output);
    rehearsal_check_loss(t->loss(output, &batch));
    tape_rewind(mark);
}

static void rehearsal_of_test(const Trainer *t)
{
    size_t mark = tape_mark();
    rehearsal_begin(t->net);
    module_eval_begin(t->net);
    no_grad_begin();
    rehearsal_run(t, t->test, mark);
}

static void rehearsal_of_train(const Trainer *t)
{
    size_t mark = tape_mark();
    bool single = rehearsal_count(t, loader_batches(t->train) - 1) == 1;
    rehearsal_begin(t->net);
    if (!t->net->training) {
        module_eval_begin(t->net); /* only for the rewind, which then restores the modes */
        module_train(t->net);
    }
    if (single)
        module_visit(t->net, rehearsal_spare_norm, NULL);
    rehearsal_run(t, t->train, mark);
    if (single)
        module_visit(t->net, rehearsal_check_norm, (void *)t);
}

void slope_rehearse(const Trainer *t)
{
    rehearsal_check_fields(t);
    optimizer_check_covers(t->optimizer, t->net, "trainer_fit");
    if (t->test)
        rehearsal_check_classes(t);
    if (t->epochs == 0 || slope_best_is_past(t))
        return;
    if (t->test)
        rehearsal_of_test(t);
    rehearsal_of_train(t);
}
