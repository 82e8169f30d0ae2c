/* optim/progress.c -- the progress of a long task, on stderr.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/progress.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_WIDTH = 28 };

double slope_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Progress progress_begin(const char *title, ptrdiff_t total, bool quiet)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    Progress p = {.title = title, .total = total, .quiet = quiet, .started = slope_seconds()};
    p.terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    p.color = p.terminal && !(no_color && no_color[0]);
    return p;
}

static void progress_bar(const Progress *p, ptrdiff_t done)
{
    ptrdiff_t filled = p->total ? PROGRESS_WIDTH * done / p->total : PROGRESS_WIDTH;
    fputs(p->color ? "\033[36m" : "", stderr);
    for (ptrdiff_t i = 0; i < PROGRESS_WIDTH; i++)
        fputc(i < filled ? '#' : '.', stderr);
    fputs(p->color ? "\033[0m" : "", stderr);
}

void progress_update(Progress *p, ptrdiff_t done, const char *note)
{
    double now = slope_seconds();
    if (p->quiet || !p->terminal || now - p->drawn < 0.1)
        return;
    p->drawn = now;
    double left = done ? (now - p->started) * (double)(p->total - done) / (double)done : 0;
    fprintf(stderr, "\r%s ", p->title);
    progress_bar(p, done);
    fprintf(stderr, " %3td%% %4.0fs left  %s\033[K", p->total ? 100 * done / p->total : 100, left,
            note);
    fflush(stderr);
}

void progress_clear(const Progress *p)
{
    if (p->terminal && !p->quiet)
        fputs("\r\033[K", stderr);
}

void progress_done(Progress *p, const char *format, ...)
{
    if (p->quiet)
        return;
    progress_clear(p);
    fprintf(stderr, "%s ", p->title);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
