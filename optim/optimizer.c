/* optim/optimizer.c -- groups, clipping, and calling the rule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/optimizer.h"

#include <math.h>

#include "tensor/memory.h"

Optimizer *optimizer_new(Module *net, const OptimizerType *type, real lr)
{
    if (!(lr >= 0))
        slope_fail("optimizer_new", "the learning rate is %g; expected 0 or more", (double)lr);
    Parameters list = module_parameters(net);
    Optimizer *opt = memory_new(sizeof *opt);
    opt->type = type;
    opt->group[0] = (ParamGroup){.name = "all", .lr = lr};
    opt->n_groups = 1;
    opt->n_params = list.count;
    opt->state = memory_new_array((size_t)list.count, sizeof *opt->state);
    for (int i = 0; i < list.count; i++)
        opt->state[i].param = list.item[i];
    parameters_free(&list);
    return opt;
}

void optimizer_free(Optimizer *opt)
{
    if (!opt)
        return;
    for (int i = 0; i < opt->n_params; i++)
        for (int k = 0; k < OPTIMIZER_SLOTS; k++)
            tensor_free(opt->state[i].slot[k]);
    memory_free(opt->state);
    memory_free(opt);
}

/* --- groups ----------------------------------------------------------------------------------- */

ParamGroup *optimizer_split(Optimizer *opt, const char *name, ParameterPredicate predicate)
{
    if (opt->n_groups == OPTIMIZER_GROUPS)
        slope_fail("optimizer_split", "an optimizer has at most %d groups", OPTIMIZER_GROUPS);
    int g = opt->n_groups++;
    opt->group[g] = opt->group[0];
    snprintf(opt->group[g].name, sizeof opt->group[g].name, "%s", name);
    for (int i = 0; i < opt->n_params; i++)
        if (predicate(&opt->state[i].param))
            opt->state[i].group = g;
    return &opt->group[g];
}

ParamGroup *optimizer_no_decay_on_slopes(Optimizer *opt)
{
    ParamGroup *slopes = optimizer_split(opt, "slopes", parameter_is_slope);
    slopes->weight_decay = 0;
    return slopes;
}

void optimizer_set_lr(Optimizer *opt, real lr)
{
    for (int g = 0; g < opt->n_groups; g++)
        opt->group[g].lr = lr;
}

/* --- every step ------------------------------------------------------------------------------- */

void optimizer_zero_grad(Optimizer *opt)
{
    for (int i = 0; i < opt->n_params; i++)
        var_zero_grad(opt->state[i].param.var);
}

Tensor *param_slot(ParamState *p, int k)
{
    if (!p->slot[k])
        p->slot[k] = tensor_zeros(var_shape(p->param.var));
    return p->slot[k];
}

void optimizer_make_slots(Optimizer *opt, int n)
{
    for (int i = 0; i < opt->n_params; i++)
        for (int k = 0; k < n; k++)
            param_slot(&opt->state[i], k);
}

void optimizer_step(Optimizer *opt)
{
    for (int i = 0; i < opt->n_params; i++) {
        ParamState *p = &opt->state[i];
        if (!p->param.var->grad)
            continue;
        p->step++;
        opt->type->update(&opt->group[p->group], p);
    }
}

/* --- clipping --------------------------------------------------------------------------------- */

/* In double, one parameter after the other: the same bits on any number of threads. */
static double optimizer_grad_norm(const Optimizer *opt)
{
    double squares = 0;
    for (int i = 0; i < opt->n_params; i++) {
        const Tensor *g = opt->state[i].param.var->grad;
        for (ptrdiff_t k = 0, n = g ? tensor_count(g) : 0; k < n; k++)
            squares += (double)tensor_read(g)[k] * (double)tensor_read(g)[k];
    }
    return sqrt(squares);
}

double optimizer_clip_norm(Optimizer *opt, double max_norm)
{
    if (!(max_norm >= 0))
        slope_fail("optimizer_clip_norm", "the largest norm is %g; expected 0 or more", max_norm);
    double norm = optimizer_grad_norm(opt);
    if (!(norm > max_norm))
        return norm;
    for (int i = 0; i < opt->n_params; i++) {
        Tensor *g = opt->state[i].param.var->grad;
        if (g)
            tensor_scale(g, g, (real)(max_norm / norm));
    }
    return norm;
}

void optimizer_clip_value(Optimizer *opt, real limit)
{
    for (int i = 0; i < opt->n_params; i++) {
        Tensor *g = opt->state[i].param.var->grad;
        real *p = g ? tensor_write(g) : NULL;
        for (ptrdiff_t k = 0, n = g ? tensor_count(g) : 0; k < n; k++)
            p[k] = p[k] > limit ? limit : p[k] < -limit ? -limit : p[k];
    }
}
