/* tests/optim/check_resume_failing.c -- saving and loading when memory or the disk fails, or the
 * training has become NaN.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/allocator.h"
#include "tests/capture.h"
#include "tests/optim/resumed.h"

#include "tests/disk.h"
#include "tensor/files/durable.c"
#include "tensor/files/stream.c"

/* --- out of memory, failing disks ------------------------------------------------------------- */

/* The folder does not exist: this is reported once, and training is the same as without
 * checkpoints. */
START_TEST(a_save_that_fails_costs_nothing)
{
    Run without = run_new(make_adam, 1), r = run_new(make_adam, 1);
    trainer_fit(&without.t);
    r.t.checkpoint = "/nowhere/at/all", r.t.checkpoint_every = 1;
    capture_begin();
    trainer_fit(&r.t);
    const char *text = capture_end();
    ck_assert_msg(strstr(text, "trainer_fit continues, but could not save its checkpoint at step "
                         "1: /nowhere/at/all: ") != NULL, "%s", text);
    ck_assert_ptr_null(strstr(text, "at step 2"));
    ck_assert_int_eq(r.t.failed_saves, RESUME_STEPS + RESUME_EPOCHS);
    assert_same_run(&without, &r);
    run_free(&without), run_free(&r);
}
END_TEST

/* Saves while call n of the allocator fails, and all later ones too unless `once`. Returns the
 * smallest n for which the save succeeds. */
static int save_without_memory(Run *r, const char *path, bool once)
{
    Error err;
    for (int n = 0;; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n, watch.once = once;
        bool ok = trainer_save(&r->t, path, &err);
        watch.fail_at = -1;
        ck_assert_uint_eq(testing_blocks(), blocks);
        ck_assert_int_eq(access(path, F_OK), ok ? 0 : -1);
        if (ok)
            return n;
        ck_assert_msg(strstr(err.problem, "out of memory") != NULL, "%s", err.problem);
        ck_assert_str_eq(err.file, path);
    }
}

static int load_without_memory(Run *r, const char *path, bool once)
{
    Error err;
    size_t size;
    unsigned char *before = run_bytes(r, &size);
    for (int n = 0;; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n, watch.once = once;
        bool ok = trainer_load(&r->t, path, &err);
        watch.fail_at = -1;
        if (ok) {
            free(before);
            return n;
        }
        ck_assert_msg(strstr(err.problem, "out of memory") != NULL, "%s", err.problem);
        ck_assert_uint_eq(testing_blocks(), blocks);
        assert_state(r, before, size);
    }
}

/* The trainer that loads has a shorter history; with make_late_sgd it has none of the slots, and
 * with keep_best no copy of the weights. */
START_TEST(out_of_memory_changes_nothing)
{
    static const OptimizerMaker makers[] = {make_late_sgd, make_amsgrad};
    Run saved = run_new(makers[_i / 2], 1), r = run_new(makers[_i / 2], 2);
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_path("memory"));
    saved.t.on_step = resume_schedule;
    saved.t.keep_best = r.t.keep_best = _i / 2 == 1;
    trainer_fit(&saved.t);
    remove(path);
    watch_begin();
    ck_assert_int_gt(save_without_memory(&saved, path, _i % 2), 100);
    ck_assert_int_gt(load_without_memory(&r, path, _i % 2), 100);
    watch_end();
    assert_same_run(&saved, &r);
    run_free(&saved), run_free(&r);
}
END_TEST

/* Whichever file call fails, the file holds the old state or the new one. */
START_TEST(a_failing_disk_leaves_a_valid_checkpoint)
{
    Error err;
    Run first = run_new(make_adam, 1), second = run_new(make_adam, 2), r = run_new(make_adam, 3);
    const char *path = scratch_path("failing");
    int refused = 0, n = 0;
    trainer_fit(&second.t);
    for (bool reached = true; reached; n++) {
        ck_assert(trainer_save(&first.t, path, &err));
        disk_break(n, EIO);
        bool ok = trainer_save(&second.t, path, &err);
        reached = disk_repair();
        refused += !ok;
        bool renamed = ok || strstr(err.problem, "its folder to disk");
        ck_assert_msg(trainer_load(&r.t, path, &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, renamed ? RESUME_STEPS : 0);
    }
    ck_assert_int_ge(refused, 8);
    run_free(&first), run_free(&second), run_free(&r);
}
END_TEST

START_TEST(a_failed_read_changes_nothing)
{
    Error err;
    size_t size;
    int n = 0;
    Run saved = run_new(make_adam, 1), r = run_new(make_adam, 2);
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_path("unreadable"));
    trainer_fit(&saved.t);
    ck_assert(trainer_save(&saved.t, path, &err));
    unsigned char *before = run_bytes(&r, &size);
    for (;; n++) {
        disk_break(n, EIO);
        bool ok = trainer_load(&r.t, path, &err);
        disk_repair();
        if (ok)
            break;
        ck_assert_ptr_nonnull(strstr(err.problem, "(Input/output error)"));
        assert_state(&r, before, size);
    }
    ck_assert_int_gt(n, 40); /* a call for each tensor */
    assert_same_run(&saved, &r);
    free(before);
    run_free(&saved), run_free(&r);
}
END_TEST

/* --- training that became NaN ----------------------------------------------------------------- */

typedef struct Break {
    bool   slot;
    double value;
} Break;

/* After the last step, sets an element of a weight, or of a slot of the optimizer, to a value. */
static void resume_break(const Trainer *t, int64_t step, void *ctx)
{
    const Break *b = ctx;
    ParamState *p = &t->optimizer->state[2];
    if (step == RESUME_BATCHES)
        tensor_write(b->slot ? p->slot[1] : p->param.var->value)[4] = (real)b->value;
}

/* Nor does infinity. Either is reported like a full disk, and the good checkpoint is kept. */
START_TEST(nan_never_replaces_a_good_checkpoint)
{
    Error err;
    for (int i = 0; i < 4; i++) {
        bool slot = i % 2, infinite = i / 2;
        Break b = {slot, infinite ? HUGE_VAL : (double)NAN};
        size_t size, size_after;
        Run r = run_new(make_adam, 1);
        loader_free(r.t.test);
        r.t.test = NULL;
        r.t.epochs = 1;
        r.t.checkpoint = scratch_path("good");
        ck_assert(trainer_save(&r.t, scratch_path("good"), &err));
        unsigned char *before = scratch_read(scratch_path("good"), &size);
        r.t.on_step = resume_break, r.t.ctx = &b;
        capture_begin();
        trainer_fit(&r.t);
        const char *text = capture_end(), *name = slot ? "'optimizer.slot1.1.weight'"
                                                       : "'model.1.weight'";
        ck_assert_msg(strstr(text, "could not save its checkpoint at step 3: ") != NULL, "%s",
                      text);
        ck_assert_msg(strstr(text, name) != NULL, "%s", text);
        ck_assert_ptr_nonnull(strstr(text, infinite
                                     ? " is infinite at element 4, so nothing was saved"
                                     : " is NaN at element 4, so nothing was saved"));
        ck_assert_int_eq(r.t.failed_saves, 1);
        unsigned char *after = scratch_read(scratch_path("good"), &size_after);
        ck_assert_uint_eq(size, size_after);
        ck_assert_mem_eq(before, after, size);
        free(before), free(after);
        run_free(&r);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume: failing");
    TCase *failing = testing_add(suite, "failing", 120, (const TTest *const[]){
        a_failing_disk_leaves_a_valid_checkpoint, a_failed_read_changes_nothing, NULL});
    tcase_add_loop_test(failing, out_of_memory_changes_nothing, 0, 4);
    testing_add(suite, "saving", 60, (const TTest *const[]){
        a_save_that_fails_costs_nothing, nan_never_replaces_a_good_checkpoint, NULL});
    return scratch_main(suite);
}
