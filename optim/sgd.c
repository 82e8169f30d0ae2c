/* optim/sgd.c -- stochastic gradient descent, with optional momentum.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/groups.h"

static void sgd_plain(const ParamGroup *o, const ParamRun *p)
{
    real *theta = p->theta, lr = o->lr, decay = o->weight_decay;
    const real *g = p->g;
    for (ptrdiff_t i = 0; i < p->n; i++)
        theta[i] -= lr * (g[i] + decay * theta[i]);
}

/* In the first step b becomes d: old and share are then 0 and 1 instead of
 * momentum and 1 - dampening. */
static void sgd_momentum(const ParamGroup *o, const ParamRun *p)
{
    real *theta = p->theta, *b = p->slot[0], lr = o->lr, decay = o->weight_decay;
    real old = p->fresh ? 0 : o->momentum, share = p->fresh ? 1 : 1 - o->dampening;
    real ahead = o->momentum;
    bool nesterov = o->nesterov;
    const real *g = p->g;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        real d = g[i] + decay * theta[i];
        b[i] = old * b[i] + share * d;
        theta[i] -= lr * (nesterov ? d + ahead * b[i] : b[i]);
    }
}

static int sgd_needs(const ParamGroup *group)
{
    return group->momentum != 0;
}

static void sgd_update(const ParamGroup *group, const ParamRun *run)
{
    if (sgd_needs(group))
        sgd_momentum(group, run);
    else
        sgd_plain(group, run);
}

const ParamGroup SGD_DEFAULTS = {.rule = "SGD", .lr = (real)1e-3};

static const OptimizerType sgd_type = {.name = "SGD", .slots = 1, .update = sgd_update,
                                       .needs = sgd_needs};

Optimizer *sgd_new(Module *net, real lr, real momentum)
{
    ParamGroup settings = SGD_DEFAULTS;
    settings.lr = lr, settings.momentum = momentum;
    return optimizer_new_with(net, &sgd_type, settings, "sgd_new");
}

Optimizer *sgd_new_with(Module *net, ParamGroup settings)
{
    return slope_optimizer_from(net, &sgd_type, settings, "SGD_DEFAULTS", "sgd_new_with");
}
