/* tensor/error.h -- misuse stops the program with a message; a failure outside the program is
 * returned as an Error.
 *
 *  - slope_fail() is for misuse: shapes that do not fit, an index out of range. It prints
 *    "slope: FUNCTION: SENTENCE" and calls the fail handler, which must not return.
 *  - slope_on_fail() replaces that handler: a test or a long-running program can longjmp out and
 *    then call tape_rewind(mark), which frees everything recorded on the tape since the mark.
 *    In C++ the handler must not throw, because an exception cannot pass through C functions, and
 *    its longjmp must not leave a scope that has objects with destructors.
 *  - slope_warn_once() is for what is legal but almost always a mistake; the program continues.
 *  - Error is for failures outside the program: a missing, truncated or corrupt file. Readers fill
 *    it and return NULL or false; they do not print it, and never abort.
 *
 *      Error err;
 *      Dataset *d = fashion_mnist_load(NULL, true, &err);
 *      if (!d) { error_print(stderr, &err); return 1; }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_ERROR_H
#define SLOPE_TENSOR_ERROR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tensor/language.h"

SLOPE_C_BEGIN

#if defined(__GNUC__)
#define SLOPE_PRINTF(text, args) __attribute__((format(printf, text, args)))
#else
#define SLOPE_PRINTF(text, args)
#endif

/* Stops the program because of misuse. `function` is the public function that was called wrongly;
 * the format yields one sentence that says what was expected and what was found. */
SLOPE_NORETURN void slope_fail(const char *function, const char *format, ...) SLOPE_PRINTF(2, 3);

/* Prints "slope: FUNCTION: warning: SENTENCE" on stderr unless *warned is already true, then sets
 * *warned. Each place that warns has its own static flag, so it warns once per process. */
void slope_warn_once(SLOPE_ATOMIC(bool) *warned, const char *function, const char *format, ...)
    SLOPE_PRINTF(3, 4);

/* A handler receives the whole sentence. It must abort or longjmp; if it returns, slope_fail
 * aborts. */
typedef void (*FailHandler)(const char *sentence, void *ctx);

/* Installs a handler for this thread (NULL: print to stderr and abort, the default). */
void slope_on_fail(FailHandler handler, void *ctx);

/* What went wrong outside the program. Strings that do not fit are truncated. */
typedef struct Error {
    char    file[256];     /* path, or "memory" for a buffer */
    int64_t offset;        /* byte offset in the file, or -1 if none applies */
    char    problem[256];  /* one clause: "the header declares 60000 images" */
    char    expected[128]; /* or "" if nothing specific was expected */
    char    found[128];
    char    hint[512];     /* what to do about it, or "" */
} Error;

/* Fills *err (which may be NULL) with file, offset and problem; clears the rest. Returns false,
 * so that a reader can end with `return error_set(...)`. */
bool error_set(Error *err, const char *file, int64_t offset, const char *problem, ...)
    SLOPE_PRINTF(4, 5);

/* Add what was expected and found, or a hint, to an error already set. Each returns false. */
bool error_expected(Error *err, const char *expected, const char *found, ...) SLOPE_PRINTF(3, 4);
bool error_hint(Error *err, const char *hint, ...) SLOPE_PRINTF(2, 3);

/* An untrusted name, for a message: shortened if it is long, with control characters replaced,
 * because a hostile name must not control the terminal. */
enum { ERROR_SHOWN = 64 };
const char *error_shown(const char *name, char text[ERROR_SHOWN]);
#define SHOWN(name) error_shown((name), SLOPE_TEXT(ERROR_SHOWN))

/* Writes the error as one sentence, and the hint, if there is one, on a second line. */
void error_print(FILE *out, const Error *err);

SLOPE_C_END

#endif
