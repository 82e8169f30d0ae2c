/* tensor/kernels/transpose.h -- transposes small matrices in registers. Strides are in elements.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_TRANSPOSE_H
#define SLOPE_TENSOR_KERNELS_TRANSPOSE_H

#include <stddef.h>

#include "tensor/kernels/vec.h"

/* out (VEC,VEC) = the transpose of in (VEC,VEC). The rows of both are contiguous; they are out_row
 * and in_row apart. */
static inline void transpose_square(real *out, ptrdiff_t out_row, const real *in, ptrdiff_t in_row)
{
    vec square[VEC];
    for (int i = 0; i < VEC; i++)
        square[i] = vec_load(in + i * in_row);
    vec_transpose(square);
    for (int i = 0; i < VEC; i++)
        vec_store(out + i * out_row, square[i]);
}

/* out (cols,rows) = the transpose of in (rows,cols), for rows <= VEC. If there are VEC rows,
 * squares of VEC by VEC elements are transposed in registers; the rest is copied one element at a
 * time. */
static inline void transpose_rows(real *out, ptrdiff_t out_row, const real *in, ptrdiff_t in_row,
                                  ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t j = 0;
    for (; rows == VEC && j + VEC <= cols; j += VEC)
        transpose_square(out + j * out_row, out_row, in + j, in_row);
    for (; j < cols; j++)
        for (ptrdiff_t i = 0; i < rows; i++)
            out[j * out_row + i] = in[i * in_row + j];
}

#endif
