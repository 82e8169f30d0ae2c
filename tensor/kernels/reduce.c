/* tensor/kernels/reduce.c -- sums and maxima over any axes, in an order fixed by shape and strides.
 *
 * The axes are divided into kept ones, which the result has, and reduced ones. Two ways of
 * traversing them handle every layout well:
 *
 *   rows    if the fastest axis in memory is reduced: each result is computed from whole rows;
 *   strips  if the fastest axis is kept: a strip of results is computed at once by adding row
 *           after row, as for the gradient of a bias, (N,D) summed over N.
 *
 * The rounding error of a plain running sum grows with the number of terms n. Here a row is summed
 * in blocks that are combined pairwise, so the error grows only with log n. Source: Higham, "The
 * accuracy of floating point summation", 1993.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "tensor/cut.h"
#include "tensor/kernels/reduce.h"
#include "tensor/kernels/vec.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    REDUCE_LANES = 16,    /* independent running results, so that the loop vectorises */
    REDUCE_LEAF = 512,    /* a row of at most this many elements is not split further */
    REDUCE_STRIP = 256,   /* columns of a strip */
    REDUCE_FOLD = 64,     /* at most this many rows of a strip or a result are not split further */
    REDUCE_ROWS = 8,      /* rows of a strip that are summed pairwise, then added to the result */
    REDUCE_CHUNK = 32768, /* elements per task, if a result has more than this */
};

/* How two partial results are combined, and the result for no elements. */
typedef struct Reduction {
    real (*join)(real, real);
    real (*row)(const real *x, ptrdiff_t n, ptrdiff_t step);
    void (*add_row)(real *acc, const real *x, ptrdiff_t n, ptrdiff_t step);
    void (*add_rows)(real *acc, const real *const *row, ptrdiff_t n, ptrdiff_t step); /* or NULL */
    real empty;
} Reduction;

typedef struct ReduceAxes {
    int       ndim;
    ptrdiff_t dim[MAX_DIMS], out_stride[MAX_DIMS], x_stride[MAX_DIMS];
    ptrdiff_t count;
} ReduceAxes;

typedef struct Reduce {
    const Reduction *r;
    ReduceAxes  kept, reduced;
    real       *out;
    const real *x;
    ptrdiff_t   chunks;  /* parts into which the elements of each result are cut */
    real       *partial; /* if chunks > 1: rows (results, chunks), strips (chunks, results) */
} Reduce;

/* --- one row ---------------------------------------------------------------------------------- */

static inline real reduce_sum_join(real a, real b) { return a + b; }
static inline real reduce_max_join(real a, real b) { return b > a || isnan(b) ? b : a; }

/* The same for vectors. Only a NaN differs from itself. */
static inline vec reduce_sum_join_vec(vec a, vec b) { return a + b; }
static inline vec reduce_max_join_vec(vec a, vec b)
{
    return vec_select((b > a) | (b != b), b, a);
}

/* Defines name_leaf (by lanes), name_row (pairwise, by halves) and name_add_row for one join. */
#define REDUCE_KERNELS(name, join, empty)                                                     \
    static real name##_leaf(const real *x, ptrdiff_t n, ptrdiff_t step)                       \
    {                                                                                         \
        real lane[REDUCE_LANES];                                                              \
        vec wide[REDUCE_LANES / VEC];                                                         \
        ptrdiff_t i = 0;                                                                      \
        for (int k = 0; k < REDUCE_LANES / VEC; k++)                                          \
            wide[k] = vec_all(empty);                                                         \
        if (step == 1)                                                                        \
            for (; i + REDUCE_LANES <= n; i += REDUCE_LANES)                                  \
                for (int k = 0; k < REDUCE_LANES / VEC; k++)                                  \
                    wide[k] = join##_vec(wide[k], vec_load(x + i + k * VEC));                 \
        for (int k = 0; k < REDUCE_LANES / VEC; k++)                                          \
            vec_store(lane + k * VEC, wide[k]);                                               \
        for (; i < n; i++)                                                                    \
            lane[i % REDUCE_LANES] = join(lane[i % REDUCE_LANES], x[i * step]);               \
        for (int half = REDUCE_LANES / 2; half > 0; half /= 2)                                \
            for (int j = 0; j < half; j++)                                                    \
                lane[j] = join(lane[j], lane[j + half]);                                      \
        return lane[0];                                                                       \
    }                                                                                         \
    static real name##_row(const real *x, ptrdiff_t n, ptrdiff_t step)                        \
    {                                                                                         \
        if (n <= REDUCE_LEAF)                                                                 \
            return name##_leaf(x, n, step);                                                   \
        ptrdiff_t half = n / 2 / REDUCE_LANES * REDUCE_LANES;                                 \
        return join(name##_row(x, half, step), name##_row(x + half * step, n - half, step));  \
    }                                                                                         \
    static void name##_add_row(real *acc, const real *x, ptrdiff_t n, ptrdiff_t step)         \
    {                                                                                         \
        if (step == 1)                                                                        \
            for (ptrdiff_t i = 0; i < n; i++)                                                 \
                acc[i] = join(acc[i], x[i]);                                                  \
        else                                                                                  \
            for (ptrdiff_t i = 0; i < n; i++)                                                 \
                acc[i] = join(acc[i], x[i * step]);                                           \
    }

REDUCE_KERNELS(reduce_sum, reduce_sum_join, 0)
REDUCE_KERNELS(reduce_max, reduce_max_join, -(real)INFINITY)

/* Adds the pairwise sum of REDUCE_ROWS rows. */
static void reduce_sum_add_rows(real *restrict acc, const real *const *row, ptrdiff_t n,
                                ptrdiff_t step)
{
    const real *a = row[0], *b = row[1], *c = row[2], *d = row[3];
    const real *e = row[4], *f = row[5], *g = row[6], *h = row[7];
    for (ptrdiff_t i = 0, k = 0; i < n; i++, k += step)
        acc[i] += ((a[k] + b[k]) + (c[k] + d[k])) + ((e[k] + f[k]) + (g[k] + h[k]));
}

double tensor_row_sum(const real *x, ptrdiff_t n, ptrdiff_t step)
{
    if (n > TENSOR_ROW_FEW)
        return (double)reduce_sum_row(x, n, step);
    double total = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += (double)x[i * step];
    return total;
}

real tensor_row_max(const real *x, ptrdiff_t n, ptrdiff_t step)
{
    if (n > TENSOR_ROW_FEW)
        return reduce_max_row(x, n, step);
    real max = -(real)INFINITY;
    bool nan = false;
    for (ptrdiff_t i = 0; i < n; i++) {
        max = x[i * step] > max ? x[i * step] : max;
        nan |= isnan(x[i * step]);
    }
    return nan ? (real)NAN : max;
}

/* --- axes ------------------------------------------------------------------------------------- */

static void reduce_add_axis(ReduceAxes *a, ptrdiff_t dim, ptrdiff_t out_stride, ptrdiff_t x_stride)
{
    a->count *= dim;
    if (dim == 1)
        return;
    int at = a->ndim;
    if (at > 0 && a->x_stride[at - 1] == x_stride * dim &&
        a->out_stride[at - 1] == out_stride * dim)
        a->dim[--at] *= dim;
    else
        a->dim[at] = dim;
    a->out_stride[at] = out_stride;
    a->x_stride[at] = x_stride;
    a->ndim = at + 1;
}

static Reduce reduce_plan(Tensor *out, const Tensor *x, const Reduction *r)
{
    Reduce p = {.r = r, .kept.count = 1, .reduced.count = 1, .chunks = 1};
    int missing = x->shape.ndim - out->shape.ndim;
    for (int d = 0; d < x->shape.ndim; d++) {
        ptrdiff_t dim = x->shape.dim[d];
        bool reduced = d < missing || out->shape.dim[d - missing] != dim;
        reduce_add_axis(reduced ? &p.reduced : &p.kept, dim, reduced ? 0 : out->stride[d - missing],
                        x->stride[d]);
    }
    p.out = tensor_write(out);
    p.x = tensor_read(x);
    return p;
}

static ptrdiff_t reduce_locate(const ReduceAxes *a, const ptrdiff_t *stride, ptrdiff_t i)
{
    return stride_locate(a->ndim, a->dim, stride, i);
}

/* The size of the last (fastest) axis, or 1 if there are no axes. */
static ptrdiff_t reduce_inner(const ReduceAxes *a)
{
    return a->ndim ? a->dim[a->ndim - 1] : 1;
}

static ptrdiff_t reduce_inner_step(const ReduceAxes *a)
{
    return a->ndim ? a->x_stride[a->ndim - 1] : 1;
}

/* --- rows: one result at a time --------------------------------------------------------------- */

/* Reduces elements [begin, end) of one result, counted over the reduced axes in row-major order:
 * joins halves of whole rows pairwise, down to a few rows. */
static real reduce_range(const Reduce *p, const real *x, ptrdiff_t begin, ptrdiff_t end)
{
    ptrdiff_t inner = reduce_inner(&p->reduced), step = reduce_inner_step(&p->reduced);
    if (end - begin > inner && (end - begin) / inner > REDUCE_FOLD) {
        ptrdiff_t middle = (begin + (end - begin) / 2) / inner * inner;
        return p->r->join(reduce_range(p, x, begin, middle), reduce_range(p, x, middle, end));
    }
    real total = p->r->empty;
    while (begin < end) {
        ptrdiff_t n = inner - begin % inner;
        n = n < end - begin ? n : end - begin;
        const real *row = x + reduce_locate(&p->reduced, p->reduced.x_stride, begin);
        total = p->r->join(total, p->r->row(row, n, step));
        begin += n;
    }
    return total;
}

/* Tasks [begin, end): task t is chunk t % chunks of result t / chunks. */
static void reduce_chunks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Reduce *p = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t result = t / p->chunks, chunk = t % p->chunks;
        const real *x = p->x + reduce_locate(&p->kept, p->kept.x_stride, result);
        ptrdiff_t first = chunk * REDUCE_CHUNK;
        ptrdiff_t last = min_size(first + REDUCE_CHUNK, p->reduced.count);
        real value = reduce_range(p, x, first, last);
        if (p->chunks > 1)
            p->partial[t] = value;
        else
            p->out[reduce_locate(&p->kept, p->kept.out_stride, result)] = value;
    }
}

static void reduce_rows(Reduce *p)
{
    ptrdiff_t results = p->kept.count, n = p->reduced.count;
    p->chunks = max_size(1, ceil_div(n, REDUCE_CHUNK));
    size_t bytes = (size_t)(results * p->chunks) * sizeof(real);
    if (p->chunks > 1)
        p->partial = memory_take(bytes);
    ptrdiff_t each = min_size(REDUCE_CHUNK, n + 1);
    parallel_for(results * p->chunks, REDUCE_CHUNK / each, reduce_chunks, p);
    for (ptrdiff_t i = 0; p->chunks > 1 && i < results; i++)
        p->out[reduce_locate(&p->kept, p->kept.out_stride, i)] =
            p->r->row(p->partial + i * p->chunks, p->chunks, 1);
    memory_give(p->partial, bytes);
}

/* --- strips: neighbouring results together ---------------------------------------------------- */

static void reduce_fill(real *acc, ptrdiff_t n, real value)
{
    for (ptrdiff_t i = 0; i < n; i++)
        acc[i] = value;
}

/* Reduces rows [begin, end) of a strip of n columns to `total`: joins halves pairwise, as for a
 * single row. */
static void reduce_strip_rows(const Reduce *p, real *total, const real *x, ptrdiff_t n,
                              ptrdiff_t begin, ptrdiff_t end)
{
    if (end - begin > REDUCE_FOLD) {
        real half[REDUCE_STRIP];
        ptrdiff_t middle = begin + (end - begin) / 2;
        reduce_strip_rows(p, total, x, n, begin, middle);
        reduce_strip_rows(p, half, x, n, middle, end);
        p->r->add_row(total, half, n, 1);
        return;
    }
    ptrdiff_t step = reduce_inner_step(&p->kept);
    reduce_fill(total, n, p->r->empty);
    for (; p->r->add_rows && begin + REDUCE_ROWS <= end; begin += REDUCE_ROWS) {
        const real *row[REDUCE_ROWS];
        for (int k = 0; k < REDUCE_ROWS; k++)
            row[k] = x + reduce_locate(&p->reduced, p->reduced.x_stride, begin + k);
        p->r->add_rows(total, row, n, step);
    }
    for (; begin < end; begin++)
        p->r->add_row(total, x + reduce_locate(&p->reduced, p->reduced.x_stride, begin), n, step);
}

/* Computes results [first, first + n), which are neighbours along the last kept axis, from chunk c
 * of the rows. */
static void reduce_strip(const Reduce *p, ptrdiff_t first, ptrdiff_t n, ptrdiff_t c)
{
    real total[REDUCE_STRIP];
    ptrdiff_t rows = p->reduced.count;
    reduce_strip_rows(p, total, p->x + reduce_locate(&p->kept, p->kept.x_stride, first), n,
                      rows * c / p->chunks, rows * (c + 1) / p->chunks);
    bool whole = p->chunks == 1;
    real *out = whole ? p->out + reduce_locate(&p->kept, p->kept.out_stride, first)
                      : p->partial + c * p->kept.count + first;
    ptrdiff_t out_step = whole && p->kept.ndim ? p->kept.out_stride[p->kept.ndim - 1] : 1;
    for (ptrdiff_t i = 0; i < n; i++)
        out[i * out_step] = total[i];
}

/* The number of strips in one chunk. They are numbered along the last kept axis first, then along
 * the others. */
static ptrdiff_t reduce_strips_of(const Reduce *p)
{
    ptrdiff_t inner = reduce_inner(&p->kept);
    return ceil_div(inner, REDUCE_STRIP) * (p->kept.count / inner);
}

/* Tasks [begin, end): each is a strip of a chunk. */
static void reduce_strips_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Reduce *p = ctx;
    ptrdiff_t inner = reduce_inner(&p->kept), strips = reduce_strips_of(p);
    ptrdiff_t a_line = ceil_div(inner, REDUCE_STRIP);
    for (ptrdiff_t t = begin; t < end; t++) {
        ptrdiff_t strip = t % strips, column = strip % a_line * REDUCE_STRIP;
        ptrdiff_t n = min_size(REDUCE_STRIP, inner - column);
        reduce_strip(p, strip / a_line * inner + column, n, t / strips);
    }
}

/* The partial results, (chunks, results), are a matrix. Reduces each of its columns. */
static void reduce_strips_join(const Reduce *p)
{
    Reduce last = *p;
    ptrdiff_t stride = 1;
    for (int d = p->kept.ndim - 1; d >= 0; stride *= p->kept.dim[d--])
        last.kept.x_stride[d] = stride;
    last.reduced = (ReduceAxes){.ndim = 1, .dim = {p->chunks}, .count = p->chunks};
    last.reduced.x_stride[0] = p->kept.count;
    last.x = p->partial, last.chunks = 1;
    parallel_for(reduce_strips_of(&last), 1, reduce_strips_block, &last);
}

static void reduce_strips(Reduce *p)
{
    ptrdiff_t inner = reduce_inner(&p->kept), rows = p->reduced.count;
    ptrdiff_t wide = min_size(REDUCE_STRIP, inner);
    p->chunks = max_size(1, ceil_div(rows, REDUCE_CHUNK / wide));
    size_t bytes = (size_t)(p->kept.count * p->chunks) * sizeof(real);
    if (p->chunks > 1)
        p->partial = memory_take(bytes);
    ptrdiff_t each = rows / p->chunks * wide;
    parallel_for(reduce_strips_of(p) * p->chunks,
                 each < REDUCE_CHUNK ? REDUCE_CHUNK / (each + 1) : 1, reduce_strips_block, p);
    if (p->chunks > 1)
        reduce_strips_join(p);
    memory_give(p->partial, bytes);
}

/* --- the two reductions ----------------------------------------------------------------------- */

static void reduce_to(Tensor *out, const Tensor *x, const Reduction *r, const char *function)
{
    tensor_check(out, function);
    tensor_check(x, function);
    if (!shape_stretches_to(out->shape, x->shape))
        slope_fail(function, "shape %s cannot be reduced to %s: aligned at the right, each size "
                   "must be equal or become 1", SHAPE_TEXT(x->shape), SHAPE_TEXT(out->shape));
    tensor_check_out(out, function);
    Reduce p = reduce_plan(out, x, r);
    if (p.kept.count == 0)
        return;
    bool strips = p.kept.ndim > 0 && reduce_inner(&p.kept) > 1 && p.reduced.ndim > 0 &&
                  reduce_inner_step(&p.kept) < reduce_inner_step(&p.reduced);
    if (strips)
        reduce_strips(&p);
    else
        reduce_rows(&p);
}

void tensor_sum_to(Tensor *out, const Tensor *x)
{
    static const Reduction sum = {reduce_sum_join, reduce_sum_row, reduce_sum_add_row,
                                  reduce_sum_add_rows, 0};
    reduce_to(out, x, &sum, "tensor_sum_to");
}

void tensor_max_to(Tensor *out, const Tensor *x)
{
    static const Reduction max = {reduce_max_join, reduce_max_row, reduce_max_add_row, NULL,
                                  -(real)INFINITY};
    reduce_to(out, x, &max, "tensor_max_to");
}
