/* nn/state.h -- a state that is kept in a file: described once, walked three times.
 *
 *  - A walk names every piece of a state. The saving pass gathers the pieces into a list, the
 *    checking pass compares them with a file's, and the loading pass fills them in, so that what is
 *    saved, what is required and what is loaded always agree.
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
 *      Safetensors *list = state_gather(run_walk, &run, "run.safetensors", &err);
 *      if (!list || !state_restore(list, "run", run_walk, &other, &err)) …
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_STATE_H
#define SLOPE_NN_STATE_H

#include "nn/module.h"
#include "tensor/files/safetensors.h"

SLOPE_C_BEGIN

typedef enum StatePass { STATE_SAVING, STATE_CHECKING, STATE_LOADING } StatePass;

/* What is known about one of the file's tensors. */
typedef struct StateEntry {
    bool    known; /* has the walk named it? */
    Tensor *made;  /* the tensor to load it into, if the program does not have one yet */
} StateEntry;

typedef struct State {
    StatePass    pass;
    Safetensors *list;  /* being gathered, or the file's */
    StateEntry  *entry; /* one per tensor of the file; NULL when saving */
    Error       *err;
    bool         ok;    /* so far: does all of it match the file, or may it be saved? */
} State;

typedef void (*StateWalk)(State *s, void *ctx);

/* Everything that the walk names, as a list that you free, to be written to `path`. Returns NULL
 * and fills in *err when out of memory, or if a tensor contains NaN or infinity: a state that has
 * diverged must not replace a good file. Only a network's buffers may contain infinity. */
Safetensors *state_gather(StateWalk walk, void *ctx, const char *path, Error *err);

/* Fills in everything that the walk names. Returns false, fills in *err and changes nothing when
 * out of memory, or if the file lacks a piece, has one of a different shape or an extra one, or if
 * a tensor in it, other than a network's buffer, contains NaN or infinity. Messages call the owner
 * of the state `owner`, such as "network". */
bool state_restore(const Safetensors *file, const char *owner, StateWalk walk, void *ctx,
                   Error *err);

/* --- pieces ----------------------------------------------------------------------------------- */

/* Values from a file of the other precision are rounded to `real`. */
void state_tensor(State *s, const char *name, Tensor *x);

/* The same for a buffer of a network, which may contain infinity. */
void state_buffer(State *s, const char *name, Tensor *x);

/* A tensor that may not exist yet; then *x is NULL, and the file does not have it. If it is
 * `needed`, however, zeros are saved in its place, and a file that lacks it is refused. */
void state_optional_tensor(State *s, const char *name, Tensor **x, Shape shape, bool needed);

/* A value outside low … high is neither saved nor loaded. */
void state_int(State *s, const char *name, int64_t *x, int64_t low, int64_t high);
void state_flag(State *s, const char *name, bool *x);
void state_double(State *s, const char *name, double *x);
void state_real(State *s, const char *name, real *x);
void state_rng(State *s, const char *name, Rng *rng);

/* A network, with "prefix." before its names unless prefix is "": with or without its random
 * streams or, when loading, only those of its tensors and counters that the file has. */
typedef enum StateParts { STATE_WITHOUT_RNGS, STATE_WITH_RNGS, STATE_IN_FILE } StateParts;
void state_module(State *s, const char *prefix, Module *m, StateParts parts);

/* --- for other kinds of pieces ---------------------------------------------------------------- */

/* The piece's data, to write when saving and to read otherwise. NULL if the file does not
 * match; then skip the piece. */
void *state_data(State *s, const char *name, Dtype dtype, Shape shape);

/* Refuse the file in the checking pass, or the state when saving, and fill in the error; the first
 * only if `value` is not within low … high. */
void state_check_range(State *s, const char *name, int64_t value, int64_t low, int64_t high);
void state_refuse(State *s, const char *problem, ...) SLOPE_PRINTF(2, 3);

SLOPE_C_END

#endif
