/* tensor/kernels/norm.c -- the batch normalisation kernels.
 *
 * Both directions need two sums per channel. The forward pass sums d = x - s and d^2, where s is an
 * estimate of the channel's mean from a few of its elements; the backward pass sums gy and gy d,
 * where s is the mean itself. The first pair gives
 *
 *      mean = s + E[d],   variance = E[d^2] - E[d]^2
 *
 * in one pass. The difference cancels if s is far from the mean, as it is if the elements of the
 * estimate are not typical. The sums themselves reveal this; they are then computed again, with s
 * set to the mean that they gave.
 *
 * A mean that is rounded to a float is off by up to half an ulp of x, which is many ulps of
 * x - mean if the mean is large. Therefore what was lost in rounding is stored as well, and both
 * directions correct for it.
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
#include "tensor/kernels/norm_sums.h"
#include "tensor/kernels/vec.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum {
    NORM_GUESS = 16,      /* elements from which a mean is estimated */
    NORM_BLOCK = 16384,   /* about this many elements are worth a task, … */
    NORM_BLOCKS = 64,     /* … but there are at most this many blocks */
    NORM_WIDTH = 32,      /* channels of a row that one thread computes alone, … */
    NORM_STRIPS = 8,      /* … if there are at least this many strips, … */
    NORM_CACHE = 1 << 18, /* … and each has at most this many elements */
};

typedef struct Norm {
    AxisView    view; /* outer, C = n, inner */
    const real *x, *gy, *w, *b, *mean_in, *lost_in, *var_in;
    real       *y;                        /* or gx; NULL if not requested */
    real       *mean, *lost, *var;        /* (C): results; mean is also the shift s */
    real       *gw, *gb;                  /* (C): results; NULL if not requested */
    real       *scale, *offset, *tilt;    /* (C): the coefficients of the second pass */
    double     *partial;                  /* (blocks, 2, C) */
    double      share;                    /* 1 / elements per channel */
    ptrdiff_t   rows, blocks;             /* along `outer`: rows per block, number of blocks */
    ptrdiff_t   width, strips;            /* channels per strip, number of strips */
    bool        alone;                    /* does one thread compute all of a strip? */
    real        eps;
} Norm;

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

/* --- the first pass --------------------------------------------------------------------------- */

/* Computes the two partial sums of each channel of a strip in a block. */
static void norm_sum(const Norm *n, ptrdiff_t block, ptrdiff_t strip)
{
    NormPlace p = norm_place(n, block, strip);
    AxisView part = {.outer = p.end - p.begin, .n = p.n, .inner = n->view.inner};
    ptrdiff_t C = n->view.n, at = (p.begin * C + p.c) * n->view.inner;
    double *first = n->partial + 2 * block * C + p.c;
    tensor_norm_sums(first, first + C, n->x + at, n->gy ? n->gy + at : NULL, part,
                     C * n->view.inner, n->mean_in + p.c);
}

/* --- from the sums to the coefficients of the second pass ------------------------------------- */

/* Forward: y = (x - mean) scale + offset. Returns false if the shift was so far from the mean that
 * the variance is not accurate. */
static bool norm_set_forward(const Norm *n, ptrdiff_t c, double first, double product)
{
    double d = first * n->share, v = product * n->share - d * d, shift = (double)n->mean[c];
    v = v < 0 ? 0 : v; /* v < 0 is a rounding error; NaN stays NaN */
    double scale = 1 / sqrt(v + (double)n->eps) * (n->w ? (double)n->w[c] : 1);
    n->mean[c] = (real)(shift + d);
    n->lost[c] = (real)(d - ((double)n->mean[c] - shift));
    n->var[c] = (real)v;
    n->scale[c] = (real)scale;
    n->offset[c] = (real)((n->b ? (double)n->b[c] : 0) - (double)n->lost[c] * scale);
    return !(d * d > v); /* then at most one bit is lost */
}

/* Backward: gx = (gy - offset - (x - mean) tilt) scale. */
static void norm_set_backward(const Norm *n, ptrdiff_t c, double first, double product)
{
    double rstd = 1 / sqrt((double)n->var_in[c] + (double)n->eps), lost = (double)n->lost_in[c];
    product -= first * lost;
    double tilt = product * n->share * rstd * rstd;
    if (n->gb)
        n->gb[c] = (real)first;
    if (n->gw)
        n->gw[c] = (real)(product * rstd);
    n->scale[c] = (real)(rstd * (n->w ? (double)n->w[c] : 1));
    n->offset[c] = (real)(first * n->share - lost * tilt);
    n->tilt[c] = (real)tilt;
}

/* Adds up the partial sums of a strip, in the order of the blocks. Returns false if they must be
 * computed again. */
static bool norm_set(const Norm *n, ptrdiff_t strip)
{
    NormPlace p = norm_place(n, 0, strip);
    ptrdiff_t C = n->view.n;
    bool accurate = true;
    for (ptrdiff_t b = 1; b < n->blocks; b++)
        for (ptrdiff_t c = p.c; c < p.c + p.n; c++) {
            n->partial[c] += n->partial[2 * b * C + c];
            n->partial[C + c] += n->partial[(2 * b + 1) * C + c];
        }
    for (ptrdiff_t c = p.c; c < p.c + p.n; c++)
        if (n->gy)
            norm_set_backward(n, c, n->partial[c], n->partial[C + c]);
        else
            accurate &= norm_set_forward(n, c, n->partial[c], n->partial[C + c]);
    return accurate;
}

/* --- the second pass -------------------------------------------------------------------------- */

/* Both formulas, for elements and for vectors. */
#define NORM_Y(x, mean, scale, offset) (((x) - (mean)) * (scale) + (offset))
#define NORM_GX(g, x, mean, scale, offset, tilt) \
    (((g) - (offset) - ((x) - (mean)) * (tilt)) * (scale))

/* The coefficients of the vector that begins at element i of a run: in a row of channels one for
 * each element, otherwise one for all. */
static inline vec norm_of(const real *p, ptrdiff_t i, bool row)
{
    return row ? vec_load(p + i) : vec_all(*p);
}

/* Computes `count` adjacent results, starting at offset `at`: a row of channels starting with c, or
 * a run of channel c. The vectors are explicit because gx may be gy itself, so a compiler would not
 * vectorise the loop. */
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

/* Task t is block t / strips of strip t % strips or, if one thread computes all of a strip, strip
 * t. */
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
        bool accurate = false;
        for (int again = 0; again < 2 && !accurate; again++) {
            for (ptrdiff_t b = 0; b < n->blocks; b++)
                norm_sum(n, b, strip);
            accurate = norm_set(n, strip);
        }
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
    bool accurate = false;
    for (int again = 0; again < 2 && !accurate; again++) {
        parallel_for(n->blocks * n->strips, grain, norm_sum_tasks, n);
        accurate = true;
        for (ptrdiff_t strip = 0; strip < n->strips; strip++)
            accurate &= norm_set(n, strip);
    }
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
        n->width = min_size(v.n, NORM_SUMS), n->strips = ceil_div(v.n, n->width);
    ptrdiff_t each = n->width * v.inner;
    n->rows = max_size(ceil_div(NORM_BLOCK, each), ceil_div(v.outer, NORM_BLOCKS));
    n->blocks = ceil_div(v.outer, n->rows);
}

/* The size of the workspace in bytes. It is one block: if there were two and the second allocation
 * failed, the first would leak. */
static size_t norm_workspace(const Norm *n)
{
    return (size_t)n->view.n * ((size_t)n->blocks * 2 * sizeof(double) + 3 * sizeof(real));
}

static Norm norm_begin(const Tensor *x, const Tensor *gy, const Tensor *w, real eps)
{
    Norm n = {.view = shape_axis_view(x->shape, 1), .x = tensor_read(x), .eps = eps,
              .gy = gy ? tensor_read(gy) : NULL, .w = w ? tensor_read(w) : NULL};
    norm_cut(&n, gy ? 2 : 1);
    n.share = 1 / (double)(n.view.outer * n.view.inner);
    n.partial = memory_take(norm_workspace(&n));
    n.scale = (real *)(n.partial + n.blocks * 2 * n.view.n);
    n.offset = n.scale + n.view.n, n.tilt = n.offset + n.view.n;
    return n;
}

/* Estimates the means from elements that are spread over all images or rows. An estimate is
 * exact if all elements are equal. */
static void norm_guess(const Norm *n)
{
    ptrdiff_t C = n->view.n, inner = n->view.inner, count = n->view.outer * inner;
    double *sum = n->partial; /* of the differences from the first element */
    memset(sum, 0, (size_t)C * sizeof *sum);
    for (ptrdiff_t k = 1; k < NORM_GUESS; k++) {
        ptrdiff_t at = part_begin(count, NORM_GUESS, k); /* not always the same place of an image */
        ptrdiff_t i = at / inner * C * inner + (at + 7 * k) % inner;
        for (ptrdiff_t c = 0; c < C; c++)
            sum[c] += (double)(n->x[c * inner + i] - n->x[c * inner]);
    }
    for (ptrdiff_t c = 0; c < C; c++)
        n->mean[c] = n->x[c * inner] + (real)(sum[c] / NORM_GUESS);
}

void tensor_batch_norm(Tensor *y, Tensor *mean, Tensor *lost, Tensor *var, const Tensor *x,
                       const Tensor *w, const Tensor *b, real eps)
{
    tensor_check(x, "tensor_batch_norm");
    if (x->shape.dim[1] == 0)
        return;
    Norm n = norm_begin(x, NULL, w, eps);
    n.b = b ? tensor_read(b) : NULL;
    n.y = tensor_write(y), n.var = tensor_write(var);
    n.mean_in = n.mean = tensor_write(mean), n.lost = tensor_write(lost);
    norm_guess(&n);
    norm_run(&n);
    memory_give(n.partial, norm_workspace(&n));
}

void tensor_batch_norm_backward(Tensor *gx, Tensor *gw, Tensor *gb, const Tensor *gy,
                                const Tensor *x, const Tensor *w, const Tensor *mean,
                                const Tensor *lost, const Tensor *var, real eps)
{
    tensor_check(x, "tensor_batch_norm_backward"), tensor_check(gy, "tensor_batch_norm_backward");
    if (x->shape.dim[1] == 0)
        return;
    Norm n = norm_begin(x, gy, w, eps);
    n.mean_in = tensor_read(mean), n.lost_in = tensor_read(lost), n.var_in = tensor_read(var);
    n.y = gx ? tensor_write(gx) : NULL;
    n.gw = gw ? tensor_write(gw) : NULL;
    n.gb = gb ? tensor_write(gb) : NULL;
    norm_run(&n);
    memory_give(n.partial, norm_workspace(&n));
}
