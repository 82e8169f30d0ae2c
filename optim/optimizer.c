/* optim/optimizer.c -- creating an optimizer, clipping, and calling the rule.
 *
 * A network has a few large parameters and many small ones: biases, slopes. A step treats all their
 * elements as one long row and divides it into blocks of fixed size, so that the small ones need no
 * loops of their own, and calls the rule for each run in a block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/optimizer.h"

#include <math.h>

#include "autograd/record.h"
#include "optim/groups.h"
#include "tensor/cut.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum { OPTIMIZER_BLOCK = 16384, OPTIMIZER_PATIENCE = 64 };

/* A parameter that has a gradient. */
typedef struct StepPart {
    ParamState *state;
    ParamRun    run;   /* the whole parameter */
    ptrdiff_t   first; /* its position in the row of all */
} StepPart;

/* --- settings --------------------------------------------------------------------------------- */

static void param_groups_check(const OptimizerType *type, const ParamGroup *group, int n,
                               const char *function)
{
    char problem[PARAM_GROUP_PROBLEM];
    for (int i = 0; i < n; i++)
        if (!slope_param_group_check(type, &group[i], problem))
            slope_fail(function, "%s", problem);
}

/* --- creating and freeing --------------------------------------------------------------------- */

Optimizer *optimizer_new_with(Module *net, const OptimizerType *type, ParamGroup settings,
                              const char *function)
{
    if (!net || !type)
        slope_fail(function, "the %s is NULL", net ? "type" : "module");
    slope_param_defaults(type, &settings, function);
    param_groups_check(type, &settings, 1, function);
    Parameters list = module_parameters(net);
    if (list.count == 0) {
        parameters_free(&list);
        slope_fail(function, "%s has no parameters to train; create the optimizer after the "
                   "network is complete", net->type->name);
    }
    Optimizer *opt = memory_new(sizeof *opt);
    opt->type = type;
    opt->module = net;
    opt->group[0] = settings;
    snprintf(opt->group[0].name, sizeof opt->group[0].name, "all");
    opt->n_groups = 1;
    opt->n_params = list.count;
    opt->state = memory_new_array((size_t)list.count, sizeof *opt->state);
    opt->part = memory_new_array((size_t)list.count, sizeof *opt->part);
    for (int i = 0; i < list.count; i++)
        opt->state[i].param = list.item[i];
    parameters_free(&list);
    optimizer_make_slots(opt);
    return opt;
}

Optimizer *optimizer_new(Module *net, const OptimizerType *type, real lr)
{
    return optimizer_new_with(net, type, (ParamGroup){.lr = lr}, "optimizer_new");
}

void optimizer_free(Optimizer *opt)
{
    if (!opt)
        return;
    for (int i = 0; i < opt->n_params; i++)
        for (int k = 0; k < OPTIMIZER_SLOTS; k++)
            tensor_free(opt->state[i].slot[k]);
    memory_free(opt->part);
    memory_free(opt->state);
    memory_free(opt);
}

/* --- the network that it trains --------------------------------------------------------------- */

static bool optimizer_holds(const Optimizer *opt, const Var *param)
{
    for (int i = 0; i < opt->n_params; i++)
        if (opt->state[i].param.var == param)
            return true;
    return false;
}

/* The module `m` if it is in the tree of net, else NULL. Reads only net: m may have been freed. */
static Module *optimizer_module_in(Module *net, const Module *m)
{
    Module *found = net == m ? net : NULL;
    for (int i = 0; i < net->n_parts && !found; i++)
        if (net->part[i].kind == PART_CHILD)
            found = optimizer_module_in(net->part[i].child, m);
    return found;
}

/* Each parameter has one owner, so a module that shares any with net is a part of net or contains
 * it; what they share is the smaller of the two. */
void optimizer_check_covers(const Optimizer *opt, Module *net, const char *function)
{
    if (!opt || !net)
        slope_fail(function, "the %s is NULL", opt ? "network" : "optimizer");
    Module *part = optimizer_module_in(net, opt->module);
    Parameters shared = module_parameters(part ? part : net);
    char missing[MODULE_PATH] = "";
    bool holds_any = false;
    for (int i = shared.count - 1; i >= 0; i--)
        if (optimizer_holds(opt, shared.item[i].var))
            holds_any = true;
        else
            snprintf(missing, sizeof missing, "%s", shared.item[i].name);
    parameters_free(&shared);
    if (!holds_any)
        slope_fail(function, "the optimizer holds none of the network's parameters; create it "
                   "from this network, after its last layer has been added");
    if (missing[0])
        slope_fail(function, "the optimizer does not hold '%s', which was added to the network "
                   "later; create the optimizer after the network is complete", missing);
}

/* --- every step ------------------------------------------------------------------------------- */

/* Fails if the network, or a part of it, has been freed. */
static void optimizer_check(const Optimizer *opt, const char *function)
{
    if (!opt)
        slope_fail(function, "the optimizer is NULL");
    for (int i = 0; i < opt->n_params; i++)
        if (opt->state[i].param.var->generation % 2)
            slope_fail(function, "the parameter '%s' has been freed; free the optimizer before "
                       "the network", opt->state[i].param.name);
}

void optimizer_set_lr(Optimizer *opt, real lr)
{
    optimizer_check(opt, "optimizer_set_lr");
    param_groups_check(opt->type, &(ParamGroup){.lr = lr}, 1, "optimizer_set_lr");
    for (int g = 0; g < opt->n_groups; g++)
        opt->group[g].lr = lr;
}

void optimizer_zero_grad(Optimizer *opt)
{
    optimizer_check(opt, "optimizer_zero_grad");
    for (int i = 0; i < opt->n_params; i++)
        var_zero_grad(opt->state[i].param.var);
}

/* Allocates the slots that the parameter still lacks. */
static void param_make_slots(const Optimizer *opt, ParamState *p)
{
    for (int k = 0, n = slope_param_slots(opt, &opt->group[p->group]); k < n; k++)
        if (!p->slot[k]) {
            p->slot[k] = tensor_zeros(var_shape(p->param.var));
            p->slot_step = p->step;
        }
}

void optimizer_make_slots(Optimizer *opt)
{
    optimizer_check(opt, "optimizer_make_slots");
    for (int i = 0; i < opt->n_params; i++)
        param_make_slots(opt, &opt->state[i]);
}

/* --- the row of all parameters ---------------------------------------------------------------- */

typedef struct Step {
    const Optimizer *opt;
    int        n_parts;
    ptrdiff_t  count;   /* elements of all parts */
    double    *squares; /* clipping: the sum of g^2 in each block */
} Step;

/* The parameters that have a gradient, one after another. */
static Step step_new(const Optimizer *opt)
{
    Step s = {.opt = opt};
    for (int i = 0; i < opt->n_params; i++) {
        ParamState *p = &opt->state[i];
        const Tensor *g = p->param.var->grad;
        if (!g)
            continue;
        StepPart *part = &opt->part[s.n_parts++];
        *part = (StepPart){.state = p, .first = s.count};
        part->run.n = tensor_count(g), part->run.g = tensor_read(g);
        s.count += tensor_count(g);
    }
    return s;
}

/* The run that a part shares with elements [begin, end) of the row; n = 0 if there is none. */
static ParamRun step_run(const StepPart *part, ptrdiff_t begin, ptrdiff_t end)
{
    ParamRun run = part->run;
    ptrdiff_t from = max_size(0, begin - part->first);
    ptrdiff_t to = min_size(run.n, end - part->first);
    if (to <= from)
        return (ParamRun){0};
    run.n = to - from;
    run.g += from;
    run.theta = run.theta ? run.theta + from : NULL;
    for (int k = 0; k < OPTIMIZER_SLOTS; k++)
        run.slot[k] = run.slot[k] ? run.slot[k] + from : NULL;
    return run;
}

/* --- the step --------------------------------------------------------------------------------- */

static void step_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Step *s = ctx;
    for (int i = 0; i < s->n_parts; i++) {
        ParamRun run = step_run(&s->opt->part[i], begin, end);
        if (run.n > 0)
            s->opt->type->update(&s->opt->group[s->opt->part[i].state->group], &run);
    }
}

/* Called in a step in which no parameter has a gradient. Warns if no parameter has ever been
 * updated, unless all of them are frozen. */
static void step_watch_start(const Optimizer *opt)
{
    static atomic_bool warned;
    bool trains = false;
    for (int i = 0; i < opt->n_params; i++) {
        if (opt->state[i].step > 0)
            return;
        trains = trains || opt->state[i].param.var->requires_grad;
    }
    if (trains)
        slope_warn_once(&warned, "optimizer_step", "no parameter has ever had a gradient; before a "
                        "step, call optimizer_zero_grad, then var_backward on a loss that depends "
                        "on the parameters of the network that the optimizer was created from");
}

/* Warns if the gradient still includes one that an earlier step used. It does not if gradients are
 * accumulated over several backward passes before one step. */
static void step_watch_grad(const ParamState *p)
{
    static atomic_bool warned;
    p->param.var->grad_used = var_grad_mark(p->param.var);
    if (p->param.var->grad_stale)
        slope_warn_once(&warned, "optimizer_step", "the gradient of '%s' still includes the one "
                        "that the last step used; call optimizer_zero_grad between a step and the "
                        "next backward pass", p->param.name);
}

/* Warns if the tape was not rewound during the last OPTIMIZER_PATIENCE steps. Its length does not
 * show that: after a rewind it may grow longer than before, for a longer sequence, say. */
static void step_watch_tape(Optimizer *opt)
{
    static atomic_bool warned;
    size_t mark = tape_mark(), last = opt->tape.mark;
    const Var *end = last > 0 && last < mark ? tape_at(last - 1) : NULL;
    bool kept = end && end == opt->tape.end && end->generation == opt->tape.generation;
    opt->tape.grown = kept ? opt->tape.grown + 1 : 0;
    opt->tape.mark = mark;
    opt->tape.end = mark > 0 ? tape_at(mark - 1) : NULL;
    opt->tape.generation = mark > 0 ? opt->tape.end->generation : 0;
    if (opt->tape.grown == OPTIMIZER_PATIENCE)
        slope_warn_once(&warned, "optimizer_step", "the tape grew in each of the last %d steps and "
                        "now holds %zu values; call tape_mark before each forward pass, and "
                        "tape_rewind with that mark after the step", OPTIMIZER_PATIENCE, mark);
}

/* Counts the step and sets what the rule needs of the parameter. */
static void step_begin(StepPart *part)
{
    ParamState *p = part->state;
    ParamRun *run = &part->run;
    step_watch_grad(p);
    run->fresh = p->step == p->slot_step;
    run->step = ++p->step;
    run->theta = tensor_write(p->param.var->value);
    for (int k = 0; k < OPTIMIZER_SLOTS; k++)
        run->slot[k] = p->slot[k] ? tensor_write(p->slot[k]) : NULL;
}

void optimizer_step(Optimizer *opt)
{
    optimizer_check(opt, "optimizer_step");
    param_groups_check(opt->type, opt->group, opt->n_groups, "optimizer_step");
    Step s = step_new(opt);
    if (s.n_parts == 0) {
        step_watch_start(opt);
        return;
    }
    step_watch_tape(opt);
    for (int i = 0; i < s.n_parts; i++) /* all of them first: if one fails, no step has begun */
        param_make_slots(opt, opt->part[i].state);
    for (int i = 0; i < s.n_parts; i++)
        step_begin(&opt->part[i]);
    parallel_for(s.count, OPTIMIZER_BLOCK, step_block, &s);
}

/* --- clipping --------------------------------------------------------------------------------- */

/* The sum of g^2, in double, in lanes that vector registers can hold. */
static double clip_squares(const real *g, ptrdiff_t n)
{
    enum { LANES = 16 };
    double lane[LANES] = {0}, total = 0;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] += (double)g[i + j] * (double)g[i + j];
    for (; i < n; i++)
        total += (double)g[i] * (double)g[i];
    for (int j = 0; j < LANES; j++)
        total += lane[j];
    return total;
}

static void clip_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Step *s = ctx;
    double total = 0;
    for (int i = 0; i < s->n_parts; i++) {
        ParamRun run = step_run(&s->opt->part[i], begin, end);
        total += clip_squares(run.g, run.n);
    }
    s->squares[begin / OPTIMIZER_BLOCK] = total;
}

/* Blocks are added in order, so the norm has the same bits on any number of threads. */
static double optimizer_grad_norm(const Optimizer *opt)
{
    Step s = step_new(opt);
    ptrdiff_t blocks = ceil_div(s.count, OPTIMIZER_BLOCK);
    double total = 0;
    s.squares = memory_take((size_t)blocks * sizeof *s.squares);
    parallel_for(s.count, OPTIMIZER_BLOCK, clip_block, &s);
    for (ptrdiff_t b = 0; b < blocks; b++)
        total += s.squares[b];
    memory_give(s.squares, (size_t)blocks * sizeof *s.squares);
    return sqrt(total);
}

double optimizer_clip_norm(Optimizer *opt, double max_norm)
{
    optimizer_check(opt, "optimizer_clip_norm");
    if (!(max_norm >= 0))
        slope_fail("optimizer_clip_norm", "max_norm is %g; expected 0 or more", max_norm);
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
