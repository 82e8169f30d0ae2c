/* nn/init.h -- initial values of weights.
 *
 *  - A layer with n inputs and a PReLU of slope a multiplies the signal's mean square by
 *    n Var[w] (1 + a^2)/2. He's initialisation makes that 1:  Var[w] = 2 / ((1 + a^2) n).
 *    Source: He, Zhang, Ren, Sun, arXiv:1502.01852, equation 15.
 *  - PyTorch's default, which the layers use, is uniform in +-1/sqrt(n): Var[w] = 1/(3n).
 *  - fan_in is the number of inputs that one output sums: for a weight (out, in, ...), the
 *    product of all sizes but the first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_INIT_H
#define SLOPE_NN_INIT_H

#include "nn/module.h"
#include "tensor/random.h"

SLOPE_C_BEGIN

ptrdiff_t init_fan_in(const Var *weight);  /* fails for fewer than 2 axes */
ptrdiff_t init_fan_out(const Var *weight);

/* sqrt(2 / (1 + a^2)): sqrt 2 for ReLU, 1.3720 for a = .25, 1 for the identity. */
real init_gain(real slope);

/* weight and bias (which may be NULL) uniform in +-1/sqrt(fan_in). */
void init_default(Var *weight, Var *bias, Rng *rng);

/* He's, for an activation of the given slope: normal with std gain/sqrt(fan_in), or
 * uniform with the same variance. */
void init_he_normal(Var *weight, real slope, Rng *rng);
void init_he_uniform(Var *weight, real slope, Rng *rng);

/* Xavier's: Var[w] = 2 / (fan_in + fan_out). Source: Glorot and Bengio, 2010. */
void init_xavier_uniform(Var *weight, Rng *rng);

/* Sets the module's slopes to `slope` and its biases to 0, and fills all other parameters that have
 * two or more axes with He's (normal). The rest, such as the weight of a batch norm, keep their
 * values. */
void module_init_he(Module *m, real slope);

SLOPE_C_END

#endif
