/* tensor/real.c -- the symbol that keeps a float program from linking with a double library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/real.h"

const char SLOPE_REAL_SYMBOL = 1;
