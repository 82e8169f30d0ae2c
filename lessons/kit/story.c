/* lessons/kit/story.c -- a lesson's story and claims, on stdout and in its folder.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* fopencookie */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "lessons/kit/record.h"

/* A program contains one lesson, so the story functions do not take it as an argument. */
static struct {
    FILE *both;   /* writes to stdout, unless quiet, and to the copy */
    FILE *copy;   /* output.txt */
    FILE *run;    /* run.txt */
    bool  quiet;
    int   claims, failed;
    double began; /* the time of the start, in seconds */
} story_now;

/* --- one stream that writes to two ------------------------------------------------------------ */

static void story_copy(const char *bytes, size_t count)
{
    if (!story_now.quiet) {
        fwrite(bytes, 1, count, stdout);
        fflush(stdout);
    }
    fwrite(bytes, 1, count, story_now.copy);
    fflush(story_now.copy); /* so that a run that crashes leaves its output so far */
}

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
static int story_write(void *ctx, const char *bytes, int count)
{
    (void)ctx;
    story_copy(bytes, (size_t)count);
    return count;
}

static FILE *story_open(void)
{
    return funopen(NULL, NULL, story_write, NULL, NULL);
}
#else
static ssize_t story_write(void *ctx, const char *bytes, size_t count)
{
    (void)ctx;
    story_copy(bytes, count);
    return (ssize_t)count;
}

static FILE *story_open(void)
{
    return fopencookie(NULL, "w", (cookie_io_functions_t){.write = story_write});
}
#endif

FILE *story(void)
{
    return story_now.both ? story_now.both : stdout;
}

/* --- the record ------------------------------------------------------------------------------- */

static double story_clock(void)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec * 1e-6;
}

void slope_record_begin(const Lesson *lesson, const char *options)
{
    FILE *run = slope_lesson_create(lesson, "run.txt"); /* truncates the previous run's record */
    story_now.copy = slope_lesson_create(lesson, "output.txt");
    story_now.run = run;
    story_now.quiet = lesson->quiet;
    story_now.began = story_clock();
    story_now.both = story_open();
    if (!story_now.both)
        slope_fail("lesson_begin", "out of memory for a stream");
    setvbuf(story_now.both, NULL, _IOLBF, 1024);
    slope_record("options", "%s", options);
}

void slope_record(const char *key, const char *format, ...)
{
    if (!story_now.run)
        return;
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ' ';
    fprintf(story_now.run, "%s %s\n", key, text);
    fflush(story_now.run);
}

int slope_record_failed(int *claims)
{
    *claims = story_now.claims;
    return story_now.failed;
}

/* The three lines are the record of a run that is complete, so they come last. */
void slope_record_end(const Lesson *lesson)
{
    FILE *copy = story_now.copy, *run = story_now.run;
    if (!run) /* after lesson_here */
        return;
    fclose(story_now.both);
    story_now.both = story_now.copy = NULL;
    if (fflush(stdout) != 0 || ferror(stdout))
        lesson_refuse("could not write all of the output; is the disk full?");
    lesson_close(lesson, "output.txt", copy);
    slope_record("claims", "%d", story_now.claims);
    slope_record("failed", "%d", story_now.failed);
    slope_record("seconds", "%.1f", story_clock() - story_now.began);
    story_now.run = NULL;
    lesson_close(lesson, "run.txt", run);
}

/* --- the story -------------------------------------------------------------------------------- */

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(story(), format, args);
    va_end(args);
    fflush(story());
}

void section(const char *title)
{
    say("\n--- %s ---\n\n", title);
}

void say_tensor(const char *name, const Tensor *x)
{
    say("%s = ", name);
    tensor_fprint(story(), x);
}

/* --- claims ----------------------------------------------------------------------------------- */

/* Turns printing on stdout off or on; returns the previous setting. */
static bool story_set_quiet(bool quiet)
{
    bool before = story_now.quiet;
    fflush(story());
    story_now.quiet = quiet;
    return before;
}

static bool claim_print(bool holds, const char *format, va_list args)
{
    bool quiet = story_set_quiet(story_now.quiet && holds);
    story_now.claims++;
    story_now.failed += !holds;
    fputs(holds ? "  [ok] " : "  [FAILED] ", story());
    vfprintf(story(), format, args);
    fputs("\n", story());
    story_set_quiet(quiet);
    return holds;
}

bool claim(bool holds, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    claim_print(holds, format, args);
    va_end(args);
    return holds;
}

bool claim_close(double found, double expected, double tolerance, const char *format, ...)
{
    double difference = found - expected;
    bool holds = found == expected || (difference <= tolerance && difference >= -tolerance);
    va_list args;
    va_start(args, format);
    claim_print(holds, format, args);
    va_end(args);
    if (holds)
        return true;
    bool quiet = story_set_quiet(false);
    fprintf(story(), "           found %.9g, expected %.9g, tolerance %.3g\n", found, expected,
            tolerance);
    story_set_quiet(quiet);
    return false;
}
