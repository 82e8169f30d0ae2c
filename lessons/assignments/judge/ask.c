/* lessons/assignments/judge/ask.c -- calls the solver on behalf of a test, and fails the test if
 * there is no answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/judge/grade.h"
#include "lessons/assignments/judge/judge.h"
#include "lessons/assignments/judge/sandbox.h"
#include "lessons/assignments/solver/solver.h"

Outcome *judge_outcome;
static Message ask_answer;
static const char *ask_suspicion; /* for the next call, or NULL */

/* For a crash that the test does not suspect. Every handout says how to check one's work. */
static const char ask_crash_hint[] =
    "to find the line, let the program with which you check your work (README.md) do what this "
    "test does, and compile it with -g -fsanitize=address,undefined";

_Noreturn void judge_fail(const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(judge_outcome->message, sizeof judge_outcome->message, format, args);
    va_end(args);
    snprintf(judge_outcome->hint, sizeof judge_outcome->hint, "%s", hint);
    ck_abort_msg("%s", judge_outcome->message);
    abort(); /* not reached: ck_abort_msg does not return */
}

void judge_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(judge_outcome->note, sizeof judge_outcome->note, format, args);
    va_end(args);
}

void judge_leaderboard(const char *name, double value)
{
    snprintf(judge_outcome->leader, sizeof judge_outcome->leader, "%s", name);
    judge_outcome->value = value;
}

void judge_suspect(const char *hint)
{
    ask_suspicion = hint;
}

/* The answer's text after this prefix; NULL if it does not begin with it. */
static const char *ask_said(const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(ask_answer.text, prefix, n) == 0 ? ask_answer.text + n : NULL;
}

static void ask_exchange(const char *service, Var *const *in, int n_in, const double *number, int n)
{
    char death[256];
    const char *suspicion = ask_suspicion;
    Message call = {.tensors = 0};
    ask_suspicion = NULL;
    snprintf(call.text, sizeof call.text, "%s", service);
    for (int i = 0; i < n_in; i++)
        message_add_tensor(&call, in[i]->value);
    for (int i = 0; i < n; i++)
        message_add_number(&call, number[i]);
    message_clear(&ask_answer);
    SolverEnd end = solver_exchange(&call, &ask_answer);
    message_clear(&call);
    text_make_printable(ask_answer.text, "");
    judge_outcome->late = end == SOLVER_LATE || end == SOLVER_IDLE;
    if (end == SOLVER_LATE)
        judge_fail(suspicion ? suspicion : "an infinite loop?", "stopped after the allowed time");
    if (end == SOLVER_IDLE)
        judge_fail("does it wait for something?", "stopped because it did nothing");
    if (end == SOLVER_DIED)
        judge_fail(suspicion ? suspicion : solver_crashed() ? ask_crash_hint : "", "%s",
                   solver_death(death));
    if (end == SOLVER_GARBLED)
        judge_fail("does the submission write to files that it did not open?",
                   "what arrived is not an answer");
}

static void ask_trapped(const char *number)
{
    char text[32];
    judge_fail("a submission may only compute and print",
               "the system call %s was refused", sandbox_call_name(atoi(number), text));
}

const Message *judge_answer(void)
{
    return &ask_answer;
}

Var *judge_answer_var(int i)
{
    Tensor *x = i < ask_answer.tensors ? ask_answer.tensor[i] : NULL;
    return x ? var_const(x) : NULL;
}

const char *judge_refusal(const char *service, Var *const *in, int n_in, const double *number,
                          int n)
{
    ask_exchange(service, in, n_in, number, n);
    if (ask_said(SOLVER_TRAPPED))
        ask_trapped(ask_said(SOLVER_TRAPPED));
    return ask_said(SOLVER_STOPPED);
}

Var *judge_ask(const char *service, Var *const *in, int n_in, const double *number, int n)
{
    const char *stopped = judge_refusal(service, in, n_in, number, n);
    if (stopped)
        judge_fail("", "stopped: %s", stopped);
    return judge_answer_var(0);
}

void judge_restart(void)
{
    solver_end();
}

void judge_use_solver(const char *name)
{
    solver_use(name);
}

double judge_seconds(void)
{
    return solver_spent();
}

void judge_end_test(void)
{
    solver_end();
    message_clear(&ask_answer);
}
