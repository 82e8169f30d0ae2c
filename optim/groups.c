/* optim/groups.c -- groups of parameters: the ranges of their settings, and splits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/groups.h"

#include <math.h>

/* --- settings --------------------------------------------------------------------------------- */

static bool param_group_refuse(char problem[PARAM_GROUP_PROBLEM], const ParamGroup *g,
                               const char *name, real value, const char *expected)
{
    bool named = g->name[0] != '\0';
    snprintf(problem, PARAM_GROUP_PROBLEM, "the %s%s%s%s is %g; expected %s", name,
             named ? " of group '" : "", g->name, named ? "'" : "", (double)value, expected);
    return false;
}

bool slope_param_group_check(const ParamGroup *g, char problem[PARAM_GROUP_PROBLEM])
{
    const real most = (real)HUGE_VAL;
    const struct { const char *name; real value, end; } setting[] = {
        {"learning rate", g->lr, most}, {"weight decay", g->weight_decay, most},
        {"momentum", g->momentum, most}, {"dampening", g->dampening, 1},
        {"setting beta1", g->beta1, 1}, {"setting beta2", g->beta2, 1},
        {"setting eps", g->eps, most}};
    for (size_t i = 0; i < sizeof setting / sizeof *setting; i++) {
        real value = setting[i].value, end = setting[i].end;
        if (!(value >= 0 && value < end))
            return param_group_refuse(problem, g, setting[i].name, value,
                                      end == 1    ? "at least 0 and less than 1"
                                      : value > 0 ? "a finite number"
                                                  : "0 or more");
    }
    if (g->nesterov && g->momentum == 0)
        return param_group_refuse(problem, g, "momentum", g->momentum,
                                  "more than 0, because nesterov is set");
    if (g->nesterov && g->dampening != 0)
        return param_group_refuse(problem, g, "dampening", g->dampening,
                                  "0, because nesterov is set");
    return true;
}

int slope_param_slots(const Optimizer *opt, const ParamGroup *group)
{
    return opt->type->needs ? opt->type->needs(group) : opt->type->slots;
}

/* --- splits ----------------------------------------------------------------------------------- */

/* Makes the checks that every split needs. Returns how many parameters it would move; `advice` says
 * what to do about one that an earlier split has moved. */
static int group_check_split(const Optimizer *opt, const char *name, ParameterPredicate predicate,
                             const char *advice, const char *function)
{
    int found = 0;
    if (!opt || !name || !predicate)
        slope_fail(function, "the %s is NULL", !opt ? "optimizer" : !name ? "name" : "predicate");
    if (opt->n_groups == OPTIMIZER_GROUPS)
        slope_fail(function, "an optimizer has at most %d groups", OPTIMIZER_GROUPS);
    for (int i = 0; i < opt->n_params; i++) {
        const ParamState *p = &opt->state[i];
        if (!predicate(&p->param))
            continue;
        if (p->group != 0)
            slope_fail(function, "'%s' is already in group '%s'; %s", p->param.name,
                       opt->group[p->group].name, advice);
        found++;
    }
    return found;
}

static ParamGroup *group_split(Optimizer *opt, const char *name, ParameterPredicate predicate)
{
    int g = opt->n_groups++;
    opt->group[g] = opt->group[0];
    snprintf(opt->group[g].name, sizeof opt->group[g].name, "%s", name);
    for (int i = 0; i < opt->n_params; i++)
        if (predicate(&opt->state[i].param))
            opt->state[i].group = g;
    return &opt->group[g];
}

ParamGroup *optimizer_split(Optimizer *opt, const char *name, ParameterPredicate predicate)
{
    if (group_check_split(opt, name, predicate, "the predicate of the new group must exclude it",
                          "optimizer_split") == 0)
        slope_fail("optimizer_split", "group '%s' would be empty, because its predicate holds for "
                   "no parameter", name);
    return group_split(opt, name, predicate);
}

ParamGroup *optimizer_no_decay_on_slopes(Optimizer *opt)
{
    static atomic_bool warned;
    if (group_check_split(opt, "slopes", parameter_is_slope, "call optimizer_no_decay_on_slopes "
                          "only once and before that split, and exclude slopes "
                          "(parameter_is_slope) from its predicate",
                          "optimizer_no_decay_on_slopes") == 0)
        slope_warn_once(&warned, "optimizer_no_decay_on_slopes", "the network has no PReLU, so "
                        "the new group 'slopes' is empty");
    ParamGroup *slopes = group_split(opt, "slopes", parameter_is_slope);
    slopes->weight_decay = 0;
    return slopes;
}
