/* lessons/assignments/runner.c -- runs one test of an assignment and reports its result.
 *
 * The grader starts this program, linked with tests.c and the submission, once for each test:
 *
 *     tests ID SEED PIPE WORD
 *
 * It writes lines "key<TAB>value" with the result to the pipe, and finally "end<TAB>WORD". A
 * submission that ends the process early, whatever the exit status, never reaches that line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lessons/assignments/testing.h"

static Suite *runner_suite;
static Rng runner_rng;
static int runner_pipe;

static void runner_say(const char *key, const char *value)
{
    char line[4096];
    int n = snprintf(line, sizeof line, "%s\t%s", key, value);
    n = n < (int)sizeof line - 1 ? n : (int)sizeof line - 2;
    for (int i = 0; i < n; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[n++] = '\n';
    if (write(runner_pipe, line, (size_t)n) != n)
        _exit(2); /* the grader has closed the pipe */
}

/* --- inputs ----------------------------------------------------------------------------------- */

Rng *grade_rng(void)
{
    return &runner_rng;
}

Var *grade_leaf(Shape shape, double low, double high)
{
    Var *x = var_leaf(var_empty(shape)->value);
    tensor_fill_uniform(x->value, &runner_rng, (real)low, (real)high);
    return x;
}

/* --- comparing -------------------------------------------------------------------------------- */

_Noreturn void grade_fail(const char *hint, const char *format, ...)
{
    char sentence[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (hint[0])
        runner_say("hint", hint);
    ck_abort_msg("%s", sentence);
    abort(); /* not reached: ck_abort_msg does not return */
}

static bool runner_close(double got, double expected, double tolerance)
{
    if (isnan(expected))
        return isnan(got);
    return got == expected || fabs(got - expected) <= tolerance * fabs(expected);
}

static double runner_at(const Tensor *x, ptrdiff_t i)
{
    return (double)tensor_read(x)[tensor_locate(x, i)];
}

static double runner_expected(const GradeExpected *e, GradeFormula formula, ptrdiff_t i)
{
    return (e->factor ? runner_at(e->factor, i) : 1) * formula(runner_at(e->x, i), e->p);
}

/* A hint for mistakes that look alike in every assignment, or "". */
static const char *runner_trace(const Tensor *got, const double *expected, char hint[256])
{
    double ratio = (double)NAN;
    ptrdiff_t n = tensor_count(got);
    for (ptrdiff_t i = 0; i < n; i++) {
        double g = runner_at(got, i);
        if (!isfinite(g) && isfinite(expected[i]))
            return "not stable: an intermediate result overflowed, as in inf - inf or 0 * inf";
        if (g == 0 && expected[i] == 0)
            continue; /* the ratio is undefined */
        if (isnan(ratio))
            ratio = g / expected[i];
        if (!runner_close(g, ratio * expected[i], 1e-9))
            return "";
    }
    if (ratio == 0)
        return "every element is 0: is it computed at all?";
    if (runner_close(ratio, -1, 1e-9))
        return "the sign is flipped";
    snprintf(hint, 256, "every element is %.6g times what it should be%s", ratio,
             runner_close(ratio, (double)n, 1e-9) ? ", which is the number of elements: is there a "
             "sum too many?" : "");
    return hint;
}

/* The hint of the mistake that explains every element, or "". */
static const char *runner_mistake(const Tensor *got, const GradeExpected *e, const GradeMistake *m,
                                  int mistakes)
{
    for (int k = 0; k < mistakes; k++) {
        bool same = true;
        for (ptrdiff_t i = 0, n = tensor_count(got); i < n && same; i++)
            same = runner_close(runner_at(got, i), runner_expected(e, m[k].formula, i), 1e-9);
        if (same)
            return m[k].hint;
    }
    return "";
}

static void runner_check_shape(const char *what, const Tensor *got, Shape shape)
{
    if (!got)
        grade_fail("no gradient arrived: does the backward rule SEND to its input?",
                   "%s was not computed", what);
    if (!shape_equal(got->shape, shape))
        grade_fail("", "%s has shape %s, expected %s", what, SHAPE_TEXT(got->shape),
                   SHAPE_TEXT(shape));
}

static void runner_off(const char *what, const char *at, const Tensor *got, ptrdiff_t i,
                       double expected, const char *hint)
{
    char text[64];
    snprintf(text, sizeof text, "%td%s", i, at);
    runner_say("index", text);
    snprintf(text, sizeof text, "%.10g", expected);
    runner_say("expected", text);
    snprintf(text, sizeof text, "%.10g", runner_at(got, i));
    runner_say("got", text);
    grade_fail(hint, "%s is wrong", what);
}

void grade_formula(const char *what, const Tensor *got, GradeExpected e,
                   const GradeMistake *mistake, int mistakes)
{
    runner_check_shape(what, got, e.x->shape);
    ptrdiff_t n = tensor_count(got);
    double *expected = memory_new_array((size_t)n, sizeof *expected);
    for (ptrdiff_t i = 0; i < n; i++)
        expected[i] = runner_expected(&e, e.formula, i);
    for (ptrdiff_t i = 0; i < n; i++) {
        if (runner_close(runner_at(got, i), expected[i], e.tolerance))
            continue;
        char trace[256], at[32];
        const char *hint = runner_mistake(got, &e, mistake, mistakes);
        snprintf(at, sizeof at, " (x = %g)", runner_at(e.x, i));
        runner_off(what, at, got, i, expected[i],
                   hint[0] ? hint : runner_trace(got, expected, trace));
    }
    memory_free(expected);
}

void grade_values(const char *what, const Tensor *got, Shape shape, const double *expected,
                  double tolerance)
{
    char trace[256];
    runner_check_shape(what, got, shape);
    for (ptrdiff_t i = 0, n = tensor_count(got); i < n; i++)
        if (!runner_close(runner_at(got, i), expected[i], tolerance))
            runner_off(what, "", got, i, expected[i], runner_trace(got, expected, trace));
}

/* --- running ---------------------------------------------------------------------------------- */

void grade_add(const char *id, const TTest *test)
{
    TCase *tcase = tcase_create(id);
    tcase_add_test(tcase, test);
    suite_add_tcase(runner_suite, tcase);
}

/* Misuse that the library stops (a wrong shape, say) fails the test with the library's message. */
static void runner_stopped(const char *sentence, void *ctx)
{
    (void)ctx;
    ck_abort_msg("the library stopped it: %s", sentence);
}

static void runner_report(SRunner *runner, const char *word)
{
    int run = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    if (failed > 0) {
        TestResult **result = srunner_failures(runner);
        runner_say("message", tr_msg(result[0]));
        free(result);
    }
    runner_say("result", run == 1 ? failed ? "failed" : "passed" : "missing");
    runner_say("end", word);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fputs("tests: the grader starts this program: tests ID SEED PIPE WORD\n", stderr), 2;
    runner_rng = rng_new(strtoull(argv[2], NULL, 10), 0);
    runner_pipe = atoi(argv[3]);
    runner_suite = suite_create("assignment");
    grade_tests();
    SRunner *runner = srunner_create(runner_suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* the grader has already forked this process */
    slope_on_fail(runner_stopped, NULL);
    srunner_run(runner, NULL, argv[1], CK_SILENT);
    runner_report(runner, argv[4]);
    srunner_free(runner);
    return 0;
}
