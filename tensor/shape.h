/* tensor/shape.h -- the sizes of a tensor's axes, passed by value.
 *
 *  - Up to 8 axes. No axis at all is a scalar (one element); a size of 0 is legal.
 *  - SHAPE(2, 3) is a matrix of 2 rows and 3 columns; SHAPE_SCALAR has no axis.
 *  - Axes count from 0; a negative axis counts from the end (-1 is the last).
 *  - Broadcasting is NumPy's: align at the right, a size of 1 (or a missing axis) stretches.
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

enum { MAX_DIMS = 8 };

typedef struct Shape {
    int       ndim;
    ptrdiff_t dim[MAX_DIMS];
} Shape;

#define SHAPE(...)                                                                  \
    shape_new((int)(sizeof((ptrdiff_t[]){__VA_ARGS__}) / sizeof(ptrdiff_t)),        \
              (const ptrdiff_t[]){__VA_ARGS__})
#define SHAPE_SCALAR ((Shape){0})

/* A list of axes for reductions: AXES(0, -1), or ALL_AXES. */
typedef struct Axes {
    int n; /* -1: all */
    int axis[MAX_DIMS];
} Axes;

#define AXES(...)                                                                   \
    ((Axes){.n = (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), .axis = {__VA_ARGS__}})
#define ALL_AXES ((Axes){.n = -1})

/* Builds a shape; fails for more than MAX_DIMS axes, a negative size, or more elements than
 * memory could hold. */
Shape shape_new(int ndim, const ptrdiff_t *dim);

/* The same, where one size may be -1: it becomes what `count` elements leave for it. Fails in the
 * name of `function` if that is no whole number. */
Shape shape_infer(ptrdiff_t count, int ndim, const ptrdiff_t *dim, const char *function);

/* Would shape_new take it? True of all it made; a Shape filled by hand may be impossible. */
bool shape_is_possible(Shape s);

/* The number of elements; 1 for a scalar. */
ptrdiff_t shape_count(Shape s);

bool shape_equal(Shape a, Shape b);

/* Writes the shape two operands broadcast to; false if they do not fit. Fails, as shape_new does,
 * for more elements than memory could hold: (2^40, 1) with (1, 2^40). */
bool shape_broadcast(Shape a, Shape b, Shape *out);

/* Does `from` stretch to exactly `to`? */
bool shape_stretches_to(Shape from, Shape to);

/* The axis as a number from 0 to ndim - 1; fails in the name of `function` otherwise. */
int shape_axis(Shape s, int axis, const char *function);

/* The axes as a bit mask; fails for an axis out of range or named twice. */
unsigned shape_axes(Shape s, Axes axes, const char *function);

/* The shape after reducing the axes in the mask: they become 1 (keepdim) or vanish. */
Shape shape_reduce(Shape s, unsigned mask, bool keepdim);

/* For x (N,C,...): the shape (C,1,...) that broadcasts along the channels, and all axes but
 * theirs. */
Shape shape_channels(Shape x);
Axes shape_all_but_channels(Shape x);

/* A shape seen as (outer, n, inner), n being the size of the axis of interest: the channels of a
 * PReLU, the classes of a softmax. */
typedef struct AxisView {
    ptrdiff_t outer, n, inner;
} AxisView;
AxisView shape_axis_view(Shape s, int axis);

/* The offset of element number i, counted in row-major order, over axes of these strides. */
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

/* "(2, 3)", as Python prints a tuple. SHAPE_TEXT makes a text that lives to the end of the
 * enclosing block, for messages. */
enum { SHAPE_TEXT_SIZE = 192 };
const char *shape_text(Shape s, char text[SHAPE_TEXT_SIZE]);
#define SHAPE_TEXT(s) shape_text((s), (char[SHAPE_TEXT_SIZE]){0})

#endif
