/* tests/testing.h -- what the test programs share.
 *
 *  - testing_main runs a suite, prints Check's closing lines and returns main's exit status.
 *  - ck_assert_fails(call, "text") passes if the call fails through slope_fail with a sentence
 *    that contains the text. It catches the failure by longjmp and rewinds the tape, so it
 *    also works without forking (CK_FORK=no, for valgrind and the thread sanitizer).
 *  - ck_assert_close compares two numbers, ck_assert_tensor a tensor and its expected values.
 *  - ck_assert_allocates_nothing and testing_blocks count blocks of memory.
 *  - testing_copy and testing_error are for readers of files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_TESTING_H
#define SLOPE_TESTS_TESTING_H

#include <check.h>
#include <setjmp.h>
#include <stdlib.h>

#include "autograd/tape.h"
#include "tensor/memory.h"

/* Adds the tests, a NULL-ended list, as one case of the suite, with a limit in seconds; returns the
 * case, for fixtures. */
TCase *testing_add(Suite *suite, const char *name, double seconds, const TTest *const *tests);
int testing_main(Suite *suite);

/* Between the two, a failure longjmps to testing_jump and leaves its sentence. */
extern jmp_buf testing_jump;
extern char testing_sentence[2048];
void testing_catch(void);
void testing_release(void);

#define ck_assert_fails(call, text)                                                          \
    do {                                                                                     \
        size_t testing_mark = tape_mark();                                                   \
        testing_sentence[0] = '\0';                                                          \
        if (setjmp(testing_jump) == 0) {                                                     \
            testing_catch();                                                                 \
            (void)(call);                                                                    \
        }                                                                                    \
        testing_release();                                                                   \
        tape_rewind(testing_mark);                                                           \
        ck_assert_msg(testing_sentence[0], "%s did not fail", #call);                        \
        ck_assert_msg(strstr(testing_sentence, (text)), "%s failed with \"%s\", which does " \
                      "not say \"%s\"", #call, testing_sentence, (text));                    \
    } while (0)

#define ck_assert_close(a, b, tolerance)                                                     \
    do {                                                                                     \
        double testing_a = (double)(a), testing_b = (double)(b);                             \
        ck_assert_msg(testing_close(testing_a, testing_b, (tolerance)),                      \
                      "%s is %.9g, expected %.9g", #a, testing_a, testing_b);                \
    } while (0)

/* A tolerance for results near 1 of a few operations. */
#define NEAR (64 * (double)REAL_EPSILON)

/* |a - b| <= tolerance; NaN matches NaN, Inf the same Inf. */
bool testing_close(double a, double b, double tolerance);

/* x has this shape and, in row-major order, these values up to the tolerance. */
#define ck_assert_tensor(x, expected_shape, tolerance, ...)                                  \
    testing_tensor((x), (expected_shape), (const double[]){__VA_ARGS__},                     \
                   sizeof((const double[]){__VA_ARGS__}) / sizeof(double), (tolerance),      \
                   __FILE__, __LINE__)
void testing_tensor(const Tensor *x, Shape shape, const double *values, size_t n, double tolerance,
                    const char *file, int line);

/* A copy that ends where the bytes end, so that the address sanitizer sees a byte too far; you free
 * it. */
uint8_t *testing_copy(const void *bytes, size_t size);

/* The error of a reader names the file, states a problem, and what was expected and found together
 * or not at all. */
void testing_error(const Error *err, const char *file);

#ifdef SLOPE_NO_POOL /* every block comes from the heap, for valgrind */
enum { TESTING_POOL = 0 };
#else
enum { TESTING_POOL = 1 };
#endif

/* What the call needs is in the pool already, where there is one. */
#define ck_assert_allocates_nothing(call)                                                    \
    do {                                                                                     \
        uint64_t testing_before = memory_counts().allocations;                               \
        call;                                                                                \
        if (TESTING_POOL)                                                                    \
            ck_assert_uint_eq(memory_counts().allocations, testing_before);                  \
    } while (0)

/* Blocks in use in any thread, and those in other threads' pools; this thread's is emptied. */
uint64_t testing_blocks(void);

#endif
