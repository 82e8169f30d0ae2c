/* optim/rehearsal.h -- what trainer_fit refuses before its first step; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_REHEARSAL_H
#define SLOPE_OPTIM_REHEARSAL_H

#include "optim/trainer.h"

/* Fails, in the name of trainer_fit, if a field of the trainer is missing or out of range, or if
 * its parts do not fit together. Runs the network and the loss once on one batch of each loader, in
 * evaluation mode, then restores the buffers, counters and random streams and restarts the
 * loaders. */
void slope_rehearse(const Trainer *t);

#endif
