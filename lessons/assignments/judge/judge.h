/* lessons/assignments/judge/judge.h -- the functions that an assignment's tests.c calls.
 *
 *  - The judge holds the expected values, the hidden tests and the points, and is never linked with
 *    a submission. judge_ask sends inputs to the solver, the program in which the submission runs,
 *    and returns what it computed.
 *  - tests.c contains tests in Check's form, and judge_tests, which adds each test under its own
 *    name, which is its id in points.txt. Hidden tests are in hidden.c, which tests.c includes if
 *    it exists: students' copies lack it.
 *  - judge_compare and judge_formula compare and, if an element is wrong, report its index, what
 *    was expected, what was found, and the likely mistake. Any ck_assert works, too.
 *  - Each test has a solver of its own, started by the test's first call. Inputs and answers are
 *    Vars on the judge's tape, which is rewound after the test.
 *  - judge_note adds a sentence to the report of a test that passes.
 *  - judge_rng has a fixed seed in a visible test, so that its report is the same in every run, and
 *    a fresh seed in a hidden one.
 *
 *      START_TEST(cube_values)
 *      {
 *          Var *x = judge_input(SHAPE(2, 3), -2, 2), *y = judge_ask("cube value", VARS(x), NONE);
 *          judge_compare("y", y, var_pow(x, 3), (Tolerance){.relative = 1e-12},
 *                        MISTAKES({var_square(x), "this is x^2"}));
 *      }
 *      END_TEST
 *
 *      void judge_tests(void)
 *      {
 *          JUDGE_TEST(cube_values);
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_JUDGE_JUDGE_H
#define SLOPE_LESSONS_ASSIGNMENTS_JUDGE_JUDGE_H

#include <check.h>

#include "lessons/assignments/solver/wire.h"
#include "slope.h"

/* --- the list of tests: judge_tests is defined in tests.c ------------------------------------- */

void judge_tests(void);
#define JUDGE_TEST(test) judge_add(#test, (test))
void judge_add(const char *id, const TTest *test);

/* --- inputs ----------------------------------------------------------------------------------- */

/* The random numbers of the current test. */
Rng *judge_rng(void);

/* A leaf on the judge's tape with elements uniform in low ... high. */
Var *judge_input(Shape shape, double low, double high);

/* --- asking the solver ------------------------------------------------------------------------ */

/* NUMBERS(a, b) expands to an array of numbers and its length, as VARS does for Vars; NONE stands
 * for either list if it is empty. */
#define NUMBERS(...)                                                                          \
    (const double[]){__VA_ARGS__}, (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double))
#define NONE NULL, 0

/* Calls a service of the solver (see solver.h) with these tensors and numbers. Returns the first
 * tensor of its answer as a constant, or NULL if that tensor is missing or there is none. Fails the
 * test, with the reason, if the solver crashed, did not finish or was stopped. */
Var *judge_ask(const char *service, Var *const *in, int n_in, const double *number, int n);

/* Sets the hint to print if the solver crashes in the next call, or does not finish it in time. */
void judge_suspect(const char *hint);

/* The whole last answer, valid until the next call. */
const Message *judge_answer(void);
Var *judge_answer_var(int i); /* its tensor i, or NULL */

/* Like judge_ask, but returns the sentence with which the library, or the submission by slope_fail,
 * refused the call; NULL if it was not refused. */
const char *judge_refusal(const char *service, Var *const *in, int n_in, const double *number,
                          int n);

/* Ends the test's solvers. The next call starts another one, which remembers nothing of the earlier
 * calls; the last answer stays valid until then. */
void judge_restart(void);

/* --- speed ------------------------------------------------------------------------------------ */

/* The calls that follow, until the end of the test, go to a solver of the assignment's own, made of
 * solvers/NAME.c in place of a submission; if `name` is NULL, to the submission's. */
void judge_use_solver(const char *name);

/* The CPU time in seconds that this solver used from the arrival of its previous answer, or from
 * its start, until its answer to the last call had arrived, read by the judge. It includes reading
 * the call, writing the answer, and whatever the solver computes between two calls. Where CPU time
 * cannot be read, it is the elapsed time of the call. */
double judge_seconds(void);

/* --- comparing -------------------------------------------------------------------------------- */

/* |got - expected| <= relative |expected| + absolute. If absolute is 0, even tiny values must be
 * accurate. */
typedef struct Tolerance {
    double relative, absolute;
} Tolerance;

/* A known mistake: the values that it yields, and the hint to print for it. */
typedef struct Mistake {
    const Var  *value; /* NULL if it does not apply */
    const char *hint;
} Mistake;
#define MISTAKES(...)                                                                         \
    (const Mistake[]){__VA_ARGS__}, (int)(sizeof((const Mistake[]){__VA_ARGS__}) / sizeof(Mistake))

/* Fails the test unless `got` has the shape and the values of `expected`. The hint is that of the
 * first mistake that explains every element, or else of one that can be recognised in any
 * assignment: a flipped sign, a constant factor, float instead of double precision, an overflow. */
void judge_compare(const char *what, const Var *got, const Var *expected, Tolerance tolerance,
                   const Mistake *mistake, int mistakes);

/* The value of one element, from the input's element x and a constant p. */
typedef double (*JudgeFormula)(double x, double p);

typedef struct FormulaMistake {
    JudgeFormula formula;
    const char  *hint;
} FormulaMistake;

/* The expected value of `got`: factor formula(x, p), for each element. `got` and factor have x's
 * shape; factor is the gradient of the result, or NULL for 1. */
typedef struct Formula {
    JudgeFormula formula;
    const Var   *x;
    double       p;
    const Var   *factor;
    double       tolerance; /* relative */
} Formula;

/* judge_compare for an elementwise function; it also recognises an x whose strides were ignored. */
void judge_formula(const char *what, const Var *got, Formula expected,
                   const FormulaMistake *mistake, int mistakes);

/* --- results ---------------------------------------------------------------------------------- */

/* Adds a number, for which larger is better, to Gradescope's leaderboard, whether or not the
 * current test passes. Only the last number of each test counts. */
void judge_leaderboard(const char *name, double value);

/* A sentence about the current test that the report prints if the test passes. */
void judge_note(const char *format, ...) SLOPE_PRINTF(1, 2);

/* Fails the current test with this message and hint; `hint` may be "". */
_Noreturn void judge_fail(const char *hint, const char *format, ...) SLOPE_PRINTF(2, 3);

#endif
