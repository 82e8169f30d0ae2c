/* A fast matrix product: the solution that scores all points.
 *
 * KC rows and NC columns of B are packed at a time, then MC rows of A. Both become micro-panels in
 * the order in which the micro-kernel reads them, filled up with zeros to whole micro-tiles. So
 * there is one micro-kernel for every size; only what it writes to C is cut off at the edges.
 *
 * SPDX-License-Identifier: MIT
 */
#include "matmul.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/kernels/vec.h"

/* The micro-tile has MR rows of NV vectors. Its MR NV sums, a row of B and an element of A fit into
 * the 16 or 32 vector registers. */
#if VEC_BYTES == 64
enum { MR = 8, NV = 3 };
#elif VEC_BYTES == 32
enum { MR = 6, NV = 2 };
#else
enum { MR = 4, NV = 2 };
#endif
enum { NR = NV * VEC };

/* A micro-panel of B, KC x NR, stays in the first-level cache; the packed rows of A, MC x KC, in
 * the second-level cache. MC is a multiple of MR, and NC of NR. */
enum { KC = 256, MC = 96, NC = 384 };

static ptrdiff_t least(ptrdiff_t x, ptrdiff_t y)
{
    return x < y ? x : y;
}

/* --- packing ---------------------------------------------------------------------------------- */

/* panel[k][j] = B[k][j] for K rows and n <= NR columns of B, whose rows are N apart. */
static inline void pack_b_panel(real *panel, const real *B, ptrdiff_t N, ptrdiff_t K, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < K; k++, panel += NR, B += N)
        for (ptrdiff_t j = 0; j < NR; j++)
            panel[j] = j < n ? B[j] : 0;
}

/* panel[k][i] = A[i][k] for m <= MR rows and K columns of A, whose rows are `row` apart. */
static inline void pack_a_panel(real *panel, const real *A, ptrdiff_t row, ptrdiff_t m,
                                ptrdiff_t K)
{
    for (ptrdiff_t k = 0; k < K; k++, panel += MR)
        for (ptrdiff_t i = 0; i < MR; i++)
            panel[i] = i < m ? A[i * row + k] : 0;
}

/* One micro-panel after another. Where all are whole, which is usual, the compiler knows n. */
static void pack_b(real *panel, const real *B, ptrdiff_t N, ptrdiff_t K, ptrdiff_t n)
{
    for (; n >= NR; n -= NR, B += NR, panel += NR * K)
        pack_b_panel(panel, B, N, K, NR);
    if (n > 0)
        pack_b_panel(panel, B, N, K, n);
}

static void pack_a(real *panel, const real *A, ptrdiff_t row, ptrdiff_t m, ptrdiff_t K)
{
    for (; m >= MR; m -= MR, A += MR * row, panel += MR * K)
        pack_a_panel(panel, A, row, MR, K);
    if (m > 0)
        pack_a_panel(panel, A, row, m, K);
}

/* --- the micro-kernel ------------------------------------------------------------------------- */

/* tile[i][j] = the sum over k of a[k][i] b[k][j]; rows of the tile are `row` apart. Adds to what
 * the tile holds, unless these are the first terms. */
static inline void micro_kernel(real *tile, ptrdiff_t row, const real *a, const real *b,
                                ptrdiff_t K, bool first)
{
    vec sum[MR][NV] = {{{0}}};
    for (ptrdiff_t k = 0; k < K; k++, a += MR, b += NR) {
        vec b_row[NV];
        for (int v = 0; v < NV; v++)
            b_row[v] = vec_load(b + v * VEC);
        for (int i = 0; i < MR; i++)
            for (int v = 0; v < NV; v++)
                sum[i][v] += a[i] * b_row[v];
    }
    for (int i = 0; i < MR; i++)
        for (int v = 0; v < NV; v++) {
            real *at = tile + i * row + v * VEC;
            vec_store(at, first ? sum[i][v] : vec_load(at) + sum[i][v]);
        }
}

/* A micro-tile of which only m x n elements lie in C: computed beside C. */
static void micro_kernel_edge(real *C, ptrdiff_t N, const real *a, const real *b, ptrdiff_t K,
                              bool first, ptrdiff_t m, ptrdiff_t n)
{
    real tile[MR * NR];
    micro_kernel(tile, NR, a, b, K, true);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            C[i * N + j] = (first ? 0 : C[i * N + j]) + tile[i * NR + j];
}

/* All micro-tiles of a block of C, m x n. */
static void macro_kernel(real *C, ptrdiff_t N, const real *a, const real *b, ptrdiff_t m,
                         ptrdiff_t n, ptrdiff_t K, bool first)
{
    for (ptrdiff_t j = 0; j < n; j += NR)
        for (ptrdiff_t i = 0; i < m; i += MR) {
            real *at = C + i * N + j;
            if (i + MR <= m && j + NR <= n)
                micro_kernel(at, N, a + i * K, b + j * K, K, first);
            else
                micro_kernel_edge(at, N, a + i * K, b + j * K, K, first, least(MR, m - i),
                                  least(NR, n - j));
        }
}

/* --- the product ------------------------------------------------------------------------------ */

void matmul(real *C, const real *A, const real *B, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    if (K == 0)
        memset(C, 0, (size_t)(M * N) * sizeof(real));
    real *a = aligned_alloc(64, MC * KC * sizeof(real)); /* 64: no vector crosses a cache line */
    real *b = aligned_alloc(64, KC * NC * sizeof(real));
    if (!a || !b)
        slope_fail("matmul", "there is no memory for the packed blocks");
    for (ptrdiff_t j = 0; j < N; j += NC)
        for (ptrdiff_t k = 0; k < K; k += KC) {
            ptrdiff_t n = least(NC, N - j), terms = least(KC, K - k);
            pack_b(b, B + k * N + j, N, terms, n);
            for (ptrdiff_t i = 0; i < M; i += MC) {
                ptrdiff_t m = least(MC, M - i);
                pack_a(a, A + i * K + k, K, m, terms);
                macro_kernel(C + i * N + j, N, a, b, m, n, terms, k == 0);
            }
        }
    free(a), free(b);
}
