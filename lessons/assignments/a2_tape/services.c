/* lessons/assignments/a2_tape/services.c -- runs programs (program.h) on the submission's tape.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scalar.h"

#include <math.h>
#include <stdlib.h>

#include "lessons/assignments/solver/solver.h"
#include "program.h"

/* A program and the tape on which it runs. */
typedef struct Run {
    int           n;
    const double (*row)[ROW_WIDTH];
    Scalar       *line; /* of each row */
    ScalarTape   *tape;
} Run;

/* --- ops that the tape does not have ---------------------------------------------------------- */

/* y = c x z^2. Its rule uses every member of ScalarLine. */
static double own_value(double x, double z, double c) { return c * x * z * z; }

static void own_rule(const ScalarLine *l, double gx[2])
{
    double c = *(const double *)l->context;
    gx[0] = l->gy * c * l->x[1] * l->x[1];
    gx[1] = l->gy * 2 * l->y / l->x[1];
}

/* y = c x^2, of one input: the second gradient must be ignored. */
static double square_value(double x, double c) { return c * x * x; }

static void square_rule(const ScalarLine *l, double gx[2])
{
    gx[0] = l->gy * 2 * *(const double *)l->context * l->x[0];
    gx[1] = (double)NAN;
}

/* y = x + z, but the derivative is the next of the numbers that the judge has sent. */
static ptrdiff_t counted_calls;
static const Tensor *counted_numbers;

static void counted_rule(const ScalarLine *l, double gx[2])
{
    ptrdiff_t k = counted_calls++;
    gx[0] = gx[1] = l->gy * (k < tensor_count(counted_numbers)
                                 ? (double)tensor_read(counted_numbers)[k]
                                 : (double)NAN);
}

/* --- programs --------------------------------------------------------------------------------- */

static Run run_begin(const Tensor *program)
{
    int n = (int)program->shape.dim[0];
    return (Run){n, (const double (*)[ROW_WIDTH])(const void *)tensor_read(program),
                 calloc((size_t)n, sizeof(Scalar)), scalar_tape_new()};
}

static void run_end(Run *r)
{
    scalar_tape_free(r->tape);
    free(r->line);
}

static Scalar run_clear(Run *r, int k)
{
    scalar_tape_clear(r->tape);
    for (int i = 0; i < k; i++)
        r->line[i] = SCALAR_NONE;
    return SCALAR_NONE;
}

static Scalar run_row(Run *r, int k)
{
    ScalarTape *t = r->tape;
    const double *row = r->row[k], *number = &row[ROW_NUMBER];
    void *context = (void *)(uintptr_t)number;
    Scalar i = r->line[(int)row[ROW_I]], j = r->line[(int)row[ROW_J]];
    switch ((RowKind)row[ROW_KIND]) {
    case ROW_INPUT:
        return scalar_input(t, *number);
    case ROW_ADD:
        return scalar_add(t, i, j);
    case ROW_MUL:
        return scalar_mul(t, i, j);
    case ROW_PRELU:
        return scalar_prelu(t, i, j);
    case ROW_EXP:
        return scalar_exp(t, i);
    case ROW_OWN:
        return scalar_record(t, own_value(scalar_value(t, i), scalar_value(t, j), *number), i, j,
                             own_rule, context);
    case ROW_SQUARE:
        return scalar_record(t, square_value(scalar_value(t, i), *number), i, SCALAR_NONE,
                             square_rule, context);
    case ROW_COUNTED:
        return scalar_record(t, scalar_value(t, i) + scalar_value(t, j), i, j, counted_rule, NULL);
    case ROW_BACKWARD:
        scalar_backward(t, i);
        break;
    case ROW_ZERO_GRAD:
        scalar_zero_grad(t);
        break;
    case ROW_CLEAR:
        return run_clear(r, k);
    }
    return SCALAR_NONE;
}

/* Adds the value and the gradient of every line. */
static void run_answer(const Run *r, Message *answer)
{
    Tensor *value = tensor_new(SHAPE(r->n)), *grad = tensor_new(SHAPE(r->n));
    real *v = tensor_write(value), *g = tensor_write(grad);
    for (int k = 0; k < r->n; k++) {
        Scalar x = r->line[k];
        v[k] = x == SCALAR_NONE ? 0 : (real)scalar_value(r->tape, x);
        g[k] = x == SCALAR_NONE ? 0 : (real)scalar_grad(r->tape, x);
    }
    message_add_tensor(answer, value);
    message_add_tensor(answer, grad);
    tensor_free(value);
    tensor_free(grad);
}

/* --- services --------------------------------------------------------------------------------- */

/* Runs a program. The number in the answer, how often the rule of ROW_COUNTED ran, is only good for
 * a hint. */
static void serve_run(const Message *call, Message *answer)
{
    Run r = run_begin(call->tensor[0]);
    counted_calls = 0, counted_numbers = call->tensor[1];
    for (int k = 0; k < r.n; k++)
        r.line[k] = run_row(&r, k);
    run_answer(&r, answer);
    message_add_number(answer, (double)counted_calls);
    run_end(&r);
}

/* Runs two programs of equal length at once, in turns, each on a tape of its own. Neither has a
 * ROW_COUNTED. */
static void serve_two(const Message *call, Message *answer)
{
    Run r[2] = {run_begin(call->tensor[0]), run_begin(call->tensor[1])};
    for (int k = 0; k < r[0].n; k++)
        for (int i = 0; i < 2; i++)
            r[i].line[k] = run_row(&r[i], k);
    for (int i = 0; i < 2; i++)
        run_answer(&r[i], answer);
    for (int i = 0; i < 2; i++)
        run_end(&r[i]);
}

/* Of the solver's 512 MB of address space, this much is withheld from the rounds below, so that a
 * leak exhausts the rest soon. Nothing is written to it. */
static const size_t rounds_withheld = (size_t)352 << 20;

/* Runs a program again and again, each time with another number in row 0, and answers with the
 * gradients of row 0. Number 0 says whether the tape is cleared (1) or replaced (0) in between. The
 * program has no ROW_COUNTED. */
static void serve_rounds(const Message *call, Message *answer)
{
    void *volatile withheld = malloc(rounds_withheld);
    Run r = run_begin(call->tensor[0]);
    Tensor *grad = tensor_new(call->tensor[1]->shape);
    const real *x = tensor_read(call->tensor[1]);
    for (ptrdiff_t round = 0; round < tensor_count(grad); round++) {
        if (round > 0 && call->number[0] == 1)
            scalar_tape_clear(r.tape);
        else if (round > 0)
            scalar_tape_free(r.tape), r.tape = scalar_tape_new();
        r.line[0] = scalar_input(r.tape, (double)x[round]);
        for (int k = 1; k < r.n; k++)
            r.line[k] = run_row(&r, k);
        tensor_write(grad)[round] = (real)scalar_grad(r.tape, r.line[0]);
    }
    message_add_tensor(answer, grad);
    tensor_free(grad);
    run_end(&r);
    free(withheld);
}

const Service solver_services[] = {
    {"run", serve_run}, {"two", serve_two}, {"rounds", serve_rounds}, {NULL, NULL}};
