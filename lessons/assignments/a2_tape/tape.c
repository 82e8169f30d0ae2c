/* A tape of one's own: your work. lessons/assignments/a2_tape/README.md says what to do, and
 * scalar.h there what each function must do; lesson 03 shows the idea.
 */
#include "scalar.h"

#include <math.h>
#include <stdlib.h>

struct ScalarTape {
    int lines; /* TODO: the lines, and what each must remember until the sweep */
};

/* --- the tape --------------------------------------------------------------------------------- */

ScalarTape *scalar_tape_new(void)
{
    return calloc(1, sizeof(ScalarTape)); /* TODO: what if this is NULL? */
}

void scalar_tape_free(ScalarTape *t)
{
    free(t); /* TODO */
}

void scalar_tape_clear(ScalarTape *t)
{
    (void)t; /* TODO */
}

/* --- recording a line ------------------------------------------------------------------------- */

Scalar scalar_record(ScalarTape *t, double value, Scalar a, Scalar b, ScalarRule rule,
                     void *context)
{
    (void)value, (void)a, (void)b, (void)rule, (void)context; /* TODO */
    return t->lines;
}

Scalar scalar_input(ScalarTape *t, double value)
{
    (void)value; /* TODO */
    return t->lines;
}

/* add ----------------------------------------- y = a + b
 *   backward  ga = ?, gb = ?
 */
Scalar scalar_add(ScalarTape *t, Scalar a, Scalar b)
{
    (void)a, (void)b; /* TODO: the value, and a rule; scalar_record can do the rest. */
    return t->lines;
}

/* mul ----------------------------------------- y = a b
 *   TODO
 */
Scalar scalar_mul(ScalarTape *t, Scalar a, Scalar b)
{
    (void)a, (void)b;
    return t->lines;
}

/* exp ----------------------------------------- y = e^x
 *   TODO
 */
Scalar scalar_exp(ScalarTape *t, Scalar x)
{
    (void)x;
    return t->lines;
}

/* prelu --------------------------------------- y = x if x > 0, else a x
 *   TODO
 */
Scalar scalar_prelu(ScalarTape *t, Scalar x, Scalar a)
{
    (void)x, (void)a;
    return t->lines;
}

/* --- gradients -------------------------------------------------------------------------------- */

void scalar_backward(ScalarTape *t, Scalar y)
{
    (void)t, (void)y; /* TODO */
}

double scalar_value(const ScalarTape *t, Scalar x)
{
    (void)t, (void)x; /* TODO */
    return 0;
}

double scalar_grad(const ScalarTape *t, Scalar x)
{
    (void)t, (void)x; /* TODO */
    return 0;
}

void scalar_zero_grad(ScalarTape *t)
{
    (void)t; /* TODO */
}
