/* tensor/parallel.h -- a loop spread over the cores, with the same bits for any number.
 *
 *  - parallel_for cuts 0 … n-1 into blocks of `grain`; the cut does not depend on how many
 *    threads there are, so a kernel that keeps a partial result per block and combines them
 *    in order gives the same bits on 1 thread and on 16.
 *  - One job runs at a time. A nested or concurrent call runs on the caller's thread, with
 *    the same blocks; so does work of one block.
 *  - Threads start at the first call. SLOPE_THREADS sets how many work (default: the
 *    processors this process may use). After fork() the child starts its own.
 *  - Workers never raise: check arguments before the call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_PARALLEL_H
#define SLOPE_TENSOR_PARALLEL_H

#include <stddef.h>

typedef void (*ParallelFn)(ptrdiff_t begin, ptrdiff_t end, void *ctx);

/* Calls fn(begin, end, ctx) for every block [begin, end) of [0, n), in any order. */
void parallel_for(ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx);

/* The same on at most `workers` threads, for blocks that need room to work in: a block asks
 * parallel_worker() which of them runs it, 0 … workers-1, and no two at a time have one
 * number. */
void parallel_for_workers(int workers, ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx);
int parallel_worker(void);

/* How many threads work, the caller's included. Setting 0 goes back to SLOPE_THREADS. A block
 * of a running job cannot change the number: there, setting does nothing. */
int parallel_threads(void);
void parallel_set_threads(int n);

#endif
