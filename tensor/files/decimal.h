/* tensor/files/decimal.h -- a decimal point for numbers in files, whatever the program's locale.
 * Internal: programs call the readers and writers of files.
 *
 *  - printf writes and strtod expects the decimal point of the locale: in many a comma, in some
 *    a character of two bytes. Between slope_decimal_begin and slope_decimal_end this thread uses
 *    the C locale instead; other threads keep theirs.
 *
 *      locale_t before = slope_decimal_begin();
 *      fprintf(file, "%.6f\n", loss);
 *      slope_decimal_end(before);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_DECIMAL_H
#define SLOPE_TENSOR_FILES_DECIMAL_H

#include <locale.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

/* Returns the thread's locale, for slope_decimal_end. The code in between must not longjmp out. */
locale_t slope_decimal_begin(void);
void     slope_decimal_end(locale_t before);

#endif
