/* nn/checkpoint.c -- module_save; nn/load.c loads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/checkpoint.h"

#include "nn/check.h"
#include "nn/state.h"

/* Without random streams, which PyTorch's strict loading would reject. */
static void checkpoint_walk(State *s, void *net)
{
    state_module(s, "", net, STATE_WITHOUT_RNGS);
}

bool module_save(Module *m, const char *path, Error *err)
{
    slope_module_check(m, "module_save");
    if (!path)
        slope_fail("module_save", "the path is NULL");
    Safetensors *list = state_gather(checkpoint_walk, m, path, err);
    bool ok = list && safetensors_write(list, path, err);
    safetensors_free(list);
    return ok;
}
