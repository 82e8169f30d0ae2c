/* optim/optimizer.h -- from gradients to new parameters.
 *
 *  - An Optimizer holds every parameter of a module, in groups with their own settings, and its
 *    rule's state for each parameter (momentum, running means).
 *  - A step updates the parameters that have a gradient. It leaves the others, such as frozen ones
 *    (module_freeze), alone: they do not decay, and their steps are not counted.
 *  - Learned slopes should not decay (weight decay pulls them towards 0, that is, towards ReLU):
 *    optimizer_no_decay_on_slopes puts them into a group without it.
 *
 *      Optimizer *opt = adamw_new(net, (real)1e-3);
 *      optimizer_no_decay_on_slopes(opt);
 *      …
 *      optimizer_zero_grad(opt);
 *      var_backward(loss_of(net, batch));
 *      optimizer_step(opt);
 *      …
 *      optimizer_free(opt);        // before module_free(net)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_OPTIMIZER_H
#define SLOPE_OPTIM_OPTIMIZER_H

#include "nn/module.h"

SLOPE_C_BEGIN

/* The largest numbers of groups, of slots per parameter, and of settings that a rule declares. */
enum { OPTIMIZER_GROUPS = 8, OPTIMIZER_SLOTS = 3, OPTIMIZER_OWN = 4 };

/* Settings of a group. A rule uses some of them and ignores the rest. Every number must be finite
 * and, except in .own, 0 or more; otherwise the constructors, optimizer_set_lr and every step
 * fail. */
typedef struct ParamGroup {
    char name[32];
    real lr;           /* learning rate */
    real weight_decay; /* lambda: L2 for SGD and Adam, decoupled for AdamW */
    real momentum, dampening; /* SGD; dampening < 1 */
    bool nesterov;            /* SGD; needs momentum > 0 and dampening 0 */
    real beta1, beta2, eps;   /* Adam, AdamW; beta1, beta2 < 1 */
    bool amsgrad;             /* Adam, AdamW */
    real own[OPTIMIZER_OWN];  /* those that the rule's OptimizerType declares; may be < 0 */
    const char *rule;         /* set in SGD_DEFAULTS, ADAM_DEFAULTS and ADAMW_DEFAULTS */
} ParamGroup;

/* A parameter and the rule's state for it. */
typedef struct ParamState {
    Parameter param;
    int       group;
    int64_t   step;      /* updates so far */
    int64_t   slot_step; /* the value of `step` when the newest slot was allocated */
    Tensor   *slot[OPTIMIZER_SLOTS]; /* of the parameter's shape, or NULL before its first use */
} ParamState;

/* A run of elements of one parameter, for a rule to update: theta from g and the slots. A step
 * divides all parameters into runs and distributes them over the threads. */
typedef struct ParamRun {
    ptrdiff_t   n;     /* elements of each array below */
    int64_t     step;  /* the parameter's step, from 1 */
    bool        fresh; /* the first step, or the first with these slots? If so, they are zero */
    real       *theta;
    const real *g;
    real       *slot[OPTIMIZER_SLOTS]; /* NULL beyond those that the rule needs */
} ParamRun;

/* A rule. `update` is a loop over run->n elements; it may run on any thread, so it must not call
 * anything that can fail.
 *
 *      // theta <- theta - lr sign(g)
 *      static void sign_update(const ParamGroup *group, const ParamRun *run)
 *      {
 *          for (ptrdiff_t i = 0; i < run->n; i++)
 *              run->theta[i] -= group->lr * (real)((run->g[i] > 0) - (run->g[i] < 0));
 *      }
 *      static const OptimizerType sign = {.name = "Sign", .update = sign_update};
 *
 * If ParamGroup lacks a setting that the rule uses, declare it with its default: each group then
 * has a value of its own, which checkpoints save and load under the setting's name.
 *
 *      // theta <- theta - lr g / (|g| + softness)
 *      enum { SOFTNESS };
 *      static void soft_sign_update(const ParamGroup *group, const ParamRun *run)
 *      {
 *          real softness = group->own[SOFTNESS];
 *          …
 *      }
 *      static const OptimizerType soft_sign = {.name = "SoftSign", .update = soft_sign_update,
 *                                              .own = {[SOFTNESS] = {"softness", (real)0.5}}};
 *      …
 *      opt->group[0].own[SOFTNESS] = (real)0.25;                              */
typedef struct OptimizerType {
    const char *name;
    int         slots; /* the most it can need; all that exist are saved in a checkpoint */
    void (*update)(const ParamGroup *group, const ParamRun *run);
    int (*needs)(const ParamGroup *group); /* slots needed with these settings; NULL: `slots` */
    struct {
        const char *name; /* 1 to 31 bytes, unique, and not the name of a field of ParamGroup */
        real        value; /* the default */
    } own[OPTIMIZER_OWN]; /* ends before the first without a name */
} OptimizerType;

typedef struct Optimizer {
    const OptimizerType *type;
    const Module *module; /* the one it was created from; compared, never read */
    ParamGroup  group[OPTIMIZER_GROUPS];
    int         n_groups;
    ParamState *state;
    int         n_params;
    struct StepPart *part; /* the current step: see optim/optimizer.c */
    struct { /* the tape at the last step, which shows whether it was rewound since */
        size_t     mark;
        const Var *end; /* its last Var, … */
        uint32_t   generation;
        int        grown; /* … and how many consecutive steps have found it still there */
    } tape;
} Optimizer;

/* --- rules; each starts with one group of all parameters -------------------------------------- */

/* PyTorch's defaults, including an lr of .001. sgd_new, adam_new and adamw_new start with these and
 * change only the settings that are their arguments. To change others, pass a changed copy to
 * sgd_new_with, adam_new_with or adamw_new_with, which fail unless the settings started as a copy
 * of the rule's defaults:
 *
 *      ParamGroup settings = SGD_DEFAULTS;
 *      settings.lr = (real)0.1, settings.weight_decay = (real)5e-4;
 *      Optimizer *opt = sgd_new_with(net, settings);                          */
extern const ParamGroup SGD_DEFAULTS, ADAM_DEFAULTS, ADAMW_DEFAULTS;

/* theta <- theta - lr d;  d = g + weight_decay theta, with momentum mu: b <- mu b + (1-dampening) d
 * (b = d the first time), and d = b, or d + mu b for Nesterov. By default there is no momentum and
 * no decay. */
Optimizer *sgd_new(Module *net, real lr, real momentum);
Optimizer *sgd_new_with(Module *net, ParamGroup settings);

/* Kingma and Ba, arXiv:1412.6980. beta .9 and .999, eps 1e-8 outside the root, no decay; amsgrad
 * uses the running maximum of the uncorrected v (Reddi, Kale, Kumar, 2018). */
Optimizer *adam_new(Module *net, real lr);
Optimizer *adam_new_with(Module *net, ParamGroup settings);

/* Loshchilov and Hutter, arXiv:1711.05101: first theta <- theta (1 - lr weight_decay), then Adam
 * without decay. weight_decay starts at .01. */
Optimizer *adamw_new(Module *net, real lr);
Optimizer *adamw_new_with(Module *net, ParamGroup settings);

/* For your own rule: one group, in which the settings that the rule declares have their defaults,
 * and all others except lr are 0. Fails if the rule declares an invalid name or default. */
Optimizer *optimizer_new(Module *net, const OptimizerType *type, real lr);

/* The same with these settings, such as (ParamGroup){.lr = lr, .weight_decay = decay}. Leave out
 * .name, and .own, which is set to the defaults that the rule declares. Messages name `function`,
 * the constructor that calls this function. */
Optimizer *optimizer_new_with(Module *net, const OptimizerType *type, ParamGroup settings,
                              const char *function);
void optimizer_free(Optimizer *opt);

/* Fails, naming `function`, unless opt can train net: it must hold at least one of net's parameters
 * and all of those that net shares with the module from which opt was created. So an optimizer of a
 * part of net (a new head, say) passes; one of a different network does not, nor does one that was
 * created before a layer was added. */
void optimizer_check_covers(const Optimizer *opt, Module *net, const char *function);

/* --- groups: optim/groups.c ------------------------------------------------------------------- */

/* Moves the parameters for which the predicate holds into a new group, which starts with the
 * settings of the first group, and returns it. Fails if it holds for no parameter, or for one
 * that an earlier split has moved. */
ParamGroup *optimizer_split(Optimizer *opt, const char *name, ParameterPredicate predicate);

/* Puts the slopes of all PReLUs into a group of their own, "slopes", without weight decay. Call it
 * before any other split whose predicate holds for a slope. If the network has no PReLU, the group
 * is empty, and a warning says so once per process. */
ParamGroup *optimizer_no_decay_on_slopes(Optimizer *opt);

/* --- every step ------------------------------------------------------------------------------- */

/* Frees all gradients. Call it before the forward pass: the step then reuses their memory, and
 * after the first step nothing is allocated. */
void optimizer_zero_grad(Optimizer *opt);

/* Updates the parameters that have a gradient, and does nothing if none has one: a batch may leave
 * a part of a network unused. Each of three mistakes is warned about at most once per process: no
 * parameter has a gradient, although not all are frozen, and none has ever been updated; a gradient
 * still includes one that the last step used; the tape was not rewound during the last 64 steps. */
void optimizer_step(Optimizer *opt);

/* Scales all gradients together so that their norm (the root of the sum of all squares) is at most
 * max_norm. Returns the norm before scaling: check it, because Inf and NaN are not repaired. */
double optimizer_clip_norm(Optimizer *opt, double max_norm);

/* Sets the learning rate of every group. */
void optimizer_set_lr(Optimizer *opt, real lr);

/* --- for a rule ------------------------------------------------------------------------------- */

/* Allocates the slots that the rule needs, filled with zeros, for every parameter. optimizer_new
 * calls it; call it again after changing a setting that makes the rule need more. A step allocates
 * what is missing, but in the first step that would take buffers from the pool which the second
 * step would then lack. */
void optimizer_make_slots(Optimizer *opt);

SLOPE_C_END

#endif
