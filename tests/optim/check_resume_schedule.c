/* tests/optim/check_resume_schedule.c -- resuming with a schedule: the same bits, and what is
 * refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/optim/edited.h"
#include "tests/optim/killed.h"

/* --- the runs --------------------------------------------------------------------------------- */

/* The plateau drops after the second epoch, which is not better by 90 %, and cools down in the
 * third. */
static const Schedule scheduled[] = {
    {.warmup = 2},
    {.kind = SCHEDULE_STEP, .every = 0.5, .factor = 0.5, .warmup = 1},
    {.kind = SCHEDULE_COSINE, .epochs = RESUME_EPOCHS, .warmup = 0.5, .warmup_from = 0.25},
    {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .threshold = 0.9, .cooldown = 1, .lowest = 0.125}};
enum { SCHEDULED = sizeof scheduled / sizeof *scheduled };

static Run scheduled_run(int kind, uint64_t seed)
{
    Run r = run_new(kind % 2 ? make_groups : make_amsgrad, seed);
    r.t.schedule = scheduled[kind];
    return r;
}

static void scheduled_keep(const Trainer *t, int64_t step, void *ctx)
{
    Error err;
    (void)ctx;
    ck_assert_msg(trainer_save(t, step_path(step), &err), "%s", err.problem);
}

/* --- the same bits ---------------------------------------------------------------------------- */

/* Saves after every epoch, too, when a plateau has just observed its test loss. */
static void scheduled_keep_epoch(const Trainer *t, const EpochRecord *record, void *ctx)
{
    Error err;
    (void)ctx;
    ck_assert_msg(trainer_save(t, step_path(100 + record->epoch), &err), "%s", err.problem);
}

static void scheduled_check_resumed(Run *whole, int kind, int file)
{
    Error err;
    char path[SCRATCH_PATH];
    Run r = scheduled_run(kind, 2);
    snprintf(path, sizeof path, "%s", step_path(file));
    r.t.checkpoint = path;
    ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
    r.t.checkpoint = NULL;
    trainer_fit(&r.t);
    assert_same_run(whole, &r);
    ck_assert(r.t.schedule.rate[0] == whole->t.schedule.rate[0]);
    ck_assert(r.t.schedule.base[0] == whole->t.schedule.base[0]);
    run_free(&r);
}

START_TEST(every_step_and_epoch_resumes_to_the_same_bits)
{
    Error err;
    Run whole = scheduled_run(_i, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = scheduled_keep, whole.t.on_epoch = scheduled_keep_epoch;
    trainer_fit(&whole.t);
    ck_assert_int_eq(whole.t.schedule.drops, scheduled[_i].kind == SCHEDULE_PLATEAU);
    for (int step = 0; step <= RESUME_STEPS; step++)
        scheduled_check_resumed(&whole, _i, step);
    for (int epoch = 1; epoch <= RESUME_EPOCHS; epoch++)
        scheduled_check_resumed(&whole, _i, 100 + epoch);
    run_free(&whole);
}
END_TEST

/* A schedule that has begun, and may have dropped, is set back to one that has not begun. */
START_TEST(an_old_checkpoint_takes_a_schedule_back)
{
    Error err;
    for (int kind = 0; kind < SCHEDULED; kind++) {
        Run whole = scheduled_run(kind, 1), again = scheduled_run(kind, 2);
        ck_assert(trainer_save(&whole.t, scratch_path("start"), &err));
        trainer_fit(&whole.t);
        trainer_fit(&again.t);
        ck_assert_msg(trainer_load(&again.t, scratch_path("start"), &err), "%s", err.problem);
        ck_assert_int_eq(again.t.schedule.groups, 0);
        ck_assert_int_eq(again.t.schedule.drops, 0);
        trainer_fit(&again.t);
        assert_same_run(&whole, &again);
        run_free(&whole), run_free(&again);
    }
}
END_TEST

static Run *scheduled_killed(uint64_t seed)
{
    Run *r = killed_copy(scheduled_run(SCHEDULE_PLATEAU, seed));
    r->t.epochs = 12, r->t.checkpoint_every = 2, r->t.accumulate = 2;
    r->t.patience = 11, r->t.keep_best = true;
    return r;
}

START_TEST(training_killed_at_any_moment_ends_with_the_same_bits)
{
    ck_assert_int_eq(killed_check(scheduled_killed), 24);
}
END_TEST

/* --- refused ---------------------------------------------------------------------------------- */

START_TEST(a_checkpoint_of_another_schedule_is_refused)
{
    const char *problem = "the checkpoint was saved with another schedule: its .";
    char text[128];
    const struct { int saved; Schedule own; const char *field, *expected, *found; } other[] = {
        {2, {0}, "kind", "0", "2"},
        {0, {0}, "warmup", "0", "2"},
        {0, {.warmup = 2, .warmup_from = 0.5}, "warmup_from", "0.5", "0"},
        {1, {.kind = SCHEDULE_STEP, .every = 2, .factor = 0.5, .warmup = 1}, "every", "2", "0.5"},
        {1, {.kind = SCHEDULE_STEP, .every = 0.5, .factor = 0.25, .warmup = 1}, "factor", "0.25",
         "0.5"},
        {2, {.kind = SCHEDULE_COSINE, .epochs = 9, .warmup = 0.5, .warmup_from = 0.25}, "epochs",
         "9", "3"},
        {3, {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .threshold = 0.9, .cooldown = 1}, "lowest",
         "0", "0.125"},
        {3, {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .threshold = 0.9, .cooldown = 1,
             .lowest = 0.125, .patience = 1}, "patience", "1", "0"},
        {3, {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .threshold = 0.9, .cooldown = 2,
             .lowest = 0.125}, "cooldown", "2", "1"},
        {3, {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .threshold = 0.8, .cooldown = 1,
             .lowest = 0.125}, "threshold", "0.8", "0.9"}};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        Run r = scheduled_run(other[i].saved, 2);
        r.t.schedule = other[i].own;
        snprintf(text, sizeof text, "%s%s is different", problem, other[i].field);
        assert_refused(scheduled_run(other[i].saved, 1), r, text, other[i].expected,
                       other[i].found);
    }
}
END_TEST

static void scheduled_edit_int(const char *name, int64_t value, const char *problem)
{
    Error err;
    Run r = scheduled_run(SCHEDULE_PLATEAU, 1);
    const char *path = scratch_path("edited");
    trainer_fit(&r.t);
    Safetensors *s = edit_begin(&r, path);
    *(int64_t *)safetensors_find(s, name)->data = value;
    edit_end(&r, path, s);
    assert_not_loaded(&r, path, &err);
    ck_assert_msg(strstr(err.problem, problem) != NULL, "%s", err.problem);
    run_free(&r);
}

static void scheduled_edit_value(const char *name, double value, const char *problem)
{
    Error err;
    Run r = scheduled_run(SCHEDULE_PLATEAU, 1);
    const char *path = scratch_path("edited");
    trainer_fit(&r.t);
    Safetensors *s = edit_begin(&r, path);
    const NamedTensor *t = safetensors_find(s, name);
    if (t->dtype == DTYPE_F64)
        *(double *)t->data = value;
    else
        *(float *)t->data = (float)value;
    edit_end(&r, path, s);
    assert_not_loaded(&r, path, &err);
    ck_assert_msg(strstr(err.problem, problem) != NULL, "%s", err.problem);
    run_free(&r);
}

START_TEST(values_that_the_next_update_would_refuse_are_refused)
{
    scheduled_edit_int("schedule.groups", 1, "'schedule.groups' is out of range");
    scheduled_edit_int("schedule.groups", 9, "'schedule.groups' is out of range");
    scheduled_edit_int("schedule.groups", -1, "'schedule.groups' is out of range");
    scheduled_edit_int("schedule.bad", -1, "'schedule.bad' is out of range");
    scheduled_edit_int("schedule.cooling", -1, "'schedule.cooling' is out of range");
    scheduled_edit_int("schedule.drops", -1, "'schedule.drops' is out of range");
    scheduled_edit_int("schedule.has_best", 2, "'schedule.has_best' is out of range");
    scheduled_edit_value("schedule.base.1", -1, "the schedule's base rate of group 1 is -1; ");
    scheduled_edit_value("schedule.base.7", HUGE_VAL, "base rate of group 7 is inf; expected 0 or");
    scheduled_edit_value("schedule.best", (double)NAN, "best test loss is not finite");
}
END_TEST

/* The next update would refuse it, too. */
START_TEST(a_rate_that_the_program_has_changed_is_not_saved)
{
    Error err;
    Run r = scheduled_run(SCHEDULE_COSINE, 1);
    trainer_fit(&r.t);
    real rate = r.t.optimizer->group[0].lr;
    r.t.optimizer->group[0].lr = 1;
    ck_assert(!trainer_save(&r.t, scratch_path("changed"), &err));
    ck_assert_msg(strstr(err.problem, "the learning rate of group 'all' is 1, but the schedule has "
                         "set ") != NULL, "%s", err.problem);
    r.t.optimizer->group[0].lr = rate;
    ck_assert(trainer_save(&r.t, scratch_path("changed"), &err));
    run_free(&r);
}
END_TEST

/* A new schedule after loading starts from the current rates. */
START_TEST(a_loaded_run_may_get_a_new_schedule)
{
    Error err;
    Run saved = scheduled_run(SCHEDULE_COSINE, 1), r = scheduled_run(SCHEDULE_COSINE, 2);
    trainer_fit(&saved.t);
    ck_assert(trainer_save(&saved.t, scratch_path("renewed"), &err));
    ck_assert(trainer_load(&r.t, scratch_path("renewed"), &err));
    optimizer_set_lr(r.t.optimizer, (real)0.5);
    r.t.schedule = (Schedule){.kind = SCHEDULE_COSINE, .epochs = 4, .lowest = 0.5};
    r.t.epochs = 1;
    trainer_fit(&r.t);
    ck_assert(r.t.schedule.base[0] == (real)0.5);
    ck_assert_close(r.t.optimizer->group[0].lr,
                    0.5 * schedule_factor(&r.t.schedule, RESUME_EPOCHS + 2 / 3.0), NEAR);
    run_free(&saved), run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume schedule");
    TCase *bits = testing_add(suite, "bits", 120, (const TTest *const[]){NULL});
    tcase_add_loop_test(bits, every_step_and_epoch_resumes_to_the_same_bits, 0, SCHEDULED);
    testing_add(suite, "state", 120, (const TTest *const[]){
        an_old_checkpoint_takes_a_schedule_back,
        training_killed_at_any_moment_ends_with_the_same_bits,
        a_loaded_run_may_get_a_new_schedule, NULL});
    testing_add(suite, "refused", 60, (const TTest *const[]){
        a_checkpoint_of_another_schedule_is_refused,
        values_that_the_next_update_would_refuse_are_refused,
        a_rate_that_the_program_has_changed_is_not_saved, NULL});
    return scratch_main(suite);
}
