/* lessons/assignments/a2_tape/expected.c -- writes programs, computes with the library what is
 * expected of them, and asks the solver. Included by tests.c.
 *
 *  - input, add, mul ... append a row and return its index. A call whose arguments append two rows
 *    would leave their order to the compiler.
 *  - backward appends a sweep, and adds its gradients to those that are expected.
 *  - check_values and check_gradients run the program on the submission's tape, and compare.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "lessons/assignments/judge/judge.h"
#include "program.h"

static const Tolerance tight = {.relative = 1e-9, .absolute = 1e-12};

static double draw(double low, double high)
{
    return low + (high - low) * (double)rng_uniform(judge_rng());
}

/* --- programs --------------------------------------------------------------------------------- */

enum { ROWS = 320, LISTING = 400 };

/* The program, and what the library says about each of its lines. */
typedef struct Program {
    int    n, calls;
    real   row[ROWS][ROW_WIDTH];
    Var   *line[ROWS]; /* NULL if the row has no line */
    real   grad[ROWS];
    double factor[ROWS]; /* of ROW_COUNTED */
    real   number[ROWS]; /* for the calls of its rule, in order */
} Program;

static int row(Program *p, RowKind kind, int i, int j, double number, Var *line)
{
    const real words[ROW_WIDTH] = {(real)kind, (real)i, (real)j, (real)number};
    memcpy(p->row[p->n], words, sizeof words);
    p->line[p->n] = line, p->grad[p->n] = 0, p->factor[p->n] = 0;
    return p->n++;
}

static int input(Program *p, double x)
{
    return row(p, ROW_INPUT, 0, 0, x, var_leaf_from(SHAPE(1), (real[]){(real)x}));
}

static int add(Program *p, int i, int j)
{
    return row(p, ROW_ADD, i, j, 0, var_add(p->line[i], p->line[j]));
}

static int mul(Program *p, int i, int j)
{
    return row(p, ROW_MUL, i, j, 0, var_mul(p->line[i], p->line[j]));
}

static int prelu(Program *p, int x, int a)
{
    return row(p, ROW_PRELU, x, a, 0, var_prelu(p->line[x], p->line[a]));
}

static int exponential(Program *p, int x)
{
    return row(p, ROW_EXP, x, 0, 0, var_exp(p->line[x]));
}

/* x + z, with the derivative `factor`. */
static int counted(Program *p, int i, int j, double factor)
{
    Var *sum = var_add(p->line[i], p->line[j]), *scaled = var_scale(sum, (real)factor);
    int k = row(p, ROW_COUNTED, i, j, 0, var_add(scaled, var_detach(var_sub(sum, scaled))));
    p->factor[k] = factor;
    return k;
}

static int counted_at_random(Program *p, int i, int j)
{
    return counted(p, i, j, (rng_below(judge_rng(), 2) ? 1 : -1) * draw(0.5, 1.5));
}

static void zero_grad(Program *p)
{
    row(p, ROW_ZERO_GRAD, 0, 0, 0, NULL);
    memset(p->grad, 0, sizeof p->grad);
}

/* Inputs accumulate, other lines do not. The rules of ROW_COUNTED run from the last to the first of
 * those on which y depends. */
static void backward(Program *p, int y)
{
    int lines = 0, of[ROWS];
    Var *x[ROWS] = {NULL}, *g[ROWS];
    for (int k = 0; k < p->n; k++)
        if (p->line[k])
            x[lines] = p->line[k], of[lines++] = k;
    var_grad(p->line[y], x, lines, GRAD_ONLY, g);
    for (int l = lines - 1; l >= 0; l--) {
        int k = of[l];
        real gk = g[l] ? var_item(g[l]) : 0;
        p->grad[k] = p->row[k][ROW_KIND] == ROW_INPUT ? p->grad[k] + gk : gk;
        if (p->row[k][ROW_KIND] == ROW_COUNTED && g[l])
            p->number[p->calls++] = (real)p->factor[k];
    }
    row(p, ROW_BACKWARD, y, 0, 0, NULL);
}

/* Ends the program with y u, so that the gradient of y is u, and a sweep. */
static void weigh(Program *p, int y, double u)
{
    backward(p, mul(p, y, input(p, u)));
}

/* A program that begins with two inputs. */
static Program begin(double x, double y)
{
    Program p = {0};
    input(&p, x);
    input(&p, y);
    return p;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Appends a text; returns false if it does not fit. */
static bool append(char text[LISTING], const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text + used, LISTING - used, format, args);
    va_end(args);
    return n >= 0 && (size_t)n < LISTING - used;
}

/* "a gradient (v0 = 2, v1 = exp v0, backward v1)", without the program if that is long. */
static const char *describe(const char *noun, const Program *p)
{
    static const struct { const char *name; int inputs; } op[] = {
        [ROW_INPUT] = {"", 0},            [ROW_ADD] = {"add", 2},
        [ROW_MUL] = {"mul", 2},           [ROW_PRELU] = {"prelu", 2},
        [ROW_EXP] = {"exp", 1},           [ROW_OWN] = {"record", 2},
        [ROW_SQUARE] = {"record", 1},     [ROW_COUNTED] = {"record", 2},
        [ROW_BACKWARD] = {"backward", 1}, [ROW_ZERO_GRAD] = {"zero_grad", 0},
        [ROW_CLEAR] = {"clear", 0},
    };
    static char text[LISTING];
    text[0] = '\0';
    bool fits = append(text, "%s", noun);
    for (int k = 0; k < p->n && fits; k++) {
        RowKind kind = (RowKind)p->row[k][ROW_KIND];
        fits = append(text, k ? ", " : " (") &&
               (kind >= ROW_BACKWARD || append(text, "v%d = ", k)) &&
               (kind != ROW_INPUT || append(text, "%g", (double)p->row[k][ROW_NUMBER])) &&
               append(text, "%s", op[kind].name);
        for (int i = 0; i < op[kind].inputs && fits; i++)
            fits = append(text, " v%d", (int)p->row[k][ROW_I + i]);
    }
    return fits && append(text, ")") ? text : noun;
}

static Var *rows_of(const Program *p)
{
    return var_const_from(SHAPE(p->n, ROW_WIDTH), p->row[0]);
}

static void run(const Program *p)
{
    judge_ask("run", VARS(rows_of(p), var_const_from(SHAPE(p->calls), p->number)), NONE);
}

static Var *expected_values(const Program *p)
{
    real value[ROWS];
    for (int k = 0; k < p->n; k++)
        value[k] = p->line[k] ? var_item(p->line[k]) : 0;
    return var_const_from(SHAPE(p->n), value);
}

/* The first n elements of tensor i of the answer, which must have `all`. */
static Var *answered(int i, int all, int n)
{
    Var *x = judge_answer_var(i);
    if (!x || !shape_equal(var_shape(x), SHAPE(all)))
        judge_fail("", "the answer is incomplete");
    return var_slice(x, 0, 0, n, 1);
}

static void check_values(const Program *p)
{
    run(p);
    judge_compare(describe("a value", p), answered(0, p->n, p->n), expected_values(p), tight, NULL,
                  0);
}

#define TOO_OFTEN                                                                              \
    "a rule runs more than once for a line and a sweep: once is enough when the line's gradient " \
    "is complete"

/* Compares the gradients of the first n rows. The count of calls comes from the solver, where it
 * can be forged, so it only chooses the hint. */
static void check_gradients(const Program *p, int n, const Mistake *mistake, int mistakes)
{
    run(p);
    Var *got = answered(1, p->n, n);
    const Message *answer = judge_answer();
    const Mistake repeated = {got, TOO_OFTEN};
    bool often = answer->numbers == 1 && answer->number[0] > p->calls;
    judge_compare(describe("a gradient", p), got, var_const_from(SHAPE(n), p->grad), tight,
                  often ? &repeated : mistake, often ? 1 : mistakes);
}

/* A vector for MISTAKES. */
#define VECTOR(...)                                                                            \
    var_const_from(SHAPE(sizeof((real[]){__VA_ARGS__}) / sizeof(real)), (real[]){__VA_ARGS__})
