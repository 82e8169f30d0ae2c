/* optim/schedule.c -- the factors of a schedule, and the rates that they give.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/schedule.h"

#include <math.h>

#include "optim/scheduled.h"

/* --- settings --------------------------------------------------------------------------------- */

static const char *const schedule_kinds[] = {"SCHEDULE_CONSTANT", "SCHEDULE_STEP",
                                             "SCHEDULE_COSINE", "SCHEDULE_PLATEAU"};

int slope_schedule_settings(const Schedule *s, ScheduleSetting list[SCHEDULE_SETTINGS])
{
    enum { CONSTANT = 1 << SCHEDULE_CONSTANT, STEP = 1 << SCHEDULE_STEP,
           COSINE = 1 << SCHEDULE_COSINE, PLATEAU = 1 << SCHEDULE_PLATEAU,
           DROPPING = STEP | PLATEAU, FALLING = DROPPING | COSINE, ALL = FALLING | CONSTANT };
    const double most = HUGE_VAL;
    bool warm = s->warmup > 0;
    const ScheduleSetting all[SCHEDULE_SETTINGS] = {
        {"warmup", s->warmup, ALL, s->warmup >= 0 && s->warmup < most, "0 or more epochs"},
        {"warmup_from", s->warmup_from, ALL,
         s->warmup_from >= 0 && s->warmup_from <= (warm ? 1 : 0),
         warm ? "a factor from 0 to 1" : "0, because there is no warm-up"},
        {"every", s->every, STEP, s->every > 0 && s->every < most, "more than 0 epochs"},
        {"epochs", s->epochs, COSINE, s->epochs > s->warmup && s->epochs < most,
         warm ? "more epochs than the warm-up has" : "more than 0 epochs"},
        {"factor", s->factor, DROPPING, s->factor > 0 && s->factor < 1,
         "more than 0 and less than 1"},
        {"lowest", s->lowest, FALLING, s->lowest >= 0 && s->lowest < 1,
         "a factor of at least 0 and less than 1"},
        {"patience", s->patience, PLATEAU, s->patience >= 0, "0 or more epochs"},
        {"cooldown", s->cooldown, PLATEAU, s->cooldown >= 0, "0 or more epochs"},
        {"threshold", s->threshold, PLATEAU, s->threshold >= 0 && s->threshold < 1,
         "at least 0 and less than 1"}};
    for (int i = 0; i < SCHEDULE_SETTINGS; i++)
        list[i] = all[i];
    return SCHEDULE_SETTINGS;
}

void slope_schedule_check(const Schedule *s, const char *function)
{
    ScheduleSetting list[SCHEDULE_SETTINGS];
    if (!s)
        slope_fail(function, "the schedule is NULL");
    if (s->kind < SCHEDULE_CONSTANT || s->kind > SCHEDULE_PLATEAU)
        slope_fail(function, "the kind of the schedule is %d; expected %s to %s", (int)s->kind,
                   schedule_kinds[SCHEDULE_CONSTANT], schedule_kinds[SCHEDULE_PLATEAU]);
    for (int i = 0, n = slope_schedule_settings(s, list); i < n; i++) {
        bool used = list[i].kinds >> s->kind & 1;
        if (used ? !list[i].fits : list[i].value != 0)
            slope_fail(function, "the schedule's .%s is %g; expected %s%s", list[i].name,
                       list[i].value, used ? list[i].expected : "0, because it is not used by ",
                       used ? "" : schedule_kinds[s->kind]);
    }
}

bool slope_schedule_is_set(const Schedule *s)
{
    return s->kind != SCHEDULE_CONSTANT || s->warmup > 0;
}

/* --- factors ---------------------------------------------------------------------------------- */

static double schedule_warmup(const Schedule *s, double t)
{
    return t < s->warmup ? s->warmup_from + (1 - s->warmup_from) * t / s->warmup : 1;
}

static double schedule_cosine(const Schedule *s, double t)
{
    const double pi = 3.14159265358979323846;
    double u = fmin(fmax((t - s->warmup) / (s->epochs - s->warmup), 0), 1);
    return s->lowest + (1 - s->lowest) * (1 + cos(pi * u)) / 2;
}

/* A quotient that should be a whole number, such as .3 / .1, may be rounded to just below it. */
static double schedule_dropped(const Schedule *s, double t)
{
    double drops = s->kind == SCHEDULE_STEP ? floor(t / s->every + 1e-9) : s->drops;
    return fmax(pow(s->factor, drops), s->lowest);
}

static double schedule_at(const Schedule *s, double t, const char *function)
{
    slope_schedule_check(s, function);
    if (!(t >= 0 && t < HUGE_VAL))
        slope_fail(function, "the time is %g epochs; expected 0 or more", t);
    double factor = s->kind == SCHEDULE_CONSTANT ? 1
                    : s->kind == SCHEDULE_COSINE ? schedule_cosine(s, t)
                                                 : schedule_dropped(s, t);
    return schedule_warmup(s, t) * factor;
}

double schedule_factor(const Schedule *s, double epoch)
{
    return schedule_at(s, epoch, "schedule_factor");
}

/* --- rates ------------------------------------------------------------------------------------ */

static void schedule_begin(Schedule *s, const Optimizer *opt)
{
    s->groups = opt->n_groups;
    for (int g = 0; g < opt->n_groups; g++)
        s->base[g] = s->rate[g] = opt->group[g].lr;
}

bool slope_schedule_check_rates(const Schedule *s, const Optimizer *opt,
                                char problem[SCHEDULE_PROBLEM])
{
    if (s->groups == 0 || !slope_schedule_is_set(s))
        return true;
    if (s->groups != opt->n_groups) {
        snprintf(problem, SCHEDULE_PROBLEM, "the optimizer has %d groups, but had %d when its "
                 "schedule began; create all groups before the first update", opt->n_groups,
                 s->groups);
        return false;
    }
    for (int g = 0; g < s->groups; g++)
        if (opt->group[g].lr != s->rate[g]) {
            snprintf(problem, SCHEDULE_PROBLEM, "the learning rate of group '%s' is %g, but the "
                     "schedule has set %g; to change the rates during training, change .base[%d] "
                     "of the Schedule, or assign a new one, which starts from the current rates",
                     opt->group[g].name, (double)opt->group[g].lr, (double)s->rate[g], g);
            return false;
        }
    return true;
}

void slope_schedule_apply(Schedule *s, Optimizer *opt, double epoch, const char *function)
{
    char problem[SCHEDULE_PROBLEM];
    double factor = schedule_at(s, epoch, function);
    if (!opt)
        slope_fail(function, "the optimizer is NULL");
    if (!slope_schedule_is_set(s))
        return;
    if (s->groups == 0)
        schedule_begin(s, opt);
    if (!slope_schedule_check_rates(s, opt, problem))
        slope_fail(function, "%s", problem);
    for (int g = 0; g < s->groups; g++)
        opt->group[g].lr = s->rate[g] = (real)((double)s->base[g] * factor);
}

void schedule_apply(Schedule *s, Optimizer *opt, double epoch)
{
    slope_schedule_apply(s, opt, epoch, "schedule_apply");
}

/* --- plateaus --------------------------------------------------------------------------------- */

static bool schedule_is_better(const Schedule *s, double loss)
{
    return isfinite(loss) && (!s->has_best || loss < s->best - s->threshold * fabs(s->best));
}

void schedule_observe(Schedule *s, double loss)
{
    slope_schedule_check(s, "schedule_observe");
    if (s->kind != SCHEDULE_PLATEAU)
        return;
    bool better = schedule_is_better(s, loss);
    s->bad = better ? 0 : s->bad + 1;
    if (better)
        s->has_best = true, s->best = loss;
    if (s->cooling > 0)
        s->cooling--, s->bad = 0;
    if (s->bad > s->patience)
        s->drops++, s->cooling = s->cooldown, s->bad = 0;
}
