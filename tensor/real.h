/* tensor/real.h -- the one floating-point type of the library.
 *
 *  - `real` is float; with -DSLOPE_DOUBLE it is double. The same sources build both.
 *  - A program compiled for one type does not link with the library of the other: every file that
 *    includes this header refers to a symbol that only the right library defines.
 *  - Math functions come from <tgmath.h>, so sqrt(x) is sqrtf(x) if x is a float. In C++ they come
 *    from <math.h>, with the same effect.
 *  - -ffast-math is refused, in the library and in programs.
 *  - A literal is written (real)0.1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_REAL_H
#define SLOPE_TENSOR_REAL_H

#include <float.h>

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "-ffast-math (part of -Ofast) removes every check for NaN and Inf, and Slope needs them. \
Compile without it; the flags in the Makefile are safe."
#endif

#ifdef SLOPE_DOUBLE
typedef double real;
#define REAL_NAME     "double"
#define REAL_EPSILON  DBL_EPSILON
#define REAL_MAX      DBL_MAX
#define REAL_MANT_DIG DBL_MANT_DIG
#define SLOPE_REAL_SYMBOL slope_library_is_double
#else
typedef float real;
#define REAL_NAME     "float"
#define REAL_EPSILON  FLT_EPSILON
#define REAL_MAX      FLT_MAX
#define REAL_MANT_DIG FLT_MANT_DIG
#define SLOPE_REAL_SYMBOL slope_library_is_float
#endif

extern const char SLOPE_REAL_SYMBOL;
static const char *const slope_real_guard __attribute__((used)) = &SLOPE_REAL_SYMBOL;

#endif
