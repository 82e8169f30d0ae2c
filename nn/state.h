/* nn/state.h -- a state that is kept in a file, described once and walked three times.
 *
 *  - A walk names every piece of a state. In the saving pass the pieces are gathered into a list,
 *    in the checking pass compared with a file's, in the loading pass filled in: what is saved,
 *    what is demanded and what is loaded cannot come apart.
 *  - Loading is strict and all or nothing: the checking pass changes nothing, and the file must
 *    hold exactly what the walk names.
 *
 *      static void run_walk(State *s, void *ctx)
 *      {
 *          Run *run = ctx;
 *          state_module(s, "model", run->net, STATE_WITH_RNGS);
 *          state_int(s, "run.step", &run->step, 0, INT64_MAX);
 *      }
 *
 *      Safetensors *list = state_gather(run_walk, &run);
 *      if (!state_restore(list, "run", run_walk, &other, &err)) …
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_STATE_H
#define SLOPE_NN_STATE_H

#include "nn/module.h"
#include "tensor/files/safetensors.h"

typedef enum StatePass { STATE_SAVING, STATE_CHECKING, STATE_LOADING } StatePass;

typedef struct State {
    StatePass    pass;
    Safetensors *list;  /* being gathered, or the file's */
    bool        *known; /* checking: which of the file's tensors were named */
    Error       *err;
    bool         ok;    /* checking: so far the file fits */
} State;

typedef void (*StateWalk)(State *s, void *ctx);

/* What the walk names, as a list that you free. */
Safetensors *state_gather(StateWalk walk, void *ctx);

/* Fills in what the walk names. False and *err, with nothing changed, if the file lacks a piece,
 * has one of another shape, or one more; `owner` says whose that would be: "network". */
bool state_restore(const Safetensors *file, const char *owner, StateWalk walk, void *ctx,
                   Error *err);

/* --- pieces ----------------------------------------------------------------------------------- */

/* From a file in the other precision the numbers are rounded to `real`. */
void state_tensor(State *s, const char *name, Tensor *x);

/* One that may not be there yet: *x is NULL then, on either side. */
void state_optional_tensor(State *s, const char *name, Tensor **x, Shape shape);

/* A file's number outside low … high is refused. */
void state_int(State *s, const char *name, int64_t *x, int64_t low, int64_t high);
void state_flag(State *s, const char *name, bool *x);
void state_double(State *s, const char *name, double *x);
void state_real(State *s, const char *name, real *x);
void state_rng(State *s, const char *name, Rng *rng);

/* All of a network under "prefix." (or, if it is "", under its own names). */
typedef enum StateRngs { STATE_WITHOUT_RNGS, STATE_WITH_RNGS } StateRngs;
void state_module(State *s, const char *prefix, Module *m, StateRngs rngs);

/* --- for pieces of another kind --------------------------------------------------------------- */

/* The place of the piece's numbers: to write when saving, to read otherwise. NULL, which then
 * ends the piece, if the file does not fit. */
void *state_data(State *s, const char *name, Dtype dtype, Shape shape);

/* The checking pass found what cannot be: fills in the error. */
void state_refuse(State *s, const char *problem, ...) SLOPE_PRINTF(2, 3);

#endif
