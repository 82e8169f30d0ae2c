/* tensor/parallel.h -- a loop divided among threads, with the same bits for any number of threads.
 *
 *  - parallel_for cuts 0 … n-1 into blocks of `grain`. The cut does not depend on the number of
 *    threads, so a kernel that computes one partial result per block and combines them in order
 *    returns the same bits with 1 thread as with 16.
 *  - One loop at a time runs in parallel. A nested or concurrent call runs on the caller's thread,
 *    with the same blocks; so does a loop of a single block.
 *  - The other threads compute in the caller's floating-point mode (fesetround and the like).
 *  - Threads are started by the first call. SLOPE_THREADS sets their number, from 1 to 256; the
 *    default is the number of processors that this process may use, at most a container's CPU quota
 *    rounded up. An invalid value is reported on stderr and ignored. After fork() the child starts
 *    its own threads.
 *  - A block must not call slope_fail: check arguments before the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_PARALLEL_H
#define SLOPE_TENSOR_PARALLEL_H

#include <stddef.h>

#include "tensor/language.h"

SLOPE_C_BEGIN

typedef void (*ParallelFn)(ptrdiff_t begin, ptrdiff_t end, void *ctx);

/* Calls fn(begin, end, ctx) for every block [begin, end) of [0, n), in any order. */
void parallel_for(ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx);

/* The same on at most `workers` threads, for blocks that need a workspace: parallel_worker()
 * returns the number of the worker that runs the current block, 0 … workers-1. Blocks that run at
 * the same time have different workers. */
void parallel_for_workers(int workers, ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx);
int parallel_worker(void);

/* The number of threads, including the caller's. Setting it to 0 restores the number given by
 * SLOPE_THREADS, and a number above 256 counts as 256. Setting it from within a block of a running
 * loop has no effect. */
int parallel_threads(void);
void parallel_set_threads(int n);

/* What decided the number: "set by SLOPE_THREADS", "set by parallel_set_threads", "limited by the
 * CPU quota" or "all that the system allows"; NULL if there is one thread per processor. */
const char *parallel_reason(void);

SLOPE_C_END

#endif
