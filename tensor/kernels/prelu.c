/* tensor/kernels/prelu.c -- the PReLU kernels.
 *
 * x is viewed as (outer, C, inner), where C is the number of channels, or as (1, 1, everything) if
 * there is a single slope. Convolutional activations have long planes (inner = H*W) that share one
 * slope; those of a linear layer have inner = 1, so the C neighbours in a row have C slopes.
 *
 * The sums for the slopes are computed in blocks whose size depends only on the shape: a piece of a
 * plane, or a few rows. The partial sums of the blocks are then added in order, so the result has
 * the same bits for any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/check.h"
#include "tensor/cut.h"
#include "tensor/kernels/activation.h"
#include "tensor/kernels/vec.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

enum { PRELU_BLOCK = 16384, PRELU_LEAST_ROWS = 32, PRELU_MOST_ROWS = 256 };

/* The operands of one pass. Those that the pass does not have are NULL. */
typedef struct Prelu {
    AxisView    view;
    const real *x, *a, *g;
    real       *y, *gx;
    real       *partial; /* partial sums for the slopes: a row of C per block */
    ptrdiff_t   blocks;  /* in a plane; or, if inner is 1, in all rows, … */
    ptrdiff_t   rows;    /* … this many rows each */
} Prelu;

/* Names another axis of x that has as many elements as there are slopes: probably the one meant. */
static const char *prelu_hint(Shape x, ptrdiff_t slopes, char hint[128])
{
    hint[0] = '\0';
    for (int i = 0; i < x.ndim; i++)
        if (i != 1 && x.dim[i] == slopes)
            snprintf(hint, 128, "; axis %d has size %td: transpose it to axis 1 if it holds the "
                     "channels", i, slopes);
    return hint;
}

void tensor_prelu_check(Shape x, Shape a, const char *name, const char *function)
{
    char hint[128];
    ptrdiff_t slopes = shape_count(a);
    if (a.ndim > 1)
        slope_fail(function, "the slopes%s have shape %s; expected (C,), or (1,) or () for one "
                   "shared slope", QUOTED(name), SHAPE_TEXT(a));
    if (slopes == 1)
        return;
    if (x.ndim < 2)
        slope_fail(function, "%td slopes%s need an input (N,C,...) with channels on axis 1, but "
                   "its shape is %s; only one shared slope fits every shape", slopes,
                   QUOTED(name), SHAPE_TEXT(x));
    if (x.dim[1] != slopes)
        slope_fail(function, "%td slopes%s, but axis 1 of the input %s, which holds the channels, "
                   "has size %td; expected 1 slope or %td%s", slopes, QUOTED(name), SHAPE_TEXT(x),
                   x.dim[1], x.dim[1], prelu_hint(x, slopes, hint));
}

static AxisView prelu_view(const Tensor *x, const Tensor *a, const char *function)
{
    tensor_check(x, function), tensor_check(a, function);
    tensor_prelu_check(x->shape, a->shape, "", function);
    if (tensor_count(a) == 1)
        return (AxisView){.outer = 1, .n = 1, .inner = tensor_count(x)};
    return shape_axis_view(x->shape, 1);
}

/* --- elements and vectors of them ------------------------------------------------------------- */

static inline real prelu_value(real x, real a) { return x > 0 ? x : a * x; }
static inline real prelu_gx(real x, real a, real g) { return x > 0 ? g : a * g; }
static inline real prelu_ga(real x, real g) { return x > 0 ? 0 : x * g; }

/* The same for VEC elements. The other branch is discarded bit by bit, so an Inf * 0 there does no
 * harm. */
static inline vec prelu_gx_vec(vec x, vec a, vec g) { return vec_select(x > (vec){0}, g, a * g); }
static inline vec prelu_ga_vec(vec x, vec g) { return vec_select(x > (vec){0}, (vec){0}, x * g); }

/* A run of elements with one slope: writes gx, if requested, and returns the sum for ga, in one
 * pass. */
static real prelu_run_backward(ptrdiff_t n, real *gx, const real *x, real a, const real *g)
{
    vec sum = {0}, slope = vec_all(a);
    ptrdiff_t i = 0;
    for (; i + VEC <= n; i += VEC) {
        vec xs = vec_load(x + i), gs = vec_load(g + i);
        sum += prelu_ga_vec(xs, gs);
        if (gx)
            vec_store(gx + i, prelu_gx_vec(xs, slope, gs));
    }
    real total = vec_sum(sum);
    for (; i < n; i++) {
        total += prelu_ga(x[i], g[i]);
        if (gx)
            gx[i] = prelu_gx(x[i], a, g[i]);
    }
    return total;
}

/* A row of C elements, each with its own slope; ga holds C running sums. */
static void prelu_row_backward(ptrdiff_t C, real *gx, real *ga, const real *x, const real *a,
                               const real *g)
{
    ptrdiff_t c = 0;
    for (; c + VEC <= C; c += VEC) {
        vec xs = vec_load(x + c), gs = vec_load(g + c);
        vec_store(ga + c, vec_load(ga + c) + prelu_ga_vec(xs, gs));
        if (gx)
            vec_store(gx + c, prelu_gx_vec(xs, vec_load(a + c), gs));
    }
    for (; c < C; c++) {
        ga[c] += prelu_ga(x[c], g[c]);
        if (gx)
            gx[c] = prelu_gx(x[c], a[c], g[c]);
    }
}

/* --- planes: blocks of one channel ------------------------------------------------------------ */

/* A block: its channel, its first element, its length, and the index of its partial sum. */
typedef struct PreluBlock {
    ptrdiff_t channel, start, n, partial;
} PreluBlock;

static PreluBlock prelu_block(const Prelu *p, ptrdiff_t t)
{
    ptrdiff_t plane = t / p->blocks, piece = t % p->blocks, C = p->view.n;
    ptrdiff_t first = piece * PRELU_BLOCK, left = p->view.inner - first;
    return (PreluBlock){.channel = plane % C,
                        .start = plane * p->view.inner + first,
                        .n = min_size(PRELU_BLOCK, left),
                        .partial = (plane / C * p->blocks + piece) * C + plane % C};
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
        p->partial[b.partial] =
            prelu_run_backward(b.n, p->gx ? p->gx + b.start : NULL, p->x + b.start,
                               p->a[b.channel], p->g + b.start);
    }
}

/* --- rows: each element belongs to a different channel ---------------------------------------- */

static void prelu_forward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Prelu *p = ctx;
    ptrdiff_t C = p->view.n;
    for (ptrdiff_t i = begin; i < end; i++)
        for (ptrdiff_t c = 0; c < C; c++)
            p->y[i * C + c] = prelu_value(p->x[i * C + c], p->a[c]);
}

/* Rows [begin, end) are one block: p->rows of them, or fewer at the end. */
static void prelu_backward_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const Prelu *p = ctx;
    ptrdiff_t C = p->view.n;
    real *ga = p->partial + begin / p->rows * C;
    memset(ga, 0, (size_t)C * sizeof(real));
    for (ptrdiff_t i = begin; i < end; i++)
        prelu_row_backward(C, p->gx ? p->gx + i * C : NULL, ga, p->x + i * C, p->a, p->g + i * C);
}

/* --- whole tensors ---------------------------------------------------------------------------- */

/* The number of rows of C elements per block: large enough for few rows of partial sums, small
 * enough for short sums. */
static ptrdiff_t prelu_rows_of(ptrdiff_t C)
{
    ptrdiff_t rows = PRELU_BLOCK / 2 / (C + 1);
    return min_size(PRELU_MOST_ROWS, max_size(PRELU_LEAST_ROWS, rows));
}

static Prelu prelu_plan(const Tensor *x, const Tensor *a, const char *function)
{
    Prelu p = {.view = prelu_view(x, a, function), .x = tensor_read(x), .a = tensor_read(a)};
    p.rows = prelu_rows_of(p.view.n);
    p.blocks = p.view.inner == 1 ? ceil_div(p.view.outer, p.rows)
                                 : ceil_div(p.view.inner, PRELU_BLOCK);
    return p;
}

/* The number of blocks or rows, of about `each` elements, that a thread takes at a time. */
static ptrdiff_t prelu_grain(ptrdiff_t each)
{
    return each >= PRELU_BLOCK ? 1 : PRELU_BLOCK / (each + 1) + 1;
}

void tensor_prelu(Tensor *y, const Tensor *x, const Tensor *a)
{
    tensor_check(y, "tensor_prelu");
    Prelu p = prelu_plan(x, a, "tensor_prelu");
    p.y = tensor_write(y);
    AxisView v = p.view;
    if (v.inner == 1)
        parallel_for(v.outer, prelu_grain(v.n), prelu_forward_rows, &p);
    else
        parallel_for(v.outer * v.n * p.blocks, prelu_grain(v.inner), prelu_forward_planes, &p);
}

/* ga (C) = the sum of partial (blocks, C), in the order of the blocks. */
static void prelu_add_blocks(real *ga, const real *partial, ptrdiff_t blocks, ptrdiff_t C)
{
    memset(ga, 0, (size_t)C * sizeof(real));
    for (ptrdiff_t b = 0; b < blocks; b++)
        for (ptrdiff_t c = 0; c < C; c++)
            ga[c] += partial[b * C + c];
}

void tensor_prelu_backward(Tensor *gx, Tensor *ga, const Tensor *x, const Tensor *a,
                           const Tensor *g)
{
    tensor_check(g, "tensor_prelu_backward");
    Prelu p = prelu_plan(x, a, "tensor_prelu_backward");
    p.g = tensor_read(g);
    p.gx = gx ? tensor_write(gx) : NULL;
    AxisView v = p.view;
    bool rows = v.inner == 1;
    ptrdiff_t blocks = rows ? p.blocks : v.outer * p.blocks;
    size_t bytes = (size_t)(blocks * v.n) * sizeof(real);
    p.partial = memory_take(bytes);
    if (rows)
        parallel_for(v.outer, p.rows, prelu_backward_rows, &p);
    else
        parallel_for(blocks * v.n, prelu_grain(v.inner), prelu_backward_planes, &p);
    if (ga)
        prelu_add_blocks(tensor_write(ga), p.partial, blocks, v.n);
    memory_give(p.partial, bytes);
}
