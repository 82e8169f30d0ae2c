/* lessons/assignments/a2_tape/tests.c -- what a tape must do; points.txt assigns the points.
 *
 *  - A test writes a program (program.h), of which the library computes the values and gradients
 *    that are expected; the solver runs it on the submission's tape.
 *  - The chains of the tests of depth and memory are too long for that. Their derivatives are
 *    computed in forward mode.
 *  - A mistake costs its own points and no more: slopes are positive except in the tests about
 *    their sign; only the test of unused lines shows whether their rules run; where parts 3 to 5
 *    use a line twice, the terms of its gradient are 0 except the last to arrive, so that = and +=
 *    have the same result. Exceptions are `twice`, where inputs accumulate, and the random
 *    programs, which test everything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "expected.c"

#define OVERWRITTEN "a gradient is stored with = where it must be added with +="

/* --- 1: values -------------------------------------------------------------------------------- */

START_TEST(values)
{
    Program p = {0};
    int x = input(&p, draw(-2, 2)), y = input(&p, draw(-2, 2)), sum = add(&p, x, y);
    mul(&p, sum, exponential(&p, mul(&p, y, y)));
    check_values(&p);
}
END_TEST

START_TEST(prelu_values)
{
    static const double slope[] = {0.25, -0.5, 2, 0};
    for (int i = 0; i < 4; i++) {
        Program p = {0};
        double above = draw(0.5, 2), below = draw(-2, -0.5);
        int a = input(&p, slope[i]), x = input(&p, above), y = input(&p, below);
        prelu(&p, x, a), prelu(&p, y, a), prelu(&p, input(&p, 0), a);
        run(&p);
        double larger = fmax(above, slope[i] * above), other = fmax(below, slope[i] * below);
        judge_compare(describe("a value", &p), answered(0, p.n, p.n), expected_values(&p), tight,
                      MISTAKES({VECTOR(slope[i], above, below, larger, other, 0, 0),
                                "max(x, a x) is not PReLU for every slope: test x > 0"}));
    }
}
END_TEST

/* --- 2: gradients ----------------------------------------------------------------------------- */

#define NO_GY "the rule must multiply by gy, the gradient of its line"

START_TEST(gradients)
{
    double x = draw(1, 2), y = draw(-2, -1), u = draw(2, 3), e = exp(x);
    Program sum = begin(x, y), product = begin(x, y), power = begin(x, y);
    weigh(&sum, add(&sum, 0, 1), u);
    check_gradients(&sum, 2, MISTAKES({VECTOR(1, 1), NO_GY},
        {VECTOR(0, 0), "nothing arrives at the inputs. Is the gradient of y 1? Are the lines "
                       "played from y back to the first?"}));
    weigh(&product, mul(&product, 0, 1), u);
    check_gradients(&product, 2, MISTAKES({VECTOR(y, x), NO_GY},
        {VECTOR(u * x, u * y),
         "the derivative with respect to one input is the value of the other"}));
    weigh(&power, exponential(&power, 0), u);
    check_gradients(&power, 1, MISTAKES({VECTOR(e), NO_GY},
        {VECTOR(u * x), "the derivative of e^x is y, not x"},
        {VECTOR(u * exp(e)), "the derivative of e^x is y, not e^y"},
        {VECTOR(u * x * e / M_E), "e^x is not a power of x: its derivative is y"},
        {VECTOR(u), "the derivative of e^x is missing: it is y"}));
}
END_TEST

static void check_prelu(double x, double a)
{
    Program p = begin(x, a);
    double u = draw(2, 3), left = u * a, y = x > 0 ? x : a * x;
    weigh(&p, prelu(&p, 0, 1), u);
    check_gradients(&p, 2, MISTAKES(
        {VECTOR(x >= 0 ? u : left, x >= 0 ? 0 : u * x),
         "x = 0 belongs to the left, where the derivative is a"},
        {VECTOR(x == 0 ? (u + left) / 2 : x > 0 ? u : left, x > 0 ? 0 : u * x),
         "at x = 0 the derivative is a, not the mean of both sides"},
        {VECTOR(y > 0 ? u : left, y > 0 ? 0 : u * x),
         "the side is that of y, which is positive on the left too if a < 0: test x"},
        {VECTOR(x > 0 ? u : left, u * x), "where x > 0, y does not depend on a"},
        {VECTOR(x > 0 ? u : left, x > 0 ? 0 : u * y),
         "the derivative with respect to a is x, not y"},
        {VECTOR(x > 0 ? u : left, x > 0 ? 0 : u), "the derivative with respect to a is x"},
        {VECTOR(x > 0 ? 1 : a, x > 0 ? 0 : x), NO_GY},
        {VECTOR(u, x > 0 ? 0 : u * x), "the derivative on the left is a"}));
}

START_TEST(prelu_gradients)
{
    for (int i = 0; i < 4; i++)
        check_prelu(draw(1, 2) * (i % 2 ? 1 : -1), draw(0.1, 0.4));
}
END_TEST

START_TEST(prelu_at_0)
{
    check_prelu(0, draw(0.1, 0.4));
}
END_TEST

START_TEST(prelu_negative_slope)
{
    check_prelu(draw(-2, -1), draw(-0.4, -0.1));
}
END_TEST

/* Each program uses x twice: in one line, or in two. */
START_TEST(shared)
{
    double x = draw(0.5, 1), u = draw(2, 3);
    Program square = begin(x, 0), sum = begin(x, 0), both = begin(x, 3);
    weigh(&square, mul(&square, 0, 0), u);
    check_gradients(&square, 1, MISTAKES({VECTOR(u * x), OVERWRITTEN}));
    weigh(&sum, add(&sum, 0, 0), u);
    check_gradients(&sum, 1, MISTAKES({VECTOR(u), OVERWRITTEN}));
    weigh(&both, mul(&both, mul(&both, 0, 1), 0), u);
    check_gradients(&both, 1, MISTAKES({VECTOR(3 * u * x), OVERWRITTEN}));
}
END_TEST

/* --- 3: the sweep ----------------------------------------------------------------------------- */

#define PER_PATH                                                                               \
    "a rule runs once for each path to its line, instead of once: add up the line's gradient " \
    "first. With 60 diamonds there are 2^60 paths"

/* v + 0 y, which completes a diamond if v was computed from y. Going backwards, the term 0 reaches
 * y first. */
static int close_diamond(Program *p, int y, int v)
{
    int none = mul(p, y, input(p, 0));
    return add(p, v, none);
}

START_TEST(diamonds)
{
    Program few = {0}, many = {0};
    int y = input(&few, 1);
    for (int i = 0; i < 14; i++)
        y = counted(&few, y, y, draw(0.4, 0.6));
    backward(&few, y);
    run(&few);
    if (judge_answer()->numbers == 1 && judge_answer()->number[0] > 1 << 13)
        judge_fail(PER_PATH, "the rules of 14 lines ran more than 8192 times");
    y = input(&many, 1);
    for (int i = 0; i < 60; i++) {
        int c = input(&many, (i % 2 ? 1 : -1) * draw(0.9, 1.1));
        y = close_diamond(&many, y, mul(&many, y, c));
    }
    backward(&many, y);
    judge_suspect(PER_PATH);
    check_gradients(&many, 1, NULL, 0);
}
END_TEST

/* Row 0 is x, row 1 a slope a. The first chain begins with v = x, the others with v = a. Each link
 * computes prelu(m v + c; a) from the v before it, with an m and a c of its own. The result is the
 * sum of the last v of each chain. On average a link keeps the size of dv/dx. */
typedef struct Chains {
    int     chains, links; /* links per chain */
    double  x, a;
    double *m, *c;
} Chains;

enum { LINK = 5 }; /* rows per link */

static Chains random_chains(int chains, int links)
{
    int n = chains * links;
    real *number = tensor_write(var_empty(SHAPE(2, n))->value);
    Chains c = {chains, links, draw(1, 2), draw(0.85, 0.95), number, number + n};
    for (int l = 0; l < n; l++) {
        c.m[l] = (rng_below(judge_rng(), 2) ? 1 : -1) / sqrt(c.a);
        c.c[l] = draw(-1, 1);
    }
    return c;
}

static int rows_in(const Chains *c)
{
    return 2 + c->chains * (c->links * LINK + 1);
}

/* Writes row *k, and returns its index. */
static int chain_row(Var *rows, int *k, RowKind kind, int i, int j, double number)
{
    const real words[ROW_WIDTH] = {(real)kind, (real)i, (real)j, (real)number};
    memcpy(tensor_write(rows->value) + ROW_WIDTH * *k, words, sizeof words);
    return (*k)++;
}

static Var *rows_of_chains(const Chains *c)
{
    Var *rows = var_empty(SHAPE(rows_in(c), ROW_WIDTH));
    int k = 0, v = 0, sum = -1, x = chain_row(rows, &k, ROW_INPUT, 0, 0, c->x);
    int a = chain_row(rows, &k, ROW_INPUT, 0, 0, c->a);
    for (int l = 0; l < c->chains * c->links; l++) {
        int m = chain_row(rows, &k, ROW_INPUT, 0, 0, c->m[l]);
        int product = chain_row(rows, &k, ROW_MUL, l == 0 ? x : l % c->links ? v : a, m, 0);
        int shift = chain_row(rows, &k, ROW_INPUT, 0, 0, c->c[l]);
        int shifted = chain_row(rows, &k, ROW_ADD, product, shift, 0);
        v = chain_row(rows, &k, ROW_PRELU, shifted, a, 0);
        if ((l + 1) % c->links == 0)
            sum = sum < 0 ? v : chain_row(rows, &k, ROW_ADD, sum, v, 0);
    }
    chain_row(rows, &k, ROW_BACKWARD, sum, 0, 0);
    return rows;
}

/* With respect to x, which only the first chain uses. In forward mode: computes v and its
 * derivative together. */
static double derivative_of_chains(const Chains *c, double x)
{
    double v = x, dv = 1;
    for (int l = 0; l < c->links; l++) {
        v = c->m[l] * v + c->c[l], dv *= c->m[l];
        if (!(v > 0))
            v *= c->a, dv *= c->a;
    }
    return dv;
}

/* Rounding errors add up in a chain; a wrong sweep is wrong by far more. */
static const Tolerance loose = {.relative = 1e-6};

START_TEST(deep)
{
    Chains c = random_chains(1, 200000);
    judge_suspect("does a function call itself for each line? A million calls exhaust the stack. "
                  "Or is there an array that does not grow, or a loop over all lines per line?");
    judge_ask("run", VARS(rows_of_chains(&c), var_empty(SHAPE(0))), NONE);
    judge_compare("the gradient of the first of a million lines", answered(1, rows_in(&c), 1),
                  VECTOR(derivative_of_chains(&c, c.x)), loose, NULL, 0);
}
END_TEST

START_TEST(unused)
{
    double x = draw(1, 2), w = draw(1, 2);
    Program p = begin(x, w);
    exponential(&p, mul(&p, 0, input(&p, 1000)));
    backward(&p, mul(&p, 0, 1));
    check_gradients(&p, 3, MISTAKES({VECTOR((real)NAN, x, (real)NAN),
        "the rule of a line runs although y does not depend on that line: it sends 0 times "
        "infinity, which is NaN"}));
}
END_TEST

START_TEST(interior)
{
    Program p = begin(draw(1, 2), 1.5), q;
    int m = mul(&p, 0, 1), y = exponential(&p, m), z = mul(&p, y, 0);
    q = p;
    backward(&p, m);
    backward(&q, z);
    check_gradients(&p, 5, MISTAKES({VECTOR(q.grad[0], q.grad[1], q.grad[2], q.grad[3], q.grad[4]),
                                     "the sweep starts at the last line of the tape, not at y"}));
}
END_TEST

/* Two sweeps of y = x w + c; and one of y, then one of x w. */
START_TEST(twice)
{
    double x = draw(1, 2), w = draw(2, 3);
    Program p = begin(x, w), q;
    int c = input(&p, 1), m = mul(&p, 0, 1), y = add(&p, m, c);
    static const char kept[] = "a sweep starts with gradients that the sweep before it has left in "
                               "lines that are not inputs: set those to 0 first";
    q = p;
    backward(&p, y);
    backward(&p, y);
    check_gradients(&p, 5, MISTAKES({VECTOR(3 * w, 3 * x, 2, 2, 1), kept},
        {VECTOR(4 * w, 4 * x, 3, 3, 2), kept},
        {VECTOR(2 * w, 2 * x, 2, 2, 2),
         "a line that is not an input must hold the gradient of the last sweep alone"},
        {VECTOR(w, x, 1, 1, 1), "the second sweep erases the gradients that the first has left in "
                                "the inputs, where they accumulate"}));
    backward(&q, y);
    backward(&q, m);
    check_gradients(&q, 5, MISTAKES({VECTOR(2 * w, 2 * x, 1, 1, 1),
        "a line after y keeps the gradient of an earlier sweep: it must be 0"}));
}
END_TEST

START_TEST(zeroed)
{
    Program p = begin(draw(0.5, 1), -0.75);
    int y = mul(&p, 0, 1);
    backward(&p, y);
    zero_grad(&p);
    backward(&p, y);
    check_gradients(&p, 2, MISTAKES({VECTOR(2 * p.grad[0], 2 * p.grad[1]),
                                     "scalar_zero_grad leaves the inputs' gradients as they are"}));
}
END_TEST

/* --- 4: an op of one's own -------------------------------------------------------------------- */

/* number x z^2, or number x^2 */
static int own(Program *p, int x, int z, double c)
{
    Var *square = var_square(p->line[z]);
    return row(p, ROW_OWN, x, z, c, var_scale(var_mul(p->line[x], square), (real)c));
}

static int own_square(Program *p, int x, double c)
{
    return row(p, ROW_SQUARE, x, 0, c, var_scale(var_square(p->line[x]), (real)c));
}

START_TEST(own_rule)
{
    Program p = begin(draw(1, 2), -1.5), q = begin(draw(1, 2), 0);
    double u = draw(2, 3);
    weigh(&p, own(&p, 0, 1, draw(0.5, 2)), u);
    judge_suspect("the rule must receive the context that was passed to scalar_record");
    double gx = (double)p.grad[0], gz = (double)p.grad[1];
    check_gradients(&p, 2, MISTAKES({VECTOR(gz, gx), "gx[0] belongs to the first input"},
        {VECTOR(gx / u, gz / u), "gy must be the gradient of the rule's line"}));
    weigh(&q, own_square(&q, 0, draw(0.5, 2)), u);
    check_gradients(&q, 1, MISTAKES(
        {VECTOR((real)NAN), "there is no second input, and so gx[1] must be ignored"}));
}
END_TEST

START_TEST(own_once)
{
    Program p = {0};
    int y = input(&p, draw(1, 2));
    for (int i = 0; i < 8; i++) {
        int z = input(&p, draw(1, 2));
        y = close_diamond(&p, y, counted_at_random(&p, y, z));
    }
    backward(&p, y);
    check_gradients(&p, 1, NULL, 0);
}
END_TEST

START_TEST(own_order)
{
    double f = draw(0.5, 1), g = draw(1.5, 2);
    Program p = begin(draw(1, 2), 1.5), q;
    int x = input(&p, 0.5), z = input(&p, draw(1, 2));
    q = p;
    int first = counted(&p, 0, 1, f), second = counted(&p, x, z, g);
    backward(&p, mul(&p, second, first));
    counted(&q, 0, 1, g), counted(&q, x, z, f);
    backward(&q, mul(&q, second, first));
    check_gradients(&p, 4, MISTAKES({VECTOR(q.grad[0], q.grad[1], q.grad[2], q.grad[3]),
        "lines must be played in the reverse order of recording"}));
}
END_TEST

/* --- 5: memory -------------------------------------------------------------------------------- */

/* A tape of 101,001 lines is recorded and played this many times, with another x each time. If
 * memory is not freed, that takes more than the service leaves. */
enum { ROUNDS = 60 };

static void check_rounds(bool cleared)
{
    Chains c = random_chains(1000, 20);
    Var *x = judge_input(SHAPE(ROUNDS), -2, 2), *g = var_empty(SHAPE(ROUNDS));
    Var *sum = var_empty(SHAPE(ROUNDS));
    real *gx = tensor_write(g->value), *total = tensor_write(sum->value);
    for (int i = 0; i < ROUNDS; i++) {
        gx[i] = derivative_of_chains(&c, tensor_read(x->value)[i]);
        total[i] = gx[i] + (i > 0 ? total[i - 1] : 0);
    }
    judge_suspect(cleared ? "scalar_tape_clear must keep the memory for the next lines, or free it"
                          : "scalar_tape_free must free everything that the tape has allocated");
    judge_ask("rounds", VARS(rows_of_chains(&c), x), NUMBERS(cleared));
    judge_compare("the gradient of x in a round", answered(0, ROUNDS, ROUNDS), g, loose,
                  MISTAKES({sum, "a new line must have the gradient 0, not an old one's"}));
}

START_TEST(freed)
{
    check_rounds(false);
}
END_TEST

/* --- the list --------------------------------------------------------------------------------- */

#if __has_include("hidden.c")
#include "hidden.c"
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(values);
    JUDGE_TEST(prelu_values);
    JUDGE_TEST(gradients);
    JUDGE_TEST(prelu_gradients);
    JUDGE_TEST(prelu_at_0);
    JUDGE_TEST(prelu_negative_slope);
    JUDGE_TEST(shared);
    JUDGE_TEST(diamonds);
    JUDGE_TEST(deep);
    JUDGE_TEST(unused);
    JUDGE_TEST(interior);
    JUDGE_TEST(twice);
    JUDGE_TEST(zeroed);
    JUDGE_TEST(own_rule);
    JUDGE_TEST(own_once);
    JUDGE_TEST(own_order);
    JUDGE_TEST(freed);
    hidden_tests();
}
