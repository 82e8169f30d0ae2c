/* tensor/prelu.c -- the PReLU kernels.
 *
 * x is seen as (outer, C, inner), C the channels, or (1, 1, everything) with a shared slope.
 * Convolutional activations have long planes (inner = H*W) that share one slope; those of a
 * linear layer have inner = 1, so a row of C neighbours meets C slopes.
 *
 * The sum for a slope is cut into blocks of fixed size, each block sums in fixed lanes, and the
 * blocks' partial sums are added in order: the same bits on any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/activation.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum { PRELU_BLOCK = 16384, PRELU_LANES = 16, PRELU_ROWS = 32 };

/* One pass's operands. y and gx, ga, g are NULL where the pass has none. */
typedef struct Prelu {
    AxisView    view;
    const real *x, *a, *g;
    real       *y, *gx;
    real       *partial; /* sums for the slopes: (blocks, channels) */
    ptrdiff_t   blocks_per_plane;
} Prelu;

static AxisView prelu_view(const Tensor *x, const Tensor *a, const char *function)
{
    if (tensor_count(a) == 1)
        return (AxisView){.outer = 1, .n = 1, .inner = tensor_count(x)};
    if (x->shape.ndim < 2 || x->shape.dim[1] != tensor_count(a))
        slope_fail(function, "%td slopes do not fit shape %s", tensor_count(a),
                   SHAPE_TEXT(x->shape));
    return axis_view(x->shape, 1);
}

static inline real prelu_value(real x, real a) { return x > 0 ? x : a * x; }
static inline real prelu_gx(real x, real a, real g) { return x > 0 ? g : a * g; }
static inline real prelu_ga(real x, real g) { return x > 0 ? 0 : x * g; }

/* --- one run of elements ---------------------------------------------------------------------- */

/* A run with one slope: gx (if wanted) and the sum for ga in one pass. */
static real prelu_plane_backward(ptrdiff_t n, real *gx, const real *x, real a, const real *g)
{
    real lane[PRELU_LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + PRELU_LANES <= n; i += PRELU_LANES) {
        for (int j = 0; j < PRELU_LANES; j++)
            lane[j] += prelu_ga(x[i + j], g[i + j]);
        for (int j = 0; gx && j < PRELU_LANES; j++)
            gx[i + j] = prelu_gx(x[i + j], a, g[i + j]);
    }
    for (; i < n; i++) {
        lane[i % PRELU_LANES] += prelu_ga(x[i], g[i]);
        if (gx)
            gx[i] = prelu_gx(x[i], a, g[i]);
    }
    for (int half = PRELU_LANES / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0];
}

/* A row of C neighbours, each with its own slope; ga is a row of running sums. */
static void prelu_row_backward(ptrdiff_t C, real *gx, real *ga, const real *x, const real *a,
                               const real *g)
{
    for (ptrdiff_t c = 0; c < C; c++)
        ga[c] += prelu_ga(x[c], g[c]);
    for (ptrdiff_t c = 0; gx && c < C; c++)
        gx[c] = prelu_gx(x[c], a[c], g[c]);
}

/* --- planes: blocks of one channel ------------------------------------------------------------ */

/* Block number t: which channel, where it starts, how long it is. */
typedef struct PreluBlock {
    ptrdiff_t channel, start, n;
} PreluBlock;

static PreluBlock prelu_block(const Prelu *p, ptrdiff_t t)
{
    ptrdiff_t plane = t / p->blocks_per_plane, first = t % p->blocks_per_plane * PRELU_BLOCK;
    ptrdiff_t left = p->view.inner - first;
    return (PreluBlock){.channel = plane % p->view.n,
                        .start = plane * p->view.inner + first,
                        .n = left < PRELU_BLOCK ? left : PRELU_BLOCK};
}

static void prelu_forward_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Prelu *p = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        PreluBlock b = prelu_block(p, t);
        const real *x = p->x + b.start;
        real *y = p->y + b.start, a = p->a[b.channel];
        for (ptrdiff_t i = 0; i < b.n; i++)
            y[i] = prelu_value(x[i], a);
    }
}

static void prelu_backward_planes(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Prelu *p = ctx;
    for (ptrdiff_t t = begin; t < end; t++) {
        PreluBlock b = prelu_block(p, t);
        p->partial[t] = prelu_plane_backward(b.n, p->gx ? p->gx + b.start : NULL, p->x + b.start,
                                             p->a[b.channel], p->g + b.start);
    }
}

/* partial (outer, C, blocks_per_plane) summed to ga (C), in order. */
static void prelu_sum_planes(const Prelu *p, real *ga)
{
    ptrdiff_t blocks = p->blocks_per_plane, C = p->view.n;
    memset(ga, 0, (size_t)C * sizeof(real));
    for (ptrdiff_t i = 0; i < p->view.outer * C; i++)
        for (ptrdiff_t b = 0; b < blocks; b++)
            ga[i % C] += p->partial[i * blocks + b];
}

/* --- rows: every neighbour another channel ---------------------------------------------------- */

static void prelu_forward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Prelu *p = ctx;
    ptrdiff_t C = p->view.n;
    for (ptrdiff_t i = begin; i < end; i++)
        for (ptrdiff_t c = 0; c < C; c++)
            p->y[i * C + c] = prelu_value(p->x[i * C + c], p->a[c]);
}

/* Rows [begin, end) are one block of PRELU_ROWS (or the shorter last). */
static void prelu_backward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Prelu *p = ctx;
    ptrdiff_t C = p->view.n;
    real *ga = p->partial + begin / PRELU_ROWS * C;
    memset(ga, 0, (size_t)C * sizeof(real));
    for (ptrdiff_t i = begin; i < end; i++)
        prelu_row_backward(C, p->gx ? p->gx + i * C : NULL, ga, p->x + i * C, p->a, p->g + i * C);
}

static void prelu_sum_rows(const Prelu *p, real *ga)
{
    ptrdiff_t C = p->view.n, blocks = (p->view.outer + PRELU_ROWS - 1) / PRELU_ROWS;
    memset(ga, 0, (size_t)C * sizeof(real));
    for (ptrdiff_t b = 0; b < blocks; b++)
        for (ptrdiff_t c = 0; c < C; c++)
            ga[c] += p->partial[b * C + c];
}

/* --- whole tensors ---------------------------------------------------------------------------- */

static Prelu prelu_plan(const Tensor *x, const Tensor *a, const char *function)
{
    Prelu p = {.view = prelu_view(x, a, function), .x = tensor_read(x), .a = tensor_read(a)};
    p.blocks_per_plane = (p.view.inner + PRELU_BLOCK - 1) / PRELU_BLOCK;
    return p;
}

/* How many units (blocks or rows) of about `each` elements one thread takes at a time. */
static ptrdiff_t prelu_grain(ptrdiff_t each)
{
    return each >= PRELU_BLOCK ? 1 : PRELU_BLOCK / (each + 1) + 1;
}

void prelu_forward(Tensor *y, const Tensor *x, const Tensor *a)
{
    Prelu p = prelu_plan(x, a, "prelu_forward");
    p.y = tensor_write(y);
    AxisView v = p.view;
    if (v.inner == 1)
        parallel_for(v.outer, prelu_grain(v.n), prelu_forward_rows, &p);
    else
        parallel_for(v.outer * v.n * p.blocks_per_plane, prelu_grain(v.inner),
                     prelu_forward_planes, &p);
}

void prelu_backward(Tensor *gx, Tensor *ga, const Tensor *x, const Tensor *a, const Tensor *g)
{
    Prelu p = prelu_plan(x, a, "prelu_backward");
    p.g = tensor_read(g);
    p.gx = gx ? tensor_write(gx) : NULL;
    AxisView v = p.view;
    bool rows = v.inner == 1;
    ptrdiff_t blocks = rows ? (v.outer + PRELU_ROWS - 1) / PRELU_ROWS
                            : v.outer * p.blocks_per_plane;
    size_t bytes = (size_t)(blocks * v.n) * sizeof(real);
    p.partial = pool_take(bytes);
    if (rows)
        parallel_for(v.outer, PRELU_ROWS, prelu_backward_rows, &p);
    else
        parallel_for(blocks * v.n, prelu_grain(v.inner), prelu_backward_planes, &p);
    if (ga && rows)
        prelu_sum_rows(&p, tensor_write(ga));
    else if (ga)
        prelu_sum_planes(&p, tensor_write(ga));
    pool_give(p.partial, bytes);
}
