/* nn/sequential.c -- modules one after another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/layers.h"

static Var *sequential_forward(Module *self, Var *x)
{
    for (int i = 0; i < self->n_parts; i++)
        if (self->part[i].kind == PART_CHILD)
            x = module_forward(self->part[i].child, x);
    return x;
}

Module *sequential_new(Module *const *parts, int n)
{
    static const ModuleType type = {"Sequential", sequential_forward, NULL};
    for (int i = 0; i < n; i++)
        if (!parts[i])
            slope_fail("sequential_new", "part %d of %d is NULL", i, n);
    Module *m = module_new(sizeof *m, &type);
    for (int i = 0; i < n; i++) {
        char name[MODULE_NAME];
        snprintf(name, sizeof name, "%d", i);
        module_add_child(m, name, parts[i]);
    }
    return m;
}
