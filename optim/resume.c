/* optim/resume.c -- saving and resuming training: trainer_save, trainer_load, trainer_resume.
 *
 * The file's notes say what it is and hold a checksum: a weight with a flipped bit is still a
 * number, and nothing else would detect it. optim/resume_walk.c lists everything else in the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "optim/best.h"
#include "optim/rehearsal.h"

#define RESUME_FORMAT "slope training checkpoint"
#define RESUME_VERSION "3"

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

/* A network's file has no note of its format. */
static bool resume_check_format(const Safetensors *s, Error *err)
{
    const char *hint = "to load a network saved by module_save, use module_load";
    if (safetensors_find_text(s, "format"))
        return resume_check_note(s, "format", RESUME_FORMAT, "this is not a training checkpoint",
                                 hint, err);
    error_set(err, s->file, -1, "this is not a training checkpoint: it is not marked as one, and "
              "looks like a network saved by module_save");
    return error_hint(err, "%s", hint);
}

static bool resume_check_notes(const Safetensors *s, const Trainer *t, Error *err)
{
    char checksum[17];
    resume_checksum(s, checksum);
    return resume_check_format(s, err) &&
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
    copy.best = slope_best_of(t);
    Safetensors *s = state_gather(slope_resume_walk, &(Resume){&copy, copy}, path, err);
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
    Resume r = {t, *t};
    r.read.history = (History){0}, r.read.best = (BestEpoch){0};
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, err);
    bool ok = s && resume_check_notes(s, t, err) &&
              state_restore(s, "trainer", slope_resume_walk, &r, err);
    safetensors_free(s);
    trainer_clear(&r.read);
    return ok;
}

static void resume_report(const Trainer *t)
{
    if (!t->quiet)
        fprintf(stderr, "%s%sresumed from %s: epochs done: %d, updates: %lld\n",
                t->name ? t->name : "", t->name ? ": " : "", SHOWN(t->checkpoint), t->epoch,
                (long long)t->step);
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
    resume_report(t);
    return true;
}
