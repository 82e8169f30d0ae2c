/* optim/resume_walk.c -- everything that a training checkpoint holds.
 *
 * Every piece is named once, in the walks below, from which nn/state.h derives saving, checking and
 * loading.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/resume.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>

#include "nn/check.h"
#include "optim/best.h"
#include "optim/groups.h"
#include "optim/scheduled.h"
#include "tensor/memory.h"

/* The largest count of steps or examples in a file, so that counting further does not overflow. */
#define RESUME_MOST (INT64_MAX / 2)

enum { RESUME_NAME = MODULE_PATH + 32, RESUME_COLUMNS = 6 };

/* --- the optimizer ---------------------------------------------------------------------------- */

/* A value that the program sets up itself: a file with a different one is refused. */
static void resume_same(State *s, const char *name, int64_t value, const char *what)
{
    int64_t *data = state_data(s, name, DTYPE_I64, SHAPE_SCALAR);
    if (data && s->pass == STATE_SAVING)
        *data = value;
    if (!data || *data == value)
        return;
    char expected[32];
    snprintf(expected, sizeof expected, "%" PRId64, value);
    state_refuse(s, "the checkpoint has a different %s", what);
    error_expected(s->err, expected, "%" PRId64, *data);
}

static void resume_settings(State *s, const OptimizerType *type, ParamGroup *g, int number)
{
    char name[RESUME_NAME];
    ParamSetting list[PARAM_SETTINGS];
    for (int i = 0, n = slope_param_settings(type, g, list); i < n; i++) {
        snprintf(name, sizeof name, "optimizer.group.%d.%s", number, list[i].name);
        if (list[i].number)
            state_real(s, name, list[i].number);
        else
            state_flag(s, name, list[i].flag);
    }
}

/* Returns the settings as they are saved or loaded. Settings that the next step would refuse are
 * neither loaded nor saved. The checking pass changes nothing, so it reads the file's settings into
 * a copy. */
static ParamGroup resume_group(State *s, const OptimizerType *type, ParamGroup *g, int number)
{
    char problem[PARAM_GROUP_PROBLEM];
    resume_settings(s, type, g, number);
    ParamGroup settings = *g;
    if (s->ok && s->pass == STATE_CHECKING) {
        State reading = *s;
        reading.pass = STATE_LOADING;
        resume_settings(&reading, type, &settings, number);
    }
    if (s->ok && !slope_param_group_check(type, &settings, problem))
        state_refuse(s, "%s", problem);
    return settings;
}

/* The group of each parameter, (P), which must be the same. */
static void resume_grouping(State *s, const Optimizer *opt)
{
    int64_t *group = state_data(s, "optimizer.grouping", DTYPE_I64, SHAPE(opt->n_params));
    for (int i = 0; group && i < opt->n_params; i++) {
        const ParamState *p = &opt->state[i];
        if (s->pass == STATE_SAVING)
            group[i] = p->group;
        if (group[i] == p->group)
            continue;
        char expected[32];
        snprintf(expected, sizeof expected, "group %d", p->group);
        state_refuse(s, "the checkpoint has '%s' in a different group", p->param.name);
        error_expected(s->err, expected, "%" PRId64, group[i]);
        return;
    }
}

/* The slots that p lacks are saved as the next step would allocate them: filled with zeros, and
 * dated from the current step. */
static int64_t resume_slot_step(const Optimizer *opt, const ParamState *p)
{
    for (int k = 0; k < slope_param_slots(opt, &opt->group[p->group]); k++)
        if (!p->slot[k])
            return p->step;
    return p->slot_step;
}

/* How many updates each parameter has had, and how many of them preceded its newest slot; both have
 * shape (P). */
static void resume_param_steps(State *s, Optimizer *opt)
{
    int64_t *step = state_data(s, "optimizer.steps", DTYPE_I64, SHAPE(opt->n_params));
    int64_t *slot_step = state_data(s, "optimizer.slot_steps", DTYPE_I64, SHAPE(opt->n_params));
    for (int i = 0; step && slot_step && i < opt->n_params; i++) {
        ParamState *p = &opt->state[i];
        if (s->pass == STATE_SAVING) {
            step[i] = p->step, slot_step[i] = resume_slot_step(opt, p);
        } else if (s->pass == STATE_LOADING) {
            p->step = step[i], p->slot_step = slot_step[i];
        } else if (step[i] < 0 || step[i] > RESUME_MOST || slot_step[i] < 0 ||
                   slot_step[i] > step[i]) {
            state_refuse(s, "in the checkpoint '%s' was updated %" PRId64 " times, %" PRId64
                         " of them before its newest slot", p->param.name, step[i], slot_step[i]);
            return;
        }
    }
}

static void resume_slots(State *s, const Optimizer *opt, ParamState *p, int needed)
{
    for (int k = 0; k < opt->type->slots; k++) {
        char name[RESUME_NAME];
        snprintf(name, sizeof name, "optimizer.slot%d.%s", k, p->param.name);
        state_optional_tensor(s, name, &p->slot[k], var_shape(p->param.var), k < needed);
    }
}

static void resume_optimizer(State *s, Optimizer *opt)
{
    ParamGroup group[OPTIMIZER_GROUPS]; /* as they are saved or loaded */
    resume_same(s, "optimizer.groups", opt->n_groups, "number of parameter groups");
    for (int i = 0; i < opt->n_groups; i++)
        group[i] = resume_group(s, opt->type, &opt->group[i], i);
    resume_grouping(s, opt);
    resume_param_steps(s, opt);
    for (int i = 0; i < opt->n_params; i++) {
        ParamState *p = &opt->state[i];
        resume_slots(s, opt, p, slope_param_slots(opt, &group[p->group]));
    }
}

/* --- the training ----------------------------------------------------------------------------- */

/* A different transform would change the next batch, so the file must have the same one. */
static void resume_transform(State *s, Transform t)
{
    const struct { const char *name; double value; } own[] = {
        {"pad", t.pad}, {"crop[0]", t.crop[0]}, {"crop[1]", t.crop[1]}, {"center", t.center},
        {"flip_probability", t.flip_probability}};
    enum { SETTINGS = sizeof own / sizeof *own };
    double *value = state_data(s, "data.transform", DTYPE_F64, SHAPE(SETTINGS));
    for (int i = 0; value && i < SETTINGS; i++) {
        char expected[32];
        if (s->pass == STATE_SAVING)
            value[i] = own[i].value;
        if (value[i] == own[i].value)
            continue;
        state_refuse(s, "the checkpoint has a different .%s of the images' transform",
                     own[i].name);
        snprintf(expected, sizeof expected, "%.9g", own[i].value);
        error_expected(s->err, expected, "%.9g", value[i]);
        return;
    }
}

static void resume_data(State *s, const Loader *loader)
{
    LoaderOptions o = loader_options(loader);
    const Dataset *data = loader_dataset(loader);
    resume_same(s, "data.examples", data->count, "number of training examples");
    resume_same(s, "data.classes", data->classes, "number of classes");
    resume_same(s, "data.targets", data->targets ? shape_count(data->target) : 0,
                "number of real-valued targets per example");
    resume_same(s, "data.batch", o.batch, "batch size");
    resume_same(s, "data.drop_last", o.drop_last, "setting of drop_last");
    resume_same(s, "data.shuffle", o.shuffle, "setting of shuffle");
    resume_same(s, "data.seed", (int64_t)o.seed, "seed of the order of examples");
    resume_transform(s, o.transform);
}

static void resume_best(State *s, BestEpoch *best)
{
    int64_t epoch = best->epoch, waited = best->waited;
    state_int(s, "trainer.best.epoch", &epoch, 0, INT_MAX / 2);
    state_int(s, "trainer.best.waited", &waited, 0, INT_MAX / 2);
    best->epoch = (int)epoch, best->waited = (int)waited;
    state_double(s, "trainer.best.loss", &best->loss);
    state_flag(s, "trainer.best.in_net", &best->in_net);
}

static void resume_counts(State *s, Trainer *t)
{
    int64_t epoch = t->epoch;
    state_int(s, "trainer.step", &t->step, 0, RESUME_MOST);
    state_int(s, "trainer.epoch", &epoch, 0, INT_MAX / 2);
    t->epoch = (int)epoch;
    state_int(s, "trainer.batches", &t->tally.batches, 0, loader_batches(t->train));
    state_int(s, "trainer.examples", &t->tally.count, 0, RESUME_MOST);
    state_int(s, "trainer.correct", &t->tally.correct, 0, RESUME_MOST);
    state_double(s, "trainer.loss", &t->tally.loss);
    state_double(s, "trainer.seconds", &t->tally.seconds);
    resume_best(s, &t->best);
}

/* The tally ends where an update ends: after a multiple of .accumulate batches, or after all the
 * batches of the epoch. */
static void resume_check_windows(State *s, const Trainer *t)
{
    int64_t window = t->accumulate > 1 ? t->accumulate : 1, done = t->tally.batches;
    int64_t updates = done / window + (done % window > 0);
    state_check_range(s, "trainer.step", t->step, t->epoch + updates, RESUME_MOST);
    if (s->ok && done % window > 0 && done < loader_batches(t->train))
        state_refuse(s, "the unfinished epoch stops within an update: the number of its batches is "
                     "%" PRId64 ", not a multiple of %" PRId64, done, window);
}

/* The next steps rely on the counts agreeing with each other and with the data. Past epochs may
 * have had other batches than those of the present loader, but each had at least one. */
static void resume_check_counts(State *s, const Trainer *t)
{
    const Tally *done = &t->tally;
    const Dataset *data = loader_dataset(t->train);
    int64_t all = data->count;
    int64_t in_batches = done->batches * loader_options(t->train).batch;
    int64_t seen = in_batches < all ? in_batches : all;
    state_check_range(s, "trainer.examples", done->count, seen, seen);
    state_check_range(s, "trainer.correct", done->correct, 0, data->classes > 0 ? seen : 0);
    resume_check_windows(s, t);
    if (s->ok && !(isfinite(done->loss) && done->seconds >= 0))
        state_refuse(s, "the loss of the unfinished epoch is not finite, or its time is not 0 or "
                     "more");
}

/* The best epoch is one of those done, and .waited counts epochs after it. */
static void resume_check_best(State *s, const Trainer *t)
{
    const BestEpoch *best = &t->best;
    bool kept = t->keep_best && best->epoch > 0;
    state_check_range(s, "trainer.best.epoch", best->epoch, 0, t->epoch);
    state_check_range(s, "trainer.best.waited", best->waited, 0, t->epoch - best->epoch);
    state_check_range(s, "trainer.best.in_net", best->in_net, 0, kept);
    if (s->ok && !isfinite(best->loss))
        state_refuse(s, "the lowest test loss is not finite");
}

/* The checking pass reads the file's counts, because it compares them with each other. */
static void resume_progress(State *s, Resume *r)
{
    resume_same(s, "trainer.accumulate", r->t->accumulate > 1 ? r->t->accumulate : 1,
                "number of batches per update");
    resume_same(s, "trainer.keep_best", r->t->keep_best, "setting of keep_best");
    resume_counts(s, r->t);
    if (s->ok && s->pass == STATE_CHECKING) {
        State reading = *s;
        reading.pass = STATE_LOADING;
        resume_counts(&reading, &r->read);
    }
    if (s->ok && s->pass != STATE_LOADING)
        resume_check_counts(s, &r->read), resume_check_best(s, &r->read);
}

static void resume_put_record(double row[RESUME_COLUMNS], const EpochRecord *r)
{
    row[0] = r->epoch;
    row[1] = r->train_loss, row[2] = r->train_accuracy;
    row[3] = r->test_loss, row[4] = r->test_accuracy;
    row[5] = r->seconds;
}

static EpochRecord resume_get_record(const double row[RESUME_COLUMNS])
{
    return (EpochRecord){.epoch = (int)row[0],
                         .train_loss = row[1], .train_accuracy = row[2],
                         .test_loss = row[3], .test_accuracy = row[4], .seconds = row[5]};
}

/* The number of rows in the file's history; any number is accepted. */
static ptrdiff_t resume_rows(const State *s, const History *h, const char *name)
{
    const NamedTensor *t = s->pass == STATE_SAVING ? NULL : safetensors_find(s->list, name);
    ptrdiff_t rows = t ? t->shape.dim[0] : h->count;
    return rows > INT_MAX ? INT_MAX : rows;
}

static void resume_check_history(State *s, History *h, double (*row)[RESUME_COLUMNS],
                                 ptrdiff_t rows)
{
    *h = (History){memory_try_new((size_t)rows * sizeof *h->record), (int)rows};
    if (!h->record)
        state_refuse(s, "out of memory for the history");
    for (ptrdiff_t i = 0; s->ok && i < rows; i++) {
        double epoch = row[i][0];
        if (epoch >= 1 && epoch <= INT_MAX && epoch == floor(epoch))
            h->record[i] = resume_get_record(row[i]);
        else
            state_refuse(s, "row %td of the history is for epoch %g; expected a whole number of 1 "
                         "or more", i, epoch);
    }
}

/* (rows, 6): the columns of history_write_csv. */
static void resume_history(State *s, Resume *r)
{
    History *h = &r->t->history, *read = &r->read.history, old = *h;
    ptrdiff_t rows = resume_rows(s, h, "trainer.history");
    double (*row)[RESUME_COLUMNS] =
        state_data(s, "trainer.history", DTYPE_F64, SHAPE(rows, RESUME_COLUMNS));
    if (row && s->pass == STATE_CHECKING)
        resume_check_history(s, read, row, rows);
    else if (row && s->pass == STATE_LOADING)
        *h = *read, *read = old;
    else
        for (ptrdiff_t i = 0; row && i < rows; i++)
            resume_put_record(row[i], &h->record[i]);
}

/* --- the best epoch --------------------------------------------------------------------------- */

/* With keep_best, the file also holds the snapshot: the weights of the best epoch or, if the
 * network has these, the weights of the last epoch. */
static void resume_weights(State *s, Resume *r)
{
    BestEpoch *read = &r->read.best, *best = &r->t->best;
    bool kept = s->ok && r->t->keep_best && read->epoch > 0;
    if (kept && s->pass == STATE_CHECKING)
        read->weights = slope_snapshot_try_new(r->t->net);
    if (kept && !read->weights)
        state_refuse(s, "out of memory for the best weights");
    else if (kept && !slope_snapshot_fits(read->weights, r->t->net))
        state_refuse(s, "the network's parts have changed since its best weights were copied; call "
                     "trainer_clear first");
    else if (kept)
        slope_snapshot_walk(s, "best", read->weights, r->t->net);
    if (s->pass != STATE_LOADING)
        return;
    Snapshot *old = best->weights;
    best->weights = read->weights, read->weights = old;
    best->stopped = false;
}

/* The whole state. The network comes first, so that a checkpoint of a different network is reported
 * as such. */
void slope_resume_walk(State *s, void *ctx)
{
    Resume *r = ctx;
    state_module(s, "model", r->t->net, STATE_WITH_RNGS);
    slope_freeze_walk(s, "trainer.frozen", r->t->net);
    resume_optimizer(s, r->t->optimizer);
    slope_scheduled_walk(s, r->t, &r->read);
    resume_data(s, r->t->train);
    resume_progress(s, r);
    resume_history(s, r);
    resume_weights(s, r);
}
