/* tests/optim/check_trainer.c -- the training loop: it learns, is reproducible to the bit,
 * allocates nothing, reports its progress, and stops at a NaN, naming the step.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "datasets/generate.h"
#include "optim/progress.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/capture.h"
#include "tests/net.h"
#include "tests/optim/run.h"
#include "tests/scratch.h"
#include "tests/xor.h"

/* --- shared by the tests ---------------------------------------------------------------------- */

/* A PReLU network 2-hidden-hidden-classes and Adam. */
static Run trainer_run_new(Dataset *data, ptrdiff_t hidden, ptrdiff_t batch, real lr)
{
    random_seed(11);
    Module *net = &net_new(2, hidden, data->classes)->base;
    return run_of(data, net, adam_new(net, lr), batch);
}

static Run trainer_run_xor(void)
{
    return trainer_run_new(xor_points(20, (real)0.05), 4, 8, (real)0.01);
}

static const EpochRecord *trainer_run_last(const Run *r)
{
    return &r->t.history.record[r->t.history.count - 1];
}

/* --- learning --------------------------------------------------------------------------------- */

START_TEST(xor_is_learned)
{
    Run r = trainer_run_new(xor_points(64, (real)0.05), 8, 16, (real)0.02);
    r.t.epochs = 60;
    trainer_fit(&r.t);
    ck_assert_double_gt(r.t.history.record[0].train_loss, 0.5);
    ck_assert_double_lt(trainer_run_last(&r)->train_loss, 0.05);
    ck_assert_double_eq(trainer_run_last(&r)->train_accuracy, 1);
    run_free(&r);
}
END_TEST

START_TEST(spirals_are_learned)
{
    Run r = trainer_run_new(spirals_new(300, 3, (real)0.02, 1), 32, 50, (real)0.01);
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 64});
    r.t.epochs = 60;
    trainer_fit(&r.t);
    ck_assert_double_gt(r.t.history.record[0].train_loss, 0.9);
    ck_assert_double_lt(trainer_run_last(&r)->train_loss, 0.3);
    ck_assert_double_gt(trainer_run_last(&r)->test_accuracy, 0.9);
    run_free(&r);
}
END_TEST

/* --- the history of a run --------------------------------------------------------------------- */

START_TEST(history_has_one_record_per_epoch_and_grows)
{
    Run r = trainer_run_xor();
    size_t mark = tape_mark();
    r.t.epochs = 2;
    trainer_fit(&r.t);
    ck_assert(isnan(trainer_run_last(&r)->test_loss) && isnan(trainer_run_last(&r)->test_accuracy));
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 8});
    r.t.epochs = 3;
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.history.count, 5);
    ck_assert_int_eq(r.t.epoch, 5);
    ck_assert_int_eq(r.t.step, 5 * 3);
    for (int i = 0; i < 5; i++) {
        const EpochRecord *e = &r.t.history.record[i];
        ck_assert_int_eq(e->epoch, i + 1);
        ck_assert(e->train_loss > 0 && e->seconds >= 0 && isnan(e->test_loss) == (i < 2));
    }
    ck_assert_uint_eq(tape_mark(), mark);
    run_free(&r);
}
END_TEST

/* With lr 0 every batch sees the same network, so the epoch's mean is that over all examples. */
START_TEST(train_loss_is_the_mean_over_examples)
{
    Run r = trainer_run_new(xor_points(21, (real)0.05), 4, 8, 0);
    trainer_fit(&r.t);
    Evaluation e = trainer_evaluate(r.t.net, r.t.loss, r.t.train, NULL);
    ck_assert_close(trainer_run_last(&r)->train_loss, e.loss, net_tolerance);
    ck_assert_double_eq(trainer_run_last(&r)->train_accuracy, e.accuracy);
    run_free(&r);
}
END_TEST

/* --- steps ------------------------------------------------------------------------------------ */

typedef struct StepLog {
    int    calls, training;
    double weight, furthest; /* of fc1's first weight: its last value, and its largest change */
} StepLog;

static void trainer_log_step(const Trainer *t, int64_t step, void *ctx)
{
    StepLog *log = ctx;
    double weight = (double)tensor_read(t->optimizer->state[0].param.var->value)[0];
    ck_assert_int_eq(step, ++log->calls);
    ck_assert_int_eq(t->step, step);
    ck_assert_msg(weight != log->weight, "step %d: called before the update", log->calls);
    log->furthest = fmax(log->furthest, fabs(weight - log->weight));
    log->weight = weight;
    log->training += t->net->training;
}

START_TEST(on_step_is_called_after_each_update)
{
    Run r = trainer_run_xor();
    StepLog log = {.weight = (double)tensor_read(r.t.optimizer->state[0].param.var->value)[0]};
    r.t.on_step = trainer_log_step, r.t.ctx = &log;
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 8});
    trainer_fit(&r.t);
    trainer_fit(&r.t);
    ck_assert_int_eq(log.calls, 6);
    ck_assert_int_eq(log.training, 6);
    run_free(&r);
}
END_TEST

/* With SGD of rate 1, a step's length is the gradient's norm. */
START_TEST(gradients_are_clipped_before_the_step)
{
    Run r = trainer_run_new(xor_points(32, (real)0.05), 4, 8, 1);
    optimizer_free(r.t.optimizer);
    r.t.optimizer = sgd_new(r.t.net, 1, 0);
    StepLog log = {.weight = (double)tensor_read(r.t.optimizer->state[0].param.var->value)[0]};
    r.t.on_step = trainer_log_step, r.t.ctx = &log;
    r.t.clip_norm = 1e-3;
    trainer_fit(&r.t);
    ck_assert_double_gt(log.furthest, 1e-6);
    ck_assert_double_le(log.furthest, 1e-3 * 1.001);
    run_free(&r);
}
END_TEST

/* --- NaN -------------------------------------------------------------------------------------- */

static int trainer_nan_countdown;

static Var *trainer_nan_loss(Var *output, const Batch *batch)
{
    Var *loss = loss_cross_entropy(output, batch);
    return --trainer_nan_countdown ? loss : var_scale(loss, (real)NAN);
}

START_TEST(a_nan_loss_is_named_with_its_step)
{
    Run r = trainer_run_xor();
    size_t mark = tape_mark();
    r.t.loss = trainer_nan_loss, r.t.epochs = 4;
    trainer_nan_countdown = 1 + 5; /* 1 in the rehearsal; three steps per epoch */
    ck_assert_fails(trainer_fit(&r.t), "at step 5; lower the learning rate");
    ck_assert_int_eq(r.t.step, 4);
    ck_assert_int_eq(r.t.history.count, 1);
    ck_assert_uint_eq(tape_mark(), mark);
    for (int i = 0; i < r.t.optimizer->n_params; i++)
        ck_assert_int_lt(tensor_find_nonfinite(r.t.optimizer->state[i].param.var->value), 0);
    run_free(&r);
}
END_TEST

START_TEST(a_nan_in_the_data_is_reported_with_its_example)
{
    Run r = trainer_run_xor();
    size_t mark = tape_mark();
    r.data->features[2 * 13 + 1] = (real)NAN;
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, (LoaderOptions){.batch = 8});
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 2, and the data are not "
                    "finite: element 1 of example 13 of xor is nan (batch 1, row 5; all are "
                    "counted from 0); remove or replace");
    r.data->features[2 * 13 + 1] = (real)INFINITY;
    r.t.tally = (Tally){0};
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, (LoaderOptions){.batch = 8, .shuffle = true});
    ck_assert_fails(trainer_fit(&r.t), "element 1 of example 13 of xor is infinite (batch ");
    ck_assert_uint_eq(tape_mark(), mark);
    run_free(&r);
}
END_TEST

START_TEST(a_nan_in_a_parameter_is_reported_with_its_name)
{
    Run r = trainer_run_xor();
    Var *bias = module_param(r.t.net, "fc2.bias");
    tensor_write(bias->value)[1] = (real)NAN;
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 1, because the parameter "
                    "'fc2.bias' was not finite before that step; check how it was initialised or");
    r.t.step = 7;
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 8, because the parameter "
                    "'fc2.bias' was not finite before that step; if an update made it so, "
                    "lower the learning rate, or clip the gradients");
    run_free(&r);
}
END_TEST

/* A lower learning rate cannot help, because no update has been made yet. */
START_TEST(a_nan_at_step_1_is_not_blamed_on_the_learning_rate)
{
    Run r = trainer_run_xor();
    r.t.loss = trainer_nan_loss;
    trainer_nan_countdown = 1 + 1;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: the loss is nan at step 1, although the data "
                    "and the weights are finite; scale the inputs or the initial weights, or turn "
                    "anomaly_mode on");
    run_free(&r);
}
END_TEST

/* --- the same bits ---------------------------------------------------------------------------- */

/* Large enough that every kernel divides its work into several blocks. */
static Run trainer_run_on(int threads, uint64_t seed)
{
    parallel_set_threads(threads);
    Run r = trainer_run_new(spirals_new(1500, 3, (real)0.02, seed), 96, 500, (real)0.01);
    r.t.epochs = 4;
    trainer_fit(&r.t);
    parallel_set_threads(0);
    return r;
}

static bool trainer_run_same_bits(const Run *a, const Run *b)
{
    return run_same_parameters(a, b) &&
           trainer_run_last(a)->train_loss == trainer_run_last(b)->train_loss;
}

START_TEST(the_same_seed_gives_the_same_bits_on_1_and_2_threads)
{
    Run one = trainer_run_on(1, 1), two = trainer_run_on(2, 1);
    Run again = trainer_run_on(2, 1);
    Run three = trainer_run_on(3, 1), other = trainer_run_on(1, 2);
    ck_assert(trainer_run_same_bits(&one, &two));
    ck_assert(trainer_run_same_bits(&two, &again));
    ck_assert(trainer_run_same_bits(&one, &three));
    ck_assert(!trainer_run_same_bits(&one, &other));
    run_free(&one), run_free(&two), run_free(&again);
    run_free(&three), run_free(&other);
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

enum { TRAINER_STEPS = 12, TRAINER_STEPS_AN_EPOCH = 4 };

/* The first of the steps up to the last that allocate nothing. The one allocation between epochs,
 * the history's next record, is not counted; an evaluation, with other shapes, would have its own.
 * Frees r. */
static int trainer_first_still_step(Run *r)
{
    uint64_t after[TRAINER_STEPS + 1] = {0};
    r->t.on_step = run_log_allocations, r->t.ctx = after;
    r->t.clip_norm = 1;
    r->t.epochs = TRAINER_STEPS / TRAINER_STEPS_AN_EPOCH;
    after[0] = memory_counts().allocations;
    trainer_fit(&r->t);
    run_free(r);
    int still = TRAINER_STEPS + 1;
    for (; still > 1; still--) {
        uint64_t records = still > 2 && (still - 1) % TRAINER_STEPS_AN_EPOCH == 1;
        if (after[still - 1] != after[still - 2] + records)
            break;
    }
    return still;
}

START_TEST(a_step_allocates_nothing_from_the_second_on)
{
    Run r = trainer_run_new(spirals_new(256, 3, (real)0.02, 1), 32, 64, (real)0.01); /* Adam */
    ck_assert_int_eq(trainer_first_still_step(&r), 2);
}
END_TEST

START_TEST(nor_does_a_step_of_sgd_with_or_without_momentum)
{
    for (int m = 0; m < 2; m++) {
        Run r = trainer_run_new(spirals_new(256, 3, (real)0.02, 1), 32, 64, (real)0.01);
        optimizer_free(r.t.optimizer);
        r.t.optimizer = sgd_new(r.t.net, (real)0.01, m ? (real)0.9 : 0);
        ck_assert_int_le(trainer_first_still_step(&r), 2);
    }
}
END_TEST

static void trainer_live_and_die(void)
{
    Run r = trainer_run_xor();
    r.t.epochs = 3;
    trainer_fit(&r.t);
    run_free(&r);
}

START_TEST(a_run_gives_everything_back)
{
    trainer_live_and_die();
    uint64_t before = testing_blocks();
    trainer_live_and_die();
    ck_assert_uint_eq(testing_blocks(), before);
}
END_TEST

/* --- evaluation ------------------------------------------------------------------------------- */

START_TEST(evaluate_leaves_mode_tape_and_gradients_alone)
{
    Run r = trainer_run_xor();
    size_t mark = tape_mark();
    for (int training = 0; training < 2; training++) {
        if (training)
            module_train(r.t.net);
        else
            module_eval(r.t.net);
        trainer_evaluate(r.t.net, r.t.loss, r.t.train, NULL);
        ck_assert_int_eq(r.t.net->training, training);
        ck_assert_int_eq(((Net *)r.t.net)->prelu2->training, training);
        ck_assert_uint_eq(tape_mark(), mark);
        ck_assert(grad_enabled());
    }
    for (int i = 0; i < r.t.optimizer->n_params; i++)
        ck_assert_ptr_null(r.t.optimizer->state[i].param.var->grad);
    run_free(&r);
}
END_TEST

/* The number of forward passes, by whether gradients are enabled and by training mode. */
static int trainer_modes[2][2];

static Var *trainer_mode_forward(Module *self, Var *x)
{
    trainer_modes[grad_enabled()][self->training]++;
    return x;
}

START_TEST(training_and_testing_run_in_their_modes)
{
    static const ModuleType type = {"Mode", trainer_mode_forward, NULL};
    Run r = trainer_run_xor();
    module_free(r.t.net);
    optimizer_free(r.t.optimizer);
    r.t.net = SEQUENTIAL(linear_new(2, 2), module_new(sizeof(Module), &type));
    r.t.optimizer = adam_new(r.t.net, (real)0.01);
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 10});
    r.t.epochs = 2;
    module_eval(r.t.net); /* trainer_fit switches to training mode */
    trainer_fit(&r.t);
    ck_assert_int_eq(trainer_modes[0][0], 1 + 2 * 2); /* the rehearsal, and two epochs */
    ck_assert_int_eq(trainer_modes[1][0], 0);
    ck_assert_int_eq(trainer_modes[0][1], 0);
    ck_assert_int_eq(trainer_modes[1][1], 1 + 2 * 3);
    run_free(&r);
}
END_TEST

/* Fine-tuning: a batch norm's statistics are fixed, while its weight and all else are trained. */
START_TEST(a_part_in_evaluation_mode_stays_in_it)
{
    Run r = trainer_run_xor();
    module_free(r.t.net);
    optimizer_free(r.t.optimizer);
    Module *norm = batch_norm1d_new(4);
    r.t.net = SEQUENTIAL(linear_new(2, 4), norm, linear_new(4, 2));
    r.t.optimizer = sgd_new(r.t.net, (real)0.1, 0);
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 10});
    r.t.epochs = 2;
    const int64_t *batches = module_part(norm, PART_COUNTER, "num_batches_tracked")->counter;
    module_eval(norm);
    trainer_fit(&r.t);
    ck_assert(!norm->training && r.t.net->training);
    ck_assert_int_eq(*batches, 0);
    ck_assert_tensor(module_part(norm, PART_BUFFER, "running_mean")->buffer, SHAPE(4), 0,
                     0, 0, 0, 0);
    ck_assert(tensor_read(module_param(norm, "weight")->value)[0] != 1);
    module_eval(r.t.net); /* trainer_fit will put all of it into training mode */
    trainer_fit(&r.t);
    ck_assert(norm->training);
    ck_assert_int_eq(*batches, 2 * 3);
    run_free(&r);
}
END_TEST

static Var *trainer_failing_loss(Var *output, const Batch *batch)
{
    return var_reshape(output, SHAPE(batch->count + 1));
}

START_TEST(an_evaluation_that_fails_leaves_the_modes_alone)
{
    Run r = trainer_run_xor();
    ck_assert_fails(trainer_evaluate(r.t.net, trainer_failing_loss, r.t.train, NULL), "reshape");
    ck_assert(r.t.net->training && ((Net *)r.t.net)->prelu2->training && grad_enabled());
    ck_assert_fails(trainer_evaluate(NULL, r.t.loss, r.t.train, NULL),
                    "trainer_evaluate: the network is NULL");
    ck_assert_fails(trainer_evaluate(r.t.net, NULL, r.t.train, NULL),
                    "trainer_evaluate: the loss is NULL");
    ck_assert_fails(trainer_evaluate(r.t.net, r.t.loss, NULL, NULL),
                    "trainer_evaluate: the loader is NULL");
    run_free(&r);
}
END_TEST

/* (N,2) -> (2N,1) */
static Var *trainer_halve_rows(Module *self, Var *x)
{
    (void)self;
    return var_reshape(x, SHAPE(2 * var_shape(x).dim[0], 1));
}

static Var *trainer_mean_output(Var *output, const Batch *batch)
{
    (void)batch;
    return var_mean(output, ALL_AXES, false);
}

/* Otherwise predictions would be written beyond the caller's array. */
START_TEST(an_output_without_one_row_per_example_predicts_nothing)
{
    static const ModuleType type = {"Halves", trainer_halve_rows, NULL};
    Module *net = module_new(sizeof *net, &type);
    Dataset *data = xor_points(8, 0);
    Loader *loader = loader_new(data, (LoaderOptions){.batch = 4});
    int32_t predicted[16];
    memset(predicted, -1, sizeof predicted);
    ck_assert_fails(trainer_evaluate(net, trainer_mean_output, loader, predicted),
                    "trainer_evaluate: for a batch of shape (4, 2) the network's output has shape "
                    "(8, 1); expected (4,K), one row per example");
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(predicted[i], -1);
    loader_free(loader), dataset_free(data), module_free(net);
}
END_TEST

START_TEST(null_is_refused_by_name)
{
    Error err;
    Trainer none = {0};
    ck_assert_fails(trainer_fit(NULL), "trainer_fit: the trainer is NULL");
    ck_assert_fails(trainer_fit(&none), "trainer_fit: the trainer has no .net");
    ck_assert_fails(trainer_save(NULL, "none", &err), "trainer_save: the trainer is NULL");
    ck_assert_fails(trainer_save(&none, "none", &err), "trainer_save: the trainer has no .net");
    ck_assert_fails(trainer_load(&none, "none", &err), "trainer_load: the trainer has no .net");
    ck_assert_fails(trainer_resume(NULL, &err), "trainer_resume: the trainer is NULL");
    ck_assert_fails(history_free(NULL), "history_free: the history is NULL");
    ck_assert_fails(history_write_csv(NULL, "none", &err), "history_write_csv: the history is");
    ck_assert_fails(history_write_csv(&(History){0}, NULL, &err), "history_write_csv: the path is");
}
END_TEST

/* 21 examples in batches of 8, 8 and 5 give the same result as in one batch; the classes come in
 * order. */
START_TEST(evaluate_weighs_batches_by_their_size)
{
    Run r = trainer_run_new(xor_points(21, (real)0.05), 4, 8, (real)0.01);
    Loader *parts = loader_new(r.data, (LoaderOptions){.batch = 8});
    Loader *whole = loader_new(r.data, (LoaderOptions){.batch = 21});
    int32_t in_parts[21], at_once[21], correct = 0;
    Evaluation p = trainer_evaluate(r.t.net, r.t.loss, parts, in_parts);
    Evaluation w = trainer_evaluate(r.t.net, r.t.loss, whole, at_once);
    for (int i = 0; i < 21; i++)
        correct += in_parts[i] == r.data->labels.data[i];
    ck_assert_int_eq(memcmp(in_parts, at_once, sizeof in_parts), 0);
    ck_assert_close(p.loss, w.loss, net_tolerance);
    ck_assert_double_eq(p.accuracy, w.accuracy);
    ck_assert_double_eq(p.accuracy, correct / 21.0);
    loader_free(parts);
    loader_free(whole);
    run_free(&r);
}
END_TEST

/* --- progress --------------------------------------------------------------------------------- */

/* Trains for two epochs and returns what was written to stderr. */
static const char *trainer_output(bool quiet, const char *name)
{
    Run r = trainer_run_xor();
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 8});
    r.t.quiet = quiet, r.t.name = name, r.t.epochs = 2;
    capture_begin();
    trainer_fit(&r.t);
    run_free(&r);
    return capture_end();
}

START_TEST(progress_is_a_line_an_epoch_where_there_is_no_terminal)
{
    const char *text = trainer_output(false, "xor"), *second = strchr(text, '\n');
    ck_assert_ptr_nonnull(second);
    second++;
    ck_assert_msg(strncmp(text, "xor: epoch 1/2 train loss ", 26) == 0, "%s", text);
    ck_assert_msg(strncmp(second, "xor: epoch 2/2 train loss ", 26) == 0, "%s", second);
    ck_assert_ptr_eq(strchr(second, '\n'), second + strlen(second) - 1);
    ck_assert_ptr_null(strpbrk(text, "\r\033"));
}
END_TEST

START_TEST(progress_says_nothing_when_quiet)
{
    ck_assert_str_eq(trainer_output(true, NULL), "");
}
END_TEST

/* Pretends that stderr is a terminal. */
START_TEST(progress_draws_a_bar_on_a_terminal)
{
    capture_begin();
    Progress p = progress_begin("work", 4, false);
    ck_assert(!p.terminal && !p.color);
    p.terminal = true;
    progress_update(&p, 2, "halfway");
    progress_update(&p, 3, "too soon to draw again");
    progress_done(&p, "all %d", 4);
    const char *text = capture_end();
    ck_assert_str_eq(text, "\rwork ##############..............  50%    0s left  halfway\033[K"
                           "\r\033[Kwork all 4\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trainer");
    testing_add(suite, "learning", 60, (const TTest *const[]){
        xor_is_learned, spirals_are_learned, NULL});
    testing_add(suite, "history", 60, (const TTest *const[]){
        history_has_one_record_per_epoch_and_grows, train_loss_is_the_mean_over_examples, NULL});
    testing_add(suite, "steps", 20, (const TTest *const[]){
        on_step_is_called_after_each_update, gradients_are_clipped_before_the_step,
        a_nan_loss_is_named_with_its_step, a_nan_in_the_data_is_reported_with_its_example,
        a_nan_in_a_parameter_is_reported_with_its_name,
        a_nan_at_step_1_is_not_blamed_on_the_learning_rate, NULL});
    testing_add(suite, "bits", 60, (const TTest *const[]){
        the_same_seed_gives_the_same_bits_on_1_and_2_threads, NULL});
    if (TESTING_POOL)
        testing_add(suite, "pool", 20, (const TTest *const[]){
            a_step_allocates_nothing_from_the_second_on,
            nor_does_a_step_of_sgd_with_or_without_momentum, NULL});
    testing_add(suite, "memory", 20, (const TTest *const[]){a_run_gives_everything_back, NULL});
    testing_add(suite, "evaluation", 20, (const TTest *const[]){
        evaluate_leaves_mode_tape_and_gradients_alone, training_and_testing_run_in_their_modes,
        a_part_in_evaluation_mode_stays_in_it, an_evaluation_that_fails_leaves_the_modes_alone,
        an_output_without_one_row_per_example_predicts_nothing,
        null_is_refused_by_name, evaluate_weighs_batches_by_their_size, NULL});
    testing_add(suite, "progress", 20, (const TTest *const[]){
        progress_is_a_line_an_epoch_where_there_is_no_terminal, progress_says_nothing_when_quiet,
        progress_draws_a_bar_on_a_terminal, NULL});
    return scratch_main(suite);
}
