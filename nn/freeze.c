/* nn/freeze.c -- freezing parameters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/check.h"

static void freeze_set(Var *param, bool frozen)
{
    param->requires_grad = !frozen;
    if (frozen)
        var_zero_grad(param);
}

static void freeze_where(Module *m, ParameterPredicate predicate, bool frozen,
                         const char *function)
{
    slope_module_check(m, function);
    Parameters list = module_parameters(m);
    int found = 0, count = list.count;
    for (int i = 0; i < count; i++)
        if (!predicate || predicate(&list.item[i])) {
            freeze_set(list.item[i].var, frozen);
            found++;
        }
    parameters_free(&list);
    if (count == 0)
        slope_fail(function, "%s has no parameters", m->type->name);
    if (found == 0)
        slope_fail(function, "the predicate holds for no parameter of %s, which has %d; "
                   "module_parameters lists their names", m->type->name, count);
}

void module_freeze(Module *m, ParameterPredicate predicate)
{
    freeze_where(m, predicate, true, "module_freeze");
}

void module_unfreeze(Module *m, ParameterPredicate predicate)
{
    freeze_where(m, predicate, false, "module_unfreeze");
}

/* --- in a state ------------------------------------------------------------------------------- */

typedef struct FreezeWalk {
    State      *state;
    const char *name;
    int64_t    *flag; /* one per parameter; NULL while the parameters are counted */
    ptrdiff_t   count;
} FreezeWalk;

static void freeze_visit(const char *name, const ModulePart *part, void *ctx)
{
    FreezeWalk *walk = ctx;
    (void)name;
    if (part->kind != PART_PARAM)
        return;
    int64_t *flag = walk->flag ? &walk->flag[walk->count] : NULL;
    walk->count++;
    if (!flag)
        return;
    if (walk->state->pass == STATE_SAVING)
        *flag = !part->param->requires_grad;
    else if (walk->state->pass == STATE_CHECKING)
        state_check_range(walk->state, walk->name, *flag, 0, 1);
    else
        freeze_set(part->param, *flag != 0);
}

void slope_freeze_walk(State *s, const char *name, Module *m)
{
    FreezeWalk walk = {.state = s, .name = name};
    module_visit(m, freeze_visit, &walk);
    walk.flag = state_data(s, name, DTYPE_I64, SHAPE(walk.count));
    walk.count = 0;
    if (walk.flag)
        module_visit(m, freeze_visit, &walk);
}
