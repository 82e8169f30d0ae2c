/* lessons/kit/record.h -- what a run leaves in its folder for the page (lessons/page/).
 *
 *  - output.txt is the story, all of it, also under --quiet.
 *  - run.txt is one fact a line, "KEY TEXT": options, picture, alt, undrawn, file, stopped, and at
 *    the end claims, failed and seconds. Without these three a run did not come to its end.
 *  - For lesson.c, story.c and plot*.c; lessons need none of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_RECORD_H
#define SLOPE_LESSONS_KIT_RECORD_H

#include "lessons/kit/lesson.h"

/* Opens both files; `options` are the words that `make lesson-NN ARGS="..."` would pass. */
void record_begin(const Lesson *lesson, const char *options);

/* Adds a line; nothing before record_begin. A line break in it becomes a space. */
void record(const char *key, const char *format, ...) SLOPE_PRINTF(2, 3);

/* How many claims failed so far, and of how many. */
int record_failed(int *claims);

/* Writes the three last lines and closes both files; say() goes to stdout alone from then on. */
void record_end(void);

#endif
