/* tests/locale.h -- locales whose decimal separator is not a point, compiled for tests on request.
 *
 *  - locale_set("de_DE") compiles that locale with localedef and sets it for this process. It
 *    returns false where that is impossible: then there is nothing to test.
 *  - locale_restore() returns to the C locale.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_LOCALE_H
#define SLOPE_TESTS_LOCALE_H

#include <locale.h>

#include "tests/scratch.h"

/* "0,5" and "0٫5", whose decimal separator has two bytes. */
static const char *const locale_names[] = {"de_DE", "ps_AF"};
enum { LOCALES = sizeof locale_names / sizeof *locale_names };

static inline bool locale_set(const char *name)
{
    char command[2 * SCRATCH_PATH], half[8];
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s.UTF-8 >/dev/null 2>&1", name,
             scratch_folder, name);
    if (system(command) != 0) /* it may be only a warning; setlocale decides */
        puts("localedef reports a problem");
    setenv("LOCPATH", scratch_folder, 1);
    snprintf(command, sizeof command, "%s.UTF-8", name);
    if (!setlocale(LC_ALL, command)) {
        printf("there is no locale %s: not tested\n", name);
        return false;
    }
    snprintf(half, sizeof half, "%.1f", 0.5);
    ck_assert_str_ne(half, "0.5");
    return true;
}

static inline void locale_restore(void)
{
    setlocale(LC_ALL, "C");
}

#endif
