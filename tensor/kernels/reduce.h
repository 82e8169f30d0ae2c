/* tensor/kernels/reduce.h -- one row's sum and maximum, for kernels that need them in passing.
 *
 *  - tensor_sum_to and tensor_max_to, over whole tensors, are in tensor/tensor.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_REDUCE_H
#define SLOPE_TENSOR_KERNELS_REDUCE_H

#include "tensor/tensor.h"

/* The sum of n numbers that lie `step` apart, pairwise, so that its rounding error grows with
 * log n. A few are added one by one. */
real tensor_row_sum(const real *x, ptrdiff_t n, ptrdiff_t step);

/* The largest of them: -Inf for none, NaN if there is one. */
real tensor_row_max(const real *x, ptrdiff_t n, ptrdiff_t step);

#endif
