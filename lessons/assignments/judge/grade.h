/* lessons/assignments/judge/grade.h -- inside the judge: the table of points, what the tests found,
 * and the solver.
 *
 *  - points_read (points.c) reads an assignment's points.txt.
 *  - build_solver (build.c) compiles and links a submission, or says why it was refused.
 *    sources.c and names.c check which files it includes, and which names it needs and defines.
 *  - solver_begin, solver_exchange and solver_end (process.c) run it, within limits.
 *  - main.c runs each test and fills in its Outcome.
 *  - results_write (results.c) writes results.json in Gradescope's format.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_JUDGE_GRADE_H
#define SLOPE_LESSONS_ASSIGNMENTS_JUDGE_GRADE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "lessons/assignments/solver/wire.h"
#include "tensor/error.h"

enum {
    GRADE_TESTS = 64,
    GRADE_TEXT = 8192,
    GRADE_PATH = 4096,
    GRADE_TITLE = GRADE_PATH + 128,
    GRADE_COMMAND = 16384,
};

/* --- what the tests found --------------------------------------------------------------------- */

/* The findings of a test, as text for people; "" if there is none. */
typedef struct Outcome {
    bool passed;
    bool absent; /* a hidden test that this copy does not contain */
    bool late;   /* stopped by its time limit */
    char message[1024], index[128], expected[128], got[128], hint[512];
    char note[256];  /* instead of a message, if it passed */
    char leader[64]; /* an entry of the leaderboard: its name, or "", ... */
    double value;    /* ... and its value */
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
    int         n;
    GradeTest   test[GRADE_TESTS];
    uint64_t    seed; /* of the hidden tests' inputs */
    double      seconds;
    const char *status;             /* "graded", or why no test ran: "does not compile" ... */
    char        output[GRADE_TEXT]; /* about the whole submission: the compiler's message, say */
} Grade;

bool test_is_hidden(const GradeTest *t);
double grade_score(const Grade *grade);
double grade_most(const Grade *grade); /* without the tests that are absent */

/* Reads lines "number points visibility id name"; # begins a comment line. If a line has any other
 * form, returns false and sets *err. */
bool points_read(Grade *grade, const char *path, Error *err);

/* Replaces every character that could move the cursor or forge a line, unless it is in `keep`. All
 * text from a submission that enters the report passes through this function. */
void text_make_printable(char *text, const char *keep);

/* Writes the outcome as lines of text for people, each beginning with `indent`. */
void outcome_text(const Outcome *o, const char *indent, char *text, size_t size);

bool results_write(const Grade *grade, const char *path, Error *err);

/* Writes a header and one line of marks: name, points, the points of each test, status. */
bool results_write_row(const Grade *grade, const char *name, const char *path, Error *err);

/* Set by SIGINT, SIGTERM and SIGHUP; judge_check_interrupt then ends the judge. */
extern volatile sig_atomic_t judge_interrupted;
void judge_check_interrupt(void);

/* Prints a sentence "grade: ..." and ends the program with status 2: the grading itself failed.
 * main.c defines it for the judge, tools/class.c for a class. */
_Noreturn void judge_refuse(const char *format, ...) SLOPE_PRINTF(1, 2);

/* Writes "folder/name" to `path` and returns it. */
char *grade_path(char path[GRADE_PATH], const char *folder, const char *name);

/* "a1_elu: path/to/elu.c", the first line of a report: the name of the assignment's folder, and the
 * submission's path as it was given. */
const char *grade_title(char title[GRADE_TITLE], const char *assignment, const char *submission);

/* Lowers a limit of this process, and never raises one. */
void process_limit(int resource, rlim_t most);

/* CPU time in seconds, of the process and of the system on its behalf. */
double process_seconds(const struct rusage *used);

/* --- building a submission -------------------------------------------------------------------- */

typedef struct BuildOptions {
    const char *assignment; /* the assignment's folder */
    const char *submission; /* the submitted file, or a folder that contains it */
    const char *file;       /* the name that the assignment gives to it: elu.c */
    const char *work;       /* a fresh folder */
    const char *compile;    /* a compiler and its flags, in the shell's syntax */
    const char *objects;    /* what the submission is linked with */
    const char *link;       /* flags after those, in the shell's syntax */
    const char *names;      /* what every submission may use: allow.txt */
    int         seconds;    /* of CPU time, for the compiler */
} BuildOptions;

/* Compiles and links work/solver. Returns NULL, or a status such as "does not compile"; `said` is
 * then the reason, for the student. */
const char *build_solver(const BuildOptions *o, char said[GRADE_TEXT]);

/* Checks the names that the object file defines and needs against the lists in two files. If it
 * returns false, `said` names the one that is missing, or the one that is refused and why. */
bool names_are_allowed(const char *object, const char *common, const char *own,
                       char said[GRADE_TEXT]);

/* `list` is a file in the form of a make rule. Is each file in it a header or the submission? */
bool sources_are_headers(const char *list, const char *copy, char said[GRADE_TEXT]);

/* Is the assembly free of directives that read files? */
bool sources_read_no_files(const char *assembly, char said[GRADE_TEXT]);

/* Runs a shell command with `argument` as its "$@" (a list that ends in NULL), no input, and its
 * output in the file `said`. Each of its processes may use this many seconds of CPU time, and 1 GB
 * of memory. So that it cannot wait for ever, it is also stopped once three times as many seconds
 * and ten more have elapsed. Returns its exit status, or -1 if it was stopped. */
int build_run(const char *command, char *const argument[], const char *said, int seconds);

/* --- the solver ------------------------------------------------------------------------------- */

typedef struct SolverOptions {
    const char *program;
    const char *own;     /* the folder of the assignment's own solvers, or NULL */
    const char *printed; /* the file to which the submission's output is appended */
    double      limit;    /* seconds of CPU time */
    double      patience; /* seconds in which it may do nothing */
    bool        sandbox;
} SolverOptions;

/* How the last call ended. */
typedef enum SolverEnd {
    SOLVER_ANSWERED,
    SOLVER_LATE,    /* it exceeded its limit */
    SOLVER_IDLE,    /* it spent most of the time waiting */
    SOLVER_DIED,    /* see solver_death */
    SOLVER_GARBLED, /* what it sent was not a message */
} SolverEnd;

void solver_begin(SolverOptions options); /* its first exchange starts it */
void solver_use(const char *name);        /* see judge_use_solver */
SolverEnd solver_exchange(const Message *call, Message *answer);
double solver_spent(void);                /* see judge_seconds */
void solver_end(void); /* ends all of them, and every process that they started */

/* Says how the solver died, such as "crashed: Segmentation fault". */
const char *solver_death(char text[256]);
bool solver_crashed(void); /* and was not ended for a system call */

/* --- the test that runs ----------------------------------------------------------------------- */

extern Outcome *judge_outcome; /* of the current test */
void judge_end_test(void);     /* drops the last answer */

#endif
