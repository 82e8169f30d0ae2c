/* lessons/assignments/tools/class.c -- grades a folder of submissions, as many at once as there are
 * processors, and writes a table of marks.
 *
 *     class --dir FOLDER --out FOLDER --work FOLDER --run SCRIPT --assignment FOLDER --file elu.c
 *           --version TEXT --seed N --limit S
 *
 *  - A submission is NAME.c, NAME/elu.c, or the only .c file in the folder NAME.
 *  - OUT/students/NAME receives what the judge writes (report.txt is what the student may see), and
 *    judge.txt, what it printed. OUT/marks.csv has one row per submission.
 *  - A submission that has been graded, and has not changed since, is not graded again, so a run
 *    that was interrupted is resumed by the next. VERSION changes when the grader does.
 *  - No submission stops the others: its row then says what went wrong.
 *  - The exit status is 0 if marks.csv was written, and 2 if the grader failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "lessons/assignments/tools/class.h"
#include "optim/progress.h"
#include "tensor/parallel.h"

typedef struct ClassOptions {
    const char *dir, *out, *work, *run, *assignment, *file, *version, *seed, *limit;
} ClassOptions;

static ClassOptions class_options;
static Grade class_points; /* the table of points, for submissions that cannot be graded */

static const Problem class_grader_failed = {
    "the grader failed", "the grader itself failed, which is not your fault: tell your instructor"};

_Noreturn void judge_refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("grade-all: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    exit(2);
}

/* --- what has been graded already ------------------------------------------------------------- */

/* FNV-1a of a file's first 2 MB, which is all of any file that the judge accepts; 0 for what is not
 * a file, which it refuses. */
static uint64_t class_hash(const char *path)
{
    static uint8_t bytes[1 << 21];
    struct stat info;
    uint64_t hash = 0xcbf29ce484222325u;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool regular = file >= 0 && fstat(file, &info) == 0 && S_ISREG(info.st_mode);
    ssize_t n = regular ? read(file, bytes, sizeof bytes) : 0;
    for (ssize_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    if (file >= 0)
        close(file);
    return regular ? hash : 0;
}

/* The contents of the file `graded`, which is written after the results. */
static void class_stamp(const Student *s, char stamp[GRADE_PATH + 256])
{
    snprintf(stamp, GRADE_PATH + 256, "%s\n%s\n%016" PRIx64 "\n", class_options.version, s->path,
             s->hash);
}

static bool class_is_graded(const Student *s)
{
    char path[GRADE_PATH], wanted[GRADE_PATH + 256], found[GRADE_PATH + 256];
    FILE *f = fopen(grade_path(path, s->out, "graded"), "r");
    size_t n = f ? fread(found, 1, sizeof found - 1, f) : 0;
    if (f)
        fclose(f);
    found[n] = '\0';
    class_stamp(s, wanted);
    return strcmp(found, wanted) == 0 && access(grade_path(path, s->out, "row.csv"), R_OK) == 0;
}

static void class_write(const Student *s, const char *name, const char *text)
{
    char path[GRADE_PATH];
    FILE *f = fopen(grade_path(path, s->out, name), "w");
    if (!f || fputs(text, f) == EOF || fclose(f) != 0)
        judge_refuse("cannot write '%s': %s", path, strerror(errno));
}

/* --- grading ---------------------------------------------------------------------------------- */

/* Results for a submission that was not graded: 0 points and the reason. */
static void class_refuse(const Student *s, const Problem *problem)
{
    char path[GRADE_PATH], title[GRADE_TITLE], report[GRADE_TITLE + GRADE_TEXT];
    Error err = {0};
    Grade *grade = &class_points;
    int n = snprintf(grade->output, sizeof grade->output, "Not graded: %s.", problem->reason);
    if (problem != &class_grader_failed)
        snprintf(grade->output + n, sizeof grade->output - (size_t)n, " Submit one file, %s.",
                 class_options.file);
    grade->status = problem->status;
    snprintf(report, sizeof report, "%s\n\n%s\n",
             grade_title(title, class_options.assignment, s->path), grade->output);
    if (!results_write(grade, grade_path(path, s->out, "results.json"), &err) ||
        !results_write_row(grade, s->name, grade_path(path, s->out, "row.csv"), &err))
        error_print(stderr, &err), judge_refuse("the results cannot be written");
    class_write(s, "report.txt", report);
    class_write(s, "printed.txt", "");
}

static _Noreturn void class_become(const Student *s)
{
    char printed[GRADE_PATH];
    const ClassOptions *o = &class_options;
    char *argv[] = {"sh", (char *)o->run, "--submission", (char *)s->path, "--name",
                    (char *)s->name, "--work", (char *)o->work, "--out", (char *)s->out, "--seed",
                    (char *)o->seed, "--limit", (char *)o->limit, NULL};
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* if this program is killed, the judge ends too */
#endif
    setenv("SLOPE_THREADS", "1", 1);
    int in = open("/dev/null", O_RDONLY);
    int out = open(grade_path(printed, s->out, "judge.txt"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    execv("/bin/sh", argv);
    _exit(127);
}

static void class_make_folder(const char *path)
{
    if (mkdir(path, 0755) != 0 && !class_is_folder(path))
        judge_refuse("cannot create the folder '%s': %s", path, strerror(errno));
}

/* Starts a judge, unless there is nothing to grade. */
static void class_start(Student *s)
{
    char stamp[GRADE_PATH];
    class_make_folder(s->out);
    s->hash = class_hash(s->path);
    if (!s->problem && class_is_graded(s))
        return;
    unlink(grade_path(stamp, s->out, "graded"));
    if (s->problem) {
        class_refuse(s, s->problem);
        return;
    }
    fflush(NULL);
    s->judge = fork();
    if (s->judge < 0)
        judge_refuse("cannot create a process: %s", strerror(errno));
    if (s->judge == 0)
        class_become(s);
}

/* Returns whether the judge that ended has graded its submission. */
static bool class_finish(Student *s, int status)
{
    char stamp[GRADE_PATH + 256];
    s->judge = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        class_refuse(s, &class_grader_failed);
        return false;
    }
    class_stamp(s, stamp);
    class_write(s, "graded", stamp);
    return true;
}

/* Returns how many submissions the grader failed to grade. */
static int class_grade(Student *student, int n)
{
    int next = 0, running = 0, earlier = 0, failed = 0, status;
    char unchanged[96] = "";
    Progress progress = progress_begin("grading", n, false);
    while (next < n || running > 0) {
        while (next < n && running < parallel_threads()) {
            class_start(&student[next]);
            running += student[next].judge != 0;
            earlier += student[next].judge == 0 && !student[next].problem;
            next++;
        }
        progress_update(&progress, next - running, "");
        pid_t judge = running ? waitpid(-1, &status, 0) : 0;
        for (int i = 0; judge > 0 && i < next; i++)
            if (student[i].judge == judge)
                running--, failed += !class_finish(&student[i], status);
    }
    if (earlier > 0)
        snprintf(unchanged, sizeof unchanged, "; %d of them have not changed since an earlier run",
                 earlier);
    progress_done(&progress, "%d submissions took %.1f s%s", n, slope_seconds() - progress.started,
                  unchanged);
    return failed;
}

/* --- folders of other students ---------------------------------------------------------------- */

static bool class_has(const Student *student, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(student[i].name, name) == 0)
            return true;
    return false;
}

/* Lists the results in OUT/students that belong to no submission of this class, such as those of
 * another DIR. They are kept: only a person knows whether they are still needed. */
static void class_list_others(const Student *student, int n, const char *folder)
{
    struct dirent **entry;
    int found = scandir(folder, &entry, class_shown, alphasort), others = 0;
    for (int i = 0; i < found; i++) {
        char *name = entry[i]->d_name;
        if (!class_has(student, n, name) && others++ == 0)
            fprintf(stderr, "grade-all: these folders in '%s' are from an earlier run;\n"
                    "they belong to no submission in '%s' and are not in marks.csv:\n", folder,
                    class_options.dir);
        if (!class_has(student, n, name))
            text_make_printable(name, ""), fprintf(stderr, "  %s\n", name);
        free(entry[i]);
    }
    if (found >= 0)
        free(entry);
}

/* --- the table -------------------------------------------------------------------------------- */

/* Appends a student's row, and before the first one the header. Returns whether its status is
 * "graded". */
static bool class_copy_row(const Student *s, bool header, FILE *marks)
{
    char path[GRADE_PATH], text[GRADE_TEXT];
    FILE *f = fopen(grade_path(path, s->out, "row.csv"), "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    const char *row = strchr(text, '\n');
    if (!row || text[n - 1] != '\n')
        judge_refuse("'%s' is not a row of marks", path);
    fputs(header ? text : row + 1, marks);
    return n > 8 && strcmp(text + n - 8, ",graded\n") == 0;
}

static void class_write_marks(const Student *student, int n, int failed)
{
    char path[GRADE_PATH], beside[GRADE_PATH];
    int graded = 0;
    grade_path(path, class_options.out, "marks.csv");
    FILE *marks = fopen(grade_path(beside, class_options.out, ".marks.csv"), "w");
    for (int i = 0; marks && i < n; i++)
        graded += class_copy_row(&student[i], i == 0, marks);
    if (!marks || ferror(marks) || fclose(marks) != 0 || rename(beside, path) != 0)
        judge_refuse("cannot write '%s': %s", path, strerror(errno));
    printf("%d of %d submissions were graded; the marks are in %s.\n", graded, n, path);
    if (graded < n)
        printf("The last column there says why the rest were not.\n");
    printf("Each student's results are in %s/students: report.txt is what the student may see.\n",
           class_options.out);
    if (failed)
        judge_refuse("the grader failed for %d submissions: see judge.txt in their folders",
                     failed);
}

/* --- options ---------------------------------------------------------------------------------- */

static void class_read_options(int argc, char **argv)
{
    ClassOptions *o = &class_options;
    const struct { const char *name; const char **value; } option[] = {
        {"--dir", &o->dir}, {"--out", &o->out}, {"--work", &o->work}, {"--run", &o->run},
        {"--assignment", &o->assignment}, {"--file", &o->file}, {"--version", &o->version},
        {"--seed", &o->seed}, {"--limit", &o->limit}};
    enum { OPTIONS = sizeof option / sizeof *option };
    for (int i = 1; i + 1 < argc; i += 2)
        for (int k = 0; k < OPTIONS; k++)
            if (strcmp(argv[i], option[k].name) == 0)
                *option[k].value = argv[i + 1];
    for (int k = 0; k < OPTIONS; k++)
        if (!*option[k].value)
            judge_refuse("%s is missing; see class.c", option[k].name);
}

int main(int argc, char **argv)
{
    char path[GRADE_PATH];
    Error err = {0};
    Student *student;
    class_read_options(argc, argv);
    if (!points_read(&class_points, grade_path(path, class_options.assignment, "points.txt"), &err))
        return error_print(stderr, &err), 2;
    int n = class_list(class_options.dir, class_options.file, &student);
    if (n == 0)
        judge_refuse("there is no submission in '%s': expected NAME.c or NAME/%s",
                     class_options.dir, class_options.file);
    class_make_folder(grade_path(path, class_options.out, "students"));
    for (int i = 0; i < n; i++)
        grade_path(student[i].out, path, student[i].name);
    int failed = class_grade(student, n);
    class_list_others(student, n, path);
    class_write_marks(student, n, failed);
    free(student);
    return 0;
}
