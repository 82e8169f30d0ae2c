/* nn/parameters.c -- lists all parameters of a network and counts their elements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/check.h"
#include "nn/layers.h"
#include "tensor/memory.h"

static void parameters_count(const char *name, const ModulePart *part, void *ctx)
{
    (void)name;
    *(int *)ctx += part->kind == PART_PARAM;
}

static void parameters_add(const char *name, const ModulePart *part, void *ctx)
{
    Parameters *list = ctx;
    if (part->kind != PART_PARAM)
        return;
    Parameter *p = &list->item[list->count++];
    *p = (Parameter){.var = part->param, .owner = part->owner};
    snprintf(p->name, sizeof p->name, "%s", name);
}

Parameters module_parameters(Module *m)
{
    int count = 0;
    slope_module_check(m, "module_parameters");
    module_visit(m, parameters_count, &count);
    Parameters list = {.item = memory_new_array((size_t)count, sizeof *list.item)};
    module_visit(m, parameters_add, &list);
    return list;
}

void parameters_free(Parameters *list)
{
    if (!list)
        return;
    memory_free(list->item);
    *list = (Parameters){0};
}

bool parameter_is_slope(const Parameter *p)
{
    return module_is_prelu(p->owner);
}

static ptrdiff_t module_count_if(Module *m, bool slopes_only)
{
    Parameters list = module_parameters(m);
    ptrdiff_t count = 0;
    for (int i = 0; i < list.count; i++)
        if (!slopes_only || parameter_is_slope(&list.item[i]))
            count += tensor_count(list.item[i].var->value);
    parameters_free(&list);
    return count;
}

ptrdiff_t module_count(Module *m)
{
    slope_module_check(m, "module_count");
    return module_count_if(m, false);
}

ptrdiff_t module_count_slopes(Module *m)
{
    slope_module_check(m, "module_count_slopes");
    return module_count_if(m, true);
}
