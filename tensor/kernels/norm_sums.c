/* tensor/kernels/norm_sums.c -- the sums of batch normalisation, for the channels of a block.
 *
 * A few terms at a time are added up as `real`, and their sums as double: a float to which many
 * terms are added loses the small ones, and converting every term would take longer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/norm_sums.h"

#include "tensor/cut.h"
#include "tensor/kernels/vec.h"

enum { NORM_FEW = 8 };

/* Inlining leaves one version of each function for the forward pass, where g is NULL, and one for
 * the backward pass. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* As many doubles as a vec has elements. */
typedef double NormVec __attribute__((vector_size(VEC * sizeof(double))));

/* Sums of d and d^2 or, if there is a g, of g and g d, where d = x - shift: of vectors from one
 * channel, or of vectors whose elements belong to neighbouring channels. */
typedef struct NormSum {
    NormVec first, product;
} NormSum;

/* Adds a few vectors that are `step` apart. */
ALWAYS_INLINE void norm_add_few(NormSum *sum, const real *x, const real *g, ptrdiff_t count,
                                ptrdiff_t step, vec shift)
{
    vec first = {0}, product = {0};
    for (ptrdiff_t k = 0; k < count; k++) {
        vec d = vec_load(x + k * step) - shift, f = g ? vec_load(g + k * step) : d;
        first += f;
        product += f * d;
    }
    sum->first += __builtin_convertvector(first, NormVec);
    sum->product += __builtin_convertvector(product, NormVec);
}

/* The same for any number of vectors. */
ALWAYS_INLINE void norm_add_vecs(NormSum *sum, const real *x, const real *g, ptrdiff_t count,
                                 ptrdiff_t step, vec shift)
{
    ptrdiff_t i = 0;
    for (; i + NORM_FEW <= count; i += NORM_FEW)
        norm_add_few(sum, x + i * step, g ? g + i * step : NULL, NORM_FEW, step, shift);
    if (i < count)
        norm_add_few(sum, x + i * step, g ? g + i * step : NULL, count - i, step, shift);
}

/* The sum of the elements, in four chains of additions. */
static inline double norm_total(const NormVec *v)
{
    double chain[4] = {0};
    for (int k = 0; k < VEC; k++)
        chain[k % 4] += (*v)[k];
    return (chain[0] + chain[1]) + (chain[2] + chain[3]);
}

/* Adds elements of one channel that are `step` apart. */
ALWAYS_INLINE void norm_add_elements(double *first, double *product, const real *x, const real *g,
                                     ptrdiff_t count, ptrdiff_t step, real shift)
{
    for (ptrdiff_t i = 0; i < count; i += NORM_FEW) {
        real few_first = 0, few_product = 0;
        for (ptrdiff_t k = i; k < count && k < i + NORM_FEW; k++) {
            real d = x[k * step] - shift, f = g ? g[k * step] : d;
            few_first += f;
            few_product += f * d;
        }
        *first += (double)few_first;
        *product += (double)few_product;
    }
}

/* Sums a channel whose planes are `next` apart: whole vectors along each plane or, if a plane has
 * few, from plane to plane; then the elements after the last whole vector, from plane to plane. */
ALWAYS_INLINE void norm_sum_plane(double *first, double *product, const real *x, const real *g,
                                  ptrdiff_t rows, ptrdiff_t inner, ptrdiff_t next, real shift)
{
    ptrdiff_t whole = inner / VEC * VEC, end = rows * next;
    bool few = whole < NORM_FEW * VEC;
    double f = 0, fd = 0;
    NormSum sum = {0};
    for (ptrdiff_t i = 0; i < whole && few; i += VEC)
        norm_add_vecs(&sum, x + i, g ? g + i : NULL, rows, next, vec_all(shift));
    for (ptrdiff_t o = 0; o < end && !few; o += next)
        norm_add_vecs(&sum, x + o, g ? g + o : NULL, whole / VEC, VEC, vec_all(shift));
    for (ptrdiff_t i = whole; i < inner; i++)
        norm_add_elements(&f, &fd, x + i, g ? g + i : NULL, rows, next, shift);
    *first = norm_total(&sum.first) + f;
    *product = norm_total(&sum.product) + fd;
}

/* Adds a few rows of n >= VEC neighbouring channels. The last vector may overlap with the one
 * before it. */
ALWAYS_INLINE void norm_add_rows(NormSum *sum, const real *x, const real *g, ptrdiff_t count,
                                 ptrdiff_t next, ptrdiff_t n, const real *shift)
{
    for (ptrdiff_t i = 0; i < n; i += VEC) {
        ptrdiff_t c = min_size(i, n - VEC);
        norm_add_few(&sum[i / VEC], x + c, g ? g + c : NULL, count, next, vec_load(shift + c));
    }
}

ALWAYS_INLINE void norm_sum_rows(double *first, double *product, const real *x, const real *g,
                                 ptrdiff_t rows, ptrdiff_t n, ptrdiff_t next, const real *shift)
{
    NormSum sum[NORM_SUMS / VEC] = {0};
    ptrdiff_t i = 0;
    for (; i + NORM_FEW <= rows; i += NORM_FEW)
        norm_add_rows(sum, x + i * next, g ? g + i * next : NULL, NORM_FEW, next, n, shift);
    if (i < rows)
        norm_add_rows(sum, x + i * next, g ? g + i * next : NULL, rows - i, next, n, shift);
    for (i = 0; i < n; i += VEC)
        for (ptrdiff_t k = 0, c = min_size(i, n - VEC); k < VEC; k++) {
            first[c + k] = sum[i / VEC].first[k];
            product[c + k] = sum[i / VEC].product[k];
        }
}

/* A row of fewer channels than a vector has elements is treated as planes of one element. */
ALWAYS_INLINE void norm_sums_of(double *first, double *product, const real *x, const real *g,
                                AxisView v, ptrdiff_t next, const real *shift)
{
    if (v.inner == 1 && v.n >= VEC) {
        norm_sum_rows(first, product, x, g, v.outer, v.n, next, shift);
        return;
    }
    for (ptrdiff_t c = 0; c < v.n; c++)
        norm_sum_plane(first + c, product + c, x + c * v.inner, g ? g + c * v.inner : NULL, v.outer,
                       v.inner, next, shift[c]);
}

void tensor_norm_sums(double *first, double *product, const real *x, const real *g, AxisView v,
                      ptrdiff_t next, const real *shift)
{
    if (g)
        norm_sums_of(first, product, x, g, v, next, shift);
    else
        norm_sums_of(first, product, x, NULL, v, next, shift);
}
