/* tests/autograd/check_losses.c -- class weights of the cross-entropy, and the binary cross-entropy
 * with logits, compared with values computed by hand, and where a naive formula would overflow.
 *
 * check_op_rules.c tests the cross-entropy without weights, check_golden.c compares both losses
 * with PyTorch, and check_ops.c checks their derivatives.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/backward.h"
#include "tests/testing.h"

#define LEAF(shape, ...) var_leaf_from((shape), (const real[]){__VA_ARGS__})

/* --- class weights ---------------------------------------------------------------------------- */

/* Logits (3,2) with simple values of log sum exp: 1 + log(1+1/e), 5 + log(1+e^-3), 3 + log 2. */
static Var *losses_logits(void)
{
    return LEAF(SHAPE(3, 2), 1, 0, 2, 5, 3, 3);
}

/* The weights are overwritten and freed before the backward pass runs. */
static Var *losses_weighted(Var *x, real w0, real w1, real smoothing, LossReduction reduction)
{
    Labels labels = {.data = (int32_t[]){0, 0, 1}, .count = 3};
    Tensor *weight = tensor_from(SHAPE(2), (const real[]){w0, w1});
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.smoothing = smoothing, o.reduction = reduction, o.weight = weight;
    Var *loss = var_cross_entropy_with(x, &labels, o);
    tensor_fill(weight, (real)NAN);
    tensor_free(weight);
    return loss;
}

START_TEST(a_weighted_mean_divides_by_the_weights_of_the_labels)
{
    const double rows[] = {log(1 + exp(-1)), 3 + log(1 + exp(-3)), log(2)};
    double sum = 2 * rows[0] + 2 * rows[1] + 5 * rows[2];
    Var *x = losses_logits();
    ck_assert_close(var_item(losses_weighted(x, 2, 5, 0, LOSS_SUM)), sum, 4 * NEAR);
    ck_assert_tensor(losses_weighted(x, 2, 5, 0, LOSS_NONE)->value, SHAPE(3), 2 * NEAR,
                     2 * rows[0], 2 * rows[1], 5 * rows[2]);
    Var *mean = losses_weighted(x, 2, 5, 0, LOSS_MEAN);
    ck_assert_close(var_item(mean), sum / 9, NEAR);
    var_backward(mean);
    double p = 2 / 9. / (1 + exp(1)), q = 2 / 9. / (1 + exp(-3)), r = 2.5 / 9;
    ck_assert_tensor(x->grad, SHAPE(3, 2), NEAR, -p, p, -q, q, r, -r);
}
END_TEST

/* The smoothed part of the target is weighted class by class, but the sum is still divided by the
 * weights of the labels, as in PyTorch. */
START_TEST(smoothing_weighs_every_class)
{
    const double right[] = {log(1 + exp(-1)), 3 + log(1 + exp(-3)), log(2)};
    const double wrong[] = {1 + log(1 + exp(-1)), log(1 + exp(-3)), log(2)};
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += 0.875 * (i < 2 ? 2 : 5) * right[i] + 0.125 * (i < 2 ? 5 : 2) * wrong[i];
    Var *x = losses_logits();
    ck_assert_close(var_item(losses_weighted(x, 2, 5, (real)0.25, LOSS_MEAN)), sum / 9, NEAR);
}
END_TEST

START_TEST(equal_weights_change_only_the_sum)
{
    Var *x = losses_logits();
    Labels labels = {.data = (int32_t[]){0, 0, 1}, .count = 3};
    double mean = (double)var_item(var_cross_entropy(x, &labels));
    ck_assert_close(var_item(losses_weighted(x, 3, 3, 0, LOSS_MEAN)), mean, NEAR);
    ck_assert_close(var_item(losses_weighted(x, 3, 3, 0, LOSS_SUM)), 9 * mean, 9 * NEAR);
}
END_TEST

/* A weight of 0 removes a class: its rows count neither in the sum nor in the divisor, even if the
 * class was ruled out by a score of -Inf. */
START_TEST(a_weight_of_0_removes_the_class)
{
    const real inf = (real)INFINITY;
    Var *x = LEAF(SHAPE(3, 2), 1, 0, 2, 5, 3, -inf);
    Var *loss = losses_weighted(x, 4, 0, 0, LOSS_MEAN);
    ck_assert_close(var_item(loss), (log(1 + exp(-1)) + 3 + log(1 + exp(-3))) / 2, NEAR);
    var_backward(loss);
    ck_assert_close(tensor_read(x->grad)[4], 0, 0);
    ck_assert_close(tensor_read(x->grad)[5], 0, 0);
    var_zero_grad(x);
    Var *none = losses_weighted(x, 0, 0, 0, LOSS_MEAN); /* 0 / 0 */
    ck_assert(isnan(var_item(none)));
    var_backward(none);
    ck_assert_tensor(x->grad, SHAPE(3, 2), 0, 0, 0, 0, 0, 0, 0);
    ck_assert_close(var_item(losses_weighted(x, 0, 0, 0, LOSS_SUM)), 0, 0);
}
END_TEST

START_TEST(weights_may_have_any_strides)
{
    Labels labels = {.data = (int32_t[]){0, 0, 1}, .count = 3};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    Tensor *pairs = tensor_from(SHAPE(2, 2), (const real[]){2, 9, 5, 9});
    Tensor *weight = tensor_select(pairs, 1, 0);
    o.weight = weight;
    Var *x = losses_logits();
    ck_assert_close(var_item(var_cross_entropy_with(x, &labels, o)),
                    var_item(losses_weighted(x, 2, 5, 0, LOSS_MEAN)), 0);
    tensor_free(weight), tensor_free(pairs);
}
END_TEST

/* --- binary cross-entropy with logits --------------------------------------------------------- */

START_TEST(bce_is_the_mean_of_the_logistic_loss)
{
    Var *x = LEAF(SHAPE(2, 2), 0, 1, -2, 3), *t = LEAF(SHAPE(2, 2), 1, 0, (real)0.25, 1);
    const double loss[] = {log(2), 1 + log(1 + exp(-1)), 0.5 + log(1 + exp(-2)), log(1 + exp(-3))};
    ck_assert_tensor(var_logistic_loss(x, t)->value, SHAPE(2, 2), NEAR, loss[0], loss[1], loss[2],
                     loss[3]);
    Var *mean = var_bce_with_logits(x, t);
    ck_assert_close(var_item(mean), (loss[0] + loss[1] + loss[2] + loss[3]) / 4, NEAR);
    var_backward(mean);
    ck_assert_tensor(x->grad, SHAPE(2, 2), NEAR, -0.125, 1 / (1 + exp(-1)) / 4,
                     (1 / (1 + exp(2)) - 0.25) / 4, -1 / (1 + exp(3)) / 4);
    ck_assert_tensor(t->grad, SHAPE(2, 2), NEAR, 0, -0.25, 0.5, -0.75);
}
END_TEST

/* A logit that agrees with its target costs e^-|x|, which must not be lost beside |x|; one that
 * disagrees costs |x|, even where e^|x| would overflow. */
START_TEST(large_logits_keep_their_digits)
{
    Var *x = LEAF(SHAPE(6), 20, -20, 1000, -1000, 1000, -1000);
    Var *t = LEAF(SHAPE(6), 1, 0, 1, 0, 0, 1), *y = var_logistic_loss(x, t);
    const double small = log1p(exp(-20));
    ck_assert_tensor(y->value, SHAPE(6), NEAR * small, small, small, 0, 0, 1000, 1000);
    var_backward(var_sum(y, ALL_AXES, false));
    ck_assert_tensor(x->grad, SHAPE(6), NEAR, -small, small, 0, 0, 1, -1);
}
END_TEST

START_TEST(infinite_logits_that_agree_cost_nothing)
{
    const real inf = (real)INFINITY;
    Var *x = LEAF(SHAPE(4), inf, -inf, inf, -inf), *t = LEAF(SHAPE(4), 1, 0, 0, 1);
    Var *y = var_logistic_loss(x, t);
    ck_assert_tensor(y->value, SHAPE(4), 0, 0, 0, (double)INFINITY, (double)INFINITY);
    var_backward(var_sum(y, ALL_AXES, false));
    ck_assert_tensor(x->grad, SHAPE(4), 0, 0, 0, 1, -1);
    ck_assert(isnan(var_item(var_logistic_loss(var_scalar((real)NAN), var_scalar(1)))));
    ck_assert(isnan(var_item(var_logistic_loss(var_scalar(1), var_scalar((real)NAN)))));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("losses");
    testing_add(suite, "class weights", 10, (const TTest *const[]){
        a_weighted_mean_divides_by_the_weights_of_the_labels, smoothing_weighs_every_class,
        equal_weights_change_only_the_sum, a_weight_of_0_removes_the_class,
        weights_may_have_any_strides, NULL});
    testing_add(suite, "binary cross-entropy", 10, (const TTest *const[]){
        bce_is_the_mean_of_the_logistic_loss, large_logits_keep_their_digits,
        infinite_logits_that_agree_cost_nothing, NULL});
    return testing_main(suite);
}
