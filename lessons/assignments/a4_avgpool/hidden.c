/* lessons/assignments/a4_avgpool/hidden.c -- the hidden tests, included by tests.c where this file
 * exists.
 *
 * SPDX-License-Identifier: MIT
 */

enum { HIDDEN_ROUNDS = 30 };

/* Every third pooling has the default stride, every second one count_include_pad. */
static Pooling random_pooling(int round)
{
    Pool2dOptions o;
    Shape x = SHAPE(between(1, 2), between(1, 3), 0, 0);
    for (int i = 0; i < 2; i++) {
        o.kernel[i] = between(1, 4), o.stride[i] = between(1, 3);
        o.padding[i] = between(0, o.kernel[i] / 2);
        ptrdiff_t least = o.kernel[i] - 2 * o.padding[i];
        x.dim[2 + i] = between(least > 1 ? least : 1, least + 6);
    }
    if (round % 3 == 0)
        o.stride[0] = o.stride[1] = 0;
    return pooling(x, o, round % 2 == 0);
}

START_TEST(pool_random)
{
    for (int i = 0; i < HIDDEN_ROUNDS; i++)
        check_values(POOL, random_pooling(i));
}
END_TEST

/* A running sum would carry the large element into windows that do not contain it. */
static void check_local(double large)
{
    Pooling p = square(9, 3, 1, 0, true);
    Var *x = input(POOL, p);
    ptrdiff_t at[] = {between(0, 1), between(0, 2), between(0, 2), between(0, 2)};
    tensor_set(x->value, at, (real)large); /* windows follow in both directions */
    Var *got = ask("value", POOL, p, VARS(x)), *expected = moved(x, p, POOL, NO_FAULT);
    check_shape("y", got, &p, POOL);
    for (ptrdiff_t i = 0; i < tensor_count(got->value); i++)
        if (fabs(element(expected, i)) < 3 &&
            !(fabs(element(got, i) - element(expected, i)) < 1e-9))
            judge_fail("sum each window anew: a running sum carries the element, or the rounding "
                       "error that it causes, into windows that do not contain it",
                       "x contains an element %g; a window without it has the mean %g; expected %g",
                       large, element(got, i), element(expected, i));
    compare("y", got, x, p, POOL);
}

START_TEST(pool_local)
{
    check_local(1e17);
    check_local((double)INFINITY);
    check_local((double)NAN);
}
END_TEST

/* <pool(x), g> is computed from the definition. */
START_TEST(scatter_random)
{
    for (int i = 0; i < HIDDEN_ROUNDS; i++) {
        Pooling p = random_pooling(i);
        Var *x = input(POOL, p), *g = input(SCATTER, p);
        Var *got = ask("value", SCATTER, p, VARS(g));
        compare("the scattered g", got, g, p, SCATTER);
        judge_compare("<x, scatter(g)>, which must equal <pool(x), g>,", var_dot(x, got),
                      var_dot(moved(x, p, POOL, NO_FAULT), g),
                      (Tolerance){.relative = 1e-10, .absolute = 1e-10}, NULL, 0);
    }
}
END_TEST

START_TEST(third)
{
    for (int times = 3; times <= 4; times++) {
        check_chain(POOL, plain(), times);
        check_chain(SCATTER, plain(), times);
    }
}
END_TEST

START_TEST(gradient_random)
{
    for (int i = 0; i < HIDDEN_ROUNDS; i++) {
        check_gradient(POOL, random_pooling(i));
        check_gradient(SCATTER, random_pooling(i));
    }
}
END_TEST

START_TEST(refuse_scatter)
{
    ptrdiff_t size = between(11, 19);
    for (int i = 0; i < 2; i++) {
        check_refused_kernel(SCATTER, i);
        check_refused_padding(SCATTER, i);
        check_refused_range(SCATTER, i);
    }
    check_refused_axes(SCATTER, SHAPE(3, size, size + 2));
    check_refused_empty(SCATTER);
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(pool_random);
    JUDGE_TEST(pool_local);
    JUDGE_TEST(scatter_random);
    JUDGE_TEST(third);
    JUDGE_TEST(gradient_random);
    JUDGE_TEST(refuse_scatter);
}
