/* lessons/assignments/grader.h -- the grader from inside: a table of points, and what came of it.
 *
 *  - points_read (points.c) reads an assignment's points.txt.
 *  - grader.c runs each test in a process and fills in its Outcome.
 *  - results_write (results.c) writes results.json in Gradescope's format.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_GRADER_H
#define SLOPE_LESSONS_ASSIGNMENTS_GRADER_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/error.h"

enum { GRADE_TESTS = 64, GRADE_TEXT = 8192 };

/* What a test found: texts for people, "" where there is none. */
typedef struct Outcome {
    bool passed;
    char message[1024], index[128], expected[128], got[128], hint[512];
} Outcome;

/* A line of points.txt and what came of it. */
typedef struct GradeTest {
    char    number[8];      /* "1.1" */
    double  points;
    char    visibility[32]; /* "visible", "hidden", "after_due_date" or "after_published" */
    char    id[64];         /* the test's name in tests.c */
    char    name[128];      /* for people */
    Outcome outcome;
} GradeTest;

typedef struct Grade {
    int       n;
    GradeTest test[GRADE_TESTS];
    uint64_t  seed; /* of the hidden tests' inputs */
    double    seconds;
    char      output[GRADE_TEXT]; /* on the whole: the compiler's message, say */
} Grade;

bool test_is_hidden(const GradeTest *t);
double grade_score(const Grade *grade);
double grade_most(const Grade *grade);

/* Lines "number points visibility id name", # for comments. False and *err for any other. */
bool points_read(Grade *grade, const char *path, Error *err);

/* The outcome in lines for people, each after `indent`. */
void outcome_text(const Outcome *o, const char *indent, char *text, size_t size);

bool results_write(const Grade *grade, const char *path, Error *err);

#endif
