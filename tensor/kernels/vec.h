/* tensor/kernels/vec.h -- one vector register of reals, in a language extension of GCC and Clang
 * that works on every processor.
 *
 *  - A vec holds VEC reals: 16 floats with AVX-512, 8 with AVX, 4 otherwise, or half as many
 *    doubles. Arithmetic on vecs is elementwise, with plain + and *.
 *  - vec_load and vec_store accept any address, because slices are seldom aligned.
 *  - A comparison returns a vec_mask, whose elements are all ones or all zeros; vec_select chooses
 *    elements by it.
 *  - vec_sum adds the elements, and vec_transpose transposes a square of VEC vectors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_KERNELS_VEC_H
#define SLOPE_TENSOR_KERNELS_VEC_H

#include <stdint.h>

#include "tensor/real.h"

#if defined(__AVX512F__)
#define VEC_BYTES 64
#elif defined(__AVX__)
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif

enum { VEC = VEC_BYTES / (int)sizeof(real) };

typedef real vec __attribute__((vector_size(VEC_BYTES)));

/* The same type in memory: at any address, and possibly accessed as plain reals elsewhere. */
typedef real vec_anywhere __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));

#ifdef SLOPE_DOUBLE
typedef int64_t vec_mask __attribute__((vector_size(VEC_BYTES)));
#else
typedef int32_t vec_mask __attribute__((vector_size(VEC_BYTES)));
#endif

static inline vec vec_load(const real *p)
{
    return *(const vec_anywhere *)p;
}

static inline void vec_store(real *p, vec v)
{
    *(vec_anywhere *)p = v;
}

/* x in every element. */
static inline vec vec_all(real x)
{
    return x - (vec){0}; /* minus, not plus: -0 + 0 would be +0 */
}

/* a where the mask is set, otherwise b. C has no ?: for vectors, hence the bit operations. */
static inline vec vec_select(vec_mask mask, vec a, vec b)
{
    return (vec)((mask & (vec_mask)a) | (~mask & (vec_mask)b));
}

/* --- exchanging elements ---------------------------------------------------------------------- */

/* VEC_ZIP(a, b, VEC_LOWER) is a0 b0 a1 b1 … from the lower halves of a and b, and with VEC_UPPER
 * the same from their upper halves. */
#if VEC_BYTES / 4 == 16 && !defined(SLOPE_DOUBLE)
#define VEC_LOWER 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define VEC_UPPER 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif (VEC_BYTES == 64) || (VEC_BYTES == 32 && !defined(SLOPE_DOUBLE))
#define VEC_LOWER 0, 8, 1, 9, 2, 10, 3, 11
#define VEC_UPPER 4, 12, 5, 13, 6, 14, 7, 15
#elif (VEC_BYTES == 32) || !defined(SLOPE_DOUBLE)
#define VEC_LOWER 0, 4, 1, 5
#define VEC_UPPER 2, 6, 3, 7
#else
#define VEC_LOWER 0, 2
#define VEC_UPPER 1, 3
#endif

#if defined(__clang__)
#define VEC_ZIP(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define VEC_ZIP(a, b, ...) __builtin_shuffle(a, b, (vec_mask){__VA_ARGS__})
#endif

/* The sum of the elements, always in the same order: log2(VEC) times, the upper half is added to
 * the lower half. */
static inline real vec_sum(vec v)
{
    for (int step = 1; step < VEC; step *= 2)
        v = VEC_ZIP(v, v, VEC_LOWER) + VEC_ZIP(v, v, VEC_UPPER);
    return v[0];
}

/* Transposes row[VEC] in place. Zipping the first half of the rows with the second half is a
 * perfect shuffle of all VEC * VEC elements, which rotates the bits of an element's index by one.
 * After log2(VEC) shuffles the bits of the row and of the column have changed places. */
static inline void vec_transpose(vec row[VEC])
{
    vec zipped[VEC];
    for (int step = 1; step < VEC; step *= 2) {
        for (int i = 0; i < VEC / 2; i++) {
            zipped[2 * i] = VEC_ZIP(row[i], row[i + VEC / 2], VEC_LOWER);
            zipped[2 * i + 1] = VEC_ZIP(row[i], row[i + VEC / 2], VEC_UPPER);
        }
        for (int i = 0; i < VEC; i++)
            row[i] = zipped[i];
    }
}

#endif
