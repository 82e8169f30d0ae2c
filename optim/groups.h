/* optim/groups.h -- what the settings of a group may be and what they need, for the other files of
 * optim/; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_GROUPS_H
#define SLOPE_OPTIM_GROUPS_H

#include "optim/optimizer.h"

/* Are all settings in their ranges? If not, writes a clause about the first one that is not, such
 * as "the learning rate of group 'slopes' is -1; expected 0 or more". */
enum { PARAM_GROUP_PROBLEM = 160 };
bool slope_param_group_check(const ParamGroup *group, char problem[PARAM_GROUP_PROBLEM]);

/* The number of slots that the optimizer's rule needs with these settings. */
int slope_param_slots(const Optimizer *opt, const ParamGroup *group);

#endif
