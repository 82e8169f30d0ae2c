/* lessons/assignments/grader.c -- runs an assignment's tests one by one and counts the points.
 *
 *     grader --points FILE --results FILE --tests PROGRAM [--printed FILE] [--seed N] [--limit S]
 *     grader --points FILE --results FILE --refused FILE
 *
 *  - Each test is a separate process (see runner.c) with a time limit, and must report completely:
 *    a test that crashes, hangs, exits early or does not exist earns no points.
 *  - This program is not linked with the submission, which therefore cannot change the count. It is
 *    not a sandbox: grade strangers' work in a container, as Gradescope does.
 *  - --refused: the submission did not compile; FILE contains the compiler's messages.
 *  - The exit status is 0 if the submission was graded, whatever the points, and 2 if the grading
 *    itself failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/assignments/grader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "optim/progress.h"
#include "tensor/random.h"

typedef struct GraderOptions {
    const char *points, *results, *tests, *printed, *refused, *seed, *limit;
} GraderOptions;

static _Noreturn void grader_refuse(const char *format, ...) SLOPE_PRINTF(1, 2);
static _Noreturn void grader_refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("grade: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    exit(2);
}

/* --- one test, one process -------------------------------------------------------------------- */

/* The result of running one process. */
typedef struct Ran {
    bool late;   /* the process exceeded its limit and was killed */
    int  status; /* from waitpid */
    char report[GRADE_TEXT];
} Ran;

/* In the child: its output goes to a file, below the test's name, that cannot fill the disk
 * (nothing is written beyond 16 MB), and an alarm ends the child if the grader is killed. */
static _Noreturn void grader_become(const GraderOptions *o, const GradeTest *t, uint64_t seed,
                                    const char *word, int to, double limit)
{
    char number[32], channel[16];
    snprintf(number, sizeof number, "%llu", (unsigned long long)seed);
    snprintf(channel, sizeof channel, "%d", to);
    setpgid(0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 24, 1 << 24});
    alarm((unsigned)limit + 2);
    int out = open(o->printed ? o->printed : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    signal(SIGXFSZ, SIG_IGN);
    printf("--- %s %s\n", t->number, t->id);
    fflush(stdout);
    execl(o->tests, o->tests, t->id, number, channel, word, (char *)NULL);
    _exit(127);
}

/* Reads until end of file or the deadline; returns false if the deadline came first. */
static bool grader_listen(int from, double deadline, char report[GRADE_TEXT])
{
    size_t used = 0;
    for (;;) {
        double left = deadline - slope_seconds();
        struct pollfd p = {.fd = from, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) == 0)
            return false;
        char bytes[512];
        ssize_t n = read(from, bytes, sizeof bytes);
        if (n == 0)
            return true;
        for (ssize_t i = 0; i < n; i++)
            if (used + 1 < GRADE_TEXT)
                report[used++] = bytes[i], report[used] = '\0';
    }
}

static bool grader_ends(pid_t child, double deadline, int *status)
{
    while (slope_seconds() < deadline) {
        if (waitpid(child, status, WNOHANG) == child)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static Ran grader_run(const GraderOptions *o, const GradeTest *t, uint64_t seed, const char *word,
                      double limit)
{
    Ran ran = {0};
    int channel[2];
    if (pipe(channel) != 0)
        grader_refuse("cannot create a pipe: %s", strerror(errno));
    fcntl(channel[0], F_SETFD, FD_CLOEXEC);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        grader_refuse("cannot create a process: %s", strerror(errno));
    if (child == 0)
        grader_become(o, t, seed, word, channel[1], limit);
    setpgid(child, child); /* the child does so too: either may run first */
    close(channel[1]);
    double deadline = slope_seconds() + limit;
    ran.late = !grader_listen(channel[0], deadline, ran.report) ||
               !grader_ends(child, deadline, &ran.status);
    kill(-child, SIGKILL); /* the child and every process it started */
    if (ran.late)
        waitpid(child, &ran.status, 0);
    close(channel[0]);
    return ran;
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* The value of a line "key<TAB>value" of the report, or "". */
static const char *grader_value(const char *report, const char *key, char *value, size_t size)
{
    size_t n = strlen(key);
    value[0] = '\0';
    for (const char *line = report; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, key, n) == 0 && line[n] == '\t')
            snprintf(value, size, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
    return value;
}

static void grader_judge(const Ran *ran, const char *word, double limit, Outcome *o)
{
    char end[64], result[16];
    bool complete = strcmp(grader_value(ran->report, "end", end, sizeof end), word) == 0;
    grader_value(ran->report, "result", result, sizeof result);
    grader_value(ran->report, "message", o->message, sizeof o->message);
    grader_value(ran->report, "index", o->index, sizeof o->index);
    grader_value(ran->report, "expected", o->expected, sizeof o->expected);
    grader_value(ran->report, "got", o->got, sizeof o->got);
    grader_value(ran->report, "hint", o->hint, sizeof o->hint);
    if (ran->late)
        snprintf(o->message, sizeof o->message, "stopped after %g s: an infinite loop?", limit);
    else if (WIFSIGNALED(ran->status))
        snprintf(o->message, sizeof o->message, "crashed: %s", strsignal(WTERMSIG(ran->status)));
    else if (!complete || WEXITSTATUS(ran->status) != 0)
        snprintf(o->message, sizeof o->message, "the program exited with status %d before the "
                 "test was complete", WEXITSTATUS(ran->status));
    else if (strcmp(result, "missing") == 0)
        snprintf(o->message, sizeof o->message, "the test program contains no such test");
    else
        o->passed = strcmp(result, "passed") == 0;
}

static void grader_print(const GradeTest *t)
{
    char text[GRADE_TEXT];
    outcome_text(&t->outcome, "                ", text, sizeof text);
    printf("  %-5s %3g of %-3g %s%s\n%s", t->number, t->outcome.passed ? t->points : 0, t->points,
           t->name, test_is_hidden(t) ? "  (hidden)" : "", text);
}

/* --- all tests -------------------------------------------------------------------------------- */

static uint64_t grader_fresh_number(void)
{
    uint64_t number = 0;
    FILE *f = fopen("/dev/urandom", "rb");
    if (!f || fread(&number, sizeof number, 1, f) != 1)
        grader_refuse("cannot read a seed from /dev/urandom; choose one, such as SEED=1");
    fclose(f);
    return number;
}

static double grader_number(const char *name, const char *text, double least, double most)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || !(x >= least && x <= most))
        grader_refuse("%s must be a number from %g to %g, not '%s'", name, least, most, text);
    return x;
}

/* A visible test draws the same inputs in every run, a hidden one fresh inputs. */
static void grader_run_all(const GraderOptions *o, Grade *grade)
{
    double limit = o->limit ? grader_number("LIMIT", o->limit, 0.1, 3600) : 10;
    if (access(o->tests, X_OK) != 0)
        grader_refuse("cannot run the test program '%s': %s", o->tests, strerror(errno));
    char word[32];
    snprintf(word, sizeof word, "%016llx", (unsigned long long)grader_fresh_number());
    for (int i = 0; i < grade->n; i++) {
        GradeTest *t = &grade->test[i];
        uint64_t seed = rng_word(test_is_hidden(t) ? grade->seed : 0, (uint64_t)i, 0);
        Ran ran = grader_run(o, t, seed, word, limit);
        grader_judge(&ran, word, limit, &t->outcome);
        grader_print(t);
    }
    snprintf(grade->output, sizeof grade->output, "%g of %g points. The hidden tests used seed "
             "%llu.", grade_score(grade), grade_most(grade),
             (unsigned long long)grade->seed);
}

/* No test ran: each outcome says why, and the overall output is the compiler's. */
static void grader_refused(const GraderOptions *o, Grade *grade)
{
    static const char title[] = "The submission does not compile:\n";
    memcpy(grade->output, title, sizeof title);
    FILE *f = fopen(o->refused, "r");
    if (!f)
        grader_refuse("cannot read '%s': %s", o->refused, strerror(errno));
    size_t n = fread(grade->output + sizeof title - 1, 1, sizeof grade->output - sizeof title, f);
    grade->output[sizeof title - 1 + n] = '\0';
    fclose(f);
    for (int i = 0; i < grade->n; i++)
        snprintf(grade->test[i].outcome.message, sizeof grade->test[i].outcome.message,
                 "not run: the submission does not compile");
    printf("  The submission does not compile; see the compiler's messages above.\n");
}

/* --- options ---------------------------------------------------------------------------------- */

static GraderOptions grader_options(int argc, char **argv)
{
    GraderOptions o = {0};
    const struct { const char *name; const char **value; } option[] = {
        {"--points", &o.points}, {"--results", &o.results}, {"--tests", &o.tests},
        {"--printed", &o.printed}, {"--refused", &o.refused}, {"--seed", &o.seed},
        {"--limit", &o.limit}};
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        while (k < sizeof option / sizeof *option && strcmp(argv[i], option[k].name) != 0)
            k++;
        if (k == sizeof option / sizeof *option || i + 1 == argc)
            grader_refuse("'%s' is not an option, or lacks its value; see grader.c", argv[i]);
        *option[k].value = argv[i + 1][0] ? argv[i + 1] : NULL;
    }
    if (!o.points || !o.results || !o.tests == !o.refused)
        grader_refuse("expected --points, --results, and either --tests or --refused");
    return o;
}

int main(int argc, char **argv)
{
    static Grade grade;
    Error err = {0};
    GraderOptions o = grader_options(argc, argv);
    double start = slope_seconds();
    if (!points_read(&grade, o.points, &err))
        return error_print(stderr, &err), 2;
    grade.seed = o.seed ? (uint64_t)grader_number("SEED", o.seed, 0, 9e15)
                        : grader_fresh_number() >> 11; /* 53 bits: exact in a double */
    if (o.refused)
        grader_refused(&o, &grade);
    else
        grader_run_all(&o, &grade);
    grade.seconds = slope_seconds() - start;
    if (!results_write(&grade, o.results, &err))
        return error_print(stderr, &err), 2;
    printf("  total %3g of %g\n", grade_score(&grade), grade_most(&grade));
    if (o.tests)
        printf("\nThe hidden tests used seed %llu; SEED=%llu draws the same inputs again.\n",
               (unsigned long long)grade.seed, (unsigned long long)grade.seed);
    return 0;
}
