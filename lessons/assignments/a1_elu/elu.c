/* ELU and SELU: your work. README.md in this folder says what to do; lesson 16 shows an example.
 *
 * Grade this file with `make grade A=a1_elu`, a file elsewhere with
 * `make grade A=a1_elu SUBMISSION=path/to/elu.c`.
 */
#include "elu.h"

/* elu ----------------------------------- y = x if x > 0, else alpha (e^x - 1)
 *   shape     y (...) = x (...)
 *   backward  gx = ?
 *   care      ?
 */
static void elu_forward(Var *y)
{
    tensor_fill(y->value, 0); /* TODO: use y->in[0]->value, y->attr. See MAP1C in tensor/map.h. */
}

static void elu_backward(Var *y, Var *gy)
{
    (void)y, (void)gy; /* TODO: SEND(x, an expression made of var_... calls) */
}

const Op op_elu = {
    .name = "elu",
    .forward = elu_forward,
    .backward = elu_backward,
    /* TODO: .branch_hash and .sample. See autograd/ops/relu.c, and UNARY_WITH in
     * autograd/pointwise.h for an op with a constant. */
};

Var *var_elu(Var *x, real alpha)
{
    return var_apply_with(&op_elu, var_shape(x), VARS(x), &alpha, sizeof alpha);
}

/* selu ---------------------------------------- y = lambda elu(x; alpha)
 *   TODO
 */
const Op op_selu = {
    .name = "selu",
    .forward = elu_forward,
    .backward = elu_backward,
};

Var *var_selu(Var *x)
{
    return var_apply_like(&op_selu, x);
}
