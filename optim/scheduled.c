/* optim/scheduled.c -- a schedule in a trainer: its time, and its state in a checkpoint.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/scheduled.h"

#include <limits.h>
#include <math.h>

#include "optim/best.h"

/* --- training --------------------------------------------------------------------------------- */

void slope_scheduled_check(const Trainer *t)
{
    const Schedule *s = &t->schedule;
    int last = t->epoch + t->epochs;
    bool trains = t->epochs > 0 && !slope_best_is_past(t);
    char problem[SCHEDULE_PROBLEM];
    slope_schedule_check(s, "trainer_fit");
    if (s->kind == SCHEDULE_PLATEAU && !t->test)
        slope_fail("trainer_fit", "the schedule is SCHEDULE_PLATEAU, but there is no .test data "
                   "whose loss shows when to lower the learning rate");
    if (trains && s->kind == SCHEDULE_COSINE && s->lowest == 0 && last > s->epochs)
        slope_fail("trainer_fit", "training runs to epoch %d, but the cosine schedule reaches a "
                   "learning rate of 0 after %g epoch%s; set its .epochs to %d, or its .lowest to "
                   "a factor above 0", last, s->epochs, s->epochs == 1 ? "" : "s", last);
    if (!slope_schedule_check_rates(s, t->optimizer, problem))
        slope_fail("trainer_fit", "%s", problem);
}

/* The tally holds the batches of the current epoch that precede the update. */
void slope_scheduled_step(Trainer *t)
{
    double part = (double)t->tally.batches / (double)loader_batches(t->train);
    slope_schedule_apply(&t->schedule, t->optimizer, t->epoch + part, "trainer_fit");
}

/* --- checkpoints ------------------------------------------------------------------------------ */

/* The program sets up the schedule each time, so the one in the file must have the same kind and
 * settings. */
static void scheduled_settings(State *s, const Schedule *schedule)
{
    ScheduleSetting list[SCHEDULE_SETTINGS];
    int n = slope_schedule_settings(schedule, list);
    double *value = state_data(s, "schedule.settings", DTYPE_F64, SHAPE(n + 1));
    for (int i = 0; value && i <= n; i++) {
        double own = i == 0 ? schedule->kind : list[i - 1].value;
        char expected[32];
        if (s->pass == STATE_SAVING)
            value[i] = own;
        if (value[i] == own)
            continue;
        state_refuse(s, "the checkpoint was saved with another schedule: its .%s is different",
                     i == 0 ? "kind" : list[i - 1].name);
        snprintf(expected, sizeof expected, "%g", own);
        error_expected(s->err, expected, "%g", value[i]);
        error_hint(s->err, "load it with the schedule that it was saved with, then change the "
                           "fields of that one, or call optimizer_set_lr and assign a new one");
        return;
    }
}

static void scheduled_int(State *s, const char *name, int *x)
{
    int64_t value = *x;
    state_int(s, name, &value, 0, INT_MAX / 2);
    *x = (int)value;
}

static void scheduled_values(State *s, Schedule *schedule)
{
    scheduled_int(s, "schedule.groups", &schedule->groups);
    for (int g = 0; g < OPTIMIZER_GROUPS; g++) {
        char name[32];
        snprintf(name, sizeof name, "schedule.base.%d", g);
        state_real(s, name, &schedule->base[g]);
    }
    state_flag(s, "schedule.has_best", &schedule->has_best);
    state_double(s, "schedule.best", &schedule->best);
    scheduled_int(s, "schedule.bad", &schedule->bad);
    scheduled_int(s, "schedule.cooling", &schedule->cooling);
    scheduled_int(s, "schedule.drops", &schedule->drops);
}

/* Values that the next update or observation would refuse are neither loaded nor saved. */
static void scheduled_check_values(State *s, const Schedule *schedule, const Optimizer *opt)
{
    if (schedule->groups != 0)
        state_check_range(s, "schedule.groups", schedule->groups, opt->n_groups, opt->n_groups);
    for (int g = 0; s->ok && g < OPTIMIZER_GROUPS; g++)
        if (!(isfinite(schedule->base[g]) && schedule->base[g] >= 0))
            state_refuse(s, "the schedule's base rate of group %d is %g; expected 0 or more", g,
                         (double)schedule->base[g]);
    if (s->ok && !isfinite(schedule->best))
        state_refuse(s, "the schedule's best test loss is not finite");
}

/* The rates that the schedule has set are also the groups' rates, so they are not saved again. */
static void scheduled_rates(State *s, Schedule *schedule, const Optimizer *opt)
{
    char problem[SCHEDULE_PROBLEM];
    if (s->ok && s->pass == STATE_SAVING && !slope_schedule_check_rates(schedule, opt, problem))
        state_refuse(s, "%s", problem);
    for (int g = 0; s->pass == STATE_LOADING && g < schedule->groups; g++)
        schedule->rate[g] = opt->group[g].lr;
}

void slope_scheduled_walk(State *s, Trainer *t, Trainer *read)
{
    scheduled_settings(s, &t->schedule);
    scheduled_values(s, &t->schedule);
    if (s->ok && s->pass == STATE_CHECKING) {
        State reading = *s;
        reading.pass = STATE_LOADING;
        scheduled_values(&reading, &read->schedule);
    }
    if (s->ok && s->pass != STATE_LOADING)
        scheduled_check_values(s, s->pass == STATE_SAVING ? &t->schedule : &read->schedule,
                               t->optimizer);
    scheduled_rates(s, &t->schedule, t->optimizer);
}
