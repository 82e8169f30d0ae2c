/* tensor/tensor.c -- headers over shared storage: creating, freeing, reading, viewing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/tensor.h"

#include <string.h>

#include "tensor/check.h"
#include "tensor/memory.h"
#include "tensor/poison.h"

/* --- is it a tensor? -------------------------------------------------------------------------- */

void tensor_check(const Tensor *x, const char *function)
{
    if (!x)
        slope_fail(function, "the tensor is NULL; a gradient exists only after var_backward, for "
                   "leaves and for Vars that var_retain_grad was called on; a Var's value exists "
                   "until tape_rewind, so copy it first if it is needed later");
#ifdef SLOPE_DEBUG
    if (x->shape.ndim == (int)MEMORY_SPOILED)
        slope_fail(function, "the tensor was freed, by tensor_free or because tape_rewind freed "
                   "its Var; use tensor_ref or tensor_clone to keep what must live longer");
#endif
}

/* --- creating and freeing --------------------------------------------------------------------- */

/* NULL when out of memory. Storages start at versions that are far apart, so that a storage that
 * replaces another, perhaps at the same address, has a different version. */
static Storage *storage_try_new(size_t count)
{
    static atomic_uint next_version;
    Storage *s = memory_try_take(sizeof *s);
    real *data = s ? memory_try_take(count * sizeof *data) : NULL;
    if (!data) {
        memory_give(s, sizeof *s);
        return NULL;
    }
    s->data = data;
    s->count = count;
    atomic_init(&s->refs, 1);
    atomic_init(&s->version,
                atomic_fetch_add_explicit(&next_version, 0x9e3779b1, memory_order_relaxed));
    return s;
}

static void storage_drop(Storage *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    memory_give(s->data, s->count * sizeof(real));
    memory_give(s, sizeof *s);
}

static void tensor_set_row_major(Tensor *x)
{
    ptrdiff_t stride = 1;
    for (int i = x->shape.ndim - 1; i >= 0; i--) {
        x->stride[i] = stride;
        stride *= x->shape.dim[i];
    }
}

Tensor *tensor_try_new(Shape shape)
{
    Tensor *x = shape_is_possible(shape) ? memory_try_take(sizeof *x) : NULL;
    Storage *storage = x ? storage_try_new((size_t)shape_count(shape)) : NULL;
    if (!storage) {
        memory_give(x, sizeof *x);
        return NULL;
    }
    *x = (Tensor){.shape = shape, .storage = storage};
    tensor_set_row_major(x);
    return x;
}

/* tensor_new, but messages name the function that was called. */
static Tensor *tensor_make(Shape shape, const char *function)
{
    shape_check(shape, function); /* a Shape filled in by hand may be invalid */
    Tensor *x = tensor_try_new(shape);
    if (!x)
        slope_fail(function, "out of memory for a tensor of shape %s", SHAPE_TEXT(shape));
    return x;
}

Tensor *tensor_new(Shape shape)
{
    return tensor_make(shape, "tensor_new");
}

void tensor_free(Tensor *x)
{
    if (!x)
        return;
    tensor_check(x, "tensor_free");
    storage_drop(x->storage);
    memory_give(x, sizeof *x);
}

/* A new header over x's storage; the caller changes shape and strides to complete the view. */
static Tensor *tensor_view(const Tensor *x)
{
    Tensor *v = memory_take(sizeof *v);
    *v = *x;
    atomic_fetch_add_explicit(&x->storage->refs, 1, memory_order_relaxed);
    return v;
}

Tensor *tensor_ref(const Tensor *x)
{
    tensor_check(x, "tensor_ref");
    return tensor_view(x);
}

static Tensor *tensor_make_full(Shape shape, real value, const char *function)
{
    Tensor *x = tensor_make(shape, function);
    tensor_fill(x, value);
    return x;
}

Tensor *tensor_zeros(Shape shape)
{
    return tensor_make_full(shape, 0, "tensor_zeros");
}

Tensor *tensor_full(Shape shape, real value)
{
    return tensor_make_full(shape, value, "tensor_full");
}

Tensor *tensor_from(Shape shape, const real *values)
{
    shape_check(shape, "tensor_from");
    if (!values && shape_count(shape) > 0)
        slope_fail("tensor_from", "the values for shape %s are NULL", SHAPE_TEXT(shape));
    Tensor *x = tensor_make(shape, "tensor_from");
    if (x->storage->count)
        memcpy(x->storage->data, values, x->storage->count * sizeof(real));
    return x;
}

Tensor *tensor_scalar(real value)
{
    return tensor_full(SHAPE_SCALAR, value);
}

Tensor *tensor_arange(ptrdiff_t n)
{
    Tensor *x = tensor_make((Shape){1, {n}}, "tensor_arange");
    for (ptrdiff_t i = 0; i < n; i++)
        x->storage->data[i] = (real)i;
    return x;
}

Tensor *tensor_clone(const Tensor *x)
{
    tensor_check(x, "tensor_clone");
    Tensor *c = tensor_make(x->shape, "tensor_clone");
    tensor_copy(c, x);
    return c;
}

Tensor *tensor_contiguous(const Tensor *x)
{
    tensor_check(x, "tensor_contiguous");
    return tensor_is_contiguous(x) ? tensor_ref(x) : tensor_clone(x);
}

/* --- reading and writing ---------------------------------------------------------------------- */

ptrdiff_t tensor_count(const Tensor *x)
{
    tensor_check(x, "tensor_count");
    return shape_count(x->shape);
}

/* Axes of size 1 are never stepped along, so their stride does not matter. */
bool tensor_is_contiguous(const Tensor *x)
{
    tensor_check(x, "tensor_is_contiguous");
    ptrdiff_t stride = 1;
    for (int i = x->shape.ndim - 1; i >= 0; i--) {
        if (x->shape.dim[i] == 0)
            return true;
        if (x->shape.dim[i] > 1 && x->stride[i] != stride)
            return false;
        stride *= x->shape.dim[i];
    }
    return true;
}

bool tensor_owns_storage(const Tensor *x)
{
    tensor_check(x, "tensor_owns_storage");
    return atomic_load_explicit(&x->storage->refs, memory_order_acquire) == 1;
}

const real *tensor_read(const Tensor *x)
{
    tensor_check(x, "tensor_read");
    return x->storage->data + x->offset;
}

void tensor_check_out(const Tensor *out, const char *function)
{
    tensor_check(out, function);
    for (int i = 0; i < out->shape.ndim; i++)
        if (out->stride[i] == 0 && out->shape.dim[i] > 1 && tensor_count(out) > 0)
            slope_fail(function, "the result of shape %s is expanded along axis %d: %td elements "
                       "share one location; use tensor_contiguous first", SHAPE_TEXT(out->shape), i,
                       out->shape.dim[i]);
}

real *tensor_write(Tensor *x)
{
    tensor_check(x, "tensor_write");
    atomic_fetch_add_explicit(&x->storage->version, 1, memory_order_relaxed);
    return x->storage->data + x->offset;
}

static ptrdiff_t tensor_offset_of(const Tensor *x, const ptrdiff_t *index, const char *function)
{
    ptrdiff_t offset = 0;
    tensor_check(x, function);
    if (!index && x->shape.ndim > 0)
        slope_fail(function, "the index is NULL; expected an array of %d numbers", x->shape.ndim);
    for (int i = 0; i < x->shape.ndim; i++) {
        if (index[i] < 0 || index[i] >= x->shape.dim[i])
            slope_fail(function, "index %td on axis %d is outside shape %s", index[i], i,
                       SHAPE_TEXT(x->shape));
        offset += index[i] * x->stride[i];
    }
    return offset;
}

real tensor_get(const Tensor *x, const ptrdiff_t *index)
{
    ptrdiff_t offset = tensor_offset_of(x, index, "tensor_get");
    return tensor_read(x)[offset];
}

void tensor_set(Tensor *x, const ptrdiff_t *index, real value)
{
    ptrdiff_t offset = tensor_offset_of(x, index, "tensor_set");
    tensor_write(x)[offset] = value;
}

real tensor_item(const Tensor *x)
{
    tensor_check(x, "tensor_item");
    if (tensor_count(x) != 1)
        slope_fail("tensor_item", "shape %s has %td elements; expected a tensor with exactly "
                   "one", SHAPE_TEXT(x->shape), tensor_count(x));
    return *tensor_read(x);
}

ptrdiff_t tensor_locate(const Tensor *x, ptrdiff_t i)
{
    tensor_check(x, "tensor_locate");
    return stride_locate(x->shape.ndim, x->shape.dim, x->stride, i);
}

/* --- views ------------------------------------------------------------------------------------ */

void tensor_check_reshape(Shape x, Shape to, const char *function)
{
    tensor_check_sizes(to, function);
    if (shape_count(to) != shape_count(x))
        slope_fail(function, "shape %s has %td elements, but %s has %td", SHAPE_TEXT(x),
                   shape_count(x), SHAPE_TEXT(to), shape_count(to));
}

Tensor tensor_as(const Tensor *x, Shape shape)
{
    tensor_check(x, "tensor_reshape");
    tensor_check_reshape(x->shape, shape, "tensor_reshape");
    if (!tensor_is_contiguous(x))
        slope_fail("tensor_reshape", "a tensor of shape %s that is not contiguous cannot be "
                   "viewed as %s; use tensor_contiguous first",
                   SHAPE_TEXT(x->shape), SHAPE_TEXT(shape));
    Tensor v = *x;
    v.shape = shape;
    tensor_set_row_major(&v);
    return v;
}

Tensor *tensor_reshape(const Tensor *x, Shape shape)
{
    Tensor as = tensor_as(x, shape);
    return tensor_view(&as);
}

Tensor *tensor_transpose(const Tensor *x, int axis0, int axis1)
{
    tensor_check(x, "tensor_transpose");
    int i = shape_axis(x->shape, axis0, "tensor_transpose");
    int j = shape_axis(x->shape, axis1, "tensor_transpose");
    Tensor *v = tensor_view(x);
    v->shape.dim[i] = x->shape.dim[j], v->shape.dim[j] = x->shape.dim[i];
    v->stride[i] = x->stride[j], v->stride[j] = x->stride[i];
    return v;
}

Axes tensor_check_permute(Shape x, const int *order, const char *function)
{
    if (!order)
        slope_fail(function, "the order of the axes is NULL");
    Axes axes = {.n = x.ndim};
    for (int i = 0; i < x.ndim; i++)
        axes.axis[i] = order[i];
    shape_axes(x, axes, function); /* fails if an axis is named twice */
    for (int i = 0; i < x.ndim; i++)
        axes.axis[i] = shape_axis(x, order[i], function);
    return axes;
}

Tensor *tensor_permute(const Tensor *x, const int *order)
{
    tensor_check(x, "tensor_permute");
    Axes axes = tensor_check_permute(x->shape, order, "tensor_permute");
    Tensor *v = tensor_view(x);
    for (int i = 0; i < axes.n; i++) {
        v->shape.dim[i] = x->shape.dim[axes.axis[i]];
        v->stride[i] = x->stride[axes.axis[i]];
    }
    return v;
}

int tensor_check_slice(Shape x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step,
                       const char *function)
{
    int i = shape_axis(x, axis, function);
    if (start < 0 || start > stop || stop > x.dim[i] || step < 1)
        slope_fail(function, "start %td, stop %td, step %td do not fit axis %d of shape %s: "
                   "expected 0 <= start <= stop <= %td and step >= 1", start, stop, step, i,
                   SHAPE_TEXT(x), x.dim[i]);
    return i;
}

Tensor *tensor_slice(const Tensor *x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step)
{
    tensor_check(x, "tensor_slice");
    int i = tensor_check_slice(x->shape, axis, start, stop, step, "tensor_slice");
    Tensor *v = tensor_view(x);
    v->shape.dim[i] = stop > start ? (stop - start - 1) / step + 1 : 0;
    v->offset += v->shape.dim[i] ? start * x->stride[i] : 0;
    v->stride[i] = v->shape.dim[i] > 1 ? x->stride[i] * step : x->stride[i];
    return v;
}

int tensor_check_select(Shape x, int axis, ptrdiff_t index, const char *function)
{
    int i = shape_axis(x, axis, function);
    if (index < 0 || index >= x.dim[i])
        slope_fail(function, "index %td is outside axis %d of shape %s", index, i, SHAPE_TEXT(x));
    return i;
}

Tensor *tensor_select(const Tensor *x, int axis, ptrdiff_t index)
{
    tensor_check(x, "tensor_select");
    int i = tensor_check_select(x->shape, axis, index, "tensor_select");
    Tensor *v = tensor_view(x);
    v->offset += index * x->stride[i];
    v->shape.ndim--;
    for (int d = i; d < v->shape.ndim; d++) {
        v->shape.dim[d] = x->shape.dim[d + 1];
        v->stride[d] = x->stride[d + 1];
    }
    return v;
}

void tensor_check_expand(Shape x, Shape to, const char *function)
{
    shape_check(to, function);
    if (!shape_stretches_to(x, to))
        slope_fail(function, "shape %s does not stretch to %s: aligned at the right, each size "
                   "must be equal or 1", SHAPE_TEXT(x), SHAPE_TEXT(to));
}

Tensor *tensor_expand(const Tensor *x, Shape shape)
{
    tensor_check(x, "tensor_expand");
    tensor_check_expand(x->shape, shape, "tensor_expand");
    Tensor *v = tensor_view(x);
    v->shape = shape;
    int missing = shape.ndim - x->shape.ndim;
    for (int d = 0; d < shape.ndim; d++) {
        bool stretched = d < missing || x->shape.dim[d - missing] != shape.dim[d];
        v->stride[d] = stretched ? 0 : x->stride[d - missing];
    }
    return v;
}
