/* tests/optim/check_optim_misuse.c -- what an optimizer refuses, and what causes a warning.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/memory.h"
#include "tensor/poison.h"
#include "tests/capture.h"
#include "tests/optim/holder.h"

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

/* --- misuse ----------------------------------------------------------------------------------- */

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

int main(void)
{
    Suite *suite = suite_create("optim misuse");
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
    return testing_main(suite);
}
