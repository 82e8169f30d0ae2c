/* tensor/kernels/gemm_micro_kernel.c -- the micro-kernel, once for each size of micro-tile.
 *
 * The loops over the rows and vectors of a micro-tile have constant bounds wherever they are
 * compiled, so that the compiler unrolls them and keeps the sums in registers. For this reason
 * micro_kernel_run is inlined into one function per number of rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm_micro_kernel.h"

#include <string.h>

/* Clang must be asked to unroll in full; GCC expects a limit, and 16 is at least GEMM_MR. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Adds the values that the micro-tile starts from to its sums. */
ALWAYS_INLINE void micro_kernel_add_start(const MicroTile *t, int rows, int vecs,
                                          vec sum[GEMM_MR][GEMM_NV])
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

/* C is needed only after the sums, but prefetched before them, so that it arrives in the
 * meantime. */
ALWAYS_INLINE void micro_kernel_run(const MicroTile *t, int rows, int vecs)
{
    vec sum[GEMM_MR][GEMM_NV];
    const real *a[GEMM_MR], *b = t->b;
    UNROLL for (int i = 0; i < rows; i++) {
        a[i] = t->a[i];
        UNROLL for (int v = 0; v < vecs; v++) {
            sum[i][v] = (vec){0};
            __builtin_prefetch(t->c + i * t->c_row + v * VEC, 1);
        }
    }
    ptrdiff_t at = 0, a_col = t->a_col, b_row = t->b_row;
    for (ptrdiff_t left = t->K; left > 0; left -= t->run, at += t->skip)
        for (ptrdiff_t k = 0; k < t->run; k++, at += a_col, b += b_row) {
            vec bk[GEMM_NV];
            UNROLL for (int v = 0; v < vecs; v++)
                bk[v] = vec_load(b + v * VEC);
            UNROLL for (int i = 0; i < rows; i++)
                UNROLL for (int v = 0; v < vecs; v++)
                    sum[i][v] += a[i][at] * bk[v];
        }
    micro_kernel_add_start(t, rows, vecs, sum);
    real *c = t->c;
    ptrdiff_t c_row = t->c_row;
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < vecs; v++)
            vec_store(c + i * c_row + v * VEC, sum[i][v]);
}

/* --- one function per number of rows ---------------------------------------------------------- */

#define MICRO_KERNEL(rows)                                           \
    static void micro_kernel_##rows(const MicroTile *t, int vecs)    \
    {                                                                \
        if (vecs == 1)                                               \
            micro_kernel_run(t, rows, 1);                            \
        else if (vecs == 2 || GEMM_NV == 2)                          \
            micro_kernel_run(t, rows, 2);                            \
        else if (vecs == 3)                                          \
            micro_kernel_run(t, rows, GEMM_NV < 3 ? GEMM_NV : 3);    \
        else                                                         \
            micro_kernel_run(t, rows, GEMM_NV);                      \
    }
MICRO_KERNEL(1) MICRO_KERNEL(2) MICRO_KERNEL(3) MICRO_KERNEL(4) MICRO_KERNEL(5) MICRO_KERNEL(6)
#if GEMM_MR == 12
MICRO_KERNEL(7) MICRO_KERNEL(8) MICRO_KERNEL(9) MICRO_KERNEL(10) MICRO_KERNEL(11) MICRO_KERNEL(12)
#endif

static void (*const micro_kernel_of_rows[GEMM_MR + 1])(const MicroTile *, int) = {
    NULL, micro_kernel_1, micro_kernel_2, micro_kernel_3, micro_kernel_4, micro_kernel_5,
    micro_kernel_6,
#if GEMM_MR == 12
    micro_kernel_7, micro_kernel_8, micro_kernel_9, micro_kernel_10, micro_kernel_11,
    micro_kernel_12,
#endif
};

/* --- the right edge of C ---------------------------------------------------------------------- */

/* If the columns are not whole vectors, C and col_bias are handled through temporary copies. */
static void micro_kernel_edge(const MicroTile *t, int rows, int cols, int vecs)
{
    _Alignas(VEC_BYTES) real whole[GEMM_MR * GEMM_NR], bias[GEMM_NR];
    MicroTile copy = *t;
    copy.c = whole, copy.c_row = vecs * VEC;
    size_t bytes = (size_t)cols * sizeof(real);
    memset(bias, 0, sizeof bias);
    if (t->col_bias)
        memcpy(bias, t->col_bias, bytes), copy.col_bias = bias;
    memset(whole, 0, t->add ? (size_t)rows * (size_t)copy.c_row * sizeof(real) : 0);
    for (int i = 0; t->add && i < rows; i++)
        memcpy(whole + i * copy.c_row, t->c + i * t->c_row, bytes);
    micro_kernel_of_rows[rows](&copy, vecs);
    for (int i = 0; i < rows; i++)
        memcpy(t->c + i * t->c_row, whole + i * copy.c_row, bytes);
}

void tensor_gemm_micro_kernel(const MicroTile *t, int rows, int cols)
{
    int vecs = (cols + VEC - 1) / VEC;
    if (cols == vecs * VEC)
        micro_kernel_of_rows[rows](t, vecs);
    else
        micro_kernel_edge(t, rows, cols, vecs);
}
