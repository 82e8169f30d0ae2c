/* tests/tensor/operands.h -- values for the tests of tensors and kernels.
 *
 *  - integers are small, so that a float represents their sums and products exactly: results must
 *    be equal and not merely close.
 *  - A result that is filled with not_a_number first shows the elements that a kernel left out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_TENSOR_OPERANDS_H
#define SLOPE_TESTS_TENSOR_OPERANDS_H

#include <math.h>

#include "tensor/random.h"
#include "tests/testing.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define NOT_A_NUMBER ((double)NAN)

static const real not_a_number = (real)NAN, infinite = (real)INFINITY;

#define REFUSES_NULL(function, ...) \
    ck_assert_fails(function(__VA_ARGS__), "slope: " #function ": the tensor is NULL")

/* Integers from -4 to 4, without a pattern that a wrong stride would preserve. */
static inline Tensor *integers(Shape s, uint64_t salt)
{
    Tensor *x = tensor_new(s);
    real *p = tensor_write(x);
    for (ptrdiff_t i = 0; i < tensor_count(x); i++)
        p[i] = (real)((ptrdiff_t)(rng_word(salt, 0, (uint64_t)i) % 9) - 4);
    return x;
}

#endif
