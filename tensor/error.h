/* tensor/error.h -- your bug stops with a sentence; the world's failure returns an error.
 *
 *  - slope_fail() is for misuse: shapes that do not fit, an index out of range. It prints
 *    "slope: FUNCTION: SENTENCE" and calls the fail handler, which must not return.
 *  - slope_on_fail() replaces that handler: a test or a long-lived program longjmps out and
 *    then calls tape_rewind(mark), which frees everything it had put on the tape.
 *  - Error is for what the world does: a missing, short or corrupt file. Readers return NULL
 *    or false and fill it; nothing is printed and nothing aborts.
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

#if defined(__GNUC__)
#define SLOPE_PRINTF(text, args) __attribute__((format(printf, text, args)))
#else
#define SLOPE_PRINTF(text, args)
#endif

/* Stops the program because of a misuse. `function` is the public function that was called
 * wrongly; the format makes one sentence that says what was expected and what was found. */
_Noreturn void slope_fail(const char *function, const char *format, ...) SLOPE_PRINTF(2, 3);

/* A handler gets the whole sentence. It must abort or longjmp; if it returns, we abort. */
typedef void (*FailHandler)(const char *sentence, void *ctx);

/* Installs a handler for this thread (NULL: print to stderr and abort, the default). */
void slope_on_fail(FailHandler handler, void *ctx);

/* What went wrong outside the program. Texts that do not fit are cut. */
typedef struct Error {
    char    file[256];     /* path, or "memory" for a buffer */
    int64_t offset;        /* byte offset in the file, -1 where none makes sense */
    char    problem[256];  /* one clause: "the header declares 60000 images" */
    char    expected[128]; /* "" where there is nothing to expect */
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

/* A name from outside, for a message: shortened if it is long, with control characters replaced,
 * because a hostile name must not control the terminal. */
enum { ERROR_SHOWN = 64 };
const char *error_shown(const char *name, char text[ERROR_SHOWN]);
#define SHOWN(name) error_shown((name), (char[ERROR_SHOWN]){0})

/* Writes the error as one sentence, with a line for the hint. */
void error_print(FILE *out, const Error *err);

#endif
