/* tensor/turn.h -- matrices turned: rows become columns, a small square of them at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_TURN_H
#define SLOPE_TENSOR_TURN_H

#include <stddef.h>

#include "tensor/vec.h"

/* A square of VEC by VEC numbers, turned in registers. */
static inline void turn_square(real *out, ptrdiff_t out_row, const real *in, ptrdiff_t in_row)
{
    vec square[VEC];
    for (int i = 0; i < VEC; i++)
        square[i] = vec_load(in + i * in_row);
    vec_transpose(square);
    for (int i = 0; i < VEC; i++)
        vec_store(out + i * out_row, square[i]);
}

/* out (cols,rows) = in' for in (rows,cols), at most VEC rows. */
static inline void turn_rows(real *out, ptrdiff_t out_row, const real *in, ptrdiff_t in_row,
                             ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t j = 0;
    for (; rows == VEC && j + VEC <= cols; j += VEC)
        turn_square(out + j * out_row, out_row, in + j, in_row);
    for (; j < cols; j++)
        for (ptrdiff_t i = 0; i < rows; i++)
            out[j * out_row + i] = in[i * in_row + j];
}

#endif
