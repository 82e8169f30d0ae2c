/* tests/bench/gemm_steps/packed.c -- steps 5 to 7: packed operands, vectors, threads.
 *
 * The scheme is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
 * 2008, with the names of BLIS:
 *
 *   KC rows of B are packed into micro-panels, NR wide:               b (n / NR, KC, NR)
 *   MC rows of A are packed into micro-panels, mr high, transposed:   a (MC / mr, KC, mr)
 *   the micro-kernel adds KC terms to each sum of a micro-tile of C, mr x NR, from one micro-panel
 *   of A and one of B.
 *
 * Each micro-panel of B (32 KB of floats) is multiplied by all micro-panels in `a` before the next
 * one is: it stays in the first-level cache, and `a` (64 KB) stays in the second-level cache.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/bench/gemm_steps/steps.h"

enum { KC = 256, MC = 64 };

/* b[s][k][j] = B[k0 + k][from + s NR + j], for the columns from, …, to-1. */
static void steps_pack_b(real *b, int n, const real *B, int k0, int from, int to)
{
    for (int j0 = from; j0 < to; j0 += NR)
        for (int k = 0; k < KC; k++, b += NR)
            memcpy(b, B + (k0 + k) * n + j0, NR * sizeof(real));
}

/* a[s][k][i] = A[i0 + s mr + i][k0 + k]. */
static inline void steps_pack_a(real *a, int mr, int n, const real *A, int i0, int k0)
{
    for (int s = 0; s < MC; s += mr, a += KC * mr)
        for (int i = 0; i < mr; i++)
            for (int k = 0; k < KC; k++)
                a[k * mr + i] = A[(i0 + s + i) * n + k0 + k];
}

/* The micro-kernel in plain C: C[i][j] += the sum over k of a[k][i] b[k][j], a whole micro-tile. It
 * is not inlined, because inside its callers' loops compilers keep fewer sums in registers. */
__attribute__((noinline)) static void micro_kernel_plain(int n, const real *a, const real *b,
                                                         real *C)
{
    real sum[MR][NR] = {{0}};
    for (int k = 0; k < KC; k++)
        for (int j = 0; j < NR; j++)
            for (int i = 0; i < MR; i++)
                sum[i][j] += a[k * MR + i] * b[k * NR + j];
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NR; j++)
            C[i * n + j] += sum[i][j];
}

/* The same with vectors for the columns: the program, not the compiler, decides what is in a
 * register. So the micro-tile can be taller if there are 32 registers. Its VECTOR_MR x NV sums do
 * not wait for one another, and at least 8 are needed to start two multiply-adds per cycle if each
 * takes 4 cycles (limits.c). */
#if defined(__AVX512F__)
enum { VECTOR_MR = 8 };
#else
enum { VECTOR_MR = MR };
#endif

static inline void micro_kernel_vector(int n, const real *a, const real *b, real *C)
{
    vec sum[VECTOR_MR][NV] = {{{0}}};
    for (int k = 0; k < KC; k++, a += VECTOR_MR, b += NR)
        for (int i = 0; i < VECTOR_MR; i++)
            for (int v = 0; v < NV; v++)
                sum[i][v] += a[i] * vec_load(b + v * VEC);
    for (int i = 0; i < VECTOR_MR; i++)
        for (int v = 0; v < NV; v++)
            vec_store(C + i * n + v * VEC, vec_load(C + i * n + v * VEC) + sum[i][v]);
}

/* Adds KC terms to each sum of MC rows of C, which start at row i0. */
typedef void (*MicroKernel)(int n, const real *a, const real *b, real *C);
static inline void steps_rows(MicroKernel micro_kernel, int mr, int n, const real *A, const real *b,
                              real *C, int i0, int k0)
{
    real a[MC * KC];
    steps_pack_a(a, mr, n, A, i0, k0);
    for (int j = 0; j < n; j += NR)
        for (int i = 0; i < MC; i += mr)
            micro_kernel(n, a + i * KC, b + j * KC, C + (i0 + i) * n + j);
}

/* Steps 5 and 6: B is packed KC rows at a time, A MC rows at a time. */
static inline void steps_packed(MicroKernel micro_kernel, int mr, int n, const real *A,
                                const real *B, real *C)
{
    real *b = memory_take(sizeof(real) * KC * (size_t)n);
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int k0 = 0; k0 < n; k0 += KC) {
        steps_pack_b(b, n, B, k0, 0, n);
        for (int i0 = 0; i0 < n; i0 += MC)
            steps_rows(micro_kernel, mr, n, A, b, C, i0, k0);
    }
    memory_give(b, sizeof(real) * KC * (size_t)n);
}

/* 5. Packed. The micro-kernel reads A and B strictly in order. In the steps before, the next k was
 * in another page of B, and cache lines whose distance is a power of two evicted one another. */
void step_packed(int n, const real *A, const real *B, real *C)
{
    steps_packed(micro_kernel_plain, MR, n, A, B, C);
}

/* 6. Vectors: step 5 with the other micro-kernel. */
void step_vector(int n, const real *A, const real *B, real *C)
{
    steps_packed(micro_kernel_vector, VECTOR_MR, n, A, B, C);
}

/* 7. Threads. They share first the work of packing the micro-panels of B, then the rows of C. Each
 * packs its own rows of A, and all read the same b. */
typedef struct StepsJob {
    int         n, k0;
    const real *A, *B;
    real       *b, *C;
} StepsJob;

static void steps_job_pack(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const StepsJob *s = ctx;
    steps_pack_b(s->b + begin * KC, s->n, s->B, s->k0, (int)begin, (int)end);
}

static void steps_job_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const StepsJob *s = ctx;
    for (ptrdiff_t i0 = begin; i0 < end; i0 += MC)
        steps_rows(micro_kernel_vector, VECTOR_MR, s->n, s->A, s->b, s->C, (int)i0, s->k0);
}

void step_threads(int n, const real *A, const real *B, real *C)
{
    real *b = memory_take(sizeof(real) * KC * (size_t)n);
    memset(C, 0, sizeof(real) * (size_t)n * (size_t)n);
    for (int k0 = 0; k0 < n; k0 += KC) {
        StepsJob job = {n, k0, A, B, b, C};
        parallel_for(n, 4 * NR, steps_job_pack, &job);
        parallel_for(n, MC, steps_job_rows, &job);
    }
    memory_give(b, sizeof(real) * KC * (size_t)n);
}
