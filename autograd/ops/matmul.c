/* matmul ------------------------------------------------------------ y = a b
 *   shape     (...,M,K) (...,K,N) -> (...,M,N), the leading axes broadcast
 *   backward  ga = gy b', gb = a' gy, each summed over its broadcast axes
 *   care      a transpose is a view; the kernel packs operands with any strides
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/kernels/matmul.h"

static void matmul_forward(Var *y)
{
    tensor_matmul(y->value, y->in[0]->value, y->in[1]->value);
}

static void matmul_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, var_matmul(gy, var_transpose(b, -2, -1)));
    SEND(b, var_matmul(var_transpose(a, -2, -1), gy));
}

static Var *matmul_sample(Var **in) { return var_matmul(in[0], in[1]); }

const Op op_matmul = {
    .name = "matmul",
    .forward = matmul_forward,
    .backward = matmul_backward,
    .sample = {.call = matmul_sample, .n_in = 2,
               .in = {{.shape = {3, {2, 3, 4}}, .low = -2, .high = 2},
                      {.shape = {2, {4, 2}}, .low = -2, .high = 2}}},
};

Var *var_matmul(Var *a, Var *b)
{
    var_check(a, "var_matmul"), var_check(b, "var_matmul");
    Shape out = tensor_matmul_shape(var_shape(a), var_shape(b), "var_matmul");
    return var_apply(&op_matmul, out, VARS(a, b));
}
