/* lessons/assignments/a2_tape/hidden.c -- the hidden tests, included by tests.c. Students' copies
 * lack this file.
 *
 * SPDX-License-Identifier: MIT
 */

static double value_of(const Program *p, int i)
{
    return (double)var_item(p->line[i]);
}

/* Does a value like x keep a program away from overflow and from 0? */
static bool is_tame(double x)
{
    return fabs(x) > 0.05 && fabs(x) < 8;
}

/* Appends a line computed from the last one and a random earlier one. Row 0 is a slope. */
static int random_line(Program *p, bool with_counted)
{
    int last = p->n - 1, other = (int)rng_below(judge_rng(), (uint64_t)p->n);
    bool swap = rng_below(judge_rng(), 2) == 0;
    int i = swap ? other : last, j = swap ? last : other;
    double x = value_of(p, last), z = value_of(p, other);
    switch (rng_below(judge_rng(), 4)) {
    case 0:
        if (is_tame(x * z))
            return mul(p, i, j);
        break;
    case 1:
        if (is_tame(x + z))
            return with_counted ? counted_at_random(p, i, j) : add(p, i, j);
        break;
    case 2:
        if (fabs(x) < 2)
            return exponential(p, last);
        break;
    }
    return prelu(p, last, 0);
}

/* n lines, of which the first five are inputs; the last depends on every line that is not. */
static Program random_program(int n, bool with_counted)
{
    Program p = {0};
    input(&p, draw(0.2, 0.8));
    for (int i = 1; i < 5; i++)
        input(&p, (i % 2 ? 1 : -1) * draw(0.5, 2));
    while (p.n < n)
        random_line(&p, with_counted);
    return p;
}

START_TEST(random_values)
{
    for (int i = 0; i < 20; i++) {
        Program p = random_program(30, false);
        check_values(&p);
    }
}
END_TEST

START_TEST(random_gradients)
{
    for (int i = 0; i < 20; i++) {
        Program p = random_program(30, false);
        backward(&p, 29);
        check_gradients(&p, p.n, NULL, 0);
    }
}
END_TEST

/* One op of x and z, and the gradients of u y. */
static void check_not_finite(RowKind kind, double x, double z, double u)
{
    Program p = begin(x, z);
    weigh(&p, kind == ROW_ADD   ? add(&p, 0, 1)
              : kind == ROW_MUL ? mul(&p, 0, 1)
              : kind == ROW_EXP ? exponential(&p, 0)
                                : prelu(&p, 0, 1), u);
    check_values(&p);
    check_gradients(&p, 2, MISTAKES({u == 0 ? VECTOR(0, 0) : NULL,
        "a gradient of 0 must be passed on like any other: 0 times infinity is NaN"}));
}

START_TEST(not_finite)
{
    const double inf = (double)INFINITY, nan = (double)NAN;
    check_not_finite(ROW_ADD, inf, -inf, 2);
    check_not_finite(ROW_ADD, nan, 1, 2);
    check_not_finite(ROW_MUL, inf, -3, 2);
    check_not_finite(ROW_MUL, inf, 2, 0);
    check_not_finite(ROW_MUL, nan, 2, 0.5);
    check_not_finite(ROW_EXP, 800, 1, 2);
    check_not_finite(ROW_EXP, 800, 1, 0);
    check_not_finite(ROW_EXP, -inf, 1, 2);
    check_not_finite(ROW_PRELU, nan, 0.25, 2);
    check_not_finite(ROW_PRELU, inf, 0.25, 2);
    check_not_finite(ROW_PRELU, -inf, 0.25, 2);
}
END_TEST

/* Everything at once: counted rules, a sweep from the middle, and sweeps that add up. */
START_TEST(own_random)
{
    for (int i = 0; i < 10; i++) {
        Program p = random_program(40, true);
        backward(&p, 39);
        backward(&p, 20);
        zero_grad(&p);
        backward(&p, 30);
        backward(&p, 39);
        check_gradients(&p, p.n, NULL, 0);
    }
}
END_TEST

static void clear(Program *p)
{
    row(p, ROW_CLEAR, 0, 0, 0, NULL);
    memset(p->line, 0, sizeof p->line);
    memset(p->grad, 0, sizeof p->grad);
}

START_TEST(cleared)
{
    Program p = begin(draw(1, 2), 1.5);
    backward(&p, mul(&p, 0, 1));
    clear(&p);
    int x = input(&p, draw(1, 2)), w = input(&p, 3);
    backward(&p, mul(&p, w, x));
    check_gradients(&p, p.n, NULL, 0);
    check_rounds(true);
}
END_TEST

START_TEST(two_tapes)
{
    Program p[2] = {begin(draw(1, 2), draw(0.5, 1)), begin(draw(1, 2), draw(0.5, 1))};
    for (int i = 0; i < 2; i++) {
        int y = 0;
        for (int k = 0; k < 6; k++) {
            int z = k == 0 ? 1 : input(&p[i], draw(0.5, 1.5));
            y = (k + i) % 2 ? add(&p[i], y, z) : mul(&p[i], y, z);
        }
        backward(&p[i], y);
    }
    judge_ask("two", VARS(rows_of(&p[0]), rows_of(&p[1])), NONE);
    for (int i = 0; i < 2; i++) {
        int n = p[i].n;
        Var *value = answered(2 * i, n, n), *grad = answered(2 * i + 1, n, n);
        static const char mixed[] = "does a static variable hold what belongs to one tape?";
        judge_compare("a value on one of two tapes", value, expected_values(&p[i]), tight,
                      MISTAKES({value, mixed}));
        judge_compare("a gradient on one of two tapes", grad, var_const_from(SHAPE(n), p[i].grad),
                      tight, MISTAKES({grad, mixed}));
    }
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(random_values);
    JUDGE_TEST(random_gradients);
    JUDGE_TEST(not_finite);
    JUDGE_TEST(own_random);
    JUDGE_TEST(cleared);
    JUDGE_TEST(two_tapes);
}
