/* tests/optim/check_loss.c -- the losses of the training loop; the count of correct predictions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "optim/loss.h"
#include "tests/testing.h"

START_TEST(cross_entropy_of_equal_logits_is_log_k)
{
    Batch batch = {.labels = {.data = (int32_t[]){1, 3}, .count = 2}, .count = 2};
    ck_assert_close(var_item(loss_cross_entropy(var_full(SHAPE(2, 4), 3), &batch)), log(4.0),
                    1e-6);
    ck_assert_fails(loss_cross_entropy(var_full(SHAPE(2, 4), 3), NULL),
                    "loss_cross_entropy: the batch is NULL");
}
END_TEST

/* The example of loss.h. */
static Tensor *weights;
static Var *weighted(Var *output, const Batch *batch)
{
    CrossEntropyOptions options = CROSS_ENTROPY_DEFAULTS;
    options.weight = weights;
    return var_cross_entropy_with(output, &batch->labels, options);
}

/* The probabilities of the labels are 1/2 and 3/4. */
START_TEST(a_loss_of_ones_own_may_have_class_weights)
{
    Batch batch = {.labels = {.data = (int32_t[]){0, 1}, .count = 2}, .count = 2};
    Var *logits = var_const_from(SHAPE(2, 2), (const real[]){0, 0, 0, (real)log(3.0)});
    weights = tensor_from(SHAPE(2), (const real[]){1, 3});
    LossFn loss = weighted;
    ck_assert_close(var_item(loss(logits, &batch)), (log(2.0) + 3 * log(4 / 3.0)) / 4, NEAR);
    tensor_free(weights);
}
END_TEST

START_TEST(count_correct_counts_rows_whose_largest_is_the_label)
{
    Labels labels = {.data = (int32_t[]){2, 1, 0}, .count = 3};
    Var *y = var_leaf_from(SHAPE(3, 3), (const real[]){1, 2, 3, 5, 5, 1, 9, 8, 7});
    ck_assert_int_eq(labels_correct(y->value, &labels), 2); /* the first of equals is taken */
    Tensor *turned = tensor_transpose(y->value, 0, 1);     /* columns, by strides */
    labels.data[0] = 2, labels.data[1] = 0, labels.data[2] = 2;
    ck_assert_int_eq(labels_correct(turned, &labels), 2);
    tensor_free(turned);
    ck_assert_fails(labels_correct(var_full(SHAPE(2, 3), 0)->value, &labels),
                    "3 labels for logits (2, 3)");
}
END_TEST

/* The mean of 1, 0, 4 and 9 is 3.5; its derivative is 2 (output - target) / 4. */
START_TEST(mse_is_the_mean_of_squared_differences)
{
    Batch batch = {.count = 2, .y = tensor_from(SHAPE(2, 2), (const real[]){0, 2, 5, -1})};
    Var *output = var_leaf_from(SHAPE(2, 2), (const real[]){1, 2, 3, 2});
    Var *loss = loss_mse(output, &batch);
    ck_assert_tensor(loss->value, SHAPE_SCALAR, NEAR, 3.5);
    var_backward(loss);
    ck_assert_tensor(output->grad, SHAPE(2, 2), NEAR, 0.5, 0, -1, 1.5);
    tensor_free(batch.y);
}
END_TEST

/* log(1 + e^x) - y x is ln 2 for x = 0 and every y, and log(1 + e^-2) for x = 2 and y = 1. */
START_TEST(bce_is_that_of_the_sigmoid)
{
    Batch batch = {.count = 2, .y = tensor_from(SHAPE(2, 1), (const real[]){0.25, 1})};
    Var *logits = var_leaf_from(SHAPE(2, 1), (const real[]){0, 2});
    Var *loss = loss_bce(logits, &batch);
    ck_assert_tensor(loss->value, SHAPE_SCALAR, NEAR, (log(2) + log1p(exp(-2))) / 2);
    var_backward(loss);
    ck_assert_tensor(logits->grad, SHAPE(2, 1), NEAR, (0.5 - 0.25) / 2,
                     (1 / (1 + exp(-2)) - 1) / 2);
    *tensor_write(batch.y) = 2;
    ck_assert_fails(loss_bce(logits, &batch), "element 0 of the target is 2; expected a");
    ck_assert_fails(loss_bce(var_full(SHAPE(2), 0), &batch), "loss_bce: the output has shape (2,)");
    ck_assert_fails(loss_bce(logits, &(Batch){0}), "loss_bce: the batch has no real-valued");
    tensor_free(batch.y);
}
END_TEST

START_TEST(a_batch_of_the_other_kind_is_refused)
{
    Var *output = var_full(SHAPE(2, 1), 0);
    Batch classes = {.labels = {.data = (int32_t[]){0, 0}, .count = 2}, .count = 2};
    Batch targets = {.count = 2, .y = tensor_zeros(SHAPE(2))}, neither = {.count = 2};
    ck_assert_fails(loss_cross_entropy(output, &targets), "loss_cross_entropy: the batch has no "
                    "classes; it has real-valued targets, so use loss_mse");
    ck_assert_fails(loss_cross_entropy(output, &neither), "the batch has no classes");
    ck_assert_fails(loss_mse(output, &classes), "loss_mse: the batch has no real-valued targets; "
                    "it has classes, so use loss_cross_entropy");
    ck_assert_fails(loss_mse(output, &neither), "loss_mse: the batch has no real-valued targets");
    ck_assert_fails(loss_mse(output, NULL), "loss_mse: the batch is NULL");
    ck_assert_fails(loss_mse(NULL, &targets), "loss_mse: ");
    ck_assert_fails(loss_mse(output, &targets), "the output has shape (2, 1), but the batch's "
                    "targets have shape (2,); they must be equal, or broadcasting would pair each "
                    "output with every target; for this output the dataset needs targets of shape "
                    "(1,)");
    Batch pairs = {.count = 2, .y = tensor_zeros(SHAPE(2, 2))};
    Batch images = {.count = 2, .y = tensor_zeros(SHAPE(2, 1, 4, 4))};
    ck_assert_fails(loss_mse(output, &pairs), "every target; for these targets the network should "
                    "end with 2 outputs, shape (N,2); for this output the dataset needs targets "
                    "of shape (1,)");
    ck_assert_fails(loss_bce(output, &images), "every target; for these targets the network's "
                    "output for one example should have shape (1, 4, 4); for this output the");
    ck_assert_fails(loss_mse(var_full(SHAPE(3), 0), &targets), "pair each output with every");
    ck_assert_fails(loss_mse(var_full(SHAPE_SCALAR, 0), &targets), "the output has shape ()");
    tensor_free(targets.y), tensor_free(pairs.y), tensor_free(images.y);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loss");
    testing_add(suite, "classes", 20, (const TTest *const[]){
        cross_entropy_of_equal_logits_is_log_k, a_loss_of_ones_own_may_have_class_weights,
        count_correct_counts_rows_whose_largest_is_the_label, NULL});
    testing_add(suite, "targets", 20, (const TTest *const[]){
        mse_is_the_mean_of_squared_differences, bce_is_that_of_the_sigmoid,
        a_batch_of_the_other_kind_is_refused, NULL});
    return testing_main(suite);
}
