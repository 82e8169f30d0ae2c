/* lessons/assignments/judge/build.c -- compiles and links a submission, within limits.
 *
 * A submission can keep a compiler busy for ever (a file that includes itself twice, or a device),
 * so the compiler's time, memory and output are limited, and it has no input.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lessons/assignments/judge/grade.h"
#include "optim/progress.h"

enum {
    BUILD_LINK_SECONDS = 10,
    BUILD_SOURCE = 1 << 20, /* bytes of a submission */
    BUILD_OUTPUT = 64 << 20, /* bytes of a file that the compiler writes */
    BUILD_ARGUMENTS = 16,
};

/* --- running a command ------------------------------------------------------------------------ */

static _Noreturn void build_become(const char *command, char *const argument[], const char *said,
                                   int seconds)
{
    char *argv[BUILD_ARGUMENTS + 5] = {"sh", "-c", (char *)command, "sh"};
    for (int i = 0; argument[i] && i < BUILD_ARGUMENTS; i++)
        argv[4 + i] = argument[i];
    setpgid(0, 0);
    setenv("LC_ALL", "C", 1); /* build_is_message reads English */
    process_limit(RLIMIT_CPU, (rlim_t)seconds);
    process_limit(RLIMIT_CORE, 0);
    process_limit(RLIMIT_FSIZE, BUILD_OUTPUT);
#ifdef RLIMIT_AS
    process_limit(RLIMIT_AS, (rlim_t)1 << 30);
#endif
    int in = open("/dev/null", O_RDONLY);
    int out = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    execv("/bin/sh", argv);
    _exit(127);
}

static double build_cpu(void)
{
    struct rusage used = {0};
    getrusage(RUSAGE_CHILDREN, &used);
    return process_seconds(&used);
}

int build_run(const char *command, char *const argument[], const char *said, int seconds)
{
    int status = 0;
    double deadline = slope_seconds() + 10 + 3 * seconds, cpu = build_cpu();
    bool late = false;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        judge_refuse("cannot create a process: %s", strerror(errno));
    if (child == 0)
        build_become(command, argument, said, seconds);
    setpgid(child, child); /* the child does so, too: either may run first */
    while (waitpid(child, &status, late ? 0 : WNOHANG) == 0) {
        late = slope_seconds() > deadline || judge_interrupted;
        if (late)
            kill(-child, SIGKILL);
        else
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    kill(-child, SIGKILL); /* the processes that it has left behind */
    judge_check_interrupt();
    /* If one of its processes is stopped, the compiler exits as it does after an error in the
     * source, so the CPU time decides; 0.9, because clocks differ a little. */
    return WIFEXITED(status) && build_cpu() - cpu < 0.9 * seconds ? WEXITSTATUS(status) : -1;
}

/* --- reading the submission ------------------------------------------------------------------- */

/* Writes the path of the submitted file: `submission`, or the file in it if that is a folder. */
static void build_find(const BuildOptions *o, char path[GRADE_PATH])
{
    struct stat info;
    bool folder = stat(o->submission, &info) == 0 && S_ISDIR(info.st_mode);
    int n = folder ? snprintf(path, GRADE_PATH, "%s/%s", o->submission, o->file)
                   : snprintf(path, GRADE_PATH, "%s", o->submission);
    if (n >= GRADE_PATH)
        judge_refuse("the path of the submission is too long");
    if (lstat(o->submission, &info) != 0 && errno == ENOENT)
        judge_refuse("there is no file '%s'; expected your %s", path, o->file);
}

static bool build_refuse(char said[GRADE_TEXT], const char *path, const char *problem)
{
    snprintf(said, GRADE_TEXT - 1, "'%s' %s.", path, problem);
    text_make_printable(said, "");
    strcat(said, "\n");
    return false;
}

static bool build_refuse_unread(char said[GRADE_TEXT], const char *path)
{
    char problem[256];
    snprintf(problem, sizeof problem, "cannot be read: %s", strerror(errno));
    return build_refuse(said, path, problem);
}

/* Copies a regular file of bounded size. Opening a FIFO could block, a device may never end, and a
 * link in a student's archive may point to a solution. */
static bool build_copy(const char *from, const char *to, char said[GRADE_TEXT])
{
    struct stat info;
    static char bytes[BUILD_SOURCE];
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (in < 0 && (errno == ELOOP || errno == EMLINK))
        return build_refuse(said, from, "is a symbolic link: submit the file that it points to");
    if (in < 0)
        return build_refuse_unread(said, from);
    bool regular = fstat(in, &info) == 0 && S_ISREG(info.st_mode);
    ssize_t n = regular ? read(in, bytes, sizeof bytes) : 0;
    close(in);
    if (!regular)
        return build_refuse(said, from, "is not a regular file: submit one C file");
    if (n < 0)
        return build_refuse_unread(said, from);
    if (n == sizeof bytes)
        return build_refuse(said, from, "is larger than 1 MB: submit the C file only, with neither "
                                        "data nor a program in it");
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0 || write(out, bytes, (size_t)n) != n || close(out) != 0)
        judge_refuse("cannot write '%s': %s", to, strerror(errno));
    return true;
}

/* --- compiling and linking -------------------------------------------------------------------- */

static bool build_is_message(const char *line, size_t n)
{
    static const char *const kind[] = {"error: ", "warning: ", "note: "};
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(line, kind[i]);
        if (at && at < line + n)
            return true;
    }
    return false;
}

/* Drops the lines of source that messages quote, except those of the copy. The compiler quotes
 * whatever file an #include or a #line names. */
static void build_drop_quotes(char *text, const char *copy)
{
    char *to = text;
    bool own = true;
    for (size_t n; *text; text += n) {
        n = strcspn(text, "\n") + (strchr(text, '\n') != NULL);
        bool message = build_is_message(text, n);
        if (strncmp(text, copy, strlen(copy)) == 0)
            own = true;
        else if (message)
            own = false;
        if (own || message) {
            memmove(to, text, n);
            to += n;
        }
    }
    *to = '\0';
}

/* Appends the compiler's messages, with the submitted file's name in place of its copy's. */
static void build_messages(const char *work, const char *copy, const char *name,
                           char said[GRADE_TEXT])
{
    static char all[GRADE_TEXT], shown[GRADE_PATH];
    char path[GRADE_PATH];
    FILE *f = fopen(grade_path(path, work, "messages.txt"), "r");
    size_t n = f ? fread(all, 1, sizeof all - 1, f) : 0, used = strlen(said);
    if (f)
        fclose(f);
    all[n] = '\0';
    text_make_printable(all, "\n\t");
    snprintf(shown, sizeof shown, "%s", name);
    text_make_printable(shown, "");
    build_drop_quotes(all, copy);
    for (const char *p = all; *p && used + 1 < GRADE_TEXT;) {
        const char *at = strstr(p, copy), *end = at ? at : p + strlen(p);
        used += (size_t)snprintf(said + used, GRADE_TEXT - used, "%.*s%s", (int)(end - p), p,
                                 at ? shown : "");
        p = at ? at + strlen(copy) : end;
    }
}

/* Runs the compiler once. Returns false if that fails; if it was stopped, `said` says so. */
static bool build_step(const BuildOptions *o, char *const argument[], char said[GRADE_TEXT])
{
    char command[GRADE_COMMAND], messages[GRADE_PATH];
    snprintf(command, sizeof command, "exec %s \"$@\"", o->compile);
    grade_path(messages, o->work, "messages.txt");
    int status = build_run(command, argument, messages, o->seconds);
    if (status < 0)
        snprintf(said, GRADE_TEXT, "The compiler was stopped: it did not finish in the allowed "
                 "time.\n");
    return status == 0;
}

/* Copies the submission to the work folder and compiles the copy in three steps: to a list of the
 * files that it includes, to assembly, and to an object file. Checks the list and the assembly. */
static const char *build_compile(const BuildOptions *o, const char *path, char said[GRADE_TEXT])
{
    char copy[GRADE_PATH], list[GRADE_PATH], include[GRADE_PATH], assembly[GRADE_PATH],
        object[GRADE_PATH];
    grade_path(copy, o->work, o->file);
    grade_path(list, o->work, "includes.txt");
    grade_path(assembly, o->work, "submission.s");
    grade_path(object, o->work, "submission.o");
    snprintf(include, sizeof include, "-I%s", o->assignment);
    if (!build_copy(path, copy, said))
        return "cannot be read";
    bool listed = build_step(o, (char *[]){include, "-w", "-M", copy, "-o", list, NULL}, said);
    if (listed && !sources_are_headers(list, copy, said))
        return "is not allowed";
    bool compiled = listed && build_step(o, (char *[]){include, "-S", copy, "-o", assembly, NULL},
                                         said);
    if (!said[0])
        build_messages(o->work, copy, path, said);
    if (!compiled)
        return "does not compile";
    if (!sources_read_no_files(assembly, said))
        return "is not allowed";
    bool assembled = build_step(o, (char *[]){"-c", assembly, "-o", object, NULL}, said);
    return assembled ? NULL : "does not compile";
}

static const char *build_link(const BuildOptions *o, const char *path, char said[GRADE_TEXT])
{
    char object[GRADE_PATH], program[GRADE_PATH], messages[GRADE_PATH], command[GRADE_COMMAND];
    grade_path(object, o->work, "submission.o");
    grade_path(program, o->work, "solver");
    grade_path(messages, o->work, "messages.txt");
    snprintf(command, sizeof command, "exec %s %s \"$@\" %s", o->compile, o->objects, o->link);
    if (build_run(command, (char *[]){object, "-o", program, NULL}, messages,
                  BUILD_LINK_SECONDS) == 0)
        return NULL;
    snprintf(said, GRADE_TEXT, "A function that it calls may not exist (is the name misspelt?), or "
             "one that it defines may\nexist already (make it static). The linker says:\n");
    build_messages(o->work, object, path, said);
    return "does not link";
}

const char *build_solver(const BuildOptions *o, char said[GRADE_TEXT])
{
    char path[GRADE_PATH], object[GRADE_PATH], own[GRADE_PATH];
    said[0] = '\0';
    build_find(o, path);
    grade_path(object, o->work, "submission.o");
    grade_path(own, o->assignment, "allow.txt");
    const char *status = build_compile(o, path, said);
    if (status)
        return status;
    fputs(said, stdout); /* warnings */
    said[0] = '\0';
    return names_are_allowed(object, o->names, own, said) ? build_link(o, path, said)
                                                          : "is not allowed";
}
