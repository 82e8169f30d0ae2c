/* tests/bench/bench.h -- a piece of work to be timed, and the list of all of them.
 *
 *  - A Bench has a name, the arithmetic and the memory traffic that its work needs, and four
 *    functions: make its buffers, run once, check the result, drop the buffers.
 *  - Each topic (limits.c, gemm.c, conv.c, passes.c, networks.c) adds its own to the list, and
 *    main.c runs those that were asked for.
 *  - What is timed is warm: buffers have been written, threads run, the pool holds its blocks. And
 *    what is timed is right: check stops the program if a result is not, so that a broken kernel
 *    cannot win.
 *
 * To add one: write make, run, check and drop, and hand a Bench to bench_add. For a comparison
 * give the same name to the same work in peer.py.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_BENCH_H
#define SLOPE_TESTS_BENCH_H

#include "slope.h"

/* What one call costs at least: floating-point operations (a multiply-add is two) and bytes read
 * and written, every array once however often the caches hold it. */
typedef struct Work {
    double flops, bytes;
} Work;

typedef struct Bench Bench;
struct Bench {
    char      name[32];
    Work      work;
    ptrdiff_t size[3];               /* what make reads: M N K, a batch … */
    void *(*make)(const Bench *b);   /* returns the state that the other three get */
    void (*run)(void *state);        /* what is timed */
    void (*check)(void *state);      /* after the runs */
    void (*drop)(void *state);
    bool scaling; /* timed with one thread too */
    bool fastest; /* report the fastest run, not the median: it is a limit that is looked for */
};

/* --- list.c ----------------------------------------------------------------------------------- */

/* Puts a copy on the list. */
void bench_add(Bench b);

/* Calls fn for all whose names begin with one of the n prefixes, for every one if n is 0. */
void bench_each(int n, char **prefix, void (*fn)(const Bench *b, double seconds), double seconds);

/* Does each prefix fit something? If not, says which does not, and what there is. */
bool bench_check_prefixes(int n, char **prefix);

/* --- the topics ------------------------------------------------------------------------------- */

void limits_add(void);   /* limits.c: what the machine can do */
void gemms_add(void);    /* gemm.c: matrix products */
void convs_add(void);    /* conv.c: convolutions */
void passes_add(void);   /* passes.c: PReLU and Adam, which pass over memory once */
void networks_add(void); /* networks.c: whole training steps */

/* --- time.c ----------------------------------------------------------------------------------- */

/* Milliseconds a call: the median (or the fastest) of as many as fit into `seconds`, but at least
 * three, after some that do not count. */
double bench_time(void (*run)(void *state), void *state, double seconds, bool fastest);

/* Numbers from the normal distribution with mean 0 and standard deviation 1; a leaf of them. */
Tensor *bench_normal(Shape shape);
Var *bench_leaf(Shape shape);

/* Stops with a sentence if `found` is further from `expected` than single precision explains, for a
 * sum whose terms add up to `size` in absolute value. */
void bench_expect(const char *what, double found, double expected, double size);

/* --- limits.c --------------------------------------------------------------------------------- */

/* What all threads together do: billions of floating-point operations a second at most. */
double limits_fma_peak(double seconds);

/* --- cost.c ----------------------------------------------------------------------------------- */

/* One line of the account of a training step: a kernel and what it must do. */
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
