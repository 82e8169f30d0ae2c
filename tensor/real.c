/* tensor/real.c -- the symbol that keeps a float program from linking with a double library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/real.h"

const char SLOPE_REAL_SYMBOL = 1;

/* Every program that links this file also links tensor/processor.c, which nothing calls. */
extern const char slope_processor_checked;
static const char *const real_guard __attribute__((used)) = &slope_processor_checked;
