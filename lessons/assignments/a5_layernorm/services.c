/* lessons/assignments/a5_layernorm/services.c -- what the judge can ask of a layer norm.
 *
 * The numbers of a call are eps; an option that each service explains; and the normalised shape.
 * Tensors named w and b may be missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "layernorm.h"

#include "lessons/assignments/solver/solver.h"

enum {
    SERVICES_SHAPE = 2,   /* the normalised shape is numbers 2, 3 … */
    SERVICES_UNSET = 1000 /* fills new memory in backward; the same as UNSET in expected.c */
};

static Shape services_normalised(const Message *call)
{
    Shape s = {.ndim = call->numbers - SERVICES_SHAPE};
    for (int d = 0; d < s.ndim; d++)
        s.dim[d] = (ptrdiff_t)call->number[SERVICES_SHAPE + d];
    return s;
}

/* --- the op ----------------------------------------------------------------------------------- */

/* Fails unless op_layer_norm computed y; returns y. */
static Var *services_own(Var *y)
{
    const Var *from = y;
    while (from->op == &op_reshape)
        from = from->in[0];
    if (from->op != &op_layer_norm)
        slope_fail("var_layer_norm", "its result is not computed by op_layer_norm, but composed "
                   "of other ops: write the op, and apply it with var_apply_with");
    return y;
}

static Var *services_apply(const Message *call, Var *x, Var *w, Var *b)
{
    return services_own(var_layer_norm(x, services_normalised(call), w, b, (real)call->number[0]));
}

/* Tensor i: a leaf if bit `bit` of the option is set, otherwise a constant; NULL if missing. */
static Var *services_input(const Message *call, int i, int bit)
{
    if (i >= call->tensors || !call->tensor[i])
        return NULL;
    return (int)call->number[1] >> bit & 1 ? var_leaf(call->tensor[i])
                                           : var_const(call->tensor[i]);
}

/* y, for x, w and b. */
static void services_value(const Message *call, Message *answer)
{
    Var *x = services_input(call, 0, 0);
    Var *y = services_apply(call, x, services_input(call, 1, 1), services_input(call, 2, 2));
    message_add_tensor(answer, y->value);
}

static Allocator services_heap;

static void *services_allocate(size_t bytes, void *ctx)
{
    real *block = services_heap.allocate(bytes, services_heap.ctx);
    for (size_t i = 0; block && i < bytes / sizeof *block; i++)
        block[i] = SERVICES_UNSET;
    return (void)ctx, block;
}

static void services_release(void *block, void *ctx)
{
    (void)ctx;
    services_heap.release(block, services_heap.ctx);
}

/* From now on, elements that are not set are SERVICES_UNSET. New memory is often 0, which would
 * hide that a sum is not set to 0 before anything is added to it. */
static void services_fill_memory(void)
{
    memory_trim();
    Allocator filling = {services_allocate, services_release, NULL};
    if (!services_heap.allocate)
        services_heap = memory_set_allocator(filling);
}

/* The gradients of x, w and b, for x, gy, w and b; bits 0, 1 and 2 of the option say which of them
 * are wanted. If `then` is given, gy is the gradient of the Var that it returns for x and y. */
static void services_differentiate(const Message *call, Message *answer,
                                   Var *(*then)(const Message *call, Var *x, Var *y))
{
    Var *in[3];
    for (int i = 0; i < 3; i++)
        in[i] = services_input(call, i == 0 ? 0 : i + 1, i);
    Var *y = services_apply(call, in[0], in[1], in[2]);
    services_fill_memory();
    var_backward_with(then ? then(call, in[0], y) : y, var_const(call->tensor[1]));
    for (int i = 0; i < 3; i++)
        message_add_tensor(answer, in[i] ? in[i]->grad : NULL);
}

static void services_gradient(const Message *call, Message *answer)
{
    services_differentiate(call, answer, NULL);
}

static Var *services_add_x(const Message *call, Var *x, Var *y)
{
    return (void)call, var_add(y, x);
}

/* The gradients of y + x. */
static void services_residual(const Message *call, Message *answer)
{
    services_differentiate(call, answer, services_add_x);
}

static Var *services_normalise_other(const Message *call, Var *x, Var *y)
{
    Var *w = var_const(call->tensor[2]), *other = var_add_scalar(var_scale(x, 3), 1);
    var_layer_norm(other, services_normalised(call), w, w, 9);
    return y;
}

/* The gradients of y, computed after another layer norm has been applied. */
static void services_two(const Message *call, Message *answer)
{
    services_differentiate(call, answer, services_normalise_other);
}

/* gx, for x, gy, w and b, recorded so that it can be differentiated again. */
static void services_second(const Message *call, Message *answer)
{
    Var *x = services_input(call, 0, 0), *g[1];
    Var *y = services_apply(call, x, services_input(call, 2, 1), services_input(call, 3, 2));
    var_grad_with(y, var_const(call->tensor[1]), VARS(x), CREATE_GRAPH, g);
    message_add_tensor(answer, g[0] ? g[0]->value : NULL);
}

/* --- the module ------------------------------------------------------------------------------- */

/* The option is the module's argument `affine`. */
static Module *services_module(const Message *call)
{
    return layer_norm_new(services_normalised(call), (real)call->number[0], call->number[1] != 0);
}

static void services_list_part(const char *name, const ModulePart *part, void *ctx)
{
    static const char *const kind[] = {"parameter", "buffer", "counter", "random stream"};
    Message *answer = ctx;
    size_t used = strlen(answer->text);
    snprintf(answer->text + used, sizeof answer->text - used, "%s%s %s", used ? ", " : "",
             kind[part->kind], name);
    Tensor *value = module_part_tensor(part);
    if (value && answer->tensors < WIRE_TENSORS)
        message_add_tensor(answer, value);
}

/* The kinds and names of all parts of a new module, as text, and their values. */
static void services_parts(const Message *call, Message *answer)
{
    Module *m = services_module(call);
    module_visit(m, services_list_part, answer);
    module_free(m);
}

static void services_set(const Module *m, const char *name, const Message *call, int i)
{
    if (i < call->tensors)
        tensor_copy(module_param(m, name)->value, call->tensor[i]);
}

/* y of a module, for x, w and b, which become the values of its parameters, found by name. */
static void services_module_value(const Message *call, Message *answer)
{
    size_t mark = tape_mark();
    Module *m = services_module(call);
    services_set(m, "weight", call, 1);
    services_set(m, "bias", call, 2);
    message_add_tensor(answer, module_forward(m, var_const(call->tensor[0]))->value);
    tape_rewind(mark);
    module_free(m);
}

/* y of a module for tensor 0, first in evaluation and then in training, after it has seen the other
 * tensors in training. */
static void services_modes(const Message *call, Message *answer)
{
    size_t mark = tape_mark();
    Module *m = services_module(call);
    for (int i = 1; i < call->tensors; i++)
        module_forward(m, var_const(call->tensor[i]));
    module_eval(m);
    message_add_tensor(answer, module_forward(m, var_const(call->tensor[0]))->value);
    module_train(m);
    message_add_tensor(answer, module_forward(m, var_const(call->tensor[0]))->value);
    tape_rewind(mark);
    module_free(m);
}

const Service solver_services[] = {
    {"value", services_value},   {"gradient", services_gradient}, {"residual", services_residual},
    {"two", services_two},       {"second", services_second},     {"parts", services_parts},
    {"modes", services_modes},   {"module", services_module_value},
    {NULL, NULL},
};
