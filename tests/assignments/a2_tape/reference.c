/* A tape of one's own: the solution that scores all points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scalar.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* A line of the tape. An input has no rule. */
typedef struct Line {
    double     value, grad;
    ScalarRule rule;
    void      *context;
    Scalar     in[2];
    bool       met; /* in the current sweep: does y depend on it? */
} Line;

/* The array grows, and so moves: lines refer to each other by their indices. */
struct ScalarTape {
    Line *line;
    int   count, capacity;
};

static void *tape_memory(void *memory)
{
    if (!memory) {
        fprintf(stderr, "tape: out of memory\n");
        abort();
    }
    return memory;
}

/* --- the tape --------------------------------------------------------------------------------- */

ScalarTape *scalar_tape_new(void)
{
    return tape_memory(calloc(1, sizeof(ScalarTape)));
}

void scalar_tape_free(ScalarTape *t)
{
    if (!t)
        return;
    free(t->line);
    free(t);
}

void scalar_tape_clear(ScalarTape *t)
{
    t->count = 0;
}

/* --- recording a line ------------------------------------------------------------------------- */

/* Doubling the capacity keeps the number of copies proportional to the number of lines. */
Scalar scalar_record(ScalarTape *t, double value, Scalar a, Scalar b, ScalarRule rule,
                     void *context)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->line = tape_memory(realloc(t->line, (size_t)t->capacity * sizeof(Line)));
    }
    t->line[t->count] = (Line){value, 0, rule, context, {a, b}, false};
    return t->count++;
}

Scalar scalar_input(ScalarTape *t, double value)
{
    return scalar_record(t, value, SCALAR_NONE, SCALAR_NONE, NULL, NULL);
}

double scalar_value(const ScalarTape *t, Scalar x)
{
    return t->line[x].value;
}

double scalar_grad(const ScalarTape *t, Scalar x)
{
    return t->line[x].grad;
}

/* --- the ops: a value, and a rule ------------------------------------------------------------- */

/* add ----------------------------------------- y = a + b
 *   backward  ga = gy, gb = gy
 */
static void add_rule(const ScalarLine *l, double gx[2])
{
    gx[0] = gx[1] = l->gy;
}

Scalar scalar_add(ScalarTape *t, Scalar a, Scalar b)
{
    return scalar_record(t, scalar_value(t, a) + scalar_value(t, b), a, b, add_rule, NULL);
}

/* mul ----------------------------------------- y = a b
 *   backward  ga = gy b, gb = gy a
 */
static void mul_rule(const ScalarLine *l, double gx[2])
{
    gx[0] = l->gy * l->x[1];
    gx[1] = l->gy * l->x[0];
}

Scalar scalar_mul(ScalarTape *t, Scalar a, Scalar b)
{
    return scalar_record(t, scalar_value(t, a) * scalar_value(t, b), a, b, mul_rule, NULL);
}

/* exp ----------------------------------------- y = e^x
 *   backward  gx = gy y
 */
static void exp_rule(const ScalarLine *l, double gx[2])
{
    gx[0] = l->gy * l->y;
}

Scalar scalar_exp(ScalarTape *t, Scalar x)
{
    return scalar_record(t, exp(scalar_value(t, x)), x, SCALAR_NONE, exp_rule, NULL);
}

/* prelu --------------------------------------- y = x if x > 0, else a x
 *   backward  gx = gy if x > 0, else gy a;   ga = 0 if x > 0, else gy x
 *   care      the side is that of x: for a < 0, y is positive on both sides
 */
static void prelu_rule(const ScalarLine *l, double gx[2])
{
    double x = l->x[0], a = l->x[1];
    gx[0] = x > 0 ? l->gy : l->gy * a;
    gx[1] = x > 0 ? 0 : l->gy * x;
}

Scalar scalar_prelu(ScalarTape *t, Scalar x, Scalar a)
{
    double v = scalar_value(t, x);
    return scalar_record(t, v > 0 ? v : v * scalar_value(t, a), x, a, prelu_rule, NULL);
}

/* --- gradients -------------------------------------------------------------------------------- */

static void line_add_grad(Line *l, double g)
{
    l->grad += g;
    l->met = true;
}

/* Runs the rule of a line whose gradient is complete. */
static void line_play(ScalarTape *t, const Line *l)
{
    bool two = l->in[1] != SCALAR_NONE;
    Line *a = &t->line[l->in[0]], *b = two ? &t->line[l->in[1]] : NULL;
    ScalarLine known = {{a->value, b ? b->value : 0}, l->value, l->grad, l->context};
    double gx[2] = {0};
    l->rule(&known, gx);
    line_add_grad(a, gx[0]);
    if (b)
        line_add_grad(b, gx[1]);
}

/* A line is recorded after its inputs. So at its turn every line that uses it has been played, and
 * its gradient is complete. */
void scalar_backward(ScalarTape *t, Scalar y)
{
    for (Scalar i = 0; i < t->count; i++) {
        t->line[i].met = false;
        if (t->line[i].rule)
            t->line[i].grad = 0;
    }
    line_add_grad(&t->line[y], 1);
    for (Scalar i = y; i >= 0; i--)
        if (t->line[i].rule && t->line[i].met)
            line_play(t, &t->line[i]);
}

void scalar_zero_grad(ScalarTape *t)
{
    for (Scalar i = 0; i < t->count; i++)
        t->line[i].grad = 0;
}
