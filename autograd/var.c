/* autograd/var.c -- leaves and constants, and applying an op.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/var.h"

#include <string.h>

#include "autograd/op.h"
#include "autograd/record.h"
#include "tensor/memory.h"

const OpEntry op_table[] = {
#define OP(name, parameters, formula) {&op_##name, formula},
#include "autograd/ops.def"
#undef OP
    {NULL, NULL},
};

/* --- leaves ----------------------------------------------------------------------------------- */

Var *var_param_new(Tensor *value, const char *name)
{
    Var *p = memory_new(sizeof *p);
    p->value = value;
    if (!tensor_is_contiguous(value)) { /* optimizers walk it as one row */
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
    pass_forget(param);
    var_drop(param);
    memory_free(param);
}

/* The Var comes first: should the header not fit in memory, the tape owns what there is. */
Var *var_const(const Tensor *value)
{
    Var *x = tape_append();
    x->value = tensor_ref(value);
    return x;
}

Var *var_leaf(const Tensor *value)
{
    Var *x = var_const(value);
    x->requires_grad = true;
    return x;
}

Var *var_empty(Shape shape)
{
    Var *x = tape_append();
    x->value = tensor_new(shape);
    return x;
}

Var *var_const_from(Shape shape, const real *values)
{
    Var *x = var_empty(shape);
    if (tensor_count(x->value) > 0)
        memcpy(tensor_write(x->value), values, (size_t)tensor_count(x->value) * sizeof(real));
    return x;
}

Var *var_leaf_from(Shape shape, const real *values)
{
    Var *x = var_const_from(shape, values);
    x->requires_grad = true;
    return x;
}

Var *var_full(Shape shape, real value)
{
    Var *x = var_empty(shape);
    tensor_fill(x->value, value);
    return x;
}

Var *var_is_positive(const Var *x)
{
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

/* --- looking ---------------------------------------------------------------------------------- */

void var_check(const Var *x, const char *function)
{
    if (!x)
        slope_fail(function, "an input is NULL");
    if (x->generation % 2)
        slope_fail(function, "an input was rewound from the tape: it was %s #%zu; copy out what "
                   "must outlive the rewind, or mark the tape later",
                   var_origin(x), x->index);
    if (!x->value)
        slope_fail(function, "an input is an output of %s that was not asked for",
                   x->op ? x->op->name : "a scope");
}

Shape var_shape(const Var *x)
{
    var_check(x, "var_shape");
    return x->value->shape;
}

real var_item(const Var *x)
{
    var_check(x, "var_item");
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
    if (k < 0 || k >= first->n_out)
        slope_fail("var_output", "%s has %d outputs, there is no number %d", VAR_TEXT(first),
                   first->n_out, k);
    return tape_at(first->index + (size_t)k);
}

/* --- applying --------------------------------------------------------------------------------- */

static unsigned var_version(const Var *x)
{
    return atomic_load_explicit(&x->value->storage->version, memory_order_relaxed);
}

/* Fails if y, an output of the op that made `first`, is not finite although all inputs are. */
static void var_check_finite(const Var *first, const Var *y)
{
    ptrdiff_t at = y->value ? tensor_find_nonfinite(y->value) : -1;
    if (at < 0)
        return;
    for (int i = 0; i < first->n_in; i++)
        if (tensor_find_nonfinite(first->in[i]->value) >= 0)
            return;
    double found = (double)tensor_read(y->value)[tensor_locate(y->value, at)];
    const Var *rule = tape_playing();
    slope_fail("anomaly_mode", "%s made the first %g (element %td) from finite inputs%s%s",
               VAR_TEXT(y), found, at, rule ? ", in the backward rule of " : "",
               rule ? VAR_TEXT(rule) : "");
}

/* Links y's neighbours to the same inputs and says whether a gradient flows. */
static void var_connect(Var *first, const Op *op, Var *const *in, int n_in, int n_out)
{
    bool flows = false;
    for (int i = 0; i < n_in; i++) {
        first->in[i] = in[i];
        first->in_version[i] = var_version(in[i]);
        flows = flows || in[i]->requires_grad;
    }
    for (int k = 0; k < n_out; k++) {
        Var *y = tape_at(first->index + (size_t)k);
        y->op = op;
        y->out_index = k;
        y->n_out = n_out;
        y->requires_grad = flows && grad_enabled();
    }
}

Var *var_apply_all(const Op *op, const Shape *const *out, int n_out, Var *const *in, int n_in,
                   const void *attr, size_t attr_bytes)
{
    if (n_out < 1 || n_out > OP_OUTPUTS)
        slope_fail(op->name, "an op has 1 to %d outputs, not %d", OP_OUTPUTS, n_out);
    for (int i = 0; i < n_in; i++)
        var_check(in[i], op->name);
    Var *y = tape_append();
    for (int k = 1; k < n_out; k++)
        tape_append();
    var_make_room(y, n_in, attr_bytes);
    if (attr_bytes)
        memcpy(y->block, attr, attr_bytes);
    var_connect(y, op, in, n_in, n_out);
    for (int k = 0; k < n_out && !op->view; k++)
        if (out[k])
            tape_at(y->index + (size_t)k)->value = tensor_new(*out[k]);
    if (op->view)
        y->value = op->view(y);
    else
        op->forward(y);
    for (int k = 0; k < n_out; k++) {
        Var *out_k = tape_at(y->index + (size_t)k);
        out_k->version = out_k->value ? var_version(out_k) : 0;
    }
    for (int k = 0; k < n_out && anomaly_mode_on(); k++)
        var_check_finite(y, tape_at(y->index + (size_t)k));
    return y;
}

Var *var_apply_with(const Op *op, Shape out, Var *const *in, int n_in, const void *attr,
                    size_t attr_bytes)
{
    return var_apply_all(op, (const Shape *const[]){&out}, 1, in, n_in, attr, attr_bytes);
}

Var *var_apply(const Op *op, Shape out, Var *const *in, int n_in)
{
    return var_apply_with(op, out, in, n_in, NULL, 0);
}

Var *var_apply_like(const Op *op, Var *x)
{
    var_check(x, op->name);
    return var_apply(op, x->value->shape, VARS(x));
}

Shape var_broadcast(const Var *a, const Var *b, const char *function)
{
    var_check(a, function);
    var_check(b, function);
    Shape out;
    if (!shape_broadcast(a->value->shape, b->value->shape, &out))
        slope_fail(function, "shapes %s and %s do not broadcast: aligned at the right, sizes must "
                   "be equal or 1", SHAPE_TEXT(a->value->shape), SHAPE_TEXT(b->value->shape));
    return out;
}

/* --- made of ops ------------------------------------------------------------------------------ */

Var *var_scale(Var *x, real c)
{
    return var_mul(x, var_scalar(c));
}

Var *var_add_scalar(Var *x, real c)
{
    return var_add(x, var_scalar(c));
}

Var *var_square(Var *x)
{
    return var_mul(x, x);
}

Var *var_dot(Var *x, Var *y)
{
    return var_sum(var_mul(x, y), ALL_AXES, false);
}

Var *var_mse(Var *x, Var *target)
{
    if (!shape_equal(var_shape(x), var_shape(target)))
        slope_fail("var_mse", "the prediction has shape %s but the target %s; they must be equal, "
                   "or broadcasting would pair every one with every other",
                   SHAPE_TEXT(var_shape(x)), SHAPE_TEXT(var_shape(target)));
    return var_mean(var_square(var_sub(x, target)), ALL_AXES, false);
}

Var *var_cross_entropy(Var *logits, const Labels *labels)
{
    return var_cross_entropy_with(logits, labels, CROSS_ENTROPY_DEFAULTS);
}

/* --- choices ---------------------------------------------------------------------------------- */

/* FNV-1a on one byte at a time: short, and every bit of the choices moves the whole hash. */
static uint64_t choices_fold(uint64_t hash, bool choice)
{
    return (hash ^ (choice ? 2 : 1)) * 0x100000001B3u;
}

uint64_t choices_of_signs(uint64_t hash, const Tensor *x)
{
    for (ptrdiff_t i = 0, n = tensor_count(x); i < n; i++)
        hash = choices_fold(hash, tensor_read(x)[tensor_locate(x, i)] > 0);
    return hash;
}

uint64_t choices_of_order(uint64_t hash, const Tensor *a, const Tensor *b)
{
    for (ptrdiff_t i = 0, n = tensor_count(a); i < n; i++)
        hash = choices_fold(hash, tensor_read(a)[tensor_locate(a, i)] >
                                      tensor_read(b)[tensor_locate(b, i)]);
    return hash;
}
