/* tensor/error.c -- stopping with a sentence, and errors as values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local FailHandler fail_handler;
static _Thread_local void *fail_ctx;

void slope_on_fail(FailHandler handler, void *ctx)
{
    fail_handler = handler;
    fail_ctx = ctx;
}

_Noreturn void slope_fail(const char *function, const char *format, ...)
{
    char sentence[2048];
    int n = snprintf(sentence, sizeof sentence, "slope: %s: ", function);
    if (n >= (int)sizeof sentence) /* n is the untruncated length */
        n = sizeof sentence - 1;

    va_list args;
    va_start(args, format);
    vsnprintf(sentence + n, sizeof sentence - (size_t)n, format, args);
    va_end(args);

    fflush(stdout); /* so that earlier output is not lost, and comes first */
    if (fail_handler) {
        fail_handler(sentence, fail_ctx);
        fprintf(stderr, "%s\nslope: the fail handler returned; it must abort or longjmp\n",
                sentence);
        abort();
    }
    fprintf(stderr, "%s\n", sentence);
    abort();
}

void slope_warn_once(atomic_bool *warned, const char *function, const char *format, ...)
{
    char sentence[1024];
    if (atomic_exchange(warned, true))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    fprintf(stderr, "slope: %s: warning: %s\n", function, sentence);
}

bool error_set(Error *err, const char *file, int64_t offset, const char *problem, ...)
{
    if (!err)
        return false;
    memset(err, 0, sizeof *err);
    snprintf(err->file, sizeof err->file, "%s", file);
    err->offset = offset;

    va_list args;
    va_start(args, problem);
    vsnprintf(err->problem, sizeof err->problem, problem, args);
    va_end(args);
    return false;
}

bool error_expected(Error *err, const char *expected, const char *found, ...)
{
    if (!err)
        return false;
    snprintf(err->expected, sizeof err->expected, "%s", expected);

    va_list args;
    va_start(args, found);
    vsnprintf(err->found, sizeof err->found, found, args);
    va_end(args);
    return false;
}

bool error_hint(Error *err, const char *hint, ...)
{
    if (!err)
        return false;
    va_list args;
    va_start(args, hint);
    vsnprintf(err->hint, sizeof err->hint, hint, args);
    va_end(args);
    return false;
}

const char *error_shown(const char *name, char text[ERROR_SHOWN])
{
    size_t n = 0;
    for (; name[n] && n < ERROR_SHOWN - 4; n++) {
        uint8_t c = (uint8_t)name[n], before = n ? (uint8_t)name[n - 1] : 0;
        bool control = c < 0x20 || c == 0x7f || (before == 0xc2 && c >= 0x80 && c < 0xa0);
        text[n] = control ? '?' : name[n];
    }
    if (name[n]) /* cut between characters, not within one */
        while (n > 0 && ((uint8_t)name[n] & 0xc0) == 0x80)
            n--;
    strcpy(text + n, name[n] ? "..." : "");
    return text;
}

void error_print(FILE *out, const Error *err)
{
    fprintf(out, "%s: ", err->file);
    if (err->offset >= 0)
        fprintf(out, "at byte %lld: ", (long long)err->offset);
    fprintf(out, "%s", err->problem);
    if (err->expected[0])
        fprintf(out, "; expected %s, found %s", err->expected, err->found);
    fprintf(out, "\n");
    if (err->hint[0])
        fprintf(out, "  %s\n", err->hint);
}
