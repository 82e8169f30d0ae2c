/* optim/sgd.c -- stochastic gradient descent, with momentum if wanted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/optimizer.h"
#include "tensor/parallel.h"

enum { SGD_BLOCK = 16384 };

typedef struct Sgd {
    ParamGroup  group;
    bool        first; /* the momentum buffer starts as the first gradient */
    real       *theta, *b;
    const real *g;
} Sgd;

static void sgd_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Sgd *s = ctx;
    const ParamGroup *o = &s->group;
    for (ptrdiff_t i = begin; i < end; i++) {
        real d = s->g[i] + o->weight_decay * s->theta[i];
        if (s->b) {
            s->b[i] = s->first ? d : o->momentum * s->b[i] + (1 - o->dampening) * d;
            d = o->nesterov ? d + o->momentum * s->b[i] : s->b[i];
        }
        s->theta[i] -= o->lr * d;
    }
}

static void sgd_update(const ParamGroup *group, ParamState *p)
{
    Tensor *theta = p->param.var->value;
    Sgd s = {.group = *group,
             .first = p->step == 1 || !p->slot[0],
             .g = tensor_read(p->param.var->grad)};
    if (group->momentum != 0)
        s.b = tensor_write(param_slot(p, 0));
    s.theta = tensor_write(theta);
    parallel_for(tensor_count(theta), SGD_BLOCK, sgd_block, &s);
}

Optimizer *sgd_new(Module *net, real lr, real momentum)
{
    static const OptimizerType type = {"SGD", 1, sgd_update};
    Optimizer *opt = optimizer_new(net, &type, lr);
    opt->group[0].momentum = momentum;
    optimizer_make_slots(opt, momentum != 0);
    return opt;
}
