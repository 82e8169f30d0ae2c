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
#include <string.h>
#include <unistd.h>

#include "nn/state.h"
#include "optim/trainer.h"
#include "tensor/memory.h"

/* The largest count of steps or examples in a file: counting further must not overflow. */
#define RESUME_MOST (INT64_MAX / 2)

enum { RESUME_NAME = MODULE_PATH + 32, RESUME_COLUMNS = 6 };

#define RESUME_FORMAT "slope training checkpoint"
#define RESUME_VERSION "1"

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

static void resume_group(State *s, ParamGroup *g, int number)
{
    const struct { const char *name; real *x; } reals[] = {
        {"lr", &g->lr}, {"weight_decay", &g->weight_decay}, {"momentum", &g->momentum},
        {"dampening", &g->dampening}, {"beta1", &g->beta1}, {"beta2", &g->beta2}, {"eps", &g->eps}};
    const struct { const char *name; bool *x; } flags[] = {
        {"nesterov", &g->nesterov}, {"amsgrad", &g->amsgrad}};
    char name[RESUME_NAME];
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        snprintf(name, sizeof name, "optimizer.group.%d.%s", number, reals[i].name);
        state_real(s, name, reals[i].x);
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        snprintf(name, sizeof name, "optimizer.group.%d.%s", number, flags[i].name);
        state_flag(s, name, flags[i].x);
    }
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

/* The number of updates of each parameter, (P). */
static void resume_param_steps(State *s, Optimizer *opt)
{
    int64_t *step = state_data(s, "optimizer.steps", DTYPE_I64, SHAPE(opt->n_params));
    for (int i = 0; step && i < opt->n_params; i++)
        if (s->pass == STATE_SAVING)
            step[i] = opt->state[i].step;
        else if (s->pass == STATE_LOADING)
            opt->state[i].step = step[i];
        else if (step[i] < 0 || step[i] > RESUME_MOST) {
            state_refuse(s, "in the checkpoint '%s' was updated %" PRId64 " times",
                         opt->state[i].param.name, step[i]);
            return;
        }
}

static void resume_optimizer(State *s, Optimizer *opt)
{
    resume_same(s, "optimizer.groups", opt->n_groups, "number of parameter groups");
    for (int i = 0; i < opt->n_groups; i++)
        resume_group(s, &opt->group[i], i);
    resume_grouping(s, opt);
    resume_param_steps(s, opt);
    for (int i = 0; i < opt->n_params; i++)
        for (int k = 0; k < opt->type->slots; k++) {
            char name[RESUME_NAME];
            ParamState *p = &opt->state[i];
            snprintf(name, sizeof name, "optimizer.slot%d.%s", k, p->param.name);
            state_optional_tensor(s, name, &p->slot[k], var_shape(p->param.var));
        }
}

/* --- the training ----------------------------------------------------------------------------- */

static void resume_data(State *s, const Loader *loader)
{
    LoaderOptions o = loader_options(loader);
    resume_same(s, "data.examples", loader_dataset(loader)->count, "number of training examples");
    resume_same(s, "data.batch", o.batch, "batch size");
    resume_same(s, "data.drop_last", o.drop_last, "setting of drop_last");
    resume_same(s, "data.shuffle", o.shuffle, "setting of shuffle");
    resume_same(s, "data.seed", (int64_t)o.seed, "seed of the order of examples");
    resume_same(s, "data.pad", o.transform.pad, "padding of images");
    resume_same(s, "data.crop", o.transform.crop, "crop of images");
    resume_same(s, "data.center", o.transform.center, "setting of centered cropping");
    resume_same(s, "data.flip", o.transform.flip, "setting of image flipping");
}

static void resume_tally(State *s, Tally *tally, int64_t batches)
{
    state_int(s, "trainer.batches", &tally->batches, 0, batches);
    state_int(s, "trainer.examples", &tally->count, tally->batches > 0, RESUME_MOST);
    state_int(s, "trainer.correct", &tally->correct, 0, RESUME_MOST);
    state_double(s, "trainer.loss", &tally->loss);
    state_double(s, "trainer.seconds", &tally->seconds);
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

static void resume_load_history(History *h, double (*row)[RESUME_COLUMNS], ptrdiff_t rows)
{
    EpochRecord *record = memory_new_array((size_t)rows, sizeof *record);
    for (ptrdiff_t i = 0; i < rows; i++)
        record[i] = resume_get_record(row[i]);
    memory_free(h->record);
    *h = (History){record, (int)rows};
}

/* (rows, 6): the columns of history_write_csv. */
static void resume_history(State *s, History *h)
{
    ptrdiff_t rows = resume_rows(s, h, "trainer.history");
    double (*row)[RESUME_COLUMNS] =
        state_data(s, "trainer.history", DTYPE_F64, SHAPE(rows, RESUME_COLUMNS));
    if (row && s->pass == STATE_LOADING)
        resume_load_history(h, row, rows);
    for (ptrdiff_t i = 0; row && i < rows; i++)
        if (s->pass == STATE_SAVING)
            resume_put_record(row[i], &h->record[i]);
        else if (s->pass == STATE_CHECKING && !(row[i][0] >= 1 && row[i][0] <= INT_MAX)) {
            state_refuse(s, "row %td of the history is for epoch %g", i, row[i][0]);
            return;
        }
}

/* The whole state. The network comes first, so that a checkpoint of a different
 * network is reported as such. */
static void resume_walk(State *s, void *ctx)
{
    Trainer *t = ctx;
    int64_t epoch = t->epoch;
    state_module(s, "model", t->net, STATE_WITH_RNGS);
    resume_optimizer(s, t->optimizer);
    resume_data(s, t->train);
    state_int(s, "trainer.step", &t->step, 0, RESUME_MOST);
    state_int(s, "trainer.epoch", &epoch, 0, INT_MAX / 2);
    t->epoch = (int)epoch;
    resume_tally(s, &t->tally, loader_batches(t->train));
    resume_history(s, &t->history);
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

bool trainer_save(const Trainer *t, const char *path, Error *err)
{
    char checksum[17];
    Trainer copy = *t; /* a walk could write to its trainer, but does not when saving */
    Safetensors *s = state_gather(resume_walk, &copy, path, err);
    if (!s)
        return false;
    resume_checksum(s, checksum);
    safetensors_add_text(s, "format", RESUME_FORMAT);
    safetensors_add_text(s, "version", RESUME_VERSION);
    safetensors_add_text(s, "checksum", checksum);
    safetensors_add_text(s, "real", REAL_NAME);
    safetensors_add_text(s, "optimizer", t->optimizer->type->name);
    bool ok = safetensors_write(s, path, err);
    safetensors_free(s);
    return ok;
}

bool trainer_load(Trainer *t, const char *path, Error *err)
{
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, err);
    bool ok = s && resume_check_notes(s, t, err) &&
              state_restore(s, "trainer", resume_walk, t, err);
    safetensors_free(s);
    return ok;
}

bool trainer_resume(Trainer *t, Error *err)
{
    if (!t->checkpoint)
        slope_fail("trainer_resume", "the trainer has no checkpoint; set t.checkpoint to the file");
    if (access(t->checkpoint, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!trainer_load(t, t->checkpoint, err))
        return false;
    t->epochs = t->epochs > t->epoch ? t->epochs - t->epoch : 0;
    return true;
}
