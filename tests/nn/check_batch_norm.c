/* tests/nn/check_batch_norm.c -- BatchNorm1d and BatchNorm2d: what they compute in training and in
 * evaluation, their running statistics, and the two forms of the rule. check_golden_conv.c compares
 * them with PyTorch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "tensor/parallel.h"
#include "tests/net.h"

static const BatchNormOptions norm_exact = {
    .momentum = (real)0.25, .eps = 0, .affine = true, .from_defaults = true};

static Tensor *norm_buffer(const Module *m, const char *name)
{
    return module_part(m, PART_BUFFER, name)->buffer;
}

static int64_t norm_batches(const Module *m)
{
    return *module_part(m, PART_COUNTER, "num_batches_tracked")->counter;
}

static Module *norm_plain(ptrdiff_t channels)
{
    BatchNormOptions o = BATCH_NORM_DEFAULTS;
    o.affine = false;
    return batch_norm2d_new_with(channels, o);
}

/* Distinct running statistics, weight and bias. */
static void norm_disturb(Module *m)
{
    for (int i = 0; m->part[i].kind == PART_PARAM; i++)
        net_set(m->part[i].param, (const real[]){(real)1.5, -(real)0.5, (real)0.75});
    memcpy(tensor_write(norm_buffer(m, "running_mean")), (const real[]){1, -2, 3},
           3 * sizeof(real));
    memcpy(tensor_write(norm_buffer(m, "running_var")), (const real[]){4, (real)0.25, 1},
           3 * sizeof(real));
}

/* --- training --------------------------------------------------------------------------------- */

START_TEST(a_new_one_is_the_identity_to_come)
{
    Module *m = batch_norm1d_new(2);
    ck_assert_tensor(module_param(m, "weight")->value, SHAPE(2), 0, 1, 1);
    ck_assert_tensor(module_param(m, "bias")->value, SHAPE(2), 0, 0, 0);
    ck_assert_tensor(norm_buffer(m, "running_mean"), SHAPE(2), 0, 0, 0);
    ck_assert_tensor(norm_buffer(m, "running_var"), SHAPE(2), 0, 1, 1);
    ck_assert_int_eq(norm_batches(m), 0);
    module_free(m);
}
END_TEST

/* Channel 0 is 1, 3: mean 2, variance 1. Channel 1 is 0, 4: mean 2, variance 4. */
START_TEST(training_uses_the_batch_and_its_biased_variance)
{
    Module *m = batch_norm1d_new_with(2, norm_exact);
    net_set(module_param(m, "weight"), (const real[]){2, -1});
    net_set(module_param(m, "bias"), (const real[]){10, 20});
    Var *y = module_forward(m, var_leaf_from(SHAPE(2, 2), (const real[]){1, 0, 3, 4}));
    ck_assert_tensor(y->value, SHAPE(2, 2), net_tolerance, 8, 21, 12, 19);
    module_free(m);
}
END_TEST

/* running <- .75 running + .25 batch; the unbiased variance of two values is twice the biased. */
START_TEST(running_statistics_take_the_unbiased_variance)
{
    Module *m = batch_norm1d_new_with(2, norm_exact);
    module_forward(m, var_leaf_from(SHAPE(2, 2), (const real[]){1, 0, 3, 4}));
    ck_assert_tensor(norm_buffer(m, "running_mean"), SHAPE(2), net_tolerance, 0.5, 0.5);
    ck_assert_tensor(norm_buffer(m, "running_var"), SHAPE(2), net_tolerance, 1.25, 2.75);
    module_forward(m, var_leaf_from(SHAPE(2, 2), (const real[]){2, 1, 2, 3}));
    ck_assert_tensor(norm_buffer(m, "running_mean"), SHAPE(2), net_tolerance, 0.875, 0.875);
    ck_assert_tensor(norm_buffer(m, "running_var"), SHAPE(2), net_tolerance, 0.9375, 2.5625);
    ck_assert_int_eq(norm_batches(m), 2);
    module_free(m);
}
END_TEST

/* Each step is rounded once. */
START_TEST(running_statistics_are_correctly_rounded)
{
    BatchNormOptions o = BATCH_NORM_DEFAULTS;
    Module *m = batch_norm1d_new_with(100, o);
    Var *x = net_random(SHAPE(7, 100), 0), *y = var_batch_norm(x, NULL, NULL, 0);
    double momentum = (double)o.momentum;
    module_forward(m, x);
    for (ptrdiff_t c = 0; c < 100; c++) {
        double mean = (double)tensor_read(var_output(y, 1)->value)[c] * momentum;
        double var = 1 - momentum
                     + (double)tensor_read(var_output(y, 2)->value)[c] * momentum * 7 / 6;
        double half = 0.5 * (double)REAL_EPSILON + 4 * DBL_EPSILON;
        ck_assert_close(tensor_read(norm_buffer(m, "running_mean"))[c], mean, half * fabs(mean));
        ck_assert_close(tensor_read(norm_buffer(m, "running_var"))[c], var, half * var);
    }
    module_free(m);
}
END_TEST

START_TEST(momentum_0_keeps_and_1_replaces)
{
    BatchNormOptions o = norm_exact;
    const real x[] = {1, 0, 3, 4};
    for (int momentum = 0; momentum < 2; momentum++) {
        o.momentum = (real)momentum;
        Module *m = batch_norm1d_new_with(2, o);
        module_forward(m, var_leaf_from(SHAPE(2, 2), x));
        ck_assert_tensor(norm_buffer(m, "running_mean"), SHAPE(2), 0, 2 * momentum, 2 * momentum);
        ck_assert_tensor(norm_buffer(m, "running_var"), SHAPE(2), net_tolerance, 1 + momentum,
                         1 + 7 * momentum);
        ck_assert_int_eq(norm_batches(m), 1);
        module_free(m);
    }
}
END_TEST

/* Normalised values have mean 0 and variance var / (var + eps), for every shape. */
START_TEST(every_channel_is_normalised_over_all_other_axes)
{
    Module *m = norm_plain(3);
    Var *x = net_random(SHAPE(4, 3, 5, 6), 0);
    Var *y = module_forward(m, var_add_scalar(var_scale(x, 3), 7));
    Var *mean = var_mean(y, AXES(0, 2, 3), false);
    Var *square = var_mean(var_square(y), AXES(0, 2, 3), false);
    ck_assert_tensor(mean->value, SHAPE(3), 1e-5, 0, 0, 0);
    ck_assert_tensor(square->value, SHAPE(3), 1e-4, 1, 1, 1);
    module_free(m);
}
END_TEST

/* E[x^2] - E[x]^2 would have no correct digit. */
START_TEST(a_large_mean_does_not_spoil_the_variance)
{
    BatchNormOptions o = norm_exact;
    o.momentum = 1, o.affine = false;
    Module *m = batch_norm1d_new_with(1, o);
    Var *x = net_random(SHAPE(1000, 1), 0), *far = var_add_scalar(x, 4096);
    module_forward(m, far);
    double near_var = pow(tensor_stats(far->value).std, 2);
    ck_assert_close(tensor_read(norm_buffer(m, "running_var"))[0], near_var, 1e-4 * near_var);
    module_free(m);
}
END_TEST

START_TEST(a_constant_channel_becomes_its_bias)
{
    Module *m = batch_norm1d_new(2);
    net_set(module_param(m, "bias"), (const real[]){5, 6});
    Var *x = var_leaf_from(SHAPE(3, 2), (const real[]){(real)0.1, 1, (real)0.1, 2, (real)0.1, 3});
    Var *y = module_forward(m, x);
    for (int i = 0; i < 3; i++)
        ck_assert_close(tensor_read(y->value)[2 * i], 5, net_tolerance);
    var_backward_with(y, net_random(SHAPE(3, 2), 1));
    ck_assert_int_eq(tensor_find_nonfinite(x->grad), -1);
    module_free(m);
}
END_TEST

START_TEST(a_nan_stays_in_its_channel)
{
    Module *m = batch_norm1d_new(2);
    Var *x = var_leaf_from(SHAPE(2, 2), (const real[]){(real)NAN, 0, 3, 4});
    const real *y = tensor_read(module_forward(m, x)->value);
    ck_assert(isnan(y[0]) && isnan(y[2]) && isfinite(y[1]) && isfinite(y[3]));
    module_free(m);
}
END_TEST

START_TEST(statistics_move_without_gradients_too)
{
    Module *m = batch_norm1d_new(2);
    no_grad_begin();
    module_forward(m, net_random(SHAPE(4, 2), 0));
    no_grad_end();
    ck_assert_int_eq(norm_batches(m), 1);
    ck_assert(tensor_read(norm_buffer(m, "running_mean"))[0] != 0);
    module_free(m);
}
END_TEST

START_TEST(the_number_of_threads_changes_no_bit)
{
    Var *x = net_random(SHAPE(32, 3, 40, 40), 0), *gy = net_random(SHAPE(32, 3, 40, 40), 1);
    Tensor *y = NULL, *gx = NULL, *gw = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        size_t mark = tape_mark();
        parallel_set_threads(threads);
        Module *m = batch_norm2d_new(3);
        Var *out = module_forward(m, x), *g[2], *in[] = {x, module_param(m, "weight")};
        var_grad_with(out, gy, in, 2, GRAD_ONLY, g);
        ck_assert(!y || tensor_same_bits(y, out->value));
        ck_assert(!y || (tensor_same_bits(gx, g[0]->value) && tensor_same_bits(gw, g[1]->value)));
        tensor_free(y), tensor_free(gx), tensor_free(gw);
        y = tensor_clone(out->value);
        gx = tensor_clone(g[0]->value), gw = tensor_clone(g[1]->value);
        tape_rewind(mark);
        module_free(m);
    }
    tensor_free(y), tensor_free(gx), tensor_free(gw);
    parallel_set_threads(0);
}
END_TEST

/* --- evaluation ------------------------------------------------------------------------------- */

START_TEST(evaluation_uses_the_running_statistics_and_keeps_them)
{
    Module *m = batch_norm1d_new_with(3, norm_exact);
    norm_disturb(m);
    module_eval(m);
    Var *x = var_leaf_from(SHAPE(1, 3), (const real[]){5, -1, 2});
    /* (5-1)/2 1.5 + 1.5; (-1+2)/.5 (-.5) - .5; (2-3)/1 .75 + .75 */
    ck_assert_tensor(module_forward(m, x)->value, SHAPE(1, 3), net_tolerance, 4.5, -1.5, 0);
    ck_assert_tensor(norm_buffer(m, "running_mean"), SHAPE(3), 0, 1, -2, 3);
    ck_assert_tensor(norm_buffer(m, "running_var"), SHAPE(3), 0, 4, 0.25, 1);
    ck_assert_int_eq(norm_batches(m), 0);
    module_free(m);
}
END_TEST

/* gx = gy w / sqrt(var): in evaluation the statistics are constants. */
START_TEST(evaluation_has_gradients)
{
    Module *m = batch_norm1d_new_with(3, norm_exact);
    norm_disturb(m);
    module_eval(m);
    Var *x = var_leaf_from(SHAPE(2, 3), (const real[]){5, -1, 2, 1, 0, 3});
    Var *gy = var_leaf_from(SHAPE(2, 3), (const real[]){1, 2, 3, -1, 4, 5});
    var_backward_with(module_forward(m, x), gy);
    ck_assert_tensor(x->grad, SHAPE(2, 3), net_tolerance, 0.75, -2, 2.25, -0.75, -4, 3.75);
    ck_assert_tensor(module_param(m, "weight")->grad, SHAPE(3), net_tolerance, 2, 20, -3);
    ck_assert_tensor(module_param(m, "bias")->grad, SHAPE(3), net_tolerance, 0, 6, 8);
    module_free(m);
}
END_TEST

START_TEST(an_example_alone_is_evaluated_as_in_company)
{
    Module *m = batch_norm2d_new(3);
    norm_disturb(m);
    module_eval(m);
    Var *x = net_random(SHAPE(4, 3, 2, 2), 0);
    Var *all = module_forward(m, x), *one = module_forward(m, var_slice(x, 0, 2, 3, 1));
    ck_assert(tensor_same_bits(one->value, var_contiguous(var_slice(all, 0, 2, 3, 1))->value));
    module_free(m);
}
END_TEST

START_TEST(training_on_does_not_disturb_a_graph_made_in_evaluation)
{
    Module *m = batch_norm1d_new(3);
    norm_disturb(m);
    module_eval(m);
    Var *x = net_random(SHAPE(4, 3), 0), *y = module_forward(m, x), *g[2];
    var_grad(var_sum(y, ALL_AXES, false), &x, 1, GRAD_ONLY, &g[0]);
    module_train(m);
    module_forward(m, net_random(SHAPE(4, 3), 1));
    var_grad(var_sum(y, ALL_AXES, false), &x, 1, GRAD_ONLY, &g[1]);
    ck_assert(tensor_same_bits(g[0]->value, g[1]->value));
    module_free(m);
}
END_TEST

/* --- without weights -------------------------------------------------------------------------- */

START_TEST(without_weights_it_is_as_with_1_and_0)
{
    Module *plain = norm_plain(3), *affine = batch_norm2d_new(3);
    ck_assert_int_eq(plain->n_parts, 3);
    ck_assert_int_eq(plain->part[0].kind, PART_BUFFER);
    ck_assert_int_eq(plain->part[1].kind, PART_BUFFER);
    ck_assert_int_eq(plain->part[2].kind, PART_COUNTER);
    for (int training = 1; training >= 0; training--) {
        Var *a = net_random(SHAPE(4, 3, 2, 2), 0), *b = net_random(SHAPE(4, 3, 2, 2), 0);
        Var *gy = net_random(SHAPE(4, 3, 2, 2), 1);
        Var *ya = module_forward(plain, a), *yb = module_forward(affine, b);
        var_backward_with(ya, gy), var_backward_with(yb, gy);
        ck_assert(tensor_all_close(ya->value, yb->value, net_tolerance, 0));
        ck_assert(tensor_all_close(a->grad, b->grad, net_tolerance, 0));
        module_eval(plain), module_eval(affine);
    }
    module_free(plain), module_free(affine);
}
END_TEST

/* --- the rule's two forms --------------------------------------------------------------------- */

/* GRAD_ONLY uses the kernel, CREATE_GRAPH the ops. */
static void norm_check_rules(Shape shape, bool affine, real eps, real mean)
{
    ptrdiff_t c = shape.dim[1];
    Var *in[3] = {var_add_scalar(net_random(shape, 0), mean), net_random(SHAPE(c), 1),
                  net_random(SHAPE(c), 2)};
    Var *fused[3], *ops[3], *gy = net_random(shape, 3);
    int n = affine ? 3 : 1;
    Var *y = var_batch_norm(in[0], affine ? in[1] : NULL, affine ? in[2] : NULL, eps);
    var_grad_with(y, gy, in, n, GRAD_ONLY, fused);
    var_grad_with(y, gy, in, n, CREATE_GRAPH, ops);
    for (int i = 0; i < n; i++) {
        Var *scale = var_max(var_abs(fused[i]), ALL_AXES, false);
        double worst = tensor_max_difference(fused[i]->value, ops[i]->value);
        ck_assert(var_item(scale) > 0);
        ck_assert_double_le(worst, net_tolerance * (double)var_item(scale));
    }
}

START_TEST(the_kernel_and_the_rule_in_ops_agree)
{
    for (int affine = 0; affine < 2; affine++) {
        norm_check_rules(SHAPE(5, 3), affine, (real)1e-5, 0);
        norm_check_rules(SHAPE(2, 3, 7), affine, (real)0.5, 0);
        norm_check_rules(SHAPE(4, 2, 3, 5), affine, (real)1e-5, 0);
        norm_check_rules(SHAPE(33, 17, 1, 1), affine, (real)1e-5, 0);
        norm_check_rules(SHAPE(2, 2, 2, 3, 2), affine, 0, 0);
    }
}
END_TEST

/* check_norm.c compares the kernel with sums in double. Here rounding the mean to a float causes an
 * error of up to 5e-4. */
START_TEST(they_agree_even_if_the_mean_is_large)
{
    norm_check_rules(SHAPE(50, 3), true, (real)1e-5, 10000);
    norm_check_rules(SHAPE(4, 9, 5, 6), true, (real)1e-5, 10000);
}
END_TEST

/* Adding a constant to a channel, or scaling it where eps is 0, changes nothing. */
START_TEST(the_gradient_is_orthogonal_to_shift_and_scale)
{
    Var *x = net_random(SHAPE(5, 3, 4), 0), *gy = net_random(SHAPE(5, 3, 4), 1);
    Var *y = var_batch_norm(x, NULL, NULL, 0), *g;
    var_grad_with(y, gy, &x, 1, GRAD_ONLY, &g);
    ck_assert_tensor(var_sum(g, AXES(0, 2), false)->value, SHAPE(3), 20 * net_tolerance, 0, 0, 0);
    ck_assert_tensor(var_sum(var_mul(g, x), AXES(0, 2), false)->value, SHAPE(3), 20 * net_tolerance,
                     0, 0, 0);
}
END_TEST

START_TEST(a_gradient_can_be_wanted_of_some_only)
{
    Module *m = batch_norm1d_new(2);
    Var *weight = module_param(m, "weight"), *bias = module_param(m, "bias");
    Var *x = net_random(SHAPE(4, 2), 0), *gy = net_random(SHAPE(4, 2), 1), *g;
    Var *y = module_forward(m, x);
    var_grad_with(y, gy, &x, 1, GRAD_ONLY, &g);
    ck_assert(!weight->grad && !bias->grad && !x->grad);
    weight->requires_grad = false;
    var_backward_with(module_forward(m, var_detach(x)), gy);
    ck_assert(!weight->grad && bias->grad && !x->grad);
    module_free(m);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

START_TEST(one_value_per_channel_is_an_error_in_training_only)
{
    Module *m1 = batch_norm1d_new(3), *m2 = batch_norm2d_new(3);
    ck_assert_fails(module_forward(m1, var_full(SHAPE(1, 3), 1)),
                    "slope: BatchNorm1d: input (1, 3) for 'weight' has one value per channel, but "
                    "training needs at least 2, because the variance of one value is 0; if this is "
                    "the last batch of an epoch, set .drop_last in the loader's options or choose "
                    "another batch size");
    ck_assert_fails(module_forward(m2, var_full(SHAPE(1, 3, 1, 1), 1)),
                    "slope: BatchNorm2d: input (1, 3, 1, 1) for 'weight' has one value per");
    ck_assert_fails(module_forward(m2, var_full(SHAPE(0, 3, 4, 4), 1)), "no value per channel");
    ck_assert_int_eq(norm_batches(m1) + norm_batches(m2), 0);
    ck_assert_tensor(norm_buffer(m1, "running_var"), SHAPE(3), 0, 1, 1, 1);
    module_eval(m1);
    ck_assert(shape_equal(var_shape(module_forward(m1, var_full(SHAPE(1, 3), 1))), SHAPE(1, 3)));
    module_free(m1), module_free(m2);
}
END_TEST

START_TEST(the_axes_are_those_of_the_kind)
{
    Module *m1 = batch_norm1d_new(3), *m2 = norm_plain(3);
    ck_assert_fails(module_forward(m1, var_full(SHAPE(4, 3, 2, 2), 1)), "BatchNorm1d: expected an "
                    "input (N,C) or (N,C,L) with 3 channels on axis 1 for 'weight', found shape "
                    "(4, 3, 2, 2)");
    ck_assert_fails(module_forward(m1, var_full(SHAPE(3), 1)), "found shape (3,)");
    ck_assert_fails(module_forward(m1, var_full(SHAPE(2, 5, 3), 1)), "3 channels on axis 1");
    ck_assert_fails(module_forward(m2, var_full(SHAPE(4, 3), 1)), "BatchNorm2d: expected an input");
    ck_assert_fails(module_forward(m2, var_full(SHAPE(2, 4, 3, 3), 1)),
                    "with 3 channels on axis 1, found shape (2, 4, 3, 3)");
    ck_assert_fails(module_forward(m2, var_full(SHAPE(1, 3, 1, 1), 1)),
                    "slope: BatchNorm2d: input (1, 3, 1, 1) has one value per channel");
    ck_assert_fails(batch_norm1d_new(0), "batch_norm1d_new: 0 channels; expected at least 1");
    ck_assert_fails(batch_norm2d_new(-1), "batch_norm2d_new: -1 channels; expected at least 1");
    module_free(m1), module_free(m2);
}
END_TEST

START_TEST(options_left_out_or_out_of_range_are_refused)
{
    ck_assert_fails(batch_norm1d_new_with(3, (BatchNormOptions){.affine = true}),
                    "batch_norm1d_new_with: options left out are 0, which is not the usual "
                    "momentum or eps; start with BatchNormOptions o = BATCH_NORM_DEFAULTS;");
    BatchNormOptions o = BATCH_NORM_DEFAULTS;
    o.momentum = 2;
    ck_assert_fails(batch_norm2d_new_with(3, o), "momentum 2 and eps 1e-05; expected");
    o.momentum = 0, o.eps = (real)NAN;
    ck_assert_fails(batch_norm2d_new_with(3, o), "expected a momentum from 0 to 1 and an eps of 0");
}
END_TEST

START_TEST(the_op_checks_weight_and_bias)
{
    Var *x = var_full(SHAPE(4, 3), 1), *w = var_full(SHAPE(3), 1), *two = var_full(SHAPE(2), 1);
    ck_assert_fails(var_batch_norm(x, w, NULL, 0), "a weight needs a bias");
    ck_assert_fails(var_batch_norm(x, NULL, w, 0), "a weight needs a bias");
    ck_assert_fails(var_batch_norm(x, w, two, 0), "weight (3,) and bias (2,): expected one element "
                    "for each of the 3 channels on axis 1 of (4, 3)");
    ck_assert_fails(var_batch_norm(w, NULL, NULL, 0), "input (3,): expected (N,C,...)");
    ck_assert_fails(var_batch_norm(var_full(SHAPE(1, 3), 1), w, w, 0),
                    "slope: var_batch_norm: input (1, 3) has one value per channel");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch norm");
    testing_add(suite, "training", 20, (const TTest *const[]){
        a_new_one_is_the_identity_to_come, training_uses_the_batch_and_its_biased_variance,
        running_statistics_take_the_unbiased_variance,
        running_statistics_are_correctly_rounded, momentum_0_keeps_and_1_replaces,
        every_channel_is_normalised_over_all_other_axes, a_large_mean_does_not_spoil_the_variance,
        a_constant_channel_becomes_its_bias, a_nan_stays_in_its_channel,
        statistics_move_without_gradients_too, the_number_of_threads_changes_no_bit, NULL});
    testing_add(suite, "evaluation", 20, (const TTest *const[]){
        evaluation_uses_the_running_statistics_and_keeps_them, evaluation_has_gradients,
        an_example_alone_is_evaluated_as_in_company,
        training_on_does_not_disturb_a_graph_made_in_evaluation,
        without_weights_it_is_as_with_1_and_0, NULL});
    testing_add(suite, "rule", 20, (const TTest *const[]){
        the_kernel_and_the_rule_in_ops_agree, they_agree_even_if_the_mean_is_large,
        the_gradient_is_orthogonal_to_shift_and_scale,
        a_gradient_can_be_wanted_of_some_only, NULL});
    testing_add(suite, "refusing", 20, (const TTest *const[]){
        one_value_per_channel_is_an_error_in_training_only, the_axes_are_those_of_the_kind,
        options_left_out_or_out_of_range_are_refused, the_op_checks_weight_and_bias, NULL});
    return testing_main(suite);
}
