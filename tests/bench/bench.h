/* tests/bench/bench.h -- a benchmark, and the list of all benchmarks.
 *
 *  - A Bench has a name, the arithmetic and the memory traffic that its work needs, and four
 *    functions: allocate its buffers, run once, check the result, free the buffers.
 *  - Each topic (limits.c, gemm.c, conv.c, passes.c, networks.c) adds its benchmarks to the list,
 *    and main.c runs the requested ones.
 *  - Timed runs are warm: buffers are written, threads are running, the pool holds its blocks.
 *    Their results are checked: the program stops at a wrong one, so that a broken kernel cannot
 *    win.
 *
 * To add one: write make, run, check and drop, and pass a Bench to bench_add. For the comparison
 * with PyTorch, give the same name to the same work in peer.py.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_BENCH_H
#define SLOPE_TESTS_BENCH_H

#include "slope.h"

/* The minimum work of one call: floating-point operations (a multiply-add counts as two) and bytes
 * read and written, each array once, even if a cache holds it. */
typedef struct Work {
    double flops, bytes;
} Work;

typedef struct Bench Bench;
struct Bench {
    char      name[32];
    Work      work;
    ptrdiff_t size[3];               /* parameters for make: M N K, a batch … */
    void *(*make)(const Bench *b);   /* returns the state for the other three */
    void (*run)(void *state);        /* the call that is timed */
    void (*check)(void *state);      /* called after the runs */
    void (*drop)(void *state);
    bool scaling; /* also time it with one thread */
    bool fastest; /* report the fastest run, not the median, because it measures a limit */
};

/* --- list.c ----------------------------------------------------------------------------------- */

/* Adds a copy to the list. */
void bench_add(Bench b);

/* Calls fn for each benchmark whose name begins with one of the n prefixes; for all if n is 0. */
void bench_each(int n, char **prefix, void (*fn)(const Bench *b, double seconds), double seconds);

/* Does each prefix match a name? If not, prints the one that does not, and all names. */
bool bench_check_prefixes(int n, char **prefix);

/* --- the topics ------------------------------------------------------------------------------- */

void limits_add(void);   /* limits.c: what the machine can do */
void gemms_add(void);    /* gemm.c: matrix products */
void convs_add(void);    /* conv.c: convolutions */
void passes_add(void);   /* passes.c: PReLU and Adam, each one pass over memory */
void networks_add(void); /* networks.c: whole training steps */

/* --- time.c ----------------------------------------------------------------------------------- */

/* Milliseconds per call: the median (or the fastest) of as many calls as fit into `seconds`, but at
 * least three, after some warm-up calls. */
double bench_time(void (*run)(void *state), void *state, double seconds, bool fastest);

/* A tensor, and a leaf, with values from the standard normal distribution. */
Tensor *bench_normal(Shape shape);
Var *bench_leaf(Shape shape);

/* Exits with a message if `found` differs from `expected` by more than single precision explains,
 * for a sum whose terms have absolute values that add up to `size`. */
void bench_expect(const char *what, double found, double expected, double size);

/* --- limits.c --------------------------------------------------------------------------------- */

/* The peak of all threads together, in billions of floating-point operations per second. */
double limits_fma_peak(double seconds);

/* --- cost.c ----------------------------------------------------------------------------------- */

/* One line of the account of a training step: a kernel and its minimum work. */
typedef struct CostLine {
    char name[48];
    Work work;
} CostLine;

enum { COST_LINES = 48 };

typedef struct Cost {
    int      n;
    CostLine line[COST_LINES];
    Work     total;
} Cost;

Cost cost_of_prelu_network(double batch);  /* lessons/kit/networks.c, 784-256-256-10, with Adam */
Cost cost_of_conv_net_prelu(double batch); /* the same for 3x32x32 images */

#endif
