/* lessons/assignments/testing.h -- what an assignment's tests.c is written with.
 *
 *  - tests.c holds tests in Check's form, and grade_tests, which adds them under their own names:
 *    those that stand in points.txt.
 *  - Each test runs in a process of its own (runner.c), started by the grader for that one test.
 *  - grade_values and grade_formula compare and, where something is off, say at which index, what
 *    was expected, what was found, and what the mistake looks like. Any ck_assert works too.
 *  - grade_rng is fixed for a visible test, so that it says the same thing each time, and fresh for
 *    a hidden one.
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

/* --- the list: written by tests.c ------------------------------------------------------------- */

void grade_tests(void);
#define GRADE_TEST(test) grade_add(#test, (test))
void grade_add(const char *id, const TTest *test);

/* --- inputs ----------------------------------------------------------------------------------- */

/* This test's random numbers. */
Rng *grade_rng(void);

/* A leaf on the tape, uniform in low … high. */
Var *grade_leaf(Shape shape, double low, double high);

/* --- comparing -------------------------------------------------------------------------------- */

/* One element from an input's element x and a constant p. */
typedef double (*GradeFormula)(double x, double p);

/* A known mistake, as the formula that it computes, and what to say to who made it. */
typedef struct GradeMistake {
    GradeFormula formula;
    const char  *hint;
} GradeMistake;

/* What `got` ought to be, in x's shape: factor formula(x, p). factor (of x's shape) is what a
 * gradient was multiplied by, or NULL. Passes if every element is within `tolerance` of it,
 * relative to its size; no number is taken for 0, so what is far from 0 must still be right. */
typedef struct GradeExpected {
    GradeFormula  formula;
    const Tensor *x;
    double        p;
    const Tensor *factor;
    double        tolerance;
} GradeExpected;
void grade_formula(const char *what, const Tensor *got, GradeExpected expected,
                   const GradeMistake *mistake, int mistakes);

/* The same for numbers in row-major order. */
void grade_values(const char *what, const Tensor *got, Shape shape, const double *expected,
                  double tolerance);

/* Fails with these fields. `hint` may be "". */
_Noreturn void grade_fail(const char *hint, const char *format, ...) SLOPE_PRINTF(2, 3);

#endif
