/* tests/testing.h -- functions and assertions that the test programs share.
 *
 *  - testing_main runs a suite, prints Check's summary and returns main's exit status.
 *  - ck_assert_fails(call, "text") passes if the call fails through slope_fail with a sentence
 *    that contains the text. It catches the failure by longjmp and rewinds the tape, so it
 *    also works without forking (CK_FORK=no, for valgrind and the thread sanitizer).
 *  - ck_assert_close compares two numbers, ck_assert_tensor a tensor and its expected values.
 *  - ck_assert_allocates_nothing and testing_blocks count memory blocks.
 *  - testing_copy and testing_error are for tests of file readers.
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

/* Adds the tests, a NULL-terminated list, as one test case of the suite, with a time limit in
 * seconds; returns the case, for fixtures. */
TCase *testing_add(Suite *suite, const char *name, double seconds, const TTest *const *tests);
int testing_main(Suite *suite);

/* Between the two calls, a failure stores its sentence and jumps to testing_jump. */
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

/* A tolerance for results near 1 that took a few operations. */
#define NEAR (64 * (double)REAL_EPSILON)

/* |a - b| <= tolerance; NaN matches NaN, and an Inf matches the Inf of the same sign. */
bool testing_close(double a, double b, double tolerance);

/* Asserts that x has this shape and, in row-major order, these values within the tolerance. */
#define ck_assert_tensor(x, expected_shape, tolerance, ...)                                  \
    testing_tensor((x), (expected_shape), (const double[]){__VA_ARGS__},                     \
                   sizeof((const double[]){__VA_ARGS__}) / sizeof(double), (tolerance),      \
                   __FILE__, __LINE__)
void testing_tensor(const Tensor *x, Shape shape, const double *values, size_t n, double tolerance,
                    const char *file, int line);

/* A size that one axis may have, but two may not: their product would wrap to 0 elements. */
#define TESTING_BIG ((ptrdiff_t)1 << 5 * sizeof(ptrdiff_t))

/* A copy in a block of exactly `size` bytes, so that the address sanitizer reports any access past
 * its end; free it. */
uint8_t *testing_copy(const void *bytes, size_t size);

/* Asserts that a reader's error names the file, states a problem, and gives both what was expected
 * and what was found, or neither. */
void testing_error(const Error *err, const char *file);

#ifdef SLOPE_NO_POOL /* every block comes from the heap, for valgrind */
enum { TESTING_POOL = 0 };
#else
enum { TESTING_POOL = 1 };
#endif

/* The thread sanitizer and qemu slow a program down so much that exhaustive tests do less. */
#if defined(__SANITIZE_THREAD__) || defined(TESTING_QEMU) /* GCC defines the former */
#define TESTING_SLOW 1
#elif defined(__has_feature) /* clang does not */
#if __has_feature(thread_sanitizer)
#define TESTING_SLOW 1
#endif
#endif
#ifndef TESTING_SLOW
#define TESTING_SLOW 0
#endif

/* Asserts that the pool, if there is one, already holds all memory that the call needs. */
#define ck_assert_allocates_nothing(call)                                                    \
    do {                                                                                     \
        uint64_t testing_before = memory_counts().allocations;                               \
        call;                                                                                \
        if (TESTING_POOL)                                                                    \
            ck_assert_uint_eq(memory_counts().allocations, testing_before);                  \
    } while (0)

/* Empties this thread's pool; returns the number of blocks in use in any thread or kept in other
 * threads' pools. */
uint64_t testing_blocks(void);

#endif
