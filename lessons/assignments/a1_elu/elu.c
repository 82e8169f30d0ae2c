/* ELU and SELU: your work. lessons/assignments/a1_elu/README.md says what to do, and how to
 * check it; lesson 16 shows an example.
 *
 * `make start A=a1_elu` copies this starter to lessons/work/a1_elu/elu.c. Edit that copy:
 * `make grade A=a1_elu` grades it.
 */
#include "elu.h"

/* elu ----------------------------------- y = x if x > 0, else alpha (e^x - 1)
 *   shape     y (...) = x (...)
 *   backward  gx = ?
 *   care      ?
 */
static void elu_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: use y->in[0]->value and alpha, to which y->attr points.
                               * See MAP1C in tensor/map.h. */
}

static void elu_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO: SEND(x, an expression made of var_... calls) */
}

const Op op_elu = {
    .name = "elu",
    .forward = elu_forward,
    .backward = elu_backward,
    /* TODO: .branch_hash and .sample. See autograd/ops/relu.c. */
};

Var *var_elu(Var *x, real alpha)
{
    return var_apply_with(&op_elu, var_shape(x), VARS(x), &alpha, sizeof alpha);
}

/* selu ---------------------------------------- y = lambda elu(x; alpha)
 *   shape     y (...) = x (...)
 *   backward  gx = ?
 */
static void selu_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: what can it share with elu_forward? It has no y->attr. */
}

static void selu_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO */
}

const Op op_selu = {
    .name = "selu",
    .forward = selu_forward,
    .backward = selu_backward,
    /* TODO: .branch_hash and .sample */
};

Var *var_selu(Var *x)
{
    return var_apply_like(&op_selu, x);
}
