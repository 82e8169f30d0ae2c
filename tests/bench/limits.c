/* tests/bench/limits.c -- what this machine can do: arithmetic and memory.
 *
 *  - fma_peak: multiply-adds on registers alone. No matrix product can be faster.
 *  - fma_moving: the same with values that change in every step, as in real work. A processor that
 *    has to switch more bits lowers its clock, so this is what a matrix product can reach.
 *  - triad: a[i] = b[i] + 3 c[i] on arrays of 64 MB. Source: McCalpin's STREAM, 1995.
 *  - update: a[i] = a[i] / 2 + b[i] on the same arrays, in place, like Adam's update.
 *
 * Both memory loops are counted as moving three values per element. But a processor fetches a cache
 * line before it writes to it, so triad also moves a fourth value, which is not counted. Update
 * needs the old value anyway, so it shows the higher speed of the two. A kernel whose arrays are
 * in a cache can exceed both.
 *
 * Each is the fastest of many runs: a limit that is reached only occasionally is still the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/vec.h"
#include "tensor/parallel.h"
#include "tests/bench/bench.h"

/* --- multiply-adds ---------------------------------------------------------------------------- */

/* A multiply-add takes about 4 cycles, and a core starts two per cycle, so at least 8 independent
 * ones must be in flight. 12 leave a margin and, with s and t, fit into 16 registers. */
enum { CHAINS = 12, FMA_STEPS = 100000, FMA_BLOCKS = 64 };

typedef struct FmaBench {
    real sum[FMA_BLOCKS]; /* stored, so that the compiler keeps the loop that computes it */
} FmaBench;

/* x <- s x + t and x <- r x + u in turn, for every chain; returns the sum over all chains. */
static real fma_chains(vec x[CHAINS], vec s, vec t, vec r, vec u)
{
    vec chain[CHAINS];
    real sum = 0;
    for (int i = 0; i < CHAINS; i++)
        chain[i] = x[i];
    for (int k = 0; k < FMA_STEPS; k += 2) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            chain[i] = chain[i] * s + t;
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            chain[i] = chain[i] * r + u;
    }
    for (int i = 0; i < CHAINS; i++)
        sum += vec_sum(chain[i]);
    return sum;
}

/* The chains converge to 1 and stay there. */
static void fma_blocks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    FmaBench *f = ctx;
    vec x[CHAINS], s = vec_all((real)0.75), t = vec_all((real)0.25);
    for (int i = 0; i < CHAINS; i++)
        x[i] = vec_all((real)i);
    for (ptrdiff_t b = begin; b < end; b++)
        f->sum[b] = fma_chains(x, s, t, s, t);
}

/* The second step undoes the first, up to rounding: all digits change, and the values stay in
 * range. The chains start at values of both signs whose sum is about 0; 1 is added to each block's
 * sum. */
static void fma_moving_blocks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    FmaBench *f = ctx;
    vec x[CHAINS], s, t;
    for (int v = 0; v < VEC; v++) {
        s[v] = (real)(1.3 + 0.7 * v / VEC), t[v] = (real)(0.9 - 1.7 * v / VEC);
        for (int i = 0; i < CHAINS; i++)
            x[i][v] = (real)(0.37 * (i + 1 - (CHAINS + 1) / 2.0));
    }
    vec r = 1 / s, u = -t / s;
    for (ptrdiff_t b = begin; b < end; b++)
        f->sum[b] = 1 + fma_chains(x, s, t, r, u);
}

static void *fma_make(const Bench *b)
{
    (void)b;
    return memory_new(sizeof(FmaBench));
}

static void fma_run(void *state)
{
    parallel_for(FMA_BLOCKS, 1, fma_blocks, state);
}

static void fma_moving_run(void *state)
{
    parallel_for(FMA_BLOCKS, 1, fma_moving_blocks, state);
}

static void fma_moving_check(void *state)
{
    FmaBench *f = state;
    for (int b = 0; b < FMA_BLOCKS; b++)
        bench_expect("fma_moving: a block's sum", (double)f->sum[b], 1, CHAINS * VEC);
}

static void fma_check(void *state)
{
    FmaBench *f = state;
    for (int b = 0; b < FMA_BLOCKS; b++)
        bench_expect("fma_peak: a block's sum", (double)f->sum[b], CHAINS * VEC, CHAINS * VEC);
}

static const double fma_flops = 2.0 * VEC * CHAINS * FMA_STEPS * FMA_BLOCKS;

double limits_fma_peak(double seconds)
{
    FmaBench f;
    double ms = bench_time(fma_run, &f, seconds, true);
    fma_check(&f);
    return fma_flops / ms / 1e6;
}

/* --- memory ----------------------------------------------------------------------------------- */

enum { TRIAD_BYTES = 64 << 20, TRIAD_COUNT = TRIAD_BYTES / (int)sizeof(real), TRIAD_GRAIN = 16384 };

typedef struct TriadBench {
    real *a, *b, *c;
} TriadBench;

/* Starts at the fixed point of both loops: a = b + 3 c = a / 2 + b with c = b / 3. */
static void *triad_make(const Bench *bench)
{
    (void)bench;
    TriadBench *t = memory_new(sizeof *t);
    t->a = memory_new(TRIAD_BYTES), t->b = memory_new(TRIAD_BYTES), t->c = memory_new(TRIAD_BYTES);
    for (int i = 0; i < TRIAD_COUNT; i++)
        t->b[i] = (real)(3 * (i % 5)), t->c[i] = (real)(i % 5), t->a[i] = 2 * t->b[i];
    return t;
}

static void triad_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const TriadBench *t = ctx;
    real *restrict a = t->a;
    const real *b = t->b, *c = t->c;
    for (ptrdiff_t i = begin; i < end; i++)
        a[i] = b[i] + 3 * c[i];
}

static void triad_run(void *state)
{
    parallel_for(TRIAD_COUNT, TRIAD_GRAIN, triad_block, state);
}

static void update_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const TriadBench *t = ctx;
    real *restrict a = t->a;
    const real *b = t->b;
    for (ptrdiff_t i = begin; i < end; i++)
        a[i] = a[i] * (real)0.5 + b[i];
}

static void update_run(void *state)
{
    parallel_for(TRIAD_COUNT, TRIAD_GRAIN, update_block, state);
}

static void triad_check(void *state)
{
    const TriadBench *t = state;
    for (int i = 0; i < TRIAD_COUNT; i += 99991)
        bench_expect("triad or update: an element", (double)t->a[i], 6 * (i % 5), 1);
}

static void triad_drop(void *state)
{
    TriadBench *t = state;
    memory_free(t->a), memory_free(t->b), memory_free(t->c);
    memory_free(t);
}

/* --- the list --------------------------------------------------------------------------------- */

/* The last two have no flops: their speed is in bytes per second. */
void limits_add(void)
{
    bench_add((Bench){.name = "fma_peak", .work = {.flops = fma_flops}, .make = fma_make,
                      .run = fma_run, .check = fma_check, .drop = memory_free, .scaling = true,
                      .fastest = true});
    bench_add((Bench){.name = "fma_moving", .work = {.flops = fma_flops}, .make = fma_make,
                      .run = fma_moving_run, .check = fma_moving_check, .drop = memory_free,
                      .scaling = true, .fastest = true});
    Bench memory = {.work = {.bytes = 3.0 * TRIAD_BYTES}, .make = triad_make, .check = triad_check,
                    .drop = triad_drop, .scaling = true, .fastest = true};
    snprintf(memory.name, sizeof memory.name, "triad");
    memory.run = triad_run;
    bench_add(memory);
    snprintf(memory.name, sizeof memory.name, "update");
    memory.run = update_run;
    bench_add(memory);
}
