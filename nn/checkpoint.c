/* nn/checkpoint.c -- module_save and module_load.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/checkpoint.h"

#include <string.h>

#include "nn/safetensors_header.h"

/* --- saving ----------------------------------------------------------------------------------- */

static void checkpoint_add(const char *name, Tensor *x, void *ctx)
{
    safetensors_add_tensor(ctx, name, x);
}

bool module_save(Module *m, const char *path, Error *err)
{
    Safetensors *s = safetensors_new();
    module_each_tensor(m, checkpoint_add, s);
    bool ok = safetensors_write(s, path, err);
    safetensors_free(s);
    return ok;
}

/* --- loading ---------------------------------------------------------------------------------- */

typedef struct CheckpointCheck {
    const Safetensors *s;
    Error             *err;
    int                count; /* tensors of the network */
    bool               ok;
} CheckpointCheck;

static void checkpoint_check(const char *name, Tensor *x, void *ctx)
{
    CheckpointCheck *check = ctx;
    check->count++;
    check->ok = check->ok && safetensors_check(check->s, name, x, check->err);
}

typedef struct CheckpointSearch {
    const char *name;
    bool        found;
} CheckpointSearch;

static void checkpoint_search(const char *name, Tensor *x, void *ctx)
{
    CheckpointSearch *search = ctx;
    (void)x;
    search->found = search->found || strcmp(search->name, name) == 0;
}

/* Names the file's first tensor that the network does not have. */
static bool checkpoint_unexpected(Module *m, const Safetensors *s, Error *err)
{
    CheckpointSearch search = {.found = true};
    for (int i = 0; i < s->count && search.found; i++) {
        search = (CheckpointSearch){.name = s->item[i].name};
        module_each_tensor(m, checkpoint_search, &search);
    }
    error_set(err, s->file, -1, "the file holds a tensor that the network does not have");
    error_expected(err, "only the network's names", "'%s'", SHOWN(search.name));
    return error_hint(err, "was it saved from a network with more parts, or other names?");
}

/* Names differ within the network and within the file: if all of the first are found in the second
 * and there are as many, they are the same. */
static bool checkpoint_fits(Module *m, const Safetensors *s, Error *err)
{
    CheckpointCheck check = {.s = s, .err = err, .ok = true};
    module_each_tensor(m, checkpoint_check, &check);
    return check.ok && (check.count == s->count || checkpoint_unexpected(m, s, err));
}

/* Cannot fail: checkpoint_fits has been asked. */
static void checkpoint_get(const char *name, Tensor *x, void *ctx)
{
    safetensors_get(ctx, name, x, NULL);
}

bool module_load(Module *m, const char *path, Error *err)
{
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, err);
    if (!s)
        return false;
    bool ok = checkpoint_fits(m, s, err);
    if (ok)
        module_each_tensor(m, checkpoint_get, s);
    safetensors_free(s);
    return ok;
}
