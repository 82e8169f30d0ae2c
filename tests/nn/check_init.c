/* tests/nn/check_init.c -- initial values: their bounds and variances, and what a seed determines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/init.h"
#include "tests/net.h"

/* --- initial values --------------------------------------------------------------------------- */

static double init_variance(const Var *w)
{
    Stats s = tensor_stats(w->value);
    return s.std * s.std;
}

START_TEST(default_weights_and_biases_are_uniform_in_1_over_root_fan_in)
{
    random_seed(1);
    Module *m = linear_new(64, 256);
    net_check_uniform(module_param(m, "weight")->value, 1 / 8.0);
    net_check_uniform(module_param(m, "bias")->value, 1 / 8.0);
    ck_assert_close(init_variance(module_param(m, "weight")) * 3 * 64, 1, 0.03);
    module_free(m);
}
END_TEST

START_TEST(fan_in_of_a_kernel_counts_its_places)
{
    Var *w = var_full(SHAPE(8, 4, 3, 5), 0);
    ck_assert_int_eq(init_fan_in(w), 60);
    ck_assert_int_eq(init_fan_out(w), 120);
    ck_assert_fails(init_fan_in(var_full(SHAPE(3), 0)), "fewer than two axes");
}
END_TEST

START_TEST(gains_are_he_s)
{
    ck_assert_close(init_gain(0), sqrt(2.0), 1e-6);
    ck_assert_close(init_gain((real)0.25), 1.3720, 5e-5);
    ck_assert_close(init_gain(1), 1, 1e-6);
}
END_TEST

/* With 128 * 512 elements, the measured variance is off by about 0.6 percent. */
START_TEST(he_and_xavier_have_their_variances)
{
    const real a = (real)0.25;
    double he = 2 / ((1 + 0.0625) * 512), xavier = 2 / (128 + 512.0);
    Rng rng = rng_new(3, 0);
    Var *w = var_empty(SHAPE(128, 512));
    init_he_normal(w, a, &rng);
    ck_assert_close(init_variance(w) / he, 1, 0.025);
    ck_assert_double_gt(tensor_stats(w->value).max, 3 * sqrt(he)); /* normal, so with tails */
    init_he_uniform(w, a, &rng);
    ck_assert_close(init_variance(w) / he, 1, 0.025);
    net_check_uniform(w->value, sqrt(3 * he));
    init_xavier_uniform(w, &rng);
    ck_assert_close(init_variance(w) / xavier, 1, 0.025);
    net_check_uniform(w->value, sqrt(3 * xavier));
}
END_TEST

/* The purpose of He's initialisation: over ten layers, the mean square of the signal neither grows
 * nor shrinks. */
START_TEST(he_keeps_the_signal_through_layers)
{
    enum { WIDTH = 256, LAYERS = 10 };
    random_seed(5);
    Var *x = net_random(SHAPE(64, WIDTH), 9);
    for (int i = 0; i < LAYERS; i++) {
        Module *m = SEQUENTIAL(linear_new(WIDTH, WIDTH), prelu_new(WIDTH, (real)0.1));
        module_init_he(m, (real)0.25);
        x = var_detach(module_forward(m, x));
        module_free(m);
    }
    double square = (double)var_item(var_mean(var_square(x), ALL_AXES, false));
    ck_assert_double_gt(square, 0.4);
    ck_assert_double_lt(square, 2.5);
}
END_TEST

START_TEST(module_init_he_sets_slopes_and_clears_biases)
{
    random_seed(5);
    Module *m = SEQUENTIAL(linear_new(400, 100), prelu_new(2, (real)0.1));
    module_init_he(m, (real)0.5);
    ck_assert_close(init_variance(module_param(m, "0.weight")) * 400, 2 / 1.25, 0.04);
    ck_assert(tensor_stats(module_param(m, "0.bias")->value).max == 0);
    ck_assert(tensor_stats(module_param(m, "0.bias")->value).min == 0);
    ck_assert_tensor(module_param(m, "1.weight")->value, SHAPE(2), 0, 0.5, 0.5);
    module_free(m);
}
END_TEST

/* If the weight of a batch norm were 0, its output would be its bias. */
START_TEST(module_init_he_leaves_other_parameters_alone)
{
    Module *m = SEQUENTIAL(linear_new(4, 3), batch_norm1d_new(3));
    Var *weight = module_param(m, "1.weight"), *bias = module_param(m, "1.bias");
    tensor_fill(bias->value, 7);
    module_init_he(m, (real)0.5);
    ck_assert_tensor(weight->value, SHAPE(3), 0, 1, 1, 1);
    ck_assert_tensor(bias->value, SHAPE(3), 0, 0, 0, 0);
    Module *gain = linear_new(2, 2); /* its own parameters have no prefix */
    module_add_param(gain, "gain", tensor_full(SHAPE(2), 3));
    module_init_he(gain, (real)0.5);
    ck_assert_tensor(module_param(gain, "gain")->value, SHAPE(2), 0, 3, 3);
    ck_assert_tensor(module_param(gain, "bias")->value, SHAPE(2), 0, 0, 0);
    module_free(m), module_free(gain);
}
END_TEST

/* --- seeds ------------------------------------------------------------------------------------ */

static const Tensor *init_value(const Module *m, const char *name)
{
    return module_param(m, name)->value;
}

START_TEST(the_same_seed_gives_the_same_bits)
{
    random_seed(42);
    Module *a = SEQUENTIAL(linear_new(5, 4), linear_new(4, 3));
    random_seed(42);
    Module *b = SEQUENTIAL(linear_new(5, 4), linear_new(4, 3));
    random_seed(43);
    Module *c = SEQUENTIAL(linear_new(5, 4), linear_new(4, 3));
    ck_assert(tensor_same_bits(init_value(a, "0.weight"), init_value(b, "0.weight")));
    ck_assert(tensor_same_bits(init_value(a, "1.weight"), init_value(b, "1.weight")));
    ck_assert(!tensor_same_bits(init_value(a, "0.weight"), init_value(c, "0.weight")));
    module_free(a);
    module_free(b);
    module_free(c);
}
END_TEST

/* A PReLU between, a different width before and a layer after do not change a layer's weights. */
START_TEST(a_layer_does_not_disturb_the_others)
{
    random_seed(42);
    Module *a = SEQUENTIAL(linear_new(5, 4), linear_new(4, 3));
    random_seed(42);
    Module *b = SEQUENTIAL(linear_new(9, 4), prelu_new(4, (real)0.25), linear_new(4, 3),
                           linear_new(3, 3));
    ck_assert(tensor_same_bits(init_value(a, "1.weight"), init_value(b, "2.weight")));
    ck_assert(!tensor_same_bits(init_value(b, "3.weight"), init_value(b, "2.weight")));
    module_free(a);
    module_free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("init");
    testing_add(suite, "init", 20, (const TTest *const[]){
        default_weights_and_biases_are_uniform_in_1_over_root_fan_in,
        fan_in_of_a_kernel_counts_its_places, gains_are_he_s, he_and_xavier_have_their_variances,
        he_keeps_the_signal_through_layers, module_init_he_sets_slopes_and_clears_biases,
        module_init_he_leaves_other_parameters_alone,
        the_same_seed_gives_the_same_bits, a_layer_does_not_disturb_the_others, NULL});
    return testing_main(suite);
}
