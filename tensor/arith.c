/* tensor/arith.c -- the few elementwise kernels that are needed without a tape.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/map.h"

#include <math.h>

static inline real arith_same(real a) { return a; }
static inline real arith_constant(real a, real c) { return (void)a, c; }
static inline real arith_add(real a, real b) { return a + b; }
static inline real arith_scale(real a, real c) { return a * c; }
static inline real arith_greater(real a, real b) { return (real)(a > b); }
static inline real arith_equal(real a, real b) { return (real)(a == b); }
static inline real arith_sign(real a) { return isnan(a) ? a : (real)((a > 0) - (a < 0)); }

MAP1(arith_copy_map, arith_same)
MAP1C(arith_fill_map, arith_constant)
MAP2(arith_add_map, arith_add)
MAP1C(arith_scale_map, arith_scale)
MAP2(arith_greater_map, arith_greater)
MAP2(arith_equal_map, arith_equal)
MAP1(arith_sign_map, arith_sign)

void tensor_fill(Tensor *out, real value)
{
    arith_fill_map(out, out, value);
}

void tensor_copy(Tensor *out, const Tensor *x)
{
    arith_copy_map(out, x);
}

void tensor_add(Tensor *out, const Tensor *a, const Tensor *b)
{
    arith_add_map(out, a, b);
}

void tensor_scale(Tensor *out, const Tensor *x, real c)
{
    arith_scale_map(out, x, c);
}

void tensor_greater(Tensor *out, const Tensor *a, const Tensor *b)
{
    arith_greater_map(out, a, b);
}

void tensor_equal_to(Tensor *out, const Tensor *a, const Tensor *b)
{
    arith_equal_map(out, a, b);
}

void tensor_sign(Tensor *out, const Tensor *x)
{
    arith_sign_map(out, x);
}
