/* lessons/assignments/a6_rrelu/rrelu.h -- what the assignment asks for. Do not change this file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_RRELU_H
#define SLOPE_LESSONS_ASSIGNMENTS_RRELU_H

#include "slope.h"

extern const Op op_rrelu;

/* y = x if x > 0, else a x, with a slope a for each element. Element i of x, counted in row-major
 * order, has the slope a = lower + (upper - lower) u, where u is the number that rng_uniform makes
 * from the word at position rng.position + i. Slopes are constants: no gradient flows into them.
 * Needs lower <= upper. [Xu et al. 2015] */
Var *var_rrelu(Var *x, real lower, real upper, Rng rng);

/* A module without parameters. In training it applies var_rrelu with a random stream of its own: a
 * part of kind PART_RNG with the name "rng", which is set to random_stream() when the module is
 * created. Each forward pass in training advances it by as many words as x has elements. In
 * evaluation every slope is (lower + upper) / 2, and the stream does not advance. Fails unless
 * lower <= upper and both are finite. */
Module *rrelu_new(real lower, real upper);

/* PyTorch's defaults: rrelu_new(RRELU_LOWER, RRELU_UPPER). */
#define RRELU_LOWER ((real)1 / 8)
#define RRELU_UPPER ((real)1 / 3)

#endif
