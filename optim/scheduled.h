/* optim/scheduled.h -- what the trainer needs from a schedule; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_SCHEDULED_H
#define SLOPE_OPTIM_SCHEDULED_H

#include "nn/state.h"
#include "optim/trainer.h"

/* --- a schedule: optim/schedule.c ------------------------------------------------------------- */

typedef struct ScheduleSetting {
    const char *name;
    double      value;
    unsigned    kinds; /* bit k is set if kind k uses it; for the others it must be 0 */
    bool        fits;  /* is the value in its range? */
    const char *expected;
} ScheduleSetting;

/* Lists every setting but the kind. Returns how many there are. */
enum { SCHEDULE_SETTINGS = 9 };
int slope_schedule_settings(const Schedule *s, ScheduleSetting list[SCHEDULE_SETTINGS]);

/* Fails, naming `function`, if s is NULL or a setting is not valid. */
void slope_schedule_check(const Schedule *s, const char *function);

/* Does the optimizer still have the groups and rates that the schedule left it with? If not, writes
 * a sentence that says what has changed. */
enum { SCHEDULE_PROBLEM = 256 };
bool slope_schedule_check_rates(const Schedule *s, const Optimizer *opt,
                                char problem[SCHEDULE_PROBLEM]);

/* Does the schedule ever set a rate? */
bool slope_schedule_is_set(const Schedule *s);

/* schedule_apply, with the name of the function for messages. */
void slope_schedule_apply(Schedule *s, Optimizer *opt, double epoch, const char *function);

/* --- a trainer's schedule: optim/scheduled.c -------------------------------------------------- */

/* Fails, naming trainer_fit, if the schedule is not valid or does not fit the trainer. */
void slope_scheduled_check(const Trainer *t);

/* Sets the rates of the next update. */
void slope_scheduled_step(Trainer *t);

/* The schedule's part of the trainer's state, which follows the optimizer's. The checking pass
 * reads the file's values into `read`. */
void slope_scheduled_walk(State *s, Trainer *t, Trainer *read);

#endif
