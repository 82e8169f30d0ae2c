/* tensor/cut.h -- sizes, and work cut into parts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_CUT_H
#define SLOPE_TENSOR_CUT_H

#include <stddef.h>

enum { CACHE_LINE = 64 }; /* bytes that memory hands over at a time */

static inline ptrdiff_t cut_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static inline ptrdiff_t cut_max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

/* How many parts of `size` there are in n, a last smaller one included: n / size, rounded up. */
static inline ptrdiff_t cut_parts(ptrdiff_t n, ptrdiff_t size)
{
    return (n + size - 1) / size;
}

#endif
