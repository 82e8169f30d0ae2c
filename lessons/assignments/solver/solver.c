/* lessons/assignments/solver/solver.c -- the program that runs a submission and answers the judge's
 * calls.
 *
 * It is linked with the library, the assignment's services.c and the submission, and started by the
 * judge for each test. On Linux a filter of system calls is in force from its first instruction
 * (judge/sandbox.c); a call that the filter refuses raises SIGSYS, which is reported here. The
 * report is a convenience: without it, the process would still die.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/assignments/solver/solver.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static jmp_buf solver_escape;
static Message solver_call, solver_answer;

/* --- the pipes -------------------------------------------------------------------------------- */

static bool solver_read(void *ctx, void *bytes, size_t n)
{
    char *to = bytes;
    (void)ctx;
    while (n > 0) {
        ssize_t got = read(SOLVER_CALLS, to, n);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        if (got > 0)
            to += got, n -= (size_t)got;
    }
    return true;
}

static bool solver_write(void *ctx, const void *bytes, size_t n)
{
    const char *from = bytes;
    (void)ctx;
    while (n > 0) {
        ssize_t put = write(SOLVER_ANSWERS, from, n);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0)
            from += put, n -= (size_t)put;
    }
    return true;
}

/* --- refused system calls --------------------------------------------------------------------- */

#if defined(__linux__) && defined(SA_SIGINFO)
static void solver_trapped(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number, (void)context;
    memset(&solver_answer, 0, sizeof solver_answer);
#ifdef si_syscall
    snprintf(solver_answer.text, sizeof solver_answer.text, SOLVER_TRAPPED "%d", info->si_syscall);
#else
    (void)info;
#endif
    wire_write(solver_write, NULL, &solver_answer);
    _exit(1);
}

static void solver_report_traps(void)
{
    struct sigaction action = {.sa_sigaction = solver_trapped, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
}

/* Runs before the submission's constructors, so that calls refused in these are reported, too. */
#ifdef __GLIBC__
__attribute__((section(".preinit_array"), used))
static void (*const solver_first)(void) = solver_report_traps;
#endif
#else
static void solver_report_traps(void) {}
#endif

/* --- calls ------------------------------------------------------------------------------------ */

/* slope_fail was called, by the library or the submission: its sentence is the answer. */
static void solver_stopped(const char *sentence, void *ctx)
{
    (void)ctx;
    message_clear(&solver_answer);
    snprintf(solver_answer.text, sizeof solver_answer.text, SOLVER_STOPPED "%.900s", sentence);
    longjmp(solver_escape, 1);
}

static void solver_serve(const Message *call, Message *answer)
{
    for (const Service *s = solver_services; s->name; s++)
        if (strcmp(s->name, call->text) == 0) {
            s->serve(call, answer);
            return;
        }
    snprintf(answer->text, sizeof answer->text, SOLVER_STOPPED "there is no service '%.200s'",
             call->text);
}

int main(void)
{
    solver_report_traps();
    setvbuf(stdout, NULL, _IOLBF, 0); /* a crash loses at most one line */
    slope_on_fail(solver_stopped, NULL);
    while (wire_read(solver_read, NULL, &solver_call)) {
        size_t mark = tape_mark();
        if (setjmp(solver_escape) == 0)
            solver_serve(&solver_call, &solver_answer);
        if (!wire_write(solver_write, NULL, &solver_answer))
            return 1;
        message_clear(&solver_answer);
        message_clear(&solver_call);
        tape_rewind(mark);
    }
    return 0;
}
