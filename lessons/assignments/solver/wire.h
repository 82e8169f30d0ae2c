/* lessons/assignments/solver/wire.h -- the messages between the judge and the solver.
 *
 *  - A message is a text, some numbers and some tensors. In a call the text names a service of the
 *    solver; in an answer it is empty, or says what was refused.
 *  - A tensor arrives with the strides that it was sent with, so that a submission can be tested
 *    on any layout.
 *  - The reader trusts nothing: a message that is too long, or whose tensor would reach outside its
 *    own elements, is not read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_SOLVER_WIRE_H
#define SLOPE_LESSONS_ASSIGNMENTS_SOLVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/tensor.h"

enum {
    WIRE_TEXT = 1024,
    WIRE_NUMBERS = 64,
    WIRE_TENSORS = 8,
    WIRE_ELEMENTS = 1 << 22, /* of one tensor */
};

typedef struct Message {
    char    text[WIRE_TEXT];
    int     numbers, tensors;
    double  number[WIRE_NUMBERS];
    Tensor *tensor[WIRE_TENSORS]; /* references, which the message owns */
} Message;

/* Both fail if the message is full. x may be NULL, for a gradient that did not arrive. */
void message_add_number(Message *m, double x);
void message_add_tensor(Message *m, const Tensor *x);

/* Empties the message and releases its tensors. */
void message_clear(Message *m);

/* The number of elements in memory from the first to the last that x reaches. */
ptrdiff_t wire_span(const Tensor *x);

/* Moves exactly n bytes, or returns false. */
typedef bool (*WireRead)(void *ctx, void *bytes, size_t n);
typedef bool (*WireWrite)(void *ctx, const void *bytes, size_t n);

/* wire_read reads a message into *m, which must be empty. If it returns false, it has left *m
 * empty. */
bool wire_read(WireRead read, void *ctx, Message *m);
bool wire_write(WireWrite write, void *ctx, const Message *m);

#endif
