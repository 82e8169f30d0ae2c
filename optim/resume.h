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
    History  history; /* the file's, until loading exchanges it with the trainer's */
} Resume;

/* A StateWalk: the whole state of a trainer. The caller frees what it leaves in the Resume. */
void slope_resume_walk(State *s, void *resume);

#endif
