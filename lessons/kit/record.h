/* lessons/kit/record.h -- the files that a run leaves in its folder for the page (lessons/page/).
 *
 *  - output.txt is the whole story, even under --quiet.
 *  - run.txt has one fact per line, "KEY TEXT": options, picture, alt, undrawn, file, stopped, and
 *    at the end claims, failed and seconds. If the last three are missing, the run did not finish.
 *  - For lesson.c, story.c and plot*.c only; lessons do not call these functions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_RECORD_H
#define SLOPE_LESSONS_KIT_RECORD_H

#include "lessons/kit/lesson.h"

/* As lesson_open, but does not record the file. */
FILE *slope_lesson_create(const Lesson *lesson, const char *name);

/* Ends the program with a message: a file in the lesson's folder is not complete, because of
 * `problem`, an errno, or 0 if that is unknown. */
SLOPE_NORETURN void slope_refuse_partial(const Lesson *lesson, const char *name, int problem);

/* Opens both files; `options` is the text that `make lesson-NN ARGS="..."` would pass. */
void slope_record_begin(const Lesson *lesson, const char *options);

/* Adds a line, with every line break replaced by a space; does nothing before
 * slope_record_begin. */
void slope_record(const char *key, const char *format, ...) SLOPE_PRINTF(2, 3);

/* Returns how many claims have failed so far; sets *claims to the number of all claims. */
int slope_record_failed(int *claims);

/* Writes the last three lines and closes both files; after that, say() writes only to stdout. Ends
 * the program with a message if any of the output, or of either file, could not be written. Does
 * nothing without slope_record_begin. */
void slope_record_end(const Lesson *lesson);

#endif
