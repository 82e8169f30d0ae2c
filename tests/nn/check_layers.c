/* tests/nn/check_layers.c -- Linear, Flatten, PReLU and its relatives, and the losses.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/net.h"

/* --- Linear, Flatten -------------------------------------------------------------------------- */

START_TEST(linear_computes_x_w_transposed_plus_b)
{
    Module *m = linear_new(2, 3);
    Var *w = module_param(m, "weight"), *b = module_param(m, "bias");
    net_set(w, (const real[]){1, 2, 3, 4, 5, 6});
    net_set(b, (const real[]){10, 20, 30});
    Var *x = var_leaf_from(SHAPE(2, 2), (const real[]){1, -1, 2, 3});
    Var *y = module_forward(m, x);
    ck_assert_tensor(y->value, SHAPE(2, 3), net_tolerance, 9, 19, 29, 18, 38, 58);
    var_backward_with(y, var_leaf_from(SHAPE(2, 3), (const real[]){1, 0, 2, 0, -1, 1}));
    ck_assert_tensor(x->grad, SHAPE(2, 2), net_tolerance, 11, 14, 2, 2);
    ck_assert_tensor(w->grad, SHAPE(3, 2), net_tolerance, 1, -1, -2, -3, 4, 1);
    ck_assert_tensor(b->grad, SHAPE(3), net_tolerance, 1, -1, 3);
    module_free(m);
}
END_TEST

START_TEST(linear_takes_leading_axes_and_no_bias)
{
    Module *m = linear_new_without_bias(2, 1);
    ck_assert_int_eq(m->n_parts, 1);
    net_set(module_param(m, "weight"), (const real[]){1, 10});
    Var *x = var_leaf_from(SHAPE(2, 1, 2), (const real[]){1, 2, 3, 4});
    ck_assert_tensor(module_forward(m, x)->value, SHAPE(2, 1, 1), net_tolerance, 21, 43);
    Var *one = var_leaf_from(SHAPE(2), (const real[]){5, 6}), *y = module_forward(m, one);
    ck_assert_tensor(y->value, SHAPE(1), net_tolerance, 65);
    var_backward(y);
    ck_assert_tensor(one->grad, SHAPE(2), net_tolerance, 1, 10);
    ck_assert_tensor(module_param(m, "weight")->grad, SHAPE(1, 2), net_tolerance, 5, 6);
    module_free(m);
}
END_TEST

START_TEST(linear_says_what_input_it_expects)
{
    Module *m = SEQUENTIAL(linear_new(3, 2));
    ck_assert_fails(module_forward(m, var_full(SHAPE(5, 4), 0)),
                    "Linear: expected an input (...,3) for '0.weight', found shape (5, 4)");
    ck_assert_fails(module_forward(m, var_full(SHAPE(2), 0)), "found shape (2,)");
    ck_assert_fails(module_forward(m, var_full(SHAPE_SCALAR, 0)), "found shape ()");
    ck_assert_fails(module_forward(m, NULL), "Sequential: an input is NULL");
    ck_assert_fails(linear_new(0, 2),
                    "linear_new: 0 inputs and 2 outputs; expected at least 1 of each");
    ck_assert_fails(linear_new_without_bias(0, 2), "linear_new_without_bias: 0 inputs");
    ck_assert_fails(linear_new(PTRDIFF_MAX, 2), "linear_new: the sizes multiply to more elements");
    module_free(m);
}
END_TEST

START_TEST(flatten_keeps_the_batch)
{
    Module *m = flatten_new();
    Var *x = net_random(SHAPE(2, 3, 4), 0), *y = module_forward(m, x);
    ck_assert(shape_equal(var_shape(y), SHAPE(2, 12)));
    ck_assert_int_eq(memcmp(tensor_read(y->value), tensor_read(x->value), 24 * sizeof(real)), 0);
    var_backward(var_sum(y, ALL_AXES, false));
    ck_assert(shape_equal(x->grad->shape, SHAPE(2, 3, 4)));
    ck_assert(shape_equal(var_shape(module_forward(m, var_full(SHAPE(5), 0))), SHAPE(5, 1)));
    ck_assert(shape_equal(var_shape(module_forward(m, var_full(SHAPE(0, 3, 2), 0))), SHAPE(0, 6)));
    ck_assert_fails(module_forward(m, var_scalar(1)), "Flatten: expected an input (N,...)");
    module_free(m);
}
END_TEST

/* --- PReLU and its relatives ------------------------------------------------------------------ */

/* Runs both on equal inputs (N,C,L); the values and input gradients must be equal (+0 equals -0).
 * Frees both. */
static void layers_check_same(Module *a, Module *b, Shape shape)
{
    Var *xa = net_random(shape, 1), *xb = net_random(shape, 1), *g = net_random(shape, 2);
    Var *ya = module_forward(a, xa), *yb = module_forward(b, xb);
    var_backward_with(ya, g);
    var_backward_with(yb, g);
    ck_assert(tensor_all_close(ya->value, yb->value, 0, 0));
    ck_assert(tensor_all_close(xa->grad, xb->grad, 0, 0));
    module_free(a);
    module_free(b);
}

static const real layers_slopes[] = {(real)0.25, 0, -(real)0.5, 1, (real)1.5, (real)0.01};

START_TEST(prelu_of_a_fixed_slope_is_leaky_relu)
{
    for (size_t i = 0; i < sizeof layers_slopes / sizeof *layers_slopes; i++) {
        real a = layers_slopes[i];
        layers_check_same(prelu_new(1, a), leaky_relu_new(a), SHAPE(4, 3, 7));
        layers_check_same(prelu_new(3, a), leaky_relu_new(a), SHAPE(4, 3, 7));
        layers_check_same(prelu_new(33, a), leaky_relu_new(a), SHAPE(5, 33));
    }
}
END_TEST

START_TEST(prelu_of_slope_0_is_relu)
{
    layers_check_same(prelu_new(3, 0), relu_new(), SHAPE(4, 3, 7));
    layers_check_same(prelu_new(1, 0), relu_new(), SHAPE(129));
}
END_TEST

START_TEST(prelu_of_slope_0_gives_negative_zero_and_nan_where_relu_does_not)
{
    Module *prelu = prelu_new(1, 0), *relu = relu_new();
    Var *x = var_leaf_from(SHAPE(2), (const real[]){-1, -(real)INFINITY});
    const real *y = tensor_read(module_forward(prelu, x)->value);
    ck_assert(y[0] == 0 && signbit(y[0]) && isnan(y[1]));
    y = tensor_read(module_forward(relu, x)->value);
    ck_assert(y[0] == 0 && y[1] == 0);
    module_free(prelu);
    module_free(relu);
}
END_TEST

START_TEST(prelu_of_slope_1_is_the_identity)
{
    layers_check_same(prelu_new(3, 1), SEQUENTIAL(flatten_new()), SHAPE(4, 3));
}
END_TEST

/* f(c x) = c f(x) for c > 0; a power of two, so to the bit. */
START_TEST(prelu_is_positively_homogeneous)
{
    Module *m = prelu_new(3, 0);
    net_set(module_param(m, "weight"), (const real[]){(real)0.3, -(real)0.7, (real)1.9});
    Var *x = net_random(SHAPE(4, 3, 5), 0), *c = var_scalar(8);
    Var *inside = module_forward(m, var_mul(x, c)), *outside = var_mul(module_forward(m, x), c);
    ck_assert(tensor_same_bits(inside->value, outside->value));
    module_free(m);
}
END_TEST

/* Every channel uses its own slope: values from the definition. */
START_TEST(prelu_gives_each_channel_its_slope)
{
    Module *m = prelu_new(3, 0);
    const real a[] = {(real)0.25, -(real)0.5, 2};
    net_set(module_param(m, "weight"), a);
    Var *x = net_random(SHAPE(2, 3, 5), 0), *y = module_forward(m, x);
    for (ptrdiff_t i = 0; i < 30; i++) {
        real v = tensor_read(x->value)[i];
        ck_assert(tensor_read(y->value)[i] == (v > 0 ? v : a[i / 5 % 3] * v));
    }
    module_free(m);
}
END_TEST

/* The gradient of PReLU's slopes for sum(g y); free it. */
static Tensor *layers_slope_gradient(ptrdiff_t slopes, Var *x, Var *g)
{
    Module *m = prelu_new(slopes, (real)0.25);
    var_backward_with(module_forward(m, x), g);
    Tensor *ga = tensor_ref(module_param(m, "weight")->grad);
    module_free(m);
    return ga;
}

START_TEST(shared_gradient_is_the_sum_of_those_per_channel)
{
    Var *x = net_random(SHAPE(4, 3, 5), 0), *g = net_random(SHAPE(4, 3, 5), 1);
    Tensor *each = layers_slope_gradient(3, x, g), *shared = layers_slope_gradient(1, x, g);
    const real *ga = tensor_read(each);
    ck_assert(ga[0] != 0 && ga[1] != 0 && ga[2] != 0 && ga[0] != ga[1]);
    double sum = (double)ga[0] + (double)ga[1] + (double)ga[2];
    ck_assert_tensor(shared, SHAPE(1), 10 * net_tolerance, sum);
    tensor_free(each);
    tensor_free(shared);
}
END_TEST

/* The slope's gradient if all inputs are -1, for a summed loss or for a batch mean of sums. */
static double layers_raw_da(ptrdiff_t N, ptrdiff_t HW, bool batch_mean)
{
    Module *m = prelu_new(2, (real)0.25);
    Var *loss = var_sum(module_forward(m, var_full(SHAPE(N, 2, HW, 1), -1)), ALL_AXES, false);
    var_backward(batch_mean ? var_scale(loss, 1 / (real)N) : loss);
    double da = (double)tensor_read(module_param(m, "weight")->grad)[1];
    module_free(m);
    return da;
}

START_TEST(raw_slope_gradient_grows_with_what_shares_it)
{
    ck_assert_close(layers_raw_da(3, 5, false), -15, net_tolerance);
    ck_assert_close(layers_raw_da(6, 5, false), -30, net_tolerance);
    ck_assert_close(layers_raw_da(3, 10, false), -30, net_tolerance);
    ck_assert_close(layers_raw_da(3, 5, true), -5, net_tolerance);
    ck_assert_close(layers_raw_da(6, 5, true), -5, net_tolerance);
    ck_assert_close(layers_raw_da(3, 10, true), -10, net_tolerance);
}
END_TEST

START_TEST(prelu_says_which_axis_holds_the_channels)
{
    Module *m = SEQUENTIAL(prelu_new(3, (real)0.25));
    ck_assert_fails(module_forward(m, var_full(SHAPE(2, 5, 3), 0)),
                    "PReLU: 3 slopes '0.weight', but axis 1 of the input (2, 5, 3), which holds "
                    "the channels, has size 5");
    ck_assert_msg(strstr(testing_sentence, "axis 2 has size 3") != NULL, "%s", testing_sentence);
    ck_assert_fails(module_forward(m, var_full(SHAPE(3), 0)),
                    "only one shared slope fits every shape");
    ck_assert_fails(prelu_new(0, 1), "num_parameters is 0; expected 1 (shared)");
    ck_assert_fails(prelu_new(PTRDIFF_MAX, 1), "prelu_new: the sizes multiply to more elements");
    module_free(m);
}
END_TEST

/* --- any function as a module ----------------------------------------------------------------- */

static Var *layers_square_of_tanh(Var *x) { return var_square(var_tanh(x)); }

START_TEST(any_function_of_one_var_is_a_module)
{
    Module *m = SEQUENTIAL(linear_new(2, 3), activation_new("Tanh", var_tanh),
                           activation_new("mine", layers_square_of_tanh));
    Var *x = net_random(SHAPE(4, 2), 0), *z = module_forward(module_child(m, "0"), x);
    Var *y = layers_square_of_tanh(var_tanh(z));
    ck_assert(tensor_same_bits(module_forward(m, x)->value, y->value));
    ck_assert_str_eq(module_child(m, "1")->type->name, "Tanh");
    ck_assert_str_eq(module_child(m, "2")->type->name, "mine");
    ck_assert_int_eq(module_count(m), 9);
    module_free(m);
    ck_assert_fails(activation_new("Tanh", NULL), "activation_new: the function is NULL");
    ck_assert_fails(activation_new(NULL, var_tanh), "activation_new: the name is NULL");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers");
    testing_add(suite, "layers", 20, (const TTest *const[]){
        linear_computes_x_w_transposed_plus_b, linear_takes_leading_axes_and_no_bias,
        linear_says_what_input_it_expects, flatten_keeps_the_batch,
        any_function_of_one_var_is_a_module, NULL});
    testing_add(
        suite, "prelu", 20,
        (const TTest *const[]){prelu_of_a_fixed_slope_is_leaky_relu, prelu_of_slope_0_is_relu,
                               prelu_of_slope_0_gives_negative_zero_and_nan_where_relu_does_not,
                               prelu_of_slope_1_is_the_identity, prelu_is_positively_homogeneous,
                               prelu_gives_each_channel_its_slope,
                               shared_gradient_is_the_sum_of_those_per_channel,
                               raw_slope_gradient_grows_with_what_shares_it,
                               prelu_says_which_axis_holds_the_channels, NULL});
    return testing_main(suite);
}
