/* optim/rehearsal.h -- what trainer_fit refuses before its first step; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_REHEARSAL_H
#define SLOPE_OPTIM_REHEARSAL_H

#include "optim/trainer.h"

/* Fails, as trainer_fit, if a field of the trainer is missing or out of range, or if what it holds
 * does not fit together. Runs the network and the loss once on one batch of each loader, in
 * evaluation mode; then the buffers, counters and random streams are restored, and the loaders
 * start again. */
void slope_rehearse(const Trainer *t);

#endif
