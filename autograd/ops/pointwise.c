/* autograd/ops/pointwise.c -- the page of derivatives: elementwise ops, value beside gradient.
 *
 * An entry gives a name, the value in C, the gradient for each input as an expression of Vars, the
 * range from which the tests draw the inputs, and where the derivative jumps:
 *
 *      UNARY     (NAME,  value in x,        gradient for x,             range,  kink)
 *      UNARY_WITH(NAME,  value in x and c,  gradient for x,             range,  kink,  sample's c)
 *      BINARY    (NAME,  value in a and b,  gradients for a and for b,  range,  kink)
 *
 * y is the result and gy its gradient, so mul(gy, y) for exp means gx = gy e^x. A short name such
 * as mul stands for var_mul; the list is below. The macros are defined in autograd/pointwise.h.
 *
 * relu has a file of its own, which writes out what such an entry expands to. where and prelu have
 * theirs because an entry cannot express them.
 *
 * SPDX-License-Identifier: MIT
 */
#define POINTWISE_DECLARE(...) /* autograd/ops.def declares every op of this page */
#include "autograd/pointwise.h"

#define ONE         var_scalar(1)
#define add(a, b)   var_add(a, b)
#define sub(a, b)   var_sub(a, b)
#define mul(a, b)   var_mul(a, b)
#define div(a, b)   var_div(a, b)
#define neg(x)      var_neg(x)
#define scale(x, c) var_scale(x, (real)(c))
#define square(x)   var_square(x)
#define sign(x)     pointwise_sign(x)
#define zeros(x)    var_full(var_shape(x), 0)

/* --- helpers ---------------------------------------------------------------------------------- */

/* The sign of each element, -1, 0 or 1, as a constant. */
static Var *pointwise_sign(Var *x)
{
    Var *s = var_empty(var_shape(x));
    tensor_sign(s->value, x->value);
    return s;
}

/* 1 / (1 + e^-x), computed from e^-|x|, which cannot overflow. */
static inline real pointwise_logistic(real x)
{
    real e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

/* a's share of the gradient: 0 if a is the smaller, 1/2 if the two are equal, else 1. So if either
 * is NaN, both receive gy, as in PyTorch. */
static inline real pointwise_share_value(real a, real b)
{
    return a < b ? 0 : a == b ? (real)0.5 : 1;
}

MAP2(pointwise_share_map, pointwise_share_value)

/* gy times the share of `larger`. The 0 is selected, not multiplied in, because Inf * 0 would be
 * NaN. */
static Var *pointwise_share(Var *gy, Var *larger, Var *smaller)
{
    Var *share = var_empty(var_shape(gy));
    pointwise_share_map(share->value, larger->value, smaller->value);
    return var_where(share, mul(gy, share), var_scalar(0));
}

/* --- arithmetic ------------------------------------------------------------------------------- */

BINARY(add, a + b, gy,         gy,                      IN(-2, 2),  SMOOTH)
BINARY(sub, a - b, gy,         neg(gy),                 IN(-2, 2),  SMOOTH)
BINARY(mul, a * b, mul(gy, b), mul(gy, a),              IN(-2, 2),  SMOOTH)
BINARY(div, a / b, div(gy, b), neg(div(mul(gy, y), b)), OFF(.5, 2), SMOOTH)
UNARY (neg, -x,    neg(gy),                             IN(-2, 2),  SMOOTH)

/* Where a and b are equal, each gets half of the gradient. A NaN in a is returned because of
 * "a != a", a NaN in b because the comparison with it is false. */
BINARY(maximum, a > b || a != a ? a : b, pointwise_share(gy, a, b), pointwise_share(gy, b, a),
       IN(-2, 2), ORDER_OF_A_B)
BINARY(minimum, a < b || a != a ? a : b, pointwise_share(gy, b, a), pointwise_share(gy, a, b),
       IN(-2, 2), ORDER_OF_A_B)

/* --- powers, exponentials, logarithms --------------------------------------------------------- */

UNARY (sqrt,  sqrt(x),  div(gy, scale(y, 2)), IN(.5, 3),  SMOOTH)
UNARY (exp,   exp(x),   mul(gy, y),           IN(-2, 2),  SMOOTH)
UNARY (expm1, expm1(x), mul(gy, var_exp(x)),  IN(-2, 2),  SMOOTH)
UNARY (log,   log(x),   div(gy, x),           IN(.5, 3),  SMOOTH)
UNARY (log1p, log1p(x), div(gy, add(x, ONE)), IN(-.5, 2), SMOOTH)

/* For c = 0 the formula would give 0 * Inf at x = 0. For x < 0 the value is NaN unless c is an
 * integer. */
UNARY_WITH(pow, pow(x, c), c == 0 ? zeros(x) : mul(gy, scale(var_pow(x, c - 1), c)),
           IN(.5, 2), SMOOTH, 2.5)

/* --- sine, cosine, error function ------------------------------------------------------------- */

UNARY (sin, sin(x), mul(gy, var_cos(x)),      IN(-2, 2), SMOOTH)
UNARY (cos, cos(x), neg(mul(gy, var_sin(x))), IN(-2, 2), SMOOTH)

/* The derivative is 2 / sqrt(pi) e^(-x^2). */
UNARY (erf, erf(x), mul(gy, scale(var_exp(neg(square(x))), M_2_SQRTPI)), IN(-2, 2), SMOOTH)

/* --- activations ------------------------------------------------------------------------------ */

UNARY (tanh,    tanh(x),               mul(gy, sub(ONE, square(y))), IN(-2, 2),  SMOOTH)
UNARY (sigmoid, pointwise_logistic(x), mul(gy, mul(y, sub(ONE, y))), IN(-2, 2),  SMOOTH)
UNARY (abs,     fabs(x),               mul(gy, sign(x)),             OFF(.1, 2), SIGN_OF_X)

/* log(1 + e^x), computed from e^-|x|, which cannot overflow. */
UNARY (softplus, (x > 0 ? x : 0) + log1p(exp(-fabs(x))), mul(gy, var_sigmoid(x)), IN(-2, 2), SMOOTH)

/* The sign of x selects the branch; that of y cannot, because for c < 0 y is positive on both
 * sides. Source: Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic
 * models", 2013. */
UNARY_WITH(leaky_relu, x > 0 ? x : c * x, var_where(var_is_positive(x), gy, scale(gy, c)),
           OFF(.1, 2), SIGN_OF_X, .2)

/* --- losses ----------------------------------------------------------------------------------- */

/* log(1 + e^a) - a b for a logit a and a target b; 0 where an infinite logit agrees with b. */
static inline real pointwise_logistic_loss(real a, real b)
{
    real wrong = (a > 0) - b; /* the class that a predicts, minus the target */
    return (wrong == 0 ? 0 : a * wrong) + log1p(exp(-fabs(a)));
}

/* -b log sigmoid(a) - (1 - b) log sigmoid(-a), computed from e^-|a|, which cannot overflow. */
BINARY(logistic_loss, pointwise_logistic_loss(a, b), mul(gy, sub(var_sigmoid(a), b)),
       neg(mul(gy, a)), IN(-2, 2), SMOOTH)

/* New entries go above this line. */
#undef ONE
#undef add
#undef sub
#undef mul
#undef div
#undef neg
#undef scale
#undef square
#undef sign
#undef zeros
