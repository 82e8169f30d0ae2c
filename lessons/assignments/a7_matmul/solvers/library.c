/* lessons/assignments/a7_matmul/solvers/library.c -- the library's product: the speed to aim for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "matmul.h"

#include "tensor/kernels/gemm.h"

void matmul(real *C, const real *A, const real *B, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    tensor_gemm(M, N, K, (Matrix){A, K, 1}, (Matrix){B, N, 1}, (GemmOut){.p = C, .row = N});
}
