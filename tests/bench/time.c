/* tests/bench/time.c -- times a benchmark, and checks what it computed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

#include <math.h>
#include <stdlib.h>

static int time_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_once(void (*run)(void *state), void *state)
{
    double started = slope_seconds();
    run(state);
    return slope_seconds() - started;
}

/* The first call touches the memory and starts the threads. A tenth of the time goes into more
 * calls that are not timed: the clock of an idle processor takes that long to rise. */
double bench_time(void (*run)(void *state), void *state, double seconds, bool fastest)
{
    enum { MOST = 1000, LEAST = 3 };
    double took[MOST], spent = 0;
    int n = 0;
    run(state);
    do
        spent += time_once(run, state);
    while (spent < seconds / 10);
    for (spent = 0; n < MOST && (n < LEAST || spent < seconds); n++)
        spent += took[n] = time_once(run, state);
    qsort(took, (size_t)n, sizeof *took, time_compare);
    return 1e3 * took[fastest ? 0 : n / 2];
}

Tensor *bench_normal(Shape shape)
{
    Rng rng = random_stream();
    Tensor *x = tensor_new(shape);
    tensor_fill_normal(x, &rng, 0, 1);
    return x;
}

Var *bench_leaf(Shape shape)
{
    Tensor *t = bench_normal(shape);
    Var *x = var_leaf(t);
    tensor_free(t);
    return x;
}

/* The rounding error of n terms added in any order is less than n/2 ulp of the sum of their
 * absolute values. Blocked sums are far better, so a tolerance of 1e-4 of that sum finds wrong
 * results without rejecting right ones here. */
void bench_expect(const char *what, double found, double expected, double size)
{
    if (fabs(found - expected) <= 1e-4 * size)
        return;
    fprintf(stderr, "bench: %s is %.9g, expected %.9g: the result is wrong, so its time is "
            "meaningless\n", what, found, expected);
    exit(1);
}
