/* lessons/assignments/grader.h -- inside the grader: the table of points and the test results.
 *
 *  - points_read (points.c) reads an assignment's points.txt.
 *  - grader.c runs each test in its own process and fills in its Outcome.
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

/* The findings of a test: texts for people, "" if there is none. */
typedef struct Outcome {
    bool passed;
    char message[1024], index[128], expected[128], got[128], hint[512];
} Outcome;

/* A line of points.txt and its outcome. */
typedef struct GradeTest {
    char    number[8];      /* "1.1" */
    double  points;
    char    visibility[32]; /* "visible", "hidden", "after_due_date" or "after_published" */
    char    id[64];         /* the test's name in tests.c */
    char    name[128];      /* the description for people */
    Outcome outcome;
} GradeTest;

typedef struct Grade {
    int       n;
    GradeTest test[GRADE_TESTS];
    uint64_t  seed; /* of the hidden tests' inputs */
    double    seconds;
    char      output[GRADE_TEXT]; /* about the whole submission: the compiler's message, say */
} Grade;

bool test_is_hidden(const GradeTest *t);
double grade_score(const Grade *grade);
double grade_most(const Grade *grade);

/* Reads lines "number points visibility id name"; # begins a comment line. Returns false and sets
 * *err for any other line. */
bool points_read(Grade *grade, const char *path, Error *err);

/* The outcome as lines for people, each beginning with `indent`. */
void outcome_text(const Outcome *o, const char *indent, char *text, size_t size);

bool results_write(const Grade *grade, const char *path, Error *err);

#endif
