/* autograd/backward.h -- gradients: the tape played backwards, once.
 *
 *  - var_backward(loss) adds d loss/d leaf to ->grad of every leaf that loss depends on.
 *    Gradients add up over calls; optimizer_zero_grad (or var_zero_grad) starts afresh.
 *  - var_grad returns gradients as Vars and touches no ->grad. With CREATE_GRAPH they are
 *    themselves on the tape as functions of the inputs and can be differentiated again.
 *  - Both fail, naming the Var, if a value that the forward used has been written since.
 *
 *      Var *g[1], *gg[1];
 *      var_grad(y, VARS(x), CREATE_GRAPH, g);
 *      var_grad(var_sum(g[0], ALL_AXES, false), VARS(x), GRAD_ONLY, gg);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_BACKWARD_H
#define SLOPE_AUTOGRAD_BACKWARD_H

#include "autograd/op.h"
#include "autograd/tape.h"
#include "autograd/var.h"

typedef enum GradMode { GRAD_ONLY, CREATE_GRAPH } GradMode;

/* y has one element; its own gradient is 1. */
void var_backward(Var *y);

/* gy: the gradient of what comes after y, of y's shape. */
void var_backward_with(Var *y, Var *gy);

/* grads[i] = dy/dx[i], on the tape, or NULL where y does not depend on x[i]. */
void var_grad(Var *y, Var *const *x, int n, GradMode mode, Var **grads);
void var_grad_with(Var *y, Var *gy, Var *const *x, int n, GradMode mode, Var **grads);

#endif
