/* tests/testing.c -- functions that the test programs share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

jmp_buf testing_jump;
char testing_sentence[2048];

TCase *testing_add(Suite *suite, const char *name, double seconds, const TTest *const *tests)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, seconds);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int testing_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void testing_handler(const char *sentence, void *ctx)
{
    (void)ctx;
    snprintf(testing_sentence, sizeof testing_sentence, "%s", sentence);
    longjmp(testing_jump, 1);
}

void testing_catch(void)
{
    slope_on_fail(testing_handler, NULL);
}

void testing_release(void)
{
    slope_on_fail(NULL, NULL);
}

uint8_t *testing_copy(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    return memcpy(copy, bytes, size);
}

void testing_error(const Error *err, const char *file)
{
    ck_assert_str_eq(err->file, file);
    ck_assert_int_gt(strlen(err->problem), 10);
    ck_assert_int_eq(err->expected[0] != 0, err->found[0] != 0);
}

uint64_t testing_blocks(void)
{
    memory_trim();
    MemoryCounts c = memory_counts();
    return c.allocations - c.releases;
}

bool testing_close(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= tolerance;
}

void testing_tensor(const Tensor *x, Shape shape, const double *values, size_t n, double tolerance,
                    const char *file, int line)
{
    ck_assert_msg(x != NULL, "%s:%d: the tensor is NULL", file, line);
    ck_assert_msg(shape_equal(x->shape, shape), "%s:%d: the shape is %s, expected %s", file, line,
                  SHAPE_TEXT(x->shape), SHAPE_TEXT(shape));
    ck_assert_msg((size_t)tensor_count(x) == n, "%s:%d: %zu values for shape %s", file, line, n,
                  SHAPE_TEXT(shape));
    for (size_t i = 0; i < n; i++) {
        double found = (double)tensor_read(x)[tensor_locate(x, (ptrdiff_t)i)];
        ck_assert_msg(testing_close(found, values[i], tolerance),
                      "%s:%d: element %zu is %.9g, expected %.9g", file, line, i, found, values[i]);
    }
}
