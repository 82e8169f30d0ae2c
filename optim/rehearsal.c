/* optim/rehearsal.c -- does everything that a trainer holds fit together?
 *
 * The network and the loss run on one batch of each loader, in evaluation mode. A part that refuses
 * its input thus does so before the first step, and the shapes of the outputs show the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/rehearsal.h"

#include <limits.h>
#include <string.h>

#include "autograd/record.h"
#include "nn/check.h"

static void rehearsal_check_fields(const Trainer *t)
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
    if (!(t->clip_norm >= 0))
        slope_fail("trainer_fit", "clip_norm is %g; expected a norm above 0, or 0 for no clipping",
                   t->clip_norm);
    if (t->checkpoint_every < 0)
        slope_fail("trainer_fit", "checkpoint_every is %lld; expected a number of steps, or 0",
                   (long long)t->checkpoint_every);
}

/* --- what a forward may write to -------------------------------------------------------------- */

/* Puts a copy of a buffer, counter or random stream on the tape, one Var for each part. */
static void rehearsal_save(const char *name, const ModulePart *part, void *ctx)
{
    (void)name, (void)ctx;
    Var *copy = tape_append();
    if (part->kind == PART_BUFFER) {
        copy->value = tensor_clone(part->buffer);
    } else if (part->kind == PART_COUNTER) {
        var_alloc_block(copy, 0, sizeof *part->counter);
        memcpy(copy->block, part->counter, sizeof *part->counter);
    } else if (part->kind == PART_RNG) {
        var_alloc_block(copy, 0, sizeof *part->rng);
        memcpy(copy->block, part->rng, sizeof *part->rng);
    }
}

static void rehearsal_restore(const char *name, const ModulePart *part, void *ctx)
{
    (void)name;
    size_t *next = ctx; /* the index of the part's copy */
    const Var *copy = tape_at((*next)++);
    if (part->kind == PART_BUFFER)
        tensor_copy(part->buffer, copy->value);
    else if (part->kind == PART_COUNTER)
        memcpy(part->counter, copy->block, sizeof *part->counter);
    else if (part->kind == PART_RNG)
        memcpy(part->rng, copy->block, sizeof *part->rng);
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

/* loss_cross_entropy accepts the labels 0 … K-1 and its default ignore_index. */
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

static void rehearsal_check_output(const Trainer *t, const Loader *loader, const Batch *batch,
                                   const Var *output)
{
    Shape s = var_shape(output);
    if (s.ndim != 2 || s.dim[0] != batch->count || s.dim[1] < 1)
        slope_fail("trainer_fit", "%s: for a batch of shape %s the network's output has "
                   "shape %s; expected (%td,K), one row per example", REHEARSAL_TEXT_OF(t, loader),
                   SHAPE_TEXT(batch->x->shape), SHAPE_TEXT(s), batch->count);
    if (t->loss == loss_cross_entropy)
        rehearsal_check_labels(t, loader, s.dim[1]);
}

static void rehearsal_check_loss(const Var *loss)
{
    if (!loss)
        slope_fail("trainer_fit", "the loss function returned NULL; expected a Var");
    if (shape_count(var_shape(loss)) != 1)
        slope_fail("trainer_fit", "the loss has shape %s; expected one element: reduce it with "
                   "var_mean", SHAPE_TEXT(var_shape(loss)));
}

/* --- batch norm ------------------------------------------------------------------------------- */

static ptrdiff_t rehearsal_last_batch(const Loader *loader)
{
    LoaderOptions o = loader_options(loader);
    ptrdiff_t rest = loader_dataset(loader)->count % o.batch;
    return rest > 0 && !o.drop_last ? rest : o.batch;
}

/* Called if the last batch has one example. Fails if the batch norm m will be in training mode and
 * had one value per channel and example when a batch of `count` examples was run. */
static void rehearsal_check_norm(const Trainer *t, const Module *m, const char *name,
                                 ptrdiff_t count)
{
    Shape s = m->output;
    bool training = m->training || !t->net->training; /* trainer_fit will call module_train */
    if (!training || s.ndim < 2 || s.dim[0] != count || shape_count(s) != s.dim[0] * s.dim[1])
        return;
    bool every = loader_batches(t->train) == 1 || loader_options(t->train).batch == 1;
    slope_fail("trainer_fit", "%s batch of the .train loader has 1 example, but %s '%s' needs at "
               "least 2 values per channel in training; %s", every ? "every" : "the last",
               m->type->name, name,
               every ? "choose a larger batch size"
                     : "set .drop_last in the loader's options, or choose a batch size that does "
                       "not leave a remainder of 1");
}

typedef struct NormSearch {
    const Trainer *t;
    ptrdiff_t      count; /* of examples in the batch that has run */
} NormSearch;

/* A batch norm is found by its counter, whose name is the batch norm's name, a dot and its own. */
static void rehearsal_find_norm(const char *name, const ModulePart *part, void *ctx)
{
    const NormSearch *search = ctx;
    if (part->kind != PART_COUNTER || !slope_module_is_batch_norm(part->owner))
        return;
    char path[MODULE_PATH];
    snprintf(path, sizeof path, "%s", name);
    char *dot = strrchr(path, '.');
    path[dot ? dot - path : 0] = '\0';
    rehearsal_check_norm(search->t, part->owner, path, search->count);
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* The .train batch runs with gradients enabled, because a network or a loss may call var_grad. */
static void rehearsal_run(const Trainer *t, Loader *loader)
{
    Batch batch;
    size_t mark = tape_mark(), next = mark;
    module_visit(t->net, rehearsal_save, NULL);
    module_eval_begin(t->net);
    if (loader == t->test)
        no_grad_begin();
    loader_start(loader, 0);
    loader_next(loader, &batch);
    Var *output = module_forward(t->net, var_const(batch.x));
    rehearsal_check_output(t, loader, &batch, output);
    rehearsal_check_loss(t->loss(output, &batch.labels));
    if (loader == t->test)
        no_grad_end();
    module_eval_end(t->net);
    module_visit(t->net, rehearsal_restore, &next);
    tape_rewind(mark);
    loader_start(loader, 0);
    if (loader == t->train && rehearsal_last_batch(loader) == 1)
        module_visit(t->net, rehearsal_find_norm, &(NormSearch){t, batch.count});
}

void slope_rehearse(const Trainer *t)
{
    rehearsal_check_fields(t);
    optimizer_check_covers(t->optimizer, t->net, "trainer_fit");
    if (t->test)
        rehearsal_run(t, t->test);
    rehearsal_run(t, t->train);
}
