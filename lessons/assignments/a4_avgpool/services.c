/* lessons/assignments/a4_avgpool/services.c -- what the judge can call in a submission.
 *
 * The numbers of a call are: which of the two ops is meant, 0 the pooling or 1 its adjoint; kernel,
 * stride and padding, a pair each; count_include_pad; and the sizes of x, the unpooled tensor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "avgpool.h"

#include "lessons/assignments/solver/solver.h"

enum { AVGPOOL_SIZES = 8 }; /* the sizes of x are numbers 8, 9 … */

static Var *avgpool_apply(const Message *call, Var *in)
{
    ptrdiff_t n[WIRE_NUMBERS];
    for (int i = 0; i < call->numbers; i++)
        n[i] = (ptrdiff_t)call->number[i];
    Pool2dOptions o = {.kernel = {n[1], n[2]}, .stride = {n[3], n[4]}, .padding = {n[5], n[6]}};
    if (n[0] == 0)
        return var_avg_pool2d(in, o, n[7] != 0);
    Shape x = shape_new(call->numbers - AVGPOOL_SIZES, n + AVGPOOL_SIZES);
    return var_avg_pool2d_scatter(in, x, o, n[7] != 0);
}

/* The op's result for tensor 0. */
static void avgpool_value(const Message *call, Message *answer)
{
    message_add_tensor(answer, avgpool_apply(call, var_leaf(call->tensor[0]))->value);
}

/* The gradient of tensor 0, if the result's is tensor 1. */
static void avgpool_gradient(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]);
    var_backward_with(avgpool_apply(call, x), var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* Differentiates again and again. Begins with the result y for tensor 0; then, for each further
 * tensor u, in place of y comes the derivative of <u, y> with respect to the tensor before u. */
static void avgpool_chain(const Message *call, Message *answer)
{
    Var *before = var_leaf(call->tensor[0]), *y = avgpool_apply(call, before);
    for (int i = 1; i < call->tensors && y; i++) {
        Var *u = var_leaf(call->tensor[i]), *g = NULL;
        if (y->requires_grad)
            var_grad_with(y, u, VARS(before), CREATE_GRAPH, &g);
        y = g, before = u;
    }
    message_add_tensor(answer, y ? y->value : NULL);
}

/* What the op's sample returns for tensor 0; and its number of inputs, their range, and the shape
 * of the first. */
static void avgpool_sample(const Message *call, Message *answer)
{
    const Op *op = call->number[0] == 0 ? &op_avg_pool2d : &op_avg_pool2d_scatter;
    const OpSampleInput *in = &op->sample.in[0];
    Var *x[OP_SAMPLE_INPUTS] = {var_leaf(call->tensor[0])};
    message_add_tensor(answer, op->sample.call ? op->sample.call(x)->value : NULL);
    message_add_number(answer, op->sample.n_in);
    message_add_number(answer, (double)in->low), message_add_number(answer, (double)in->high);
    for (int d = 0; d < in->shape.ndim; d++)
        message_add_number(answer, (double)in->shape.dim[d]);
}

const Service solver_services[] = {
    {"value", avgpool_value}, {"gradient", avgpool_gradient}, {"chain", avgpool_chain},
    {"sample", avgpool_sample}, {NULL, NULL},
};
