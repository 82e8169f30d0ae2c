/* optim/groups.h -- what the settings of a group may be and what they need, for the other files of
 * optim/; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_GROUPS_H
#define SLOPE_OPTIM_GROUPS_H

#include "optim/optimizer.h"

/* A setting of a group: a number, at least `low` and less than `end`, or a flag. */
typedef struct ParamSetting {
    const char *name;  /* in a checkpoint, and in messages if `title` is NULL */
    const char *title;
    real       *number;
    bool       *flag; /* either number or flag is NULL */
    real        low, end;
} ParamSetting;

/* Lists every setting of the group: the fields of ParamGroup, then those that the rule declares.
 * Returns how many there are. */
enum { PARAM_SETTINGS = 9 + OPTIMIZER_OWN };
int slope_param_settings(const OptimizerType *type, ParamGroup *group,
                         ParamSetting list[PARAM_SETTINGS]);

/* Sets the settings that the rule declares to their defaults. Fails, naming `function`, if one of
 * them is already set, or if one of their names is empty, too long or not unique. */
void slope_param_defaults(const OptimizerType *type, ParamGroup *group, const char *function);

/* optimizer_new_with, but fails unless the settings started as a copy of the rule's defaults, which
 * the message calls `defaults`: "SGD_DEFAULTS". */
Optimizer *slope_optimizer_from(Module *net, const OptimizerType *type, ParamGroup settings,
                                const char *defaults, const char *function);

/* Are all settings in their ranges? If not, writes a clause about the first one that is not, such
 * as "the learning rate of group 'slopes' is -1; expected 0 or more". */
enum { PARAM_GROUP_PROBLEM = 192 };
bool slope_param_group_check(const OptimizerType *type, const ParamGroup *group,
                             char problem[PARAM_GROUP_PROBLEM]);

/* The number of slots that the optimizer's rule needs with these settings. */
int slope_param_slots(const Optimizer *opt, const ParamGroup *group);

#endif
