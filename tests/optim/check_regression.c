/* tests/optim/check_regression.c -- training on real-valued targets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "datasets/generate.h"
#include "tests/capture.h"
#include "tests/optim/resumed.h"

enum { EXAMPLES = 40, SINE_BATCH = 16, SINE_BATCHES = 3, SINE_EPOCHS = 4 };

/* --- shared by the tests ---------------------------------------------------------------------- */

static Module *sine_net(ptrdiff_t out)
{
    return SEQUENTIAL(linear_new(1, 16), prelu_new(16, (real)0.25), linear_new(16, out));
}

/* A run on these data, which it owns, with `out` outputs, and the same data as test data. */
static Run regression_run(Dataset *data, ptrdiff_t out, uint64_t seed)
{
    random_seed(seed);
    Module *net = sine_net(out);
    Run r = run_of(data, net, adam_new(net, (real)0.02), SINE_BATCH);
    r.t.test = loader_new(data, (LoaderOptions){.batch = SINE_BATCH});
    r.t.loss = loss_mse, r.t.epochs = SINE_EPOCHS;
    return r;
}

static Run sine_run(uint64_t seed)
{
    return regression_run(sine_new(EXAMPLES, (real)0.1, 3), 1, seed);
}

static Dataset *zeros(Shape sample, Shape target)
{
    return dataset_new_with_targets("zeros", DATASET_FEATURES, EXAMPLES, sample, target);
}

/* Asserts that trainer_fit refuses the run with this text before the first step; frees it. */
static void assert_refused(Run r, const char *text)
{
    ck_assert_fails(trainer_fit(&r.t), text);
    ck_assert_int_eq(r.t.step, 0);
    run_free(&r);
}

/* --- learning --------------------------------------------------------------------------------- */

/* The variance of the sine is 1/2, and that of the noise is 1/100. */
START_TEST(a_network_with_prelu_fits_the_sine)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Run r = regression_run(sine_new(400, (real)0.1, seed), 1, seed);
        Dataset *test = sine_new(200, (real)0.1, seed + 10);
        loader_free(r.t.test);
        r.t.test = loader_new(test, (LoaderOptions){0});
        r.t.epochs = 40;
        trainer_fit(&r.t);
        ck_assert_double_lt(trainer_evaluate(r.t.net, loss_mse, r.t.test, NULL).loss, 0.05);
        run_free(&r);
        dataset_free(test);
    }
}
END_TEST

/* The mean is over examples, not over batches: 40 examples in batches of 16, 16 and 8. */
START_TEST(the_loss_is_the_mean_over_the_examples)
{
    Run r = sine_run(1);
    Loader *whole = loader_new(r.data, (LoaderOptions){.batch = EXAMPLES});
    Batch batch;
    loader_next(whole, &batch);
    size_t mark = tape_mark();
    Var *y = module_forward(r.t.net, var_const(batch.x));
    double sum = 0;
    for (int i = 0; i < EXAMPLES; i++) {
        double d = (double)tensor_read(y->value)[i] - (double)r.data->targets[i];
        sum += d * d;
    }
    tape_rewind(mark);
    Evaluation parts = trainer_evaluate(r.t.net, loss_mse, r.t.test, NULL);
    ck_assert_close(parts.loss, sum / EXAMPLES, NEAR);
    loader_free(whole);
    run_free(&r);
}
END_TEST

START_TEST(from_the_second_step_on_nothing_is_allocated)
{
    uint64_t after[SINE_BATCHES * SINE_EPOCHS + 1];
    Run r = sine_run(1);
    r.t.on_step = run_log_allocations, r.t.ctx = after;
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, SINE_BATCHES * SINE_EPOCHS);
    for (int step = SINE_BATCHES + 2; TESTING_POOL && step <= r.t.step; step++)
        if ((step - 1) % SINE_BATCHES)
            ck_assert_uint_eq(after[step], after[step - 1]);
    run_free(&r);
}
END_TEST

/* --- no accuracy ------------------------------------------------------------------------------ */

START_TEST(there_is_no_accuracy)
{
    Error err;
    size_t size;
    Run r = sine_run(1);
    r.t.quiet = false, r.t.epochs = 1;
    capture_begin();
    trainer_fit(&r.t);
    const char *said = capture_end();
    ck_assert_msg(strstr(said, "epoch 1/1 train loss ") && strstr(said, ", test loss "), "%s",
                  said);
    ck_assert_msg(!strstr(said, "accuracy") && !strstr(said, "nan"), "%s", said);
    const EpochRecord *record = r.t.history.record;
    ck_assert(isnan(record->train_accuracy) && isnan(record->test_accuracy));
    ck_assert(record->train_loss > 0 && record->test_loss > 0);
    ck_assert(isnan(trainer_evaluate(r.t.net, loss_mse, r.t.train, NULL).accuracy));
    ck_assert(history_write_csv(&r.t.history, scratch_path("history.csv"), &err));
    unsigned char *bytes = scratch_read(scratch_path("history.csv"), &size);
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)size, (const char *)bytes);
    ck_assert_msg(strstr(text, "\n1,") && strstr(text, ",nan,") && !strstr(text, "-nan"), "%s",
                  text);
    free(bytes);
    run_free(&r);
}
END_TEST

START_TEST(there_are_no_classes_to_predict)
{
    int32_t predicted[EXAMPLES];
    Run r = sine_run(1);
    ck_assert_fails(trainer_evaluate(r.t.net, loss_mse, r.t.test, predicted),
                    "trainer_evaluate: sine has no classes to predict; pass NULL, and to see the "
                    "outputs call module_forward for each batch");
    run_free(&r);
}
END_TEST

/* --- what does not fit together --------------------------------------------------------------- */

START_TEST(a_loss_that_does_not_fit_the_data_is_refused)
{
    Run r = sine_run(1);
    r.t.loss = loss_cross_entropy;
    assert_refused(r, "trainer_fit: the .test loader, whose examples have shape (1,): "
                   "loss_cross_entropy needs classes, but sine has real-valued targets; use "
                   "loss_mse");
    r = regression_run(dataset_new("classes", DATASET_FEATURES, EXAMPLES, SHAPE(1), 2), 2, 1);
    loader_free(r.t.test), r.t.test = NULL;
    assert_refused(r, "trainer_fit: the .train loader, whose examples have shape (1,): loss_mse "
                   "needs real-valued targets, but classes has classes; use loss_cross_entropy, "
                   "or see dataset_new_with_targets");
    r = regression_run(dataset_new("bare", DATASET_FEATURES, EXAMPLES, SHAPE(1), 0), 1, 1);
    assert_refused(r, "bare has neither classes nor targets; use a loss of your own");
}
END_TEST

START_TEST(test_data_of_another_kind_are_refused)
{
    Dataset *classes = dataset_new("classes", DATASET_FEATURES, 5, SHAPE(1), 2);
    Run r = sine_run(1);
    loader_free(r.t.test);
    r.t.test = loader_new(classes, (LoaderOptions){0});
    assert_refused(r, "the .test loader, whose examples have shape (1,): loss_mse needs "
                   "real-valued targets, but classes has classes");
    dataset_free(classes);
}
END_TEST

/* Broadcasting would pair each of the 16 outputs with each of the 16 targets. */
START_TEST(each_output_must_have_its_target)
{
    assert_refused(regression_run(zeros(SHAPE(1), SHAPE_SCALAR), 1, 1),
                   "loss_mse: the output has shape (16, 1), but the batch's targets have shape "
                   "(16,); they must be equal, or broadcasting would pair each output with every "
                   "target; for this output the dataset needs targets of shape (1,)");
    assert_refused(regression_run(zeros(SHAPE(1), SHAPE(3)), 1, 1), "have shape (16, 3); they");
    assert_refused(regression_run(zeros(SHAPE(2), SHAPE(1)), 1, 1), "Linear: expected an input");
}
END_TEST

/* The targets of the whole set are checked, not only those of the first batch. */
START_TEST(targets_of_loss_bce_must_be_probabilities)
{
    Run r = regression_run(zeros(SHAPE(1), SHAPE(2)), 2, 1);
    r.t.loss = loss_bce;
    loader_free(r.t.test), r.t.test = NULL;
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, SINE_EPOCHS * SINE_BATCHES);
    r.data->targets[2 * 39 + 1] = (real)1.5;
    r.t.step = 0;
    assert_refused(r, "trainer_fit: the .train loader, whose examples have shape (1,): loss_bce "
                   "needs targets from 0 to 1, but target 1 of example 39 of zeros is 1.5");
    r = regression_run(dataset_new("classes", DATASET_FEATURES, EXAMPLES, SHAPE(1), 2), 1, 1);
    r.t.loss = loss_bce;
    assert_refused(r, "loss_bce needs targets from 0 to 1, but classes has classes; use "
                   "loss_cross_entropy");
}
END_TEST

START_TEST(a_target_that_is_not_finite_is_reported)
{
    Run r = regression_run(zeros(SHAPE(1), SHAPE(2)), 2, 1);
    r.data->targets[2 * 20 + 1] = (real)NAN;
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, (LoaderOptions){.batch = SINE_BATCH});
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 2, and the data are not finite: "
                    "element 1 of the targets of example 20 of zeros is nan (batch 1, row 4;");
    run_free(&r);
}
END_TEST

/* --- resuming --------------------------------------------------------------------------------- */

static void save_step(const Trainer *t, int64_t step, void *ctx)
{
    Error err;
    (void)ctx;
    ck_assert_msg(trainer_save(t, step_path(step), &err), "%s", err.problem);
}

/* Asserts that two runs have the same state and history, including accuracies of NaN. */
static void assert_same_end(Run *a, Run *b)
{
    size_t size_a, size_b;
    unsigned char *bytes_a = run_bytes(a, &size_a), *bytes_b = run_bytes(b, &size_b);
    ck_assert_uint_eq(size_a, size_b);
    ck_assert_mem_eq(bytes_a, bytes_b, size_a);
    ck_assert(run_same_parameters(a, b));
    ck_assert_int_eq(b->t.history.count, SINE_EPOCHS);
    for (int i = 0; i < SINE_EPOCHS; i++)
        ck_assert(same_record(&a->t.history.record[i], &b->t.history.record[i]));
    free(bytes_a), free(bytes_b);
}

START_TEST(every_step_resumes_to_the_same_bits)
{
    Error err;
    Run whole = sine_run(1);
    whole.t.on_step = save_step;
    trainer_fit(&whole.t);
    for (int step = 1; step <= SINE_BATCHES * SINE_EPOCHS; step++) {
        Run r = sine_run(2);
        r.t.checkpoint = step_path(step);
        ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, step);
        trainer_fit(&r.t);
        assert_same_end(&whole, &r);
        run_free(&r);
    }
    run_free(&whole);
}
END_TEST

static void die_at_step(const Trainer *t, int64_t step, void *ctx)
{
    (void)t;
    if (step == *(int64_t *)ctx)
        raise(SIGKILL);
}

/* A child that resumes the training, or begins it, and is killed after five more steps. */
static void train_and_be_killed(uint64_t seed)
{
    Error err;
    Run r = sine_run(seed);
    r.t.checkpoint = scratch_path("killed"), r.t.checkpoint_every = 2;
    if (!trainer_resume(&r.t, &err))
        _exit(1);
    int64_t last = r.t.step + 5;
    r.t.on_step = die_at_step, r.t.ctx = &last;
    trainer_fit(&r.t);
    _exit(0);
}

START_TEST(killed_again_and_again_it_ends_with_the_same_bits)
{
    Error err;
    Run whole = sine_run(1), left = sine_run(9);
    trainer_fit(&whole.t);
    int status = 0, kills = -1;
    do {
        kills++;
        pid_t child = fork();
        if (child == 0)
            train_and_be_killed((uint64_t)kills + 1);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
    } while (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_ge(kills, 2);
    ck_assert_msg(trainer_load(&left.t, scratch_path("killed"), &err), "%s", err.problem);
    assert_same_end(&whole, &left);
    run_free(&whole), run_free(&left);
}
END_TEST

/* The network and the number of examples are the same, but what is predicted is different. */
START_TEST(a_checkpoint_of_another_kind_of_data_is_refused)
{
    Error err;
    Run saved = sine_run(1), r = regression_run(zeros(SHAPE(1), SHAPE(2)), 1, 2);
    trainer_fit(&saved.t);
    ck_assert(trainer_save(&saved.t, scratch_path("sine"), &err));
    ck_assert(!trainer_load(&r.t, scratch_path("sine"), &err));
    ck_assert_str_eq(err.problem,
                     "the checkpoint has a different number of real-valued targets per example");
    ck_assert(!strcmp(err.expected, "2") && !strcmp(err.found, "1"));
    run_free(&r);
    r = regression_run(dataset_new("c", DATASET_FEATURES, EXAMPLES, SHAPE(1), 3), 1, 2);
    ck_assert(!trainer_load(&r.t, scratch_path("sine"), &err));
    ck_assert_str_eq(err.problem, "the checkpoint has a different number of classes");
    ck_assert(!strcmp(err.expected, "3") && !strcmp(err.found, "0"));
    ck_assert_int_eq(r.t.step, 0);
    run_free(&r), run_free(&saved);
}
END_TEST

/* Without classes, no prediction can have been correct, even within an epoch. */
START_TEST(counts_must_agree_with_the_data)
{
    Error err;
    Run r = sine_run(1);
    r.t.on_step = save_step;
    trainer_fit(&r.t);
    ck_assert_msg(trainer_load(&r.t, step_path(2), &err), "%s", err.problem);
    ck_assert_int_eq(r.t.tally.count, 2 * SINE_BATCH);
    ck_assert(trainer_save(&r.t, scratch_path("right"), &err));
    r.t.tally.correct = 1;
    ck_assert(!trainer_save(&r.t, scratch_path("wrong"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "'trainer.correct' is out of range"));
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regression");
    testing_add(suite, "learning", 60, (const TTest *const[]){
        a_network_with_prelu_fits_the_sine, the_loss_is_the_mean_over_the_examples,
        from_the_second_step_on_nothing_is_allocated, NULL});
    testing_add(suite, "accuracy", 20, (const TTest *const[]){
        there_is_no_accuracy, there_are_no_classes_to_predict, NULL});
    testing_add(suite, "refusals", 20, (const TTest *const[]){
        a_loss_that_does_not_fit_the_data_is_refused, test_data_of_another_kind_are_refused,
        each_output_must_have_its_target, targets_of_loss_bce_must_be_probabilities,
        a_target_that_is_not_finite_is_reported, NULL});
    testing_add(suite, "resuming", 60, (const TTest *const[]){
        every_step_resumes_to_the_same_bits, killed_again_and_again_it_ends_with_the_same_bits,
        a_checkpoint_of_another_kind_of_data_is_refused, counts_must_agree_with_the_data, NULL});
    return scratch_main(suite);
}
