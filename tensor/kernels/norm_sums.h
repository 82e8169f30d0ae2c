/* tensor/kernels/norm_sums.h -- the sums of batch normalisation, for tensor/kernels/norm.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_NORM_SUMS_H
#define SLOPE_TENSOR_KERNELS_NORM_SUMS_H

#include "tensor/tensor.h"

enum { NORM_SUMS = 256 }; /* channels per call, at most, if inner is 1 */

/* first[c] = sum of f, product[c] = sum of f (x - shift[c]) for the n channels of x (outer, n,
 * inner), where f is g or, if g is NULL, x - shift[c]. x and g are parts of larger tensors: their
 * rows are `next` elements apart. */
void tensor_norm_sums(double *first, double *product, const real *x, const real *g, AxisView v,
                      ptrdiff_t next, const real *shift);

#endif
