/* contiguous ------------------------------- y = x, its elements in row-major order
 *   shape     x's
 *   backward  gx = gy
 *   care      if x is already contiguous, x itself is returned and nothing is recorded. The
 *             copy is a Var like any other, so a kernel's temporary copy has an owner.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"

static void contiguous_forward(Var *y)
{
    tensor_copy(y->value, y->in[0]->value);
}

static void contiguous_backward(Var *y, Var *gy)
{
    SEND(y->in[0], gy);
}

static Var *contiguous_sample(Var **in) { return var_contiguous(var_transpose(in[0], 0, 1)); }

const Op op_contiguous = {
    .name = "contiguous",
    .forward = contiguous_forward,
    .backward = contiguous_backward,
    .sample = {.call = contiguous_sample,
               .n_in = 1,
               .in = {{.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

Var *var_contiguous(Var *x)
{
    var_check(x, "var_contiguous");
    return tensor_is_contiguous(x->value) ? x : var_apply_like(&op_contiguous, x);
}
