/* lessons/assignments/a2_tape/program.h -- what tests.c asks services.c to do on a tape.
 *
 * A program is a tensor (N, 4) whose rows are {kind, i, j, number}; i and j are the indices of
 * earlier rows. The answer is the value and the gradient of each row's line, both 0 for a row that
 * has no line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_A2_TAPE_PROGRAM_H
#define SLOPE_LESSONS_ASSIGNMENTS_A2_TAPE_PROGRAM_H

enum { ROW_KIND, ROW_I, ROW_J, ROW_NUMBER, ROW_WIDTH };

typedef enum RowKind {
    ROW_INPUT, /* the number */
    ROW_ADD,   /* of rows i and j, as are the next two */
    ROW_MUL,
    ROW_PRELU,
    ROW_EXP,      /* of row i */
    ROW_OWN,      /* number x z^2, recorded with a rule and a context of the service's own */
    ROW_SQUARE,   /* number x^2: the same with one input */
    ROW_COUNTED,  /* x + z; in call k of its rule, counted over all lines, the derivative is element
                   * k of the call's tensor 1 */
    ROW_BACKWARD, /* from row i */
    ROW_ZERO_GRAD,
    ROW_CLEAR, /* after it, the rows above have no lines */
} RowKind;

#endif
