/* tests/bench/bench.c -- how long the work of training takes.
 *
 * Prints "name,threads,ms,gflops" for each piece of work: the median of many repetitions after a
 * few that do not count. gflops is empty where arithmetic is not what is measured. bench.sh runs
 * this and the same work in PyTorch in turns, and joins the two.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "slope.h"
#include "tensor/activation.h"
#include "tensor/matmul.h"

/* --- timing ----------------------------------------------------------------------------------- */

typedef void (*BenchFn)(void *ctx);

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median time of a call, in milliseconds: at least 5 of them, and about half a second's worth. */
static double bench_time(BenchFn fn, void *ctx)
{
    enum { MOST = 400 };
    double ms[MOST], spent = 0;
    int n = 0;
    for (int warm = 0; warm < 3; warm++)
        fn(ctx);
    while (n < MOST && (n < 5 || spent < 500)) {
        double started = clock_seconds();
        fn(ctx);
        ms[n] = 1e3 * (clock_seconds() - started);
        spent += ms[n++];
    }
    qsort(ms, (size_t)n, sizeof *ms, bench_compare);
    return ms[n / 2];
}

static void bench_report(const char *name, double ms, double flops)
{
    printf("%s,%d,%.4f,", name, parallel_threads(), ms);
    printf(flops > 0 ? "%.1f\n" : "\n", flops / ms / 1e6);
    fflush(stdout);
}

static Tensor *bench_normal(Shape shape)
{
    Rng rng = random_stream();
    Tensor *x = tensor_new(shape);
    tensor_fill_normal(x, &rng, 0, 1);
    return x;
}

/* --- matrix product --------------------------------------------------------------------------- */

typedef struct GemmBench {
    Tensor *a, *b, *c;
} GemmBench;

static void bench_gemm_once(void *ctx)
{
    GemmBench *g = ctx;
    tensor_matmul(g->c, g->a, g->b);
}

static void bench_gemm(ptrdiff_t n)
{
    char name[32];
    GemmBench g = {bench_normal(SHAPE(n, n)), bench_normal(SHAPE(n, n)), tensor_new(SHAPE(n, n))};
    snprintf(name, sizeof name, "gemm_%td", n);
    bench_report(name, bench_time(bench_gemm_once, &g), 2.0 * (double)n * (double)n * (double)n);
    tensor_free(g.a), tensor_free(g.b), tensor_free(g.c);
}

/* --- PReLU on the activations of a convolution, 64x64x32x32 ----------------------------------- */

typedef struct PreluBench {
    Tensor *x, *a, *g, *y, *ga;
} PreluBench;

static void bench_prelu_forward_once(void *ctx)
{
    PreluBench *p = ctx;
    prelu_forward(p->y, p->x, p->a);
}

static void bench_prelu_backward_once(void *ctx)
{
    PreluBench *p = ctx;
    prelu_backward(p->y, p->ga, p->x, p->a, p->g);
}

static void bench_prelu(void)
{
    Shape s = SHAPE(64, 64, 32, 32);
    PreluBench p = {bench_normal(s), bench_normal(SHAPE(64)), bench_normal(s), tensor_new(s),
                    tensor_new(SHAPE(64))};
    bench_report("prelu_fwd", bench_time(bench_prelu_forward_once, &p), 0);
    bench_report("prelu_bwd", bench_time(bench_prelu_backward_once, &p), 0);
    tensor_free(p.x), tensor_free(p.a), tensor_free(p.g), tensor_free(p.y), tensor_free(p.ga);
}

/* --- a training step of the document's PReLUNetwork, 784-256-256-10 --------------------------- */

typedef struct MlpBench {
    Module    *net;
    Optimizer *adam;
    Tensor    *x;
    Labels     labels;
} MlpBench;

static void bench_mlp_once(void *ctx)
{
    MlpBench *b = ctx;
    size_t mark = tape_mark();
    optimizer_zero_grad(b->adam);
    var_backward(var_cross_entropy(module_forward(b->net, var_const(b->x)), &b->labels));
    optimizer_step(b->adam);
    tape_rewind(mark);
}

static void bench_mlp(ptrdiff_t batch)
{
    char name[32];
    MlpBench b = {.net = SEQUENTIAL(linear_new(784, 256), prelu_new(256, (real)0.25),
                                    linear_new(256, 256), prelu_new(256, (real)0.25),
                                    linear_new(256, 10)),
                  .x = bench_normal(SHAPE(batch, 784))};
    b.adam = adam_new(b.net, (real)1e-3);
    b.labels = (Labels){memory_new_array((size_t)batch, sizeof(int32_t)), batch};
    for (ptrdiff_t i = 0; i < batch; i++)
        b.labels.data[i] = (int32_t)(i % 10);
    snprintf(name, sizeof name, "mlp_step_%td", batch);
    double flops = 3 * 2 * (double)batch * (784 * 256 + 256 * 256 + 256 * 10);
    bench_report(name, bench_time(bench_mlp_once, &b), flops);
    optimizer_free(b.adam);
    module_free(b.net);
    tensor_free(b.x);
    memory_free(b.labels.data);
}

int main(void)
{
    for (ptrdiff_t n = 256; n <= 1024; n *= 2)
        bench_gemm(n);
    bench_prelu();
    for (ptrdiff_t batch = 32; batch <= 256; batch *= 2)
        bench_mlp(batch);
    return 0;
}
