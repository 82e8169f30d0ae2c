/* optim/best.h -- the epoch with the lowest test loss, and its weights; not for programs.
 *
 *  - trainer_fit calls begin and end, and update after each epoch.
 *  - A Snapshot is a copy of a network's parameters, buffers and counters. Between two calls of
 *    trainer_fit the two are exchanged: the network holds the best weights, and the snapshot holds
 *    the last ones, from which training continues.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_BEST_H
#define SLOPE_OPTIM_BEST_H

#include "nn/state.h"
#include "optim/trainer.h"

/* Does the trainer look for the best epoch? */
bool slope_best_wanted(const Trainer *t);

/* t->best, as the current setting of keep_best requires it. If keep_best is set, but the weights of
 * the best epoch were not kept, the search starts afresh; if it is not set, weights that were kept
 * earlier are ignored. */
BestEpoch slope_best_of(const Trainer *t);

/* Have t->patience epochs passed without a lower test loss? */
bool slope_best_is_past(const Trainer *t);

/* Called before the first epoch: gives the network its last weights back. Fails, without changing
 * anything, when out of memory, or if the network's parts have changed since the snapshot. */
void slope_best_begin(Trainer *t);

/* Called after epoch number t->epoch. Is its test loss the lowest so far? If so, and if keep_best
 * is set, its weights are copied. */
bool slope_best_update(Trainer *t, double test_loss);

/* Called after the last epoch: gives the network the best weights, if they were kept. */
void slope_best_end(Trainer *t);

/* --- snapshots -------------------------------------------------------------------------------- */

typedef struct Snapshot Snapshot;

/* A snapshot for this network, uninitialised; NULL when out of memory. */
Snapshot *slope_snapshot_try_new(const Module *net);
void slope_snapshot_free(Snapshot *copy); /* NULL is fine */

/* Do the network's parts have the kinds and shapes of the parts in the snapshot? */
bool slope_snapshot_fits(const Snapshot *copy, const Module *net);

/* A piece of a state: the snapshot. Each name is the prefix and the name of the network's part. */
void slope_snapshot_walk(State *s, const char *prefix, Snapshot *copy, const Module *net);

#endif
