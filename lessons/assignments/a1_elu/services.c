/* lessons/assignments/a1_elu/services.c -- what the judge can ask of ELU and SELU.
 *
 * Wherever a call has a number, it is alpha, and the op is ELU; without a number it is SELU.
 *
 * SPDX-License-Identifier: MIT
 */
#include "elu.h"

#include "lessons/assignments/solver/solver.h"

/* Fails unless y was computed by this op, not composed of others. */
static Var *services_own(Var *y, const Op *op)
{
    const char *name = op == &op_elu ? "elu" : "selu";
    if (y->op != op)
        slope_fail(op == &op_elu ? "var_elu" : "var_selu", "its result was not computed by "
                   "op_%s, but composed of other ops: write the op, and apply it with %s", name,
                   op == &op_elu ? "var_apply_with(&op_elu, ...)" : "var_apply_like(&op_selu, x)");
    return y;
}

static const Op *services_op(const Message *call)
{
    return call->numbers > 0 ? &op_elu : &op_selu;
}

static Var *services_apply(const Message *call, Var *x)
{
    Var *y = call->numbers > 0 ? var_elu(x, (real)call->number[0]) : var_selu(x);
    return services_own(y, services_op(call));
}

/* y, for x = tensor 0. */
static void services_value(const Message *call, Message *answer)
{
    message_add_tensor(answer, services_apply(call, var_leaf(call->tensor[0]))->value);
}

/* gx, for x = tensor 0 and gy = tensor 1. */
static void services_gradient(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]);
    var_backward_with(services_apply(call, x), var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* gx of ELU with the first alpha, computed after ELU was applied with the second. */
static void services_both(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]), *y = services_apply(call, x);
    var_elu(x, (real)call->number[1]);
    var_backward_with(y, var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* gx of y + y. */
static void services_twice(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]), *y = services_apply(call, x);
    var_backward_with(var_add(y, y), var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* The gradients of <v, gx> with respect to x and gy, for v = tensor 2. */
static void services_second(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]), *gy = var_leaf(call->tensor[1]), *g[1], *gg[2];
    Var *y = services_apply(call, x);
    var_grad(var_dot(y, gy), VARS(x), CREATE_GRAPH, g);
    if (!g[0] || !g[0]->requires_grad)
        return;
    var_grad(var_dot(g[0], var_const(call->tensor[2])), VARS(x, gy), GRAD_ONLY, gg);
    message_add_tensor(answer, gg[0] ? gg[0]->value : NULL);
    message_add_tensor(answer, gg[1] ? gg[1]->value : NULL);
}

/* The op's own sample, called with the judge's x; the inputs that op_check draws for it; and the
 * branch hash of the result, in two halves that a double holds exactly. */
static void services_sample(const Message *call, Message *answer)
{
    const Op *op = services_op(call);
    Var *x = var_leaf(call->tensor[0]), *in[OP_SAMPLE_INPUTS];
    if (!op->sample.call || op->sample.n_in != 1 || !op->branch_hash)
        return;
    Var *y = services_own(op->sample.call(&x), op);
    uint64_t hash = op->branch_hash(y);
    op_sample_inputs(&op->sample, GRADCHECK_DEFAULTS.seed, in);
    message_add_tensor(answer, y->value);
    message_add_tensor(answer, in[0]->value);
    message_add_number(answer, (double)(hash >> 32));
    message_add_number(answer, (double)(hash & 0xffffffff));
}

const Service solver_services[] = {
    {"value", services_value}, {"gradient", services_gradient}, {"both", services_both},
    {"twice", services_twice}, {"second", services_second},     {"sample", services_sample},
    {NULL, NULL},
};
