/* tests/optim/check_resume_frozen.c -- training and resuming with frozen parameters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/optim/edited.h"

/* Freezes the first layer after step 2 and the slopes after step 4; frees all after step 7. */
static void frozen_change(const Trainer *t, int64_t step)
{
    if (step == 2)
        module_freeze(module_child(t->net, "0"), NULL);
    if (step == 4)
        module_freeze(t->net, parameter_is_slope);
    if (step == 7)
        module_unfreeze(t->net, NULL);
}

static void frozen_keep(const Trainer *t, int64_t step, void *ctx)
{
    Error err;
    (void)ctx;
    frozen_change(t, step);
    ck_assert_msg(trainer_save(t, step_path(step), &err), "%s", err.problem);
}

/* A run that saves its state after every update, trained to its end. */
static Run frozen_whole(OptimizerMaker maker)
{
    Error err;
    Run whole = run_new(maker, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = frozen_keep;
    trainer_fit(&whole.t);
    return whole;
}

/* Resumes a run that had other parameters frozen before loading, and compares it with the whole. */
static void frozen_check_resumed(Run *whole, OptimizerMaker maker, int step)
{
    Error err;
    char path[SCRATCH_PATH];
    Run r = run_new(maker, 2);
    module_freeze(r.t.net, step % 2 ? NULL : parameter_is_slope);
    snprintf(path, sizeof path, "%s", step_path(step));
    r.t.checkpoint = path;
    ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
    r.t.checkpoint = NULL;
    ck_assert(module_param(r.t.net, "0.weight")->requires_grad == (step < 2 || step >= 7));
    ck_assert(module_param(r.t.net, "1.weight")->requires_grad == (step < 4 || step >= 7));
    ck_assert(module_param(r.t.net, "3.weight")->requires_grad);
    r.t.on_step = frozen_keep;
    trainer_fit(&r.t);
    assert_same_run(whole, &r);
    run_free(&r);
}

START_TEST(what_is_frozen_within_a_run_is_resumed_to_the_same_bits)
{
    const OptimizerMaker maker[] = {make_sgd, make_amsgrad, make_groups};
    for (int i = 0; i < 3; i++) {
        Run whole = frozen_whole(maker[i]);
        for (int step = 0; step <= RESUME_STEPS; step++)
            frozen_check_resumed(&whole, maker[i], step);
        run_free(&whole);
    }
}
END_TEST

/* Not even by decay: the first layer has the same bits after steps 2 and 7; the last does not. */
START_TEST(a_trainer_does_not_change_frozen_parameters)
{
    Error err;
    Run whole = frozen_whole(make_adamw), early = run_new(make_adamw, 2),
        late = run_new(make_adamw, 2);
    ck_assert(trainer_load(&early.t, step_path(2), &err));
    ck_assert(trainer_load(&late.t, step_path(7), &err));
    for (int i = 0; i < early.t.optimizer->n_params; i++) {
        const ParamState *a = &early.t.optimizer->state[i], *b = &late.t.optimizer->state[i];
        bool frozen = strncmp(a->param.name, "0.", 2) == 0;
        ck_assert(tensor_same_bits(a->param.var->value, b->param.var->value) == frozen);
        ck_assert_int_eq(b->step - a->step, frozen ? 0 : i == 2 ? 2 : 5);
    }
    run_free(&whole), run_free(&early), run_free(&late);
}
END_TEST

START_TEST(a_frozen_network_is_not_trained)
{
    Run r = run_new(make_adam, 1);
    module_freeze(r.t.net, NULL);
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: the loss does not depend on any parameter "
                    "that is trained; are all of them frozen (see module_unfreeze)");
    ck_assert_int_eq(r.t.step, 0);
    run_free(&r);
}
END_TEST

START_TEST(a_flag_that_is_not_one_is_refused)
{
    Error err;
    Run r = run_new(make_adam, 1);
    const char *path = scratch_path("flag");
    Safetensors *s = edit_begin(&r, path);
    ((int64_t *)safetensors_find(s, "trainer.frozen")->data)[3] = 2;
    edit_end(&r, path, s);
    assert_not_loaded(&r, path, &err);
    ck_assert_str_eq(err.problem, "the value of 'trainer.frozen' is out of range");
    ck_assert_str_eq(err.expected, "0 to 1");
    ck_assert_str_eq(err.found, "2");
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume frozen");
    testing_add(suite, "frozen", 60, (const TTest *const[]){
        what_is_frozen_within_a_run_is_resumed_to_the_same_bits,
        a_trainer_does_not_change_frozen_parameters, a_frozen_network_is_not_trained,
        a_flag_that_is_not_one_is_refused, NULL});
    return scratch_main(suite);
}
