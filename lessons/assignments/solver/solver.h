/* lessons/assignments/solver/solver.h -- with this an assignment's services.c is written.
 *
 *  - The solver is the program in which a submission runs. It knows no expected values, no hidden
 *    test and no points: the judge sends it inputs and judges what comes back.
 *  - services.c lists what the judge can call. A service hands its inputs to the submission and
 *    adds what the submission returns to the answer. It must not compare anything, because
 *    whatever runs beside a submission can be forged by it.
 *  - Every Var that a service creates is rewound after the call.
 *
 *      static void cube_value(const Message *call, Message *answer)
 *      {
 *          message_add_tensor(answer, var_cube(var_leaf(call->tensor[0]))->value);
 *      }
 *
 *      const Service solver_services[] = {{"cube value", cube_value}, {NULL, NULL}};
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_SOLVER_SOLVER_H
#define SLOPE_LESSONS_ASSIGNMENTS_SOLVER_SOLVER_H

#include "lessons/assignments/solver/wire.h"
#include "slope.h"

typedef struct Service {
    const char *name;
    void (*serve)(const Message *call, Message *answer);
} Service;

/* Defined in services.c; the last entry's name is NULL. */
extern const Service solver_services[];

/* The solver's open files, besides 0 (empty), 1 and 2 (what the submission prints). */
enum { SOLVER_CALLS = 3, SOLVER_ANSWERS = 4 };

/* The text of an answer begins with one of these if something was refused: the rest is the
 * library's sentence, or the number of a system call. */
#define SOLVER_STOPPED "stopped "
#define SOLVER_TRAPPED "trapped "

#endif
