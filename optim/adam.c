/* optim/adam.c -- Adam and AdamW, one pass over p, g, m and v.
 *
 *      m <- beta1 m + (1 - beta1) g             theta <- theta - lr m' / (sqrt(v') + eps)
 *      v <- beta2 v + (1 - beta2) g^2           m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <tgmath.h>

#include "optim/optimizer.h"
#include "tensor/parallel.h"

enum { ADAM_BLOCK = 16384 };

typedef struct Adam {
    real  beta1, beta2, eps, l2, shrink;
    real  rate;      /* lr / (1 - beta1^t) */
    real  root_bias; /* sqrt(1 - beta2^t) */
    real *theta, *m, *v, *v_max; /* v_max NULL without AMSGrad */
    const real *g;
} Adam;

/* Moves both running means of element i, whose parameter is theta; returns v, and m through *m. */
static inline real adam_means(const Adam *a, ptrdiff_t i, real theta, real *m)
{
    real g = a->g[i] + a->l2 * theta;
    *m = a->m[i] = a->beta1 * a->m[i] + (1 - a->beta1) * g;
    return a->v[i] = a->beta2 * a->v[i] + (1 - a->beta2) * g * g;
}

static void adam_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Adam a = *(const Adam *)ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        real theta = a.theta[i] * a.shrink, m, v = adam_means(&a, i, theta, &m);
        a.theta[i] = theta - a.rate * m / (sqrt(v) / a.root_bias + a.eps);
    }
}

static void adam_block_amsgrad(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Adam a = *(const Adam *)ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        real theta = a.theta[i] * a.shrink, m, v = adam_means(&a, i, theta, &m);
        v = a.v_max[i] = v <= a.v_max[i] ? a.v_max[i] : v; /* lets a NaN through */
        a.theta[i] = theta - a.rate * m / (sqrt(v) / a.root_bias + a.eps);
    }
}

/* l2 joins the gradient (Adam), decoupled shrinks the parameter first (AdamW). */
static void adam_run(const ParamGroup *o, ParamState *p, real l2, real decoupled)
{
    double t = (double)p->step;
    double bias1 = 1 - pow((double)o->beta1, t), bias2 = 1 - pow((double)o->beta2, t);
    Adam a = {.beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps, .l2 = l2,
              .shrink = 1 - o->lr * decoupled,
              .rate = (real)((double)o->lr / bias1), .root_bias = (real)sqrt(bias2),
              .g = tensor_read(p->param.var->grad)};
    a.m = tensor_write(param_slot(p, 0));
    a.v = tensor_write(param_slot(p, 1));
    a.v_max = o->amsgrad ? tensor_write(param_slot(p, 2)) : NULL;
    a.theta = tensor_write(p->param.var->value);
    parallel_for(tensor_count(p->param.var->value), ADAM_BLOCK,
                 o->amsgrad ? adam_block_amsgrad : adam_block, &a);
}

static void adam_update(const ParamGroup *group, ParamState *p)
{
    adam_run(group, p, group->weight_decay, 0);
}

static void adamw_update(const ParamGroup *group, ParamState *p)
{
    adam_run(group, p, 0, group->weight_decay);
}

static Optimizer *adam_make(Module *net, const OptimizerType *type, real lr, real weight_decay)
{
    Optimizer *opt = optimizer_new(net, type, lr);
    ParamGroup *g = &opt->group[0];
    g->beta1 = (real)0.9, g->beta2 = (real)0.999, g->eps = (real)1e-8;
    g->weight_decay = weight_decay;
    optimizer_make_slots(opt, 2); /* m and v */
    return opt;
}

Optimizer *adam_new(Module *net, real lr)
{
    static const OptimizerType type = {"Adam", 3, adam_update};
    return adam_make(net, &type, lr, 0);
}

Optimizer *adamw_new(Module *net, real lr)
{
    static const OptimizerType type = {"AdamW", 3, adamw_update};
    return adam_make(net, &type, lr, (real)0.01);
}
