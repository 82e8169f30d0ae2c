/* tests/optim/check_optim_groups.c -- which parameters a step changes, and with which settings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/optim/holder.h"

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

/* --- settings that a rule declares -------------------------------------------------------------- */

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

static bool optim_is_second(const Parameter *p)
{
    return strcmp(p->name, "other") == 0;
}

/* Each group starts with the defaults, a new one with the first's settings, and has its own. */
START_TEST(a_rule_may_declare_settings_of_its_own)
{
    Module *m = optim_two();
    Optimizer *opt = optimizer_new(m, &optim_pull, (real)0.5);
    ck_assert(opt->group[0].own[OPTIM_PULL] == (real)-0.5 && opt->group[0].own[OPTIM_TWICE] == 0);
    ck_assert(opt->group[0].own[2] == 0 && opt->group[0].own[3] == 0);
    opt->group[0].own[OPTIM_PULL] = 1;
    ParamGroup *late = optimizer_split(opt, "late", optim_is_second);
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

int main(void)
{
    Suite *suite = suite_create("optim groups");
    testing_add(suite, "skipping", 20, (const TTest *const[]){
        a_parameter_without_gradient_is_left_alone,
        what_a_rule_always_needs_is_made_at_once_the_rest_when_needed,
        momentum_switched_on_late_starts_from_that_gradient,
        a_step_between_forward_and_backward_is_named, NULL});
    testing_add(suite, "groups", 20, (const TTest *const[]){
        a_predicate_makes_a_group, slopes_do_not_decay_after_one_call,
        a_rule_may_declare_settings_of_its_own,
        settings_that_a_checkpoint_could_not_hold_are_refused, NULL});
    return testing_main(suite);
}
