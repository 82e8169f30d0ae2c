/* lessons/assignments/a6_rrelu/services.c -- what the judge can ask of RReLU.
 *
 * The calls of the op have five numbers: lower, upper, and the seed, stream and position of the
 * Rng. Those of the module have lower, upper, a seed and a list of forward passes
 * (services_forwards).
 *
 * SPDX-License-Identifier: MIT
 */
#include "rrelu.h"

#include "lessons/assignments/solver/solver.h"

/* --- the op ----------------------------------------------------------------------------------- */

/* Fails unless op_rrelu computed y; returns y. */
static Var *services_own(Var *y)
{
    if (y->op != &op_rrelu)
        slope_fail("var_rrelu", "its result is not computed by op_rrelu, but composed of other "
                   "ops: write the op, and apply it with var_apply_with(&op_rrelu, ...)");
    return y;
}

static Var *services_apply(const Message *call, Var *x)
{
    const double *n = call->number;
    Rng rng = {(uint64_t)n[2], (uint64_t)n[3], (uint64_t)n[4]};
    return services_own(var_rrelu(x, (real)n[0], (real)n[1], rng));
}

/* y, for x = tensor 0. */
static void services_value(const Message *call, Message *answer)
{
    message_add_tensor(answer, services_apply(call, var_leaf(call->tensor[0]))->value);
}

/* y and gx, for x = tensor 0 and gy = tensor 1. */
static void services_gradient(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]), *y = services_apply(call, x);
    message_add_tensor(answer, y->value);
    var_backward_with(y, var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* The same, with y used twice, and another RReLU applied before backward. */
static void services_both(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]), *y = services_apply(call, x);
    var_rrelu(x, (real)call->number[0], (real)call->number[1], rng_new(1, 2));
    message_add_tensor(answer, y->value);
    var_backward_with(var_add(y, y), var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* y and gx, and the gradients of <v, gx> with respect to x and gy, for v = tensor 2. */
static void services_second(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]), *gy = var_leaf(call->tensor[1]), *g[1], *gg[2];
    Var *y = services_apply(call, x);
    var_grad(var_dot(y, gy), VARS(x), CREATE_GRAPH, g);
    message_add_tensor(answer, y->value);
    message_add_tensor(answer, g[0] ? g[0]->value : NULL);
    if (!g[0] || !g[0]->requires_grad)
        return;
    var_grad(var_dot(g[0], var_const(call->tensor[2])), VARS(x, gy), GRAD_ONLY, gg);
    message_add_tensor(answer, gg[0] ? gg[0]->value : NULL);
    message_add_tensor(answer, gg[1] ? gg[1]->value : NULL);
}

/* The op's own sample, called with the judge's x, and the branch hash of the result in two halves,
 * which a double represents exactly. */
static void services_sample(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]);
    if (!op_rrelu.sample.call || op_rrelu.sample.n_in != 1 || !op_rrelu.branch_hash)
        return;
    Var *y = services_own(op_rrelu.sample.call(&x));
    uint64_t hash = op_rrelu.branch_hash(y);
    message_add_tensor(answer, y->value);
    message_add_number(answer, (double)(hash >> 32));
    message_add_number(answer, (double)(hash & 0xffffffff));
}

/* The inputs that op_check draws for the sample with seed number 0. */
static void services_sample_inputs(const Message *call, Message *answer)
{
    Var *in[OP_SAMPLE_INPUTS];
    op_sample_inputs(&op_rrelu.sample, (uint64_t)call->number[0], in);
    message_add_tensor(answer, in[0]->value);
}

/* --- the module ------------------------------------------------------------------------------- */

static void services_find_rng(const char *name, const ModulePart *part, void *ctx)
{
    (void)name;
    if (part->kind == PART_RNG)
        *(Rng **)ctx = part->rng;
}

/* The random stream of a module, or NULL. */
static Rng *services_rng(const Module *m)
{
    Rng *rng = NULL;
    module_visit(m, services_find_rng, &rng);
    return rng;
}

/* The state in halves of words, which a double represents exactly; nothing without a stream. */
static void services_add_state(const Module *m, Message *answer)
{
    const Rng *rng = services_rng(m);
    if (!rng)
        return;
    const uint64_t word[] = {rng->seed, rng->stream, rng->position};
    for (int i = 0; i < 3; i++) {
        message_add_number(answer, (double)(word[i] >> 32));
        message_add_number(answer, (double)(word[i] & 0xffffffff));
    }
}

static void services_set_state(Module *m, const double *half)
{
    uint64_t word[3];
    for (int i = 0; i < 3; i++)
        word[i] = (uint64_t)half[2 * i] << 32 | (uint64_t)half[2 * i + 1];
    Rng *rng = services_rng(m);
    if (rng)
        *rng = (Rng){word[0], word[1], word[2]};
}

static Var *services_forward(Module *m, Var *x, bool training)
{
    if (training)
        module_train(m);
    else
        module_eval(m);
    return module_forward(m, x);
}

/* Creates two modules after random_seed(number 2) and runs the forward passes that numbers 4, 5 ...
 * name: 0 and 1, the first and the second module in training; 2 and 3, the same in evaluation.
 * Number 3 is the index of one of them, counted from 0. Answers with y and gx of that pass, for
 * x = tensor 0 and gy = tensor 1, and with the first module's state after all passes. */
static void services_forwards(const Message *call, Message *answer)
{
    const double *n = call->number;
    size_t mark = tape_mark();
    random_seed((uint64_t)n[2]);
    Module *m[2] = {rrelu_new((real)n[0], (real)n[1])};
    m[1] = rrelu_new((real)n[0], (real)n[1]);
    Var *x = var_leaf(call->tensor[0]), *wanted = NULL;
    for (int i = 4; i < call->numbers; i++) {
        Var *y = services_forward(m[(int)n[i] % 2], x, n[i] < 2);
        wanted = i - 4 == (int)n[3] ? y : wanted;
    }
    var_backward_with(wanted, var_const(call->tensor[1]));
    message_add_tensor(answer, wanted->value);
    message_add_tensor(answer, x->grad);
    services_add_state(m[0], answer);
    tape_rewind(mark);
    module_free(m[0]), module_free(m[1]);
}

/* y of a new module in training, with the state in numbers 3 ... 8. */
static void services_resume(const Message *call, Message *answer)
{
    const double *n = call->number;
    size_t mark = tape_mark();
    random_seed((uint64_t)n[2]);
    Module *m = rrelu_new((real)n[0], (real)n[1]);
    services_set_state(m, n + 3);
    message_add_tensor(answer, services_forward(m, var_leaf(call->tensor[0]), true)->value);
    tape_rewind(mark);
    module_free(m);
}

/* Creates a module. */
static void services_new(const Message *call, Message *answer)
{
    (void)answer;
    module_free(rrelu_new((real)call->number[0], (real)call->number[1]));
}

const Service solver_services[] = {
    {"value", services_value},       {"gradient", services_gradient}, {"both", services_both},
    {"second", services_second},     {"sample", services_sample},     {"new", services_new},
    {"forwards", services_forwards}, {"resume", services_resume},
    {"sample inputs", services_sample_inputs},                        {NULL, NULL},
};
