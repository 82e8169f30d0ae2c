/* tensor/files/decimal.c -- the C locale, for one thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/decimal.h"

#include <pthread.h>

#include "tensor/error.h"

/* Created once and never freed: it must exist for as long as a thread may use it. */
static locale_t decimal_c_locale;

static void decimal_create(void)
{
    decimal_c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t slope_decimal_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, decimal_create);
    if (!decimal_c_locale)
        slope_fail("slope_decimal_begin", "out of memory for the C locale");
    return uselocale(decimal_c_locale);
}

void slope_decimal_end(locale_t before)
{
    uselocale(before);
}
