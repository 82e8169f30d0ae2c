/* optim/groups.c -- groups of parameters: the ranges of their settings, and splits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/groups.h"

#include <math.h>
#include <string.h>

/* --- settings --------------------------------------------------------------------------------- */

enum { PARAM_OWN_NAME = 32 };
enum { PARAM_MOMENTUM = 2, PARAM_DAMPENING = 3 }; /* in the list of settings */

int slope_param_settings(const OptimizerType *type, ParamGroup *g,
                         ParamSetting list[PARAM_SETTINGS])
{
    const real most = (real)HUGE_VAL;
    const ParamSetting all[] = {
        {"lr", "learning rate", &g->lr, NULL, 0, most},
        {"weight_decay", "weight decay", &g->weight_decay, NULL, 0, most},
        [PARAM_MOMENTUM] = {"momentum", "momentum", &g->momentum, NULL, 0, most},
        [PARAM_DAMPENING] = {"dampening", "dampening", &g->dampening, NULL, 0, 1},
        {"beta1", NULL, &g->beta1, NULL, 0, 1},
        {"beta2", NULL, &g->beta2, NULL, 0, 1},
        {"eps", NULL, &g->eps, NULL, 0, most},
        {"nesterov", NULL, NULL, &g->nesterov, 0, 0},
        {"amsgrad", NULL, NULL, &g->amsgrad, 0, 0}};
    int n = sizeof all / sizeof *all;
    memcpy(list, all, sizeof all);
    for (int i = 0; i < OPTIMIZER_OWN && type->own[i].name; i++)
        list[n++] = (ParamSetting){type->own[i].name, NULL, &g->own[i], NULL, -most, most};
    return n;
}

void slope_param_defaults(const OptimizerType *type, ParamGroup *g, const char *function)
{
    ParamSetting list[PARAM_SETTINGS];
    int n = slope_param_settings(type, g, list);
    for (int i = 0; i < OPTIMIZER_OWN; i++) {
        if (g->own[i] != 0)
            slope_fail(function, "the settings have .own[%d] = %g, but .own starts with the "
                       "defaults that %s declares; set it in opt->group[0] afterwards, then call "
                       "optimizer_make_slots", i, (double)g->own[i], type->name);
        g->own[i] = type->own[i].value;
    }
    for (int i = PARAM_SETTINGS - OPTIMIZER_OWN; i < n; i++) {
        size_t length = strlen(list[i].name);
        if (length == 0 || length >= PARAM_OWN_NAME)
            slope_fail(function, "the setting '%s' of %s has a name of %zu bytes; expected 1 to "
                       "%d", list[i].name, type->name, length, PARAM_OWN_NAME - 1);
        for (int k = 0; k < i; k++)
            if (strcmp(list[k].name, list[i].name) == 0)
                slope_fail(function, "%s declares the setting '%s', but %s; give it another name",
                           type->name, list[i].name, k < PARAM_SETTINGS - OPTIMIZER_OWN
                           ? "every group has one of that name"
                           : "another of its settings has that name");
    }
}

Optimizer *slope_optimizer_from(Module *net, const OptimizerType *type, ParamGroup settings,
                                const char *defaults, const char *function)
{
    if (!settings.rule || strcmp(settings.rule, type->name) != 0)
        slope_fail(function, "the settings did not start as a copy of %s; write `ParamGroup "
                   "settings = %s;`, then change those that differ", defaults, defaults);
    return optimizer_new_with(net, type, settings, function);
}

static bool param_group_refuse(char problem[PARAM_GROUP_PROBLEM], const ParamGroup *g,
                               const ParamSetting *s, const char *expected)
{
    bool named = g->name[0] != '\0';
    snprintf(problem, PARAM_GROUP_PROBLEM, "the %s%s%s%s%s is %g; expected %s",
             s->title ? "" : "setting ", s->title ? s->title : s->name,
             named ? " of group '" : "", g->name, named ? "'" : "", (double)*s->number, expected);
    return false;
}

bool slope_param_group_check(const OptimizerType *type, const ParamGroup *group,
                             char problem[PARAM_GROUP_PROBLEM])
{
    ParamGroup g = *group;
    ParamSetting list[PARAM_SETTINGS];
    for (int i = 0, n = slope_param_settings(type, &g, list); i < n; i++) {
        const ParamSetting *s = &list[i];
        real value = s->number ? *s->number : 0;
        if (s->number && !(isfinite(value) && value >= s->low && value < s->end))
            return param_group_refuse(problem, &g, s, s->end == 1 ? "at least 0 and less than 1"
                                      : value > 0 || s->low < 0   ? "a finite number"
                                                                  : "0 or more");
    }
    if (g.nesterov && g.momentum == 0)
        return param_group_refuse(problem, &g, &list[PARAM_MOMENTUM],
                                  "more than 0, because nesterov is set");
    if (g.nesterov && g.dampening != 0)
        return param_group_refuse(problem, &g, &list[PARAM_DAMPENING],
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
