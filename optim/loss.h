/* optim/loss.h -- how wrong a prediction is, for the training loop.
 *
 *  - A LossFn takes the network's output for a batch and the batch, and returns a Var of one
 *    element. What the output is compared with is in the batch.
 *  - For losses between tensors see var_mse, for cross-entropy with options var_cross_entropy_with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_LOSS_H
#define SLOPE_OPTIM_LOSS_H

#include "autograd/backward.h"
#include "datasets/loader.h"

typedef Var *(*LossFn)(Var *output, const Batch *batch);

/* The mean cross-entropy of logits (N,K) and the batch's labels; PyTorch's CrossEntropyLoss. */
Var *loss_cross_entropy(Var *logits, const Batch *batch);

/* The number of rows of logits (N,K) whose largest element is at the label. */
ptrdiff_t labels_correct(const Tensor *logits, const Labels *labels);

#endif
