/* tensor/kernels/gemm_micro_kernel.c -- the register tile, once for every height and width.
 *
 * The loops over a tile's rows and vectors have constant bounds wherever they are compiled, so they
 * unroll and the sums become registers. tile_run is therefore inlined into one function a height.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm_micro_kernel.h"

#include <string.h>

/* Clang unrolls in full only if told so; GCC wants a number, and 16 is at least TILE_M. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* sum += what the tile starts from */
ALWAYS_INLINE void tile_add_start(const GemmTile *t, int rows, int vecs, vec sum[TILE_M][TILE_V])
{
    const real *c = t->c, *row_bias = t->row_bias, *col_bias = t->col_bias;
    ptrdiff_t c_row = t->c_row;
    if (t->add)
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vecs; v++)
                sum[i][v] += vec_load(c + i * c_row + v * VEC);
    else if (row_bias)
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vecs; v++)
                sum[i][v] += row_bias[i];
    else if (col_bias)
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vecs; v++)
                sum[i][v] += vec_load(col_bias + v * VEC);
}

/* C is prefetched before the sum and needed after it: it comes while the sum is computed. */
ALWAYS_INLINE void tile_run(const GemmTile *t, int rows, int vecs)
{
    vec sum[TILE_M][TILE_V];
    const real *a[TILE_M], *b = t->b;
    UNROLL for (int i = 0; i < rows; i++) {
        a[i] = t->a[i];
        UNROLL for (int v = 0; v < vecs; v++) {
            sum[i][v] = (vec){0};
            __builtin_prefetch(t->c + i * t->c_row + v * VEC, 1);
        }
    }
    ptrdiff_t at = 0, a_step = t->a_step, b_step = t->b_step;
    for (ptrdiff_t left = t->steps; left > 0; left -= t->run, at += t->skip)
        for (ptrdiff_t k = 0; k < t->run; k++, at += a_step, b += b_step) {
            vec bk[TILE_V];
            UNROLL for (int v = 0; v < vecs; v++)
                bk[v] = vec_load(b + v * VEC);
            UNROLL for (int i = 0; i < rows; i++)
                UNROLL for (int v = 0; v < vecs; v++)
                    sum[i][v] += a[i][at] * bk[v];
        }
    tile_add_start(t, rows, vecs, sum);
    real *c = t->c;
    ptrdiff_t c_row = t->c_row;
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < vecs; v++)
            vec_store(c + i * c_row + v * VEC, sum[i][v]);
}

/* --- one function a height ---------------------------------------------------------------------- */

#define TILE_HEIGHT(rows)                                     \
    static void tile_run_##rows(const GemmTile *t, int vecs)  \
    {                                                         \
        if (vecs == 1)                                        \
            tile_run(t, rows, 1);                             \
        else if (vecs == 2 || TILE_V == 2)                    \
            tile_run(t, rows, 2);                             \
        else if (vecs == 3)                                   \
            tile_run(t, rows, TILE_V < 3 ? TILE_V : 3);       \
        else                                                  \
            tile_run(t, rows, TILE_V);                        \
    }
TILE_HEIGHT(1) TILE_HEIGHT(2) TILE_HEIGHT(3) TILE_HEIGHT(4) TILE_HEIGHT(5) TILE_HEIGHT(6)
#if TILE_M == 12
TILE_HEIGHT(7) TILE_HEIGHT(8) TILE_HEIGHT(9) TILE_HEIGHT(10) TILE_HEIGHT(11) TILE_HEIGHT(12)
#endif

static void (*const tile_of_height[TILE_M + 1])(const GemmTile *, int) = {
    NULL, tile_run_1, tile_run_2, tile_run_3, tile_run_4, tile_run_5, tile_run_6,
#if TILE_M == 12
    tile_run_7, tile_run_8, tile_run_9, tile_run_10, tile_run_11, tile_run_12,
#endif
};

/* --- tiles that stick out of C ------------------------------------------------------------------ */

/* Columns that are no whole vectors go through a copy. */
static void tile_edge(const GemmTile *t, int rows, int cols, int vecs)
{
    _Alignas(VEC_BYTES) real whole[TILE_M * TILE_N], bias[TILE_N];
    GemmTile copy = *t;
    copy.c = whole, copy.c_row = vecs * VEC;
    size_t bytes = (size_t)cols * sizeof(real);
    memset(bias, 0, sizeof bias);
    if (t->col_bias)
        memcpy(bias, t->col_bias, bytes), copy.col_bias = bias;
    memset(whole, 0, t->add ? (size_t)rows * (size_t)copy.c_row * sizeof(real) : 0);
    for (int i = 0; t->add && i < rows; i++)
        memcpy(whole + i * copy.c_row, t->c + i * t->c_row, bytes);
    tile_of_height[rows](&copy, vecs);
    for (int i = 0; i < rows; i++)
        memcpy(t->c + i * t->c_row, whole + i * copy.c_row, bytes);
}

void tensor_gemm_micro_kernel(const GemmTile *t, int rows, int cols)
{
    int vecs = (cols + VEC - 1) / VEC;
    if (cols == vecs * VEC)
        tile_of_height[rows](t, vecs);
    else
        tile_edge(t, rows, cols, vecs);
}
