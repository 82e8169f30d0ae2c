/* tensor/shape.h -- the sizes of a tensor's axes, passed by value.
 *
 *  - A shape has up to 8 axes. Without axes it is a scalar (one element); a size of 0 is legal.
 *  - SHAPE(2, 3) is a matrix of 2 rows and 3 columns; SHAPE_SCALAR has no axes.
 *  - Axes are numbered from 0; negative axes count from the end (-1 is the last).
 *  - Broadcasting follows NumPy: shapes are aligned at the right, and an axis that has size 1 or is
 *    missing stretches.
 *
 * Letters in comments: N batch, C channels, H W height and width, D features, K classes,
 * R S kernel height and width, M N K the sizes of a matrix product.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_SHAPE_H
#define SLOPE_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/language.h"

SLOPE_C_BEGIN

enum { MAX_DIMS = 8 };

typedef struct Shape {
    int       ndim;
    ptrdiff_t dim[MAX_DIMS];
} Shape;

#define SHAPE(...) \
    shape_new(SLOPE_COUNT(ptrdiff_t, __VA_ARGS__), SLOPE_LIST(ptrdiff_t, __VA_ARGS__))
#define SHAPE_SCALAR (SLOPE_STRUCT(Shape){0, {0}})

/* A list of axes for reductions: AXES(0, -1), or ALL_AXES. */
typedef struct Axes {
    int n; /* -1: all */
    int axis[MAX_DIMS];
} Axes;

#define AXES(...) (SLOPE_STRUCT(Axes){SLOPE_COUNT(int, __VA_ARGS__), {__VA_ARGS__}})
#define ALL_AXES  (SLOPE_STRUCT(Axes){-1, {0}})

/* Builds a shape; fails for more than MAX_DIMS axes, a negative size, or more elements than
 * memory could hold. */
Shape shape_new(int ndim, const ptrdiff_t *dim);

/* Fails, naming `function`, unless shape_new would accept s. A Shape that was computed or filled in
 * by hand may be invalid. */
void shape_check(Shape s, const char *function);

/* The same, but one size may be -1: it is inferred from `count`, the number of elements. Fails,
 * naming `function`, if the other sizes do not divide count. */
Shape shape_infer(ptrdiff_t count, int ndim, const ptrdiff_t *dim, const char *function);

/* True if shape_new would accept s. */
bool shape_is_possible(Shape s);

/* The number of elements; 1 for a scalar. */
ptrdiff_t shape_count(Shape s);

bool shape_equal(Shape a, Shape b);

/* Writes to *out the shape that a and b broadcast to; returns false if they do not fit. Fails,
 * naming `function`, if it has more elements than memory could hold, as for (2^40, 1) with
 * (1, 2^40). */
bool shape_broadcast(Shape a, Shape b, Shape *out, const char *function);

/* True if `from` stretches to exactly `to`. */
bool shape_stretches_to(Shape from, Shape to);

/* The axis as a number from 0 to ndim - 1. Fails, naming `function`, if it is out of range. */
int shape_axis(Shape s, int axis, const char *function);

/* The axes as a bit mask; fails if an axis is out of range or named twice. */
unsigned shape_axes(Shape s, Axes axes, const char *function);

/* The shape after reducing the axes in the mask: their sizes become 1 (keepdim) or they are
 * dropped. */
Shape shape_reduce(Shape s, unsigned mask, bool keepdim);

/* For x (N,C,...): the shape (C,1,...), which broadcasts along the channels, and the list of all
 * other axes. */
Shape shape_channels(Shape x);
Axes shape_all_but_channels(Shape x);

/* A shape viewed as (outer, n, inner), where n is the size of the axis of interest, such as the
 * channels of a PReLU or the classes of a softmax. */
typedef struct AxisView {
    ptrdiff_t outer, n, inner;
} AxisView;
AxisView shape_axis_view(Shape s, int axis);

/* The offset of element i, counted in row-major order, over axes with these strides. */
static inline ptrdiff_t stride_locate(int ndim, const ptrdiff_t *dim, const ptrdiff_t *stride,
                                      ptrdiff_t i)
{
    ptrdiff_t offset = 0;
    for (int d = ndim - 1; d >= 0; d--) {
        offset += i % dim[d] * stride[d];
        i /= dim[d];
    }
    return offset;
}

/* "(2, 3)", as Python prints a tuple. SHAPE_TEXT, for messages, returns a string that is valid
 * until the end of the enclosing block (in C++, of the full expression). */
enum { SHAPE_TEXT_SIZE = 192 };
const char *shape_text(Shape s, char text[SHAPE_TEXT_SIZE]);
#define SHAPE_TEXT(s) shape_text((s), SLOPE_TEXT(SHAPE_TEXT_SIZE))

SLOPE_C_END

#endif
