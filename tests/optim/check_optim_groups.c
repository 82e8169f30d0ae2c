/* tests/optim/check_optim_groups.c -- which parameters a step changes, and with which settings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/capture.h"
#include "tests/optim/holder.h"

static bool optim_is_other(const Parameter *p)
{
    return strcmp(p->name, "other") == 0;
}

/* --- parameters without a gradient ------------------------------------------------------------ */

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

START_TEST(slots_a_rule_always_needs_are_allocated_at_once_others_when_used)
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

/* --- frozen parameters ------------------------------------------------------------------------ */

static Var *optim_loss(Module *net)
{
    return var_sum(var_square(module_forward(net, net_random(SHAPE(5, 3), 0))), ALL_AXES, false);
}

/* A frozen parameter keeps its value, step and slots, in spite of decay and momentum. Once it is
 * unfrozen, its training continues from them. */
static void optim_check_frozen(Optimizer *opt, Module *net, Module *part)
{
    Parameters all = module_parameters(net), frozen = module_parameters(part);
    Tensor *value = tensor_clone(frozen.item[0].var->value);
    Tensor *slot = tensor_clone(opt->state[0].slot[0]);
    module_freeze(part, NULL);
    for (int i = 0; i < 3; i++) {
        size_t mark = tape_mark();
        optimizer_zero_grad(opt);
        var_backward(optim_loss(net));
        optimizer_step(opt);
        tape_rewind(mark);
    }
    ck_assert(tensor_same_bits(frozen.item[0].var->value, value));
    ck_assert(tensor_same_bits(opt->state[0].slot[0], slot));
    for (int i = 0; i < all.count; i++)
        ck_assert_int_eq(opt->state[i].step, i < frozen.count ? 0 : 3);
    module_unfreeze(part, NULL);
    optimizer_zero_grad(opt);
    var_backward(optim_loss(net));
    optimizer_step(opt);
    ck_assert(!tensor_same_bits(frozen.item[0].var->value, value));
    ck_assert_int_eq(opt->state[0].step, 1);
    parameters_free(&all), parameters_free(&frozen);
    tensor_free(value), tensor_free(slot);
}

START_TEST(frozen_parameters_are_left_alone)
{
    for (int i = 0; i < 3; i++) {
        Net *net = net_new(3, 4, 2);
        Module *m = &net->base;
        Optimizer *opt = i == 0   ? sgd_new(m, (real)0.125, (real)0.5)
                         : i == 1 ? adam_new(m, (real)0.125)
                                  : adamw_new(m, (real)0.125);
        opt->group[0].weight_decay = (real)0.5;
        optim_check_frozen(opt, m, net->fc1);
        optim_free(opt, m);
    }
}
END_TEST

/* The norm is that of the gradients of the others, as if they were the whole network. */
START_TEST(clipping_skips_frozen_parameters)
{
    Net *net = net_new(3, 4, 2);
    Optimizer *whole = sgd_new(&net->base, (real)0.125, 0), *last = sgd_new(net->fc3, 1, 0);
    var_backward(optim_loss(&net->base));
    double all = optimizer_clip_norm(whole, HUGE_VAL), some = optimizer_clip_norm(last, HUGE_VAL);
    ck_assert(some < 0.99 * all);
    module_freeze(&net->base, NULL);
    module_unfreeze(net->fc3, NULL);
    optimizer_zero_grad(whole);
    var_backward(optim_loss(&net->base));
    ck_assert_close(optimizer_clip_norm(whole, some / 2), some, 1e-6 * some);
    ck_assert_close(optimizer_clip_norm(last, some), some / 2, 1e-6 * some);
    optimizer_free(last);
    optim_free(whole, &net->base);
}
END_TEST

/* If all parameters are frozen, a step without gradients is not a mistake. */
START_TEST(frozen_parameters_cause_no_warning)
{
    Module *m = optim_two();
    Optimizer *opt = sgd_new(m, (real)0.125, 0);
    module_freeze(m, NULL);
    capture_begin();
    optimizer_zero_grad(opt);
    ck_assert(optimizer_clip_norm(opt, 1) == 0);
    optimizer_step(opt);
    ck_assert_str_eq(capture_end(), "");
    module_unfreeze(m, optim_is_other);
    capture_begin();
    optimizer_step(opt);
    ck_assert_ptr_nonnull(strstr(capture_end(), "no parameter has ever had a gradient"));
    optim_free(opt, m);
}
END_TEST

/* --- groups ----------------------------------------------------------------------------------- */

static bool optim_is_bias(const Parameter *p)
{
    const char *dot = strrchr(p->name, '.');
    return dot && strcmp(dot, ".bias") == 0;
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

/* --- settings at construction ----------------------------------------------------------------- */

/* Asserts that the two optimizers take the same steps; frees them. */
static void optim_check_same(Optimizer *a, Module *m, Optimizer *b, Module *n)
{
    ck_assert_str_eq(a->type->name, b->type->name);
    ck_assert_str_eq(a->group[0].name, "all");
    for (int i = 0; i < 3; i++)
        optim_step(a, 1, 2), optim_step(b, 1, 2);
    ck_assert(tensor_same_bits(optim_value(a, 0), optim_value(b, 0)));
    optim_free(a, m), optim_free(b, n);
}

START_TEST(settings_may_be_given_at_construction)
{
    Module *m = optim_holder(1, -2), *n = optim_holder(1, -2);
    ParamGroup sgd = SGD_DEFAULTS, adam = ADAM_DEFAULTS, adamw = ADAMW_DEFAULTS;
    sgd.lr = (real)0.125, sgd.momentum = (real)0.5, sgd.weight_decay = (real)0.25;
    Optimizer *a = sgd_new_with(m, sgd), *b = sgd_new(n, (real)0.125, (real)0.5);
    ck_assert_ptr_nonnull(a->state[0].slot[0]);
    b->group[0].weight_decay = (real)0.25;
    optim_check_same(a, m, b, n);
    m = optim_holder(1, -2), n = optim_holder(1, -2);
    adam.weight_decay = (real)0.25, adam.amsgrad = true;
    a = adam_new_with(m, adam), b = adam_new(n, (real)1e-3);
    ck_assert_ptr_nonnull(a->state[0].slot[2]);
    b->group[0].weight_decay = (real)0.25, b->group[0].amsgrad = true;
    optim_check_same(a, m, b, n);
    m = optim_holder(1, -2), n = optim_holder(1, -2);
    adamw.weight_decay = 2, adamw.beta2 = (real)0.5;
    a = adamw_new_with(m, adamw), b = adamw_new(n, (real)1e-3);
    b->group[0].weight_decay = 2, b->group[0].beta2 = (real)0.5;
    optim_check_same(a, m, b, n);
}
END_TEST

/* sgd_new and the others start from these constants. */
START_TEST(the_defaults_are_pytorchs)
{
    const ParamGroup s = SGD_DEFAULTS, a = ADAM_DEFAULTS, w = ADAMW_DEFAULTS;
    ck_assert(s.lr == (real)1e-3 && a.lr == s.lr && w.lr == s.lr);
    ck_assert(s.momentum == 0 && s.dampening == 0 && !s.nesterov && s.weight_decay == 0);
    ck_assert(a.beta1 == (real)0.9 && a.beta2 == (real)0.999 && a.eps == (real)1e-8);
    ck_assert(w.beta1 == (real)0.9 && w.beta2 == (real)0.999 && w.eps == (real)1e-8);
    ck_assert(a.weight_decay == 0 && w.weight_decay == (real)0.01 && !a.amsgrad && !w.amsgrad);
}
END_TEST

START_TEST(settings_from_scratch_or_of_another_rule_are_refused)
{
    Module *m = optim_holder(1, -2);
    ParamGroup scratch = {.lr = (real)0.125, .momentum = (real)0.9}, low = ADAMW_DEFAULTS;
    uint64_t before = testing_blocks();
    ck_assert_fails(sgd_new_with(m, scratch), "sgd_new_with: the settings did not start as a copy "
                    "of SGD_DEFAULTS; write `ParamGroup settings = SGD_DEFAULTS;`, then change "
                    "those that differ");
    ck_assert_fails(adam_new_with(m, scratch), "adam_new_with: the settings did not start as a "
                    "copy of ADAM_DEFAULTS");
    ck_assert_fails(adamw_new_with(m, scratch), "a copy of ADAMW_DEFAULTS; write");
    ck_assert_fails(adam_new_with(m, SGD_DEFAULTS), "adam_new_with: the settings did not start");
    ck_assert_fails(adamw_new_with(m, ADAM_DEFAULTS), "adamw_new_with: the settings did not start");
    ck_assert_fails(sgd_new_with(m, ADAMW_DEFAULTS), "sgd_new_with: the settings did not start");
    low.weight_decay = -1;
    ck_assert_fails(adamw_new_with(m, low), "adamw_new_with: the weight decay is -1; expected 0 or "
                    "more");
    ck_assert_fails(adamw_new_with(NULL, ADAMW_DEFAULTS), "adamw_new_with: the module is NULL");
    ck_assert_uint_eq(testing_blocks(), before);
    module_free(m);
}
END_TEST

/* --- settings that a rule declares ------------------------------------------------------------ */

/* theta <- theta - lr (g + pull theta). The first slot is needed if `twice` is not 0. */
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

/* The first group starts with the defaults, a new one with the first's settings; then each has its
 * own. */
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

/* Weight decay, for example. Settings that the rule declares start with its own defaults. */
START_TEST(a_rule_of_ones_own_takes_settings_too)
{
    Module *m = optim_holder(1, -2);
    ParamGroup settings = {.lr = (real)0.5, .weight_decay = (real)0.25};
    Optimizer *opt = optimizer_new_with(m, &optim_pull, settings, "pull_new");
    ck_assert(opt->group[0].lr == (real)0.5 && opt->group[0].weight_decay == (real)0.25);
    ck_assert(opt->group[0].own[OPTIM_PULL] == (real)-0.5);
    settings.own[OPTIM_PULL] = 2;
    ck_assert_fails(optimizer_new_with(m, &optim_pull, settings, "pull_new"), "pull_new: the "
                    "settings have .own[0] = 2, but .own starts with the defaults that Pull "
                    "declares; set it in opt->group[0] afterwards, then call "
                    "optimizer_make_slots");
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
    optim_refuse_own(m, "pull", 0, "'pull', but another of its settings has that name; give it");
    optim_refuse_own(m, "", 0, "the setting '' of Pull has a name of 0 bytes; expected 1 to 31");
    optim_refuse_own(m, "a_name_of_32_bytes_is_1_too_long", 0, "has a name of 32 bytes");
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

int main(void)
{
    Suite *suite = suite_create("optim groups");
    testing_add(suite, "skipping", 20, (const TTest *const[]){
        a_parameter_without_gradient_is_left_alone,
        slots_a_rule_always_needs_are_allocated_at_once_others_when_used,
        momentum_switched_on_late_starts_from_that_gradient,
        a_step_between_forward_and_backward_is_named, NULL});
    testing_add(suite, "frozen", 20, (const TTest *const[]){
        frozen_parameters_are_left_alone, clipping_skips_frozen_parameters,
        frozen_parameters_cause_no_warning, NULL});
    testing_add(suite, "groups", 20, (const TTest *const[]){
        a_predicate_makes_a_group, slopes_do_not_decay_after_one_call,
        a_rule_may_declare_settings_of_its_own, a_rule_of_ones_own_takes_settings_too,
        settings_that_a_checkpoint_could_not_hold_are_refused,
        settings_may_be_given_at_construction, the_defaults_are_pytorchs,
        settings_from_scratch_or_of_another_rule_are_refused, NULL});
    return testing_main(suite);
}
