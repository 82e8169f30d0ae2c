/* optim/resume.h -- what a training checkpoint holds; not for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_RESUME_H
#define SLOPE_OPTIM_RESUME_H

#include "nn/state.h"
#include "optim/trainer.h"

/* What a walk saves, or loads into. */
typedef struct Resume {
    Trainer *t;
    Trainer  read; /* a copy of *t, into which the checking pass reads the file's values */
} Resume;

/* A StateWalk: the whole state of a trainer. When loading, .read starts without a history and
 * without best weights, and the caller frees those that are there after the walk. */
void slope_resume_walk(State *s, void *resume);

#endif
