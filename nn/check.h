/* nn/check.h -- functions that the files of nn/ and optim/ share; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_CHECK_H
#define SLOPE_NN_CHECK_H

#include "nn/state.h"

/* Fails, naming `function`, if m is NULL. */
void slope_module_check(const Module *m, const char *function);

bool slope_module_is_batch_norm(const Module *m);

/* A piece of a state, called `name`, that records which parameters of m are frozen. */
void slope_freeze_walk(State *s, const char *name, Module *m);

#endif
