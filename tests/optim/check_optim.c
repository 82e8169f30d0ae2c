/* tests/optim/check_optim.c -- single steps computed by hand, parameters of all sizes, clipping.
 *
 *  - tests/golden/check_golden.c compares ten steps of every rule with PyTorch's; here each value
 *    can be verified by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/optim/holder.h"

/* --- SGD -------------------------------------------------------------------------------------- */

START_TEST(sgd_goes_against_the_gradient)
{
    Module *m = optim_holder(1, -2);
    Optimizer *opt = sgd_new(m, (real)0.125, 0);
    optim_step(opt, 0.5, -4);
    optim_check(m, 0.9375, -1.5);
    ck_assert_ptr_null(opt->state[0].slot[0]); /* no momentum, so no buffer */
    optim_free(opt, m);
}
END_TEST

START_TEST(sgd_decay_joins_the_gradient)
{
    Module *m = optim_holder(1, -2);
    Optimizer *opt = sgd_new(m, (real)0.125, 0);
    opt->group[0].weight_decay = (real)0.5;
    optim_step(opt, 0.5, -4); /* d = (1, -5) */
    optim_check(m, 0.875, -1.375);
    optim_free(opt, m);
}
END_TEST

/* b1 = g1, b2 = b1/2 + g2 */
START_TEST(sgd_momentum_adds_up)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = sgd_new(m, 1, (real)0.5);
    optim_step(opt, 1, -4);
    optim_check(m, -1, 4);
    optim_step(opt, 2, 0); /* b = (2.5, -2) */
    optim_check(m, -3.5, 6);
    optim_free(opt, m);
}
END_TEST

/* The buffer starts as the whole gradient; later steps add only three quarters of theirs. */
START_TEST(sgd_dampening_spares_the_first_step)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = sgd_new(m, 1, (real)0.5);
    opt->group[0].dampening = (real)0.25;
    optim_step(opt, 1, -4);
    optim_check(m, -1, 4);
    optim_step(opt, 2, 0); /* b = (.5 + 1.5, -2) */
    optim_check(m, -3, 6);
    optim_free(opt, m);
}
END_TEST

START_TEST(sgd_nesterov_looks_ahead)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = sgd_new(m, 1, (real)0.5);
    opt->group[0].nesterov = true;
    optim_step(opt, 1, -4); /* d = g + b/2 = (1.5, -6) */
    optim_check(m, -1.5, 6);
    optim_step(opt, 2, 0); /* b = (2.5, -2), d = (3.25, -1) */
    optim_check(m, -4.75, 7);
    optim_free(opt, m);
}
END_TEST

/* Inf times 0 would be NaN: a rule must not multiply a value that it does not use by 0. */
START_TEST(sgd_takes_an_infinite_gradient_at_its_word)
{
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        Module *m = optim_holder(1, -2);
        Optimizer *opt = sgd_new(m, (real)0.125, (real)0.5);
        opt->group[0].nesterov = nesterov;
        optim_step(opt, HUGE_VAL, -4);
        ck_assert_double_eq((double)tensor_read(optim_value(opt, 0))[0], -HUGE_VAL);
        optim_free(opt, m);
    }
}
END_TEST

/* --- Adam ------------------------------------------------------------------------------------- */

/* For gradients of every size. */
START_TEST(adam_s_first_step_is_lr_times_the_sign)
{
    for (double size = 1e-3; size < 1e4; size *= 10) {
        Module *m = optim_holder(0, 0);
        Optimizer *opt = adam_new(m, (real)0.125);
        optim_step(opt, size, -size);
        ck_assert_tensor(module_param(m, "weight")->value, SHAPE(2), 1e-5, -0.125, 0.125);
        optim_free(opt, m);
    }
}
END_TEST

START_TEST(adam_stands_still_without_a_slope)
{
    Module *m = optim_holder(1, -2);
    Optimizer *opt = adam_new(m, (real)0.125);
    optim_step(opt, 0, 0);
    optim_check(m, 1, -2);
    ck_assert_int_eq(opt->state[0].step, 1); /* a gradient of zeros is a gradient */
    optim_free(opt, m);
}
END_TEST

/* eps is added to the root: with eps = |g| the first step is half of lr. */
START_TEST(adam_s_eps_stands_outside_the_root)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = adam_new(m, (real)0.125);
    opt->group[0].eps = (real)0.25;
    optim_step(opt, 0.25, -0.75);
    optim_check(m, -0.0625, 0.125 * 0.75);
    optim_free(opt, m);
}
END_TEST

/* betas 1/2 and 3/4. Step 1: m = g/2, v = g^2/4. Step 2, with corrections 3/4 and 7/16:
 *   g = (1, then 2):  m = 5/4,  v = 19/16   m' = 5/3,  v' = 19/7
 *   g = (-4, then 0): m = -1,   v = 3       m' = -4/3, v' = 48/7 */
START_TEST(adam_s_second_step_by_hand)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = adam_new(m, 1);
    opt->group[0].beta1 = (real)0.5, opt->group[0].beta2 = (real)0.75, opt->group[0].eps = 0;
    optim_step(opt, 1, -4);
    optim_check(m, -1, 1);
    optim_step(opt, 2, 0);
    optim_check(m, -1 - 5 / 3.0 / sqrt(19 / 7.0), 1 + 4 / 3.0 / sqrt(48 / 7.0));
    optim_free(opt, m);
}
END_TEST

/* The same with a second gradient of 0: v falls from g^2/4 to 3 g^2/16, its maximum stays g^2/4.
 * This is the maximum of the uncorrected v: v' = (1/4)/(7/16) = 4/7 for g = 1; m' = (1/4)/(3/4) =
 * 1/3. */
START_TEST(amsgrad_keeps_the_largest_uncorrected_v)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = adam_new(m, 1);
    ParamGroup *g = &opt->group[0];
    g->beta1 = (real)0.5, g->beta2 = (real)0.75, g->eps = 0, g->amsgrad = true;
    optim_step(opt, 1, -1);
    optim_step(opt, 0, 0);
    double second = 1 / 3.0 / sqrt(4 / 7.0);
    optim_check(m, -1 - second, 1 + second);
    optim_free(opt, m);
}
END_TEST

/* --- decay ------------------------------------------------------------------------------------ */

START_TEST(adamw_shrinks_by_1_minus_lr_lambda)
{
    Module *m = optim_holder(1, -2);
    Optimizer *opt = adamw_new(m, (real)0.125);
    ck_assert(opt->group[0].weight_decay == (real)0.01);
    opt->group[0].weight_decay = (real)0.5;
    double left = 1;
    for (int step = 0; step < 5; step++, left *= 1 - 0.0625) {
        optim_check(m, left, -2 * left);
        optim_step(opt, 0, 0);
    }
    optim_free(opt, m);
}
END_TEST

/* Adam divides the L2 term by its own size: lambda cancels, and each step is about lr. */
START_TEST(adam_with_l2_shrinks_by_lr_whatever_lambda)
{
    for (double lambda = 0.01; lambda < 200; lambda *= 100) {
        Module *m = optim_holder(1, -2);
        Optimizer *opt = adam_new(m, (real)0.001);
        opt->group[0].weight_decay = (real)lambda;
        for (int step = 0; step < 5; step++)
            optim_step(opt, 0, 0);
        ck_assert_tensor(module_param(m, "weight")->value, SHAPE(2), 2e-5, 0.995, -1.995);
        optim_free(opt, m);
    }
}
END_TEST

/* --- a custom rule ---------------------------------------------------------------------------- */

/* theta <- theta - lr sign(g), with a count of the updates in slot 0 */
static void optim_sign_update(const ParamGroup *group, const ParamRun *run)
{
    for (ptrdiff_t i = 0; i < run->n; i++) {
        run->theta[i] -= group->lr * (real)((run->g[i] > 0) - (run->g[i] < 0));
        run->slot[0][i] += 1;
    }
}

START_TEST(a_rule_of_ones_own_is_one_function)
{
    static const OptimizerType type = {.name = "Sign", .slots = 1, .update = optim_sign_update};
    Module *m = optim_holder(1, -2);
    Optimizer *opt = optimizer_new(m, &type, (real)0.5);
    optim_step(opt, 7, -0.1);
    optim_step(opt, 7, 0);
    optim_check(m, 0, -1.5);
    ck_assert_tensor(opt->state[0].slot[0], SHAPE(OPTIM_N), 0, 2, 2);
    optim_free(opt, m);
}
END_TEST

/* --- parameters of all sizes ------------------------------------------------------------------ */

enum { OPTIM_SIZES = 8, OPTIM_WITHOUT = 5 }; /* one has no gradient */
static const ptrdiff_t optim_sizes[OPTIM_SIZES] = {3, 20000, 0, 17, 1, 40, 40001, 2};

static Tensor *optim_random(ptrdiff_t n, uint64_t stream)
{
    Rng rng = rng_new(3, stream);
    Tensor *x = tensor_new(SHAPE(n));
    tensor_fill_normal(x, &rng, 0, 1);
    return x;
}

/* A module of parameters first … last-1 of those sizes. */
static Module *optim_many(int first, int last)
{
    static const ModuleType type = {"Many", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    for (int i = first; i < last; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        module_add_param(m, name, optim_random(optim_sizes[i], (uint64_t)i));
    }
    return m;
}

static Optimizer *optim_rule(int which, Module *m)
{
    Optimizer *opt = which < 2    ? sgd_new(m, (real)0.1, which ? (real)0.9 : 0)
                     : which == 2 ? adamw_new(m, (real)0.1)
                                  : adam_new(m, (real)0.1);
    opt->group[0].nesterov = which == 1;
    opt->group[0].weight_decay = (real)0.25;
    opt->group[0].amsgrad = which > 3;
    return opt;
}

/* Three steps with gradients that depend only on the parameter's index and the step. */
static void optim_train(Optimizer *opt, int first)
{
    for (int step = 0; step < 3; step++) {
        optimizer_zero_grad(opt);
        for (int i = 0; i < opt->n_params; i++)
            if (first + i != OPTIM_WITHOUT)
                opt->state[i].param.var->grad =
                    optim_random(optim_sizes[first + i], (uint64_t)(100 * step + first + i + 50));
        if (opt->n_params > 1 || first != OPTIM_WITHOUT) /* a step without gradients fails */
            optimizer_step(opt);
    }
}

/* A parameter moves in the same way alone and among others, however it is divided into runs. */
START_TEST(a_step_treats_every_parameter_alike)
{
    for (int which = 0; which < 5; which++) {
        Module *all = optim_many(0, OPTIM_SIZES);
        Optimizer *opt = optim_rule(which, all);
        optim_train(opt, 0);
        for (int i = 0; i < OPTIM_SIZES; i++) {
            Module *one = optim_many(i, i + 1);
            Optimizer *alone = optim_rule(which, one);
            optim_train(alone, i);
            Tensor *start = optim_random(optim_sizes[i], (uint64_t)i);
            double moved = tensor_max_difference(optim_value(opt, i), start);
            ck_assert((moved > 0.01) == (optim_sizes[i] > 0 && i != OPTIM_WITHOUT));
            ck_assert(tensor_all_close(optim_value(opt, i), optim_value(alone, 0), 1e-6, 1e-6));
            ck_assert_int_eq(opt->state[i].step, i == OPTIM_WITHOUT ? 0 : 3);
            tensor_free(start);
            optim_free(alone, one);
        }
        optim_free(opt, all);
    }
}
END_TEST

START_TEST(threads_do_not_change_a_step)
{
    for (int which = 0; which < 5; which++) {
        Module *m[3];
        Optimizer *opt[3];
        double norm[3];
        for (int k = 0; k < 3; k++) {
            parallel_set_threads(k + 1);
            m[k] = optim_many(0, OPTIM_SIZES);
            opt[k] = optim_rule(which, m[k]);
            optim_train(opt[k], 0);
            norm[k] = optimizer_clip_norm(opt[k], 1);
            ck_assert(norm[k] > 1 && norm[k] == norm[0]);
            for (int i = 0; i < OPTIM_SIZES; i++)
                ck_assert(tensor_same_bits(optim_value(opt[0], i), optim_value(opt[k], i)));
        }
        parallel_set_threads(0);
        for (int k = 0; k < 3; k++)
            optim_free(opt[k], m[k]);
    }
}
END_TEST

/* --- clipping --------------------------------------------------------------------------------- */

/* Two parameters with gradients (3, 0) and (0, 4), whose joint norm is 5. */
static Optimizer *optim_five(Module **m)
{
    *m = optim_holder(0, 0);
    module_add_param(*m, "other", tensor_zeros(SHAPE(OPTIM_N)));
    module_add_param(*m, "without", tensor_zeros(SHAPE(OPTIM_N)));
    Optimizer *opt = sgd_new(*m, 1, 0);
    opt->state[0].param.var->grad = tensor_from(SHAPE(OPTIM_N), (const real[]){3, 0});
    opt->state[1].param.var->grad = tensor_from(SHAPE(OPTIM_N), (const real[]){0, -4});
    return opt;
}

START_TEST(clip_norm_scales_all_gradients_together)
{
    Module *m;
    Optimizer *opt = optim_five(&m);
    ck_assert_double_eq(optimizer_clip_norm(opt, 5), 5); /* at most 5: nothing to do */
    ck_assert_tensor(opt->state[0].param.var->grad, SHAPE(OPTIM_N), 0, 3, 0);
    ck_assert_double_eq(optimizer_clip_norm(opt, 2.5), 5);
    ck_assert_tensor(opt->state[0].param.var->grad, SHAPE(OPTIM_N), net_tolerance, 1.5, 0);
    ck_assert_tensor(opt->state[1].param.var->grad, SHAPE(OPTIM_N), net_tolerance, 0, -2);
    ck_assert_ptr_null(opt->state[2].param.var->grad);
    optim_free(opt, m);
}
END_TEST

/* Whole numbers, so that the sum of squares is exact in any order. */
START_TEST(clip_norm_counts_every_element_once)
{
    Module *m = optim_many(0, OPTIM_SIZES);
    Optimizer *opt = sgd_new(m, 1, 0);
    double squares = 0;
    for (int i = 0; i < OPTIM_SIZES; i++) {
        if (i == OPTIM_WITHOUT)
            continue;
        Tensor *g = opt->state[i].param.var->grad = tensor_new(SHAPE(optim_sizes[i]));
        for (ptrdiff_t k = 0; k < optim_sizes[i]; k++) {
            tensor_write(g)[k] = (real)((k * 7 + i) % 11 - 5);
            squares += (double)tensor_read(g)[k] * (double)tensor_read(g)[k];
        }
    }
    ck_assert_double_eq(optimizer_clip_norm(opt, 1e9), sqrt(squares));
    tensor_write(opt->state[6].param.var->grad)[40000] = (real)NAN;
    ck_assert(isnan(optimizer_clip_norm(opt, 1)));
    optimizer_zero_grad(opt);
    ck_assert_double_eq(optimizer_clip_norm(opt, 1), 0); /* no gradient at all */
    optim_free(opt, m);
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

static void optim_live_and_die(void)
{
    Net *net = net_new(3, 4, 2);
    Optimizer *opt = adam_new(&net->base, (real)0.1);
    opt->group[0].amsgrad = true;
    optim_fill_gradients(opt, 1);
    optimizer_step(opt);
    ck_assert_ptr_nonnull(opt->state[3].slot[2]);
    optim_free(opt, &net->base);
    optimizer_free(NULL);
}

START_TEST(optimizer_free_frees_all)
{
    optim_live_and_die();
    uint64_t before = testing_blocks(), allocations = memory_counts().allocations;
    optim_live_and_die();
    ck_assert_uint_gt(memory_counts().allocations, allocations);
    ck_assert_uint_eq(testing_blocks(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optim");
    testing_add(suite, "sgd", 20, (const TTest *const[]){
        sgd_goes_against_the_gradient, sgd_decay_joins_the_gradient, sgd_momentum_adds_up,
        sgd_dampening_spares_the_first_step, sgd_nesterov_looks_ahead,
        sgd_takes_an_infinite_gradient_at_its_word, NULL});
    testing_add(suite, "adam", 20, (const TTest *const[]){
        adam_s_first_step_is_lr_times_the_sign, adam_stands_still_without_a_slope,
        adam_s_eps_stands_outside_the_root, adam_s_second_step_by_hand,
        amsgrad_keeps_the_largest_uncorrected_v, NULL});
    testing_add(suite, "decay", 20, (const TTest *const[]){
        adamw_shrinks_by_1_minus_lr_lambda, adam_with_l2_shrinks_by_lr_whatever_lambda, NULL});
    testing_add(suite, "custom", 20, (const TTest *const[]){
        a_rule_of_ones_own_is_one_function, NULL});
    testing_add(suite, "sizes", 60, (const TTest *const[]){
        a_step_treats_every_parameter_alike, threads_do_not_change_a_step, NULL});
    testing_add(suite, "clipping", 20, (const TTest *const[]){
        clip_norm_scales_all_gradients_together, clip_norm_counts_every_element_once,
        optimizer_free_frees_all, NULL});
    return testing_main(suite);
}
