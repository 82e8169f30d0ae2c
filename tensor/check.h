/* tensor/check.h -- checks shared by a function of tensors and its op; not for programs.
 *
 * Each fails, naming `function`, if an argument is out of range.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_CHECK_H
#define SLOPE_TENSOR_CHECK_H

#include <stdio.h>

#include "tensor/shape.h"

/* shape_check where a caller may expect that a size of -1 is inferred; the message then says which
 * function does that. */
void tensor_check_sizes(Shape s, const char *function);

/* The arguments of the views of a tensor of shape x. A check of an axis returns it as a number from
 * 0 to ndim - 1; permute's returns the whole order in this form. */
void tensor_check_reshape(Shape x, Shape to, const char *function);
void tensor_check_expand(Shape x, Shape to, const char *function);
Axes tensor_check_permute(Shape x, const int *order, const char *function);
int tensor_check_slice(Shape x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step,
                       const char *function);
int tensor_check_select(Shape x, int axis, ptrdiff_t index, const char *function);

/* Ends the message about a pair of options whose second number is 0 but should not be. */
#define PAIR_HINT(zero) ((zero) ? "; in C, {2} means {2, 0}: give the height and the width" : "")

/* " 'fc.weight'", or "" for the empty name: what follows the word "weight" in a message. The
 * string is valid until the end of the enclosing block. */
enum { TENSOR_QUOTED_SIZE = 128 };
static inline const char *tensor_quoted(const char *name, char text[TENSOR_QUOTED_SIZE])
{
    if (name[0])
        snprintf(text, TENSOR_QUOTED_SIZE, " '%s'", name);
    return text;
}
#define QUOTED(name) tensor_quoted((name), (char[TENSOR_QUOTED_SIZE]){0})

#endif
