/* tests/optim/check_schedule.c -- schedules: their factors, the rates that they set, in a loop and
 * in a trainer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/schedule.h"

#include "nn/layers.h"
#include "tests/golden/golden.h"
#include "tests/optim/holder.h"
#include "tests/optim/run.h"
#include "tests/xor.h"

static const double schedule_tolerance = 4 * (double)REAL_EPSILON; /* relative to 1 */

/* --- PyTorch ---------------------------------------------------------------------------------- */

/* In the order of SETTINGS in make_golden.py. */
static Schedule schedule_of(const Golden *g)
{
    static const char *const kinds[] = {"constant", "step", "cosine", "plateau"};
    const double *a = golden_get(g, "attr")->value;
    Schedule s = {.warmup = a[0], .warmup_from = a[1], .every = a[2], .epochs = a[3],
                  .factor = a[4], .lowest = a[5], .patience = (int)a[6], .cooldown = (int)a[7],
                  .threshold = a[8]};
    while (strcmp(kinds[s.kind], g->call) != 0)
        s.kind++;
    return s;
}

static bool schedule_is_other(const Parameter *p)
{
    return strcmp(p->name, "other") == 0;
}

/* SGD with the groups "all" and "other", which have these rates. */
static Optimizer *schedule_optimizer(Module *m, double first, double second)
{
    Optimizer *opt = sgd_new(m, (real)first, 0);
    optimizer_split(opt, "other", schedule_is_other)->lr = (real)second;
    return opt;
}

/* The rates of both groups before each of T updates; a plateau has one update per epoch. */
static void schedule_check_golden(Golden *g)
{
    const double *base = golden_get(g, "base")->value, *losses = golden_get(g, "losses")->value;
    const GoldenTensor *rates = golden_get(g, "rates");
    ptrdiff_t T = rates->shape.dim[1];
    Schedule s = schedule_of(g);
    Module *m = optim_two();
    Optimizer *opt = schedule_optimizer(m, base[0], base[1]);
    for (ptrdiff_t i = 0; i < T; i++) {
        bool plateau = s.kind == SCHEDULE_PLATEAU;
        schedule_apply(&s, opt, (double)i / (plateau ? 1 : 4));
        for (int k = 0; k < 2; k++)
            ck_assert_msg(testing_close((double)opt->group[k].lr / base[k],
                                        rates->value[k * T + i] / base[k], schedule_tolerance),
                          "%s %s: rate %d of group %d is %.17g, expected %.17g", g->call,
                          g->variant, (int)i, k, (double)opt->group[k].lr,
                          rates->value[k * T + i]);
        if (plateau)
            schedule_observe(&s, losses[i]);
    }
    optim_free(opt, m);
}

START_TEST(rates_agree_with_pytorch)
{
    ck_assert_int_eq(golden_each("schedule.txt", schedule_check_golden), 12);
}
END_TEST

/* --- factors ---------------------------------------------------------------------------------- */

START_TEST(a_warmup_from_0_gives_the_first_update_no_rate)
{
    Schedule s = {.warmup = 2};
    ck_assert(schedule_factor(&s, 0) == 0);
    ck_assert_close(schedule_factor(&s, 0.5), 0.25, 1e-15);
    ck_assert(schedule_factor(&s, 2) == 1 && schedule_factor(&s, 7.25) == 1);
}
END_TEST

/* The quotient .3 / .1 is 2.9999999999999996. */
START_TEST(a_drop_is_not_late_by_a_rounding_error)
{
    Schedule s = {.kind = SCHEDULE_STEP, .every = 0.1, .factor = 0.5};
    ck_assert(0.3 / 0.1 < 3);
    ck_assert(schedule_factor(&s, 0.3) == 0.125);
    ck_assert(schedule_factor(&s, 0.2999) == 0.25);
    s.lowest = 0.1875;
    ck_assert(schedule_factor(&s, 0.3) == 0.1875);
}
END_TEST

/* In PyTorch the rate would rise again. The warm-up ends exactly at the base rate. */
START_TEST(a_cosine_stays_at_its_lowest)
{
    Schedule s = {.kind = SCHEDULE_COSINE, .epochs = 8, .warmup = 2, .lowest = 0.25};
    ck_assert(schedule_factor(&s, 2) == 1);
    ck_assert_close(schedule_factor(&s, 5), 0.625, 1e-15);
    ck_assert(schedule_factor(&s, 8) == 0.25 && schedule_factor(&s, 12.5) == 0.25);
}
END_TEST

static int schedule_drops(Schedule s, const double *loss, int n)
{
    for (int i = 0; i < n; i++)
        schedule_observe(&s, loss[i]);
    return s.drops;
}

/* PyTorch would accept -.95 as better than -1, because it is below -1 (1 - .1) = -.9. */
START_TEST(a_worse_loss_is_worse_below_0_too)
{
    Schedule s = {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .threshold = 0.1};
    ck_assert_int_eq(schedule_drops(s, (const double[]){-1, -0.95}, 2), 1);
    ck_assert_int_eq(schedule_drops(s, (const double[]){-1, -1.05}, 2), 1);
    ck_assert_int_eq(schedule_drops(s, (const double[]){-1, -1.15}, 2), 0);
}
END_TEST

/* NaN and Inf are bad epochs and never the best loss, not even as the first one. */
START_TEST(a_loss_that_is_not_finite_is_never_better)
{
    Schedule s = {.kind = SCHEDULE_PLATEAU, .factor = 0.5, .patience = 1};
    ck_assert_int_eq(schedule_drops(s, (const double[]){(double)NAN, -HUGE_VAL}, 2), 1);
    ck_assert_int_eq(schedule_drops(s, (const double[]){HUGE_VAL, 3, (double)NAN, 2}, 4), 0);
    schedule_observe(&s, -HUGE_VAL);
    ck_assert(!s.has_best && s.bad == 1);
}
END_TEST

START_TEST(other_kinds_ignore_losses)
{
    Schedule s = {.kind = SCHEDULE_COSINE, .epochs = 4}, before = s;
    schedule_observe(&s, 3);
    ck_assert(!s.has_best && s.bad == before.bad && s.drops == 0);
}
END_TEST

/* --- what is refused -------------------------------------------------------------------------- */

static void schedule_refuse(Schedule s, const char *text)
{
    char sentence[192];
    Module *m = optim_holder(1, -2);
    Optimizer *opt = sgd_new(m, (real)0.5, 0);
    snprintf(sentence, sizeof sentence, "schedule_factor: the schedule's %s", text);
    ck_assert_fails(schedule_factor(&s, 0), sentence);
    snprintf(sentence, sizeof sentence, "schedule_apply: the schedule's %s", text);
    ck_assert_fails(schedule_apply(&s, opt, 0), sentence);
    snprintf(sentence, sizeof sentence, "schedule_observe: the schedule's %s", text);
    ck_assert_fails(schedule_observe(&s, 1), sentence);
    ck_assert(opt->group[0].lr == (real)0.5 && s.groups == 0);
    optim_free(opt, m);
}

START_TEST(settings_out_of_range_are_refused)
{
    const double bad[] = {-1, (double)NAN, HUGE_VAL};
    for (int i = 0; i < 3; i++) {
        schedule_refuse((Schedule){.warmup = bad[i]}, ".warmup is ");
        schedule_refuse((Schedule){.warmup = 1, .warmup_from = bad[i]}, ".warmup_from is ");
        schedule_refuse((Schedule){.kind = SCHEDULE_STEP, .every = bad[i], .factor = 0.5},
                        ".every is ");
        schedule_refuse((Schedule){.kind = SCHEDULE_STEP, .every = 1, .factor = bad[i]},
                        ".factor is ");
        schedule_refuse((Schedule){.kind = SCHEDULE_COSINE, .epochs = bad[i]}, ".epochs is ");
        schedule_refuse((Schedule){.kind = SCHEDULE_COSINE, .epochs = 1, .lowest = bad[i]},
                        ".lowest is ");
        schedule_refuse((Schedule){.kind = SCHEDULE_PLATEAU, .factor = .5, .threshold = bad[i]},
                        ".threshold is ");
    }
    schedule_refuse((Schedule){.kind = SCHEDULE_STEP, .factor = 0.5},
                    ".every is 0; expected more than 0 epochs");
    schedule_refuse((Schedule){.kind = SCHEDULE_STEP, .every = 3},
                    ".factor is 0; expected more than 0 and less than 1");
    schedule_refuse((Schedule){.kind = SCHEDULE_STEP, .every = 3, .factor = 1}, ".factor is 1; ");
    schedule_refuse((Schedule){.kind = SCHEDULE_COSINE}, ".epochs is 0; expected more than 0");
    schedule_refuse((Schedule){.kind = SCHEDULE_COSINE, .epochs = 2, .warmup = 2},
                    ".epochs is 2; expected more epochs than the warm-up has");
    schedule_refuse((Schedule){.kind = SCHEDULE_COSINE, .epochs = 2, .lowest = 1}, ".lowest is 1");
    schedule_refuse((Schedule){.warmup_from = 0.5},
                    ".warmup_from is 0.5; expected 0, because there is no warm-up");
    schedule_refuse((Schedule){.kind = SCHEDULE_PLATEAU, .factor = 0.5, .patience = -1},
                    ".patience is -1; expected 0 or more epochs");
    schedule_refuse((Schedule){.kind = SCHEDULE_PLATEAU, .factor = 0.5, .cooldown = -1},
                    ".cooldown is -1; expected 0 or more epochs");
    schedule_refuse((Schedule){.kind = SCHEDULE_PLATEAU}, ".factor is 0; expected more than 0");
}
END_TEST

START_TEST(settings_of_another_kind_are_refused)
{
    schedule_refuse((Schedule){.epochs = 9},
                    ".epochs is 9; expected 0, because it is not used by SCHEDULE_CONSTANT");
    schedule_refuse((Schedule){.kind = SCHEDULE_COSINE, .epochs = 9, .factor = 0.5},
                    ".factor is 0.5; expected 0, because it is not used by SCHEDULE_COSINE");
    schedule_refuse((Schedule){.kind = SCHEDULE_STEP, .every = 9, .factor = 0.5, .patience = 1},
                    ".patience is 1; expected 0, because it is not used by SCHEDULE_STEP");
    schedule_refuse((Schedule){.kind = SCHEDULE_PLATEAU, .factor = 0.5, .every = 2},
                    ".every is 2; expected 0, because it is not used by SCHEDULE_PLATEAU");
}
END_TEST

START_TEST(what_is_missing_is_named)
{
    Schedule s = {.kind = SCHEDULE_COSINE, .epochs = 4}, odd = {.kind = (ScheduleKind)4};
    Module *m = optim_holder(1, -2);
    Optimizer *opt = sgd_new(m, (real)0.5, 0);
    ck_assert_fails(schedule_factor(NULL, 0), "schedule_factor: the schedule is NULL");
    ck_assert_fails(schedule_observe(NULL, 0), "schedule_observe: the schedule is NULL");
    ck_assert_fails(schedule_apply(NULL, opt, 0), "schedule_apply: the schedule is NULL");
    ck_assert_fails(schedule_apply(&s, NULL, 0), "schedule_apply: the optimizer is NULL");
    ck_assert_fails(schedule_factor(&odd, 0), "the kind of the schedule is 4; expected "
                                              "SCHEDULE_CONSTANT to SCHEDULE_PLATEAU");
    ck_assert_fails(schedule_factor(&s, -0.5), "the time is -0.5 epochs; expected 0 or more");
    ck_assert_fails(schedule_apply(&s, opt, (double)NAN), "schedule_apply: the time is ");
    ck_assert_fails(schedule_apply(&s, opt, HUGE_VAL), "the time is inf epochs");
    optim_free(opt, m);
}
END_TEST

/* --- rates that the program changes ----------------------------------------------------------- */

START_TEST(a_rate_that_the_program_sets_is_not_overwritten)
{
    Schedule s = {.kind = SCHEDULE_COSINE, .epochs = 8};
    Module *m = optim_two();
    Optimizer *opt = schedule_optimizer(m, 0.5, 0.25);
    schedule_apply(&s, opt, 2);
    opt->group[1].lr = (real)0.0625;
    ck_assert_fails(schedule_apply(&s, opt, 4), "schedule_apply: the learning rate of group "
                    "'other' is 0.0625, but the schedule has set 0.213388; to change the rates "
                    "during training, change .base[1] of the Schedule, or assign a new one");
    ck_assert(opt->group[1].lr == (real)0.0625);
    opt->group[1].lr = s.rate[1];
    optimizer_set_lr(opt, (real)0.125);
    ck_assert_fails(schedule_apply(&s, opt, 4), "of group 'all' is 0.125, but the schedule has");
    optim_free(opt, m);
}
END_TEST

START_TEST(a_base_rate_or_a_new_schedule_changes_the_rates)
{
    Schedule s = {.kind = SCHEDULE_COSINE, .epochs = 8};
    Module *m = optim_two();
    Optimizer *opt = schedule_optimizer(m, 0.5, 0.25);
    schedule_apply(&s, opt, 4);
    ck_assert_close(opt->group[0].lr, 0.25, schedule_tolerance);
    s.base[0] = 2;
    schedule_apply(&s, opt, 4);
    ck_assert_close(opt->group[0].lr, 1, schedule_tolerance);
    ck_assert_close(opt->group[1].lr, 0.125, schedule_tolerance);
    optimizer_set_lr(opt, (real)0.75);
    s = (Schedule){.kind = SCHEDULE_STEP, .every = 4, .factor = 0.5};
    schedule_apply(&s, opt, 4);
    ck_assert_close(opt->group[0].lr, 0.375, schedule_tolerance);
    ck_assert_close(opt->group[1].lr, 0.375, schedule_tolerance);
    optim_free(opt, m);
}
END_TEST

START_TEST(a_group_that_is_added_later_is_refused)
{
    Schedule s = {.kind = SCHEDULE_COSINE, .epochs = 8};
    Module *m = optim_two();
    Optimizer *opt = sgd_new(m, (real)0.5, 0);
    schedule_apply(&s, opt, 1);
    optimizer_split(opt, "other", schedule_is_other);
    ck_assert_fails(schedule_apply(&s, opt, 2), "the optimizer has 2 groups, but had 1 when its "
                    "schedule began; create all groups before the first update");
    optim_free(opt, m);
}
END_TEST

START_TEST(no_schedule_leaves_the_rates_to_the_program)
{
    Schedule s = {0};
    Module *m = optim_two();
    Optimizer *opt = schedule_optimizer(m, 0.5, 0.25);
    for (int i = 0; i < 3; i++) {
        schedule_apply(&s, opt, i);
        ck_assert(opt->group[0].lr == (real)(i ? i : 0.5) && s.groups == 0);
        optimizer_set_lr(opt, (real)(i + 1));
    }
    optim_free(opt, m);
}
END_TEST

/* --- in a trainer ----------------------------------------------------------------------------- */

/* 40 examples in batches of 16: 3 batches per epoch. */
static Run schedule_run(Schedule schedule)
{
    random_seed(1);
    Module *net = SEQUENTIAL(linear_new(2, 6), prelu_new(6, (real)0.25), linear_new(6, 2));
    Run r = run_of(xor_points(40, (real)0.05), net, sgd_new(net, (real)0.5, 0), 16);
    optimizer_no_decay_on_slopes(r.t.optimizer)->lr = (real)0.125;
    r.t.schedule = schedule;
    return r;
}

/* For on_step: records the rates of the update that has just been made. */
static void schedule_log(const Trainer *t, int64_t step, void *ctx)
{
    real (*rates)[2] = ctx;
    rates[step - 1][0] = t->optimizer->group[0].lr;
    rates[step - 1][1] = t->optimizer->group[1].lr;
}

/* Update i of an epoch begins with batch number i * batches of the 3 in the epoch. */
static void schedule_check_trainer(int accumulate)
{
    const Schedule plain = {.kind = SCHEDULE_COSINE, .epochs = 4, .warmup = 1.5};
    int batches = accumulate ? accumulate : 1, updates = (3 + batches - 1) / batches;
    real rates[16][2];
    Run r = schedule_run(plain);
    r.t.accumulate = accumulate, r.t.on_step = schedule_log, r.t.ctx = rates;
    for (r.t.epochs = 2; r.t.epoch < 4;)
        trainer_fit(&r.t);
    ck_assert_int_eq(r.t.step, 4 * updates);
    for (int i = 0; i < 4 * updates; i++) {
        double factor = schedule_factor(&plain, i / updates + i % updates * batches / 3.0);
        ck_assert_close(rates[i][0], 0.5 * factor, schedule_tolerance);
        ck_assert_close(rates[i][1], 0.125 * factor, schedule_tolerance);
    }
    run_free(&r);
}

START_TEST(a_trainer_sets_the_rates_of_every_update)
{
    schedule_check_trainer(0);
    schedule_check_trainer(2);
}
END_TEST

/* A trainer and a loop of one's own make the same updates. */
START_TEST(a_loop_of_ones_own_does_the_same)
{
    const Schedule plain = {.kind = SCHEDULE_STEP, .every = 0.5, .factor = 0.75};
    Run a = schedule_run(plain), b = schedule_run(plain);
    a.t.epochs = 2;
    trainer_fit(&a.t);
    for (int epoch = 0; epoch < 2; epoch++) {
        loader_start(b.t.train, epoch);
        for (Batch batch; loader_next(b.t.train, &batch);) {
            size_t mark = tape_mark();
            optimizer_zero_grad(b.t.optimizer);
            var_backward(loss_cross_entropy(module_forward(b.t.net, var_const(batch.x)), &batch));
            schedule_apply(&b.t.schedule, b.t.optimizer, epoch + (double)batch.number / 3);
            optimizer_step(b.t.optimizer);
            tape_rewind(mark);
        }
    }
    ck_assert(run_same_parameters(&a, &b));
    run_free(&a), run_free(&b);
}
END_TEST

/* Test losses that do not fall: the rate drops after every second epoch. */
static Var *schedule_flat_loss(Var *output, const Batch *batch)
{
    return grad_enabled() ? loss_cross_entropy(output, batch) : var_scalar(1);
}

START_TEST(a_plateau_follows_the_test_loss)
{
    real rates[15][2];
    Run r = schedule_run((Schedule){.kind = SCHEDULE_PLATEAU, .factor = 0.5, .patience = 1});
    r.t.test = loader_new(r.data, (LoaderOptions){.batch = 16});
    r.t.loss = schedule_flat_loss, r.t.on_step = schedule_log, r.t.ctx = rates;
    r.t.epochs = 5;
    trainer_fit(&r.t);
    for (int i = 0; i < 15; i++)
        ck_assert(rates[i][0] == (real)(i < 9 ? 0.5 : 0.25));
    ck_assert_int_eq(r.t.schedule.drops, 2);
    run_free(&r);
}
END_TEST

static void schedule_refuse_fit(Schedule schedule, const char *text)
{
    Run r = schedule_run(schedule);
    r.t.epochs = 6;
    ck_assert_fails(trainer_fit(&r.t), text);
    ck_assert_int_eq(r.t.step, 0);
    run_free(&r);
}

START_TEST(a_schedule_that_does_not_fit_is_refused_before_the_first_step)
{
    schedule_refuse_fit((Schedule){.kind = SCHEDULE_COSINE},
                        "trainer_fit: the schedule's .epochs is 0; expected more than 0 epochs");
    schedule_refuse_fit((Schedule){.kind = SCHEDULE_PLATEAU, .factor = 0.5},
                        "trainer_fit: the schedule is SCHEDULE_PLATEAU, but there is no .test "
                        "data whose loss shows when to lower the learning rate");
    schedule_refuse_fit((Schedule){.kind = SCHEDULE_COSINE, .epochs = 4.5},
                        "trainer_fit: training runs to epoch 6, but the cosine schedule reaches a "
                        "learning rate of 0 after 4.5 epochs; set its .epochs to 6, or its "
                        ".lowest to a factor above 0");
    schedule_refuse_fit((Schedule){.kind = SCHEDULE_COSINE, .epochs = 1}, "after 1 epoch; set");
}
END_TEST

START_TEST(a_cosine_with_a_lowest_rate_may_end_early)
{
    Run r = schedule_run((Schedule){.kind = SCHEDULE_COSINE, .epochs = 1, .lowest = 0.25});
    r.t.epochs = 2;
    trainer_fit(&r.t);
    ck_assert(r.t.optimizer->group[0].lr == (real)0.125);
    run_free(&r);
}
END_TEST

static void schedule_interfere(const Trainer *t, int64_t step, void *ctx)
{
    (void)ctx;
    if (step == 2)
        optimizer_set_lr(t->optimizer, 1);
}

static int schedule_losses;

static Var *schedule_counted_loss(Var *output, const Batch *batch)
{
    schedule_losses++;
    return loss_cross_entropy(output, batch);
}

/* The next update refuses it, and so does the next trainer_fit, before it computes anything. */
START_TEST(a_callback_that_changes_the_rate_is_refused)
{
    Run r = schedule_run((Schedule){.kind = SCHEDULE_COSINE, .epochs = 6});
    r.t.on_step = schedule_interfere;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: the learning rate of group 'all' is 1, but "
                                       "the schedule has set ");
    ck_assert_int_eq(r.t.step, 2);
    r.t.loss = schedule_counted_loss;
    ck_assert_fails(trainer_fit(&r.t), "trainer_fit: the learning rate of group 'all' is 1");
    ck_assert_int_eq(schedule_losses, 0);
    run_free(&r);
}
END_TEST

/* This holds from the second epoch on. */
START_TEST(a_scheduled_step_allocates_nothing)
{
    uint64_t allocations[7];
    Run r = schedule_run((Schedule){.kind = SCHEDULE_COSINE, .epochs = 2, .warmup = 1});
    r.t.epochs = 2, r.t.on_step = run_log_allocations, r.t.ctx = allocations;
    trainer_fit(&r.t);
    if (TESTING_POOL)
        ck_assert_uint_eq(allocations[4], allocations[6]);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    testing_add(suite, "factors", 20, (const TTest *const[]){
        rates_agree_with_pytorch, a_warmup_from_0_gives_the_first_update_no_rate,
        a_drop_is_not_late_by_a_rounding_error, a_cosine_stays_at_its_lowest,
        a_worse_loss_is_worse_below_0_too, a_loss_that_is_not_finite_is_never_better,
        other_kinds_ignore_losses, NULL});
    testing_add(suite, "refusals", 20, (const TTest *const[]){
        settings_out_of_range_are_refused, settings_of_another_kind_are_refused,
        what_is_missing_is_named, NULL});
    testing_add(suite, "rates", 20, (const TTest *const[]){
        a_rate_that_the_program_sets_is_not_overwritten,
        a_base_rate_or_a_new_schedule_changes_the_rates, a_group_that_is_added_later_is_refused,
        no_schedule_leaves_the_rates_to_the_program, NULL});
    testing_add(suite, "trainer", 60, (const TTest *const[]){
        a_trainer_sets_the_rates_of_every_update, a_loop_of_ones_own_does_the_same,
        a_plateau_follows_the_test_loss,
        a_schedule_that_does_not_fit_is_refused_before_the_first_step,
        a_cosine_with_a_lowest_rate_may_end_early, a_callback_that_changes_the_rate_is_refused,
        a_scheduled_step_allocates_nothing, NULL});
    return testing_main(suite);
}
