/* tests/optim/check_accumulation.c -- several batches per update give the gradient of one large
 * batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/layers.h"
#include "tests/capture.h"
#include "tests/net.h"
#include "tests/optim/run.h"
#include "tests/scratch.h"
#include "tests/xor.h"

/* --- shared by the tests ---------------------------------------------------------------------- */

/* xor_points(250) in batches of 32 gives 7 full batches and one of 26 examples. */
enum { ACCUMULATION_EXAMPLES = 250, ACCUMULATION_BATCH = 32, ACCUMULATION_BATCHES = 8 };

static Run accumulation_run(ptrdiff_t batch, int accumulate)
{
    random_seed(5);
    Module *net = SEQUENTIAL(linear_new(2, 8), prelu_new(8, (real)0.25), linear_new(8, 2));
    Run r = run_of(xor_points(ACCUMULATION_EXAMPLES, (real)0.05), net,
                   sgd_new(net, (real)0.5, (real)0.5), batch);
    r.t.accumulate = accumulate;
    return r;
}

/* The largest difference between two parameters of the same name. */
static double accumulation_difference(const Run *a, const Run *b)
{
    double most = 0;
    for (int i = 0; i < a->t.optimizer->n_params; i++)
        most = fmax(most, tensor_max_difference(a->t.optimizer->state[i].param.var->value,
                                                b->t.optimizer->state[i].param.var->value));
    return most;
}

/* --- the gradient ----------------------------------------------------------------------------- */

/* 32 x 4 is like 128: an update of 128 examples, then one of 122 (3 x 32 + 26). With 3 batches per
 * update there are updates of 96, 96 and 58 examples. */
START_TEST(several_batches_give_the_gradient_of_one_large_batch)
{
    static const struct { int accumulate; ptrdiff_t batch; int updates; } like[] = {
        {4, 128, 2}, {3, 96, 3}, {8, 250, 1}, {100, 250, 1}};
    for (size_t i = 0; i < sizeof like / sizeof *like; i++)
        for (int clip = 0; clip < 2; clip++) {
            Run small = accumulation_run(ACCUMULATION_BATCH, like[i].accumulate),
                large = accumulation_run(like[i].batch, 0);
            small.t.clip_norm = large.t.clip_norm = clip ? 0.05 : 0;
            small.t.epochs = large.t.epochs = 3;
            trainer_fit(&small.t);
            trainer_fit(&large.t);
            ck_assert_double_le(accumulation_difference(&small, &large), net_tolerance);
            ck_assert_int_eq(small.t.step, 3 * like[i].updates);
            ck_assert_int_eq(large.t.step, small.t.step);
            ck_assert_close(small.t.history.record[2].train_loss,
                            large.t.history.record[2].train_loss, net_tolerance);
            run_free(&small), run_free(&large);
        }
}
END_TEST

START_TEST(one_batch_per_update_is_the_default)
{
    Run none = accumulation_run(ACCUMULATION_BATCH, 0);
    Run one = accumulation_run(ACCUMULATION_BATCH, 1);
    trainer_fit(&none.t);
    trainer_fit(&one.t);
    ck_assert(run_same_parameters(&none, &one));
    ck_assert_int_eq(none.t.step, ACCUMULATION_BATCHES);
    run_free(&none), run_free(&one);
}
END_TEST

/* With drop_last, 7 batches are left: updates of 4 and 3. */
START_TEST(a_dropped_batch_is_in_no_update)
{
    Run small = accumulation_run(ACCUMULATION_BATCH, 4), large = accumulation_run(128, 0);
    loader_free(small.t.train), loader_free(large.t.train);
    small.t.train = loader_new(small.data, (LoaderOptions){.batch = 32, .drop_last = true});
    Dataset *first = dataset_take(large.data, 7 * 32);
    dataset_free(large.data);
    large.data = first;
    large.t.train = loader_new(first, (LoaderOptions){.batch = 128});
    trainer_fit(&small.t);
    trainer_fit(&large.t);
    ck_assert_double_le(accumulation_difference(&small, &large), net_tolerance);
    ck_assert_int_eq(small.t.step, 2);
    run_free(&small), run_free(&large);
}
END_TEST

/* With SGD of rate 1, an update's length is the norm of the clipped sum. */
START_TEST(the_sum_is_clipped)
{
    Run r = accumulation_run(ACCUMULATION_BATCH, 8), before = accumulation_run(32, 8);
    optimizer_free(r.t.optimizer);
    r.t.optimizer = sgd_new(r.t.net, 1, 0);
    r.t.clip_norm = 0.01;
    trainer_fit(&r.t);
    double squares = 0;
    for (int i = 0; i < r.t.optimizer->n_params; i++) {
        const Tensor *x = r.t.optimizer->state[i].param.var->value;
        const Tensor *y = before.t.optimizer->state[i].param.var->value;
        for (ptrdiff_t j = 0; j < tensor_count(x); j++)
            squares += pow((double)tensor_read(x)[j] - (double)tensor_read(y)[j], 2);
    }
    ck_assert_close(sqrt(squares), 0.01, 1e-6);
    run_free(&r), run_free(&before);
}
END_TEST

/* Here one large batch would differ, because a batch norm normalises each batch by itself. */
START_TEST(a_batch_norm_counts_batches)
{
    Run r = accumulation_run(ACCUMULATION_BATCH, 4);
    Module *norm = batch_norm1d_new(2);
    optimizer_free(r.t.optimizer);
    module_free(r.t.net);
    r.t.net = SEQUENTIAL(linear_new(2, 2), norm);
    r.t.optimizer = adam_new(r.t.net, (real)0.01);
    trainer_fit(&r.t);
    ck_assert_int_eq(*module_part(norm, PART_COUNTER, "num_batches_tracked")->counter,
                     ACCUMULATION_BATCHES);
    ck_assert_int_eq(r.t.step, 2);
    run_free(&r);
}
END_TEST

/* --- steps ------------------------------------------------------------------------------------ */

typedef struct UpdateLog {
    int     updates;
    int64_t batches[ACCUMULATION_BATCHES], examples[ACCUMULATION_BATCHES]; /* done so far */
} UpdateLog;

static void accumulation_log(const Trainer *t, int64_t step, void *ctx)
{
    UpdateLog *log = ctx;
    log->batches[log->updates] = t->tally.batches;
    log->examples[log->updates] = t->tally.count;
    ck_assert_int_eq(step, ++log->updates);
    for (int i = 0; i < t->optimizer->n_params; i++)
        ck_assert_int_eq(t->optimizer->state[i].step, step);
}

START_TEST(on_step_is_called_after_each_update)
{
    Run r = accumulation_run(ACCUMULATION_BATCH, 3);
    UpdateLog log = {0};
    r.t.on_step = accumulation_log, r.t.ctx = &log;
    trainer_fit(&r.t);
    ck_assert_int_eq(log.updates, 3);
    ck_assert_int_eq(log.batches[0], 3);
    ck_assert_int_eq(log.batches[1], 6);
    ck_assert_int_eq(log.batches[2], 8);
    ck_assert_int_eq(log.examples[0], 3 * 32);
    ck_assert_int_eq(log.examples[2], ACCUMULATION_EXAMPLES);
    run_free(&r);
}
END_TEST

/* It warns neither of a gradient that a step has used nor of a tape that grows. */
START_TEST(the_optimizer_warns_of_nothing)
{
    Run r = accumulation_run(8, 4);
    r.t.epochs = 20;
    capture_begin();
    trainer_fit(&r.t);
    ck_assert_str_eq(capture_end(), "");
    ck_assert_int_eq(r.t.step, 20 * 8);
    run_free(&r);
}
END_TEST

START_TEST(an_update_allocates_nothing_from_the_second_on)
{
    uint64_t after[2 * 4 + 1];
    Run r = accumulation_run(25, 3); /* 10 batches per epoch */
    r.t.on_step = run_log_allocations, r.t.ctx = after;
    r.t.epochs = 2;
    trainer_fit(&r.t);
    run_free(&r);
    for (int step = 2; TESTING_POOL && step <= 2 * 4; step++)
        ck_assert_uint_eq(after[step], after[step - 1] + (step == 5)); /* the history */
}
END_TEST

/* --- failures --------------------------------------------------------------------------------- */

static int accumulation_countdown;

static Var *accumulation_nan_loss(Var *output, const Batch *batch)
{
    Var *loss = loss_cross_entropy(output, batch);
    return --accumulation_countdown ? loss : var_scale(loss, (real)NAN);
}

/* The sixth batch is the second of the second update. Training continues from the first. */
START_TEST(a_failure_within_an_update_leaves_the_trainer_before_it)
{
    Error err;
    Run r = accumulation_run(ACCUMULATION_BATCH, 4);
    Run whole = accumulation_run(ACCUMULATION_BATCH, 4);
    r.t.loss = accumulation_nan_loss;
    accumulation_countdown = 1 + 6; /* 1 in the rehearsal */
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 2; lower the learning rate");
    ck_assert_int_eq(r.t.step, 1);
    ck_assert_int_eq(r.t.tally.batches, 4);
    ck_assert_int_eq(r.t.tally.count, 4 * 32);
    ck_assert_msg(trainer_save(&r.t, scratch_path("between"), &err), "%s", err.problem);
    trainer_fit(&r.t);
    trainer_fit(&whole.t);
    ck_assert(run_same_parameters(&r, &whole));
    ck_assert(r.t.history.record[0].train_loss == whole.t.history.record[0].train_loss);
    run_free(&r), run_free(&whole);
}
END_TEST

START_TEST(numbers_of_batches_without_meaning_are_refused)
{
    Run r = accumulation_run(ACCUMULATION_BATCH, -1);
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: accumulate is -1; expected the number of "
                    "batches per update, or 0 for 1");
    r.t.accumulate = 4;
    r.t.loss = accumulation_nan_loss;
    accumulation_countdown = 1 + 6;
    ck_assert_fails(trainer_fit(&r.t), "the loss is nan at step 2");
    r.t.accumulate = 3;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: accumulate is 3, but 4 batches of epoch 1 are "
                    "done, which is not a multiple of it; change it only between epochs");
    r.t.accumulate = 2;
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 1 + 2);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accumulation");
    testing_add(suite, "the gradient", 60, (const TTest *const[]){
        several_batches_give_the_gradient_of_one_large_batch, one_batch_per_update_is_the_default,
        a_dropped_batch_is_in_no_update, the_sum_is_clipped, a_batch_norm_counts_batches, NULL});
    testing_add(suite, "updates", 60, (const TTest *const[]){
        on_step_is_called_after_each_update, the_optimizer_warns_of_nothing,
        an_update_allocates_nothing_from_the_second_on, NULL});
    testing_add(suite, "failures", 20, (const TTest *const[]){
        a_failure_within_an_update_leaves_the_trainer_before_it,
        numbers_of_batches_without_meaning_are_refused, NULL});
    return scratch_main(suite);
}
