/* tests/tensor/check_parallel.c -- every index exactly once, for all callers and thread counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/parallel.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tensor/poison.h"
#include "tensor/quota.h"
#include "tests/capture.h"
#include "tests/testing.h"

/* Neither the thread sanitizer nor qemu lets the child of a fork start threads. */
#if TESTING_SLOW
#define PARALLEL_NO_FORK 1
#endif

enum { INDICES = 2000 };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* How often each index was visited, and how many blocks had wrong bounds. */
typedef struct Visits {
    ptrdiff_t  n, grain;
    atomic_int seen[INDICES];
    atomic_int wrong_blocks;
} Visits;

static void visit_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    Visits *v = ctx;
    ptrdiff_t grain = v->grain < 1 ? 1 : v->grain;
    ptrdiff_t expected = v->n - begin < grain ? v->n : begin + grain;
    if (begin % grain != 0 || end != expected || begin >= end)
        atomic_fetch_add(&v->wrong_blocks, 1);
    for (ptrdiff_t i = begin; i < end; i++)
        atomic_fetch_add(&v->seen[i], 1);
}

static void visits_once(Visits *v, ptrdiff_t n, ptrdiff_t grain)
{
    v->n = n, v->grain = grain;
    atomic_store(&v->wrong_blocks, 0);
    for (ptrdiff_t i = 0; i < INDICES; i++)
        atomic_store_explicit(&v->seen[i], 0, memory_order_relaxed);
    parallel_for(n, grain, visit_block, v);
    for (ptrdiff_t i = 0; i < INDICES; i++)
        if (atomic_load_explicit(&v->seen[i], memory_order_relaxed) != (i < n))
            ck_abort_msg("n %td, grain %td: index %td was visited %d times", n, grain, i,
                         atomic_load(&v->seen[i]));
    if (atomic_load(&v->wrong_blocks))
        ck_abort_msg("n %td, grain %td: %d blocks have wrong bounds", n, grain,
                     atomic_load(&v->wrong_blocks));
}

START_TEST(every_index_is_visited_once)
{
    static const int threads[] = {1, 2, 3, 5, 16};
    static const ptrdiff_t ns[] = {0, 1, 2, 3, 7, 64, 100, 1000, INDICES};
    static const ptrdiff_t grains[] = {-3, 0, 1, 2, 3, 10, 64, 999, 5000};
    static Visits v;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        parallel_set_threads(threads[t]);
        for (size_t i = 0; i < sizeof ns / sizeof *ns; i++)
            for (size_t k = 0; k < sizeof grains / sizeof *grains; k++)
                visits_once(&v, ns[i], grains[k]);
    }
    parallel_set_threads(0);
}
END_TEST

/* Each worker number is used by at most one block at a time, and all are below `most`. */
typedef struct Numbers {
    int        most;
    atomic_int inside[16], used[16], wrong;
} Numbers;

static void numbers_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    Numbers *n = ctx;
    int worker = parallel_worker();
    if (worker < 0 || worker >= n->most) {
        atomic_fetch_add(&n->wrong, 1);
        return;
    }
    if (atomic_fetch_add(&n->inside[worker], 1) != 0)
        atomic_fetch_add(&n->wrong, 1);
    atomic_store(&n->used[worker], 1);
    for (volatile int spin = 0; spin < 200 * (int)(end - begin); spin++)
        ;
    atomic_fetch_sub(&n->inside[worker], 1);
}

static bool numbers_show_a_helper(Numbers *n)
{
    for (int worker = 1; worker < 5; worker++)
        if (atomic_load(&n->used[worker]))
            return true;
    return false;
}

/* On a busy machine a helper may get no processor before the caller has run all blocks, so the
 * loops are repeated until a helper has worked. */
START_TEST(no_two_blocks_at_a_time_have_one_worker)
{
    static Numbers n;
    double give_up = seconds_now() + 30;
    parallel_set_threads(5);
    do
        for (n.most = 1; n.most <= 7; n.most++)
            for (int again = 0; again < 50; again++)
                parallel_for_workers(n.most, 300, 1, numbers_block, &n);
    while (!numbers_show_a_helper(&n) && seconds_now() < give_up);
    ck_assert_int_eq(atomic_load(&n.wrong), 0);
    ck_assert_msg(numbers_show_a_helper(&n), "only the caller ever worked");
    ck_assert_int_eq(atomic_load(&n.used[5]) + atomic_load(&n.used[6]), 0); /* only five exist */
    parallel_set_threads(0);
}
END_TEST

/* A block that runs a loop is that loop's only worker, whichever worker it is of the outer loop. */
static void numbers_outer(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    int before = parallel_worker();
    (void)begin, (void)end;
    parallel_for_workers(1, 3, 1, numbers_block, &(Numbers){.most = 1});
    Numbers inner = {.most = 1};
    parallel_for_workers(2, 3, 1, numbers_block, &inner);
    if (atomic_load(&inner.wrong) || parallel_worker() != before)
        atomic_fetch_add((atomic_int *)ctx, 1);
}

START_TEST(a_nested_loop_has_one_worker)
{
    atomic_int wrong = 0;
    parallel_set_threads(4);
    for (int again = 0; again < 50; again++)
        parallel_for(200, 1, numbers_outer, &wrong);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    parallel_set_threads(0);
}
END_TEST

/* Neither call waits for another thread's job that is using the pool. */
static void *asks_and_loops(void *ctx)
{
    static Visits v;
    (void)parallel_threads();
    v.n = 100, v.grain = 1;
    parallel_for(v.n, v.grain, visit_block, &v);
    atomic_store((atomic_int *)ctx, 1);
    return NULL;
}

static void waits_for_a_thread(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    pthread_t thread;
    (void)end;
    if (begin == 0 && pthread_create(&thread, NULL, asks_and_loops, ctx) == 0)
        pthread_join(thread, NULL);
}

START_TEST(a_job_may_wait_for_another_thread_s_loop)
{
    atomic_int done = 0;
    parallel_set_threads(3);
    parallel_for(4, 1, waits_for_a_thread, &done);
    ck_assert_int_eq(atomic_load(&done), 1);
    parallel_set_threads(0);
}
END_TEST

START_TEST(a_negative_count_is_no_work)
{
    static Visits v;
    parallel_for(-5, 2, visit_block, &v);
    ck_assert_int_eq(v.seen[0], 0);
}
END_TEST

/* Thousands of tiny jobs in quick succession: a late helper must not join the wrong one. */
START_TEST(many_short_jobs_in_a_row)
{
    static Visits v;
    parallel_set_threads(3);
    for (ptrdiff_t job = 0; job < 3000; job++)
        visits_once(&v, 2 + job % 50, 1 + job % 3);
    parallel_set_threads(0);
}
END_TEST

/* --- do several threads really work? ---------------------------------------------------------- */

/* Each block waits until all three have begun; a single thread would wait in vain. */
static void meet_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    atomic_int *arrived = ctx;
    double give_up = seconds_now() + 10;
    atomic_fetch_add(arrived, (int)(end - begin));
    while (atomic_load(arrived) < 3 && seconds_now() < give_up)
        sched_yield();
    if (atomic_load(arrived) < 3)
        atomic_store(arrived, -1000);
}

START_TEST(helpers_help_even_after_a_sleep)
{
    parallel_set_threads(3);
    for (int round = 0; round < 5; round++) {
        atomic_int arrived = 0;
        parallel_for(3, 1, meet_block, &arrived);
        ck_assert_int_eq(arrived, 3);
        nanosleep(&(struct timespec){.tv_nsec = round * 10000000}, NULL);
    }
    parallel_set_threads(0);
}
END_TEST

typedef struct Rounding {
    atomic_int arrived;
    int        mode[3];
} Rounding;

static void rounding_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    Rounding *r = ctx;
    r->mode[begin] = fegetround();
    meet_block(begin, end, &r->arrived); /* so that each thread runs one block */
}

START_TEST(every_thread_rounds_as_the_caller_does)
{
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_TONEAREST};
    parallel_set_threads(3);
    for (int k = 0; k < 3; k++) { /* the helpers start in the first round */
        Rounding r = {0};
        ck_assert_int_eq(fesetround(modes[k]), 0);
        parallel_for(3, 1, rounding_block, &r);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(r.mode[i], modes[k]);
    }
    parallel_set_threads(0);
}
END_TEST

/* --- nested calls ----------------------------------------------------------------------------- */

static atomic_int nested_seen[20][30];

static void nested_inner(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    atomic_int *row = ctx;
    for (ptrdiff_t i = begin; i < end; i++)
        atomic_fetch_add(&row[i], 1);
}

static void nested_outer(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    (void)ctx;
    for (ptrdiff_t i = begin; i < end; i++)
        parallel_for(30, 4, nested_inner, nested_seen[i]);
}

START_TEST(a_nested_call_runs_inside)
{
    for (int threads = 1; threads <= 3; threads++) {
        parallel_set_threads(threads);
        parallel_for(20, 3, nested_outer, NULL);
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 30; j++)
                if (nested_seen[i][j] != threads)
                    ck_abort_msg("(%d, %d) was visited %d times", i, j, nested_seen[i][j]);
    }
    parallel_set_threads(0);
}
END_TEST

static void count_threads_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, (int)(end - begin) * parallel_threads());
}

START_TEST(a_block_may_ask_how_many_threads_work)
{
    for (int threads = 1; threads <= 3; threads++) {
        atomic_int sum = 0;
        parallel_set_threads(threads);
        parallel_for(10, 1, count_threads_block, &sum);
        ck_assert_int_eq(sum, 10 * threads);
    }
    parallel_set_threads(0);
}
END_TEST

static void set_threads_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    parallel_set_threads(5);
    atomic_fetch_add((atomic_int *)ctx, (int)(end - begin));
}

START_TEST(a_block_cannot_change_how_many_threads_work)
{
    atomic_int blocks = 0;
    parallel_set_threads(2);
    parallel_for(10, 1, set_threads_block, &blocks);
    ck_assert_int_eq(blocks, 10);
    ck_assert_int_eq(parallel_threads(), 2);
    parallel_set_threads(0);
}
END_TEST

/* --- several callers -------------------------------------------------------------------------- */

static void add_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    atomic_long *sum = ctx;
    for (ptrdiff_t i = begin; i < end; i++)
        atomic_fetch_add(sum, (long)i);
}

static void *caller_main(void *wrong)
{
    for (int i = 0; i < 300; i++) {
        atomic_long sum = 0;
        parallel_for(200, 10, add_block, &sum);
        if (sum != 199 * 200 / 2)
            atomic_fetch_add((atomic_int *)wrong, 1);
    }
    return NULL;
}

START_TEST(concurrent_callers_do_not_meet)
{
    pthread_t callers[4];
    atomic_int wrong = 0;
    parallel_set_threads(3);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&callers[i], NULL, caller_main, &wrong), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(callers[i], NULL);
    ck_assert_int_eq(wrong, 0);
    parallel_set_threads(0);
}
END_TEST

/* The child of a fork has none of its parent's helpers and must not wait for them. */
START_TEST(after_a_fork_the_child_starts_its_own)
{
#ifndef PARALLEL_NO_FORK
    atomic_int arrived = 0;
    int status = 0;
    parallel_set_threads(3);
    parallel_for(3, 1, meet_block, &arrived);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        alarm(20);
        arrived = 0;
        parallel_for(3, 1, meet_block, &arrived);
        _exit(arrived == 3 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    arrived = 0; /* and the parent still has its own */
    parallel_for(3, 1, meet_block, &arrived);
    ck_assert_int_eq(arrived, 3);
    parallel_set_threads(0);
#endif
}
END_TEST

/* The sanitizers' own locks do not survive a fork while other threads run. */
#if !defined(PARALLEL_NO_FORK) && !defined(MEMORY_ASAN)
static void *stopper_main(void *over)
{
    while (!atomic_load((atomic_bool *)over)) {
        atomic_int arrived = 0;
        parallel_set_threads(3);
        parallel_for(3, 1, count_threads_block, &arrived);
    }
    return NULL;
}

static int meets_in_a_child(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        atomic_int arrived = 0;
        alarm(20);
        parallel_for(3, 1, meet_block, &arrived);
        _exit(arrived == 3 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* The fork may come while another thread is stopping the helpers. */
START_TEST(a_fork_amid_a_change_of_threads_leaves_the_child_whole)
{
    pthread_t stopper;
    atomic_bool over = false;
    parallel_set_threads(3); /* so that the first child has three, too */
    ck_assert_int_eq(pthread_create(&stopper, NULL, stopper_main, &over), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(meets_in_a_child(), 0);
    atomic_store(&over, true);
    pthread_join(stopper, NULL);
    parallel_set_threads(0);
}
END_TEST
#endif

/* --- the number of threads -------------------------------------------------------------------- */

static int threads_by_environment(const char *text)
{
    if (text)
        setenv("SLOPE_THREADS", text, 1);
    else
        unsetenv("SLOPE_THREADS");
    parallel_set_threads(0);
    return parallel_threads();
}

/* Takes the place of tensor/quota.c, which has tests of its own. */
static long quota_now;

long slope_cpu_quota(const char *root)
{
    (void)root;
    return quota_now;
}

START_TEST(a_quota_limits_only_the_default)
{
    const char *text = getenv("SLOPE_THREADS");
    char *before = text ? strdup(text) : NULL;
    int all = threads_by_environment(NULL);
    ck_assert_ptr_null(parallel_reason());
    for (quota_now = 1; quota_now <= all + 1; quota_now++) {
        ck_assert_int_eq(threads_by_environment(NULL), quota_now < all ? (int)quota_now : all);
        if (quota_now < all)
            ck_assert_str_eq(parallel_reason(), "limited by the CPU quota");
        else
            ck_assert_ptr_null(parallel_reason());
    }
    quota_now = 1;
    ck_assert_int_eq(threads_by_environment("3"), 3);
    ck_assert_str_eq(parallel_reason(), "set by SLOPE_THREADS");
    parallel_set_threads(300);
    ck_assert_int_eq(parallel_threads(), 256);
    ck_assert_str_eq(parallel_reason(), "set by parallel_set_threads");
    quota_now = 0;
    threads_by_environment(before);
    free(before);
}
END_TEST

START_TEST(the_environment_sets_how_many)
{
    const char *text = getenv("SLOPE_THREADS");
    char *before = text ? strdup(text) : NULL;
    int standard = threads_by_environment(NULL);
    ck_assert_int_ge(standard, 1);
    ck_assert_int_eq(threads_by_environment("1"), 1);
    ck_assert_int_eq(threads_by_environment("7"), 7);
    ck_assert_int_eq(threads_by_environment("256"), 256);
    capture_begin();
    ck_assert_int_eq(threads_by_environment(""), standard);
    ck_assert_str_eq(capture_end(), "");
    parallel_set_threads(3);
    ck_assert_int_eq(parallel_threads(), 3);
    threads_by_environment(before);
    free(before);
}
END_TEST

/* Is the value reported, but only once, and are there as many threads as without it? */
static bool threads_ignore(const char *value, const char *report, int standard)
{
    capture_begin();
    int threads = threads_by_environment(value);
    bool reported = strcmp(capture_end(), report) == 0;
    capture_begin();
    bool same = threads == standard && threads_by_environment("none") == standard;
    return strcmp(capture_end(), "") == 0 && reported && same;
}

/* Each value is tried in a child, because a process reports only one. */
START_TEST(an_invalid_number_is_reported_once_and_ignored)
{
    static const char *const invalid[] = {"0", "-2", "4x", "many", "257", "1000000",
                                          "99999999999999999999", "\n", "1 "};
    const char *text = getenv("SLOPE_THREADS");
    char *before = text ? strdup(text) : NULL;
    int standard = threads_by_environment(NULL);
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        char report[200];
        snprintf(report, sizeof report, "slope: parallel_threads: warning: SLOPE_THREADS is '%s'; "
                 "expected a whole number from 1 to 256; using %d thread%s\n", SHOWN(invalid[i]),
                 standard, standard == 1 ? "" : "s");
        pid_t child = fork();
        if (child == 0)
            _exit(!threads_ignore(invalid[i], report, standard));
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(status == 0, "SLOPE_THREADS='%s' failed", invalid[i]);
    }
    threads_by_environment(before);
    free(before);
}
END_TEST

START_TEST(the_number_may_change_between_jobs)
{
    static Visits v;
    for (int i = 0; i < 40; i++) {
        parallel_set_threads(1 + i * 7 % 6);
        visits_once(&v, 100, 3);
        ck_assert_int_eq(parallel_threads(), 1 + i * 7 % 6);
    }
    parallel_set_threads(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parallel");
    testing_add(suite, "one caller", 60, (const TTest *const[]){
        every_index_is_visited_once, no_two_blocks_at_a_time_have_one_worker,
        a_negative_count_is_no_work, many_short_jobs_in_a_row,
        helpers_help_even_after_a_sleep, every_thread_rounds_as_the_caller_does, NULL});
    testing_add(suite, "callers", 30, (const TTest *const[]){
        a_nested_call_runs_inside, a_nested_loop_has_one_worker,
        a_job_may_wait_for_another_thread_s_loop, a_block_may_ask_how_many_threads_work,
        a_block_cannot_change_how_many_threads_work,
        concurrent_callers_do_not_meet, after_a_fork_the_child_starts_its_own,
#if !defined(PARALLEL_NO_FORK) && !defined(MEMORY_ASAN)
        a_fork_amid_a_change_of_threads_leaves_the_child_whole,
#endif
        NULL});
    testing_add(suite, "number of threads", 10, (const TTest *const[]){
        the_environment_sets_how_many, an_invalid_number_is_reported_once_and_ignored,
        a_quota_limits_only_the_default, the_number_may_change_between_jobs, NULL});
    return testing_main(suite);
}
