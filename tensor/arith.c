/* tensor/arith.c -- the few elementwise kernels that are needed without a tape.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/map.h"

#include <math.h>

static inline real arith_same(real a) { return a; }
static inline real arith_add(real a, real b) { return a + b; }
static inline real arith_scale(real a, real c) { return a * c; }
static inline real arith_greater(real a, real b) { return (real)(a > b); }
static inline real arith_equal(real a, real b) { return (real)(a == b); }
static inline real arith_sign(real a) { return isnan(a) ? a : (real)((a > 0) - (a < 0)); }

MAP_KERNEL1(, tensor_copy, arith_same)
MAP_KERNEL2(, tensor_add, arith_add)
MAP_KERNEL1C(, tensor_scale, arith_scale)
MAP_KERNEL2(, tensor_greater, arith_greater)
MAP_KERNEL2(, tensor_equal_to, arith_equal)
MAP_KERNEL1(, tensor_sign, arith_sign)

static void arith_fill_row(const MapRow *r)
{
    const ptrdiff_t n = r->n;
    const real c = r->c;
    real *y = r->y;
    if (r->y_step == 1)
        MAP_STORE(1, c)
    else
        MAP_STORE(r->y_step, c)
}

void tensor_fill(Tensor *out, real value)
{
    tensor_map(arith_fill_row, value, out, 0, NULL, "tensor_fill");
}
