/* tests/optim/check_optim.c -- single steps computed by hand, groups, clipping, skipped parameters.
 *
 *  - tests/golden/check_golden.c compares ten steps of every rule with PyTorch's; here each value
 *    can be verified by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "optim/optimizer.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tensor/poison.h"
#include "tests/capture.h"
#include "tests/net.h"

/* --- shared by the tests ---------------------------------------------------------------------- */

enum { OPTIM_N = 2 };

/* A module that holds one parameter, "weight" (2), with the values p and q. */
static Module *optim_holder(double p, double q)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    module_add_param(m, "weight", tensor_from(SHAPE(OPTIM_N), (const real[]){(real)p, (real)q}));
    return m;
}

/* Sets the first parameter's gradient and takes a step. */
static void optim_step(Optimizer *opt, double p, double q)
{
    optimizer_zero_grad(opt);
    opt->state[0].param.var->grad = tensor_from(SHAPE(OPTIM_N), (const real[]){(real)p, (real)q});
    optimizer_step(opt);
}

#define optim_check(m, p, q)                                                                      \
    ck_assert_tensor(module_param((m), "weight")->value, SHAPE(OPTIM_N), net_tolerance, (p), (q))

static void optim_free(Optimizer *opt, Module *m)
{
    optimizer_free(opt);
    module_free(m);
}

static const Tensor *optim_value(const Optimizer *opt, int i)
{
    return opt->state[i].param.var->value;
}

/* Sets all elements of every parameter's gradient to this value. */
static void optim_fill_gradients(Optimizer *opt, real value)
{
    optimizer_zero_grad(opt);
    for (int i = 0; i < opt->n_params; i++) {
        Var *p = opt->state[i].param.var;
        p->grad = tensor_full(var_shape(p), value);
    }
}

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

/* --- Adam ------------------------------------------------------------------------------------- */

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

/* --- parameters without a gradient ------------------------------------------------------------ */

/* The holder with a second parameter, "other". */
static Module *optim_two(void)
{
    Module *m = optim_holder(1, -2);
    module_add_param(m, "other", tensor_zeros(SHAPE(OPTIM_N)));
    return m;
}

/* A parameter without a gradient is skipped, also by decay, momentum and the step count. */
static void optim_check_skips(Optimizer *opt, Module *m)
{
    opt->group[0].weight_decay = (real)0.5;
    optim_step(opt, 1, 1);
    Tensor *before = tensor_clone(optim_value(opt, 0));
    unsigned version = atomic_load(&optim_value(opt, 0)->storage->version);
    optimizer_zero_grad(opt);
    ck_assert_ptr_null(opt->state[0].param.var->grad);
    opt->state[1].param.var->grad = tensor_full(SHAPE(OPTIM_N), 1);
    optimizer_step(opt);
    ck_assert(tensor_same_bits(optim_value(opt, 0), before));
    ck_assert_uint_eq(atomic_load(&optim_value(opt, 0)->storage->version), version);
    ck_assert_int_eq(opt->state[0].step, 1);
    ck_assert_int_eq(opt->state[1].step, 1); /* it was skipped in the first step */
    tensor_free(before);
    optim_free(opt, m);
}

START_TEST(a_parameter_without_gradient_is_left_alone)
{
    Module *m = optim_two();
    optim_check_skips(sgd_new(m, (real)0.125, (real)0.5), m);
    m = optim_two();
    optim_check_skips(adam_new(m, (real)0.125), m);
    m = optim_two();
    optim_check_skips(adamw_new(m, (real)0.125), m);
}
END_TEST

START_TEST(what_a_rule_always_needs_is_made_at_once_the_rest_when_needed)
{
    Module *m = optim_holder(1, -2);
    Optimizer *opt = adam_new(m, (real)0.125);
    ck_assert(opt->state[0].slot[0] && opt->state[0].slot[1] && !opt->state[0].slot[2]);
    opt->group[0].amsgrad = true;
    optim_step(opt, 1, 1);
    ck_assert(opt->state[0].slot[2]);
    optim_free(opt, m);
    m = optim_holder(1, -2);
    opt = sgd_new(m, (real)0.125, 0);
    optim_step(opt, 1, 1);
    ck_assert(!opt->state[0].slot[0]);
    optim_free(opt, m);
}
END_TEST

static void optim_check_late_momentum(bool made_before)
{
    Module *m = optim_holder(1, -2);
    Optimizer *opt = sgd_new(m, (real)0.5, 0);
    optim_step(opt, 1, 1);
    opt->group[0].momentum = (real)0.5, opt->group[0].dampening = (real)0.75;
    if (made_before)
        optimizer_make_slots(opt);
    double before = (double)tensor_read(optim_value(opt, 0))[0];
    optim_step(opt, 1, 1);
    ck_assert_close(before - (double)tensor_read(optim_value(opt, 0))[0], 0.5, 1e-6);
    optim_free(opt, m);
}

/* As in PyTorch, the buffer starts as the gradient of the first step with momentum, even if it was
 * allocated before: by a call, or by a step that then had no memory for another one. */
START_TEST(momentum_switched_on_late_starts_from_that_gradient)
{
    optim_check_late_momentum(false);
    optim_check_late_momentum(true);
}
END_TEST

START_TEST(a_step_between_forward_and_backward_is_named)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = sgd_new(m, (real)0.1, 0);
    Var *loss = var_sum(var_square(module_forward(m, net_random(SHAPE(3, 2), 0))), ALL_AXES, false);
    optim_fill_gradients(opt, 1);
    optimizer_step(opt);
    ck_assert_fails(var_backward(loss), "'weight' (2, 2) was written to after linear");
    optim_free(opt, m);
}
END_TEST

/* --- groups ----------------------------------------------------------------------------------- */

static bool optim_is_bias(const Parameter *p)
{
    const char *dot = strrchr(p->name, '.');
    return dot && strcmp(dot, ".bias") == 0;
}

static bool optim_is_any(const Parameter *p)
{
    return p->var != NULL;
}

static bool optim_is_other(const Parameter *p)
{
    return strcmp(p->name, "other") == 0;
}

static char optim_number;
static bool optim_is_number(const Parameter *p)
{
    return p->name[0] == optim_number;
}

START_TEST(a_predicate_makes_a_group)
{
    Net *net = net_new(3, 4, 2);
    Optimizer *opt = sgd_new(&net->base, 1, 0);
    ParamGroup *biases = optimizer_split(opt, "biases", optim_is_bias);
    ck_assert_str_eq(biases->name, "biases");
    ck_assert(biases->lr == 1 && biases == &opt->group[1] && opt->n_groups == 2);
    biases->lr = 0;
    for (int i = 0; i < opt->n_params; i++)
        tensor_fill(opt->state[i].param.var->value, 5);
    optim_fill_gradients(opt, 2);
    optimizer_step(opt);
    for (int i = 0; i < opt->n_params; i++)
        ck_assert(tensor_read(optim_value(opt, i))[0] ==
                  (optim_is_bias(&opt->state[i].param) ? 5 : 3));
    optimizer_set_lr(opt, (real)0.5);
    ck_assert(opt->group[0].lr == (real)0.5 && opt->group[1].lr == (real)0.5);
    optim_free(opt, &net->base);
}
END_TEST

START_TEST(slopes_do_not_decay_after_one_call)
{
    Net *net = net_new(3, 4, 2);
    Optimizer *opt = adamw_new(&net->base, (real)0.125);
    opt->group[0].weight_decay = (real)0.5;
    ParamGroup *slopes = optimizer_no_decay_on_slopes(opt);
    ck_assert(slopes->weight_decay == 0 && slopes->lr == (real)0.125);
    for (int i = 0; i < opt->n_params; i++)
        tensor_fill(opt->state[i].param.var->value, 1);
    optim_fill_gradients(opt, 0);
    optimizer_step(opt);
    for (int i = 0; i < opt->n_params; i++) {
        bool slope = parameter_is_slope(&opt->state[i].param);
        ck_assert_int_eq(slope, i == 2 || i == 5);
        ck_assert(tensor_read(optim_value(opt, i))[0] == (slope ? 1 : (real)0.9375));
    }
    optim_free(opt, &net->base);
}
END_TEST

/* --- the network that it trains --------------------------------------------------------------- */

START_TEST(an_optimizer_of_another_network_is_refused)
{
    Module *net = SEQUENTIAL(linear_new(2, 2)), *other = SEQUENTIAL(linear_new(2, 2));
    Optimizer *opt = sgd_new(net, 1, 0);
    optimizer_check_covers(opt, net, "a_program");
    ck_assert_fails(optimizer_check_covers(opt, other, "a_program"),
                    "a_program: the optimizer holds none of the network's parameters");
    module_free(net); /* the freed module is not read */
    ck_assert_fails(optimizer_check_covers(opt, other, "a_program"), "holds none");
    optim_free(opt, other);
}
END_TEST

/* A layer is added to the network itself or, if `deep`, to a part of it. */
static void optim_check_late_layer(bool deep)
{
    Module *inner = SEQUENTIAL(linear_new(2, 2)), *net = SEQUENTIAL(inner, linear_new(2, 2));
    Optimizer *opt = sgd_new(net, 1, 0), *of_part = sgd_new(inner, 1, 0);
    module_add_child(deep ? inner : net, "late", linear_new_without_bias(2, 3));
    ck_assert_fails(optimizer_check_covers(opt, net, "a_program"),
                    deep ? "does not hold '0.late.weight', which was added"
                         : "does not hold 'late.weight', which was added");
    if (deep) {
        ck_assert_fails(optimizer_check_covers(opt, inner, "a_program"), "'late.weight'");
        ck_assert_fails(optimizer_check_covers(of_part, net, "a_program"), "'late.weight'");
    }
    optimizer_free(of_part);
    optim_free(opt, net);
}

START_TEST(an_optimizer_created_before_a_layer_is_refused)
{
    optim_check_late_layer(false);
    optim_check_late_layer(true);
}
END_TEST

/* One optimizer holds only the head of the network; the other holds more than the head. */
START_TEST(an_optimizer_of_a_part_or_of_a_larger_network_passes)
{
    Module *body = SEQUENTIAL(linear_new(2, 2)), *head = linear_new(2, 2);
    Module *net = SEQUENTIAL(body, head);
    Optimizer *of_head = sgd_new(head, 1, 0), *of_all = sgd_new(net, 1, 0);
    module_add_child(body, "late", linear_new(2, 2));
    optimizer_check_covers(of_head, net, "a_program"); /* the head is complete */
    optimizer_check_covers(of_all, head, "a_program");
    ck_assert_fails(optimizer_check_covers(of_head, body, "a_program"), "holds none");
    optimizer_free(of_head);
    optim_free(of_all, net);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

START_TEST(a_refusal_names_the_constructor)
{
    Module *m = optim_holder(0, 0), *empty = relu_new();
    ck_assert_fails(sgd_new(m, -1, 0), "sgd_new: the learning rate is -1; expected 0 or more");
    ck_assert_fails(sgd_new(m, 1, (real)NAN), "sgd_new: the momentum is nan; expected 0 or more");
    ck_assert_fails(adam_new(m, (real)NAN), "adam_new: the learning rate is nan; expected 0 or");
    ck_assert_fails(adamw_new(m, (real)HUGE_VAL), "adamw_new: the learning rate is inf; expected a "
                    "finite number");
    ck_assert_fails(adam_new(NULL, 1), "adam_new: the module is NULL");
    ck_assert_fails(sgd_new(NULL, 1, 0), "sgd_new: the module is NULL");
    ck_assert_fails(optimizer_new(m, NULL, 1), "optimizer_new: the type is NULL");
    uint64_t before = testing_blocks();
    ck_assert_fails(adamw_new(empty, 1), "adamw_new: ReLU has no parameters to train");
    ck_assert_uint_eq(testing_blocks(), before);
    ck_assert_fails(optimizer_make_slots(NULL), "optimizer_make_slots: the optimizer is NULL");
    ck_assert_fails(optimizer_check_covers(NULL, m, "fit"), "fit: the optimizer is NULL");
    Optimizer *opt = sgd_new(m, 1, 0);
    ck_assert_fails(optimizer_check_covers(opt, NULL, "fit"), "fit: the network is NULL");
    optimizer_free(opt);
    module_free(m), module_free(empty);
}
END_TEST

/* A step refuses what a constructor would have refused, and changes no parameter. */
START_TEST(a_step_checks_the_settings_of_every_group)
{
    const struct { size_t at; double value; const char *text; } bad[] = {
        {offsetof(ParamGroup, lr), -0.5, "the learning rate of group 'late' is -0.5; expected 0"},
        {offsetof(ParamGroup, lr), (double)NAN, "the learning rate of group 'late' is "},
        {offsetof(ParamGroup, weight_decay), -1, "the weight decay of group 'late' is -1; "},
        {offsetof(ParamGroup, momentum), -1, "the momentum of group 'late' is -1; expected 0 or"},
        {offsetof(ParamGroup, dampening), 1, "the dampening of group 'late' is 1; expected at "},
        {offsetof(ParamGroup, beta1), 1, "the setting beta1 of group 'late' is 1; expected at "
                                         "least 0 and less than 1"},
        {offsetof(ParamGroup, beta2), -1, "the setting beta2 of group 'late' is -1; expected at"},
        {offsetof(ParamGroup, eps), HUGE_VAL, "the setting eps of group 'late' is inf; expected a"},
        {offsetof(ParamGroup, lr), (double)-HUGE_VAL, "is -inf; expected 0 or more"}};
    Module *m = optim_two();
    Optimizer *opt = adam_new(m, 1);
    ParamGroup *late = optimizer_split(opt, "late", optim_is_other), good = *late;
    optim_fill_gradients(opt, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        real value = (real)bad[i].value;
        memcpy((char *)late + bad[i].at, &value, sizeof value);
        ck_assert_fails(optimizer_step(opt), bad[i].text);
        ck_assert_fails(optimizer_step(opt), "optimizer_step: the ");
        *late = good;
    }
    ck_assert_fails(optimizer_set_lr(opt, (real)-0.0025), "optimizer_set_lr: the learning rate is "
                    "-0.0025; expected 0 or more");
    ck_assert(opt->group[0].lr == 1 && late->lr == 1);
    optim_check(m, 1, -2);
    optimizer_step(opt);
    optim_free(opt, m);
}
END_TEST

/* As in PyTorch. */
START_TEST(nesterov_needs_momentum_and_no_dampening)
{
    Module *m = optim_holder(0, 0);
    Optimizer *opt = sgd_new(m, 1, 0);
    opt->group[0].nesterov = true;
    optim_fill_gradients(opt, 1);
    ck_assert_fails(optimizer_step(opt), "the momentum of group 'all' is 0; expected more than 0, "
                    "because nesterov is set");
    opt->group[0].momentum = (real)0.5, opt->group[0].dampening = (real)0.25;
    ck_assert_fails(optimizer_step(opt), "the dampening of group 'all' is 0.25; expected 0, "
                    "because nesterov is set");
    opt->group[0].dampening = 0;
    optimizer_step(opt);
    optim_free(opt, m);
}
END_TEST

/* A refused split changes nothing. */
START_TEST(an_impossible_split_is_refused)
{
    Net *net = net_new(3, 4, 2);
    Optimizer *opt = adamw_new(&net->base, 1);
    optimizer_no_decay_on_slopes(opt);
    ck_assert_fails(optimizer_split(opt, "all of it", optim_is_any), "optimizer_split: "
                    "'prelu1.weight' is already in group 'slopes'; the predicate of the new group "
                    "must exclude it");
    ck_assert_fails(optimizer_no_decay_on_slopes(opt), "optimizer_no_decay_on_slopes: "
                    "'prelu1.weight' is already in group 'slopes'");
    ck_assert_fails(optimizer_split(NULL, "any", optim_is_any), "optimizer_split: the optimizer is "
                    "NULL");
    ck_assert_fails(optimizer_no_decay_on_slopes(NULL), "optimizer_no_decay_on_slopes: the "
                    "optimizer is NULL");
    ck_assert_fails(optimizer_split(opt, "others", optim_is_other), "group 'others' would be "
                    "empty, because its predicate holds for no parameter");
    ck_assert_fails(optimizer_split(opt, NULL, optim_is_any), "the name is NULL");
    ck_assert_fails(optimizer_split(opt, "any", NULL), "the predicate is NULL");
    ck_assert_int_eq(opt->n_groups, 2);
    for (int i = 0; i < opt->n_params; i++)
        ck_assert_int_eq(opt->state[i].group, i == 2 || i == 5);
    optimizer_free(opt);
    opt = adamw_new(&net->base, 1);
    optimizer_split(opt, "all of it", optim_is_any);
    ck_assert_fails(optimizer_no_decay_on_slopes(opt), "'prelu1.weight' is already in group 'all "
                    "of it'; call optimizer_no_decay_on_slopes only once and before that split, "
                    "and exclude slopes (parameter_is_slope) from its predicate");
    optim_free(opt, &net->base);
}
END_TEST

/* A program that compares ReLU with PReLU may call it for both. */
START_TEST(a_network_without_slopes_gets_an_empty_group_and_a_warning)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = adamw_new(m, 1), *second = adamw_new(m, 1);
    capture_begin();
    ParamGroup *slopes = optimizer_no_decay_on_slopes(opt);
    optimizer_no_decay_on_slopes(second);
    ck_assert_str_eq(capture_end(), "slope: optimizer_no_decay_on_slopes: warning: the network has "
                     "no PReLU, so the new group 'slopes' is empty\n");
    ck_assert(slopes == &opt->group[1] && slopes->weight_decay == 0);
    ck_assert(opt->group[0].weight_decay == (real)0.01);
    for (int i = 0; i < opt->n_params; i++)
        ck_assert_int_eq(opt->state[i].group, 0);
    optim_fill_gradients(opt, 1);
    optimizer_step(opt);
    optimizer_free(second);
    optim_free(opt, m);
}
END_TEST

START_TEST(the_number_of_groups_is_limited)
{
    Module *m = optim_holder(0, 0);
    for (int i = 1; i < OPTIMIZER_GROUPS; i++)
        module_add_param(m, (const char[]){(char)('0' + i), '\0'}, tensor_zeros(SHAPE(1)));
    Optimizer *opt = sgd_new(m, 1, 0);
    for (optim_number = '1'; optim_number < '0' + OPTIMIZER_GROUPS; optim_number++)
        optimizer_split(opt, "more", optim_is_number);
    ck_assert_fails(optimizer_split(opt, "more", optim_is_number), "at most 8 groups");
    optim_free(opt, m);
}
END_TEST

/* --- the order of calls ----------------------------------------------------------------------- */

/* Accumulates the gradients of a loss that depends on all parameters. */
static void optim_backward(Module *m)
{
    Var *y = module_forward(m, var_full(SHAPE(3, 2), 1));
    var_backward(var_sum(var_square(y), ALL_AXES, false));
}

/* It is not a failure: a batch may not use the head that the optimizer trains. */
START_TEST(a_step_before_any_backward_causes_a_warning)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = sgd_new(m, (real)0.1, 0);
    capture_begin();
    optimizer_step(opt), optimizer_step(opt);
    ck_assert_str_eq(capture_end(), "slope: optimizer_step: warning: no parameter has ever had a "
                     "gradient; before a step, call optimizer_zero_grad, then var_backward on a "
                     "loss that depends on the parameters of the network that the optimizer was "
                     "created from\n");
    ck_assert_int_eq(opt->state[0].step, 0);
    optim_free(opt, m);
}
END_TEST

START_TEST(a_later_step_without_gradients_does_nothing)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = sgd_new(m, (real)0.1, (real)0.5);
    optim_backward(m);
    optimizer_step(opt);
    optimizer_zero_grad(opt);
    Tensor *before = tensor_clone(optim_value(opt, 0));
    capture_begin();
    optimizer_step(opt);
    ck_assert_str_eq(capture_end(), "");
    ck_assert(tensor_same_bits(optim_value(opt, 0), before));
    ck_assert_int_eq(opt->state[0].step, 1);
    tensor_free(before);
    tape_rewind(0);
    optim_free(opt, m);
}
END_TEST

/* Takes a step, then clears the gradients in one of three ways. */
static void optim_step_and_clear(Optimizer *opt, int how)
{
    optimizer_step(opt);
    for (int i = 0; i < opt->n_params; i++) {
        Var *p = opt->state[i].param.var;
        if (how == 0) {
            var_zero_grad(p);
        } else if (how == 1) {
            tensor_fill(p->grad, 0);
        } else {
            tensor_free(p->grad);
            p->grad = NULL;
        }
    }
}

/* A warning, not a failure, because it is legal. Accumulating or clipping gradients, using a second
 * optimizer, and clearing gradients by other means cause no warning. */
START_TEST(gradients_that_were_not_cleared_cause_a_warning)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = sgd_new(m, (real)1e-3, 0), *second = sgd_new(m, (real)1e-3, 0);
    capture_begin();
    for (int how = 0; how < 3; how++)
        for (int step = 0; step < 3; step++) {
            optim_backward(m);
            if (step == 2) {
                optim_backward(m);
                optimizer_clip_norm(opt, 0.5);
            }
            optimizer_step(second);
            optim_step_and_clear(opt, how);
        }
    optimizer_zero_grad(opt);
    optim_backward(m);
    optimizer_step(opt);
    ck_assert_str_eq(capture_end(), "");
    capture_begin();
    optim_backward(m), optim_backward(m);
    optimizer_clip_norm(opt, 0.5);
    optimizer_step(opt);
    ck_assert_str_eq(capture_end(), "slope: optimizer_step: warning: the gradient of 'weight' "
                     "still includes the one that the last step used; call optimizer_zero_grad "
                     "between a step and the next backward pass\n");
    capture_begin();
    optim_backward(m);
    optimizer_step(opt);
    ck_assert_str_eq(capture_end(), "");
    tape_rewind(0);
    optimizer_free(second);
    optim_free(opt, m);
}
END_TEST

/* Replaces every gradient with a new tensor of zeros, written as many times as the last one. */
static void optim_replace_gradients(const Optimizer *opt)
{
    for (int i = 0; i < opt->n_params; i++) {
        Var *p = opt->state[i].param.var;
        tensor_free(p->grad);
        p->grad = tensor_zeros(var_shape(p));
    }
}

/* The new tensor may have the old one's address and have been written as many times. */
START_TEST(replaced_gradients_cause_no_warning)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = sgd_new(m, (real)1e-3, 0);
    capture_begin();
    for (int step = 0; step < 3; step++) {
        optim_replace_gradients(opt);
        optimizer_step(opt);
        optim_replace_gradients(opt);
        optim_backward(m);
    }
    ck_assert_str_eq(capture_end(), "");
    tape_rewind(0);
    optim_free(opt, m);
}
END_TEST

/* Takes steps whose forward passes grow longer and longer; if `kept`, the tape is not rewound. */
static void optim_lengthen(Optimizer *opt, Module *m, int steps, bool kept)
{
    for (int step = 0; step < steps; step++) {
        size_t mark = tape_mark();
        for (int i = 0; i < step; i++)
            var_scalar(0);
        optimizer_zero_grad(opt);
        optim_backward(m);
        optimizer_step(opt);
        if (!kept)
            tape_rewind(mark);
    }
}

START_TEST(a_tape_that_is_never_rewound_causes_a_warning)
{
    Module *m = linear_new(2, 2);
    Optimizer *opt = sgd_new(m, (real)1e-3, 0);
    capture_begin();
    optim_lengthen(opt, m, 100, false);
    optim_lengthen(opt, m, 60, true);
    tape_rewind(0);
    optim_lengthen(opt, m, 60, true);
    tape_rewind(0);
    ck_assert_str_eq(capture_end(), "");
    capture_begin();
    optim_lengthen(opt, m, 65, true);
    const char *text = capture_end();
    ck_assert_msg(strstr(text, "slope: optimizer_step: warning: the tape grew in each of the last "
                         "64 steps and now holds ") == text, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "call tape_mark before each forward pass"));
    tape_rewind(0);
    optim_free(opt, m);
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

/* theta <- theta - lr (g + pull theta), and the first slot is needed if `twice` is set. */
enum { OPTIM_PULL, OPTIM_TWICE };

static void optim_pull_update(const ParamGroup *group, const ParamRun *run)
{
    for (ptrdiff_t i = 0; i < run->n; i++)
        run->theta[i] -= group->lr * (run->g[i] + group->own[OPTIM_PULL] * run->theta[i]);
}

static int optim_pull_needs(const ParamGroup *group)
{
    return group->own[OPTIM_TWICE] != 0;
}

static const OptimizerType optim_pull = {
    .name = "Pull", .slots = 1, .update = optim_pull_update, .needs = optim_pull_needs,
    .own = {[OPTIM_PULL] = {"pull", (real)-0.5}, [OPTIM_TWICE] = {"twice", 0}}};

/* Each group starts with the defaults, a new one with the first's settings, and has its own. */
START_TEST(a_rule_may_declare_settings_of_its_own)
{
    Module *m = optim_two();
    Optimizer *opt = optimizer_new(m, &optim_pull, (real)0.5);
    ck_assert(opt->group[0].own[OPTIM_PULL] == (real)-0.5 && opt->group[0].own[OPTIM_TWICE] == 0);
    ck_assert(opt->group[0].own[2] == 0 && opt->group[0].own[3] == 0);
    opt->group[0].own[OPTIM_PULL] = 1;
    ParamGroup *late = optimizer_split(opt, "late", optim_is_other);
    ck_assert(late->own[OPTIM_PULL] == 1);
    late->own[OPTIM_PULL] = 0, late->own[OPTIM_TWICE] = 1;
    optimizer_make_slots(opt);
    ck_assert(!opt->state[0].slot[0] && opt->state[1].slot[0]);
    optim_fill_gradients(opt, 1);
    optimizer_step(opt);
    optim_check(m, 0, -1.5); /* (1, -2) - (1 + 1, 1 - 2) / 2 */
    ck_assert_tensor(optim_value(opt, 1), SHAPE(OPTIM_N), net_tolerance, -0.5, -0.5);
    optim_free(opt, m);
}
END_TEST

static void optim_refuse_own(Module *m, const char *name, real value, const char *text)
{
    OptimizerType type = optim_pull;
    type.own[2].name = name, type.own[2].value = value;
    uint64_t before = testing_blocks();
    ck_assert_fails(optimizer_new(m, &type, 1), text);
    ck_assert_uint_eq(testing_blocks(), before);
}

START_TEST(settings_that_a_checkpoint_could_not_hold_are_refused)
{
    static const char *const taken[] = {"lr", "weight_decay", "momentum", "dampening", "beta1",
                                        "beta2", "eps", "nesterov", "amsgrad"};
    Module *m = optim_holder(1, -2);
    for (int i = 0; i < 9; i++) {
        char text[128];
        snprintf(text, sizeof text, "optimizer_new: Pull declares the setting '%s', but every "
                 "group has one of that name; give it another name", taken[i]);
        optim_refuse_own(m, taken[i], 0, text);
    }
    optim_refuse_own(m, "pull", 0, "the setting 'pull', but it has declared it before; give it");
    optim_refuse_own(m, "", 0, "the setting '' of Pull has a name of 0 bytes; expected 1 to 31");
    optim_refuse_own(m, "a_name_of_32_bytes_is_one_too_lon", 0, "has a name of 33 bytes");
    optim_refuse_own(m, "third", (real)NAN, "optimizer_new: the setting third is ");
    optim_refuse_own(m, "third", (real)-HUGE_VAL, "the setting third is -inf; expected a finite");
    Optimizer *opt = optimizer_new(m, &optim_pull, (real)0.5);
    optim_fill_gradients(opt, 1);
    opt->group[0].own[OPTIM_TWICE] = (real)NAN;
    ck_assert_fails(optimizer_step(opt), "optimizer_step: the setting twice of group 'all' is ");
    opt->group[0].own[OPTIM_TWICE] = (real)HUGE_VAL;
    ck_assert_fails(optimizer_step(opt), "of group 'all' is inf; expected a finite number");
    optim_check(m, 1, -2);
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

#if !defined(MEMORY_ASAN) && !defined(SLOPE_NO_POOL) /* ASan and valgrind report it themselves */
START_TEST(an_optimizer_that_outlives_its_network_is_refused)
{
    Module *net = linear_new(2, 1);
    Optimizer *opt = sgd_new(net, (real)0.1, 0);
    module_free(net);
    ck_assert_fails(optimizer_step(opt), "optimizer_step: the parameter 'weight' has been freed; "
                    "free the optimizer before the network");
    ck_assert_fails(optimizer_zero_grad(opt), "optimizer_zero_grad: the parameter 'weight' has");
    ck_assert_fails(optimizer_clip_norm(opt, 1), "optimizer_clip_norm: the parameter 'weight' has");
    optimizer_free(opt);
}
END_TEST
#endif

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
    testing_add(suite, "skipping", 20, (const TTest *const[]){
        a_parameter_without_gradient_is_left_alone,
        what_a_rule_always_needs_is_made_at_once_the_rest_when_needed,
        momentum_switched_on_late_starts_from_that_gradient,
        a_step_between_forward_and_backward_is_named, NULL});
    testing_add(suite, "groups", 20, (const TTest *const[]){
        a_predicate_makes_a_group, slopes_do_not_decay_after_one_call,
        a_rule_of_ones_own_is_one_function, a_rule_may_declare_settings_of_its_own,
        settings_that_a_checkpoint_could_not_hold_are_refused, NULL});
    testing_add(suite, "misuse", 20, (const TTest *const[]){
        a_refusal_names_the_constructor, a_step_checks_the_settings_of_every_group,
        nesterov_needs_momentum_and_no_dampening, an_impossible_split_is_refused,
        a_network_without_slopes_gets_an_empty_group_and_a_warning,
        the_number_of_groups_is_limited, NULL});
    testing_add(suite, "order", 20, (const TTest *const[]){
        a_step_before_any_backward_causes_a_warning, a_later_step_without_gradients_does_nothing,
        gradients_that_were_not_cleared_cause_a_warning, replaced_gradients_cause_no_warning,
        a_tape_that_is_never_rewound_causes_a_warning, NULL});
    testing_add(suite, "network", 20, (const TTest *const[]){
        an_optimizer_of_another_network_is_refused, an_optimizer_created_before_a_layer_is_refused,
        an_optimizer_of_a_part_or_of_a_larger_network_passes,
#if !defined(MEMORY_ASAN) && !defined(SLOPE_NO_POOL)
        an_optimizer_that_outlives_its_network_is_refused,
#endif
        NULL});
    testing_add(suite, "sizes", 60, (const TTest *const[]){
        a_step_treats_every_parameter_alike, threads_do_not_change_a_step, NULL});
    testing_add(suite, "clipping", 20, (const TTest *const[]){
        clip_norm_scales_all_gradients_together, clip_norm_counts_every_element_once,
        optimizer_free_frees_all, NULL});
    return testing_main(suite);
}
