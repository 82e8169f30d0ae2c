/* lessons/assignments/a2_tape/scalar.h -- a tape of numbers: what the assignment asks for. Do not
 * change this file.
 *
 *  - A tape is a list of lines. Each line is a number, how it was computed from earlier lines, and
 *    its gradient.
 *  - Every function that returns a Scalar appends one line to the tape and returns its index.
 *  - scalar_backward(t, y) plays the tape backwards from y, once.
 *
 *      ScalarTape *t = scalar_tape_new();
 *      Scalar x = scalar_input(t, 3), y = scalar_mul(t, x, x);
 *      scalar_backward(t, y);
 *      printf("%g %g\n", scalar_value(t, y), scalar_grad(t, x)); // 9 6
 *      scalar_tape_free(t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_A2_TAPE_SCALAR_H
#define SLOPE_LESSONS_ASSIGNMENTS_A2_TAPE_SCALAR_H

/* You define this struct in tape.c. Any number of tapes may exist at once. */
typedef struct ScalarTape ScalarTape;

/* The index of a line: 0, 1, 2 ... in the order of recording. */
typedef int Scalar;
enum { SCALAR_NONE = -1 }; /* in place of a second input that an op does not have */

/* --- the tape --------------------------------------------------------------------------------- */

/* An empty tape, with room for as many lines as memory holds. If memory is exhausted, this and
 * every function that appends a line print a message on stderr and call abort. */
ScalarTape *scalar_tape_new(void);

/* Frees everything that the tape has allocated. t may be NULL. */
void scalar_tape_free(ScalarTape *t);

/* Removes all lines, so that the next one has index 0. Recording as many lines again must not take
 * more memory than before. */
void scalar_tape_clear(ScalarTape *t);

/* --- recording a line ------------------------------------------------------------------------- */

/* A number from outside: a line without inputs. Its gradient is initially 0. */
Scalar scalar_input(ScalarTape *t, double value);

/* The inputs of an op may be one and the same line. */
Scalar scalar_add(ScalarTape *t, Scalar a, Scalar b);
Scalar scalar_mul(ScalarTape *t, Scalar a, Scalar b);
Scalar scalar_exp(ScalarTape *t, Scalar x);

/* x if x > 0, else a x. So x = 0 is on the left, where the derivatives are a and x. */
Scalar scalar_prelu(ScalarTape *t, Scalar x, Scalar a);

/* --- an op of the caller's own ---------------------------------------------------------------- */

/* What a rule knows about its line. */
typedef struct ScalarLine {
    double x[2];    /* the values of the inputs; x[1] is undefined if there is only one */
    double y;       /* the value of the line */
    double gy;      /* its gradient, which is complete */
    void  *context; /* as it was passed to scalar_record */
} ScalarLine;

/* A backward rule: sets gx[k] to gy times the derivative of y with respect to input k, which the
 * sweep adds to that input's gradient. gx[1] is ignored if there is only one input. A rule does not
 * call any function of the tape. */
typedef void (*ScalarRule)(const ScalarLine *line, double gx[2]);

/* A line whose value the caller has computed from a and b; b may be SCALAR_NONE. */
Scalar scalar_record(ScalarTape *t, double value, Scalar a, Scalar b, ScalarRule rule,
                     void *context);

/* --- gradients -------------------------------------------------------------------------------- */

/* Computes the gradient of y for every line. Lines on which y depends are played from the last to
 * the first: the rule of each runs exactly once, even if its gradient happens to be 0. Other lines
 * are not played, whatever their values.
 *
 * Inputs accumulate: the gradients of this sweep are added to those that they hold. The gradient of
 * any other line is that of the last sweep, which is 0 if y does not depend on it. */
void scalar_backward(ScalarTape *t, Scalar y);

double scalar_value(const ScalarTape *t, Scalar x);
double scalar_grad(const ScalarTape *t, Scalar x);

/* Sets the gradient of every line to 0. */
void scalar_zero_grad(ScalarTape *t);

#endif
