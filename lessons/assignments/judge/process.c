/* lessons/assignments/judge/process.c -- the solver's process: starts it, exchanges messages with
 * it, and ends it, whatever the submission in it does.
 *
 *  - The limit is on CPU time, not on elapsed time, so that gradings side by side take longer but
 *    reach the same results. A solver is also ended if it spends most of its time waiting: no
 *    honest one waits, except for the pipe from the judge and for a processor.
 *  - Memory, stack, output and open files are limited; everything else is left to the sandbox.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "lessons/assignments/judge/grade.h"
#include "lessons/assignments/judge/sandbox.h"
#include "lessons/assignments/solver/solver.h"
#include "optim/progress.h"

enum {
    SOLVER_MEMORY = 512 << 20, /* bytes of address space */
    SOLVER_STACK = 8 << 20,
    SOLVER_PRINTS = 1 << 18, /* bytes of output per test */
    SOLVER_TICK = 20,        /* milliseconds between readings of the clocks */
    SOLVER_OWN_SECONDS = 60, /* of CPU time for a solver of the assignment */
};

/* In one test the judge waits at most its patience plus this many times the CPU time of the solver,
 * so that as many processes may share a processor. */
static const double solver_share = 10;

/* The submission's solver comes first, then those of the assignment that the test has used. */
typedef struct Solver {
    char      name[32];       /* "" for the submission's */
    double    limit;          /* seconds of CPU time */
    pid_t     pid;            /* 0 if it does not run */
    int       calls, answers; /* the judge's ends of the pipes */
    int       status;         /* of its last process, from waitpid */
    SolverEnd end;            /* why an exchange failed */
    double    cpu, waited;    /* its CPU time, and how long the judge has waited for it */
    double    looked;         /* when solver_is_over last checked */
    double    counted;        /* its CPU time when its last answer had arrived */
    double    spent;          /* CPU time from then until its next answer */
} Solver;

enum { SOLVERS = 4 };

static SolverOptions solver_options;
static Solver solver_all[SOLVERS], *solver = solver_all;

void solver_begin(SolverOptions options)
{
    solver_options = options;
    memset(solver_all, 0, sizeof solver_all);
    solver = solver_all;
    solver->limit = options.limit;
}

static Solver *solver_find(const char *name)
{
    for (Solver *s = solver_all + 1; s < solver_all + SOLVERS; s++) {
        if (!s->name[0]) {
            snprintf(s->name, sizeof s->name, "%s", name);
            s->limit = SOLVER_OWN_SECONDS;
        }
        if (strcmp(s->name, name) == 0)
            return s;
    }
    judge_refuse("a test may use at most %d solvers", SOLVERS);
}

void solver_use(const char *name)
{
    solver = name ? solver_find(name) : solver_all;
}

double solver_spent(void)
{
    return solver->spent;
}

/* --- starting --------------------------------------------------------------------------------- */

void process_limit(int resource, rlim_t most)
{
    struct rlimit old;
    if (getrlimit(resource, &old) == 0 && (old.rlim_max == RLIM_INFINITY || most < old.rlim_max))
        setrlimit(resource, &(struct rlimit){most, most});
}

/* The limit on output applies to the whole file, and each test may append that much to it. */
static void solver_limits(int printed)
{
    struct stat info;
    rlim_t used = fstat(printed, &info) == 0 ? (rlim_t)info.st_size : 0;
    process_limit(RLIMIT_CORE, 0);
    process_limit(RLIMIT_FSIZE, used + SOLVER_PRINTS);
    process_limit(RLIMIT_STACK, SOLVER_STACK);
    process_limit(RLIMIT_CPU, (rlim_t)solver->limit + 2);
#ifdef RLIMIT_AS
    process_limit(RLIMIT_AS, SOLVER_MEMORY);
#endif
}

/* In the child: the given descriptors become 0 to 5, and all others are closed. 5, the program, is
 * closed by the exec. All are first copied to higher numbers, so that none replaces another. */
static void solver_place_files(const int from[6])
{
    int moved[6];
    for (int i = 0; i < 6; i++)
        if ((moved[i] = fcntl(from[i], F_DUPFD, 16)) < 0)
            _exit(126);
    for (int i = 0; i < 6; i++)
        if (dup2(moved[i], i) < 0)
            _exit(126);
    fcntl(5, F_SETFD, FD_CLOEXEC);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 6, ~0U, 0) == 0)
        return;
#endif
    long most = sysconf(_SC_OPEN_MAX);
    for (int i = 6; i < (most > 0 && most < 65536 ? most : 65536); i++)
        close(i);
}

static _Noreturn void solver_become(const char *program, const int from[6])
{
    static char *const argv[] = {"solver", NULL};
    static char *const envp[] = {"SLOPE_THREADS=1", "LC_ALL=C", NULL};
    setsid(); /* a group of its own: signals to the group stay there */
    solver_place_files(from);
    solver_limits(1);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    if (solver_options.sandbox)
        sandbox_exec(5, argv, envp);
    else
        execve(program, argv, envp);
    _exit(127);
}

static int solver_open(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (file < 0)
        judge_refuse("cannot open '%s': %s", path, strerror(errno));
    return file;
}

static void solver_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        judge_refuse("cannot create a pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

static void solver_start(void)
{
    int calls[2], answers[2];
    char own[GRADE_PATH];
    snprintf(own, sizeof own, "%s/%s", solver_options.own ? solver_options.own : "",
             solver->name);
    const char *path = solver->name[0] ? own : solver_options.program;
    solver_pipe(calls);
    solver_pipe(answers);
    int empty = solver_open("/dev/null", O_RDONLY);
    int printed = solver_open(solver_options.printed, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
    int program = solver_open(path, O_RDONLY);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) /* solver->pid stays 0: kill(-1) would signal every process */
        judge_refuse("cannot create a process: %s", strerror(errno));
    if (child == 0)
        solver_become(path, (int[]){empty, printed, printed, calls[0], answers[1], program});
    solver->pid = child;
    close(empty), close(printed), close(program), close(calls[0]), close(answers[1]);
    solver->calls = calls[1], solver->answers = answers[0];
    fcntl(solver->calls, F_SETFL, O_NONBLOCK);
    solver->cpu = solver->waited = solver->counted = 0;
}

/* --- ending ----------------------------------------------------------------------------------- */

/* Ends the orphans of solvers that have ended. They can exist only without a sandbox; on Linux
 * they have become the judge's children. */
static void solver_sweep(void)
{
    char path[64];
    int orphan;
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    for (int round = 0; round < 100; round++) {
        FILE *f = fopen(path, "r");
        bool found = false;
        while (f && fscanf(f, "%d", &orphan) == 1)
            found = true, kill(orphan, SIGKILL);
        if (f)
            fclose(f);
        if (!found)
            return;
        while (waitpid(-1, NULL, found ? 0 : WNOHANG) > 0)
            found = false;
    }
}

double process_seconds(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) * 1e-6;
}

/* Ends a solver and its group. No other process can get its number before it is waited for. */
static void solver_kill(Solver *s)
{
    struct rusage used = {0};
    close(s->calls), close(s->answers);
    kill(s->pid, SIGKILL);
    kill(-s->pid, SIGKILL);
    while (wait4(s->pid, &s->status, 0, &used) < 0 && errno == EINTR)
        ;
    s->cpu = fmax(s->cpu, process_seconds(&used));
    s->pid = 0;
}

/* Ends all solvers: a test ends as soon as one of them fails. */
void solver_end(void)
{
    bool any = false;
    for (Solver *s = solver_all; s < solver_all + SOLVERS; s++)
        if (s->pid > 0)
            solver_kill(s), any = true;
    if (any)
        solver_sweep();
}

/* The pipe was closed, so the solver is about to end; it is killed if that takes a second. If the
 * judge did not read the clocks in time, the kernel may have ended it at the limit of CPU time. */
static SolverEnd solver_died(void)
{
    siginfo_t info = {.si_pid = 0};
    for (int i = 0; i < 100 && info.si_pid == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = i > 0 ? 10000000 : 0}, NULL);
        waitid(P_PID, (id_t)solver->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    }
    solver_end();
    return solver->cpu > solver->limit ? SOLVER_LATE : SOLVER_DIED;
}

bool solver_crashed(void)
{
    return WIFSIGNALED(solver->status) && WTERMSIG(solver->status) != SIGSYS;
}

const char *solver_death(char text[256])
{
    if (WIFSIGNALED(solver->status) && WTERMSIG(solver->status) == SIGSYS)
        snprintf(text, 256, "it made a system call that a submission may not make");
    else if (WIFSIGNALED(solver->status))
        snprintf(text, 256, "crashed: %s", strsignal(WTERMSIG(solver->status)));
    else
        snprintf(text, 256, "the program exited with status %d before it had answered",
                 WEXITSTATUS(solver->status));
    return text;
}

/* --- exchanging ------------------------------------------------------------------------------- */

/* The CPU time that the solver has used, or -1 where that cannot be read. */
static double solver_cpu(void)
{
#if defined(_POSIX_CPUTIME) && _POSIX_CPUTIME >= 0
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(solver->pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
#endif
    return -1;
}

/* Has the solver exceeded a limit? A long time between two checks does not count against it: the
 * judge was stopped. Where CPU time cannot be read, the time waited is taken for it. */
static bool solver_is_over(void)
{
    double now = slope_seconds(), cpu = solver_cpu();
    judge_check_interrupt();
    solver->waited += fmin(now - solver->looked, SOLVER_TICK * 5e-3);
    solver->looked = now;
    solver->cpu = fmax(solver->cpu, cpu < 0 ? solver->waited : cpu);
    if (solver->cpu > solver->limit)
        return solver->end = SOLVER_LATE, true;
    if (solver->waited > solver_options.patience + solver_share * solver->cpu)
        return solver->end = SOLVER_IDLE, true;
    return false;
}

/* Waits until the pipe is ready; false if a limit is exceeded first. */
static bool solver_wait(int file, short events)
{
    struct pollfd p = {.fd = file, .events = events};
    while (poll(&p, 1, SOLVER_TICK) <= 0)
        if (solver_is_over())
            return false;
    return true;
}

static bool solver_pipe_read(void *ctx, void *bytes, size_t n)
{
    char *to = bytes;
    (void)ctx;
    while (n > 0) {
        if (!solver_wait(solver->answers, POLLIN))
            return false;
        ssize_t got = read(solver->answers, to, n);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return solver->end = SOLVER_DIED, false;
        if (got > 0)
            to += got, n -= (size_t)got;
        if (solver_is_over())
            return false;
    }
    return true;
}

static bool solver_pipe_write(void *ctx, const void *bytes, size_t n)
{
    const char *from = bytes;
    (void)ctx;
    while (n > 0) {
        if (!solver_wait(solver->calls, POLLOUT))
            return false;
        ssize_t put = write(solver->calls, from, n);
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            return solver->end = SOLVER_DIED, false;
        if (put > 0)
            from += put, n -= (size_t)put;
    }
    return true;
}

static SolverEnd solver_try(const Message *call, Message *answer)
{
    solver->end = SOLVER_GARBLED; /* unless reading or writing fails for another reason */
    solver->looked = slope_seconds();
    bool sent = wire_write(solver_pipe_write, NULL, call);
    /* A solver that died may have said why. */
    bool received = (sent || solver->end == SOLVER_DIED) &&
                    wire_read(solver_pipe_read, NULL, answer);
    if (received)
        return SOLVER_ANSWERED;
    if (solver->end == SOLVER_DIED)
        return solver_died();
    solver_end();
    return solver->end;
}

SolverEnd solver_exchange(const Message *call, Message *answer)
{
    if (solver->pid == 0)
        solver_start();
    double start = slope_seconds();
    SolverEnd end = solver_try(call, answer);
    if (end != SOLVER_ANSWERED && solver->name[0])
        judge_refuse("the assignment's own solver '%s' failed", solver->name);
    double cpu = solver->pid ? solver_cpu() : -1;
    solver->spent = cpu >= 0 ? cpu - solver->counted : slope_seconds() - start;
    solver->counted = cpu;
    return end;
}
