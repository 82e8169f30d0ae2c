/* tests/bench/gemm_steps/main.c -- runs the steps, checks each against the first, and prints how
 * fast it is.
 *
 *     make gemm-steps                             all steps, with 1024 x 1024 matrices
 *     make gemm-steps ARGS="--step 3 --n 512"     only step 3, with 512 x 512 matrices
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/kernels/matmul.h"
#include "tensor/parallel.h"
#include "tests/bench/bench.h"
#include "tests/bench/gemm_steps/steps.h"

static const struct {
    const char *name;
    GemmStep    run;     /* NULL: tensor_matmul */
    bool        threads; /* uses all threads, not one */
} step_table[] = {
    {"naive: i j k", step_naive, false},
    {"loop order: i k j", step_order, false},
    {"blocked for the cache", step_blocked, false},
    {"register micro-tile", step_micro_tile, false},
    {"packed", step_packed, false},
    {"vectors", step_vector, false},
    {"threads", step_threads, true},
    {"the library", NULL, false},
    {"the library", NULL, true},
};
enum { STEP_LINES = sizeof step_table / sizeof *step_table, STEP_LIBRARY = 8 };

/* Shared by all steps: the matrices, the first step's product, and the limits. */
typedef struct Steps {
    int     n;
    Tensor *a, *b, *c, *expected;
    double  naive_ms, peak[2]; /* fma_peak of one thread and of all threads, in GF/s */
} Steps;

/* c = a b */
static void steps_call(const Steps *s, GemmStep run)
{
    if (run)
        run(s->n, tensor_read(s->a), tensor_read(s->b), tensor_write(s->c));
    else
        tensor_matmul(s->c, s->a, s->b);
}

/* Milliseconds of the fastest run; runs are repeated for half a second. */
static double steps_time(const Steps *s, GemmStep run)
{
    double best = (double)INFINITY, until = slope_seconds() + 0.5;
    do {
        double started = slope_seconds();
        steps_call(s, run);
        best = fmin(best, slope_seconds() - started);
    } while (slope_seconds() < until);
    return 1e3 * best;
}

/* Exits if c differs from the first step's product by more than rounding errors. */
static void steps_check(const Steps *s, const char *name)
{
    double difference = tensor_max_difference(s->c, s->expected), allowed = 1e-6 * s->n;
    if (difference <= allowed)
        return;
    fprintf(stderr, "gemm-steps: %s differs from step 1 by %g, more than the tolerance %g\n", name,
            difference, allowed);
    exit(1);
}

static Steps steps_begin(int n)
{
    Steps s = {.n = n, .a = bench_normal(SHAPE(n, n)), .b = bench_normal(SHAPE(n, n)),
               .c = tensor_zeros(SHAPE(n, n))};
    s.peak[1] = limits_fma_peak(0.3);
    parallel_set_threads(1);
    s.peak[0] = limits_fma_peak(0.3);
    s.naive_ms = steps_time(&s, step_naive);
    s.expected = tensor_clone(s.c);
    return s;
}

/* Prints one line of the table. The library has two rows: one thread, and all threads. The peak is
 * measured again, because other programs may have slowed the earlier measurements. */
static void steps_run(Steps *s, int row)
{
    bool threads = step_table[row].threads;
    parallel_set_threads(threads ? 0 : 1);
    s->peak[threads] = fmax(s->peak[threads], limits_fma_peak(0.1));
    tensor_fill(s->c, 0);
    double ms = row == 0 ? s->naive_ms : steps_time(s, step_table[row].run);
    if (row > 0)
        steps_check(s, step_table[row].name);
    double gflops = 2.0 * s->n * s->n * s->n / ms / 1e6;
    printf("%d  %-22s %7d %10.2f %8.1f %8.1f %% %8.1f x\n",
           row + 1 < STEP_LIBRARY ? row + 1 : STEP_LIBRARY, step_table[row].name,
           parallel_threads(), ms, gflops, 100 * gflops / s->peak[threads], s->naive_ms / ms);
    fflush(stdout);
}

/* The number after option i, or -1. */
static int steps_number(int argc, char **argv, int i)
{
    char *end = NULL;
    long v = i + 1 < argc ? strtol(argv[i + 1], &end, 10) : -1;
    return end && *end == '\0' && v > 0 && v < 1 << 15 ? (int)v : -1;
}

/* False if the options are wrong. */
static bool steps_options(int argc, char **argv, int *step, int *n)
{
    for (int i = 1; i < argc; i += 2) {
        int *to = strcmp(argv[i], "--step") == 0 ? step : strcmp(argv[i], "--n") == 0 ? n : NULL;
        if (!to || (*to = steps_number(argc, argv, i)) < 0)
            return false;
    }
    return *step <= STEP_LIBRARY && *n % STEPS_UNIT == 0;
}

int main(int argc, char **argv)
{
    int step = 0, n = 1024;
    if (!steps_options(argc, argv, &step, &n)) {
        fprintf(stderr, "usage: gemm-steps [--step 1 … %d] [--n N], N a multiple of %d\n",
                STEP_LIBRARY, STEPS_UNIT);
        return 2;
    }
    Steps s = steps_begin(n);
    printf("C = A B, %d x %d matrices (%s); fma_peak: one thread %.0f GF/s, all threads %.0f\n\n",
           n, n, REAL_NAME, s.peak[0], s.peak[1]);
    printf("   %-22s %7s %10s %8s %10s %10s\n", "step", "threads", "ms", "GF/s", "of peak",
           "faster");
    for (int row = 0; row < STEP_LINES; row++)
        if (step == 0 || step == row + 1 || (step == STEP_LIBRARY && row >= STEP_LIBRARY))
            steps_run(&s, row);
    tensor_free(s.a), tensor_free(s.b), tensor_free(s.c), tensor_free(s.expected);
    return 0;
}
