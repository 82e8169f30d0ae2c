/* tests/optim/edited.h -- shared by the tests of resuming: checkpoints that are edited, or refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_OPTIM_EDITED_H
#define SLOPE_TESTS_OPTIM_EDITED_H

#include "tensor/files/safetensors.h"
#include "tensor/memory.h"
#include "tests/optim/resumed.h"

/* Asserts that loading the file fails and leaves r unchanged. */
static inline void assert_not_loaded(Run *r, const char *path, Error *err)
{
    size_t size;
    unsigned char *before = run_bytes(r, &size);
    ck_assert(!trainer_load(&r->t, path, err));
    ck_assert_str_eq(err->file, path);
    assert_state(r, before, size);
    free(before);
}

/* Asserts that loading saved's checkpoint into r fails with these texts and leaves r unchanged.
 * Frees both. */
static inline void assert_refused(Run saved, Run r, const char *problem, const char *expected,
                           const char *found)
{
    Error err;
    trainer_fit(&saved.t);
    ck_assert(trainer_save(&saved.t, scratch_path("refused"), &err));
    assert_not_loaded(&r, scratch_path("refused"), &err);
    ck_assert_msg(strstr(err.problem, problem) != NULL, "%s", err.problem);
    ck_assert_str_eq(err.expected, expected);
    ck_assert_str_eq(err.found, found);
    run_free(&saved), run_free(&r);
}

/* Changes a text in a checkpoint's metadata. */
static inline void resume_set_note(Safetensors *s, const char *key, const char *value)
{
    for (int i = 0; i < s->n_texts; i++)
        if (strcmp(s->text[i].key, key) == 0) {
            memory_free(s->text[i].value);
            s->text[i].value = memory_copy_text(value);
        }
}

static inline Safetensors *edit_begin(Run *r, const char *path)
{
    Error err;
    ck_assert_msg(trainer_save(&r->t, path, &err), "%s", err.problem);
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, &err);
    ck_assert_ptr_nonnull(s);
    return s;
}

/* Writes the edited list with a valid checksum, taken from the message about a wrong one. */
static inline void edit_end(Run *r, const char *path, Safetensors *s)
{
    Error err;
    resume_set_note(s, "checksum", "edited");
    ck_assert(safetensors_write(s, path, &err));
    ck_assert(!trainer_load(&r->t, path, &err));
    resume_set_note(s, "checksum", err.expected);
    ck_assert(safetensors_write(s, path, &err));
    safetensors_free(s);
}

static inline void edit_drop(Safetensors *s, const char *name)
{
    NamedTensor *t = &s->item[safetensors_find(s, name) - s->item];
    memory_free(t->name), memory_free(t->data);
    *t = s->item[--s->count];
}

#endif
