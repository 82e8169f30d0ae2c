/* optim/progress.h -- the progress of a long task, on stderr.
 *
 *  - On a terminal: one line that redraws itself, with a bar and the time left.
 *  - Elsewhere: nothing while it runs; progress_done prints the final line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_PROGRESS_H
#define SLOPE_OPTIM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/error.h"

SLOPE_C_BEGIN

typedef struct Progress {
    const char *title;
    ptrdiff_t   total;
    bool        quiet, terminal, color;
    double      started, drawn; /* seconds on the monotonic clock */
} Progress;

Progress progress_begin(const char *title, ptrdiff_t total, bool quiet);

/* Shows `done` of total, and `note` after the bar. Redraws at most ten times a second. */
void progress_update(Progress *p, ptrdiff_t done, const char *note);

/* Erases the bar. */
void progress_clear(const Progress *p);

/* Replaces the bar with a final line. */
void progress_done(Progress *p, const char *format, ...) SLOPE_PRINTF(2, 3);

/* Seconds on the monotonic clock. */
double slope_seconds(void);

SLOPE_C_END

#endif
