/* lessons/assignments/a3_rmsprop/services.c -- what the judge can ask of RMSprop.
 *
 * Settings are sent as SERVICES_SETTINGS numbers: lr, alpha, eps, weight_decay, momentum, centered.
 * The gradients of a parameter are one tensor with one row per step; in a row that begins with NaN,
 * the parameter has no gradient. The answer to every training is the parameter after each step, in
 * a tensor of the same shape as its gradients.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rmsprop.h"

#include <math.h>

#include "lessons/assignments/solver/solver.h"

enum { SERVICES_SETTINGS = 6, SERVICES_PARAMS = 3 };

static void services_set(ParamGroup *group, const double *number)
{
    group->lr = (real)number[0];
    group->own[RMSPROP_ALPHA] = (real)number[1];
    group->eps = (real)number[2];
    group->weight_decay = (real)number[3];
    group->momentum = (real)number[4];
    group->own[RMSPROP_CENTERED] = (real)number[5];
}

/* --- a parameter in training ------------------------------------------------------------------ */

typedef struct Training {
    Var          *param;
    const Tensor *g;    /* (steps,n) */
    Tensor       *path; /* (steps,n): what param was after each step */
} Training;

static Training services_training(Var *param, const Tensor *g)
{
    return (Training){param, g, tensor_new(g->shape)};
}

/* Gives the parameter its gradient of this step, if it has one. */
static void services_gradient(Training *t, ptrdiff_t step)
{
    const real *row = tensor_read(t->g) + step * t->g->shape.dim[1];
    if (!isnan(row[0]))
        t->param->grad = tensor_from(var_shape(t->param), row);
}

static void services_record(Training *t, ptrdiff_t step)
{
    ptrdiff_t n = t->g->shape.dim[1];
    const real *theta = tensor_read(t->param->value);
    for (ptrdiff_t i = 0; i < n; i++)
        tensor_write(t->path)[step * n + i] = theta[i];
}

/* One step of an optimizer of these parameters. */
static void services_step(Optimizer *opt, Training *t, int params, ptrdiff_t step)
{
    optimizer_zero_grad(opt);
    for (int i = 0; i < params; i++)
        services_gradient(&t[i], step);
    optimizer_step(opt);
    for (int i = 0; i < params; i++)
        services_record(&t[i], step);
}

static void services_answer(Message *answer, Training *t, int params)
{
    for (int i = 0; i < params; i++) {
        message_add_tensor(answer, t[i].path);
        tensor_free(t[i].path);
    }
}

/* A module with one parameter, theta. */
static Module *services_holder(const Tensor *theta)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    module_add_param(m, "weight", tensor_clone(theta));
    return m;
}

/* --- services --------------------------------------------------------------------------------- */

/* What rmsprop_new sets: lr, the other five settings, dampening, and the characters of the names
 * that the type declares, each followed by 0. */
static void services_defaults(const Message *call, Message *answer)
{
    Module *m = services_holder(call->tensor[0]);
    Optimizer *opt = rmsprop_new(m, (real)call->number[0]);
    const ParamGroup *g = &opt->group[0];
    const real value[] = {g->lr, g->own[RMSPROP_ALPHA], g->eps, g->weight_decay, g->momentum,
                          g->own[RMSPROP_CENTERED]};
    for (int i = 0; i < SERVICES_SETTINGS; i++)
        message_add_number(answer, (double)value[i]);
    for (int k = 0; k < OPTIMIZER_OWN && opt->type->own[k].name; k++)
        for (int i = 0; i == 0 || (opt->type->own[k].name[i - 1] && i < 12); i++)
            message_add_number(answer, opt->type->own[k].name[i]);
    optimizer_free(opt);
    module_free(m);
}

/* What a checkpoint restores: the slots of a parameter, and how many steps it has had. An empty
 * tensor stands for a slot that the checkpoint lacks. */
static void services_restore(ParamState *p, const Message *call)
{
    p->step = (int64_t)call->number[0];
    for (int k = 0; k < OPTIMIZER_SLOTS && 2 + k < call->tensors; k++) {
        const Tensor *saved = call->tensor[2 + k];
        tensor_free(p->slot[k]);
        p->slot[k] = tensor_count(saved) > 0 ? tensor_clone(saved) : NULL;
    }
}

/* Trains theta = tensor 0 with gradients = tensor 1. The numbers are the steps that the slots,
 * tensors 2 to 4, have had before, and then, for each segment of the training, its length and its
 * settings. Also answers with the slots, and with the number of slots that a checkpoint saves. */
static void services_train(const Message *call, Message *answer)
{
    Module *m = services_holder(call->tensor[0]);
    Optimizer *opt = rmsprop_new(m, (real)call->number[2]);
    Training t = services_training(module_param(m, "weight"), call->tensor[1]);
    services_restore(&opt->state[0], call);
    ptrdiff_t step = 0;
    for (int k = 1; k + SERVICES_SETTINGS < call->numbers; k += 1 + SERVICES_SETTINGS) {
        services_set(&opt->group[0], &call->number[k + 1]);
        for (ptrdiff_t end = step + (ptrdiff_t)call->number[k]; step < end; step++)
            services_step(opt, &t, 1, step);
    }
    services_answer(answer, &t, 1);
    for (int k = 0; k < OPTIMIZER_SLOTS; k++)
        message_add_tensor(answer, opt->state[0].slot[k]);
    message_add_number(answer, opt->type->slots);
    optimizer_free(opt);
    module_free(m);
}

/* Two optimizers, whose steps alternate: theta and gradients of the first, then of the second. */
static void services_two(const Message *call, Message *answer)
{
    Module *m[2];
    Optimizer *opt[2];
    Training t[2];
    for (int i = 0; i < 2; i++) {
        m[i] = services_holder(call->tensor[2 * i]);
        opt[i] = rmsprop_new(m[i], (real)call->number[SERVICES_SETTINGS * i]);
        services_set(&opt[i]->group[0], &call->number[SERVICES_SETTINGS * i]);
        t[i] = services_training(module_param(m[i], "weight"), call->tensor[2 * i + 1]);
    }
    for (ptrdiff_t step = 0; step < call->tensor[1]->shape.dim[0]; step++)
        for (int i = 0; i < 2; i++)
            services_step(opt[i], &t[i], 1, step);
    services_answer(answer, t, 2);
    for (int i = 0; i < 2; i++)
        optimizer_free(opt[i]), module_free(m[i]);
}

/* A network with a PReLU: theta and gradients of 0.weight (3,2), 0.bias (3) and 1.weight (3). The
 * numbers are the settings of all parameters. Those of the slopes, if they follow, replace what
 * optimizer_no_decay_on_slopes has set. */
static void services_network(const Message *call, Message *answer)
{
    Module *net = SEQUENTIAL(linear_new(2, 3), prelu_new(3, (real)0.25));
    Optimizer *opt = rmsprop_new(net, (real)call->number[0]);
    Training t[SERVICES_PARAMS];
    services_set(&opt->group[0], call->number);
    ParamGroup *slopes = optimizer_no_decay_on_slopes(opt);
    if (call->numbers > SERVICES_SETTINGS)
        services_set(slopes, &call->number[SERVICES_SETTINGS]);
    for (int i = 0; i < SERVICES_PARAMS; i++) {
        Var *param = opt->state[i].param.var;
        tensor_copy(param->value, call->tensor[2 * i]);
        t[i] = services_training(param, call->tensor[2 * i + 1]);
    }
    for (ptrdiff_t step = 0; step < t[0].g->shape.dim[0]; step++)
        services_step(opt, t, SERVICES_PARAMS, step);
    services_answer(answer, t, SERVICES_PARAMS);
    optimizer_free(opt);
    module_free(net);
}

const Service solver_services[] = {
    {"defaults", services_defaults}, {"train", services_train},
    {"two", services_two},           {"network", services_network},
    {NULL, NULL},
};
