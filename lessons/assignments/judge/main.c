/* lessons/assignments/judge/main.c -- grades one submission: builds it, runs the assignment's tests
 * one by one, and counts the points.
 *
 *     judge --assignment FOLDER --submission FILE --work FOLDER --out FOLDER
 *           --compile COMMAND --objects FILES --link FLAGS [--solvers FOLDER] [--name NAME]
 *           [--seed N] [--limit S]
 *
 *  - Each assignment has a judge of its own, linked with its tests; grade.sh starts it.
 *  - --work is a folder in which the judge creates a fresh one, which it removes at the end. --out
 *    receives results.json (everything, for Gradescope and the instructor), report.txt (what the
 *    student may see), printed.txt (the submission's output) and row.csv (a line of marks).
 *  - The exit status is 0 if the submission was graded, whatever the points, and 2 if the grading
 *    itself failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lessons/assignments/judge/grade.h"
#include "lessons/assignments/judge/judge.h"
#include "lessons/assignments/judge/sandbox.h"
#include "optim/progress.h"

typedef struct JudgeOptions {
    const char *assignment, *submission, *work, *out, *compile, *objects, *link, *solvers, *name,
               *seed, *limit;
} JudgeOptions;

enum { JUDGE_LATE = 2 }; /* after this many tests that had to be stopped, the rest get less time */

static Suite *judge_suite;
static Rng judge_stream;
static char judge_folder[GRADE_PATH]; /* the fresh one; "" before it exists */

/* --- the fresh folder ------------------------------------------------------------------------- */

static void judge_remove_folder(void)
{
    char said[] = "/dev/null", *folder[] = {judge_folder, NULL};
    if (judge_folder[0])
        build_run("exec rm -rf -- \"$@\"", folder, said, 10);
}

_Noreturn void judge_refuse(const char *format, ...)
{
    static bool again;
    va_list args;
    va_start(args, format);
    fputs("grade: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    if (!again)
        again = true, solver_end(), judge_remove_folder();
    exit(2);
}

volatile sig_atomic_t judge_interrupted;

static void judge_interrupt(int signal_number)
{
    (void)signal_number;
    judge_interrupted = 1;
}

void judge_check_interrupt(void)
{
    if (judge_interrupted) {
        judge_interrupted = 0; /* the folder must still be removed */
        judge_refuse("interrupted");
    }
}

static void judge_catch_signals(void)
{
    const struct sigaction action = {.sa_handler = judge_interrupt};
    const int stop[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++)
        sigaction(stop[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The compiler's temporary files go there, too: some of them remain if it is stopped. */
static void judge_make_folder(const JudgeOptions *o)
{
    grade_path(judge_folder, o->work, "XXXXXX");
    if (!mkdtemp(judge_folder)) {
        char wanted[GRADE_PATH];
        snprintf(wanted, sizeof wanted, "%s", judge_folder);
        judge_folder[0] = '\0';
        judge_refuse("cannot create the folder '%s': %s", wanted, strerror(errno));
    }
    setenv("TMPDIR", judge_folder, 1);
}

/* --- inputs and tests ------------------------------------------------------------------------- */

Rng *judge_rng(void)
{
    return &judge_stream;
}

Var *judge_input(Shape shape, double low, double high)
{
    Var *x = var_leaf(var_empty(shape)->value);
    tensor_fill_uniform(x->value, &judge_stream, (real)low, (real)high);
    return x;
}

void judge_add(const char *id, const TTest *test)
{
    TCase *tcase = tcase_create(id);
    /* srunner_run installs handlers of its own, which would kill the judge's whole group. */
    tcase_add_checked_fixture(tcase, judge_catch_signals, NULL);
    tcase_add_test(tcase, test);
    suite_add_tcase(judge_suite, tcase);
}

/* The library was misused in the judge's own process: a test did not check an answer that it used.
 * That is a fault of the assignment, but must not let a submission stop the judge. */
static void judge_stopped(const char *sentence, void *ctx)
{
    (void)ctx;
    if (!judge_outcome)
        judge_refuse("the assignment's own tests are wrong: %s", sentence);
    judge_fail("", "the test cannot use the answer: %s", sentence);
}

/* --- running ---------------------------------------------------------------------------------- */

/* Runs the test with this id in this process; only the solver is a separate one. */
static void judge_run(SRunner *runner, const GradeTest *t, Outcome *o)
{
    size_t mark = tape_mark();
    int before = srunner_ntests_run(runner), bad = srunner_ntests_failed(runner);
    judge_outcome = o;
    srunner_run(runner, NULL, t->id, CK_SILENT);
    judge_outcome = NULL;
    bool ran = srunner_ntests_run(runner) > before;
    o->passed = ran && srunner_ntests_failed(runner) == bad;
    o->absent = !ran && test_is_hidden(t);
    if (ran && !o->passed && !o->message[0]) { /* a plain ck_assert failed */
        TestResult **result = srunner_failures(runner);
        snprintf(o->message, sizeof o->message, "%s", tr_msg(result[bad]));
        free(result);
    }
    if (!ran && !o->absent)
        judge_refuse("tests.c contains no test '%s'", t->id);
    judge_end_test();
    tape_rewind(mark);
}

static void judge_print(const GradeTest *t, FILE *out, bool findings)
{
    char text[GRADE_TEXT];
    const Outcome *o = &t->outcome;
    outcome_text(o, "                ", text, sizeof text);
    if (o->absent)
        fprintf(out, "  %-5s   - of %-3g %s  (hidden)\n", t->number, t->points, t->name);
    else
        fprintf(out, "  %-5s %3g of %-3g %s%s\n%s", t->number, o->passed ? t->points : 0,
                t->points, t->name, test_is_hidden(t) ? "  (hidden)" : "", findings ? text : "");
}

static uint64_t judge_fresh_number(void)
{
    uint64_t number = 0;
    FILE *f = fopen("/dev/urandom", "rb");
    if (!f || fread(&number, sizeof number, 1, f) != 1)
        judge_refuse("cannot read a seed from /dev/urandom; choose one, such as SEED=1");
    fclose(f);
    return number;
}

static double judge_number(const char *name, const char *text, double least, double most)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || !(x >= least && x <= most))
        judge_refuse("%s must be a number from %g to %g, not '%s'", name, least, most, text);
    return x;
}

/* A visible test draws the same inputs in every run, a hidden one fresh inputs. Once a few tests
 * have been stopped, the others get a tenth of the time: a test that needs little still passes, and
 * a submission that never ends does not occupy the judge for minutes. */
static void judge_run_all(double limit, Grade *grade, SolverOptions solver)
{
    int late = 0;
    SRunner *runner = srunner_create(judge_suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    for (int i = 0; i < grade->n; i++) {
        GradeTest *t = &grade->test[i];
        judge_stream = rng_new(rng_word(test_is_hidden(t) ? grade->seed : 0, (uint64_t)i, 0), 0);
        solver.limit = late < JUDGE_LATE ? limit : limit / 10;
        solver.patience = late < JUDGE_LATE ? 4 : 1;
        solver_begin(solver);
        judge_run(runner, t, &t->outcome);
        late += t->outcome.late;
        judge_print(t, stdout, true);
        fflush(stdout);
    }
    srunner_free(runner);
    grade->status = "graded";
}

static void judge_refused(Grade *grade, const char *status)
{
    grade->status = status;
    for (int i = 0; i < grade->n; i++)
        snprintf(grade->test[i].outcome.message, sizeof grade->test[i].outcome.message,
                 "not run: the submission %s", status);
    printf("%s\n  The submission %s; see the messages above.\n", grade->output, status);
}

/* --- the results ------------------------------------------------------------------------------ */

/* What the student may see: hidden tests without their findings. */
static void judge_write_report(const JudgeOptions *o, const Grade *grade, const char *path)
{
    char title[GRADE_TITLE];
    FILE *f = fopen(path, "w");
    if (!f)
        judge_refuse("cannot write '%s': %s", path, strerror(errno));
    fprintf(f, "%s\n\n", grade_title(title, o->assignment, o->submission));
    if (strcmp(grade->status, "graded") != 0)
        fprintf(f, "The submission %s.\n\n", grade->status);
    fprintf(f, "%s\n\n", grade->output);
    for (int i = 0; i < grade->n; i++)
        judge_print(&grade->test[i], f, !test_is_hidden(&grade->test[i]));
    fprintf(f, "  total %3g of %g\n", grade_score(grade), grade_most(grade));
    bool good = !ferror(f);
    if (fclose(f) != 0 || !good)
        judge_refuse("cannot write '%s': the disk may be full", path);
}

/* Copies a file into the folder `out` under a temporary name and renames the copy when it is
 * complete, so that no grading leaves an incomplete file, even if others run beside it or it is
 * interrupted. */
static void judge_publish(const char *folder, const char *name, const char *out)
{
    char from[GRADE_PATH], to[GRADE_PATH], beside[GRADE_PATH], bytes[4096];
    grade_path(to, out, name);
    grade_path(beside, out, ".XXXXXX");
    struct stat info;
    int in = open(grade_path(from, folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int file = mkstemp(beside);
    bool good = in >= 0 && fstat(in, &info) == 0 && S_ISREG(info.st_mode) && file >= 0 &&
                fchmod(file, 0644) == 0;
    for (ssize_t n; good && (n = read(in, bytes, sizeof bytes)) != 0;)
        good = n > 0 && write(file, bytes, (size_t)n) == n;
    close(in);
    if (file < 0 || close(file) != 0 || !good || rename(beside, to) != 0) {
        int problem = errno;
        unlink(beside);
        judge_refuse("cannot write '%s': %s", to, strerror(problem));
    }
}

/* The results are written into a folder that did not exist while the submission ran. */
static void judge_write_all(const JudgeOptions *o, const Grade *grade)
{
    static const char *const file[] = {"results.json", "row.csv", "report.txt"};
    char folder[GRADE_PATH], path[GRADE_PATH];
    Error err = {0};
    if (!mkdtemp(grade_path(folder, judge_folder, "XXXXXX")))
        judge_refuse("cannot create the folder '%s': %s", folder, strerror(errno));
    if (!results_write(grade, grade_path(path, folder, file[0]), &err) ||
        !results_write_row(grade, o->name ? o->name : o->submission,
                           grade_path(path, folder, file[1]), &err))
        error_print(stderr, &err), judge_refuse("the results cannot be written");
    judge_write_report(o, grade, grade_path(path, folder, file[2]));
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        judge_publish(folder, file[i], o->out);
    int printed = open(grade_path(path, judge_folder, "printed.txt"),
                       O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    close(printed); /* it does not exist yet if no test ran */
    judge_publish(judge_folder, "printed.txt", o->out);
}

/* Prints the seed of the hidden tests, if any of them ran. */
static void judge_print_seed(const Grade *grade)
{
    bool ran = false;
    for (int i = 0; i < grade->n; i++)
        ran |= test_is_hidden(&grade->test[i]) && !grade->test[i].outcome.absent;
    if (ran && strcmp(grade->status, "graded") == 0)
        printf("\nThe hidden tests used seed %llu; SEED=%llu draws the same inputs again.\n",
               (unsigned long long)grade->seed, (unsigned long long)grade->seed);
}

/* --- options ---------------------------------------------------------------------------------- */

static JudgeOptions judge_options(int argc, char **argv)
{
    JudgeOptions o = {0};
    const struct { const char *name; const char **value; } option[] = {
        {"--assignment", &o.assignment}, {"--submission", &o.submission}, {"--work", &o.work},
        {"--out", &o.out}, {"--compile", &o.compile}, {"--objects", &o.objects},
        {"--link", &o.link}, {"--solvers", &o.solvers}, {"--name", &o.name}, {"--seed", &o.seed},
        {"--limit", &o.limit}};
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        while (k < sizeof option / sizeof *option && strcmp(argv[i], option[k].name) != 0)
            k++;
        if (k == sizeof option / sizeof *option || i + 1 == argc)
            judge_refuse("'%s' is not an option, or has no value; see main.c", argv[i]);
        *option[k].value = argv[i + 1][0] ? argv[i + 1] : NULL;
    }
    for (size_t k = 0; k < 7; k++)
        if (!*option[k].value)
            judge_refuse("%s is missing; see main.c", option[k].name);
    return o;
}

/* The submission's file name, from the file `submit`. */
static void judge_file_name(const char *assignment, char name[128])
{
    char path[GRADE_PATH];
    FILE *f = fopen(grade_path(path, assignment, "submit"), "r");
    if (!f || fscanf(f, "%127s", name) != 1)
        judge_refuse("cannot read '%s'", path);
    fclose(f);
}

static void judge_grade(const JudgeOptions *o, Grade *grade)
{
    char file[128], printed[GRADE_PATH], program[GRADE_PATH];
    bool sandbox = strstr(o->link, "-static") && sandbox_works();
    double limit = o->limit ? judge_number("LIMIT", o->limit, 0.1, 3600) : 10;
    judge_file_name(o->assignment, file);
    const char *status = build_solver(
        &(BuildOptions){o->assignment, o->submission, file, judge_folder, o->compile, o->objects,
                        o->link,
                        "lessons/assignments/judge/allow.txt", (int)limit + 2}, grade->output);
    if (status) {
        judge_refused(grade, status);
        return;
    }
    grade_path(printed, judge_folder, "printed.txt");
    grade_path(program, judge_folder, "solver");
    judge_run_all(limit, grade, (SolverOptions){program, o->solvers, printed, 0, 0, sandbox});
    snprintf(grade->output, sizeof grade->output, "%g of %g points.%s", grade_score(grade),
             grade_most(grade), sandbox ? "" : " Not sandboxed: see SECURITY.md.");
}

int main(int argc, char **argv)
{
    static Grade grade;
    char path[GRADE_PATH];
    Error err = {0};
    JudgeOptions o = judge_options(argc, argv);
    double start = slope_seconds();
    sandbox_shield();
    judge_catch_signals();
    slope_on_fail(judge_stopped, NULL);
    if (!points_read(&grade, grade_path(path, o.assignment, "points.txt"), &err))
        return error_print(stderr, &err), 2;
    grade.seed = o.seed ? (uint64_t)judge_number("SEED", o.seed, 0, 9e15)
                        : judge_fresh_number() >> 11; /* 53 bits: exact in a double */
    judge_suite = suite_create("assignment");
    judge_tests();
    judge_make_folder(&o);
    judge_grade(&o, &grade);
    grade.seconds = slope_seconds() - start;
    judge_write_all(&o, &grade);
    judge_remove_folder();
    printf("  total %3g of %g%s\n", grade_score(&grade), grade_most(&grade),
           strstr(grade.output, "Not sandboxed") ? "  (not sandboxed: see SECURITY.md)" : "");
    judge_print_seed(&grade);
    return 0;
}
