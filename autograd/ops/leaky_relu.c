/* leaky_relu ------------------------------- y = x if x > 0, else slope x
 *   shape     y (...) = x (...)
 *   backward  gx = gy where x > 0, else slope gy
 *   care      decided by x, not by y: with a slope <= 0 the sign of y says nothing
 *   source    Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network
 *             acoustic models", 2013
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/op.h"
#include "tensor/map.h"

static inline real leaky_relu_value(real x, real slope) { return x > 0 ? x : slope * x; }
MAP1C(leaky_relu_map, leaky_relu_value)

static real leaky_relu_slope(const Var *y)
{
    return *(const real *)y->attr;
}

static void leaky_relu_forward(Var *y)
{
    leaky_relu_map(y->value, y->in[0]->value, leaky_relu_slope(y));
}

static void leaky_relu_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_where(var_is_positive(x), gy, var_scale(gy, leaky_relu_slope(y))));
}

static Var *leaky_relu_sample(Var **in) { return var_leaky_relu(in[0], (real)0.2); }

const Op op_leaky_relu = {
    .name = "leaky_relu",
    .forward = leaky_relu_forward,
    .backward = leaky_relu_backward,
    .branch_hash = op_branch_of_input,
    .sample = {.call = leaky_relu_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.1, .high = 2, .both_signs = true}}},
};

Var *var_leaky_relu(Var *x, real slope)
{
    return var_apply_with(&op_leaky_relu, var_shape(x), VARS(x), &slope, sizeof slope);
}
