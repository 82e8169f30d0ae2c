/* nn/loss.h -- how wrong a prediction is, for the training loop.
 *
 *  - A LossFn takes the network's output and the labels of the batch and returns a Var of one
 *    element.
 *  - For losses between tensors see var_mse, for cross-entropy with options var_cross_entropy_with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_LOSS_H
#define SLOPE_NN_LOSS_H

#include "autograd/backward.h"

SLOPE_C_BEGIN

typedef Var *(*LossFn)(Var *output, const Labels *labels);

/* The mean cross-entropy of logits (N,K); PyTorch's CrossEntropyLoss. */
Var *loss_cross_entropy(Var *logits, const Labels *labels);

/* The number of rows of logits (N,K) whose largest element is at the label. */
ptrdiff_t labels_correct(const Tensor *logits, const Labels *labels);

SLOPE_C_END

#endif
