/* tensor/kernels/transpose.h -- small matrices transposed in registers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_TRANSPOSE_H
#define SLOPE_TENSOR_KERNELS_TRANSPOSE_H

#include <stddef.h>

#include "tensor/kernels/vec.h"

/* A square of VEC by VEC numbers. */
static inline void transpose_square(real *out, ptrdiff_t out_row, const real *in, ptrdiff_t in_row)
{
    vec square[VEC];
    for (int i = 0; i < VEC; i++)
        square[i] = vec_load(in + i * in_row);
    vec_transpose(square);
    for (int i = 0; i < VEC; i++)
        vec_store(out + i * out_row, square[i]);
}

/* out (cols,rows) = the transpose of in (rows,cols), where rows <= VEC: square by square if they are
 * VEC, and what is left one by one. */
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
