/* tests/optim/check_autoencoder.c -- a loss that compares the output with the input; data without
 * classes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "datasets/generate.h"
#include "nn/layers.h"
#include "tests/optim/run.h"

enum { EXAMPLES = 40, BATCH = 16 };

static Var *reconstruction(Var *output, const Batch *batch)
{
    return var_mse(output, var_const(batch->x));
}

static Run autoencoder_run(Dataset *data, Module *net)
{
    Run r = run_of(data, net, adam_new(net, (real)0.02), BATCH);
    r.t.test = loader_new(data, (LoaderOptions){0});
    r.t.loss = reconstruction, r.t.epochs = 30;
    return r;
}

/* If all points are on one line, one number is enough to reconstruct a point. */
START_TEST(an_autoencoder_needs_no_classes)
{
    random_seed(1);
    Dataset *data = moons_new(EXAMPLES, 0, 1);
    for (int i = 0; i < EXAMPLES; i++)
        data->features[2 * i + 1] = -2 * data->features[2 * i];
    data->classes = 0;
    Run r = autoencoder_run(data, SEQUENTIAL(linear_new(2, 1), linear_new(1, 2)));
    r.t.optimizer->group[0].lr = (real)0.05;
    trainer_fit(&r.t);
    const EpochRecord *record = r.t.history.record;
    ck_assert_double_lt(record[29].test_loss, 0.1 * record[0].train_loss);
    ck_assert(isnan(record[29].test_accuracy));
    run_free(&r);
}
END_TEST

static Run images_run(int classes)
{
    random_seed(1);
    Dataset *data = dataset_new("images", DATASET_BYTES, EXAMPLES, SHAPE(1, 4, 4), classes);
    Module *net = SEQUENTIAL(conv2d_new(1, 1, 3, conv2d_padding(1)), prelu_new(1, 0));
    return autoencoder_run(data, net);
}

/* If the data have classes, an output that is not one row of scores per example is refused. */
START_TEST(an_output_of_images_needs_data_without_classes)
{
    Run without = images_run(0), with = images_run(1);
    trainer_fit(&without.t);
    ck_assert_int_eq(without.t.step, 30 * 3);
    ck_assert_fails(trainer_fit(&with.t), "the network's output has shape (40, 1, 4, 4); expected "
                    "(40,K), one row per example; if the loss does not use the classes, set the "
                    "dataset's .classes to 0");
    run_free(&without), run_free(&with);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("autoencoder");
    testing_add(suite, "losses", 20, (const TTest *const[]){
        an_autoencoder_needs_no_classes, an_output_of_images_needs_data_without_classes, NULL});
    return testing_main(suite);
}
