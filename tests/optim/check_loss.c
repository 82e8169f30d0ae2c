/* tests/optim/check_loss.c -- the losses of the training loop, and the count of correct predictions.
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

int main(void)
{
    Suite *suite = suite_create("loss");
    testing_add(suite, "classes", 20, (const TTest *const[]){
        cross_entropy_of_equal_logits_is_log_k,
        count_correct_counts_rows_whose_largest_is_the_label, NULL});
    return testing_main(suite);
}
