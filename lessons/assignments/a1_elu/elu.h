/* lessons/assignments/a1_elu/elu.h -- what the assignment asks for. Do not change this file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_ELU_H
#define SLOPE_LESSONS_ASSIGNMENTS_ELU_H

#include "slope.h"

extern const Op op_elu, op_selu;

/* y = x if x > 0, else alpha (e^x - 1); alpha is any constant. [Clevert et al. 2016] */
Var *var_elu(Var *x, real alpha);

/* y = lambda elu(x; alpha) with the two constants of [Klambauer et al. 2017]. */
Var *var_selu(Var *x);

/* An entry of autograd/pointwise.h would write most of the op. */
#undef POINTWISE_DECLARE
#define POINTWISE_DECLARE(...)                                                              \
    _Static_assert(0, "This assignment asks for an op written by hand, as in lesson 16 and in " \
                      "autograd/ops/relu.c, not for an entry of autograd/pointwise.h.");

#endif
