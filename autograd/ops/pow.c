/* pow ---------------------------------------------- y = x^p, p constant
 *   shape     y (...) = x (...)
 *   backward  gx = gy p x^(p-1)
 *   care      p = 0 has gradient 0 everywhere: at x = 0 the formula would give 0 * Inf.
 *             A negative x needs a whole p; otherwise the result is NaN.
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real pow_value(real x, real p) { return pow(x, p); }
MAP1C(pow_map, pow_value)

static real pow_exponent(const Var *y)
{
    return *(const real *)y->attr;
}

static void pow_forward(Var *y)
{
    pow_map(y->value, y->in[0]->value, pow_exponent(y));
}

static void pow_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    real p = pow_exponent(y);
    if (p != 0)
        SEND(x, var_mul(gy, var_scale(var_pow(x, p - 1), p)));
}

static Var *pow_sample(Var **in) { return var_pow(in[0], (real)2.5); }

const Op op_pow = {
    .name = "pow",
    .forward = pow_forward,
    .backward = pow_backward,
    .sample = {.call = pow_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.5, .high = 2}}},
};

Var *var_pow(Var *x, real p)
{
    return var_apply_with(&op_pow, var_shape(x), VARS(x), &p, sizeof p);
}
