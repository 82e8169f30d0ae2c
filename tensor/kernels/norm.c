/* tensor/kernels/norm.c -- the batch normalisation kernels.
 *
 * Both directions need two sums per channel. The forward pass sums d = x - s and d^2, where s is an
 * estimate of the channel's mean from its first few elements; the backward pass sums gy and gy d,
 * where s is the mean itself. The first pair gives
 *
 *      mean = s + E[d],   variance = E[d^2] - E[d]^2
 *
 * in one pass; the shift by s avoids cancellation in the difference if the mean is large.
 *
 * The work is divided along `outer` into blocks and along the channels into strips. A strip is one
 * channel if channels are planes, and neighbouring channels of a row if inner is 1. If the elements
 * of a strip fit into a core's cache, one thread computes both the sums and the results of a strip,
 * and memory is read only once; otherwise all sums are computed first, then all results. The
 * division depends only on the shape.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/norm.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "tensor/cut.h"
#include "tensor/kernels/activation.h"
#include "tensor/kernels/vec.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    NORM_GUESS = 16,      /* elements from which a mean is estimated */
    NORM_BLOCK = 16384,   /* about this many elements justify a task, … */
    NORM_BLOCKS = 64,     /* … but there are at most this many blocks */
    NORM_WIDTH = 32,      /* channels of a row that one thread computes alone, … */
    NORM_STRIPS = 8,      /* … if there are at least this many strips, … */
    NORM_CACHE = 1 << 18, /* … and each has at most this many elements */
};

typedef struct Norm {
    AxisView    view; /* outer, C = n, inner */
    const real *x, *gy, *w, *b, *mean_in, *var_in;
    real       *y;                     /* or gx; NULL if not requested */
    real       *mean, *var, *gw, *gb;  /* (C): results; the last two may be NULL */
    real       *scale, *offset, *tilt; /* (C): the coefficients of the second pass */
    real       *partial;               /* (blocks, 2, C) */
    ptrdiff_t   rows, blocks;          /* along `outer`: rows per block, number of blocks */
    ptrdiff_t   width, strips;         /* channels per strip, number of strips */
    bool        alone;                 /* does one thread compute all of a strip? */
    real        eps;
} Norm;

/* --- sums ------------------------------------------------------------------------------------- */

/* Running sums of a channel: of whole vectors and of the elements after the last one. */
typedef struct NormSum {
    vec  first, product;
    real first_tail, product_tail;
} NormSum;

/* Adds a run of a channel to its sums: d and d^2 or, if g is not NULL, g and g d. */
static void norm_add_run(NormSum *sum, const real *x, const real *g, ptrdiff_t n, real shift)
{
    vec first = sum->first, product = sum->product;
    ptrdiff_t i = 0;
    for (; i + VEC <= n; i += VEC) {
        vec d = vec_load(x + i) - shift, f = g ? vec_load(g + i) : d;
        first += f;
        product += f * d;
    }
    sum->first = first, sum->product = product;
    for (; i < n; i++) {
        real d = x[i] - shift, f = g ? g[i] : d;
        sum->first_tail += f;
        sum->product_tail += f * d;
    }
}

/* Adds a row of neighbouring channels, each to its own sums. */
static void norm_add_row(real *first, real *product, const real *x, const real *g, ptrdiff_t n,
                         const real *shift)
{
    ptrdiff_t c = 0;
    for (; c + VEC <= n; c += VEC) {
        vec d = vec_load(x + c) - vec_load(shift + c), f = g ? vec_load(g + c) : d;
        vec_store(first + c, vec_load(first + c) + f);
        vec_store(product + c, vec_load(product + c) + f * d);
    }
    for (; c < n; c++) {
        real d = x[c] - shift[c], f = g ? g[c] : d;
        first[c] += f;
        product[c] += f * d;
    }
}

/* The part of a strip in a block: rows [begin, end) of `outer`, channels [c, c + n). */
typedef struct NormPlace {
    ptrdiff_t begin, end, c, n;
} NormPlace;

static NormPlace norm_place(const Norm *n, ptrdiff_t block, ptrdiff_t strip)
{
    NormPlace p = {.begin = block * n->rows, .c = strip * n->width};
    p.end = min_size(p.begin + n->rows, n->view.outer);
    p.n = min_size(n->width, n->view.n - p.c);
    return p;
}

/* Computes the two partial sums of each channel of a strip in a block. */
static void norm_sum(const Norm *n, ptrdiff_t block, ptrdiff_t strip)
{
    NormPlace p = norm_place(n, block, strip);
    ptrdiff_t C = n->view.n, inner = n->view.inner;
    const real *shift = n->mean_in + p.c;
    real *first = n->partial + 2 * block * C + p.c, *product = first + C;
    if (inner == 1) {
        memset(first, 0, (size_t)p.n * sizeof(real));
        memset(product, 0, (size_t)p.n * sizeof(real));
        for (ptrdiff_t o = p.begin; o < p.end; o++)
            norm_add_row(first, product, n->x + o * C + p.c, n->gy ? n->gy + o * C + p.c : NULL,
                         p.n, shift);
        return;
    }
    NormSum sum = {0};
    for (ptrdiff_t o = p.begin; o < p.end; o++) {
        ptrdiff_t at = (o * C + p.c) * inner;
        norm_add_run(&sum, n->x + at, n->gy ? n->gy + at : NULL, inner, *shift);
    }
    *first = vec_sum(sum.first) + sum.first_tail;
    *product = vec_sum(sum.product) + sum.product_tail;
}

/* --- from the sums to the coefficients of the second pass ------------------------------------- */

/* Forward: y = (x - mean) scale + offset. */
static void norm_set_forward(const Norm *n, ptrdiff_t c, real first, real product, real count)
{
    real d = first / count, v = product / count - d * d;
    n->mean[c] += d;
    n->var[c] = v < 0 ? 0 : v; /* v < 0 is rounding; a NaN stays */
    n->scale[c] = 1 / sqrt(n->var[c] + n->eps) * (n->w ? n->w[c] : 1);
    n->offset[c] = n->b ? n->b[c] : 0;
}

/* Backward: gx = (gy - offset - (x - mean) tilt) scale. */
static void norm_set_backward(const Norm *n, ptrdiff_t c, real first, real product, real count)
{
    real rstd = 1 / sqrt(n->var_in[c] + n->eps);
    if (n->gb)
        n->gb[c] = first;
    if (n->gw)
        n->gw[c] = product * rstd;
    n->scale[c] = rstd * (n->w ? n->w[c] : 1);
    n->offset[c] = first / count;
    n->tilt[c] = product * rstd / count * rstd;
}

/* Adds up the partial sums of a strip, in the order of the blocks. */
static void norm_set(const Norm *n, ptrdiff_t strip)
{
    NormPlace p = norm_place(n, 0, strip);
    ptrdiff_t C = n->view.n;
    real count = (real)(n->view.outer * n->view.inner);
    for (ptrdiff_t c = p.c; c < p.c + p.n; c++) {
        real first = 0, product = 0;
        for (ptrdiff_t b = 0; b < n->blocks; b++) {
            first += n->partial[2 * b * C + c];
            product += n->partial[(2 * b + 1) * C + c];
        }
        if (n->gy)
            norm_set_backward(n, c, first, product, count);
        else
            norm_set_forward(n, c, first, product, count);
    }
}

/* --- the second pass -------------------------------------------------------------------------- */

/* Both formulas, for elements and for vectors. */
#define NORM_Y(x, mean, scale, offset) (((x) - (mean)) * (scale) + (offset))
#define NORM_GX(g, x, mean, scale, offset, tilt) \
    (((g) - (offset) - ((x) - (mean)) * (tilt)) * (scale))

/* The coefficients of a vector of a run, from element i on: one for each in a row of channels,
 * otherwise one for all. */
static inline vec norm_of(const real *p, ptrdiff_t i, bool row)
{
    return row ? vec_load(p + i) : vec_all(*p);
}

/* Computes `count` adjacent results from `at` on: a row of channels from c on, or a run of channel
 * c. The vectors are explicit because gx may be gy itself, so a compiler would not vectorise the
 * loop. */
static inline void norm_write_run(const Norm *n, ptrdiff_t at, ptrdiff_t count, ptrdiff_t c,
                                  bool row)
{
    const real *x = n->x + at, *g = n->gy ? n->gy + at : NULL, *mean = n->mean_in + c;
    const real *scale = n->scale + c, *offset = n->offset + c, *tilt = n->tilt + c;
    real *y = n->y + at;
    ptrdiff_t i = 0;
    for (; i + VEC <= count; i += VEC) {
        vec m = norm_of(mean, i, row), s = norm_of(scale, i, row), o = norm_of(offset, i, row);
        vec v = vec_load(x + i);
        vec_store(y + i, g ? NORM_GX(vec_load(g + i), v, m, s, o, norm_of(tilt, i, row))
                           : NORM_Y(v, m, s, o));
    }
    for (; i < count; i++) {
        ptrdiff_t k = row ? i : 0;
        y[i] = g ? NORM_GX(g[i], x[i], mean[k], scale[k], offset[k], tilt[k])
                 : NORM_Y(x[i], mean[k], scale[k], offset[k]);
    }
}

static void norm_write(const Norm *n, ptrdiff_t block, ptrdiff_t strip)
{
    NormPlace p = norm_place(n, block, strip);
    ptrdiff_t C = n->view.n, inner = n->view.inner;
    for (ptrdiff_t o = p.begin; o < p.end && n->y; o++)
        if (inner == 1)
            norm_write_run(n, o * C + p.c, p.n, p.c, true);
        else
            norm_write_run(n, (o * C + p.c) * inner, inner, p.c, false);
}

/* --- the passes, divided among threads -------------------------------------------------------- */

/* Task t is block t / strips of strip t % strips; if one thread computes all of a strip, it is
 * strip t. */
static void norm_sum_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Norm *n = ctx;
    for (ptrdiff_t t = begin; t < end; t++)
        norm_sum(n, t / n->strips, t % n->strips);
}

static void norm_write_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Norm *n = ctx;
    for (ptrdiff_t t = begin; t < end; t++)
        norm_write(n, t / n->strips, t % n->strips);
}

static void norm_strip_tasks(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Norm *n = ctx;
    for (ptrdiff_t strip = begin; strip < end; strip++) {
        for (ptrdiff_t b = 0; b < n->blocks; b++)
            norm_sum(n, b, strip);
        norm_set(n, strip);
        for (ptrdiff_t b = 0; b < n->blocks; b++)
            norm_write(n, b, strip);
    }
}

static void norm_run(Norm *n)
{
    ptrdiff_t each = n->rows * n->width * n->view.inner;
    if (n->alone) {
        parallel_for(n->strips, 1 + NORM_BLOCK / 2 / (each * n->blocks + 1), norm_strip_tasks, n);
        return;
    }
    ptrdiff_t grain = 1 + NORM_BLOCK / (each + 1);
    parallel_for(n->blocks * n->strips, grain, norm_sum_tasks, n);
    for (ptrdiff_t strip = 0; strip < n->strips; strip++)
        norm_set(n, strip);
    parallel_for(n->blocks * n->strips, grain, norm_write_tasks, n);
}

/* --- the two kernels -------------------------------------------------------------------------- */

/* Decides how the work is divided; `arrays` is the number of arrays of x's size that are read. */
static void norm_cut(Norm *n, ptrdiff_t arrays)
{
    AxisView v = n->view;
    n->width = v.inner == 1 ? NORM_WIDTH : 1;
    n->strips = ceil_div(v.n, n->width);
    n->alone = n->strips >= NORM_STRIPS && arrays * v.outer * v.inner * n->width <= NORM_CACHE;
    if (!n->alone && v.inner == 1)
        n->width = v.n, n->strips = 1;
    ptrdiff_t each = n->width * v.inner;
    n->rows = max_size(ceil_div(NORM_BLOCK, each), ceil_div(v.outer, NORM_BLOCKS));
    n->blocks = ceil_div(v.outer, n->rows);
}

/* The size of the workspace in bytes. It is one block: if there were two and the second allocation
 * failed, the first would leak. */
static size_t norm_workspace(const Norm *n)
{
    return (size_t)((3 + 2 * n->blocks) * n->view.n) * sizeof(real);
}

static Norm norm_begin(const Tensor *x, const Tensor *gy, const Tensor *w, real eps)
{
    Norm n = {.view = shape_axis_view(x->shape, 1), .x = tensor_read(x), .eps = eps,
              .gy = gy ? tensor_read(gy) : NULL, .w = w ? tensor_read(w) : NULL};
    norm_cut(&n, gy ? 2 : 1);
    n.scale = memory_take(norm_workspace(&n));
    n.offset = n.scale + n.view.n, n.tilt = n.offset + n.view.n, n.partial = n.tilt + n.view.n;
    return n;
}

/* The mean of the first elements of channel c, at most NORM_GUESS, in image 0 or over the rows. */
static real norm_guess(const Norm *n, ptrdiff_t c)
{
    ptrdiff_t step = n->view.inner > 1 ? 1 : n->view.n, k = 0;
    ptrdiff_t most = n->view.inner > 1 ? n->view.inner : n->view.outer;
    real sum = 0;
    for (; k < most && k < NORM_GUESS; k++)
        sum += n->x[c * n->view.inner + k * step];
    return sum / (real)k;
}

void tensor_batch_norm(Tensor *y, Tensor *mean, Tensor *var, const Tensor *x, const Tensor *w,
                       const Tensor *b, real eps)
{
    if (x->shape.dim[1] == 0)
        return;
    Norm n = norm_begin(x, NULL, w, eps);
    n.b = b ? tensor_read(b) : NULL;
    n.y = tensor_write(y), n.mean = tensor_write(mean), n.var = tensor_write(var);
    n.mean_in = n.mean;
    for (ptrdiff_t c = 0; c < n.view.n; c++)
        n.mean[c] = norm_guess(&n, c);
    norm_run(&n);
    memory_give(n.scale, norm_workspace(&n));
}

void tensor_batch_norm_backward(Tensor *gx, Tensor *gw, Tensor *gb, const Tensor *gy,
                                const Tensor *x, const Tensor *w, const Tensor *mean,
                                const Tensor *var, real eps)
{
    if (x->shape.dim[1] == 0)
        return;
    Norm n = norm_begin(x, gy, w, eps);
    n.mean_in = tensor_read(mean), n.var_in = tensor_read(var);
    n.y = gx ? tensor_write(gx) : NULL;
    n.gw = gw ? tensor_write(gw) : NULL;
    n.gb = gb ? tensor_write(gb) : NULL;
    norm_run(&n);
    memory_give(n.scale, norm_workspace(&n));
}
