/* lessons/assignments/solver/solver.h -- what an assignment's services.c must define, and how.
 *
 *  - The solver is the program in which a submission runs. It does not contain expected values,
 *    hidden tests or points: the judge sends it inputs and judges what comes back.
 *  - services.c lists what the judge can call. A service hands its inputs to the submission and
 *    adds what the submission returns to the answer. It must not compare anything, because a
 *    submission can forge the result of whatever runs in its process.
 *  - The tape is rewound after each call, which releases every Var that the service created.
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
