/* tensor/shape.c -- sizes of axes: building, broadcasting, naming axes, printing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/shape.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tensor/check.h"
#include "tensor/error.h"

/* Memory holds fewer elements than this, of any type, so this limit keeps offsets from
 * overflowing. */
#define SHAPE_MAX_COUNT (PTRDIFF_MAX / 16)

Shape shape_new(int ndim, const ptrdiff_t *dim)
{
    Shape s = {.ndim = ndim};
    for (int i = 0; i < ndim && i < MAX_DIMS; i++)
        s.dim[i] = dim[i];
    tensor_check_sizes(s, "shape_new");
    return s;
}

void tensor_check_sizes(Shape s, const char *function)
{
    for (int i = 0; i < s.ndim && i < MAX_DIMS; i++)
        if (s.dim[i] == -1)
            slope_fail(function, "axis %d has size -1; expected 0 or more; shape_infer builds a "
                       "shape in which one size is inferred", i);
    shape_check(s, function);
}

void shape_check(Shape s, const char *function)
{
    if (s.ndim < 0 || s.ndim > MAX_DIMS)
        slope_fail(function, "a shape has 0 to %d axes, not %d", MAX_DIMS, s.ndim);
    ptrdiff_t count = 1;
    for (int i = 0; i < s.ndim; i++) {
        if (s.dim[i] < 0)
            slope_fail(function, "axis %d has size %td; expected 0 or more", i, s.dim[i]);
        if (s.dim[i] > 0 && count > SHAPE_MAX_COUNT / s.dim[i])
            slope_fail(function, "the sizes multiply to more elements than memory can hold "
                       "(axis %d has size %td)", i, s.dim[i]);
        count *= s.dim[i] ? s.dim[i] : 1;
    }
}

Shape shape_infer(ptrdiff_t count, int ndim, const ptrdiff_t *dim, const char *function)
{
    if (ndim < 0 || ndim > MAX_DIMS)
        slope_fail(function, "a shape has 0 to %d axes, not %d", MAX_DIMS, ndim);
    Shape s = {.ndim = ndim};
    int hole = -1;
    for (int i = 0; i < ndim; i++) {
        s.dim[i] = dim[i] == -1 ? 1 : dim[i];
        if (dim[i] == -1 && hole >= 0)
            slope_fail(function, "only one size may be -1, but axes %d and %d are", hole, i);
        if (dim[i] == -1)
            hole = i;
    }
    shape_check(s, function); /* fails if the others are invalid */
    ptrdiff_t known = shape_count(s);
    if (hole >= 0 && (known == 0 || count % known))
        slope_fail(function, "%td elements are not a multiple of %td, the product of the other "
                   "sizes, so axis %d cannot be inferred", count, known, hole);
    if (hole >= 0)
        s.dim[hole] = count / known;
    shape_check(s, function);
    return s;
}

bool shape_is_possible(Shape s)
{
    ptrdiff_t count = 1;
    for (int i = 0; i < s.ndim && i < MAX_DIMS; i++) {
        if (s.dim[i] < 0 || (s.dim[i] > 0 && count > SHAPE_MAX_COUNT / s.dim[i]))
            return false;
        count *= s.dim[i] ? s.dim[i] : 1;
    }
    return s.ndim >= 0 && s.ndim <= MAX_DIMS;
}

ptrdiff_t shape_count(Shape s)
{
    ptrdiff_t count = 1;
    for (int i = 0; i < s.ndim; i++)
        count *= s.dim[i];
    return count;
}

bool shape_equal(Shape a, Shape b)
{
    if (a.ndim != b.ndim)
        return false;
    for (int i = 0; i < a.ndim; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

/* The size of axis i counted from the right; 1 if s has no such axis. */
static ptrdiff_t shape_from_right(Shape s, int i)
{
    return i < s.ndim ? s.dim[s.ndim - 1 - i] : 1;
}

/* shape_broadcast without the check of the number of elements. */
static bool shape_align(Shape a, Shape b, Shape *out)
{
    Shape s = {.ndim = a.ndim > b.ndim ? a.ndim : b.ndim};
    for (int i = 0; i < s.ndim; i++) {
        ptrdiff_t p = shape_from_right(a, i), q = shape_from_right(b, i);
        if (p != q && p != 1 && q != 1)
            return false;
        s.dim[s.ndim - 1 - i] = p == 1 ? q : p;
    }
    *out = s;
    return true;
}

bool shape_broadcast(Shape a, Shape b, Shape *out, const char *function)
{
    bool fits = shape_align(a, b, out);
    if (fits)
        shape_check(*out, function);
    return fits;
}

bool shape_stretches_to(Shape from, Shape to)
{
    Shape both;
    return shape_align(from, to, &both) && shape_equal(both, to);
}

int shape_axis(Shape s, int axis, const char *function)
{
    int i = axis < 0 ? axis + s.ndim : axis;
    if (i < 0 || i >= s.ndim)
        slope_fail(function, "axis %d does not exist in shape %s, which has %d axes", axis,
                   SHAPE_TEXT(s), s.ndim);
    return i;
}

unsigned shape_axes(Shape s, Axes axes, const char *function)
{
    unsigned mask = 0;
    if (axes.n > MAX_DIMS)
        slope_fail(function, "%d axes are named; a shape has at most %d", axes.n, MAX_DIMS);
    for (int i = 0; i < axes.n; i++) {
        unsigned bit = 1u << shape_axis(s, axes.axis[i], function);
        if (mask & bit)
            slope_fail(function, "axis %d is named twice", axes.axis[i]);
        mask |= bit;
    }
    return axes.n < 0 ? (1u << s.ndim) - 1 : mask;
}

Shape shape_reduce(Shape s, unsigned mask, bool keepdim)
{
    Shape r = {0};
    for (int i = 0; i < s.ndim; i++) {
        bool reduced = mask >> i & 1;
        if (!reduced || keepdim)
            r.dim[r.ndim++] = reduced ? 1 : s.dim[i];
    }
    return r;
}

Shape shape_channels(Shape x)
{
    Shape s = {.ndim = x.ndim - 1, .dim = {x.dim[1]}};
    for (int i = 1; i < s.ndim; i++)
        s.dim[i] = 1;
    return s;
}

Axes shape_all_but_channels(Shape x)
{
    Axes axes = {0};
    for (int i = 0; i < x.ndim; i++)
        if (i != 1)
            axes.axis[axes.n++] = i;
    return axes;
}

AxisView shape_axis_view(Shape s, int axis)
{
    AxisView v = {.outer = 1, .n = s.dim[axis], .inner = 1};
    for (int i = 0; i < axis; i++)
        v.outer *= s.dim[i];
    for (int i = axis + 1; i < s.ndim; i++)
        v.inner *= s.dim[i];
    return v;
}

const char *shape_text(Shape s, char text[SHAPE_TEXT_SIZE])
{
    int n = snprintf(text, SHAPE_TEXT_SIZE, "(");
    for (int i = 0; i < s.ndim && i < MAX_DIMS; i++)
        n += snprintf(text + n, SHAPE_TEXT_SIZE - (size_t)n, i ? ", %td" : "%td", s.dim[i]);
    snprintf(text + n, SHAPE_TEXT_SIZE - (size_t)n, s.ndim == 1 ? ",)" : ")");
    return text;
}
