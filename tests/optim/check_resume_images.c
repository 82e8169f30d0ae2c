/* tests/optim/check_resume_images.c -- resuming training on transformed images; a checkpoint with
 * a different transform is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/layers.h"
#include "tests/optim/run.h"
#include "tests/scratch.h"

enum { EXAMPLES = 12, BATCH = 4, EPOCHS = 4, HIGH = 3, WIDE = 4 };

static const Transform usual = {.pad = 1, .crop = {HIGH, WIDE}, .flip_probability = 0.25};

/* Training on random windows of images (1,4,5), whose classes are 0 and 1 in turn. */
static Run images_run(Transform transform, uint64_t seed)
{
    Dataset *data = dataset_new("images", DATASET_FEATURES, EXAMPLES, SHAPE(1, 4, 5), 2);
    for (int i = 0; i < EXAMPLES * 20; i++)
        data->features[i] = (real)(i * 37 % 101) / 101;
    for (int i = 0; i < EXAMPLES; i++)
        data->labels.data[i] = i % 2;
    random_seed(seed);
    Module *net = SEQUENTIAL(flatten_new(), linear_new(HIGH * WIDE, 2));
    Run r = run_of(data, net, adam_new(net, (real)0.01), BATCH);
    loader_free(r.t.train);
    r.t.train = loader_new(data, (LoaderOptions){.batch = BATCH, .shuffle = true,
                                                 .transform = transform});
    r.t.epochs = EPOCHS;
    return r;
}

/* The windows and flips of the remaining epochs are those of the uninterrupted run. */
START_TEST(windows_and_flips_continue_after_a_resume)
{
    Error err;
    Run whole = images_run(usual, 1), first = images_run(usual, 1), second = images_run(usual, 2);
    trainer_fit(&whole.t);
    first.t.epochs = EPOCHS / 2, second.t.epochs = EPOCHS - EPOCHS / 2;
    trainer_fit(&first.t);
    ck_assert(trainer_save(&first.t, scratch_path("half"), &err));
    ck_assert_msg(trainer_load(&second.t, scratch_path("half"), &err), "%s", err.problem);
    trainer_fit(&second.t);
    ck_assert(run_same_parameters(&whole, &second));
    run_free(&whole), run_free(&first), run_free(&second);
}
END_TEST

START_TEST(another_transform_is_refused)
{
    static const struct { Transform other; const char *name, *expected, *found; } bad[] = {
        {{.pad = 2, .crop = {3, 4}, .flip_probability = 0.25}, ".pad ", "2", "1"},
        {{.pad = 1, .crop = {4, 4}, .flip_probability = 0.25}, ".crop[0] ", "4", "3"},
        {{.pad = 1, .crop = {3, 5}, .flip_probability = 0.25}, ".crop[1] ", "5", "4"},
        {{.pad = 1, .crop = {3, 4}, .center = true, .flip_probability = 0.25}, ".center ", "1",
         "0"},
        {{.pad = 1, .crop = {3, 4}, .flip_probability = 0.5}, ".flip_probability ", "0.5", "0.25"},
        {{.pad = 0}, ".pad ", "0", "1"}};
    Error err;
    Run saved = images_run(usual, 1);
    ck_assert(trainer_save(&saved.t, scratch_path("saved"), &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Run r = images_run(bad[i].other, 1);
        ck_assert(!trainer_load(&r.t, scratch_path("saved"), &err));
        ck_assert_msg(strstr(err.problem, bad[i].name) != NULL, "%s", err.problem);
        ck_assert_str_eq(err.expected, bad[i].expected);
        ck_assert_str_eq(err.found, bad[i].found);
        run_free(&r);
    }
    run_free(&saved);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume: images");
    testing_add(suite, "transforms", 30, (const TTest *const[]){
        windows_and_flips_continue_after_a_resume, another_transform_is_refused, NULL});
    return scratch_main(suite);
}
