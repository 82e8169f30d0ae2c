/* tests/optim/check_resume_best.c -- resuming with early stopping, the best weights and several
 * batches per update: the same bits, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/checkpoint.h"
#include "tests/capture.h"
#include "tests/optim/edited.h"
#include "tests/optim/killed.h"
#include "tests/optim/scripted.h"

/* --- the runs --------------------------------------------------------------------------------- */

/* Two batches per update make two updates per epoch: of 32 examples and of 8. With a patience of 2,
 * training stops after epoch 6, and epoch 4 was the best. */
enum { BEST_EPOCHS = 9, BEST_UPDATES = 2, BEST_STOP = 6 };
static const double best_losses[BEST_EPOCHS] = {3, 2, 2.5, 1, 1.25, 1, 4, 0.5, 0.25};

static const OptimizerMaker best_makers[] = {make_sgd, make_late_sgd, make_amsgrad, make_groups,
                                             make_own};
enum { BEST_MAKERS = sizeof best_makers / sizeof *best_makers };

/* Makes the learning rate depend on the test loss, as a schedule written in the program may. */
static void best_on_epoch(const Trainer *t, const EpochRecord *record, void *ctx)
{
    (void)ctx;
    if (t->best.epoch != record->epoch)
        t->optimizer->group[0].lr *= (real)0.75;
}

static Run best_run(OptimizerMaker maker, uint64_t seed)
{
    Run r = scripted_run(maker, seed);
    r.t.accumulate = 2, r.t.patience = 2, r.t.keep_best = true, r.t.clip_norm = 1;
    r.t.epochs = BEST_EPOCHS;
    r.t.on_step = resume_schedule, r.t.on_epoch = best_on_epoch;
    return r;
}

static void best_fit(Run *r)
{
    scripted_trainer = &r->t, scripted_losses = best_losses;
    trainer_fit(&r->t);
}

static const char *epoch_path(int epoch)
{
    char name[32];
    snprintf(name, sizeof name, "epoch-%d", epoch);
    return scratch_path(name);
}

/* For on_epoch: saves what the trainer saves next. */
static void best_keep_epoch(const Trainer *t, const EpochRecord *record, void *ctx)
{
    Error err;
    best_on_epoch(t, record, ctx);
    ck_assert_msg(trainer_save(t, epoch_path(t->epoch), &err), "%s", err.problem);
}

/* A run that is trained to its end and saves its state after every update and every epoch. */
static Run best_whole(OptimizerMaker maker)
{
    Error err;
    Run whole = best_run(maker, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = resume_keep, whole.t.on_epoch = best_keep_epoch;
    best_fit(&whole);
    ck_assert_int_eq(whole.t.step, BEST_STOP * BEST_UPDATES);
    ck_assert(whole.t.best.stopped && whole.t.best.in_net);
    ck_assert_int_eq(whole.t.best.epoch, 4);
    return whole;
}

/* Resumes from the file, trains to the end, and compares the result with the whole run. */
static void assert_resumes(Run *whole, OptimizerMaker maker, const char *file)
{
    Error err;
    char path[SCRATCH_PATH];
    Run r = best_run(maker, 2);
    snprintf(path, sizeof path, "%s", file);
    r.t.checkpoint = path;
    ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
    r.t.checkpoint = NULL;
    best_fit(&r);
    ck_assert(r.t.best.stopped);
    ck_assert(scripted_same_network(whole, &r));
    scripted_assert_same(whole, &r);
    run_free(&r);
}

/* --- the same bits ---------------------------------------------------------------------------- */

START_TEST(every_update_and_epoch_resumes_to_the_same_bits)
{
    OptimizerMaker maker = best_makers[_i];
    Run whole = best_whole(maker);
    for (int step = 0; step <= BEST_STOP * BEST_UPDATES; step++)
        assert_resumes(&whole, maker, step_path(step));
    for (int epoch = 1; epoch <= BEST_STOP; epoch++)
        assert_resumes(&whole, maker, epoch_path(epoch));
    run_free(&whole);
}
END_TEST

static void best_never_step(const Trainer *t, int64_t step, void *ctx)
{
    (void)t, (void)ctx;
    ck_abort_msg("step %d", (int)step);
}

/* Loads the part of a checkpoint with this prefix into the network of a new run, and says whether
 * it then has the weights of `whole`, the best ones. */
static bool best_is_part(Run *whole, const char *path, const char *prefix)
{
    Error err;
    Run r = best_run(make_sgd, 2);
    LoadOptions options = {.remove_prefix = prefix, .partial = true};
    ck_assert(!scripted_same_network(whole, &r));
    ck_assert_msg(module_load_with(r.t.net, path, options, NULL, &err), "%s", err.problem);
    bool same = scripted_same_network(whole, &r);
    run_free(&r);
    return same;
}

/* As nn/checkpoint.h says. */
START_TEST(the_best_weights_have_the_prefix_best_until_training_ends)
{
    Error err;
    Run whole = best_whole(make_sgd);
    ck_assert(trainer_save(&whole.t, scratch_path("end"), &err));
    ck_assert(best_is_part(&whole, epoch_path(BEST_STOP), "best."));
    ck_assert(!best_is_part(&whole, epoch_path(BEST_STOP), "model."));
    ck_assert(best_is_part(&whole, scratch_path("end"), "model."));
    ck_assert(!best_is_part(&whole, scratch_path("end"), "best."));
    run_free(&whole);
}
END_TEST

/* The last checkpoint of the training precedes the exchange of the weights; a trainer_save after
 * trainer_fit follows it. */
START_TEST(a_run_that_stopped_early_resumes_to_its_end)
{
    Error err;
    Run whole = best_whole(make_sgd);
    ck_assert(trainer_save(&whole.t, scratch_path("end"), &err));
    for (int after = 0; after < 2; after++) {
        Run r = best_run(make_sgd, 2);
        r.t.on_step = best_never_step;
        r.t.checkpoint = after ? scratch_path("end") : epoch_path(BEST_STOP);
        ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
        r.t.checkpoint = NULL;
        ck_assert_int_eq(r.t.epochs, BEST_EPOCHS - BEST_STOP);
        ck_assert(scripted_same_network(&whole, &r) == after);
        ck_assert(r.t.best.in_net == after && !r.t.best.stopped);
        best_fit(&r);
        ck_assert(r.t.best.stopped);
        scripted_assert_same(&whole, &r);
        run_free(&r);
    }
    run_free(&whole);
}
END_TEST

/* The run is saved before any epoch has had a finite test loss. */
START_TEST(epochs_waited_for_a_finite_loss_are_resumed)
{
    static const double none[] = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};
    Error err;
    Run r = best_run(make_sgd, 1), next = best_run(make_sgd, 2);
    r.t.patience = next.t.patience = 3;
    capture_begin();
    scripted_fit(&r, none, 2);
    ck_assert(trainer_save(&r.t, scratch_path("waiting"), &err));
    ck_assert_msg(trainer_load(&next.t, scratch_path("waiting"), &err), "%s", err.problem);
    ck_assert_int_eq(next.t.best.waited, 2);
    scripted_fit(&next, none, 3);
    capture_end();
    ck_assert_int_eq(next.t.epoch, 3);
    ck_assert(next.t.best.stopped && !next.t.best.in_net);
    run_free(&r), run_free(&next);
}
END_TEST

/* With a larger patience, the run continues where it stopped. */
START_TEST(patience_may_differ)
{
    Error err;
    Run longer = best_run(make_sgd, 1), r = best_run(make_sgd, 2), whole = best_whole(make_sgd);
    longer.t.patience = r.t.patience = 4;
    best_fit(&longer);
    ck_assert_int_eq(longer.t.epoch, BEST_EPOCHS);
    ck_assert(trainer_save(&whole.t, scratch_path("stopped"), &err));
    r.t.checkpoint = scratch_path("stopped");
    ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
    r.t.checkpoint = NULL;
    best_fit(&r);
    scripted_assert_same(&longer, &r);
    run_free(&longer), run_free(&r), run_free(&whole);
}
END_TEST

/* The file's copy of the weights replaces that of the trainer, even if the file has none. */
START_TEST(loading_replaces_the_copy)
{
    Error err;
    Run whole = best_whole(make_sgd), r = best_run(make_sgd, 2);
    best_fit(&r);
    ck_assert_msg(trainer_load(&r.t, step_path(3), &err), "%s", err.problem);
    ck_assert_int_eq(r.t.best.epoch, 1);
    ck_assert(!r.t.best.stopped && !r.t.best.in_net);
    r.t.epochs = BEST_EPOCHS - 1;
    best_fit(&r);
    scripted_assert_same(&whole, &r);
    ck_assert_msg(trainer_load(&r.t, step_path(0), &err), "%s", err.problem);
    ck_assert_ptr_null(r.t.best.weights);
    ck_assert_int_eq(r.t.best.epoch, 0);
    run_free(&whole), run_free(&r);
}
END_TEST

/* --- kill -9 ---------------------------------------------------------------------------------- */

/* In these runs the best epoch is long before the last, so that some kills fall between the two. */
enum { KILL_EPOCHS = 24, KILL_STOP = 16 };
static double best_kill_losses[KILL_EPOCHS];

static OptimizerMaker best_killed_maker;

static Run *best_killed_run(uint64_t seed)
{
    for (int i = 0; i < KILL_EPOCHS; i++)
        best_kill_losses[i] = i < 10 ? 20 - i : 15 + i % 3;
    Run *r = killed_copy(best_run(best_killed_maker, seed));
    r->t.epochs = KILL_EPOCHS, r->t.patience = 6, r->t.checkpoint_every = 1;
    scripted_trainer = &r->t, scripted_losses = best_kill_losses;
    return r;
}

START_TEST(killed_at_any_moment_it_ends_with_the_same_bits)
{
    best_killed_maker = _i ? make_groups : make_sgd;
    ck_assert_int_eq(killed_check(best_killed_run), KILL_STOP * BEST_UPDATES);
}
END_TEST

/* --- refused checkpoints ---------------------------------------------------------------------- */

/* A run with a real loss, whose address does not matter. */
static Run best_unscripted(uint64_t seed)
{
    Run r = best_run(make_sgd, seed);
    r.t.loss = loss_cross_entropy, r.t.patience = 0, r.t.epochs = 2;
    return r;
}

START_TEST(other_settings_are_refused)
{
    Run other = best_unscripted(2), every = best_unscripted(2), without = best_unscripted(2);
    Run with = best_unscripted(2), saved = best_unscripted(1);
    other.t.accumulate = 3, every.t.accumulate = 0, without.t.keep_best = false;
    assert_refused(best_unscripted(1), other, "different number of batches per update", "3", "2");
    assert_refused(best_unscripted(1), every, "different number of batches per update", "1", "2");
    assert_refused(best_unscripted(1), without, "different setting of keep_best", "0", "1");
    saved.t.keep_best = false;
    assert_refused(saved, with, "different setting of keep_best", "1", "0");
}
END_TEST

/* After the first update of the third epoch; epoch 2 was the best. */
static Run best_within_an_epoch(void)
{
    Error err;
    Run whole = best_whole(make_sgd), r = best_run(make_sgd, 2);
    ck_assert_msg(trainer_load(&r.t, step_path(2 * BEST_UPDATES + 1), &err), "%s", err.problem);
    ck_assert_int_eq(r.t.best.epoch, 2);
    run_free(&whole);
    return r;
}

START_TEST(counts_that_do_not_agree_are_refused)
{
    const struct { const char *name; int64_t value; const char *problem, *expected; } bad[] = {
        {"trainer.best.epoch", 3, "'trainer.best.epoch' is out of range", "0 to 2"},
        {"trainer.best.epoch", -1, "'trainer.best.epoch' is out of range", "0 to 1073741823"},
        {"trainer.best.epoch", 0, "a tensor that the trainer does not have", NULL},
        {"trainer.best.waited", 1, "'trainer.best.waited' is out of range", "0"},
        {"trainer.best.waited", -1, "'trainer.best.waited' is out of range", "0 to 1073741823"},
        {"trainer.best.in_net", 2, "'trainer.best.in_net' is out of range", "0 to 1"},
        {"trainer.accumulate", 3, "a different number of batches per update", "2"},
        {"trainer.accumulate", 0, "a different number of batches per update", "2"},
        {"trainer.keep_best", 0, "a different setting of keep_best", "1"},
        {"trainer.step", 2, "'trainer.step' is out of range", "3 to 4611686018427387903"},
        {"best.1.num_batches_tracked", -1, "'best.1.num_batches_tracked' is out of range", NULL}};
    Error err;
    Run r = best_within_an_epoch();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = scratch_path("counts");
        Safetensors *s = edit_begin(&r, path);
        *(int64_t *)safetensors_find(s, bad[i].name)->data = bad[i].value;
        edit_end(&r, path, s);
        assert_not_loaded(&r, path, &err);
        ck_assert_msg(strstr(err.problem, bad[i].problem) != NULL, "%zu: %s", i, err.problem);
        if (bad[i].expected)
            ck_assert_str_eq(err.expected, bad[i].expected);
    }
    run_free(&r);
}
END_TEST

/* One batch of 16 examples is half of the first update. */
START_TEST(an_epoch_that_ends_within_an_update_is_refused)
{
    Error err;
    Run r = best_within_an_epoch();
    const char *path = scratch_path("within");
    Safetensors *s = edit_begin(&r, path);
    *(int64_t *)safetensors_find(s, "trainer.batches")->data = 1;
    *(int64_t *)safetensors_find(s, "trainer.examples")->data = RESUME_BATCH;
    *(int64_t *)safetensors_find(s, "trainer.correct")->data = 0;
    edit_end(&r, path, s);
    assert_not_loaded(&r, path, &err);
    ck_assert_str_eq(err.problem, "the unfinished epoch stops within an update: the number of its "
                                  "batches is 1, not a multiple of 2");
    run_free(&r);
}
END_TEST

/* A buffer may contain infinity, as in the network. */
START_TEST(only_weights_that_are_finite_and_complete_are_loaded)
{
    Error err;
    Run r = best_within_an_epoch();
    for (int i = 0; i < 4; i++) {
        const char *path = scratch_path("weights");
        Safetensors *s = edit_begin(&r, path);
        if (i == 0)
            ((real *)safetensors_find(s, "best.0.weight")->data)[3] = (real)NAN;
        else if (i == 1)
            edit_drop(s, "best.3.mean");
        else if (i == 2)
            *(double *)safetensors_find(s, "trainer.best.loss")->data = (double)NAN;
        else
            ((real *)safetensors_find(s, "best.1.running_var")->data)[0] = (real)INFINITY;
        edit_end(&r, path, s);
        if (i == 3) {
            ck_assert_msg(trainer_load(&r.t, path, &err), "%s", err.problem);
            continue;
        }
        assert_not_loaded(&r, path, &err);
        ck_assert_ptr_nonnull(strstr(err.problem,
                                     i == 0   ? "'best.0.weight' is NaN at element 3 in the file"
                                     : i == 1 ? "the file has no tensor 'best.3.mean'"
                                              : "the lowest test loss is not finite"));
    }
    run_free(&r);
}
END_TEST

/* No weights were kept, so the network cannot have them. */
START_TEST(weights_that_were_not_kept_are_in_no_network)
{
    Error err;
    Run r = best_run(make_sgd, 1);
    const char *path = scratch_path("unkept");
    Safetensors *s = edit_begin(&r, path);
    *(int64_t *)safetensors_find(s, "trainer.best.in_net")->data = 1;
    edit_end(&r, path, s);
    assert_not_loaded(&r, path, &err);
    ck_assert_ptr_nonnull(strstr(err.problem, "'trainer.best.in_net' is out of range"));
    ck_assert_str_eq(err.expected, "0");
    run_free(&r);
}
END_TEST

/* What could not be loaded is not saved. */
START_TEST(counts_that_do_not_agree_are_not_saved)
{
    Error err;
    Run r = best_within_an_epoch();
    const char *path = scratch_path("unsaved");
    r.t.best.epoch = 3;
    ck_assert(!trainer_save(&r.t, path, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "'trainer.best.epoch' is out of range"));
    r.t.best.epoch = 2, r.t.accumulate = 3;
    ck_assert(!trainer_save(&r.t, path, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "batches is 2, not a multiple of 3"));
    ck_assert_int_eq(access(path, F_OK), -1);
    run_free(&r);
}
END_TEST

/* A copy that the current settings do not use is not saved. */
START_TEST(settings_changed_since_the_last_epoch_are_saved)
{
    Error err;
    Run r = best_run(make_sgd, 1), off = best_run(make_sgd, 2), on = best_run(make_sgd, 3);
    best_fit(&r);
    r.t.keep_best = off.t.keep_best = false;
    ck_assert_msg(trainer_save(&r.t, scratch_path("off"), &err), "%s", err.problem);
    ck_assert_msg(trainer_load(&off.t, scratch_path("off"), &err), "%s", err.problem);
    ck_assert_int_eq(off.t.best.epoch, 4);
    ck_assert(!off.t.best.in_net && scripted_same_network(&r, &off));
    off.t.keep_best = true; /* the search starts afresh */
    ck_assert_msg(trainer_save(&off.t, scratch_path("on"), &err), "%s", err.problem);
    ck_assert_msg(trainer_load(&on.t, scratch_path("on"), &err), "%s", err.problem);
    ck_assert_int_eq(on.t.best.epoch, 0);
    run_free(&r), run_free(&off), run_free(&on);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume: best");
    TCase *steps = testing_add(suite, "updates", 60, (const TTest *const[]){NULL});
    tcase_add_loop_test(steps, every_update_and_epoch_resumes_to_the_same_bits, 0, BEST_MAKERS);
    testing_add(suite, "resuming", 60, (const TTest *const[]){
        the_best_weights_have_the_prefix_best_until_training_ends,
        a_run_that_stopped_early_resumes_to_its_end, epochs_waited_for_a_finite_loss_are_resumed,
        patience_may_differ, loading_replaces_the_copy, NULL});
    TCase *kills = testing_add(suite, "kill", 120, (const TTest *const[]){NULL});
    tcase_add_loop_test(kills, killed_at_any_moment_it_ends_with_the_same_bits, 0, 2);
    testing_add(suite, "refusing", 60, (const TTest *const[]){
        other_settings_are_refused, counts_that_do_not_agree_are_refused,
        an_epoch_that_ends_within_an_update_is_refused,
        only_weights_that_are_finite_and_complete_are_loaded,
        weights_that_were_not_kept_are_in_no_network, counts_that_do_not_agree_are_not_saved,
        settings_changed_since_the_last_epoch_are_saved, NULL});
    return scratch_main(suite);
}
