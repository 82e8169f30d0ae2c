/* tests/optim/check_stopping.c -- early stopping, the best weights, and what is called after an
 * epoch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "optim/best.h"
#include "tests/allocator.h"
#include "tests/capture.h"
#include "tests/optim/scripted.h"

/* --- shared by the tests ---------------------------------------------------------------------- */

enum { STOPPING_EPOCHS = 8 };

/* The lowest loss is that of epoch 3; epoch 4 has the same. With a patience of 2, training stops
 * after epoch 5. */
static const double stopping_losses[STOPPING_EPOCHS] = {5, 4, 2, 2, 3, 2.5, 1.5, 6};

static void assert_best(const Run *r, int epoch, double loss, int waited, bool stopped)
{
    ck_assert_int_eq(r->t.best.epoch, epoch);
    ck_assert_close(r->t.best.loss, loss, 0);
    ck_assert_int_eq(r->t.best.waited, waited);
    ck_assert(r->t.best.stopped == stopped);
    ck_assert(r->t.best.in_net == (r->t.keep_best && epoch > 0));
}

/* A run of this many epochs with neither patience nor keep_best. */
static Run stopping_plain(int epochs)
{
    Run r = scripted_run(make_sgd, 1);
    scripted_fit(&r, stopping_losses, epochs);
    return r;
}

/* Does r's network have the weights that it had after this many epochs? */
static bool stopping_has_epoch(const Run *r, int epoch)
{
    Run plain = stopping_plain(epoch);
    bool same = scripted_same_network(r, &plain);
    run_free(&plain);
    return same;
}

/* --- stopping --------------------------------------------------------------------------------- */

START_TEST(training_stops_when_the_patience_is_exhausted)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.patience = 2;
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    ck_assert_int_eq(r.t.epoch, 5);
    ck_assert_int_eq(r.t.history.count, 5);
    assert_best(&r, 3, 2, 2, true);
    ck_assert(stopping_has_epoch(&r, 5));
    run_free(&r);
}
END_TEST

START_TEST(training_ends_with_the_best_weights)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.patience = 2, r.t.keep_best = true;
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    ck_assert_int_eq(r.t.epoch, 5);
    assert_best(&r, 3, 2, 2, true);
    ck_assert(stopping_has_epoch(&r, 3) && !stopping_has_epoch(&r, 5));
    run_free(&r);
}
END_TEST

/* Training that ends with the last epoch has not stopped early, even if patience is exhausted. */
START_TEST(training_that_ends_with_its_epochs_has_not_stopped_early)
{
    for (int patience = 0; patience <= 3; patience += 2) {
        Run r = scripted_run(make_sgd, 1);
        int epochs = patience ? 5 : STOPPING_EPOCHS;
        r.t.patience = patience, r.t.keep_best = true;
        scripted_fit(&r, stopping_losses, epochs);
        ck_assert_int_eq(r.t.epoch, epochs);
        assert_best(&r, patience ? 3 : 7, patience ? 2 : 1.5, patience ? 2 : 1, false);
        ck_assert(stopping_has_epoch(&r, patience ? 3 : 7));
        run_free(&r);
    }
}
END_TEST

START_TEST(a_loss_that_is_not_finite_is_no_improvement)
{
    static const double some[] = {(double)NAN, 4, (double)NAN, 3, (double)INFINITY, (double)NAN},
                        none[] = {(double)NAN, (double)INFINITY, (double)NAN, 1};
    Run r = scripted_run(make_sgd, 1), nothing = scripted_run(make_sgd, 1);
    capture_begin(); /* a warning is printed */
    r.t.patience = 2, r.t.keep_best = true;
    scripted_fit(&r, some, 20);
    nothing.t.patience = 3, nothing.t.keep_best = true;
    scripted_fit(&nothing, none, 4);
    capture_end();
    ck_assert_int_eq(r.t.epoch, 6);
    assert_best(&r, 4, 3, 2, true);
    ck_assert(stopping_has_epoch(&r, 4));
    ck_assert_int_eq(nothing.t.epoch, 3);
    assert_best(&nothing, 0, 0, 3, true);
    ck_assert(stopping_has_epoch(&nothing, 3));
    run_free(&r), run_free(&nothing);
}
END_TEST

/* --- more than one trainer_fit ---------------------------------------------------------------- */

START_TEST(two_calls_do_what_one_does)
{
    for (int first = 0; first <= STOPPING_EPOCHS; first++)
        for (int patience = 0; patience <= 2; patience += 2) {
            Run one = scripted_run(make_sgd, 1), two = scripted_run(make_sgd, 1);
            one.t.patience = two.t.patience = patience;
            one.t.keep_best = two.t.keep_best = true;
            scripted_fit(&one, stopping_losses, STOPPING_EPOCHS);
            scripted_fit(&two, stopping_losses, first);
            scripted_fit(&two, stopping_losses, STOPPING_EPOCHS - first);
            ck_assert_int_eq(one.t.epoch, two.t.epoch);
            ck_assert(scripted_same_network(&one, &two));
            scripted_assert_same(&one, &two);
            run_free(&one), run_free(&two);
        }
}
END_TEST

START_TEST(a_larger_patience_continues_a_stopped_run)
{
    Run one = scripted_run(make_sgd, 1), r = scripted_run(make_sgd, 1);
    one.t.patience = 4, one.t.keep_best = true;
    scripted_fit(&one, stopping_losses, STOPPING_EPOCHS);
    assert_best(&one, 7, 1.5, 1, false);
    r.t.patience = 2, r.t.keep_best = true;
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    ck_assert_int_eq(r.t.step, 5 * RESUME_BATCHES);
    scripted_calls = 0;
    scripted_fit(&r, stopping_losses, 3); /* nothing is left to do */
    ck_assert_int_eq(scripted_calls, 0);
    ck_assert_int_eq(r.t.step, 5 * RESUME_BATCHES);
    assert_best(&r, 3, 2, 2, true);
    ck_assert(stopping_has_epoch(&r, 3));
    r.t.patience = 4;
    scripted_fit(&r, stopping_losses, 3);
    scripted_assert_same(&one, &r);
    run_free(&one), run_free(&r);
}
END_TEST

/* Nothing is trained, so the schedule's end does not matter until .patience is raised. */
START_TEST(a_stopped_run_may_be_called_beyond_the_end_of_its_schedule)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.patience = 2;
    r.t.schedule = (Schedule){.kind = SCHEDULE_COSINE, .epochs = STOPPING_EPOCHS};
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    assert_best(&r, 3, 2, 2, true);
    r.t.patience = 3;
    ck_assert_fails(trainer_fit(&r.t), "training runs to epoch 13, but the cosine schedule reaches "
                    "a learning rate of 0 after 8 epochs");
    ck_assert_int_eq(r.t.epoch, 5);
    run_free(&r);
}
END_TEST

/* trainer_clear lets training continue from the weights that the network has. */
START_TEST(after_trainer_clear_the_search_starts_afresh)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.keep_best = true;
    scripted_fit(&r, stopping_losses, 5);
    trainer_clear(&r.t);
    ck_assert_ptr_null(r.t.history.record);
    ck_assert_ptr_null(r.t.best.weights);
    ck_assert_int_eq(r.t.history.count, 0);
    ck_assert_int_eq(r.t.epoch, 5);
    ck_assert_int_eq(r.t.step, 5 * RESUME_BATCHES);
    scripted_fit(&r, stopping_losses, 0);
    ck_assert(stopping_has_epoch(&r, 3));
    assert_best(&(Run){.t = {.best = r.t.best}}, 0, 0, 0, false);
    scripted_fit(&r, stopping_losses, 1);
    assert_best(&r, 6, 2.5, 0, false);
    ck_assert_int_eq(r.t.history.count, 1);
    ck_assert_fails(trainer_clear(NULL), "trainer_clear: the trainer is NULL");
    run_free(&r);
}
END_TEST

/* Epochs whose weights were not kept do not count. */
START_TEST(keep_best_may_be_set_and_cleared_between_calls)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.patience = 3;
    scripted_fit(&r, stopping_losses, 4);
    assert_best(&r, 3, 2, 1, false);
    r.t.keep_best = true;
    scripted_fit(&r, stopping_losses, 2);
    assert_best(&r, 6, 2.5, 0, false);
    ck_assert(stopping_has_epoch(&r, 6));
    scripted_fit(&r, stopping_losses, 2);
    assert_best(&r, 7, 1.5, 1, false);
    r.t.keep_best = false;
    scripted_fit(&r, stopping_losses, 0);
    ck_assert_ptr_null(r.t.best.weights);
    assert_best(&r, 7, 1.5, 1, false);
    ck_assert(stopping_has_epoch(&r, 7)); /* it stays as it was */
    run_free(&r);
}
END_TEST

static void stopping_poison(const Trainer *t, int64_t step, void *ctx)
{
    (void)step, (void)ctx;
    tensor_write(module_param(t->net, "0.bias")->value)[0] = (real)NAN;
}

/* A call with no epochs left exchanges the weights. */
START_TEST(a_failed_call_keeps_the_best_weights)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.keep_best = true, r.t.patience = 1;
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    assert_best(&r, 3, 2, 1, true);
    r.t.on_step = stopping_poison, r.t.patience = 2;
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 14, because the parameter ");
    ck_assert(!r.t.best.in_net && !r.t.best.stopped);
    ck_assert(isnan(tensor_read(module_param(r.t.net, "0.bias")->value)[0]));
    scripted_fit(&r, stopping_losses, 0);
    ck_assert(r.t.best.in_net && stopping_has_epoch(&r, 3));
    run_free(&r);
}
END_TEST

/* --- on_epoch --------------------------------------------------------------------------------- */

typedef struct EpochLog {
    int   epochs;
    char  best[STOPPING_EPOCHS + 1]; /* '!' for those that were the best so far */
    char *file;                      /* the checkpoint */
} EpochLog;

/* Checks the record, logs the best epoch, then halves the learning rate and changes a weight. */
static void stopping_on_epoch(const Trainer *t, const EpochRecord *record, void *ctx)
{
    EpochLog *log = ctx;
    int i = log->epochs++;
    ck_assert_int_eq(t->epoch, log->epochs);
    ck_assert_int_eq(t->tally.batches, 0);
    ck_assert_ptr_eq(record, &t->history.record[t->history.count - 1]);
    ck_assert_int_eq(record->epoch, log->epochs);
    ck_assert_close(record->test_loss, stopping_losses[i], 0);
    log->best[i] = t->best.epoch == t->epoch ? '!' : '.';
    t->optimizer->group[0].lr /= 2;
    *tensor_write(module_param(t->net, "0.bias")->value) = (real)(10 + t->epoch);
}

START_TEST(on_epoch_is_called_between_the_record_and_the_save)
{
    Error err;
    Run r = scripted_run(make_sgd, 1), loaded = scripted_run(make_sgd, 2);
    EpochLog log = {0};
    r.t.on_epoch = stopping_on_epoch, r.t.ctx = &log;
    r.t.keep_best = loaded.t.keep_best = true;
    r.t.checkpoint = scratch_path("on-epoch");
    scripted_fit(&r, stopping_losses, 4);
    ck_assert_str_eq(log.best, "!!!.");
    ck_assert_msg(trainer_load(&loaded.t, r.t.checkpoint, &err), "%s", err.problem);
    ck_assert(loaded.t.optimizer->group[0].lr == (real)0.05 / 16);
    ck_assert(*tensor_read(module_param(loaded.t.net, "0.bias")->value) == 14);
    run_free(&r), run_free(&loaded);
}
END_TEST

/* Its change of the weights was not evaluated, so the best weights do not include it. */
START_TEST(on_epoch_does_not_change_the_best_weights)
{
    Run r = scripted_run(make_sgd, 1);
    EpochLog log = {0};
    r.t.on_epoch = stopping_on_epoch, r.t.ctx = &log;
    r.t.keep_best = true;
    scripted_fit(&r, stopping_losses, 1);
    ck_assert(stopping_has_epoch(&r, 1));
    run_free(&r);
}
END_TEST

/* --- layouts ---------------------------------------------------------------------------------- */

static Var *stopping_identity(Module *self, Var *x)
{
    (void)self;
    return x;
}

/* Fills the view with 10 epoch + 0, 1, … */
static void stopping_fill_view(const Trainer *t, const EpochRecord *record, void *ctx)
{
    Tensor *view = ctx;
    (void)t;
    for (ptrdiff_t i = 0; i < 6; i++)
        tensor_set(view, (const ptrdiff_t[]){i / 3, i % 3}, (real)(10 * record->epoch + (int)i));
}

static void stopping_check_view(const Trainer *t, int64_t step, void *ctx)
{
    double first = 10 * t->epoch;
    (void)step;
    ck_assert_tensor(ctx, SHAPE(2, 3), 0, first, first + 1, first + 2, first + 3, first + 4,
                     first + 5);
}

/* A buffer may be a view: (2,3), stored as (3,2). Epoch 3 is evaluated with the values of epoch 2,
 * and epoch 5 continues with those of epoch 4. */
START_TEST(parts_of_any_layout_are_exchanged)
{
    static const ModuleType type = {"Views", stopping_identity, NULL};
    Run r = scripted_run(make_sgd, 1);
    Tensor *base = tensor_zeros(SHAPE(3, 2));
    Module *views = module_new(sizeof *views, &type);
    Tensor *view = module_add_buffer(views, "view", tensor_transpose(base, 0, 1));
    optimizer_free(r.t.optimizer);
    r.t.net = SEQUENTIAL(r.t.net, views);
    r.t.optimizer = make_sgd(r.t.net);
    r.t.keep_best = true, r.t.on_epoch = stopping_fill_view, r.t.ctx = view;
    scripted_fit(&r, stopping_losses, 4);
    ck_assert_tensor(view, SHAPE(2, 3), 0, 20, 21, 22, 23, 24, 25);
    r.t.on_step = stopping_check_view;
    scripted_fit(&r, stopping_losses, 1);
    ck_assert_tensor(view, SHAPE(2, 3), 0, 20, 21, 22, 23, 24, 25);
    tensor_free(base);
    run_free(&r);
}
END_TEST

/* --- what is refused -------------------------------------------------------------------------- */

START_TEST(settings_without_meaning_are_refused)
{
    Run r = scripted_run(make_sgd, 1);
    Loader *test = r.t.test;
    r.t.patience = -1;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: patience is -1; expected the number of epochs "
                    "to wait for a lower test loss, or 0 to run all epochs");
    r.t.patience = 1, r.t.test = NULL;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: patience is set, but there is no .test data "
                    "whose loss shows which epoch is best");
    r.t.keep_best = true;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: keep_best is set, but there is no .test data");
    ck_assert_int_eq(r.t.step, 0);
    r.t.test = test;
    run_free(&r);
}
END_TEST

/* The copy is of the old network. The new one has additional parts, or different ones. */
START_TEST(another_network_than_the_copied_one_is_refused)
{
    Error err;
    Run r = scripted_run(make_sgd, 1);
    r.t.keep_best = true;
    scripted_fit(&r, stopping_losses, 1);
    optimizer_free(r.t.optimizer);
    if (_i)
        module_free(r.t.net);
    r.t.net = _i ? SEQUENTIAL(linear_new(2, 2), batch_norm1d_new(2))
                 : SEQUENTIAL(r.t.net, linear_new(2, 2));
    r.t.optimizer = make_sgd(r.t.net);
    r.t.epochs = 1;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: the network's parts have changed since its "
                    "best weights were copied; call trainer_clear before you train it further");
    ck_assert(!trainer_save(&r.t, scratch_path("other"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "the network's parts have changed since its best"));
    trainer_clear(&r.t);
    ck_assert_msg(trainer_save(&r.t, scratch_path("other"), &err), "%s", err.problem);
    scripted_fit(&r, stopping_losses, 1);
    run_free(&r);
}
END_TEST

/* A module with one parameter or buffer of two elements, or one counter. */
static Module *stopping_part(PartKind kind)
{
    static const ModuleType type = {"Part", stopping_identity, NULL};
    Module *m = module_new(sizeof *m, &type);
    if (kind == PART_PARAM)
        module_add_param(m, "part", tensor_zeros(SHAPE(2)));
    else if (kind == PART_BUFFER)
        module_add_buffer(m, "part", tensor_zeros(SHAPE(2)));
    else
        module_add_counter(m, "part");
    return m;
}

START_TEST(a_copy_fits_parts_of_the_same_kinds)
{
    static const PartKind kind[] = {PART_PARAM, PART_BUFFER, PART_COUNTER};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            Module *a = stopping_part(kind[i]), *b = stopping_part(kind[j]);
            Snapshot *copy = slope_snapshot_try_new(a);
            ck_assert_int_eq(slope_snapshot_fits(copy, b), i == j);
            slope_snapshot_free(copy);
            module_free(a), module_free(b);
        }
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

/* The copy is allocated before the first step. Later epochs reuse it. */
START_TEST(steps_of_later_epochs_allocate_nothing)
{
    uint64_t after[STOPPING_EPOCHS * RESUME_BATCHES + 1];
    Run r = scripted_run(make_sgd, 1);
    r.t.keep_best = true;
    r.t.on_step = run_log_allocations, r.t.ctx = after;
    scripted_fit(&r, stopping_losses, STOPPING_EPOCHS);
    int steps = (int)r.t.step;
    run_free(&r);
    for (int step = RESUME_BATCHES + 2; TESTING_POOL && step <= steps; step++)
        ck_assert_uint_eq(after[step], after[step - 1] + (step % RESUME_BATCHES == 1));
}
END_TEST

/* The copy is freed by trainer_clear, or when keep_best is cleared. */
static void stopping_live_and_die(void)
{
    for (int kept = 0; kept < 2; kept++) {
        Run r = scripted_run(make_sgd, 1);
        r.t.keep_best = true;
        scripted_fit(&r, stopping_losses, 4);
        r.t.keep_best = kept;
        scripted_fit(&r, stopping_losses, 1);
        run_free(&r);
    }
}

START_TEST(a_run_gives_the_copy_back)
{
    stopping_live_and_die();
    uint64_t before = testing_blocks();
    stopping_live_and_die();
    ck_assert_uint_eq(testing_blocks(), before);
}
END_TEST

/* With every smaller number of blocks, it fails before it changes anything. */
START_TEST(out_of_memory_for_the_copy_is_reported)
{
    Run r = scripted_run(make_sgd, 1);
    int refused = 0;
    r.t.keep_best = true, r.t.epochs = 0;
    watch_begin();
    for (int n = 0; !r.t.best.weights; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n;
        if (setjmp(testing_jump) == 0) {
            testing_catch();
            trainer_fit(&r.t);
        }
        testing_release();
        watch.fail_at = -1;
        if (r.t.best.weights)
            break;
        ck_assert_uint_eq(testing_blocks(), blocks);
        refused += strstr(testing_sentence, "out of memory for a copy of the network, which "
                                            ".keep_best needs") != NULL;
    }
    watch_end();
    ck_assert_int_ge(refused, 10);
    run_free(&r);
}
END_TEST

/* Trains for an epoch in which allocation number n, counted from 0, fails. Returns
 * whether there was one. */
static bool stopping_runs_short(Run *r, int n)
{
    size_t mark = tape_mark();
    testing_sentence[0] = '\0';
    watch.fail_at = watch.calls + n;
    if (setjmp(testing_jump) == 0) {
        testing_catch();
        trainer_fit(&r->t);
    }
    testing_release();
    tape_rewind(mark);
    watch.fail_at = -1;
    return testing_sentence[0] != '\0';
}

/* An epoch counts if it is recorded; otherwise the next call ends it. */
START_TEST(out_of_memory_loses_no_epoch)
{
    Run r = scripted_run(make_sgd, 1);
    r.t.loss = loss_cross_entropy, r.t.keep_best = true;
    watch_begin();
    watch.once = true;
    trainer_fit(&r.t); /* fills the pool, so that only the record needs memory in the next epoch */
    for (int n = 0; stopping_runs_short(&r, n); n++) {
        ck_assert_int_eq(r.t.history.count, r.t.epoch);
        trainer_fit(&r.t);
        ck_assert_int_eq(r.t.history.count, r.t.epoch);
        ck_assert_int_eq(r.t.history.record[r.t.epoch - 1].epoch, r.t.epoch);
        ck_assert_int_eq(r.t.best.waited, r.t.epoch - r.t.best.epoch);
    }
    ck_assert_int_ge(r.t.epoch, 3);
    run_free(&r);
    watch_end();
}
END_TEST

/* --- what it prints --------------------------------------------------------------------------- */

/* What training writes to stderr. */
static char *stopping_text(bool keep_best, int patience, const double *losses, int epochs)
{
    static char text[4096];
    Run r = scripted_run(make_sgd, 1);
    r.t.quiet = false, r.t.name = "run";
    r.t.keep_best = keep_best, r.t.patience = patience;
    capture_begin();
    scripted_fit(&r, losses, epochs);
    snprintf(text, sizeof text, "%s", capture_end());
    run_free(&r);
    return text;
}

/* The n-th line of that, counted from 0. */
static const char *stopping_line(int n, bool keep_best, int patience)
{
    char *line = stopping_text(keep_best, patience, stopping_losses, STOPPING_EPOCHS);
    for (; n > 0; n--)
        line = strchr(line, '\n') + 1;
    line[strcspn(line, "\n")] = '\0';
    return line;
}

START_TEST(lines_name_the_best_epoch)
{
    static const double none[STOPPING_EPOCHS] = {(double)NAN, (double)NAN};
    ck_assert_ptr_nonnull(strstr(stopping_line(2, true, 2), "test loss 2.0000 "));
    ck_assert_ptr_nonnull(strstr(stopping_line(2, true, 2), " (best), "));
    ck_assert_ptr_null(strstr(stopping_line(3, true, 2), "best"));
    ck_assert_ptr_null(strstr(stopping_line(2, false, 0), "best"));
    ck_assert_str_eq(stopping_line(8, false, 0), "");
    ck_assert_str_eq(stopping_line(5, true, 2), "run: stopped early after epoch 5 of 8; best epoch "
                     "3, test loss 2.0000; the network now has the weights of that epoch");
    ck_assert_str_eq(stopping_line(4, false, 1),
                     "run: stopped early after epoch 4 of 8; best epoch 3, test loss 2.0000");
    ck_assert_str_eq(stopping_line(8, true, 0),
                     "run: best epoch 7, test loss 1.5000; the network now has the weights of "
                     "that epoch");
    ck_assert_str_eq(stopping_text(true, 2, stopping_losses, 0), "");
    ck_assert_ptr_nonnull(strstr(stopping_text(true, 2, none, STOPPING_EPOCHS),
                                 "\nrun: stopped early after epoch 2 of 8; no epoch had a finite "
                                 "test loss\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stopping");
    testing_add(suite, "stopping", 60, (const TTest *const[]){
        training_stops_when_the_patience_is_exhausted, training_ends_with_the_best_weights,
        training_that_ends_with_its_epochs_has_not_stopped_early,
        a_loss_that_is_not_finite_is_no_improvement, NULL});
    testing_add(suite, "several calls", 60, (const TTest *const[]){
        two_calls_do_what_one_does, a_larger_patience_continues_a_stopped_run,
        a_stopped_run_may_be_called_beyond_the_end_of_its_schedule,
        after_trainer_clear_the_search_starts_afresh,
        keep_best_may_be_set_and_cleared_between_calls, a_failed_call_keeps_the_best_weights,
        NULL});
    testing_add(suite, "on_epoch", 20, (const TTest *const[]){
        on_epoch_is_called_between_the_record_and_the_save,
        on_epoch_does_not_change_the_best_weights, parts_of_any_layout_are_exchanged, NULL});
    TCase *refusing = testing_add(suite, "refusing", 20, (const TTest *const[]){
        settings_without_meaning_are_refused, a_copy_fits_parts_of_the_same_kinds, NULL});
    tcase_add_loop_test(refusing, another_network_than_the_copied_one_is_refused, 0, 2);
    testing_add(suite, "memory", 60, (const TTest *const[]){
        steps_of_later_epochs_allocate_nothing, a_run_gives_the_copy_back,
        out_of_memory_for_the_copy_is_reported, out_of_memory_loses_no_epoch, NULL});
    testing_add(suite, "printing", 20, (const TTest *const[]){lines_name_the_best_epoch, NULL});
    return scratch_main(suite);
}
