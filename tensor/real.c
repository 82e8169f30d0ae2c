/* tensor/real.c -- the symbol by which a float program refuses a double library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/real.h"

const char SLOPE_REAL_SYMBOL = 1;
