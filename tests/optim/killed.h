/* tests/optim/killed.h -- shared by the tests of resuming: a run that is killed again and again.
 *
 *  - killed_check(maker) trains a run without interruption, and then in child processes that are
 *    killed at random moments and started again, and asserts that both end with the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_OPTIM_KILLED_H
#define SLOPE_TESTS_OPTIM_KILLED_H

#include <signal.h>
#include <sys/wait.h>

#include "optim/progress.h"
#include "tests/optim/resumed.h"

#ifdef SLOPE_DEBUG /* for the sanitizers and valgrind, where everything is slower */
enum { KILLS = 12 };
#else
enum { KILLS = 50 };
#endif

/* Creates a run that is ready for trainer_fit; each process calls it anew. */
typedef Run *(*KilledMaker)(uint64_t seed);

/* Moves the run to a block of its own, so that a loss function may keep its address. */
static inline Run *killed_copy(Run run)
{
    Run *r = malloc(sizeof *r);
    ck_assert_ptr_nonnull(r);
    *r = run;
    return r;
}

static inline void killed_free(Run *r)
{
    run_free(r);
    free(r);
}

/* The environment may set another number: KILLS=300 CK_TIMEOUT_MULTIPLIER=10 check_resume. */
static inline int killed_count(void)
{
    const char *text = getenv("KILLS");
    return text ? atoi(text) : KILLS;
}

/* The program that is killed: it starts training or resumes it. Exits with 0 if training is done
 * and every save succeeded, with 1 if its checkpoint cannot be read, with 2 if a save failed. */
static inline void killed_child(KilledMaker make, uint64_t seed)
{
    Error err;
    Run *r = make(seed);
    r->t.checkpoint = scratch_path("killed");
    if (!trainer_resume(&r->t, &err))
        _exit(1);
    trainer_fit(&r->t);
    _exit(r->t.failed_saves ? 2 : 0);
}

/* If there is a checkpoint, the initial weights must not matter. */
static inline pid_t killed_start(KilledMaker make)
{
    bool begun = access(scratch_path("killed"), F_OK) == 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        killed_child(make, begun ? 7 : 1);
    return child;
}

/* True if the child finished, false if it was killed. */
static inline bool killed_wait(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        ck_assert_int_eq(WEXITSTATUS(status), 0);
    else
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    return WIFEXITED(status);
}

/* At any time there is either no checkpoint yet or one that can be read. */
static inline void killed_check_file(KilledMaker make)
{
    Error err;
    Run *r = make(4);
    r->t.checkpoint = scratch_path("killed");
    ck_assert_msg(trainer_resume(&r->t, &err), "%s", err.problem);
    killed_free(r);
}

/* Each save removes the temporary file that a killed save left behind. */
static inline void killed_check_folder(void)
{
    DIR *folder = opendir(scratch_folder);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        ck_assert_msg(!strstr(entry->d_name, ".tmp"), "%s", entry->d_name);
    closedir(folder);
}

/* The child's last checkpoint must equal the end of the uninterrupted run. */
static inline void killed_check_end(KilledMaker make, Run *whole)
{
    Error err;
    size_t size;
    Run *left = make(5);
    left->t.checkpoint = scratch_path("killed");
    ck_assert_msg(trainer_resume(&left->t, &err), "%s", err.problem);
    left->t.checkpoint = NULL, left->t.checkpoint_every = 0;
    ck_assert_int_eq(left->t.step, whole->t.step);
    trainer_fit(&left->t);
    ck_assert_int_eq(left->t.step, whole->t.step);
    ck_assert(run_same_parameters(whole, left));
    unsigned char *bytes = run_bytes(whole, &size);
    assert_state(left, bytes, size);
    free(bytes);
    killed_free(left);
    killed_check_folder();
    ck_assert_int_eq(unlink(scratch_path("killed")), 0);
}

/* Returns the number of steps. An earlier call may have left the checkpoint of its last child. */
static inline int64_t killed_check(KilledMaker make)
{
    Rng rng = rng_new(9, 9);
    Run *whole = make(1);
    whole->t.checkpoint_every = 0; /* it has no checkpoint */
    unlink(scratch_path("killed"));
    trainer_fit(&whole->t);
    double started = slope_seconds();
    ck_assert(killed_wait(killed_start(make)));
    double lasts = slope_seconds() - started;
    killed_check_end(make, whole);

    int kills = 0, ends = 0;
    while (kills < killed_count() || ends == 0) {
        pid_t child = killed_start(make);
        usleep((useconds_t)(0.4e6 * lasts * (double)rng_uniform(&rng)));
        kill(child, SIGKILL);
        bool ended = killed_wait(child);
        killed_check_file(make);
        if (ended)
            killed_check_end(make, whole);
        kills += !ended, ends += ended;
    }
    int64_t steps = whole->t.step;
    killed_free(whole);
    return steps;
}

#endif
