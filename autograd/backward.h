/* autograd/backward.h -- gradients: the tape played backwards, once.
 *
 *  - var_backward(loss) adds d loss/d leaf to ->grad of every leaf that loss depends on. Gradients
 *    accumulate over calls; optimizer_zero_grad (or var_zero_grad) clears them.
 *  - var_grad returns gradients as Vars and leaves every ->grad alone. With CREATE_GRAPH they are
 *    recorded on the tape as functions of the inputs and can be differentiated again.
 *  - Both fail, naming the Var, if a value that the forward pass used has been written to since.
 *  - autograd/products.h has the products of a Hessian or a Jacobian with a vector.
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

SLOPE_C_BEGIN

typedef enum GradMode { GRAD_ONLY, CREATE_GRAPH } GradMode;

/* y must have exactly one element; the sweep starts from dy/dy = 1. */
void var_backward(Var *y);

/* The same for y of any shape: gy, of y's shape, is the gradient to start from. */
void var_backward_with(Var *y, Var *gy);

/* grads[i] = dy/dx[i], a Var on the tape, or NULL if y does not depend on x[i]. */
void var_grad(Var *y, Var *const *x, int n, GradMode mode, Var **grads);
void var_grad_with(Var *y, Var *gy, Var *const *x, int n, GradMode mode, Var **grads);

SLOPE_C_END

#endif
