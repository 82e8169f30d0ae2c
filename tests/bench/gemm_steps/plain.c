/* tests/bench/gemm_steps/plain.c -- steps 1 to 4: loops in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/bench/gemm_steps/steps.h"

/* 1. The definition. k runs down a column of B: each element is n elements after the last, in
 * another cache line, of which nothing else is used before it is evicted. And each addition waits
 * for the one before it. */
void step_naive(int n, const real *A, const real *B, real *C)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            real sum = 0;
            for (int k = 0; k < n; k++)
                sum += A[i * n + k] * B[k * n + j];
            C[i * n + j] = sum;
        }
}

/* 2. The two inner loops exchanged. j runs along a row of B and a row of C: whole cache lines are
 * used, the sums do not wait for one another, and the compiler computes a vector of them at a time.
 */
void step_order(int n, const real *A, const real *B, real *C)
{
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                C[i * n + j] += A[i * n + k] * B[k * n + j];
}

/* 3. Blocked. Step 2 reads all of B for every row of C. Here a block of B, 32 KB of floats, stays
 * in the first-level cache and is used for all rows before the next block is fetched. */
void step_blocked(int n, const real *A, const real *B, real *C)
{
    enum { BLOCK_K = 64, BLOCK_J = 128 };
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int k0 = 0; k0 < n; k0 += BLOCK_K)
        for (int j0 = 0; j0 < n; j0 += BLOCK_J)
            for (int i = 0; i < n; i++)
                for (int k = k0; k < k0 + BLOCK_K; k++)
                    for (int j = j0; j < j0 + BLOCK_J; j++)
                        C[i * n + j] += A[i * n + k] * B[k * n + j];
}

/* 4. A micro-tile in registers. The steps so far load and store an element of C for every
 * multiply-add. Here the sums of MR x NR elements of C are local variables for BLOCK_K terms: each
 * element of A that is loaded is used NR times, and each element of B MR times. (Small changes
 * decide whether the compiler keeps the sums in registers: try exchanging the loops over i and
 * j.) */
void step_micro_tile(int n, const real *A, const real *B, real *C)
{
    enum { BLOCK_K = 128 };
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int k0 = 0; k0 < n; k0 += BLOCK_K)
        for (int j0 = 0; j0 < n; j0 += NR)
            for (int i0 = 0; i0 < n; i0 += MR) {
                real sum[MR][NR] = {{0}};
                for (int k = k0; k < k0 + BLOCK_K; k++)
                    for (int j = 0; j < NR; j++)
                        for (int i = 0; i < MR; i++)
                            sum[i][j] += A[(i0 + i) * n + k] * B[k * n + j0 + j];
                for (int i = 0; i < MR; i++)
                    for (int j = 0; j < NR; j++)
                        C[(i0 + i) * n + j0 + j] += sum[i][j];
            }
}
