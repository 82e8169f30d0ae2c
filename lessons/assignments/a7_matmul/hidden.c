/* lessons/assignments/a7_matmul/hidden.c -- the hidden tests, included by tests.c where this file
 * exists.
 *
 * SPDX-License-Identifier: MIT
 */

static ptrdiff_t between(ptrdiff_t low, ptrdiff_t high)
{
    return low + (ptrdiff_t)rng_below(judge_rng(), (uint32_t)(high - low + 1));
}

/* Most sizes are small; in every third round, one of the three is large. */
START_TEST(product_random)
{
    for (int round = 0; round < 24; round++) {
        ptrdiff_t size[3];
        for (int i = 0; i < 3; i++)
            size[i] = between(1, 70);
        if (round % 3 == 0)
            size[round / 3 % 3] = between(200, 900);
        check(size[0], size[1], size[2]);
    }
}
END_TEST

/* One element of A or of B is NaN or infinite; in the other matrix, some of the elements that it is
 * multiplied by are 0. The rest of C must be finite. */
static void check_special(bool in_A, double special)
{
    Product p = product(between(20, 40), between(20, 40), between(20, 40));
    ptrdiff_t k = between(0, p.K - 1), i = between(0, (in_A ? p.M : p.N) - 1);
    tensor_set(in_A ? p.A->value : p.B->value, in_A ? (ptrdiff_t[]){i, k} : (ptrdiff_t[]){k, i},
               (real)special);
    ptrdiff_t zeros = in_A ? p.N : p.M;
    for (ptrdiff_t j = 0; j < zeros; j += 2)
        tensor_set(in_A ? p.B->value : p.A->value,
                   in_A ? (ptrdiff_t[]){k, j} : (ptrdiff_t[]){j, k}, 0);
    compare(&p, ask(&p));
}

START_TEST(product_special)
{
    for (int i = 0; i < 2; i++) {
        check_special(i == 0, (double)NAN);
        check_special(i == 0, (double)INFINITY);
    }
}
END_TEST

static Speed speed_uneven = {.M = 277, .N = 281};

START_TEST(speed_odd_loop)
{
    check_speed(&speed_uneven, PLAIN, 2, "make j the innermost loop (hint 1)");
}
END_TEST

START_TEST(speed_odd)
{
    check_speed(&speed_uneven, LIBRARY, 0.4,
                "let the edges of C use the same micro-kernel as the rest (hint 6), and pack B: in "
                "the matrix itself, its rows are not aligned (hints 5 and 8)");
}
END_TEST

static void hidden_tests(void)
{
    JUDGE_TEST(product_random);
    JUDGE_TEST(product_special);
    JUDGE_TEST(speed_odd_loop);
    JUDGE_TEST(speed_odd);
}
