/* tensor/vec.h -- one vector register of reals, as GCC and Clang write it for every processor.
 *
 *  - vec holds VEC reals: 16 floats with AVX-512, 8 with AVX, 4 otherwise (half as many
 *    doubles). Arithmetic on vecs is element by element, with plain + and *.
 *  - vec_load and vec_store take any address; slices are seldom aligned.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_VEC_H
#define SLOPE_TENSOR_VEC_H

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

/* The same type as it may lie in memory: anywhere, and seen as plain reals by others. */
typedef real vec_anywhere __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));

static inline vec vec_load(const real *p)
{
    return *(const vec_anywhere *)p;
}

static inline void vec_store(real *p, vec v)
{
    *(vec_anywhere *)p = v;
}

#endif
