/* autograd/tape.h -- the record of what was computed, and its owner.
 *
 *  - Every op appends its result to this thread's tape (the Wengert list). A result comes after
 *    its inputs, so playing the tape backwards visits every Var after all that used it.
 *  - tape_rewind(mark) releases everything recorded since mark. Parameters are not on the tape.
 *  - After a failure (slope_on_fail, longjmp) tape_rewind(mark) is all the cleaning up: it also
 *    closes the no-grad scopes opened since the mark and abandons a half-done backward pass.
 *  - Two threads have two tapes and can train two models. A thread's tape goes with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_TAPE_H
#define SLOPE_AUTOGRAD_TAPE_H

#include "autograd/var.h"

/* The tape's length now. */
size_t tape_mark(void);

/* Frees everything recorded since the mark; fails for a mark beyond the tape's end. */
void tape_rewind(size_t mark);

/* The Var at a place (0 … tape_mark()-1). */
Var *tape_at(size_t index);

/* --- scopes ----------------------------------------------------------------------------------- */

/* Between the two, nothing is recorded for a gradient: results do not require one. Scopes nest. */
void no_grad_begin(void);
void no_grad_end(void);
bool grad_enabled(void);

/* Anomaly mode: no rule is fused, and the op whose result first holds a NaN or Inf although its
 * inputs do not fails by name, forward and backward. Slow: every result is read once more. */
void anomaly_mode(bool on);

#endif
