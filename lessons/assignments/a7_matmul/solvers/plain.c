/* lessons/assignments/a7_matmul/solvers/plain.c -- the definition as three loops: the speed that
 * submissions start from.
 *
 * SPDX-License-Identifier: MIT
 */
#include "matmul.h"

void matmul(real *C, const real *A, const real *B, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    for (ptrdiff_t i = 0; i < M; i++)
        for (ptrdiff_t j = 0; j < N; j++) {
            real sum = 0;
            for (ptrdiff_t k = 0; k < K; k++)
                sum += A[i * K + k] * B[k * N + j];
            C[i * N + j] = sum;
        }
}
