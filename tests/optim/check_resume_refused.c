/* tests/optim/check_resume_refused.c -- checkpoints that are refused: of a different run, damaged,
 * edited.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/checkpoint.h"
#include "tests/optim/edited.h"

/* --- refused checkpoints ---------------------------------------------------------------------- */

static Run run_with_net(Module *net)
{
    Run r = run_new(make_adam, 2);
    optimizer_free(r.t.optimizer);
    module_free(r.t.net);
    r.t.net = net;
    r.t.optimizer = adam_new(net, (real)0.02);
    return r;
}

START_TEST(another_network_is_refused)
{
    assert_refused(run_new(make_adam, 1), run_with_net(SEQUENTIAL(linear_new(2, 2))),
                   "'model.0.weight' has a different shape", "(2, 2)", "(6, 2)");
    assert_refused(run_new(make_adam, 1),
                   run_with_net(SEQUENTIAL(linear_new(2, 6), prelu_new(6, 0), noise_new(),
                                           linear_new(6, 2), relu_new(), linear_new(2, 2))),
                   "no tensor 'model.5.weight'", "", "");
    assert_refused(run_new(make_adam, 1),
                   run_with_net(SEQUENTIAL(linear_new(2, 6), prelu_new(6, 0), relu_new(),
                                           linear_new(6, 2))),
                   "the trainer does not have", "only its own tensors", "'model.2.calls'");
}
END_TEST

START_TEST(another_optimizer_is_refused)
{
    assert_refused(run_new(make_adam, 1), run_new(make_sgd, 2), "different optimizer", "SGD",
                   "Adam");
    assert_refused(run_new(make_adam, 1), run_new(make_adamw, 2), "different optimizer", "AdamW",
                   "Adam");
    assert_refused(run_new(make_groups, 1), run_new(make_adamw, 2),
                   "different number of parameter groups", "1", "2");
    Run all_alike = run_new(make_adamw, 2);
    optimizer_split(all_alike.t.optimizer, "slopes", parameter_is_slope);
    all_alike.t.optimizer->state[2].group = 0;
    assert_refused(run_new(make_groups, 1), all_alike, "has '1.weight' in a different group",
                   "group 0", "1");
}
END_TEST

START_TEST(another_order_of_the_data_is_refused)
{
    Run fewer = run_with_order((LoaderOptions){.batch = RESUME_BATCH, .shuffle = true, .seed = 3});
    Dataset *half = dataset_take(fewer.data, RESUME_EXAMPLES / 2);
    loader_free(fewer.t.train);
    loader_free(fewer.t.test);
    dataset_free(fewer.data);
    fewer.data = half;
    fewer.t.test = NULL;
    fewer.t.train = loader_new(half, (LoaderOptions){.batch = RESUME_BATCH});
    assert_refused(run_new(make_adam, 1), fewer, "different number of training examples", "20",
                   "40");
    assert_refused(run_new(make_adam, 1),
                   run_with_order((LoaderOptions){.batch = 8, .shuffle = true, .seed = 3}),
                   "different batch size", "8", "16");
    assert_refused(run_new(make_adam, 1),
                   run_with_order((LoaderOptions){.batch = 16, .shuffle = true, .seed = 4}),
                   "different seed of the order", "4", "3");
    assert_refused(run_new(make_adam, 1), run_with_order((LoaderOptions){.batch = 16, .seed = 3}),
                   "different setting of shuffle", "0", "1");
}
END_TEST

START_TEST(what_is_not_a_valid_checkpoint_is_refused)
{
    const char *other_real = sizeof(real) == 4 ? "double" : "float";
    const char *note[][3] = {{"format", "recipe", "not a training checkpoint"},
                             {"version", "2", "different version"},
                             {"real", other_real, "different precision"},
                             {"checksum", "0", "damaged"}};
    Error err;
    Run r = run_new(make_adam, 1);
    ck_assert(trainer_save(&r.t, scratch_path("good"), &err));
    for (int i = 0; i < 4; i++) {
        Safetensors *s = safetensors_read(scratch_path("good"), SAFETENSORS_HEADER, &err);
        resume_set_note(s, note[i][0], note[i][1]);
        ck_assert(safetensors_write(s, scratch_path("note"), &err));
        ck_assert(!trainer_load(&r.t, scratch_path("note"), &err));
        ck_assert_msg(strstr(err.problem, note[i][2]) != NULL, "%s", err.problem);
        ck_assert_str_eq(err.found, note[i][1]);
        safetensors_free(s);
    }
    ck_assert(module_save(r.t.net, scratch_path("network"), &err));
    ck_assert(!trainer_load(&r.t, scratch_path("network"), &err));
    ck_assert_str_eq(err.problem, "this is not a training checkpoint: it is not marked as one, and "
                     "looks like a network saved by module_save");
    ck_assert_str_eq(err.expected, "");
    ck_assert_ptr_nonnull(strstr(err.hint, "use module_load"));
    ck_assert(!trainer_load(&r.t, scratch_path("missing"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "No such file"));
    run_free(&r);
}
END_TEST

/* Truncated anywhere, or with one bit flipped, it is refused and the trainer does not change. */
START_TEST(a_damaged_checkpoint_changes_nothing)
{
    Error err;
    size_t size, size_before, size_after;
    Run saved = run_new(make_adam, 1), r = run_new(make_adam, 2);
    ck_assert(trainer_save(&saved.t, scratch_path("whole"), &err));
    unsigned char *bytes = scratch_read(scratch_path("whole"), &size);
    unsigned char *before = run_bytes(&r, &size_before);
    for (size_t cut = 0; cut < size; cut += 37)
        ck_assert(!trainer_load(&r.t, scratch_write("cut", bytes, cut), &err));
    for (size_t at = 0; at < size; at += 5) {
        bytes[at] ^= (unsigned char)(1 << at % 8);
        ck_assert_msg(!trainer_load(&r.t, scratch_write("flipped", bytes, size), &err),
                      "byte %zu of %zu", at, size);
        ck_assert(err.problem[0] != '\0');
        bytes[at] ^= (unsigned char)(1 << at % 8);
    }
    unsigned char *after = run_bytes(&r, &size_after);
    ck_assert_uint_eq(size_before, size_after);
    ck_assert_mem_eq(before, after, size_after);
    free(bytes), free(before), free(after);
    run_free(&saved), run_free(&r);
}
END_TEST

/* --- edited checkpoints ----------------------------------------------------------------------- */

/* A setting that a step would refuse is neither loaded nor saved. */
START_TEST(settings_out_of_range_are_refused)
{
    const struct { const char *name; double value; const char *problem; } bad[] = {
        {"optimizer.group.1.lr", -1, "the learning rate of group 'slopes' is -1; expected 0 or "
                                     "more"},
        {"optimizer.group.0.beta1", 1, "the setting beta1 of group 'all' is 1; expected at least 0 "
                                       "and less than 1"},
        {"optimizer.group.1.keep", HUGE_VAL, "the setting keep of group 'slopes' is inf; expected "
                                             "a finite number"}};
    Error err;
    for (int i = 0; i < 3; i++) {
        Run r = run_new(i < 2 ? make_groups : make_own, 1);
        const char *path = scratch_path("settings");
        Safetensors *s = edit_begin(&r, path);
        *(real *)safetensors_find(s, bad[i].name)->data = (real)bad[i].value;
        edit_end(&r, path, s);
        assert_not_loaded(&r, path, &err);
        ck_assert_str_eq(err.problem, bad[i].problem);
        r.t.optimizer->group[1].weight_decay = -1;
        ck_assert(!trainer_save(&r.t, path, &err));
        ck_assert_str_eq(err.problem,
                         "the weight decay of group 'slopes' is -1; expected 0 or more");
        run_free(&r);
    }
}
END_TEST

/* Returns a run that was stopped after the first batch of the second epoch. */
static Run run_within_an_epoch(void)
{
    Error err;
    Run whole = run_new(make_adam, 1), r = run_new(make_adam, 1);
    whole.t.on_step = resume_keep;
    trainer_fit(&whole.t);
    ck_assert_msg(trainer_load(&r.t, step_path(RESUME_BATCHES + 1), &err), "%s", err.problem);
    run_free(&whole);
    return r;
}

/* Each count disagrees with its own limits, with the data or with another count. */
START_TEST(counts_that_do_not_agree_are_refused)
{
    const struct { const char *name; int64_t value; const char *problem, *expected; } bad[] = {
        {"trainer.batches", 0, "'trainer.examples' is out of range", "0"},
        {"trainer.batches", 3, "'trainer.examples' is out of range", "40"},
        {"trainer.batches", 4, "'trainer.batches' is out of range", "0 to 3"},
        {"trainer.examples", 0, "'trainer.examples' is out of range", "16"},
        {"trainer.examples", 17, "'trainer.examples' is out of range", "16"},
        {"trainer.correct", 17, "'trainer.correct' is out of range", "0 to 16"},
        {"trainer.correct", -1, "'trainer.correct' is out of range", NULL},
        {"trainer.step", 1, "'trainer.step' is out of range", "2 to 4611686018427387903"},
        {"trainer.epoch", 4, "'trainer.step' is out of range", "5 to 4611686018427387903"},
        {"trainer.epoch", -1, "'trainer.epoch' is out of range", "0 to 1073741823"},
        {"optimizer.steps", -1, "'0.weight' was updated -1 times", ""},
        {"optimizer.slot_steps", 5, "4 times, 5 of them before its newest slot", ""},
        {"optimizer.slot_steps", -1, "4 times, -1 of them before its newest slot", ""}};
    Error err;
    Run r = run_within_an_epoch();
    const char *path = scratch_path("counts");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Safetensors *s = edit_begin(&r, path = scratch_path("counts"));
        *(int64_t *)safetensors_find(s, bad[i].name)->data = bad[i].value;
        edit_end(&r, path, s);
        assert_not_loaded(&r, path, &err);
        ck_assert_msg(strstr(err.problem, bad[i].problem) != NULL, "%s", err.problem);
        if (bad[i].expected)
            ck_assert_str_eq(err.expected, bad[i].expected);
    }
    run_free(&r);
}
END_TEST

START_TEST(invalid_numbers_are_refused)
{
    const struct { const char *name; double value; const char *problem; } bad[] = {
        {"trainer.loss", (double)NAN, "the loss of the unfinished epoch is not finite, or"},
        {"trainer.seconds", (double)NAN, "the loss of the unfinished epoch is not finite, or"},
        {"trainer.history", 1.5, "row 0 of the history is for epoch 1.5; expected"},
        {"trainer.history", 0, "row 0 of the history is for epoch 0; expected"}};
    Error err;
    Run r = run_within_an_epoch();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = scratch_path("numbers");
        Safetensors *s = edit_begin(&r, path);
        *(double *)safetensors_find(s, bad[i].name)->data = bad[i].value;
        edit_end(&r, path, s);
        assert_not_loaded(&r, path, &err);
        ck_assert_msg(strstr(err.problem, bad[i].problem) != NULL, "%s", err.problem);
    }
    run_free(&r);
}
END_TEST

/* What could not be loaded is not saved. */
START_TEST(counts_that_do_not_agree_are_not_saved)
{
    Error err;
    Run r = run_within_an_epoch();
    const char *path = scratch_path("unsaved");
    r.t.tally.count = 0;
    ck_assert(!trainer_save(&r.t, path, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "'trainer.examples' is out of range"));
    ck_assert_str_eq(err.found, "0");
    r.t.tally.count = RESUME_BATCH, r.t.tally.batches = RESUME_BATCHES + 1;
    ck_assert(!trainer_save(&r.t, path, &err));
    ck_assert_str_eq(err.expected, "0 to 3");
    ck_assert_int_eq(access(path, F_OK), -1);
    run_free(&r);
}
END_TEST

/* A checkpoint has the slots that the next step uses, even if no step has used them yet. */
START_TEST(a_checkpoint_that_lacks_a_needed_slot_is_refused)
{
    const struct { OptimizerMaker maker; const char *name; } bad[] = {
        {make_sgd, "optimizer.slot0.0.weight"}, {make_late_sgd, "optimizer.slot0.1.weight"},
        {make_early_slots, "optimizer.slot0.0.bias"}, {make_adam, "optimizer.slot1.3.bias"},
        {make_amsgrad, "optimizer.slot2.0.weight"}, {make_groups, "optimizer.slot0.1.weight"}};
    Error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int step = 2; step <= 3; step++) {
            Run saved = run_new(bad[i].maker, 1), r = run_new(bad[i].maker, 2);
            saved.t.on_step = resume_keep;
            trainer_fit(&saved.t);
            ck_assert(trainer_load(&saved.t, step_path(step), &err));
            const char *path = scratch_path("slotless");
            Safetensors *s = edit_begin(&saved, path);
            edit_drop(s, bad[i].name);
            edit_end(&r, path, s);
            assert_not_loaded(&r, path, &err);
            ck_assert_ptr_nonnull(strstr(err.problem, "the file has no tensor "));
            ck_assert_ptr_nonnull(strstr(err.problem, bad[i].name));
            run_free(&saved), run_free(&r);
        }
}
END_TEST

START_TEST(a_checkpoint_that_lacks_a_declared_setting_is_refused)
{
    static const char *const name[] = {"optimizer.group.0.keep", "optimizer.group.1.pull"};
    Error err;
    for (int i = 0; i < 2; i++) {
        Run r = run_new(make_own, 1);
        const char *path = scratch_path("undeclared");
        Safetensors *s = edit_begin(&r, path);
        edit_drop(s, name[i]);
        edit_end(&r, path, s);
        assert_not_loaded(&r, path, &err);
        ck_assert_ptr_nonnull(strstr(err.problem, "the file has no tensor "));
        ck_assert_ptr_nonnull(strstr(err.problem, name[i]));
        run_free(&r);
    }
}
END_TEST

/* NaN in a setting that the rule declares is neither saved nor loaded. */
START_TEST(a_declared_setting_that_is_nan_is_refused)
{
    Error err;
    Run r = run_new(make_own, 1);
    const char *path = scratch_path("declared");
    Safetensors *s = edit_begin(&r, path);
    *(real *)safetensors_find(s, "optimizer.group.0.pull")->data = (real)NAN;
    edit_end(&r, path, s);
    assert_not_loaded(&r, path, &err);
    ck_assert_ptr_nonnull(strstr(err.problem, "the setting pull of group 'all' is "));
    r.t.optimizer->group[1].own[OWN_KEEP] = (real)NAN;
    ck_assert(!trainer_save(&r.t, path, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "the setting keep of group 'slopes' is "));
    run_free(&r);
}
END_TEST

START_TEST(a_checkpoint_with_nan_is_refused)
{
    static const char *const name[] = {"model.1.weight", "optimizer.slot1.1.weight"};
    Error err;
    Run r = run_within_an_epoch();
    for (int i = 0; i < 2; i++) {
        const char *path = scratch_path("nan");
        Safetensors *s = edit_begin(&r, path);
        ((real *)safetensors_find(s, name[i])->data)[4] = (real)NAN;
        edit_end(&r, path, s);
        assert_not_loaded(&r, path, &err);
        ck_assert_ptr_nonnull(strstr(err.problem, name[i]));
        ck_assert_ptr_nonnull(strstr(err.problem, " is NaN at element 4 in the file, so nothing"));
    }
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume: refused");
    testing_add(suite, "refusing", 60, (const TTest *const[]){
        another_network_is_refused, another_optimizer_is_refused,
        another_order_of_the_data_is_refused, what_is_not_a_valid_checkpoint_is_refused,
        a_damaged_checkpoint_changes_nothing, NULL});
    testing_add(suite, "edited", 60, (const TTest *const[]){
        settings_out_of_range_are_refused, counts_that_do_not_agree_are_refused,
        invalid_numbers_are_refused, counts_that_do_not_agree_are_not_saved,
        a_checkpoint_that_lacks_a_needed_slot_is_refused, a_checkpoint_with_nan_is_refused,
        a_checkpoint_that_lacks_a_declared_setting_is_refused,
        a_declared_setting_that_is_nan_is_refused, NULL});
    return scratch_main(suite);
}
