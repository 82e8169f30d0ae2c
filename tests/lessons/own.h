/* tests/lessons/own.h -- for the tests of pictures that a program of one's own draws.
 *
 * The kit is compiled into the tests, because the Makefile links tests with the library only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_LESSONS_OWN_H
#define SLOPE_TESTS_LESSONS_OWN_H

#include "lessons/kit/story.c" /* first: it defines _GNU_SOURCE */

#include "lessons/kit/lesson.c"
#include "lessons/kit/plot.c"
#include "lessons/kit/plot_alt.c"
#include "lessons/kit/plot_preview.c"
#include "lessons/kit/plot_series.c"
#include "lessons/kit/plot_shapes.c"

#include "tests/capture.h"
#include "tests/scratch.h"

/* Prints nothing. gnuplot, if it is installed, draws every picture. If it refuses a script, the
 * picture's .log file remains, and assert_drawn fails. */
static Lesson begin_here(const char *folder)
{
    if (!story_now.both)
        story_now.both = fopen("/dev/null", "w");
    Lesson here = lesson_here(scratch_path(folder));
    here.preview = false;
    return here;
}

static const char *read_text(const Lesson *here, const char *name)
{
    static char text[4][1 << 20];
    static int turn;
    char path[1024];
    size_t size;
    lesson_path(here, name, path);
    unsigned char *bytes = scratch_read(path, &size);
    char *copy = text[turn++ % 4];
    ck_assert_uint_lt(size, sizeof text[0]);
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    free(bytes);
    return copy;
}

static bool exists(const Lesson *here, const char *name)
{
    char path[1024];
    lesson_path(here, name, path);
    return access(path, F_OK) == 0;
}

static void assert_drawn(const Lesson *here, const char *name)
{
    char log[80];
    snprintf(log, sizeof log, "%.*s.log", (int)(strrchr(name, '.') - name), name);
    if (here->gnuplot[0])
        ck_assert_msg(exists(here, name) && !exists(here, log), "gnuplot did not draw %s", name);
}

static int count(const char *text, const char *words)
{
    int n = 0;
    for (; (text = strstr(text, words)); text += strlen(words))
        n++;
    return n;
}

static void assert_contains(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words), "'%s' is not in:\n%.4000s", words, text);
}

#endif
