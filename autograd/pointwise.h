/* autograd/pointwise.h -- an elementwise op in one entry: value, derivative, sample, kink.
 *
 *  - UNARY and BINARY define a whole op: its loop over a tensor, its backward rule, the sample with
 *    which op_check calls it, op_NAME and var_NAME. UNARY_WITH does so for a function with a
 *    constant, var_NAME(x, c).
 *  - The value is a C expression in the scalars x, or a and b; the functions of <tgmath.h> (in C++,
 *    of <math.h>) may be used. The derivatives are expressions of Vars, so that a gradient can be
 *    differentiated again: gy is the gradient of the result y, and each expression is the gradient
 *    sent to one input. It is computed only if wanted, and summed over the axes along which the
 *    input was broadcast.
 *  - An entry is not followed by a semicolon.
 *  - slope.h does not include this header: it is for files that define ops, inside the tree
 *    (autograd/ops/pointwise.c) or outside it. Besides the three above, it defines the macros IN,
 *    OFF, SMOOTH, SIGN_OF_X, ORDER_OF_A_B, POINTWISE_DECLARE and POINTWISE_OP, and it includes
 *    <tgmath.h> (in C++, <math.h>).
 *
 *      #include "autograd/pointwise.h"
 *      #include "slope.h" // compile with -DSLOPE_DOUBLE: float is too coarse for differences
 *
 *      UNARY(cube, x * x * x, var_mul(gy, var_scale(var_square(x), 3)), IN(-2, 2), SMOOTH)
 *
 *      int main(void)
 *      {
 *          puts(op_check(&op_cube, GRADCHECK_DEFAULTS).message);
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_POINTWISE_H
#define SLOPE_AUTOGRAD_POINTWISE_H

#include <math.h>
#ifndef __cplusplus /* in C++, <math.h> has sqrt, exp ... for both float and double */
#include <tgmath.h>
#endif

#include "autograd/op.h"
#include "tensor/map.h"

/* --- the range from which a sample is drawn --------------------------------------------------- */

/* Uniform in from ... to; or of either sign with from <= |x| <= to, which avoids a kink or a pole
 * at 0. */
#define IN(from, to)  (real)(from), (real)(to), false
#define OFF(from, to) (real)(from), (real)(to), true

/* --- where the derivative jumps --------------------------------------------------------------- */

#define SMOOTH       NULL               /* nowhere */
#define SIGN_OF_X    op_branch_by_sign  /* where x changes sign */
#define ORDER_OF_A_B op_branch_by_order /* where the order of a and b changes */

/* --- where an op is declared ------------------------------------------------------------------ */

/* By its entry; or, if a file has first defined this macro as empty, by a header. Then an entry
 * that the header does not declare fails to compile. */
#ifndef POINTWISE_DECLARE
#define POINTWISE_DECLARE(...) __VA_ARGS__
#endif

/* --- entries ---------------------------------------------------------------------------------- */

/* y = value(x), of x's shape. */
#define UNARY(NAME, VALUE, GRADIENT, RANGE, KINK)                                              \
    static inline real NAME##_value(real x) { return (void)x, VALUE; }                         \
    MAP1(NAME##_map, NAME##_value)                                                             \
    static void NAME##_forward(Var *y) { NAME##_map(y->value, y->in[0]->value); }              \
    static void NAME##_backward(Var *y, Var *gy)                                               \
    {                                                                                          \
        Var *x = y->in[0];                                                                     \
        (void)gy;                                                                              \
        SEND(x, GRADIENT);                                                                     \
    }                                                                                          \
    POINTWISE_DECLARE(Var *var_##NAME(Var *x);)                                                \
    static Var *NAME##_sample(Var **in) { return var_##NAME(in[0]); }                          \
    POINTWISE_OP(NAME, KINK, 1, {{{2, {2, 3}}, RANGE}})                                        \
    Var *var_##NAME(Var *x)                                                                    \
    {                                                                                          \
        var_check(x, "var_" #NAME);                                                            \
        return var_apply_like(&op_##NAME, x);                                                  \
    }

/* y = value(x, c), of x's shape, where c is a constant; the sample uses c = SAMPLE_C. */
#define UNARY_WITH(NAME, VALUE, GRADIENT, RANGE, KINK, SAMPLE_C)                               \
    static inline real NAME##_value(real x, real c) { return (void)x, (void)c, VALUE; }        \
    MAP1C(NAME##_map, NAME##_value)                                                            \
    static void NAME##_forward(Var *y)                                                         \
    {                                                                                          \
        NAME##_map(y->value, y->in[0]->value, *(const real *)y->attr);                         \
    }                                                                                          \
    static void NAME##_backward(Var *y, Var *gy)                                               \
    {                                                                                          \
        Var *x = y->in[0];                                                                     \
        real c = *(const real *)y->attr;                                                       \
        (void)c, (void)gy;                                                                     \
        SEND(x, GRADIENT);                                                                     \
    }                                                                                          \
    POINTWISE_DECLARE(Var *var_##NAME(Var *x, real c);)                                        \
    static Var *NAME##_sample(Var **in) { return var_##NAME(in[0], (real)(SAMPLE_C)); }        \
    POINTWISE_OP(NAME, KINK, 1, {{{2, {2, 3}}, RANGE}})                                        \
    Var *var_##NAME(Var *x, real c)                                                            \
    {                                                                                          \
        var_check(x, "var_" #NAME);                                                            \
        return var_apply_with(&op_##NAME, var_shape(x), VARS(x), &c, sizeof c);                \
    }

/* y = value(a, b), of the shape to which a and b broadcast. */
#define BINARY(NAME, VALUE, GRADIENT_A, GRADIENT_B, RANGE, KINK)                               \
    static inline real NAME##_value(real a, real b) { return (void)a, (void)b, VALUE; }        \
    MAP2(NAME##_map, NAME##_value)                                                             \
    static void NAME##_forward(Var *y)                                                         \
    {                                                                                          \
        NAME##_map(y->value, y->in[0]->value, y->in[1]->value);                                \
    }                                                                                          \
    static void NAME##_backward(Var *y, Var *gy)                                               \
    {                                                                                          \
        Var *a = y->in[0], *b = y->in[1];                                                      \
        (void)gy;                                                                              \
        SEND(a, GRADIENT_A);                                                                   \
        SEND(b, GRADIENT_B);                                                                   \
    }                                                                                          \
    POINTWISE_DECLARE(Var *var_##NAME(Var *a, Var *b);)                                        \
    static Var *NAME##_sample(Var **in) { return var_##NAME(in[0], in[1]); }                   \
    POINTWISE_OP(NAME, KINK, 2, {{{2, {2, 3}}, RANGE}, {{1, {3}}, RANGE}})                     \
    Var *var_##NAME(Var *a, Var *b)                                                            \
    {                                                                                          \
        return var_apply(&op_##NAME, var_broadcast(a, b, "var_" #NAME), VARS(a, b));           \
    }

/* What the three share. The sample's inputs come last because they contain commas. C++17 has no
 * designated initialisers, so the values are in the order of the fields of Op and OpSample. */
#define POINTWISE_OP(NAME, KINK, N_IN, ...)                                                    \
    POINTWISE_DECLARE(extern const Op op_##NAME;)                                              \
    const Op op_##NAME = {                                                                     \
        #NAME, NAME##_forward, /* view */ NULL, NAME##_backward, /* backward_all */ NULL,      \
        KINK, /* once */ false, {NAME##_sample, N_IN, __VA_ARGS__, /* any_shape */ true},      \
    };

#endif
