/* lessons/assignments/testing.h -- the functions with which an assignment's tests.c is written.
 *
 *  - tests.c contains tests in Check's form, and grade_tests, which adds each under its own name,
 *    its id in points.txt.
 *  - Each test runs in a separate process (runner.c), started by the grader for that one test.
 *  - grade_values and grade_formula compare and, if an element is wrong, report its index, what was
 *    expected, what was found, and the likely mistake. Any ck_assert works too.
 *  - grade_rng has a fixed seed in a visible test, so that its report is the same in every run, and
 *    a fresh seed in a hidden one.
 *
 *      START_TEST(cube_values)
 *      {
 *          static const GradeMistake squared = {square, "this is x^2"};
 *          grade_formula("y", var_cube(x)->value, (GradeExpected){cube, x->value, 0, NULL, 1e-12},
 *                        &squared, 1);
 *      }
 *      END_TEST
 *
 *      void grade_tests(void)
 *      {
 *          GRADE_TEST(cube_values);
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_TESTING_H
#define SLOPE_LESSONS_ASSIGNMENTS_TESTING_H

#include <check.h>

#include "slope.h"

/* --- the list of tests: grade_tests is defined in tests.c ------------------------------------- */

void grade_tests(void);
#define GRADE_TEST(test) grade_add(#test, (test))
void grade_add(const char *id, const TTest *test);

/* --- inputs ----------------------------------------------------------------------------------- */

/* The random numbers of the current test. */
Rng *grade_rng(void);

/* A leaf on the tape with elements uniform in low … high. */
Var *grade_leaf(Shape shape, double low, double high);

/* --- comparing -------------------------------------------------------------------------------- */

/* The value of one element, from the input's element x and a constant p. */
typedef double (*GradeFormula)(double x, double p);

/* A known mistake: the formula that it computes, and the hint to print for it. */
typedef struct GradeMistake {
    GradeFormula formula;
    const char  *hint;
} GradeMistake;

/* The expected value of `got`, of x's shape: factor formula(x, p). factor, of x's shape, is the
 * gradient of the result, or NULL for 1. The test passes if the relative error of every element is
 * at most `tolerance`; there is no absolute tolerance, so tiny values must be accurate too. */
typedef struct GradeExpected {
    GradeFormula  formula;
    const Tensor *x;
    double        p;
    const Tensor *factor;
    double        tolerance;
} GradeExpected;
void grade_formula(const char *what, const Tensor *got, GradeExpected expected,
                   const GradeMistake *mistake, int mistakes);

/* The same for expected values given in row-major order. */
void grade_values(const char *what, const Tensor *got, Shape shape, const double *expected,
                  double tolerance);

/* Fails the current test with this message and hint; `hint` may be "". */
_Noreturn void grade_fail(const char *hint, const char *format, ...) SLOPE_PRINTF(2, 3);

#endif
