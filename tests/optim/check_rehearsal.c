/* tests/optim/check_rehearsal.c -- what trainer_fit refuses before its first step, and that these
 * checks leave no trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "nn/layers.h"
#include "optim/rehearsal.h"
#include "tests/capture.h"
#include "tests/optim/run.h"
#include "tests/xor.h"

/* --- shared by the tests ---------------------------------------------------------------------- */

/* A run on twenty points in batches of `batch`; it takes ownership of net. */
static Run rehearsal_run_new(Module *net, ptrdiff_t batch)
{
    return run_of(xor_points(20, (real)0.05), net, sgd_new(net, (real)0.1, 0), batch);
}

static Module *rehearsal_net(ptrdiff_t in, ptrdiff_t out)
{
    random_seed(3);
    return SEQUENTIAL(linear_new(in, 4), prelu_new(1, (real)0.25), linear_new(4, out));
}

/* Asserts that trainer_fit fails with this text before the first step. */
static void rehearsal_refuses(Run *r, const char *text)
{
    Var *weight = r->t.optimizer->state[0].param.var;
    Tensor *before = tensor_clone(weight->value), *grad = weight->grad;
    size_t mark = tape_mark();
    ck_assert_fails(trainer_fit(&r->t), text);
    ck_assert(tensor_same_bits(weight->value, before));
    ck_assert_ptr_eq(weight->grad, grad);
    ck_assert_int_eq(r->t.step, 0);
    ck_assert_uint_eq(tape_mark(), mark);
    tensor_free(before);
}

/* --- fields ----------------------------------------------------------------------------------- */

START_TEST(a_setting_out_of_range_is_refused)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    r.t.clip_norm = -1;
    rehearsal_refuses(&r, "trainer_fit: clip_norm is -1; expected a norm above 0, or 0");
    r.t.clip_norm = (double)NAN;
    rehearsal_refuses(&r, "trainer_fit: clip_norm is");
    r.t.clip_norm = 0, r.t.checkpoint_every = -1;
    rehearsal_refuses(&r, "trainer_fit: checkpoint_every is -1; expected a number of updates, or "
                     "0");
    r.t.checkpoint_every = 5;
    rehearsal_refuses(&r, "trainer_fit: checkpoint_every is 5, but no .checkpoint names the file "
                     "to save");
    r.t.checkpoint_every = 0, r.t.epochs = -1;
    rehearsal_refuses(&r, "trainer_fit: -1 more epochs after 0; expected 0 to 2147483647");
    r.t.epochs = INT_MAX, r.t.epoch = 7;
    ck_assert_fails(trainer_fit(&r.t), "epochs after 7; expected 0 to 2147483640");
    run_free(&r);
}
END_TEST

START_TEST(an_optimizer_of_another_network_is_refused)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    Module *own = r.t.net;
    r.t.net = rehearsal_net(2, 2);
    rehearsal_refuses(&r, "trainer_fit: the optimizer");
    module_free(own);
    optimizer_free(r.t.optimizer);
    r.t.optimizer = sgd_new(r.t.net, (real)0.1, 0);
    trainer_fit(&r.t);
    module_add_child(r.t.net, "3", linear_new(2, 2)); /* after the optimizer was created */
    ck_assert_fails(trainer_fit(&r.t), "'3.weight'");
    run_free(&r);
}
END_TEST

/* --- examples and outputs --------------------------------------------------------------------- */

START_TEST(examples_that_the_network_cannot_accept_are_refused)
{
    Run r = rehearsal_run_new(rehearsal_net(3, 2), 8);
    rehearsal_refuses(&r, "Linear: expected an input (...,3) for '0.weight', found shape (8, 2)");
    run_free(&r);
}
END_TEST

START_TEST(test_examples_are_also_tried_before_training)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    Dataset *wide = dataset_new("wide", DATASET_FEATURES, 5, SHAPE(3), 2);
    r.t.test = loader_new(wide, (LoaderOptions){.batch = 5});
    rehearsal_refuses(&r, "Linear: expected an input (...,2) for '0.weight', found shape (5, 3)");
    run_free(&r);
    dataset_free(wide);
}
END_TEST

START_TEST(labels_without_an_output_are_refused)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 1), 8);
    rehearsal_refuses(&r, "trainer_fit: the .train loader, whose examples have shape (2,): the "
                      "network has 1 output per example, so labels must be from 0 to 0, but "
                      "example 1 of xor has label 1 (of 2 classes); the network needs one output "
                      "per class");
    run_free(&r);
    r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    Dataset *more = dataset_new("more", DATASET_FEATURES, 5, SHAPE(2), 3);
    r.t.test = loader_new(more, (LoaderOptions){.batch = 2});
    more->labels.data[4] = 2; /* not in the batch that is run */
    rehearsal_refuses(&r, "trainer_fit: the .test loader, whose examples have shape (2,): the "
                      "network has 2 outputs per example, so labels must be from 0 to 1, but "
                      "example 4 of more has label 2 (of 3 classes)");
    more->labels.data[4] = -1;
    rehearsal_refuses(&r, "example 4 of more has label -1");
    more->labels.data[4] = -100; /* ignored, and alone in its batch, whose mean is then NaN */
    capture_begin();
    trainer_fit(&r.t);
    ck_assert_ptr_nonnull(strstr(capture_end(), "warning: the test loss of epoch 1 is nan, "
                                 "although the training loss is finite; does more contain NaN"));
    run_free(&r);
    dataset_free(more);
}
END_TEST

/* The labels are read only if the data have more classes than the network has outputs. */
START_TEST(labels_are_not_read_if_there_is_an_output_per_class)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, (LoaderOptions){.batch = 8});
    r.data->labels.data[19] = 7; /* not in the batch that is run */
    slope_rehearse(&r.t);
    run_free(&r);
}
END_TEST

/* A set may lack names, or the last classes of the other. */
START_TEST(a_class_with_two_names_is_refused)
{
    static const char *const train[] = {"cat", "dog"}, *const other[] = {"cat", "fish", "newt"},
                      *const more[] = {"cat", "dog", "newt"};
    Run r = rehearsal_run_new(rehearsal_net(2, 3), 8);
    Dataset *test = dataset_new("test", DATASET_FEATURES, 5, SHAPE(2), 3);
    r.t.test = loader_new(test, (LoaderOptions){.batch = 5});
    test->class_names = other;
    slope_rehearse(&r.t);
    r.data->class_names = train;
    rehearsal_refuses(&r, "trainer_fit: class 1 is 'dog' in the .train data, xor, but 'fish' in "
                      "the .test data, test; read a CSV file of test data with the names of the "
                      "training data (CsvOptions.classes and .class_names)");
    test->classes = 2;
    rehearsal_refuses(&r, "class 1 is 'dog'");
    test->classes = 1;
    slope_rehearse(&r.t);
    test->classes = 3, test->class_names = more;
    slope_rehearse(&r.t);
    test->class_names = NULL;
    slope_rehearse(&r.t);
    run_free(&r);
    dataset_free(test);
}
END_TEST

static Var *rehearsal_flat(Var *x) { return var_sum(x, AXES(1), false); }

START_TEST(the_output_must_have_one_row_per_example)
{
    Run r = rehearsal_run_new(SEQUENTIAL(linear_new(2, 2), activation_new("Flat", rehearsal_flat)),
                              8);
    rehearsal_refuses(&r, "trainer_fit: the .train loader, whose examples have shape (2,): for a "
                      "batch of shape (8, 2) the network's output has shape (8,); expected (8,K), "
                      "one row per example");
    run_free(&r);
}
END_TEST

/* --- losses of your own ----------------------------------------------------------------------- */

/* The mean of log(1 + e^z) - label z, for one output z. */
static Var *rehearsal_logistic(Var *z, const Batch *batch)
{
    Var *y = var_empty(var_shape(z));
    for (ptrdiff_t i = 0; i < batch->count; i++)
        tensor_write(y->value)[i] = (real)batch->labels.data[i];
    return var_mean(var_sub(var_softplus(z), var_mul(y, z)), ALL_AXES, false);
}

/* Cross entropy plus |g|^2, where g is the gradient of the sum of the squared outputs. */
static Var *rehearsal_penalty(Var *output, const Batch *batch)
{
    Var *g;
    var_grad(var_dot(output, output), VARS(output), CREATE_GRAPH, &g);
    return var_add(loss_cross_entropy(output, batch), var_dot(g, g));
}

static Var *rehearsal_rows(Var *output, const Batch *batch)
{
    return var_sum(output, AXES(1), batch->count < 0);
}

static Var *rehearsal_nothing(Var *output, const Batch *batch)
{
    (void)output, (void)batch;
    return NULL;
}

static Var *rehearsal_constant(Var *output, const Batch *batch)
{
    (void)batch;
    return var_mean(var_detach(output), ALL_AXES, false);
}

START_TEST(a_loss_without_a_gradient_is_refused)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    r.t.loss = rehearsal_constant;
    rehearsal_refuses(&r, "trainer_fit: the loss does not depend on any parameter that is trained");
    r.t.loss = loss_cross_entropy;
    module_freeze(r.t.net, NULL);
    rehearsal_refuses(&r, "are all of them frozen (see module_unfreeze), or ");
    module_unfreeze(r.t.net, parameter_is_slope);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 3);
    run_free(&r);
}
END_TEST

START_TEST(a_loss_of_your_own_may_use_a_single_output)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 1), 8);
    r.t.loss = rehearsal_logistic, r.t.test = loader_new(r.data, (LoaderOptions){0});
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 3);
    r.t.loss = rehearsal_rows, r.t.step = 0;
    rehearsal_refuses(&r, "trainer_fit: the loss has shape (20,); expected one element: reduce it");
    r.t.loss = rehearsal_nothing;
    rehearsal_refuses(&r, "trainer_fit: the loss function returned NULL");
    run_free(&r);
}
END_TEST

START_TEST(a_loss_may_contain_gradients)
{
    Run r = rehearsal_run_new(rehearsal_net(2, 2), 8);
    r.t.loss = rehearsal_penalty;
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 3);
    run_free(&r);
}
END_TEST

/* --- batch norm ------------------------------------------------------------------------------- */

static Module *rehearsal_norm_net(void)
{
    return SEQUENTIAL(linear_new(2, 4), SEQUENTIAL(batch_norm1d_new(4)), linear_new(4, 2));
}

START_TEST(a_last_batch_of_one_is_refused_if_a_batch_norm_trains)
{
    Run r = run_of(xor_points(17, 0), rehearsal_norm_net(), NULL, 8);
    r.t.optimizer = sgd_new(r.t.net, (real)0.1, 0);
    rehearsal_refuses(&r, "trainer_fit: the last batch of the .train loader has 1 example, but "
                      "BatchNorm1d '1.0' needs at least 2 values per channel in training; set "
                      ".drop_last in the loader's options, or choose a batch size that does not "
                      "leave a remainder of 1");
    module_eval(r.t.net); /* trainer_fit would put it into training mode */
    rehearsal_refuses(&r, "the last batch of the .train loader has 1 example");
    module_train(r.t.net);
    module_eval(module_child(r.t.net, "1")); /* frozen, it accepts any batch */
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 3);
    run_free(&r);
}
END_TEST

START_TEST(a_batch_size_of_one_is_refused_if_a_batch_norm_trains)
{
    Run r = run_of(xor_points(5, 0), rehearsal_norm_net(), NULL, 1);
    r.t.optimizer = sgd_new(r.t.net, (real)0.1, 0);
    rehearsal_refuses(&r, "trainer_fit: every batch of the .train loader has 1 example, but "
                      "BatchNorm1d '1.0' needs at least 2 values per channel in training; choose a "
                      "larger batch size");
    run_free(&r);
    r = run_of(xor_points(1, 0), rehearsal_norm_net(), NULL, 8);
    r.t.optimizer = sgd_new(r.t.net, (real)0.1, 0);
    rehearsal_refuses(&r, "BatchNorm1d '1.0' needs at least 2 values per channel in training; the "
                      "data set has only one example, so add more examples");
    run_free(&r);
}
END_TEST

/* A remainder of 1 that is dropped, a remainder of 2, and a remainder of 1 in the test set. */
START_TEST(other_last_batches_are_accepted)
{
    for (int i = 0; i < 3; i++) {
        Run r = run_of(xor_points(17 + i % 2, 0), rehearsal_norm_net(), NULL, 8);
        r.t.optimizer = sgd_new(r.t.net, (real)0.1, 0);
        loader_free(r.t.train);
        r.t.train = loader_new(r.data, (LoaderOptions){.batch = 8, .drop_last = i % 2 == 0});
        r.t.test = i < 2 ? NULL : loader_new(r.data, (LoaderOptions){.batch = 8});
        trainer_fit(&r.t);
        ck_assert_int_eq(r.t.step, i == 1 ? 3 : 2);
        run_free(&r);
    }
}
END_TEST

/* One image has many values per channel. */
START_TEST(a_single_image_is_enough_for_batch_norm2d)
{
    Dataset *data = dataset_new("images", DATASET_BYTES, 5, SHAPE(1, 3, 3), 2);
    for (int i = 0; i < 45; i++)
        data->bytes[i] = (uint8_t)(i * 37);
    Module *net = SEQUENTIAL(batch_norm2d_new(1), flatten_new(), linear_new(9, 2));
    Run r = run_of(data, net, sgd_new(net, (real)0.1, 0), 2);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 3);
    run_free(&r);
}
END_TEST

/* --- no trace --------------------------------------------------------------------------------- */

/* A module that changes everything it can in every mode. When it first runs, it creates a counter,
 * which moves its random stream to a different place in the list of its parts. */
typedef struct Restless {
    Module   base;
    Tensor  *mean;
    int64_t *calls, *late;
    Rng     *rng;
    bool     refuses[2]; /* in evaluation, in training */
} Restless;

static Var *restless_forward(Module *self, Var *x)
{
    Restless *m = (Restless *)self;
    if (m->refuses[self->training])
        slope_fail("Restless", "refuses to run");
    tensor_write(m->mean)[1] += 1;
    ++*m->calls;
    rng_next(m->rng);
    random_stream();
    if (!m->late)
        m->late = module_add_counter(self, "late");
    return x;
}

static Restless *restless_new(void)
{
    static const ModuleType type = {"Restless", restless_forward, NULL};
    Restless *m = module_new(sizeof *m, &type);
    m->mean = module_add_buffer(&m->base, "mean", tensor_zeros(SHAPE(2)));
    m->calls = module_add_counter(&m->base, "calls");
    m->rng = module_add_rng(&m->base, "rng", rng_new(1, 2));
    return m;
}

static Run rehearsal_run_restless(Restless *m, ptrdiff_t count)
{
    random_seed(3);
    Module *net = SEQUENTIAL(linear_new(2, 2), &m->base, dropout_new((real)0.5));
    return run_of(xor_points(count, 0), net, sgd_new(net, (real)0.1, 0), 8);
}

/* Asserts that the network and the loaders are as new, and that `stream` is the thread's next
 * random stream. */
static void rehearsal_check_untouched(const Run *r, const Restless *m, uint64_t stream)
{
    ck_assert_tensor(m->mean, SHAPE(2), 0, 0, 0);
    ck_assert_int_eq(*m->calls, 0);
    ck_assert_uint_eq(m->rng->position, 0);
    ck_assert_uint_eq(module_part(r->t.net, PART_RNG, "2.rng")->rng->position, 0);
    Rng next = random_stream();
    ck_assert(next.seed == 3 && next.stream == stream);
    for (int i = 0; i < r->t.optimizer->n_params; i++)
        ck_assert_ptr_null(r->t.optimizer->state[i].param.var->grad);
    Batch batch;
    ck_assert(loader_next(r->t.train, &batch) && batch.number == 0);
    ck_assert(!r->t.test || (loader_next(r->t.test, &batch) && batch.number == 0));
}

START_TEST(a_rehearsal_leaves_no_trace)
{
    Restless *m = restless_new();
    Run r = rehearsal_run_restless(m, 20);
    const Module *frozen = module_child(r.t.net, "2");
    module_eval(module_child(r.t.net, "2"));
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 8});
    uint64_t stream = random_stream().stream;
    size_t mark = tape_mark();
    slope_rehearse(&r.t);
    rehearsal_check_untouched(&r, m, stream + 1);
    ck_assert(r.t.net->training && m->base.training && !frozen->training);
    ck_assert_uint_eq(tape_mark(), mark);
    ck_assert(grad_enabled());
    trainer_fit(&r.t);
    ck_assert_int_eq(*m->calls, 3 + 3); /* in training and in testing */
    run_free(&r);
}
END_TEST

/* The loss is refused after the forward pass, first for .train, then for .test. */
START_TEST(a_rehearsal_that_fails_leaves_no_trace)
{
    Restless *m = restless_new();
    Run r = rehearsal_run_restless(m, 20);
    r.t.loss = rehearsal_rows;
    module_eval(r.t.net);
    module_train(&m->base);
    uint64_t stream = random_stream().stream;
    rehearsal_refuses(&r, "the loss has shape (8,)");
    rehearsal_check_untouched(&r, m, stream + 1);
    ck_assert(!r.t.net->training && m->base.training && grad_enabled());
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 5});
    loader_start(r.t.train, 0);
    rehearsal_refuses(&r, "the loss has shape (5,)");
    rehearsal_check_untouched(&r, m, stream + 2);
    ck_assert(!r.t.net->training && m->base.training && grad_enabled());
    run_free(&r);
}
END_TEST

START_TEST(a_network_may_be_freed_between_a_failed_rehearsal_and_the_rewind)
{
    Run r = rehearsal_run_restless(restless_new(), 20);
    r.t.loss = rehearsal_rows;
    if (setjmp(testing_jump) == 0) {
        testing_catch();
        trainer_fit(&r.t);
        ck_abort_msg("trainer_fit did not fail");
    }
    testing_release();
    run_free(&r);
    tape_rewind(0); /* the address sanitizer would report a write to the network */
    ck_assert(grad_enabled());
}
END_TEST

/* --- modes ------------------------------------------------------------------------------------ */

START_TEST(training_data_are_not_run_in_evaluation_mode)
{
    for (ptrdiff_t count = 16; count < 18; count++) { /* with and without a last batch of one */
        Restless *m = restless_new();
        Run r = rehearsal_run_restless(m, count);
        m->refuses[false] = true;
        module_eval(r.t.net);
        trainer_fit(&r.t);
        ck_assert_int_eq(r.t.step, count - 14);
        run_free(&r);
    }
}
END_TEST

/* Training data are run in training mode, and the modes are restored. */
START_TEST(training_mode_is_tried_before_the_first_step)
{
    Restless *m = restless_new();
    Run r = rehearsal_run_restless(m, 20);
    m->refuses[true] = true;
    module_eval(r.t.net);
    rehearsal_refuses(&r, "Restless: refuses to run");
    ck_assert(!r.t.net->training && !m->base.training);
    run_free(&r);
}
END_TEST

START_TEST(nothing_runs_if_no_epochs_are_left)
{
    Restless *m = restless_new();
    Run r = rehearsal_run_restless(m, 20);
    m->refuses[false] = m->refuses[true] = true;
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 8});
    r.t.epochs = 0;
    trainer_fit(&r.t);
    r.t.loss = NULL;
    rehearsal_refuses(&r, "trainer_fit: the trainer has no .loss");
    run_free(&r);
}
END_TEST

/* Its last output, with one value per channel and example, is from an earlier forward pass. */
START_TEST(a_batch_norm_that_does_not_run_accepts_a_last_batch_of_one)
{
    Restless *m = restless_new();
    Module *norm = module_add_child(&m->base, "unused", batch_norm1d_new(2));
    Run r = rehearsal_run_restless(m, 17);
    size_t mark = tape_mark();
    module_forward(norm, var_empty(SHAPE(8, 2)));
    tape_rewind(mark);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 3);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rehearsal");
    testing_add(suite, "parts", 20, (const TTest *const[]){
        a_setting_out_of_range_is_refused, an_optimizer_of_another_network_is_refused, NULL});
    testing_add(suite, "examples", 20, (const TTest *const[]){
        examples_that_the_network_cannot_accept_are_refused,
        test_examples_are_also_tried_before_training, labels_without_an_output_are_refused,
        labels_are_not_read_if_there_is_an_output_per_class, a_class_with_two_names_is_refused,
        the_output_must_have_one_row_per_example, a_loss_without_a_gradient_is_refused,
        a_loss_of_your_own_may_use_a_single_output,
        a_loss_may_contain_gradients, NULL});
    testing_add(suite, "batch norm", 20, (const TTest *const[]){
        a_last_batch_of_one_is_refused_if_a_batch_norm_trains,
        a_batch_size_of_one_is_refused_if_a_batch_norm_trains,
        other_last_batches_are_accepted, a_single_image_is_enough_for_batch_norm2d,
        a_batch_norm_that_does_not_run_accepts_a_last_batch_of_one, NULL});
    testing_add(suite, "trace", 20, (const TTest *const[]){
        a_rehearsal_leaves_no_trace, a_rehearsal_that_fails_leaves_no_trace,
        a_network_may_be_freed_between_a_failed_rehearsal_and_the_rewind, NULL});
    testing_add(suite, "modes", 20, (const TTest *const[]){
        training_data_are_not_run_in_evaluation_mode, training_mode_is_tried_before_the_first_step,
        nothing_runs_if_no_epochs_are_left, NULL});
    return testing_main(suite);
}
