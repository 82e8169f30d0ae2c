/* lessons/assignments/tools/class.h -- the submissions, inside the program that grades a class.
 *
 *  - class_list (submissions.c) finds them in a folder.
 *  - class.c grades them and writes the table of marks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_TOOLS_CLASS_H
#define SLOPE_LESSONS_ASSIGNMENTS_TOOLS_CLASS_H

#include <dirent.h>
#include <sys/types.h>

#include "lessons/assignments/judge/grade.h"

/* Why a submission is not graded: in the table of marks, and as a sentence for the student. */
typedef struct Problem {
    const char *status, *reason;
} Problem;

typedef struct Student {
    char           name[256];        /* in the table of marks, and of the folder of results */
    char           path[GRADE_PATH]; /* of the submission */
    char           out[GRADE_PATH];  /* the folder of results */
    const Problem *problem;          /* why there is nothing to grade, or NULL */
    uint64_t       hash;             /* of the submission, before it is graded */
    pid_t          judge;            /* 0 if none is running */
} Student;

/* The submissions in a folder, in the order of their names, each with name, path and problem; the
 * caller frees *students. `file` is the name that the assignment gives to a submission. */
int class_list(const char *folder, const char *file, Student **students);

bool class_is_folder(const char *path);
int class_shown(const struct dirent *entry); /* for scandir: not hidden */

#endif
