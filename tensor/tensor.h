/* tensor/tensor.h -- an n-dimensional array of real numbers; no gradients here.
 *
 *  - A Tensor is a small header: shared storage, an offset, a shape, a stride per axis.
 *  - Views (reshape, transpose, permute, slice, select, expand) copy nothing: they are new
 *    headers over the same storage, which lives until its last header is freed.
 *  - A function that takes a tensor borrows it; one that returns a tensor returns a header
 *    of your own, which you drop with tensor_free.
 *  - A kernel writes into an `out` that it is given; its shape must already be right.
 *  - Every write bumps the storage's version; the tape uses that to notice a parameter that
 *    changed between forward and backward.
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

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "tensor/error.h"
#include "tensor/real.h"
#include "tensor/shape.h"

typedef struct Storage {
    real       *data;
    size_t      count;   /* elements */
    atomic_int  refs;    /* headers that share it */
    atomic_uint version; /* bumped by every write */
} Storage;

typedef struct Tensor {
    Storage  *storage;
    ptrdiff_t offset; /* elements from the start of the storage */
    Shape     shape;
    ptrdiff_t stride[MAX_DIMS]; /* elements; 0 on an expanded axis */
} Tensor;

/* Class numbers, one an example. */
typedef struct Labels {
    int32_t  *data;
    ptrdiff_t count;
} Labels;

/* --- making and freeing ----------------------------------------------------------------------- */

Tensor *tensor_new(Shape shape);     /* uninitialised */
Tensor *tensor_try_new(Shape shape); /* NULL when memory cannot hold it: for readers */
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
bool tensor_owns_storage(const Tensor *x); /* is it the only header of its storage? */

/* The first element. tensor_write also bumps the version. Neighbouring elements of the last
 * axis are stride[ndim-1] apart; in a contiguous tensor all elements follow one another. */
const real *tensor_read(const Tensor *x);
real *tensor_write(Tensor *x);

/* Fails in the name of `function` if several elements of out share one place (tensor_expand does
 * that), so that it cannot hold a result. */
void tensor_check_out(const Tensor *out, const char *function);

/* One element by its index (ndim numbers); fails when out of range. */
real tensor_get(const Tensor *x, const ptrdiff_t *index);
void tensor_set(Tensor *x, const ptrdiff_t *index, real value);
real tensor_item(const Tensor *x); /* of a tensor with one element */

/* The offset from tensor_read(x) of element number `i` in row-major order. */
ptrdiff_t tensor_locate(const Tensor *x, ptrdiff_t i);

/* --- views ------------------------------------------------------------------------------------ */

/* Same elements, another shape; x must be contiguous. One size may be -1: it is inferred
 * (build such a shape with shape_infer). */
Tensor *tensor_reshape(const Tensor *x, Shape shape);

/* A header by value over contiguous x in another shape. It owns nothing and is good while x is:
 * for a kernel that needs one for a moment. */
Tensor tensor_as(const Tensor *x, Shape shape);

Tensor *tensor_transpose(const Tensor *x, int axis0, int axis1);
Tensor *tensor_permute(const Tensor *x, const int *order); /* out axis i is x's order[i] */

/* Elements start, start+step, … below stop; 0 <= start <= stop <= size, step >= 1. */
Tensor *tensor_slice(const Tensor *x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step);
Tensor *tensor_select(const Tensor *x, int axis, ptrdiff_t index); /* drops the axis */
Tensor *tensor_expand(const Tensor *x, Shape shape); /* stretched axes get stride 0 */

/* --- arithmetic on plain tensors (the tape has its own ops) ----------------------------------- */

/* out may be a or b itself; otherwise it must not overlap an input. It must not be expanded. */
void tensor_fill(Tensor *out, real value);
void tensor_copy(Tensor *out, const Tensor *x);                         /* x stretches to out */
void tensor_add(Tensor *out, const Tensor *a, const Tensor *b);
void tensor_scale(Tensor *out, const Tensor *x, real c);
void tensor_greater(Tensor *out, const Tensor *a, const Tensor *b);     /* 1 where a > b */
void tensor_equal_to(Tensor *out, const Tensor *a, const Tensor *b);    /* 1 where a == b */
void tensor_sign(Tensor *out, const Tensor *x);                         /* -1, 0, 1, or NaN */

/* Sums (or takes the largest of) x over every axis on which out's size is 1 or missing, so
 * out's shape must stretch to x's. The order of additions is fixed by shape and strides. An
 * empty sum is 0, an empty maximum -Inf; a NaN in x spreads. */
void tensor_sum_to(Tensor *out, const Tensor *x);
void tensor_max_to(Tensor *out, const Tensor *x);

/* The place of the largest element of each row of (N, D): the first of equals; a NaN is the
 * largest of all. */
void tensor_argmax_rows(int32_t *place, const Tensor *x);

/* What to say of a missing tensor: it is most often a gradient. */
#define TENSOR_IS_NULL                                                                         \
    "the tensor is NULL; a gradient is there only after var_backward, on leaves and on what "  \
    "var_retain_grad was asked for, and nothing is there after tape_rewind"

/* --- looking and comparing -------------------------------------------------------------------- */

/* Prints as NumPy would, with the middle of long axes elided. */
void tensor_print(const Tensor *x);
void tensor_fprint(FILE *out, const Tensor *x);

/* Same shape and same bits (so NaN equals NaN, and -0 differs from 0)? */
bool tensor_same_bits(const Tensor *a, const Tensor *b);

/* |a - b| <= atol + rtol * |b| everywhere; NaN matches NaN, Inf the same Inf. */
bool tensor_all_close(const Tensor *a, const Tensor *b, double atol, double rtol);

/* max |a - b|, 0 for no elements; NaN where one of the two is NaN. */
double tensor_max_difference(const Tensor *a, const Tensor *b);

/* The row-major number of the first NaN or Inf, or -1. */
ptrdiff_t tensor_find_nonfinite(const Tensor *x);

/* Mean, sample standard deviation (n-1; NaN for one element), smallest and largest. A NaN in x
 * spreads to all four. */
typedef struct Stats {
    ptrdiff_t count;
    double    mean, std, min, max;
} Stats;
Stats tensor_stats(const Tensor *x);

#endif
