/* autograd/op.c -- the table of ops, applying an op, and hashing the branches it took.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

#include <string.h>

#include "autograd/record.h"

const OpEntry op_table[] = {
#define OP(name, parameters, formula) {&op_##name, formula},
#include "autograd/ops.def"
#undef OP
    {NULL, NULL},
};

/* --- applying --------------------------------------------------------------------------------- */

/* Fails if y, an output of the op that computed `first`, has a NaN or Inf but none of its inputs
 * does. */
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
    slope_fail("anomaly_mode", "%s produced %g (element %td) from finite inputs%s%s",
               VAR_TEXT(y), found, at, rule ? ", in the backward rule of " : "",
               rule ? VAR_TEXT(rule) : "");
}

/* Stores the inputs in `first`, and in every output the op and whether a gradient flows through
 * it. */
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
    var_alloc_block(y, n_in, attr_bytes);
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
    for (int k = 0; k < n_out && tape_anomaly_mode(); k++)
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
    if (!shape_broadcast(a->value->shape, b->value->shape, &out, function))
        slope_fail(function,
                   "shapes %s and %s do not broadcast: aligned at the right, sizes must "
                   "be equal or 1",
                   SHAPE_TEXT(a->value->shape), SHAPE_TEXT(b->value->shape));
    return out;
}

/* --- branch hashes ---------------------------------------------------------------------------- */

/* FNV-1a, one byte per choice: short, and every choice changes the whole hash. */
static uint64_t branch_fold(uint64_t hash, bool choice)
{
    return (hash ^ (choice ? 2 : 1)) * 0x100000001B3u;
}

uint64_t op_branch_of_signs(uint64_t hash, const Tensor *x)
{
    for (ptrdiff_t i = 0, n = tensor_count(x); i < n; i++)
        hash = branch_fold(hash, tensor_read(x)[tensor_locate(x, i)] > 0);
    return hash;
}

/* Folds in which elements of a exceed those of b, for two tensors of one shape. */
static uint64_t branch_of_order(uint64_t hash, const Tensor *a, const Tensor *b)
{
    for (ptrdiff_t i = 0, n = tensor_count(a); i < n; i++)
        hash = branch_fold(hash, tensor_read(a)[tensor_locate(a, i)] >
                                     tensor_read(b)[tensor_locate(b, i)]);
    return hash;
}

uint64_t op_branch_by_sign(const Var *y)
{
    return op_branch_of_signs(0, y->in[0]->value);
}

/* Both comparisons are folded in, because a > b alone cannot tell a = b from a < b. */
uint64_t op_branch_by_order(const Var *y)
{
    Shape shape = y->value->shape;
    Tensor *a = tensor_expand(y->in[0]->value, shape), *b = tensor_expand(y->in[1]->value, shape);
    uint64_t hash = branch_of_order(branch_of_order(0, a, b), b, a);
    tensor_free(a), tensor_free(b);
    return hash;
}
