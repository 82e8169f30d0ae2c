/* tests/optim/check_resume.c -- training that is killed and resumed ends with the same bits as
 * training that is never interrupted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/wait.h>

#include "nn/checkpoint.h"
#include "nn/layers.h"
#include "optim/progress.h"
#include "tensor/memory.h"
#include "tests/allocator.h"
#include "tests/capture.h"
#include "tests/optim/run.h"
#include "tests/scratch.h"
#include "tests/xor.h"

#include "tests/disk.h"
#include "tensor/files/durable.c"
#include "tensor/files/stream.c"

enum { RESUME_EXAMPLES = 40, RESUME_BATCH = 16, RESUME_BATCHES = 3, RESUME_EPOCHS = 3 };
enum { RESUME_STEPS = RESUME_BATCHES * RESUME_EPOCHS };

/* --- a network with everything that a module can hold ----------------------------------------- */

/* y = x * noise * (1 + 1 / calls) in training, and a mean that evaluation uses. */
typedef struct Noise {
    Module   base;
    Tensor  *mean; /* () */
    int64_t *calls;
    Rng     *rng;
} Noise;

static Var *noise_forward(Module *self, Var *x)
{
    Noise *noise = (Noise *)self;
    real *mean = tensor_write(noise->mean);
    if (!self->training)
        return var_scale(x, 1 + *mean);
    Tensor *factor = tensor_new(var_shape(x));
    ++*noise->calls;
    tensor_fill_uniform(factor, noise->rng, (real)0.5, (real)1.5);
    *mean = (real)0.9 * *mean + (real)0.1 * tensor_read(factor)[0];
    Var *y = var_scale(var_mul(x, var_const(factor)), 1 + 1 / (real)*noise->calls);
    tensor_free(factor);
    return y;
}

static Module *noise_new(void)
{
    static const ModuleType type = {"Noise", noise_forward, NULL};
    Noise *noise = module_new(sizeof *noise, &type);
    noise->mean = module_add_buffer(&noise->base, "mean", tensor_scalar(0));
    noise->calls = module_add_counter(&noise->base, "calls");
    noise->rng = module_add_rng(&noise->base, "rng", random_stream());
    return &noise->base;
}

/* --- the runs --------------------------------------------------------------------------------- */

typedef Optimizer *(*OptimizerMaker)(Module *net);

static Optimizer *make_sgd(Module *net)
{
    Optimizer *opt = sgd_new(net, (real)0.05, (real)0.9);
    opt->group[0].dampening = (real)0.1;
    return opt;
}

/* resume_schedule turns on momentum after the second step; until then there is no buffer to save.
 * The first step with a new buffer ignores the dampening. */
static Optimizer *make_late_sgd(Module *net)
{
    Optimizer *opt = sgd_new(net, (real)0.05, 0);
    opt->group[0].dampening = (real)0.1;
    return opt;
}

/* This one also gets its buffers then, instead of at the third step. */
static Optimizer *make_early_slots(Module *net)
{
    Optimizer *opt = sgd_new(net, (real)0.05, 0);
    opt->group[0].dampening = (real)0.5;
    return opt;
}

static Optimizer *make_adam(Module *net)
{
    return adam_new(net, (real)0.02);
}

static Optimizer *make_amsgrad(Module *net)
{
    Optimizer *opt = adam_new(net, (real)0.02);
    opt->group[0].amsgrad = true;
    return opt;
}

static Optimizer *make_adamw(Module *net)
{
    return adamw_new(net, (real)0.02);
}

static Optimizer *make_groups(Module *net)
{
    Optimizer *opt = adamw_new(net, (real)0.02);
    optimizer_no_decay_on_slopes(opt)->lr = (real)0.05;
    return opt;
}

/* theta <- theta - lr (b + pull theta), with b <- keep b + g if keep is not 0. */
enum { OWN_PULL, OWN_KEEP };

static void own_update(const ParamGroup *group, const ParamRun *run)
{
    real keep = group->own[OWN_KEEP], pull = group->own[OWN_PULL], *b = run->slot[0];
    for (ptrdiff_t i = 0; i < run->n; i++) {
        real d = keep != 0 ? b[i] = keep * b[i] + run->g[i] : run->g[i];
        run->theta[i] -= group->lr * (d + pull * run->theta[i]);
    }
}

static int own_needs(const ParamGroup *group)
{
    return group->own[OWN_KEEP] != 0;
}

/* The groups differ in settings that the rule declares, and so in the slots that they need. */
static Optimizer *make_own(Module *net)
{
    static const OptimizerType type = {
        .name = "Own", .slots = 1, .update = own_update, .needs = own_needs,
        .own = {[OWN_PULL] = {"pull", (real)-0.25}, [OWN_KEEP] = {"keep", 0}}};
    Optimizer *opt = optimizer_new(net, &type, (real)0.05);
    ParamGroup *slopes = optimizer_no_decay_on_slopes(opt);
    slopes->own[OWN_PULL] = (real)0.375, slopes->own[OWN_KEEP] = (real)0.875;
    return opt;
}

static const OptimizerMaker resume_makers[] = {make_sgd, make_late_sgd, make_early_slots,
                                               make_adam, make_amsgrad, make_adamw, make_groups,
                                               make_own};
enum { RESUME_MAKERS = sizeof resume_makers / sizeof *resume_makers };

/* The seed determines the initial weights and the noise. A trainer that loads a checkpoint gets a
 * different seed than the one that saved it. */
static Run run_new(OptimizerMaker maker, uint64_t seed)
{
    random_seed(seed);
    Module *net = SEQUENTIAL(linear_new(2, 6), prelu_new(6, (real)0.25), noise_new(),
                             linear_new(6, 2));
    Run r = run_of(xor_points(RESUME_EXAMPLES, (real)0.05), net, maker(net), RESUME_BATCH);
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = RESUME_BATCH});
    r.t.epochs = RESUME_EPOCHS, r.t.clip_norm = 1;
    return r;
}

/* The bytes of the run's checkpoint, with all times set to 0. */
static unsigned char *run_bytes(Run *r, size_t *size)
{
    Error err;
    r->t.tally.seconds = 0;
    for (int i = 0; i < r->t.history.count; i++)
        r->t.history.record[i].seconds = 0;
    ck_assert_msg(trainer_save(&r->t, scratch_path("bytes"), &err), "%s", err.problem);
    return scratch_read(scratch_path("bytes"), size);
}

/* Field by field, because the struct has padding. */
static bool same_record(const EpochRecord *a, const EpochRecord *b)
{
    return a->epoch == b->epoch && testing_close(a->train_loss, b->train_loss, 0) &&
           testing_close(a->train_accuracy, b->train_accuracy, 0) &&
           testing_close(a->test_loss, b->test_loss, 0) &&
           testing_close(a->test_accuracy, b->test_accuracy, 0) && a->seconds == b->seconds;
}

static void assert_same_run(Run *a, Run *b)
{
    size_t size_a, size_b;
    unsigned char *bytes_a = run_bytes(a, &size_a), *bytes_b = run_bytes(b, &size_b);
    ck_assert(run_same_parameters(a, b));
    ck_assert_uint_eq(size_a, size_b);
    ck_assert_mem_eq(bytes_a, bytes_b, size_a);
    ck_assert_int_eq(a->t.history.count, RESUME_EPOCHS);
    ck_assert_int_eq(b->t.step, RESUME_STEPS);
    for (int i = 0; i < RESUME_EPOCHS; i++)
        ck_assert(same_record(&a->t.history.record[i], &b->t.history.record[i]));
    Evaluation p = trainer_evaluate(a->t.net, a->t.loss, a->t.test, NULL);
    Evaluation q = trainer_evaluate(b->t.net, b->t.loss, b->t.test, NULL);
    ck_assert(p.loss == q.loss && p.accuracy == q.accuracy);
    free(bytes_a), free(bytes_b);
}

static const char *step_path(int64_t step)
{
    char name[32];
    snprintf(name, sizeof name, "step-%d", (int)step);
    return scratch_path(name);
}

/* A schedule for the learning rate, and for a momentum that starts late. */
static void resume_schedule(const Trainer *t, int64_t step, void *ctx)
{
    Optimizer *opt = t->optimizer;
    (void)ctx;
    for (int g = 0; g < opt->n_groups; g++)
        opt->group[g].lr *= (real)0.9, opt->group[g].own[OWN_PULL] *= (real)0.9;
    if (step == 2 && opt->group[0].beta1 == 0 && opt->group[0].momentum == 0)
        opt->group[0].momentum = (real)0.8;
    if (step == 2 && opt->group[0].dampening == (real)0.5)
        optimizer_make_slots(opt);
}

static void resume_keep(const Trainer *t, int64_t step, void *ctx)
{
    Error err;
    resume_schedule(t, step, ctx);
    ck_assert_msg(trainer_save(t, step_path(step), &err), "%s", err.problem);
}

/* Trains r to its end, where it must be what the whole run was; frees it. */
static void assert_ends_as(Run *whole, Run *r)
{
    r->t.on_step = resume_keep;
    trainer_fit(&r->t);
    assert_same_run(whole, r);
    run_free(r);
}

/* --- resuming --------------------------------------------------------------------------------- */

START_TEST(every_step_resumes_to_the_same_bits)
{
    OptimizerMaker maker = resume_makers[_i];
    Error err;
    Run whole = run_new(maker, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = resume_keep;
    trainer_fit(&whole.t);
    for (int step = 0; step <= RESUME_STEPS; step++) {
        char saved[SCRATCH_PATH];
        Run r = run_new(maker, 2);
        ck_assert(!run_same_parameters(&whole, &r));
        snprintf(saved, sizeof saved, "%s", step_path(step));
        r.t.checkpoint = saved;
        ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, step);
        r.t.checkpoint = NULL;
        assert_ends_as(&whole, &r);
    }
    run_free(&whole);
}
END_TEST

/* Loading an earlier checkpoint takes a trainer back, and with it slots allocated since then. */
START_TEST(an_old_checkpoint_takes_a_trainer_back)
{
    Error err;
    for (int i = 0; i < RESUME_MAKERS; i++) {
        Run whole = run_new(resume_makers[i], 1);
        ck_assert(trainer_save(&whole.t, scratch_path("start"), &err));
        whole.t.on_step = resume_keep;
        trainer_fit(&whole.t);
        Run again = run_new(resume_makers[i], 2);
        again.t.on_step = resume_keep;
        trainer_fit(&again.t);
        ck_assert_msg(trainer_load(&again.t, scratch_path("start"), &err), "%s", err.problem);
        ck_assert_int_eq(again.t.history.count, 0);
        trainer_fit(&again.t);
        assert_same_run(&whole, &again);
        run_free(&whole), run_free(&again);
    }
}
END_TEST

/* After the first step of the second epoch, a weight becomes NaN. */
static void resume_poison(const Trainer *t, int64_t step, void *ctx)
{
    (void)ctx;
    if (step == RESUME_BATCHES + 1)
        tensor_write(t->optimizer->state[0].param.var->value)[0] = (real)NAN;
}

static void run_until_nan(Run *r)
{
    r->t.on_step = resume_poison;
    ck_assert_fails(trainer_fit(&r->t), "the loss is nan at step 5");
    ck_assert_int_eq(r->t.tally.batches, 1);
}

/* The trainer and the checkpoint may each have completed any part of an epoch. */
START_TEST(training_that_became_nan_within_an_epoch_can_be_restored)
{
    Error err;
    Run whole = run_new(make_adam, 1);
    ck_assert(trainer_save(&whole.t, step_path(0), &err));
    whole.t.on_step = resume_keep;
    trainer_fit(&whole.t);
    for (int step = 0; step <= RESUME_STEPS; step++) {
        Run r = run_new(make_adam, 2);
        run_until_nan(&r);
        ck_assert_msg(trainer_load(&r.t, step_path(step), &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, step);
        r.t.epochs = RESUME_EPOCHS - r.t.epoch;
        assert_ends_as(&whole, &r);
    }
    run_free(&whole);
}
END_TEST

START_TEST(resume_does_what_was_left_to_do)
{
    Error err;
    Run r = run_new(make_adam, 1), next = run_new(make_adam, 2);
    r.t.checkpoint = next.t.checkpoint = scratch_path("left");
    ck_assert(trainer_resume(&r.t, &err)); /* no file: a fresh start */
    ck_assert_int_eq(r.t.epochs, RESUME_EPOCHS);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.failed_saves, 0);
    ck_assert(trainer_resume(&next.t, &err)); /* the end of the last epoch */
    ck_assert_int_eq(next.t.epochs, 0);
    trainer_fit(&next.t);
    assert_same_run(&r, &next);
    next.t.checkpoint = NULL;
    ck_assert_fails(trainer_resume(&next.t, &err), "has no checkpoint");
    ck_assert_fails(trainer_save(&r.t, NULL, &err), "trainer_save: the path is NULL");
    ck_assert_fails(trainer_load(NULL, "run", &err), "trainer_load: the trainer is NULL");
    run_free(&r), run_free(&next);
}
END_TEST

/* Compares steps of the same epoch; the only checkpoint is written at its end. */
START_TEST(a_step_without_a_save_allocates_nothing)
{
    uint64_t after[RESUME_STEPS + 1];
    Run r = run_new(make_adam, 1);
    r.t.checkpoint = scratch_path("still");
    r.t.on_step = run_log_allocations, r.t.ctx = after;
    trainer_fit(&r.t);
    for (int step = RESUME_BATCHES + 2; TESTING_POOL && step <= RESUME_STEPS; step++)
        if ((step - 1) % RESUME_BATCHES)
            ck_assert_uint_eq(after[step], after[step - 1]);
    run_free(&r);
}
END_TEST

/* --- refused checkpoints ---------------------------------------------------------------------- */

static void assert_state(Run *r, const unsigned char *bytes, size_t size)
{
    size_t size_now;
    unsigned char *now = run_bytes(r, &size_now);
    ck_assert_uint_eq(size_now, size);
    ck_assert_mem_eq(now, bytes, size);
    free(now);
}

/* Asserts that loading the file fails and leaves r unchanged. */
static void assert_not_loaded(Run *r, const char *path, Error *err)
{
    size_t size;
    unsigned char *before = run_bytes(r, &size);
    ck_assert(!trainer_load(&r->t, path, err));
    ck_assert_str_eq(err->file, path);
    assert_state(r, before, size);
    free(before);
}

/* Asserts that loading saved's checkpoint into r fails with these texts and leaves r unchanged.
 * Frees both. */
static void assert_refused(Run saved, Run r, const char *problem, const char *expected,
                           const char *found)
{
    Error err;
    trainer_fit(&saved.t);
    ck_assert(trainer_save(&saved.t, scratch_path("refused"), &err));
    assert_not_loaded(&r, scratch_path("refused"), &err);
    ck_assert_msg(strstr(err.problem, problem) != NULL, "%s", err.problem);
    ck_assert_str_eq(err.expected, expected);
    ck_assert_str_eq(err.found, found);
    run_free(&saved), run_free(&r);
}

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

static Run run_with_order(LoaderOptions options)
{
    Run r = run_new(make_adam, 2);
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, options);
    return r;
}

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

/* Changes a text in a checkpoint's metadata. */
static void resume_set_note(Safetensors *s, const char *key, const char *value)
{
    for (int i = 0; i < s->n_texts; i++)
        if (strcmp(s->text[i].key, key) == 0) {
            memory_free(s->text[i].value);
            s->text[i].value = memory_copy_text(value);
        }
}

START_TEST(what_is_not_such_a_checkpoint_is_refused)
{
    const char *other_real = sizeof(real) == 4 ? "double" : "float";
    const char *note[][3] = {{"format", "recipe", "not a training checkpoint"},
                             {"version", "1", "different version"},
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
    ck_assert_ptr_nonnull(strstr(err.problem, "not a training checkpoint"));
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

/* The folder does not exist: this is reported once, and training is the same as without
 * checkpoints. */
START_TEST(a_save_that_fails_costs_nothing)
{
    Run without = run_new(make_adam, 1), r = run_new(make_adam, 1);
    trainer_fit(&without.t);
    r.t.checkpoint = "/nowhere/at/all", r.t.checkpoint_every = 1;
    capture_begin();
    trainer_fit(&r.t);
    const char *text = capture_end();
    ck_assert_msg(strstr(text, "trainer_fit continues, but could not save its checkpoint at step "
                         "1: /nowhere/at/all: ") != NULL, "%s", text);
    ck_assert_ptr_null(strstr(text, "at step 2"));
    ck_assert_int_eq(r.t.failed_saves, RESUME_STEPS + RESUME_EPOCHS);
    assert_same_run(&without, &r);
    run_free(&without), run_free(&r);
}
END_TEST

/* --- edited checkpoints ----------------------------------------------------------------------- */

static Safetensors *edit_begin(Run *r, const char *path)
{
    Error err;
    ck_assert_msg(trainer_save(&r->t, path, &err), "%s", err.problem);
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, &err);
    ck_assert_ptr_nonnull(s);
    return s;
}

/* Writes the edited list with a valid checksum, which the message about a wrong one states. */
static void edit_end(Run *r, const char *path, Safetensors *s)
{
    Error err;
    resume_set_note(s, "checksum", "edited");
    ck_assert(safetensors_write(s, path, &err));
    ck_assert(!trainer_load(&r->t, path, &err));
    resume_set_note(s, "checksum", err.expected);
    ck_assert(safetensors_write(s, path, &err));
    safetensors_free(s);
}

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

/* The second epoch uses larger batches than the first. */
START_TEST(the_loader_may_be_replaced_between_epochs)
{
    Error err;
    LoaderOptions larger = {.batch = 2 * RESUME_BATCH, .shuffle = true, .seed = 3};
    Run r = run_new(make_adam, 1), next = run_with_order(larger);
    r.t.epochs = 1;
    trainer_fit(&r.t);
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, larger);
    trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, RESUME_BATCHES + 2);
    ck_assert_msg(trainer_save(&r.t, scratch_path("larger"), &err), "%s", err.problem);
    ck_assert_msg(trainer_load(&next.t, scratch_path("larger"), &err), "%s", err.problem);
    ck_assert_int_eq(next.t.step, r.t.step);
    run_free(&r), run_free(&next);
}
END_TEST

static void edit_drop(Safetensors *s, const char *name)
{
    NamedTensor *t = &s->item[safetensors_find(s, name) - s->item];
    memory_free(t->name), memory_free(t->data);
    *t = s->item[--s->count];
}

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

/* --- out of memory, failing disks ------------------------------------------------------------- */

/* Saves while call n of the allocator fails, and all later ones too unless `once`. Returns the
 * smallest n for which the save succeeds. */
static int save_without_memory(Run *r, const char *path, bool once)
{
    Error err;
    for (int n = 0;; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n, watch.once = once;
        bool ok = trainer_save(&r->t, path, &err);
        watch.fail_at = -1;
        ck_assert_uint_eq(testing_blocks(), blocks);
        ck_assert_int_eq(access(path, F_OK), ok ? 0 : -1);
        if (ok)
            return n;
        ck_assert_msg(strstr(err.problem, "out of memory") != NULL, "%s", err.problem);
        ck_assert_str_eq(err.file, path);
    }
}

static int load_without_memory(Run *r, const char *path, bool once)
{
    Error err;
    size_t size;
    unsigned char *before = run_bytes(r, &size);
    for (int n = 0;; n++) {
        uint64_t blocks = testing_blocks();
        watch.fail_at = watch.calls + n, watch.once = once;
        bool ok = trainer_load(&r->t, path, &err);
        watch.fail_at = -1;
        if (ok) {
            free(before);
            return n;
        }
        ck_assert_msg(strstr(err.problem, "out of memory") != NULL, "%s", err.problem);
        ck_assert_uint_eq(testing_blocks(), blocks);
        assert_state(r, before, size);
    }
}

/* The trainer that loads has a shorter history, and with make_late_sgd none of the slots. */
START_TEST(out_of_memory_changes_nothing)
{
    static const OptimizerMaker makers[] = {make_late_sgd, make_amsgrad};
    Run saved = run_new(makers[_i / 2], 1), r = run_new(makers[_i / 2], 2);
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_path("memory"));
    saved.t.on_step = resume_schedule;
    trainer_fit(&saved.t);
    remove(path);
    watch_begin();
    ck_assert_int_gt(save_without_memory(&saved, path, _i % 2), 100);
    ck_assert_int_gt(load_without_memory(&r, path, _i % 2), 100);
    watch_end();
    assert_same_run(&saved, &r);
    run_free(&saved), run_free(&r);
}
END_TEST

/* Whichever file call fails, the file holds the old state or the new one. */
START_TEST(a_failing_disk_leaves_a_valid_checkpoint)
{
    Error err;
    Run first = run_new(make_adam, 1), second = run_new(make_adam, 2), r = run_new(make_adam, 3);
    const char *path = scratch_path("failing");
    int refused = 0, n = 0;
    trainer_fit(&second.t);
    for (bool reached = true; reached; n++) {
        ck_assert(trainer_save(&first.t, path, &err));
        disk_break(n, EIO);
        bool ok = trainer_save(&second.t, path, &err);
        reached = disk_repair();
        refused += !ok;
        bool renamed = ok || strstr(err.problem, "its folder to disk");
        ck_assert_msg(trainer_load(&r.t, path, &err), "%s", err.problem);
        ck_assert_int_eq(r.t.step, renamed ? RESUME_STEPS : 0);
    }
    ck_assert_int_ge(refused, 8);
    run_free(&first), run_free(&second), run_free(&r);
}
END_TEST

START_TEST(a_failed_read_changes_nothing)
{
    Error err;
    size_t size;
    int n = 0;
    Run saved = run_new(make_adam, 1), r = run_new(make_adam, 2);
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_path("unreadable"));
    trainer_fit(&saved.t);
    ck_assert(trainer_save(&saved.t, path, &err));
    unsigned char *before = run_bytes(&r, &size);
    for (;; n++) {
        disk_break(n, EIO);
        bool ok = trainer_load(&r.t, path, &err);
        disk_repair();
        if (ok)
            break;
        ck_assert_ptr_nonnull(strstr(err.problem, "(Input/output error)"));
        assert_state(&r, before, size);
    }
    ck_assert_int_gt(n, 40); /* a call for each tensor */
    assert_same_run(&saved, &r);
    free(before);
    run_free(&saved), run_free(&r);
}
END_TEST

/* --- training that became NaN ----------------------------------------------------------------- */

typedef struct Break {
    bool   slot;
    double value;
} Break;

/* After the last step, sets an element of a weight, or of a slot of the optimizer, to a value. */
static void resume_break(const Trainer *t, int64_t step, void *ctx)
{
    const Break *b = ctx;
    ParamState *p = &t->optimizer->state[2];
    if (step == RESUME_BATCHES)
        tensor_write(b->slot ? p->slot[1] : p->param.var->value)[4] = (real)b->value;
}

/* Nor does infinity. It is reported like a full disk, and the good checkpoint is kept. */
START_TEST(nan_never_replaces_a_good_checkpoint)
{
    Error err;
    for (int i = 0; i < 4; i++) {
        bool slot = i % 2, infinite = i / 2;
        Break b = {slot, infinite ? HUGE_VAL : (double)NAN};
        size_t size, size_after;
        Run r = run_new(make_adam, 1);
        loader_free(r.t.test);
        r.t.test = NULL;
        r.t.epochs = 1;
        r.t.checkpoint = scratch_path("good");
        ck_assert(trainer_save(&r.t, scratch_path("good"), &err));
        unsigned char *before = scratch_read(scratch_path("good"), &size);
        r.t.on_step = resume_break, r.t.ctx = &b;
        capture_begin();
        trainer_fit(&r.t);
        const char *text = capture_end(), *name = slot ? "'optimizer.slot1.1.weight'"
                                                       : "'model.1.weight'";
        ck_assert_msg(strstr(text, "could not save its checkpoint at step 3: ") != NULL, "%s",
                      text);
        ck_assert_msg(strstr(text, name) != NULL, "%s", text);
        ck_assert_ptr_nonnull(strstr(text, infinite
                                     ? " is infinite at element 4, so nothing was saved"
                                     : " is NaN at element 4, so nothing was saved"));
        ck_assert_int_eq(r.t.failed_saves, 1);
        unsigned char *after = scratch_read(scratch_path("good"), &size_after);
        ck_assert_uint_eq(size, size_after);
        ck_assert_mem_eq(before, after, size);
        free(before), free(after);
        run_free(&r);
    }
}
END_TEST

/* --- kill -9 ---------------------------------------------------------------------------------- */

#ifdef SLOPE_DEBUG /* where everything is slower: the sanitizers, valgrind */
enum { KILLS = 12 };
#else
enum { KILLS = 50 };
#endif
enum { KILL_EPOCHS = 12 };

/* The environment may set another number: KILLS=300 CK_TIMEOUT_MULTIPLIER=10 check_resume. */
static int kill_count(void)
{
    const char *text = getenv("KILLS");
    return text ? atoi(text) : KILLS;
}

/* The program that is killed: it starts training or resumes it. Exits with 0 if training is done
 * and every save succeeded, with 1 if its checkpoint cannot be read, with 2 if a save failed. */
static void kill_run_child(uint64_t seed)
{
    Error err;
    Run r = run_new(make_groups, seed);
    r.t.epochs = KILL_EPOCHS;
    r.t.checkpoint = scratch_path("killed"), r.t.checkpoint_every = 2;
    r.t.on_step = resume_schedule;
    if (!trainer_resume(&r.t, &err))
        _exit(1);
    trainer_fit(&r.t);
    _exit(r.t.failed_saves ? 2 : 0);
}

/* If there is a checkpoint, the initial weights must not matter. */
static pid_t kill_start(void)
{
    bool begun = access(scratch_path("killed"), F_OK) == 0;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        kill_run_child(begun ? 7 : 1);
    return child;
}

/* True if the child finished, false if it was killed. */
static bool kill_wait(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        ck_assert_int_eq(WEXITSTATUS(status), 0);
    else
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    return WIFEXITED(status);
}

/* At any time there is either no checkpoint yet or one that can be read. */
static void kill_check_file(void)
{
    Error err;
    Run r = run_new(make_groups, 4);
    r.t.checkpoint = scratch_path("killed");
    ck_assert_msg(trainer_resume(&r.t, &err), "%s", err.problem);
    run_free(&r);
}

/* Each save removes the temporary file that a killed one left. */
static void kill_check_folder(void)
{
    DIR *folder = opendir(scratch_folder);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        ck_assert_msg(!strstr(entry->d_name, ".tmp"), "%s", entry->d_name);
    closedir(folder);
}

/* The child's last checkpoint must equal the end of the uninterrupted run. */
static void kill_check_end(Run *whole)
{
    Error err;
    size_t size, size_left;
    Run left = run_new(make_groups, 5);
    ck_assert_msg(trainer_load(&left.t, scratch_path("killed"), &err), "%s", err.problem);
    ck_assert_int_eq(left.t.step, KILL_EPOCHS * RESUME_BATCHES);
    ck_assert(run_same_parameters(whole, &left));
    unsigned char *bytes = run_bytes(whole, &size), *bytes_left = run_bytes(&left, &size_left);
    ck_assert_uint_eq(size, size_left);
    ck_assert_mem_eq(bytes, bytes_left, size);
    free(bytes), free(bytes_left);
    run_free(&left);
    kill_check_folder();
    ck_assert_int_eq(unlink(scratch_path("killed")), 0);
}

START_TEST(killed_at_any_moment_it_ends_with_the_same_bits)
{
    Rng rng = rng_new(9, 9);
    Run whole = run_new(make_groups, 1);
    whole.t.epochs = KILL_EPOCHS;
    whole.t.on_step = resume_schedule;
    trainer_fit(&whole.t);
    double started = slope_seconds();
    ck_assert(kill_wait(kill_start()));
    double lasts = slope_seconds() - started;
    kill_check_end(&whole);

    int kills = 0, ends = 0;
    while (kills < kill_count() || ends == 0) {
        pid_t child = kill_start();
        usleep((useconds_t)(0.4e6 * lasts * (double)rng_uniform(&rng)));
        kill(child, SIGKILL);
        bool ended = kill_wait(child);
        kill_check_file();
        if (ended)
            kill_check_end(&whole);
        kills += !ended, ends += ended;
    }
    run_free(&whole);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *steps = testing_add(suite, "steps", 60, (const TTest *const[]){NULL});
    tcase_add_loop_test(steps, every_step_resumes_to_the_same_bits, 0, RESUME_MAKERS);
    testing_add(suite, "resuming", 60, (const TTest *const[]){
        an_old_checkpoint_takes_a_trainer_back,
        training_that_became_nan_within_an_epoch_can_be_restored, resume_does_what_was_left_to_do,
        a_step_without_a_save_allocates_nothing, a_save_that_fails_costs_nothing,
        the_loader_may_be_replaced_between_epochs, NULL});
    testing_add(suite, "refusing", 60, (const TTest *const[]){
        another_network_is_refused, another_optimizer_is_refused,
        another_order_of_the_data_is_refused, what_is_not_such_a_checkpoint_is_refused,
        a_damaged_checkpoint_changes_nothing, nan_never_replaces_a_good_checkpoint, NULL});
    testing_add(suite, "edited", 60, (const TTest *const[]){
        settings_out_of_range_are_refused, counts_that_do_not_agree_are_refused,
        invalid_numbers_are_refused, counts_that_do_not_agree_are_not_saved,
        a_checkpoint_that_lacks_a_needed_slot_is_refused, a_checkpoint_with_nan_is_refused,
        a_checkpoint_that_lacks_a_declared_setting_is_refused,
        a_declared_setting_that_is_nan_is_refused, NULL});
    TCase *failing = testing_add(suite, "failing", 120, (const TTest *const[]){
        a_failing_disk_leaves_a_valid_checkpoint, a_failed_read_changes_nothing, NULL});
    tcase_add_loop_test(failing, out_of_memory_changes_nothing, 0, 4);
    testing_add(suite, "kill", 120, (const TTest *const[]){
        killed_at_any_moment_it_ends_with_the_same_bits, NULL});
    return scratch_main(suite);
}
