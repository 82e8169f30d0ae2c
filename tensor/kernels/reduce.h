/* tensor/kernels/reduce.h -- the sum and the maximum of one row, for other kernels.
 *
 *  - tensor_sum_to and tensor_max_to, over whole tensors, are in tensor/tensor.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_REDUCE_H
#define SLOPE_TENSOR_KERNELS_REDUCE_H

#include "tensor/tensor.h"

enum { TENSOR_ROW_FEW = 16 };

/* The sum of n elements that are `step` apart, added pairwise, so that its rounding error grows
 * only with log n. At most TENSOR_ROW_FEW elements are added one by one, in double. */
double tensor_row_sum(const real *x, ptrdiff_t n, ptrdiff_t step);

/* The largest of such elements: -Inf if n is 0, NaN if one of them is NaN. */
real tensor_row_max(const real *x, ptrdiff_t n, ptrdiff_t step);

#endif
