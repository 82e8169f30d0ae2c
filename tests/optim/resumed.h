/* tests/optim/resumed.h -- shared by the tests of resuming: training runs, and their comparison.
 *
 *  - The network holds everything that a module can hold, and there is an optimizer of every kind.
 *  - A step callback saves each step's state to step_path(step).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_OPTIM_RESUMED_H
#define SLOPE_TESTS_OPTIM_RESUMED_H

#include "nn/layers.h"
#include "tests/optim/run.h"
#include "tests/scratch.h"
#include "tests/xor.h"

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

static inline Var *noise_forward(Module *self, Var *x)
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

static inline Module *noise_new(void)
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

static inline Optimizer *make_sgd(Module *net)
{
    Optimizer *opt = sgd_new(net, (real)0.05, (real)0.9);
    opt->group[0].dampening = (real)0.1;
    return opt;
}

/* resume_schedule turns on momentum after the second step; until then there is no buffer to save.
 * The first step with a new buffer ignores the dampening. */
static inline Optimizer *make_late_sgd(Module *net)
{
    Optimizer *opt = sgd_new(net, (real)0.05, 0);
    opt->group[0].dampening = (real)0.1;
    return opt;
}

/* This one also gets its buffers then, instead of at the third step. */
static inline Optimizer *make_early_slots(Module *net)
{
    Optimizer *opt = sgd_new(net, (real)0.05, 0);
    opt->group[0].dampening = (real)0.5;
    return opt;
}

static inline Optimizer *make_adam(Module *net)
{
    return adam_new(net, (real)0.02);
}

static inline Optimizer *make_amsgrad(Module *net)
{
    Optimizer *opt = adam_new(net, (real)0.02);
    opt->group[0].amsgrad = true;
    return opt;
}

static inline Optimizer *make_adamw(Module *net)
{
    return adamw_new(net, (real)0.02);
}

static inline Optimizer *make_groups(Module *net)
{
    Optimizer *opt = adamw_new(net, (real)0.02);
    optimizer_no_decay_on_slopes(opt)->lr = (real)0.05;
    return opt;
}

/* theta <- theta - lr (b + pull theta), with b <- keep b + g if keep is not 0. */
enum { OWN_PULL, OWN_KEEP };

static inline void own_update(const ParamGroup *group, const ParamRun *run)
{
    real keep = group->own[OWN_KEEP], pull = group->own[OWN_PULL], *b = run->slot[0];
    for (ptrdiff_t i = 0; i < run->n; i++) {
        real d = keep != 0 ? b[i] = keep * b[i] + run->g[i] : run->g[i];
        run->theta[i] -= group->lr * (d + pull * run->theta[i]);
    }
}

static inline int own_needs(const ParamGroup *group)
{
    return group->own[OWN_KEEP] != 0;
}

/* The groups differ in settings that the rule declares, and so in the slots that they need. */
static inline Optimizer *make_own(Module *net)
{
    static const OptimizerType type = {
        .name = "Own", .slots = 1, .update = own_update, .needs = own_needs,
        .own = {[OWN_PULL] = {"pull", (real)-0.25}, [OWN_KEEP] = {"keep", 0}}};
    Optimizer *opt = optimizer_new(net, &type, (real)0.05);
    ParamGroup *slopes = optimizer_no_decay_on_slopes(opt);
    slopes->own[OWN_PULL] = (real)0.375, slopes->own[OWN_KEEP] = (real)0.875;
    return opt;
}

/* The seed determines the initial weights and the noise. A trainer that loads a checkpoint gets a
 * different seed than the one that saved it. */
static inline Run run_new(OptimizerMaker maker, uint64_t seed)
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
static inline unsigned char *run_bytes(Run *r, size_t *size)
{
    Error err;
    r->t.tally.seconds = 0;
    for (int i = 0; i < r->t.history.count; i++)
        r->t.history.record[i].seconds = 0;
    ck_assert_msg(trainer_save(&r->t, scratch_path("bytes"), &err), "%s", err.problem);
    return scratch_read(scratch_path("bytes"), size);
}

/* Field by field, because the struct has padding. */
static inline bool same_record(const EpochRecord *a, const EpochRecord *b)
{
    return a->epoch == b->epoch && testing_close(a->train_loss, b->train_loss, 0) &&
           testing_close(a->train_accuracy, b->train_accuracy, 0) &&
           testing_close(a->test_loss, b->test_loss, 0) &&
           testing_close(a->test_accuracy, b->test_accuracy, 0) && a->seconds == b->seconds;
}

static inline void assert_same_run(Run *a, Run *b)
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

static inline const char *step_path(int64_t step)
{
    char name[32];
    snprintf(name, sizeof name, "step-%d", (int)step);
    return scratch_path(name);
}

/* A schedule for the learning rate, and for a momentum that starts late. */
static inline void resume_schedule(const Trainer *t, int64_t step, void *ctx)
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

static inline void resume_keep(const Trainer *t, int64_t step, void *ctx)
{
    Error err;
    resume_schedule(t, step, ctx);
    ck_assert_msg(trainer_save(t, step_path(step), &err), "%s", err.problem);
}

static inline Run run_with_order(LoaderOptions options)
{
    Run r = run_new(make_adam, 2);
    loader_free(r.t.train);
    r.t.train = loader_new(r.data, options);
    return r;
}

static inline void assert_state(Run *r, const unsigned char *bytes, size_t size)
{
    size_t size_now;
    unsigned char *now = run_bytes(r, &size_now);
    ck_assert_uint_eq(size_now, size);
    ck_assert_mem_eq(now, bytes, size);
    free(now);
}

#endif
