/* autograd/record.h -- functions that the files of autograd/ share; not for programs.
 *
 *  - tape_append creates Vars, tape_truncate releases them.
 *  - A scope is a Var on the tape that changes the recording mode until it is closed. Because it is
 *    on the tape, rewinding past it closes it, so a longjmp out of any function leaves no flag set.
 *    A kind of scope may have a function that undoes more: that of nn/module.c restores the modes
 *    of modules.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_RECORD_H
#define SLOPE_AUTOGRAD_RECORD_H

#include "autograd/tape.h"

/* A new Var at the end of the tape. All fields are zero except index, generation and n_out. */
Var *tape_append(void);

/* tape_rewind without the check of the mark. */
void tape_truncate(size_t mark);

/* Is x on this thread's tape? x must be alive. */
bool tape_holds(const Var *x);

/* Allocates a block, owned by the Var, for n_in inputs, their versions and attr_bytes bytes. */
void var_alloc_block(Var *y, int n_in, size_t attr_bytes);

/* Frees everything that a Var owns, but not the Var itself. */
void var_drop(Var *y);

/* A kind of scope, defined as a constant by the file that opens such scopes. */
struct ScopeKind {
    const char *opener;            /* what opens it, for messages */
    void (*end)(const Var *scope); /* called when it is closed or rewound; may be NULL */
    /* Called when an object that `end` might write to is about to be freed; may be NULL. */
    void (*forget)(const Var *scope, const void *object);
};

/* Open a scope; close the innermost one, which must be of this kind; return the innermost one (NULL
 * if none is open). */
Var *tape_scope_open(const ScopeKind *kind, bool records);
void tape_scope_forget(const void *object); /* calls `forget` of every open scope */
void tape_scope_close(const ScopeKind *kind, const char *function);
Var *tape_scope_innermost(void);

/* The current version of x's storage, which every write increments. */
static inline unsigned var_version(const Var *x)
{
    return atomic_load_explicit(&x->value->storage->version, memory_order_relaxed);
}

/* The version of ->grad's storage, plus 1, so that 0 means unmarked. Clearing ->grad in place
 * changes it. An optimizer stores it in grad_used when a step uses ->grad. */
static inline unsigned var_grad_mark(const Var *x)
{
    return atomic_load_explicit(&x->grad->storage->version, memory_order_relaxed) + 1;
}

/* Fails if an input or an output of y's op was written to after the op ran: y's rule may read
 * them. */
void var_check_versions(const Var *y, const char *function);

/* Fails unless x, input number i of a gradient, requires one. */
void var_check_input(const Var *x, int i, const char *function);

/* The op's name, or "parameter", "leaf", "constant". */
const char *var_origin(const Var *x);

/* Removes a parameter that is about to be freed from every unfinished pass. */
void tape_pass_forget(const Var *param);

/* The Var whose rule is running, for messages; NULL outside a backward pass. */
const Var *tape_playing(void);

bool tape_anomaly_mode(void);

#endif
