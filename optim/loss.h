/* optim/loss.h -- how wrong a prediction is, for the training loop.
 *
 *  - A LossFn takes the network's output for a batch and the batch, and returns a Var of one
 *    element.
 *  - loss_cross_entropy is for classes, loss_mse for real-valued targets, and loss_bce for targets
 *    that are 0 or 1, of which an example may have several. A loss of your own may compare the
 *    output with anything in the batch: the labels, the targets y or the inputs x.
 *  - For losses between tensors, see var_mse and var_bce_with_logits; for cross-entropy with
 *    options such as class weights, see var_cross_entropy_with.
 *
 *      // The output of an autoencoder should be its input. The data need no classes; if they have
 *      // some, set data->classes = 0, or the accuracy is computed, too.
 *      static Var *reconstruction(Var *output, const Batch *batch)
 *      {
 *          return var_mse(output, var_const(batch->x));
 *      }
 *
 *      // Class weights, for example if one class is rare. A LossFn has no context, so the weights
 *      // are in a static variable, which is set before training and freed afterwards:
 *      //     weights = tensor_from(SHAPE(3), (real[]){1, 1, 10}); // one per class
 *      static Tensor *weights;
 *      static Var *weighted(Var *output, const Batch *batch)
 *      {
 *          CrossEntropyOptions options = CROSS_ENTROPY_DEFAULTS;
 *          options.weight = weights;
 *          return var_cross_entropy_with(output, &batch->labels, options);
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_LOSS_H
#define SLOPE_OPTIM_LOSS_H

#include "autograd/backward.h"
#include "datasets/loader.h"

SLOPE_C_BEGIN

typedef Var *(*LossFn)(Var *output, const Batch *batch);

/* The mean cross-entropy of logits (B,K) and the batch's labels; PyTorch's CrossEntropyLoss. Fails
 * if the batch has no labels. */
Var *loss_cross_entropy(Var *logits, const Batch *batch);

/* The mean squared difference between the output and the targets y; PyTorch's MSELoss. Fails if the
 * batch has no targets, or if their shape is not that of the output: (B,1) and (B) differ. */
Var *loss_mse(Var *output, const Batch *batch);

/* The binary cross-entropy of the probabilities sigmoid(logits) and the targets y, which are from 0
 * to 1; the mean over all elements. PyTorch's BCEWithLogitsLoss. Fails as loss_mse does, and if a
 * target is not from 0 to 1. */
Var *loss_bce(Var *logits, const Batch *batch);

/* The number of rows of logits (N,K) whose largest element is at the label. */
ptrdiff_t labels_correct(const Tensor *logits, const Labels *labels);

SLOPE_C_END

#endif
