/* tests/nn/check_global_pool.c -- global average pooling, and a network that uses it: convolutions,
 * the mean of each channel, one linear layer.
 *
 * check_golden_conv.c compares the pooling with PyTorch's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/summary.h"
#include "optim/loss.h"
#include "optim/optimizer.h"
#include "tests/net.h"

START_TEST(it_is_the_mean_of_each_channel)
{
    Module *m = global_avg_pool2d_new();
    Var *x = var_leaf_from(SHAPE(2, 2, 1, 3), (const real[]){1, 2, 3, 4, 5, 9, 0, 0, 6, -1, 0, 1});
    Var *y = module_forward(m, x);
    ck_assert_tensor(y->value, SHAPE(2, 2), net_tolerance, 2, 6, 2, 0);
    var_backward_with(y, var_const_from(SHAPE(2, 2), (const real[]){3, 6, 9, 0}));
    ck_assert_tensor(x->grad, SHAPE(2, 2, 1, 3), net_tolerance, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 0, 0);
    ck_assert_int_eq(module_count(m), 0);
    module_free(m);
}
END_TEST

START_TEST(an_input_that_is_not_a_batch_of_images_is_refused)
{
    Module *m = global_avg_pool2d_new();
    ck_assert_fails(module_forward(m, var_full(SHAPE(2, 3, 4), 0)),
                    "slope: GlobalAvgPool2d: the input has shape (2, 3, 4); expected (N,C,H,W)");
    ck_assert_fails(module_forward(m, var_full(SHAPE(2, 3, 0, 4), 0)),
                    "slope: GlobalAvgPool2d: the images of input (2, 3, 0, 4) have no pixels");
    Var *none = module_forward(m, var_full(SHAPE(0, 3, 2, 2), 0));
    ck_assert(shape_equal(var_shape(none), SHAPE(0, 3)));
    module_free(m);
}
END_TEST

/* --- stride and padding in one expression ----------------------------------------------------- */

START_TEST(stride_and_padding_go_to_height_and_width)
{
    Conv2dOptions o = conv2d_stride_padding(2, 1), expected = CONV2D_DEFAULTS;
    expected.stride[0] = expected.stride[1] = 2;
    expected.padding[0] = expected.padding[1] = 1;
    ck_assert_mem_eq(&o, &expected, sizeof o);
    Conv2dOptions plain = conv2d_stride_padding(1, 1), padded = conv2d_padding(1);
    ck_assert_mem_eq(&plain, &padded, sizeof plain);
    ck_assert_fails(conv2d_stride_padding(0, 1), "conv2d_stride_padding: stride 0, padding 1");
    ck_assert_fails(conv2d_new(1, 1, 3, conv2d_stride_padding(1, -1)), "padding (-1, -1)");
}
END_TEST

/* --- a network -------------------------------------------------------------------------------- */

enum { POOL_N = 16, POOL_SIZE = 8 };

static Module *pool_net(void)
{
    random_seed(1);
    return SEQUENTIAL(conv2d_new(1, 4, 3, conv2d_stride_padding(2, 1)), prelu_new(4, (real)0.25),
                      conv2d_new(4, 8, 3, conv2d_padding(1)), prelu_new(8, (real)0.25),
                      global_avg_pool2d_new(), linear_new(8, 2));
}

static void pool_write_summary(FILE *out, Module *m)
{
    module_summary(out, m, SHAPE(1, 1, POOL_SIZE, POOL_SIZE));
}

START_TEST(the_summary_is_this_text)
{
    Module *net = pool_net();
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    pool_write_summary(out, net);
    fclose(out);
    ck_assert_str_eq(text,
"layer                              output              parameters  slopes   overhead\n"
"---------------------------------------------------------------------------------------\n"
"0: Conv2d(1, 4, 3x3, stride 2x2)   (1, 4, 4, 4)                40\n"
"1: PReLU(4)                        (1, 4, 4, 4)                 4       4   10.000%\n"
"2: Conv2d(4, 8, 3x3)               (1, 8, 4, 4)               296\n"
"3: PReLU(8)                        (1, 8, 4, 4)                 8       8   2.703%\n"
"4: GlobalAvgPool2d()               (1, 8)                       0\n"
"5: Linear(8, 2)                    (1, 2)                      18\n"
"---------------------------------------------------------------------------------------\n"
"total                                                         366      12   3.390%\n");
    free(text);
    module_free(net);
}
END_TEST

/* Horizontal or vertical stripes: the mean of each channel does not depend on where they are. */
static Var *pool_stripes(int32_t label[POOL_N])
{
    Var *x = var_empty(SHAPE(POOL_N, 1, POOL_SIZE, POOL_SIZE));
    real *p = tensor_write(x->value);
    for (int n = 0; n < POOL_N; n++) {
        label[n] = n % 2;
        for (int i = 0; i < POOL_SIZE; i++)
            for (int j = 0; j < POOL_SIZE; j++)
                *p++ = (real)(((label[n] ? i : j) + n / 2) / 2 % 2);
    }
    return x;
}

START_TEST(a_network_with_it_learns_which_way_stripes_run)
{
    int32_t data[POOL_N];
    Labels labels = {.data = data, .count = POOL_N};
    Var *x = pool_stripes(data);
    Module *net = pool_net();
    Optimizer *adam = adam_new(net, (real)0.02);
    size_t mark = tape_mark();
    for (int step = 0; step < 60; step++) {
        optimizer_zero_grad(adam);
        var_backward(var_cross_entropy(module_forward(net, x), &labels));
        optimizer_step(adam);
        tape_rewind(mark);
    }
    ck_assert_int_eq(labels_correct(module_forward(net, x)->value, &labels), POOL_N);
    optimizer_free(adam);
    tape_rewind(0);
    module_free(net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("global pool");
    testing_add(suite, "module", 20, (const TTest *const[]){
        it_is_the_mean_of_each_channel, an_input_that_is_not_a_batch_of_images_is_refused,
        stride_and_padding_go_to_height_and_width, NULL});
    testing_add(suite, "network", 60, (const TTest *const[]){
        the_summary_is_this_text, a_network_with_it_learns_which_way_stripes_run, NULL});
    return testing_main(suite);
}
