/* tests/bench/gemm.c -- matrix products, square and of the shapes that occur in training.
 *
 *  - gemm_N is C = A B with all sizes N; gemm_MxNxK is C (M,N) = A (M,K) B (K,N).
 *  - The oblong ones occur in the steps of networks.c, for one example or a batch of 32 or 64:
 *    forward (64x256x784), weight gradient (256x784x64), input gradient (64x8192x512).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/matmul.h"
#include "tests/bench/bench.h"

#include <math.h>

typedef struct GemmBench {
    Tensor *a, *b, *c;
} GemmBench;

static void *gemm_make(const Bench *bench)
{
    ptrdiff_t M = bench->size[0], N = bench->size[1], K = bench->size[2];
    GemmBench *g = memory_new(sizeof *g);
    g->a = bench_normal(SHAPE(M, K)), g->b = bench_normal(SHAPE(K, N));
    g->c = tensor_zeros(SHAPE(M, N));
    return g;
}

static void gemm_run(void *state)
{
    GemmBench *g = state;
    tensor_matmul(g->c, g->a, g->b);
}

/* Compares twenty elements, spread over C and its edges, with dot products. */
static void gemm_check(void *state)
{
    GemmBench *g = state;
    ptrdiff_t M = g->c->shape.dim[0], N = g->c->shape.dim[1], K = g->a->shape.dim[1];
    for (ptrdiff_t s = 0; s < 20; s++) {
        ptrdiff_t i = s * (M - 1) / 19, j = s * 7 % 20 * (N - 1) / 19;
        double sum = 0, size = 0;
        for (ptrdiff_t k = 0; k < K; k++) {
            double p = (double)tensor_read(g->a)[i * K + k] * (double)tensor_read(g->b)[k * N + j];
            sum += p, size += fabs(p);
        }
        bench_expect("gemm: an element", (double)tensor_read(g->c)[i * N + j], sum, size);
    }
}

static void gemm_drop(void *state)
{
    GemmBench *g = state;
    tensor_free(g->a), tensor_free(g->b), tensor_free(g->c);
    memory_free(g);
}

static void gemm_add(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    double m = (double)M, n = (double)N, k = (double)K;
    Bench b = {.work = {2 * m * n * k, (m * k + k * n + m * n) * (double)sizeof(real)},
               .size = {M, N, K}, .make = gemm_make, .run = gemm_run, .check = gemm_check,
               .drop = gemm_drop, .scaling = M == 1024 && N == 1024};
    if (M == N && N == K)
        snprintf(b.name, sizeof b.name, "gemm_%td", M);
    else
        snprintf(b.name, sizeof b.name, "gemm_%tdx%tdx%td", M, N, K);
    bench_add(b);
}

void gemms_add(void)
{
    static const ptrdiff_t oblong[][3] = {
        {1, 256, 784}, {32, 256, 784}, {64, 256, 784}, {64, 10, 256}, {256, 784, 64},
        {64, 512, 8192}, {64, 8192, 512}, {512, 8192, 64},
    };
    for (ptrdiff_t n = 256; n <= 2048; n *= 2)
        gemm_add(n, n, n);
    for (size_t i = 0; i < sizeof oblong / sizeof *oblong; i++)
        gemm_add(oblong[i][0], oblong[i][1], oblong[i][2]);
}
