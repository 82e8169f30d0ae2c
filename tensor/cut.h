/* tensor/cut.h -- small functions of sizes, and the division of work into parts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_CUT_H
#define SLOPE_TENSOR_CUT_H

#include <stddef.h>

static inline ptrdiff_t min_size(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static inline ptrdiff_t max_size(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

/* n / size, rounded up: the number of parts of `size` in n, counting a smaller last one. */
static inline ptrdiff_t ceil_div(ptrdiff_t n, ptrdiff_t size)
{
    return (n + size - 1) / size;
}

/* Where part i begins if n items are divided evenly into `parts` parts. */
static inline ptrdiff_t part_begin(ptrdiff_t n, ptrdiff_t parts, ptrdiff_t i)
{
    return i * n / parts;
}

#endif
