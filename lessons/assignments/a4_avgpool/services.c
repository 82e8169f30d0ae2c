/* lessons/assignments/a4_avgpool/services.c -- what the judge can call in a submission.
 *
 * The numbers of a call are: which of the two ops is meant, 0 for pooling or 1 for its adjoint;
 * kernel, stride and padding, a pair each; count_include_pad; what unused memory is filled with, so
 * that a result that was not cleared is noticed; and the sizes of x, the unpooled tensor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "avgpool.h"

#include "lessons/assignments/solver/solver.h"

enum { AVGPOOL_SIZES = 9 }; /* the sizes of x are numbers 9, 10 … */

static Shape avgpool_shape(const Message *call)
{
    Shape x = {.ndim = call->numbers - AVGPOOL_SIZES};
    for (int d = 0; d < x.ndim; d++)
        x.dim[d] = (ptrdiff_t)call->number[AVGPOOL_SIZES + d];
    return x;
}

/* Fills and frees tensors of x's size: the next tensors of that size reuse their memory. */
static void avgpool_fill_memory(const Message *call)
{
    Tensor *x[WIRE_TENSORS];
    for (int i = 0; i < WIRE_TENSORS; i++)
        x[i] = tensor_full(avgpool_shape(call), (real)call->number[8]);
    for (int i = 0; i < WIRE_TENSORS; i++)
        tensor_free(x[i]);
}

static const Op *avgpool_op(const Message *call)
{
    return call->number[0] == 0 ? &op_avg_pool2d : &op_avg_pool2d_scatter;
}

/* Fails if y was computed by an op other than the one that is meant. */
static Var *avgpool_own(const Message *call, Var *y)
{
    if (y->op != avgpool_op(call))
        slope_fail(call->number[0] == 0 ? "var_avg_pool2d" : "var_avg_pool2d_scatter",
                   "its result was composed of other ops: the last step must be your own op, "
                   "applied with var_apply_with");
    return y;
}

static Var *avgpool_apply(const Message *call, Var *in)
{
    Pool2dOptions o;
    for (int i = 0; i < 2; i++) {
        o.kernel[i] = (ptrdiff_t)call->number[1 + i];
        o.stride[i] = (ptrdiff_t)call->number[3 + i];
        o.padding[i] = (ptrdiff_t)call->number[5 + i];
    }
    avgpool_fill_memory(call);
    bool count_include_pad = call->number[7] != 0;
    if (call->number[0] == 0)
        return avgpool_own(call, var_avg_pool2d(in, o, count_include_pad));
    Shape x = avgpool_shape(call);
    return avgpool_own(call, var_avg_pool2d_scatter(in, x, o, count_include_pad));
}

/* The op's result for tensor 0. */
static void avgpool_value(const Message *call, Message *answer)
{
    message_add_tensor(answer, avgpool_apply(call, var_leaf(call->tensor[0]))->value);
}

/* The gradient with respect to tensor 0, if that with respect to the result is tensor 1. */
static void avgpool_gradient(const Message *call, Message *answer)
{
    Var *x = var_leaf(call->tensor[0]);
    var_backward_with(avgpool_apply(call, x), var_const(call->tensor[1]));
    message_add_tensor(answer, x->grad);
}

/* Differentiates repeatedly. Begins with the result y for tensor 0; then, for each of the following
 * tensors u, replaces y by the derivative of <u, y> with respect to the tensor before u. */
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

/* What the op's sample returns for tensor 0; the sample's number of inputs, their range, and the
 * shape of the first. */
static void avgpool_sample(const Message *call, Message *answer)
{
    const Op *op = avgpool_op(call);
    const OpSampleInput *in = &op->sample.in[0];
    Var *x[OP_SAMPLE_INPUTS] = {var_leaf(call->tensor[0])};
    avgpool_fill_memory(call);
    Var *y = op->sample.call ? avgpool_own(call, op->sample.call(x)) : NULL;
    message_add_tensor(answer, y ? y->value : NULL);
    message_add_number(answer, op->sample.n_in);
    message_add_number(answer, (double)in->low), message_add_number(answer, (double)in->high);
    for (int d = 0; d < in->shape.ndim; d++)
        message_add_number(answer, (double)in->shape.dim[d]);
}

const Service solver_services[] = {
    {"value", avgpool_value}, {"gradient", avgpool_gradient}, {"chain", avgpool_chain},
    {"sample", avgpool_sample}, {NULL, NULL},
};
