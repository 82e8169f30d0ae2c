/* optim/resume.c -- saving and resuming training: trainer_save, trainer_load, trainer_resume.
 *
 * Every piece is named once, in the walks below, from which nn/state.h derives saving, checking and
 * loading. The file's notes say what it is and hold a checksum: a weight with a flipped bit is
 * still a number, and nothing else would detect it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "nn/state.h"
#include "optim/groups.h"
#include "optim/rehearsal.h"
#include "tensor/memory.h"

/* The largest count of steps or examples in a file: counting further must not overflow. */
#define RESUME_MOST (INT64_MAX / 2)

enum { RESUME_NAME = MODULE_PATH + 32, RESUME_COLUMNS = 6 };

#define RESUME_FORMAT "slope training checkpoint"
#define RESUME_VERSION "3"

/* What a walk saves, or loads into. */
typedef struct Resume {
    Trainer *t;
    History  history; /* the file's, until loading exchanges it with the trainer's */
} Resume;

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

/* How many updates each parameter has had, and how many of them preceded its newest slot; (P)
 * each. */
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

/* Another transform would change the next batch, so the file must have the same one. */
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
    state_check_range(s, "trainer.step", t->step, t->epoch + done->batches, RESUME_MOST);
    if (s->ok && !(isfinite(done->loss) && done->seconds >= 0))
        state_refuse(s, "the loss of the unfinished epoch is not finite, or its time is not 0 or "
                     "more");
}

/* The checking pass reads the file's counts into a copy, to compare them with each other. */
static void resume_progress(State *s, Trainer *t)
{
    Trainer read = *t;
    resume_counts(s, t);
    if (s->ok && s->pass == STATE_CHECKING) {
        State reading = *s;
        reading.pass = STATE_LOADING;
        resume_counts(&reading, &read);
    }
    if (s->ok && s->pass != STATE_LOADING)
        resume_check_counts(s, &read);
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
    History *h = &r->t->history, old = *h;
    ptrdiff_t rows = resume_rows(s, h, "trainer.history");
    double (*row)[RESUME_COLUMNS] =
        state_data(s, "trainer.history", DTYPE_F64, SHAPE(rows, RESUME_COLUMNS));
    if (row && s->pass == STATE_CHECKING)
        resume_check_history(s, &r->history, row, rows);
    else if (row && s->pass == STATE_LOADING)
        *h = r->history, r->history = old;
    else
        for (ptrdiff_t i = 0; row && i < rows; i++)
            resume_put_record(row[i], &h->record[i]);
}

/* The whole state. The network comes first, so that a checkpoint of a different network is reported
 * as such. */
static void resume_walk(State *s, void *ctx)
{
    Resume *r = ctx;
    state_module(s, "model", r->t->net, STATE_WITH_RNGS);
    resume_optimizer(s, r->t->optimizer);
    resume_data(s, r->t->train);
    resume_progress(s, r->t);
    resume_history(s, r);
}

/* --- notes ------------------------------------------------------------------------------------ */

/* FNV-1a over values, not bytes, so that every machine computes the same hash. Each step is
 * one-to-one, so that no change of a single value goes unnoticed. */
static uint64_t resume_hash(uint64_t hash, const void *data, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = 0;
        uint32_t half;
        if (size == 8)
            memcpy(&word, (const char *)data + 8 * i, 8);
        else if (size == 4)
            memcpy(&half, (const char *)data + 4 * i, 4), word = half;
        else
            word = ((const uint8_t *)data)[i];
        hash = (hash ^ word) * 0x100000001b3;
    }
    return hash;
}

/* A sum over the tensors, because their order in the file is not that of the walk. */
static void resume_checksum(const Safetensors *s, char text[17])
{
    uint64_t sum = 0;
    for (int i = 0; i < s->count; i++) {
        const NamedTensor *t = &s->item[i];
        uint64_t hash = resume_hash(0xcbf29ce484222325, t->name, strlen(t->name), 1);
        sum += resume_hash(hash, t->data, (size_t)shape_count(t->shape),
                           safetensors_dtype_size(t->dtype));
    }
    snprintf(text, 17, "%016" PRIx64, sum);
}

static bool resume_check_note(const Safetensors *s, const char *key, const char *expected,
                              const char *problem, const char *hint, Error *err)
{
    const char *found = safetensors_find_text(s, key);
    if (found && strcmp(found, expected) == 0)
        return true;
    error_set(err, s->file, -1, "%s", problem);
    error_expected(err, expected, "%s", found ? SHOWN(found) : "nothing");
    return error_hint(err, "%s", hint);
}

static bool resume_check_notes(const Safetensors *s, const Trainer *t, Error *err)
{
    char checksum[17];
    resume_checksum(s, checksum);
    return resume_check_note(s, "format", RESUME_FORMAT, "this is not a training checkpoint",
                             "to load a network saved by module_save, use module_load", err) &&
           resume_check_note(s, "version", RESUME_VERSION, "the checkpoint has a different version",
                             "resume with the version of Slope that saved it", err) &&
           resume_check_note(s, "checksum", checksum, "the checkpoint is damaged: its contents do "
                             "not match its checksum", "use an older one", err) &&
           resume_check_note(s, "real", REAL_NAME, "the checkpoint has a different precision",
                             "resume with a build of the same REAL, or the bits would differ",
                             err) &&
           resume_check_note(s, "optimizer", t->optimizer->type->name, "the checkpoint was saved "
                             "with a different optimizer", "create the one that it was saved with",
                             err);
}

/* --- saving and loading ----------------------------------------------------------------------- */

static bool resume_add_notes(Safetensors *s, const Trainer *t)
{
    char checksum[17];
    resume_checksum(s, checksum);
    return safetensors_try_add_text(s, "format", RESUME_FORMAT) &&
           safetensors_try_add_text(s, "version", RESUME_VERSION) &&
           safetensors_try_add_text(s, "checksum", checksum) &&
           safetensors_try_add_text(s, "real", REAL_NAME) &&
           safetensors_try_add_text(s, "optimizer", t->optimizer->type->name);
}

bool trainer_save(const Trainer *t, const char *path, Error *err)
{
    slope_check_trainer(t, "trainer_save");
    if (!path)
        slope_fail("trainer_save", "the path is NULL");
    Trainer copy = *t; /* a walk could write to its trainer, but does not when saving */
    Safetensors *s = state_gather(resume_walk, &(Resume){.t = &copy}, path, err);
    bool ok = s && (resume_add_notes(s, t) ||
                    error_set(err, path, -1, "out of memory for the checkpoint's notes")) &&
              safetensors_write(s, path, err);
    safetensors_free(s);
    return ok;
}

bool trainer_load(Trainer *t, const char *path, Error *err)
{
    slope_check_trainer(t, "trainer_load");
    if (!path)
        slope_fail("trainer_load", "the path is NULL");
    Resume r = {.t = t};
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, err);
    bool ok = s && resume_check_notes(s, t, err) &&
              state_restore(s, "trainer", resume_walk, &r, err);
    safetensors_free(s);
    history_free(&r.history);
    return ok;
}

bool trainer_resume(Trainer *t, Error *err)
{
    slope_check_trainer(t, "trainer_resume");
    if (!t->checkpoint)
        slope_fail("trainer_resume", "the trainer has no checkpoint; set t.checkpoint to the file");
    if (access(t->checkpoint, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!trainer_load(t, t->checkpoint, err))
        return false;
    t->epochs = t->epochs > t->epoch ? t->epochs - t->epoch : 0;
    return true;
}
