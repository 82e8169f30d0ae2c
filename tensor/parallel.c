/* tensor/parallel.c -- a pool of POSIX threads that divide the blocks of a loop among themselves.
 *
 * The caller opens a job, and every thread, including the caller, runs block after block. When no
 * block is left, the caller closes the job and waits for the helpers that are still inside. A
 * helper that comes too late finds the job closed, so the caller never waits for a thread that is
 * asleep.
 * Each worker starts with its own share of consecutive blocks, handed out by an atomic counter, and
 * then takes blocks from the others' shares. Similar loops are divided in the same way, so a worker
 * often finds in its core's cache what it wrote in the loop before.
 * A helper without work spins for a short time before it sleeps: the kernels of a training step
 * follow one another within microseconds, and waking a thread takes tens of microseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* CPU_COUNT */
#endif
#include "tensor/parallel.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tensor/cut.h"
#include "tensor/error.h"
#include "tensor/memory.h"
#include "tensor/quota.h"

enum { PARALLEL_MAX = 256, PARALLEL_SPINS = 20000, JOB_OPEN = 1 << 16 };

/* The consecutive blocks that one worker starts with. Each share has its own cache line, so that
 * workers do not slow each other down by false sharing. */
typedef struct Share {
    _Alignas(CACHE_LINE) atomic_ptrdiff_t next;
    ptrdiff_t end;
} Share;

typedef struct Job {
    ParallelFn fn;
    void      *ctx;
    ptrdiff_t  n, grain;
    int        workers; /* the maximum */
    fenv_t     fenv;    /* the caller's rounding mode, treatment of denormals … */
    int        shares;
    Share      share[PARALLEL_MAX];
} Job;

typedef struct Helper {
    pthread_t thread;
    unsigned  ticket; /* of the last job before this thread started */
} Helper;

/* For parallel_reason. Not in the pool, whose fields threads watch while they wait. */
static const char *_Atomic pool_reason;

static struct {
    pthread_mutex_t busy;  /* held by the thread whose job is running */
    pthread_mutex_t sleep; /* guards the condition below */
    pthread_cond_t  wake;
    atomic_uint     ticket; /* bumped for every job, so that helpers notice a new one */
    atomic_uint     inside; /* helpers at work on the job, plus JOB_OPEN while it may be joined */
    atomic_int      asleep;
    atomic_bool     stop;
    atomic_int      threads; /* 0: not decided yet */
    int             helpers; /* running now */
    Helper          helper[PARALLEL_MAX];
    Job             job;
} pool = {.busy = PTHREAD_MUTEX_INITIALIZER,
          .sleep = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local bool parallel_inside; /* is this thread running a block? */
static _Thread_local int  parallel_number; /* of this thread among the workers; the caller is 0 */

static inline void parallel_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Divides the blocks evenly and in order. */
static void job_share_out(Job *job, int workers)
{
    ptrdiff_t blocks = ceil_div(job->n, job->grain);
    job->shares = (int)min_size(workers, blocks);
    for (int s = 0; s < job->shares; s++) {
        atomic_store(&job->share[s].next, part_begin(blocks, job->shares, s));
        job->share[s].end = part_begin(blocks, job->shares, s + 1);
    }
}

/* Runs the block at `begin`. Comparing begin + grain with n instead could overflow. */
static void block_run(ParallelFn fn, ptrdiff_t begin, ptrdiff_t grain, ptrdiff_t n, void *ctx)
{
    fn(begin, n - begin > grain ? begin + grain : n, ctx);
}

static void job_run_share(const Job *job, Share *share)
{
    ptrdiff_t block;
    while ((block = atomic_fetch_add(&share->next, 1)) < share->end)
        block_run(job->fn, block * job->grain, job->grain, job->n, job->ctx);
}

static void job_run_blocks(Job *job)
{
    parallel_inside = true;
    for (int i = 0; i < job->shares; i++)
        job_run_share(job, &job->share[(parallel_number + i) % job->shares]);
    parallel_inside = false;
}

/* --- helpers ---------------------------------------------------------------------------------- */

/* Waits for the next ticket and returns it; first spins, then sleeps. */
static unsigned helper_wait(unsigned seen)
{
    for (int spin = 0; spin < PARALLEL_SPINS; spin++) {
        unsigned ticket = atomic_load(&pool.ticket);
        if (ticket != seen)
            return ticket;
        parallel_pause();
    }
    pthread_mutex_lock(&pool.sleep);
    atomic_fetch_add(&pool.asleep, 1);
    while (atomic_load(&pool.ticket) == seen)
        pthread_cond_wait(&pool.wake, &pool.sleep);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.sleep);
    return atomic_load(&pool.ticket);
}

/* Joins the current job, whichever it is, unless it is closed. The fields of the job may be read
 * only after joining. */
static bool helper_enter(void)
{
    unsigned inside = atomic_load(&pool.inside);
    while (inside & JOB_OPEN)
        if (atomic_compare_exchange_weak(&pool.inside, &inside, inside + 1))
            return true;
    return false;
}

static void *helper_main(void *ctx)
{
    const Helper *helper = ctx;
    unsigned seen = helper->ticket;
    parallel_number = (int)(helper - pool.helper) + 1;
    for (;;) {
        seen = helper_wait(seen);
        if (atomic_load(&pool.stop))
            return NULL;
        if (helper_enter()) {
            if (parallel_number < pool.job.workers) {
                fesetenv(&pool.job.fenv);
                job_run_blocks(&pool.job);
            }
            atomic_fetch_sub(&pool.inside, 1);
        }
    }
}

/* Announces a job or, if pool.stop is set, the end. The ticket changes before `asleep` is read, and
 * a helper increments `asleep` before it reads the ticket, so no helper is missed. */
static void pool_announce(void)
{
    atomic_fetch_add(&pool.ticket, 1);
    if (atomic_load(&pool.asleep) == 0)
        return;
    pthread_mutex_lock(&pool.sleep);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.sleep);
}

static void pool_stop(void)
{
    atomic_store(&pool.stop, true);
    pool_announce();
    for (int i = 0; i < pool.helpers; i++)
        pthread_join(pool.helper[i].thread, NULL);
    pool.helpers = 0;
    atomic_store(&pool.stop, false);
}

/* The child of a fork has only the thread that called fork, so it forgets the helpers. */
static void pool_forget(void)
{
    pool.helpers = 0;
    pthread_mutex_init(&pool.busy, NULL);
    pthread_mutex_init(&pool.sleep, NULL);
    pthread_cond_init(&pool.wake, NULL);
    atomic_store(&pool.inside, 0);
    atomic_store(&pool.asleep, 0);
    atomic_store(&pool.stop, false); /* another thread may have been in pool_stop */
}

static void pool_ask_for_forks(void)
{
    pthread_atfork(NULL, NULL, pool_forget);
}

/* Called before any lock is taken, because a fork may happen as soon as one is. */
static void pool_watch_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, pool_ask_for_forks);
}

/* Starts helpers until there are threads - 1, or as many as the system allows. */
static void pool_start(void)
{
    while (pool.helpers < atomic_load(&pool.threads) - 1) {
        Helper *helper = &pool.helper[pool.helpers];
        helper->ticket = atomic_load(&pool.ticket);
        if (pthread_create(&helper->thread, NULL, helper_main, helper) != 0) {
            atomic_store(&pool.threads, pool.helpers + 1);
            atomic_store(&pool_reason, "all that the system allows");
            return;
        }
        pool.helpers++;
    }
}

/* --- how many threads ------------------------------------------------------------------------- */

/* One thread per processor that this process may use, but no more than its CPU quota allows. */
static int threads_by_default(void)
{
    long n = 0, quota = slope_cpu_quota("");
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        n = CPU_COUNT(&allowed);
#endif
    if (n < 1)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    bool limited = quota > 0 && quota < n;
    atomic_store(&pool_reason, limited ? "limited by the CPU quota" : NULL);
    n = limited ? quota : n;
    return n < 1 ? 1 : n > PARALLEL_MAX ? PARALLEL_MAX : (int)n;
}

/* An invalid SLOPE_THREADS is reported but does not stop the program, because a lock may be held
 * here. */
static int threads_from_environment(void)
{
    static atomic_bool warned;
    const char *text = getenv("SLOPE_THREADS");
    char *end = NULL;
    if (!text || !*text)
        return threads_by_default();
    long n = strtol(text, &end, 10);
    if (*end == '\0' && n >= 1 && n <= PARALLEL_MAX) {
        atomic_store(&pool_reason, "set by SLOPE_THREADS");
        return (int)n;
    }
    n = threads_by_default();
    slope_warn_once(&warned, "parallel_threads", "SLOPE_THREADS is '%s'; expected a whole number "
                    "from 1 to %d; using %ld thread%s", SHOWN(text), PARALLEL_MAX, n,
                    n == 1 ? "" : "s");
    return (int)n;
}

/* Takes no lock: it may be called while another thread's job holds the lock. */
int parallel_threads(void)
{
    int n = atomic_load(&pool.threads), found = 0;
    if (n > 0)
        return n;
    n = threads_from_environment();
    return atomic_compare_exchange_strong(&pool.threads, &found, n) ? n : found;
}

const char *parallel_reason(void)
{
    (void)parallel_threads(); /* which decides, if it has not yet */
    return atomic_load(&pool_reason);
}

void parallel_set_threads(int n)
{
    if (parallel_inside) /* the job holds the lock: waiting for it would deadlock */
        return;
    pool_watch_forks();
    pthread_mutex_lock(&pool.busy);
    pool_stop();
    if (n < 1)
        n = threads_from_environment();
    else
        atomic_store(&pool_reason, "set by parallel_set_threads");
    atomic_store(&pool.threads, n > PARALLEL_MAX ? PARALLEL_MAX : n);
    pthread_mutex_unlock(&pool.busy);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Runs all blocks on this thread, as worker 0, even if its number in an outer job is different. */
static void parallel_inline(ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx)
{
    int number = parallel_number;
    parallel_number = 0;
    for (ptrdiff_t begin = 0; begin < n; begin += grain)
        block_run(fn, begin, grain, n, ctx);
    parallel_number = number;
}

static void pool_run(int workers, ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx)
{
    pool.job.fn = fn, pool.job.ctx = ctx, pool.job.workers = workers;
    pool.job.n = n, pool.job.grain = grain;
    fegetenv(&pool.job.fenv);
    job_share_out(&pool.job, (int)min_size(workers, pool.helpers + 1));
    atomic_store(&pool.inside, JOB_OPEN);
    pool_announce();
    job_run_blocks(&pool.job);
    atomic_fetch_and(&pool.inside, ~(unsigned)JOB_OPEN);
    for (int spin = 0; atomic_load(&pool.inside) > 0; spin++) {
        parallel_pause();
        if (spin > PARALLEL_SPINS)
            sched_yield();
    }
}

void parallel_for_workers(int workers, ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx)
{
    if (grain < 1)
        grain = 1;
    pool_watch_forks();
    if (n <= grain || workers <= 1 || parallel_inside || pthread_mutex_trylock(&pool.busy) != 0) {
        parallel_inline(n, grain, fn, ctx);
        return;
    }
    if (pool.helpers < parallel_threads() - 1)
        pool_start();
    bool alone = pool.helpers == 0;
    if (!alone)
        pool_run(workers, n, grain, fn, ctx);
    pthread_mutex_unlock(&pool.busy);
    if (alone)
        parallel_inline(n, grain, fn, ctx);
}

void parallel_for(ptrdiff_t n, ptrdiff_t grain, ParallelFn fn, void *ctx)
{
    parallel_for_workers(PARALLEL_MAX, n, grain, fn, ctx);
}

int parallel_worker(void)
{
    return parallel_number;
}
