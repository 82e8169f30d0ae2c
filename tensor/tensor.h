/* tensor/tensor.h -- an n-dimensional array of real numbers; no gradients here.
 *
 *  - A Tensor is a small header: shared storage, an offset, a shape, a stride per axis.
 *  - Views (reshape, transpose, permute, slice, select, expand) copy nothing: they are new
 *    headers over the same storage, which lives until its last header is freed.
 *  - A function that takes a tensor borrows it; one that returns a tensor returns a header that you
 *    own and release with tensor_free.
 *  - A kernel writes its result into a tensor `out` that the caller provides, already of the right
 *    shape.
 *  - Every write bumps the storage's version, so that the tape can detect a parameter that changed
 *    between forward and backward.
 *
 *      Tensor *x = tensor_from(SHAPE(2, 3), (real[]){1, 2, 3, 4, 5, 6});
 *      Tensor *t = tensor_transpose(x, 0, 1);      // (3, 2), shares x's storage
 *      tensor_print(t);
 *      tensor_free(t), tensor_free(x);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_TENSOR_H
#define SLOPE_TENSOR_TENSOR_H

#include <stdint.h>
#include <stdio.h>

#include "tensor/error.h"
#include "tensor/language.h"
#include "tensor/real.h"
#include "tensor/shape.h"

SLOPE_C_BEGIN

typedef struct Storage {
    real  *data;
    size_t count;                   /* elements */
    SLOPE_ATOMIC(int) refs;         /* headers that share it */
    SLOPE_ATOMIC(unsigned) version; /* bumped by every write */
} Storage;

typedef struct Tensor {
    Storage  *storage;
    ptrdiff_t offset; /* elements from the start of the storage */
    Shape     shape;
    ptrdiff_t stride[MAX_DIMS]; /* elements; 0 on an expanded axis */
} Tensor;

/* Class indices, one per example. */
typedef struct Labels {
    int32_t  *data;
    ptrdiff_t count;
} Labels;

/* Fails, naming `function`, if x is NULL, as a gradient is that no backward pass has reached; in
 * a debug build, also if x was freed and its memory has not been reused since. Every function that
 * takes a tensor calls it. */
void tensor_check(const Tensor *x, const char *function);

/* --- creating and freeing --------------------------------------------------------------------- */

Tensor *tensor_new(Shape shape);     /* uninitialised */
Tensor *tensor_try_new(Shape shape); /* NULL if memory cannot hold it: for readers of files */
Tensor *tensor_zeros(Shape shape);
Tensor *tensor_full(Shape shape, real value);
Tensor *tensor_from(Shape shape, const real *values); /* copies, in row-major order */
Tensor *tensor_scalar(real value);                    /* shape () */
Tensor *tensor_arange(ptrdiff_t n);                   /* 0, 1, … n-1, shape (n) */
Tensor *tensor_clone(const Tensor *x);                /* a contiguous copy */
Tensor *tensor_ref(const Tensor *x);                  /* another header, same storage */
Tensor *tensor_contiguous(const Tensor *x); /* a ref if x is contiguous, else a clone */
void tensor_free(Tensor *x);                /* NULL is fine */

/* --- reading and writing ---------------------------------------------------------------------- */

ptrdiff_t tensor_count(const Tensor *x);
bool tensor_is_contiguous(const Tensor *x);
bool tensor_owns_storage(const Tensor *x); /* true if no other header shares its storage */

/* A pointer to the first element; tensor_write also bumps the version. Neighbours along the last
 * axis are stride[ndim-1] elements apart; a contiguous tensor is a plain row-major array. */
const real *tensor_read(const Tensor *x);
real *tensor_write(Tensor *x);

/* Fails, naming `function`, if several elements of out share one memory location, as after
 * tensor_expand, so that out cannot hold a result. */
void tensor_check_out(const Tensor *out, const char *function);

/* One element by its index, an array of ndim numbers; fails if it is out of range. */
real tensor_get(const Tensor *x, const ptrdiff_t *index);
void tensor_set(Tensor *x, const ptrdiff_t *index, real value);
real tensor_item(const Tensor *x); /* the value of a tensor with one element */

/* The offset from tensor_read(x) of element `i`, counted in row-major order. */
ptrdiff_t tensor_locate(const Tensor *x, ptrdiff_t i);

/* --- views ------------------------------------------------------------------------------------ */

/* The same elements in another shape; x must be contiguous. shape_infer builds a shape in which one
 * size is inferred. */
Tensor *tensor_reshape(const Tensor *x, Shape shape);

/* The same, but returns the header by value, for temporary use in a kernel. It owns nothing and is
 * valid only as long as x is. */
Tensor tensor_as(const Tensor *x, Shape shape);

Tensor *tensor_transpose(const Tensor *x, int axis0, int axis1);
Tensor *tensor_permute(const Tensor *x, const int *order); /* axis i is axis order[i] of x */

/* Elements start, start+step, … below stop; 0 <= start <= stop <= size, step >= 1. */
Tensor *tensor_slice(const Tensor *x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step);
Tensor *tensor_select(const Tensor *x, int axis, ptrdiff_t index); /* drops the axis */
Tensor *tensor_expand(const Tensor *x, Shape shape); /* stretched axes get stride 0 */

/* --- arithmetic on plain tensors (the tape has its own ops) ----------------------------------- */

/* out must not overlap an input unless it is that input itself. Fails if out is expanded. */
void tensor_fill(Tensor *out, real value);
void tensor_copy(Tensor *out, const Tensor *x);                         /* x stretches to out */
void tensor_add(Tensor *out, const Tensor *a, const Tensor *b);
void tensor_scale(Tensor *out, const Tensor *x, real c);
void tensor_greater(Tensor *out, const Tensor *a, const Tensor *b);     /* 1 where a > b */
void tensor_equal_to(Tensor *out, const Tensor *a, const Tensor *b);    /* 1 where a == b */
void tensor_sign(Tensor *out, const Tensor *x);                         /* -1, 0, 1, or NaN */

/* out = the sum (or the maximum) of x over every axis that has size 1 in out or is missing there;
 * out's shape must stretch to x's. The order of the additions depends only on shape and strides. An
 * empty sum is 0, an empty maximum is -Inf; a NaN in x propagates. */
void tensor_sum_to(Tensor *out, const Tensor *x);
void tensor_max_to(Tensor *out, const Tensor *x);

/* The index of the largest element of each row of x (N, D). The first of equal elements counts, and
 * a NaN counts as larger than every number. */
void tensor_argmax_rows(int32_t *place, const Tensor *x);

/* --- printing and comparing ------------------------------------------------------------------- */

/* Prints x as NumPy would, with the middle of long axes elided. */
void tensor_print(const Tensor *x);
void tensor_fprint(FILE *out, const Tensor *x);

/* True if shapes and bits are the same (so NaN equals NaN, and -0 differs from 0). */
bool tensor_same_bits(const Tensor *a, const Tensor *b);

/* True if |a - b| <= atol + rtol * |b| everywhere; NaN matches NaN, Inf the same Inf. */
bool tensor_all_close(const Tensor *a, const Tensor *b, double atol, double rtol);

/* max |a - b|: 0 if there are no elements, NaN if an element of a or b is NaN. */
double tensor_max_difference(const Tensor *a, const Tensor *b);

/* The row-major index of the first NaN or Inf, or -1 if there is none. */
ptrdiff_t tensor_find_nonfinite(const Tensor *x);

/* Mean, sample standard deviation (divisor n-1; NaN for one element), minimum and maximum. A NaN in
 * x propagates to all four. */
typedef struct Stats {
    ptrdiff_t count;
    double    mean, std, min, max;
} Stats;
Stats tensor_stats(const Tensor *x);

SLOPE_C_END

#endif
