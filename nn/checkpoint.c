/* nn/checkpoint.c -- module_save and module_load.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/checkpoint.h"

#include "nn/state.h"

/* Without random streams, which PyTorch's strict loading would reject. */
static void checkpoint_walk(State *s, void *net)
{
    state_module(s, "", net, STATE_WITHOUT_RNGS);
}

static void checkpoint_check(const Module *m, const char *path, const char *function)
{
    if (!m || !path)
        slope_fail(function, "the %s is NULL", m ? "path" : "module");
}

bool module_save(Module *m, const char *path, Error *err)
{
    checkpoint_check(m, path, "module_save");
    Safetensors *list = state_gather(checkpoint_walk, m, path, err);
    bool ok = list && safetensors_write(list, path, err);
    safetensors_free(list);
    return ok;
}

bool module_load(Module *m, const char *path, Error *err)
{
    checkpoint_check(m, path, "module_load");
    Safetensors *file = safetensors_read(path, SAFETENSORS_HEADER, err);
    bool ok = file && state_restore(file, "network", checkpoint_walk, m, err);
    safetensors_free(file);
    return ok;
}
