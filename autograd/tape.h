/* autograd/tape.h -- the record of what was computed, and its owner.
 *
 *  - Every op appends its result to this thread's tape (the Wengert list). A result comes after
 *    its inputs, so playing the tape backwards visits every Var after everything that used it.
 *  - tape_rewind(mark) releases everything recorded since mark. Parameters are not on the tape.
 *  - After a failure (slope_on_fail, longjmp) tape_rewind(mark) does all the cleanup: it also
 *    closes the scopes opened since the mark (no_grad_begin, module_eval_begin) and abandons an
 *    unfinished backward pass.
 *  - A pointer to a Var that was rewound must not be used. Using it fails with a message until at
 *    least 512 newer Vars have been created (65,536 in a debug build); after that, the pointer may
 *    read another Var.
 *  - Two threads have two tapes and can train two models. Only the thread that created a Var may
 *    compute with it; others may read its value. A parameter may be used by any thread, but by only
 *    one at a time. A thread's tape is freed when the thread ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_AUTOGRAD_TAPE_H
#define SLOPE_AUTOGRAD_TAPE_H

#include "autograd/var.h"

SLOPE_C_BEGIN

/* The tape's current length. */
size_t tape_mark(void);

/* Frees everything recorded since the mark; fails if the mark is beyond the tape's end. */
void tape_rewind(size_t mark);

/* The Var at an index (0 … tape_mark()-1). */
Var *tape_at(size_t index);

/* --- scopes ----------------------------------------------------------------------------------- */

/* Between the two calls, no result requires a gradient. Scopes nest. */
void no_grad_begin(void);
void no_grad_end(void);
bool grad_enabled(void);

/* Anomaly mode: fails, naming the op, when finite inputs first produce NaN or Inf, forward or
 * backward. No rule is fused. Slow, because every result is read once more. */
void anomaly_mode(bool on);

SLOPE_C_END

#endif
