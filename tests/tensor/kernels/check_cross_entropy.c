/* tests/tensor/kernels/check_cross_entropy.c -- the kernels of cross-entropy, against a loop and
 * against the ops.
 *
 *  - tests/autograd/check_op_rules.c has small cases computed by hand, and misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "autograd/backward.h"
#include "autograd/tape.h"
#include "tensor/kernels/cross_entropy.h"
#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

/* Several blocks of rows, rows longer than a vector with some elements left over, one row in five
 * ignored. */
enum { ROWS = 301, CLASSES = 37, IGNORED = -100 };

static Tensor *entropy_logits(void)
{
    Rng rng = rng_new(5, 1);
    Tensor *x = tensor_new(SHAPE(ROWS, CLASSES));
    tensor_fill_normal(x, &rng, 0, 3);
    return x;
}

static Labels entropy_labels(void)
{
    static int32_t data[ROWS];
    for (int i = 0; i < ROWS; i++)
        data[i] = i % 5 == 3 ? IGNORED : i * 7 % CLASSES;
    return (Labels){data, ROWS};
}

/* The weight of class k; 1 without weights. */
static double entropy_weight(int k, bool weighted)
{
    return weighted ? k % 4 / 2. : 1;
}

static const Tensor *entropy_weights(void)
{
    Var *c = var_empty(SHAPE(CLASSES));
    for (int k = 0; k < CLASSES; k++)
        tensor_write(c->value)[k] = (real)entropy_weight(k, true);
    return c->value;
}

static Var *entropy_loss(Var *x, LossReduction reduction, real smoothing, bool weighted)
{
    Labels labels = entropy_labels();
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.reduction = reduction, o.smoothing = smoothing;
    o.weight = weighted ? entropy_weights() : NULL;
    return var_cross_entropy_with(x, &labels, o);
}

/* Row i's loss in double. */
static double entropy_naive(const real *x, int32_t label, double smoothing, bool weighted)
{
    double sum = 0, loss = 0;
    for (int k = 0; k < CLASSES; k++)
        sum += exp((double)x[k]);
    for (int k = 0; k < CLASSES; k++) {
        double q = (k == label ? 1 - smoothing : 0) + smoothing / CLASSES;
        loss -= entropy_weight(k, weighted) * q * ((double)x[k] - log(sum));
    }
    return label == IGNORED ? 0 : loss;
}

static void entropy_check_rows(Var *x, double smoothing, bool weighted)
{
    Labels labels = entropy_labels();
    Var *rows = entropy_loss(x, LOSS_NONE, (real)smoothing, weighted);
    double sum = 0, count = 0;
    for (int i = 0; i < ROWS; i++) {
        const real *row = tensor_read(x->value) + i * CLASSES;
        double loss = entropy_naive(row, labels.data[i], smoothing, weighted);
        ck_assert_close(tensor_read(rows->value)[i], loss, 16 * NEAR);
        sum += loss;
        count += labels.data[i] == IGNORED ? 0 : entropy_weight(labels.data[i], weighted);
    }
    real all = var_item(entropy_loss(x, LOSS_SUM, (real)smoothing, weighted));
    real mean = var_item(entropy_loss(x, LOSS_MEAN, (real)smoothing, weighted));
    ck_assert_close((double)all / count, sum / count, NEAR);
    ck_assert_close(mean, sum / count, NEAR);
}

START_TEST(rows_are_as_a_loop_in_double_finds)
{
    Tensor *x = entropy_logits();
    for (int smooth = 0; smooth <= 10; smooth += 5)
        for (int weighted = 0; weighted < 2; weighted++)
            entropy_check_rows(var_const(x), smooth / 10., weighted);
    tensor_free(x);
}
END_TEST

/* A random cotangent, with one value per row if the loss has one. */
static Var *entropy_cotangent(const Var *loss)
{
    Rng rng = rng_new(5, 2);
    Var *gy = var_empty(var_shape(loss));
    tensor_fill_normal(gy->value, &rng, 0, 1);
    return gy;
}

static void entropy_check_gradient(const Tensor *logits, LossReduction reduction, real smoothing,
                                   bool weighted)
{
    Var *x = var_leaf(logits), *loss = entropy_loss(x, reduction, smoothing, weighted), *g[2];
    var_grad_with(loss, entropy_cotangent(loss), VARS(x), GRAD_ONLY, &g[0]);
    var_grad_with(loss, entropy_cotangent(loss), VARS(x), CREATE_GRAPH, &g[1]);
    ck_assert(tensor_find_nonfinite(g[0]->value) < 0);
    ck_assert(tensor_max_difference(g[0]->value, g[1]->value) < 2 * NEAR);
    ck_assert_double_gt(fabs((double)tensor_read(g[0]->value)[CLASSES]), 1e-8);
}

START_TEST(the_kernel_and_the_ops_agree)
{
    Tensor *logits = entropy_logits();
    for (LossReduction reduction = LOSS_MEAN; reduction <= LOSS_NONE; reduction++)
        for (int smooth = 0; smooth <= 10; smooth += 5)
            for (int weighted = 0; weighted < 2; weighted++)
                entropy_check_gradient(logits, reduction, (real)smooth / 10, weighted);
    tensor_free(logits);
}
END_TEST

/* The mean is NaN, but the gradient is 0, both from the kernel and from the ops. */
START_TEST(a_loss_of_ignored_rows_alone_has_no_gradient)
{
    Labels labels = {.data = (int32_t[]){-100, -100}, .count = 2};
    Tensor *logits = tensor_full(SHAPE(2, 3), 1);
    for (int mode = 0; mode < 2; mode++) {
        Var *x = var_leaf(logits), *g;
        Var *loss = var_cross_entropy(x, &labels);
        ck_assert(isnan(var_item(loss)));
        var_grad(loss, VARS(x), mode ? CREATE_GRAPH : GRAD_ONLY, &g);
        ck_assert_tensor(g->value, SHAPE(2, 3), 0, 0, 0, 0, 0, 0, 0);
    }
    tensor_free(logits);
}
END_TEST

/* The softmax that is kept is a result too: an ignored row must not contain old memory. */
START_TEST(an_ignored_row_is_no_anomaly)
{
    Labels labels = {.data = (int32_t[]){0, -100}, .count = 2};
    tensor_free(tensor_full(SHAPE(2, 3), (real)NAN)); /* the next tensor may get its memory */
    Var *x = var_full(SHAPE(2, 3), 1);
    anomaly_mode(true);
    Var *loss = var_cross_entropy(x, &labels);
    anomaly_mode(false);
    ck_assert_tensor(var_output(loss, 1)->value, SHAPE(2, 3), NEAR, 1 / 3.0, 1 / 3.0, 1 / 3.0, 0,
                     0, 0);
}
END_TEST

START_TEST(a_class_ruled_out_gets_no_gradient)
{
    real inf = (real)INFINITY, values[] = {-inf, 0, 0, -inf};
    Labels labels = {.data = (int32_t[]){1}, .count = 1};
    Var *x = var_leaf_from(SHAPE(1, 4), values), *loss = var_cross_entropy(x, &labels);
    ck_assert_close(var_item(loss), log(2), NEAR);
    var_backward(loss);
    ck_assert_tensor(x->grad, SHAPE(1, 4), NEAR, 0, -0.5, 0.5, 0);
    labels.data[0] = 0;
    ck_assert(isinf(var_item(var_cross_entropy(x, &labels))));
}
END_TEST

/* At every position, in a vector or after the last one; in an ignored row it has no effect. */
START_TEST(a_nan_spreads_to_its_row_alone)
{
    Tensor *logits = entropy_logits();
    for (int k = 0; k < CLASSES; k++) {
        tensor_write(logits)[CLASSES + k] = tensor_write(logits)[3 * CLASSES + k] = (real)NAN;
        Var *x = var_leaf(logits), *rows = entropy_loss(x, LOSS_NONE, 0, false);
        var_backward_with(rows, entropy_cotangent(rows));
        for (int i = 0; i < ROWS; i++) {
            ck_assert(!isnan(tensor_read(rows->value)[i]) == (i != 1));
            ck_assert(!isnan(tensor_read(x->grad)[i * CLASSES]) == (i != 1));
        }
        tensor_write(logits)[CLASSES + k] = tensor_write(logits)[3 * CLASSES + k] = 0;
    }
    tensor_free(logits);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    Tensor *logits = entropy_logits(), *grad = NULL;
    real loss = 0;
    for (int threads = 1; threads <= 3; threads++) {
        parallel_set_threads(threads);
        Var *x = var_leaf(logits), *y = entropy_loss(x, LOSS_MEAN, (real)0.1, true);
        var_backward(y);
        ck_assert(threads == 1 || var_item(y) == loss);
        ck_assert(threads == 1 || tensor_same_bits(x->grad, grad));
        loss = var_item(y);
        tensor_free(grad);
        grad = tensor_ref(x->grad);
    }
    parallel_set_threads(0);
    tensor_free(grad);
    tensor_free(logits);
}
END_TEST

static void entropy_step(const Tensor *logits)
{
    size_t mark = tape_mark();
    var_backward(entropy_loss(var_leaf(logits), LOSS_MEAN, 0, false));
    tape_rewind(mark);
}

START_TEST(the_second_time_nothing_is_allocated)
{
    Tensor *logits = entropy_logits();
    entropy_step(logits), entropy_step(logits);
    ck_assert_allocates_nothing(entropy_step(logits));
    tensor_free(logits);
}
END_TEST

START_TEST(every_missing_operand_is_reported)
{
    Tensor *x = tensor_zeros(SHAPE(1, 2)), *row = tensor_zeros(SHAPE(1));
    double loss;
    REFUSES_NULL(tensor_cross_entropy, &loss, NULL, x, row, NULL, 0);
    REFUSES_NULL(tensor_cross_entropy, &loss, x, NULL, row, NULL, 0);
    REFUSES_NULL(tensor_cross_entropy, &loss, x, x, NULL, NULL, 0);
    REFUSES_NULL(tensor_cross_entropy_backward, NULL, x, row, row, NULL, 0);
    REFUSES_NULL(tensor_cross_entropy_backward, x, NULL, row, row, NULL, 0);
    REFUSES_NULL(tensor_cross_entropy_backward, x, x, NULL, row, NULL, 0);
    REFUSES_NULL(tensor_cross_entropy_backward, x, x, row, NULL, NULL, 0);
    tensor_free(x), tensor_free(row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cross-entropy");
    testing_add(suite, "kernels", 30, (const TTest *const[]){
        rows_are_as_a_loop_in_double_finds, the_kernel_and_the_ops_agree,
        a_loss_of_ignored_rows_alone_has_no_gradient, an_ignored_row_is_no_anomaly,
        a_class_ruled_out_gets_no_gradient, a_nan_spreads_to_its_row_alone,
        every_missing_operand_is_reported,
        threads_do_not_change_a_bit, the_second_time_nothing_is_allocated, NULL});
    return testing_main(suite);
}
