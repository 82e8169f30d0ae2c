/* lessons/assignments/a3_rmsprop/rmsprop.h -- what the assignment asks for; do not change it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_RMSPROP_H
#define SLOPE_LESSONS_ASSIGNMENTS_RMSPROP_H

#include "slope.h"

/* The settings that RMSprop declares, by their index in ParamGroup.own:
 *
 *      index              name in a checkpoint   default
 *      RMSPROP_ALPHA      alpha                  .99
 *      RMSPROP_CENTERED   centered               0; anything else turns centring on
 *
 * The others are fields of ParamGroup: lr, eps, weight_decay and momentum. */
enum { RMSPROP_ALPHA, RMSPROP_CENTERED };

/* The state of a parameter, by the index of its slot:
 *
 *      slot            what                                      needed
 *      RMSPROP_V       v, the running mean of g^2                always
 *      RMSPROP_BUFFER  b, the buffer of momentum                 if momentum is not 0
 *      RMSPROP_MEAN    m, the running mean of g                  if centring is on
 *
 * The library allocates slots 0 to needs - 1, so centring needs three slots, with momentum or
 * without. */
enum { RMSPROP_V, RMSPROP_BUFFER, RMSPROP_MEAN };

/* The rule, as PyTorch defines it [torch.optim.RMSprop; Hinton 2012; Graves 2013 for centring]:
 *
 *      g <- g + weight_decay theta
 *      v <- alpha v + (1 - alpha) g^2
 *      m <- alpha m + (1 - alpha) g                            if centred
 *      d =  g / (sqrt(v) + eps)
 *      d =  g / (sqrt(max(v - m^2, 0)) + eps)                  if centred
 *      b <- momentum b + d,  and then d = b                    if momentum is not 0
 *      theta <- theta - lr d
 *
 * v, m and b start at 0. Its name is "RMSprop". */
extern const OptimizerType rmsprop_type;

/* An optimizer of all of net's parameters in one group, with eps 1e-8, alpha .99, and everything
 * else 0 except lr. Fails, naming rmsprop_new, if lr is negative or not finite. */
Optimizer *rmsprop_new(Module *net, real lr);

#endif
