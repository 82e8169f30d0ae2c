/* optim/rehearsal.h -- what trainer_fit refuses before its first step; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_REHEARSAL_H
#define SLOPE_OPTIM_REHEARSAL_H

#include "optim/trainer.h"

/* Fails if the trainer is NULL or lacks its network, its optimizer or its training data. */
void slope_check_trainer(const Trainer *t, const char *function);

/* Fails unless the output for the batch has shape (B,K), a row of K class scores per example. */
void slope_check_scores(const Var *output, const Batch *batch, const char *function);

/* Fails, in the name of trainer_fit, if a field of the trainer is missing or out of range, or if
 * its parts do not fit together. To find out, unless no epochs are left, it runs the network and
 * the loss on the first batch of each loader: of .test in evaluation mode and without gradients, of
 * .train as in training, but without a backward pass or an update. Afterwards, or when the tape is
 * rewound past a failure, the modes, buffers, counters and random streams are restored, and so is
 * the thread's next random stream; the loaders restart at epoch 0. */
void slope_rehearse(const Trainer *t);

#endif
