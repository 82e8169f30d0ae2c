/* lessons/assignments/a5_layernorm/layernorm.h -- what the assignment asks for. Do not change this
 * file.
 *
 *  - The normalised axes are the last axes of x, and `normalised` is their shape: (4) or (3, 4) for
 *    an x of shape (2, 3, 4). It has at least one axis, and no size is 0. The elements of x that
 *    share all other indices form a *row*; x may have no rows: its shape may be (0, 4).
 *  - weight and bias have the shape `normalised`, or are both NULL.
 *  - Arguments that do not fit are refused by slope_fail, with a sentence that says what was found
 *    and what was expected.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_LAYERNORM_H
#define SLOPE_LESSONS_ASSIGNMENTS_LAYERNORM_H

#include "slope.h"

/* The op that var_layer_norm applies: its forward and its backward are loops over the rows. It
 * refuses to be differentiated twice. */
extern const Op op_layer_norm;

/* y = (x - mean) / sqrt(var + eps) weight + bias, with the mean and the variance of each row; the
 * divisor of the variance is n, the number of elements in a row. [Ba, Kiros and Hinton 2016] Fails,
 * naming both shapes, if x does not end with the axes `normalised`, or if weight or bias has
 * another shape; and fails if only one of the two is NULL. */
Var *var_layer_norm(Var *x, Shape normalised, Var *weight, Var *bias, real eps);

/* The same as a module, whose parameters "weight" (all 1) and "bias" (all 0) exist only if affine
 * is true. It computes the same in training and in evaluation. Fails if `normalised` has no axes or
 * a size of 0, and if eps is negative or NaN. Its forward fails as var_layer_norm does. */
Module *layer_norm_new(Shape normalised, real eps, bool affine);

#endif
