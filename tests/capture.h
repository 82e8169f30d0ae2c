/* tests/capture.h -- captures what this process and its children write to stderr.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_CAPTURE_H
#define SLOPE_TESTS_CAPTURE_H

#include <check.h>
#include <stdio.h>
#include <unistd.h>

static int   capture_stderr; /* the original stderr */
static FILE *capture_file;

static inline void capture_begin(void)
{
    fflush(stderr);
    capture_stderr = dup(STDERR_FILENO);
    capture_file = tmpfile();
    ck_assert_ptr_nonnull(capture_file);
    dup2(fileno(capture_file), STDERR_FILENO);
}

/* Returns the text, at most its first 4095 bytes; it is valid until the next call. */
static inline const char *capture_end(void)
{
    static char text[4096];
    fflush(stderr);
    dup2(capture_stderr, STDERR_FILENO);
    close(capture_stderr);
    rewind(capture_file);
    text[fread(text, 1, sizeof text - 1, capture_file)] = '\0';
    fclose(capture_file);
    return text;
}

#endif
