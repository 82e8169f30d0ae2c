/* autograd/var.c -- leaves, constants, and descriptions of Vars.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/var.h"

#include <string.h>

#include "autograd/op.h"
#include "autograd/record.h"
#include "tensor/memory.h"
#include "tensor/poison.h"

/* --- is it a Var? ----------------------------------------------------------------------------- */

/* A debug build overwrites a freed parameter, so there its generation is MEMORY_SPOILED. */
static _Noreturn void var_fail_dead(const Var *x, const char *function)
{
    if (x->generation == MEMORY_SPOILED || x->is_param)
        slope_fail(function, "an input is a parameter that has been freed; free what uses a "
                   "network, such as its optimizer, before the network");
    slope_fail(function, "an input was rewound from the tape: it was %s #%zu; copy out what "
               "must outlive the rewind, or mark the tape later", var_origin(x), x->index);
}

static void var_check_alive(const Var *x, const char *function)
{
    if (!x)
        slope_fail(function, "an input is NULL");
    if (x->generation % 2)
        var_fail_dead(x, function);
}

static void var_check_value(const Var *x, const char *function)
{
    if (!x->value)
        slope_fail(function, "an input is an output of %s that was not requested",
                   x->op ? x->op->name : "a scope");
    tensor_check(x->value, function); /* a debug build finds out whether it was freed */
}

static void var_check_thread(const Var *x, const char *function)
{
    if (!x->is_param && !tape_holds(x))
        slope_fail(function, "an input, %s, is on the tape of another thread; create a Var from "
                   "its value on this thread with var_const or var_leaf", VAR_TEXT(x));
}

/* --- leaves ----------------------------------------------------------------------------------- */

Var *var_param_new(Tensor *value, const char *name)
{
    tensor_check(value, "var_param_new");
    Var *p = memory_take(sizeof *p);
    memset(p, 0, sizeof *p);
    p->value = value;
    if (!tensor_is_contiguous(value)) { /* optimizers treat it as one row */
        p->value = tensor_clone(value);
        tensor_free(value);
    }
    p->requires_grad = p->is_param = true;
    p->n_out = 1;
    snprintf(p->name, sizeof p->name, "%s", name ? name : "");
    return p;
}

void var_param_free(Var *param)
{
    if (!param)
        return;
    if (param->generation % 2)
        slope_fail("var_param_free", "the parameter was freed already; a module frees its own "
                   "parameters and its children");
    tape_pass_forget(param);
    var_drop(param);
    param->generation++; /* so that its use is reported until its memory is reused */
    memory_give(param, sizeof *param);
}

/* The Var comes first: if there is no memory for the Tensor, the tape owns what there is. */
static Var *var_of(const Tensor *value, const char *function)
{
    tensor_check(value, function);
    Var *x = tape_append();
    x->value = tensor_ref(value);
    return x;
}

Var *var_const(const Tensor *value)
{
    return var_of(value, "var_const");
}

Var *var_leaf(const Tensor *value)
{
    Var *x = var_of(value, "var_leaf");
    x->requires_grad = true;
    return x;
}

Var *var_empty(Shape shape)
{
    shape_check(shape, "var_empty");
    Var *x = tape_append();
    x->value = tensor_new(shape);
    return x;
}

static Var *var_from(Shape shape, const real *values, const char *function)
{
    shape_check(shape, function);
    if (!values && shape_count(shape) > 0)
        slope_fail(function, "the values for shape %s are NULL", SHAPE_TEXT(shape));
    Var *x = var_empty(shape);
    if (tensor_count(x->value) > 0)
        memcpy(tensor_write(x->value), values, (size_t)tensor_count(x->value) * sizeof(real));
    return x;
}

Var *var_const_from(Shape shape, const real *values)
{
    return var_from(shape, values, "var_const_from");
}

Var *var_leaf_from(Shape shape, const real *values)
{
    Var *x = var_from(shape, values, "var_leaf_from");
    x->requires_grad = true;
    return x;
}

Var *var_full(Shape shape, real value)
{
    shape_check(shape, "var_full");
    Var *x = var_empty(shape);
    tensor_fill(x->value, value);
    return x;
}

Var *var_is_positive(const Var *x)
{
    var_check(x, "var_is_positive");
    Var *mask = var_empty(var_shape(x)), *zero = var_scalar(0);
    tensor_greater(mask->value, x->value, zero->value);
    return mask;
}

Var *var_scalar(real value)
{
    return var_full(SHAPE_SCALAR, value);
}

Var *var_detach(Var *x)
{
    var_check(x, "var_detach");
    return var_const(x->value);
}

/* --- ->grad ----------------------------------------------------------------------------------- */

void var_retain_grad(Var *x)
{
    var_check(x, "var_retain_grad");
    x->retains_grad = true;
}

void var_zero_grad(Var *x)
{
    var_check_alive(x, "var_zero_grad");
    tensor_free(x->grad);
    x->grad = NULL;
    x->grad_used = 0;
    x->grad_stale = false;
}

/* --- inspection ------------------------------------------------------------------------------- */

void var_check(const Var *x, const char *function)
{
    var_check_alive(x, function);
    var_check_thread(x, function);
    var_check_value(x, function);
}

/* The same for a function that only reads x, which any thread may do. */
static void var_check_readable(const Var *x, const char *function)
{
    var_check_alive(x, function);
    var_check_value(x, function);
}

void var_check_versions(const Var *y, const char *function)
{
    for (int k = 0; k < y->n_out; k++) {
        const Var *out = var_output(y, k);
        if (out->value && var_version(out) != out->version)
            slope_fail(function, "the result of %s was written to after the forward pass, "
                       "so the gradient would be wrong; run the forward pass again",
                       VAR_TEXT(out));
    }
    for (int i = 0; i < y->n_in; i++) {
        const Var *x = y->in[i];
        var_check(x, function);
        if (var_version(x) != y->in_version[i])
            slope_fail(function, "%s was written to after %s used it, so the gradient "
                       "would be wrong; after changing it, run the forward pass again",
                       VAR_TEXT(x), VAR_TEXT(y));
    }
}

Shape var_shape(const Var *x)
{
    var_check_readable(x, "var_shape");
    return x->value->shape;
}

real var_item(const Var *x)
{
    var_check_readable(x, "var_item");
    if (tensor_count(x->value) != 1)
        slope_fail("var_item", "%s has %td elements; expected exactly one", VAR_TEXT(x),
                   tensor_count(x->value));
    return tensor_item(x->value);
}

const char *var_origin(const Var *x)
{
    return x->op              ? x->op->name
           : x->is_param      ? "parameter"
           : x->requires_grad ? "leaf"
                              : "constant";
}

const char *var_text(const Var *x, char text[VAR_TEXT_SIZE])
{
    const char *shape = x->value ? SHAPE_TEXT(x->value->shape) : "";
    if (x->name[0])
        snprintf(text, VAR_TEXT_SIZE, "'%s' %s", x->name, shape);
    else if (x->is_param)
        snprintf(text, VAR_TEXT_SIZE, "a parameter %s", shape);
    else
        snprintf(text, VAR_TEXT_SIZE, "%s #%zu %s", var_origin(x), x->index,
                 shape);
    return text;
}

Var *var_output(const Var *first, int k)
{
    var_check_alive(first, "var_output");
    var_check_thread(first, "var_output");
    if (k < 0 || k >= first->n_out)
        slope_fail("var_output", "%s has %d outputs; there is no output %d", VAR_TEXT(first),
                   first->n_out, k);
    return tape_at(first->index + (size_t)k);
}
