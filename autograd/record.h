/* autograd/record.h -- what tape.c lends to the rest of autograd/; not for programs.
 *
 *  - tape_append makes the Vars, tape_truncate takes them back.
 *  - A scope is a Var on the tape that changes the recording mode. Because it lies on the tape,
 *    rewinding past it closes it: that is how a longjmp out of anywhere leaves no flag behind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_RECORD_H
#define SLOPE_AUTOGRAD_RECORD_H

#include "autograd/tape.h"

/* A fresh Var at the end of the tape, all fields zero but name, index and generation. */
Var *tape_append(void);

/* tape_rewind for the driver: no check of the mark. */
void tape_truncate(size_t mark);

/* Room for n_in inputs, their versions and attr_bytes, owned by the Var. */
void var_make_room(Var *y, int n_in, size_t attr_bytes);

/* Releases all that a Var owns, but not the Var. */
void var_drop(Var *y);

/* Opens a scope, closes the innermost, returns the innermost (NULL: none). */
Var *tape_scope_open(ScopeKind kind, bool records);
void tape_scope_close(ScopeKind kind, const char *function);
Var *tape_scope_innermost(void);

/* The version of its storage now: every write raises it. */
static inline unsigned var_version(const Var *x)
{
    return atomic_load_explicit(&x->value->storage->version, memory_order_relaxed);
}

/* The op's name, or "parameter", "leaf", "constant". */
const char *var_origin(const Var *x);

/* Takes a parameter that is about to be freed out of every unfinished pass. */
void tape_pass_forget(const Var *param);

/* Drops the gradients under way that leaves hold for the unfinished pass of a scope. */
void tape_pass_abandon(const Var *scope);

/* The Var whose rule is running, for messages; NULL outside a backward pass. */
const Var *tape_playing(void);

bool tape_anomaly_mode(void);

#endif
