/* RMSprop: your work. lessons/assignments/a3_rmsprop/README.md says what to do, and how to check
 * it; optim/sgd.c and optim/adam.c show how rules are written, and optim/optimizer.h what they get.
 *
 * `make start A=a3_rmsprop` copies this file to lessons/work/a3_rmsprop/, where you edit it;
 * `make grade A=a3_rmsprop` grades the copy.
 */
#include "rmsprop.h"

/* Updates theta and the slots of one run of elements. TODO: the rule of rmsprop.h. */
static void rmsprop_update(const ParamGroup *group, const ParamRun *run)
{
    for (ptrdiff_t i = 0; i < run->n; i++)
        run->theta[i] -= 0 * group->lr; /* TODO: use run->g[i], run->slot[...] and the settings */
}

const OptimizerType rmsprop_type = {
    .name = "RMSprop",
    .slots = 0, /* TODO: the most that the rule can need */
    .update = rmsprop_update,
    /* TODO: .needs, the number of slots that the rule needs with a group's settings
     * TODO: .own, the settings that the rule declares, with their defaults */
};

Optimizer *rmsprop_new(Module *net, real lr)
{
    return optimizer_new(net, &rmsprop_type, lr); /* TODO: see optimizer_new_with */
}
