/* tests/optim/check_resume.c -- training that is killed and resumed ends with the same bits as
 * training that is never interrupted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/capture.h"
#include "tests/optim/killed.h"

static const OptimizerMaker resume_makers[] = {make_sgd, make_late_sgd, make_early_slots,
                                               make_adam, make_amsgrad, make_adamw, make_groups,
                                               make_own};
enum { RESUME_MAKERS = sizeof resume_makers / sizeof *resume_makers };

/* Trains r to its end, where it must be what the whole run was; frees it. */
static void assert_ends_as(Run *whole, Run *r)
{
    r->t.on_step = resume_keep;
    trainer_fit(&r->t);
    assert_same_run(whole, r);
    run_free(r);
}

/* --- resuming --------------------------------------------------------------------------------- */

START_TEST(every_step_resumes_to_the_same_bits)
{
    OptimizerMaker maker = resume_makers[_i];
    Error err;
    Run whole = run_new(maker, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = resume_keep;
    trainer_fit(&whole.t);
    for (int step = 0; step <= RESUME_STEPS; step++) {
        char saved[SCRATCH_PATH];
        Run r = run_new(maker, 2);
        ck_assert(!run_same_parameters(&whole, &r));
        snprintf(saved, sizeof saved, "%s", step_path(step));
        r.t.checkpoint = saved;
        ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, step);
        r.t.checkpoint = NULL;
        assert_ends_as(&whole, &r);
    }
    run_free(&whole);
}
END_TEST

/* Loading an earlier checkpoint takes a trainer back, and with it slots allocated since then. */
START_TEST(an_old_checkpoint_takes_a_trainer_back)
{
    Error err;
    for (int i = 0; i < RESUME_MAKERS; i++) {
        Run whole = run_new(resume_makers[i], 1);
        ck_assert(trainer_save(&whole.t, scratch_path("start"), &err));
        whole.t.on_step = resume_keep;
        trainer_fit(&whole.t);
        Run again = run_new(resume_makers[i], 2);
        again.t.on_step = resume_keep;
        trainer_fit(&again.t);
        ck_assert_msg(trainer_load(&again.t, scratch_path("start"), &err), "%s", err.problem);
        ck_assert_int_eq(again.t.history.count, 0);
        trainer_fit(&again.t);
        assert_same_run(&whole, &again);
        run_free(&whole), run_free(&again);
    }
}
END_TEST

/* After the first step of the second epoch, a weight becomes NaN. */
static void resume_poison(const Trainer *t, int64_t step, void *ctx)
{
    (void)ctx;
    if (step == RESUME_BATCHES + 1)
        tensor_write(t->optimizer->state[0].param.var->value)[0] = (real)NAN;
}

static void run_until_nan(Run *r)
{
    r->t.on_step = resume_poison;
    ck_assert_fails(trainer_fit(&r->t), "the loss is nan at step 5");
    ck_assert_int_eq(r->t.tally.batches, 1);
}

/* The trainer and the checkpoint may each have completed any part of an epoch. */
START_TEST(training_that_became_nan_within_an_epoch_can_be_restored)
{
    Error err;
    Run whole = run_new(make_adam, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = resume_keep;
    trainer_fit(&whole.t);
    for (int step = 0; step <= RESUME_STEPS; step++) {
        Run r = run_new(make_adam, 2);
        run_until_nan(&r);
        ck_assert_msg(trainer_load(&r.t, step_path(step), &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, step);
        r.t.epochs = RESUME_EPOCHS - r.t.epoch;
        assert_ends_as(&whole, &r);
    }
    run_free(&whole);
}
END_TEST

START_TEST(resume_does_what_was_left_to_do)
{
    Error err;
    Run r = run_new(make_adam, 1), next = run_new(make_adam, 2);
    r.t.checkpoint = next.t.checkpoint = scratch_path("left");
    ck_assert(trainer_resume(&r.t, &err)); /* no file: a fresh start */
    ck_assert_int_eq(r.t.epochs, RESUME_EPOCHS);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.failed_saves, 0);
    ck_assert(trainer_resume(&next.t, &err)); /* the end of the last epoch */
    ck_assert_int_eq(next.t.epochs, 0);
    trainer_fit(&next.t);
    assert_same_run(&r, &next);
    next.t.checkpoint = NULL;
    ck_assert_fails(trainer_resume(&next.t, &err), "has no checkpoint");
    ck_assert_fails(trainer_save(&r.t, NULL, &err), "trainer_save: the path is NULL");
    ck_assert_fails(trainer_load(NULL, "run", &err), "trainer_load: the trainer is NULL");
    run_free(&r), run_free(&next);
}
END_TEST

START_TEST(resume_says_where_it_begins)
{
    Error err;
    char said[1024];
    Run r = run_new(make_adam, 1);
    r.t.checkpoint = scratch_path("told");
    trainer_fit(&r.t);
    snprintf(said, sizeof said, "twice: resumed from %s: epochs done: %d, updates: %lld\n",
             r.t.checkpoint, RESUME_EPOCHS, (long long)r.t.step);
    r.t.name = "twice", r.t.quiet = false;
    capture_begin();
    ck_assert(trainer_resume(&r.t, &err));
    ck_assert_str_eq(capture_end(), said);
    run_free(&r);
}
END_TEST

/* Compares steps of the same epoch; the only checkpoint is written at its end. */
START_TEST(a_step_without_a_save_allocates_nothing)
{
    uint64_t after[RESUME_STEPS + 1];
    Run r = run_new(make_adam, 1);
    r.t.checkpoint = scratch_path("still");
    r.t.on_step = run_log_allocations, r.t.ctx = after;
    trainer_fit(&r.t);
    for (int step = RESUME_BATCHES + 2; TESTING_POOL && step <= RESUME_STEPS; step++)
        if ((step - 1) % RESUME_BATCHES)
            ck_assert_uint_eq(after[step], after[step - 1]);
    run_free(&r);
}
END_TEST

/* The second epoch uses larger batches than the first. */
START_TEST(the_loader_may_be_replaced_between_epochs)
{
    Error err;
    LoaderOptions larger = {.batch = 2 * RESUME_BATCH, .shuffle = true, .seed = 3};
    Run r = run_new(make_adam, 1), next = run_with_order(larger);
    r.t.epochs = 1;
    trainer_fit(&r.t);
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, larger);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, RESUME_BATCHES + 2);
    ck_assert_msg(trainer_save(&r.t, scratch_path("larger"), &err), "%s", err.problem);
    ck_assert_msg(trainer_load(&next.t, scratch_path("larger"), &err), "%s", err.problem);
    ck_assert_int_eq(next.t.step, r.t.step);
    run_free(&r), run_free(&next);
}
END_TEST

/* --- kill -9 ---------------------------------------------------------------------------------- */

enum { KILL_EPOCHS = 12 };

static Run *resume_killed_run(uint64_t seed)
{
    Run *r = killed_copy(run_new(make_groups, seed));
    r->t.epochs = KILL_EPOCHS, r->t.checkpoint_every = 2;
    r->t.on_step = resume_schedule;
    return r;
}

START_TEST(killed_at_any_moment_it_ends_with_the_same_bits)
{
    ck_assert_int_eq(killed_check(resume_killed_run), KILL_EPOCHS * RESUME_BATCHES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *steps = testing_add(suite, "steps", 60, (const TTest *const[]){NULL});
    tcase_add_loop_test(steps, every_step_resumes_to_the_same_bits, 0, RESUME_MAKERS);
    testing_add(suite, "resuming", 60, (const TTest *const[]){
        an_old_checkpoint_takes_a_trainer_back,
        training_that_became_nan_within_an_epoch_can_be_restored, resume_does_what_was_left_to_do,
        resume_says_where_it_begins,
        a_step_without_a_save_allocates_nothing, the_loader_may_be_replaced_between_epochs, NULL});
    testing_add(suite, "kill", 120, (const TTest *const[]){
        killed_at_any_moment_it_ends_with_the_same_bits, NULL});
    return scratch_main(suite);
}
