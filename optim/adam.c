/* optim/adam.c -- Adam and AdamW, in one pass over theta, g, m and v.
 *
 *      m <- beta1 m + (1 - beta1) g             theta <- theta - lr m' / (sqrt(v') + eps)
 *      v <- beta2 v + (1 - beta2) g^2           m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <tgmath.h>

#include "optim/groups.h"

/* The settings of a group at one step. */
typedef struct Adam {
    real beta1, beta2, eps;
    real l2, shrink; /* decay: l2 theta joins g (Adam); shrink scales theta first (AdamW) */
    real rate;       /* lr / (1 - beta1^t) */
    real unbias;     /* 1 / sqrt(1 - beta2^t) */
} Adam;

static Adam adam_at(const ParamGroup *o, int64_t step, real l2, real decoupled)
{
    double t = (double)step;
    double bias1 = 1 - pow((double)o->beta1, t), bias2 = 1 - pow((double)o->beta2, t);
    return (Adam){.beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps,
                  .l2 = l2, .shrink = 1 - o->lr * decoupled,
                  .rate = (real)((double)o->lr / bias1), .unbias = (real)(1 / sqrt(bias2))};
}

static inline real adam_mean(real beta, real mean, real x)
{
    return beta * mean + (1 - beta) * x;
}

static inline real adam_moved(const Adam *a, real theta, real m, real v)
{
    return theta - a->rate * m / (sqrt(v) * a->unbias + a->eps);
}

static void adam_plain(Adam a, const ParamRun *p)
{
    real *theta = p->theta, *m = p->slot[0], *v = p->slot[1];
    const real *grad = p->g;
    for (ptrdiff_t i = 0, n = p->n; i < n; i++) {
        real shrunk = theta[i] * a.shrink, g = grad[i] + a.l2 * shrunk;
        m[i] = adam_mean(a.beta1, m[i], g);
        v[i] = adam_mean(a.beta2, v[i], g * g);
        theta[i] = adam_moved(&a, shrunk, m[i], v[i]);
    }
}

static void adam_amsgrad(Adam a, const ParamRun *p)
{
    real *theta = p->theta, *m = p->slot[0], *v = p->slot[1], *v_max = p->slot[2];
    const real *grad = p->g;
    for (ptrdiff_t i = 0, n = p->n; i < n; i++) {
        real shrunk = theta[i] * a.shrink, g = grad[i] + a.l2 * shrunk;
        m[i] = adam_mean(a.beta1, m[i], g);
        v[i] = adam_mean(a.beta2, v[i], g * g);
        v_max[i] = v[i] <= v_max[i] ? v_max[i] : v[i]; /* lets a NaN through */
        theta[i] = adam_moved(&a, shrunk, m[i], v_max[i]);
    }
}

static void adam_run(const ParamGroup *group, const ParamRun *run, real l2, real decoupled)
{
    Adam a = adam_at(group, run->step, l2, decoupled);
    if (group->amsgrad)
        adam_amsgrad(a, run);
    else
        adam_plain(a, run);
}

static void adam_update(const ParamGroup *group, const ParamRun *run)
{
    adam_run(group, run, group->weight_decay, 0);
}

static void adamw_update(const ParamGroup *group, const ParamRun *run)
{
    adam_run(group, run, 0, group->weight_decay);
}

/* m and v, and the running maximum of v */
static int adam_needs(const ParamGroup *group)
{
    return group->amsgrad ? 3 : 2;
}

const ParamGroup ADAM_DEFAULTS = {.rule = "Adam", .lr = (real)1e-3, .beta1 = (real)0.9,
                                  .beta2 = (real)0.999, .eps = (real)1e-8};
const ParamGroup ADAMW_DEFAULTS = {.rule = "AdamW", .lr = (real)1e-3, .weight_decay = (real)0.01,
                                   .beta1 = (real)0.9, .beta2 = (real)0.999, .eps = (real)1e-8};

static const OptimizerType adam_type = {.name = "Adam", .slots = 3, .update = adam_update,
                                        .needs = adam_needs};
static const OptimizerType adamw_type = {.name = "AdamW", .slots = 3, .update = adamw_update,
                                         .needs = adam_needs};

Optimizer *adam_new(Module *net, real lr)
{
    ParamGroup settings = ADAM_DEFAULTS;
    settings.lr = lr;
    return optimizer_new_with(net, &adam_type, settings, "adam_new");
}

Optimizer *adam_new_with(Module *net, ParamGroup settings)
{
    return slope_optimizer_from(net, &adam_type, settings, "ADAM_DEFAULTS", "adam_new_with");
}

Optimizer *adamw_new(Module *net, real lr)
{
    ParamGroup settings = ADAMW_DEFAULTS;
    settings.lr = lr;
    return optimizer_new_with(net, &adamw_type, settings, "adamw_new");
}

Optimizer *adamw_new_with(Module *net, ParamGroup settings)
{
    return slope_optimizer_from(net, &adamw_type, settings, "ADAMW_DEFAULTS", "adamw_new_with");
}
