/* log ------------------------------------------------------- y = ln x
 *   shape     y (...) = x (...)
 *   backward  gx = gy / x
 *
 * SPDX-License-Identifier: MIT
 */
#include <tgmath.h>

#include "autograd/op.h"
#include "tensor/map.h"

static inline real log_value(real x) { return log(x); }
MAP1(log_map, log_value)

static void log_forward(Var *y)
{
    log_map(y->value, y->in[0]->value);
}

static void log_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_div(gy, x));
}

static Var *log_sample(Var **in) { return var_log(in[0]); }

const Op op_log = {
    .name = "log",
    .forward = log_forward,
    .backward = log_backward,
    .sample = {.call = log_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.5, .high = 3}}},
};

Var *var_log(Var *x)
{
    return var_apply_like(&op_log, x);
}
