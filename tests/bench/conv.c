/* tests/bench/conv.c -- the two convolutions of ConvNetPReLU, 3x3 with padding 1, batch 64.
 *
 *  - conv_fwd_a, conv_bwd_a: 3 -> 64 channels at 32x32; _b: 64 -> 128 at 16x16. With bias.
 *  - Backward computes all three gradients: of the input, the weight and the bias.
 *  - They are called as ops on the tape, as PyTorch's are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

#include <math.h>

typedef struct ConvBench {
    size_t  mark;
    Var    *x, *w, *b, *y, *gy; /* (N,C,H,H) (O,C,3,3) (O) (N,O,H,H) */
    ptrdiff_t N, C, H, O;
} ConvBench;

static void *conv_make(const Bench *bench)
{
    ConvBench *c = memory_new(sizeof *c);
    c->mark = tape_mark();
    c->N = 64, c->C = bench->size[0], c->O = bench->size[1], c->H = bench->size[2];
    c->x = bench_leaf(SHAPE(c->N, c->C, c->H, c->H));
    c->w = bench_leaf(SHAPE(c->O, c->C, 3, 3));
    c->b = bench_leaf(SHAPE(c->O));
    c->gy = bench_leaf(SHAPE(c->N, c->O, c->H, c->H));
    c->y = var_conv2d(c->x, c->w, c->b, conv2d_padding(1));
    return c;
}

static void conv_forward_run(void *state)
{
    ConvBench *c = state;
    size_t mark = tape_mark();
    var_conv2d(c->x, c->w, c->b, conv2d_padding(1));
    tape_rewind(mark);
}

static void conv_backward_run(void *state)
{
    ConvBench *c = state;
    size_t mark = tape_mark();
    Var *grads[3];
    var_grad_with(c->y, c->gy, VARS(c->x, c->w, c->b), GRAD_ONLY, grads);
    tape_rewind(mark);
}

/* --- the same from the definition, one element at a time -------------------------------------- */

/* An element of x (N,C,H,H), 0 outside. */
static double conv_at(const Var *x, ptrdiff_t n, ptrdiff_t c, ptrdiff_t h, ptrdiff_t w)
{
    Shape s = var_shape(x);
    if (h < 0 || h >= s.dim[2] || w < 0 || w >= s.dim[3])
        return 0;
    return (double)tensor_read(x->value)[((n * s.dim[1] + c) * s.dim[2] + h) * s.dim[3] + w];
}

static double conv_weight(const ConvBench *c, ptrdiff_t o, ptrdiff_t ch, ptrdiff_t r, ptrdiff_t s)
{
    return (double)tensor_read(c->w->value)[((o * c->C + ch) * 3 + r) * 3 + s];
}

static void conv_expect_y(const ConvBench *c, ptrdiff_t n, ptrdiff_t o, ptrdiff_t p, ptrdiff_t q)
{
    double sum = (double)tensor_read(c->b->value)[o], size = fabs(sum);
    for (ptrdiff_t i = 0; i < c->C * 9; i++) {
        ptrdiff_t ch = i / 9, r = i / 3 % 3, s = i % 3;
        double term = conv_weight(c, o, ch, r, s) * conv_at(c->x, n, ch, p + r - 1, q + s - 1);
        sum += term, size += fabs(term);
    }
    bench_expect("conv_fwd: an element of y", conv_at(c->y, n, o, p, q), sum, size);
}

static void conv_expect_gx(const ConvBench *c, const Var *gx, ptrdiff_t n, ptrdiff_t ch,
                           ptrdiff_t h, ptrdiff_t w)
{
    double sum = 0, size = 0;
    for (ptrdiff_t i = 0; i < c->O * 9; i++) {
        ptrdiff_t o = i / 9, r = i / 3 % 3, s = i % 3;
        double term = conv_weight(c, o, ch, r, s) * conv_at(c->gy, n, o, h - r + 1, w - s + 1);
        sum += term, size += fabs(term);
    }
    bench_expect("conv_bwd: an element of gx", conv_at(gx, n, ch, h, w), sum, size);
}

/* gw[o,ch,r,s], or gb[o] if ch is -1, as if x were 1. */
static void conv_expect_gw(const ConvBench *c, double found, ptrdiff_t o, ptrdiff_t ch, ptrdiff_t r,
                           ptrdiff_t s)
{
    double sum = 0, size = 0;
    for (ptrdiff_t i = 0; i < c->N * c->H * c->H; i++) {
        ptrdiff_t n = i / (c->H * c->H), p = i / c->H % c->H, q = i % c->H;
        double x = ch < 0 ? 1 : conv_at(c->x, n, ch, p + r - 1, q + s - 1);
        double term = x * conv_at(c->gy, n, o, p, q);
        sum += term, size += fabs(term);
    }
    bench_expect(ch < 0 ? "conv_bwd: an element of gb" : "conv_bwd: an element of gw", found, sum,
                 size);
}

/* Checks five elements, spread over y and its edges. */
static void conv_forward_check(void *state)
{
    ConvBench *c = state;
    for (ptrdiff_t i = 0; i < 5; i++)
        conv_expect_y(c, i * (c->N - 1) / 4, (4 - i) * (c->O - 1) / 4, i * (c->H - 1) / 4,
                      i * 3 % 5 * (c->H - 1) / 4);
}

static void conv_backward_check(void *state)
{
    ConvBench *c = state;
    Var *grads[3];
    var_grad_with(c->y, c->gy, VARS(c->x, c->w, c->b), GRAD_ONLY, grads);
    for (ptrdiff_t i = 0; i < 5; i++) {
        ptrdiff_t o = i * (c->O - 1) / 4, ch = (4 - i) * (c->C - 1) / 4, r = i % 3, s = i * 2 % 3;
        conv_expect_gx(c, grads[0], i * (c->N - 1) / 4, ch, i * (c->H - 1) / 4,
                       i * 3 % 5 * (c->H - 1) / 4);
        const real *gw = tensor_read(grads[1]->value), *gb = tensor_read(grads[2]->value);
        conv_expect_gw(c, (double)gw[((o * c->C + ch) * 3 + r) * 3 + s], o, ch, r, s);
        conv_expect_gw(c, (double)gb[o], o, -1, 0, 0);
    }
}

static void conv_drop(void *state)
{
    ConvBench *c = state;
    tape_rewind(c->mark);
    memory_free(c);
}

/* Forward reads x and w and writes y; backward reads gy and w and writes gx, then reads gy and x
 * and writes gw, with gb along the way. */
static void conv_add(char which, ptrdiff_t C, ptrdiff_t O, ptrdiff_t H)
{
    double x = 64.0 * (double)(C * H * H), y = 64.0 * (double)(O * H * H), w = (double)(O * C * 9);
    double flops = 2 * y * (double)(C * 9);
    Bench b = {.size = {C, O, H}, .make = conv_make, .drop = conv_drop};
    snprintf(b.name, sizeof b.name, "conv_fwd_%c", which);
    b.work = (Work){flops, (x + w + y) * (double)sizeof(real)};
    b.run = conv_forward_run, b.check = conv_forward_check;
    bench_add(b);
    snprintf(b.name, sizeof b.name, "conv_bwd_%c", which);
    b.work = (Work){2 * flops, 2 * (x + w + y) * (double)sizeof(real)};
    b.run = conv_backward_run, b.check = conv_backward_check;
    bench_add(b);
}

void convs_add(void)
{
    conv_add('a', 3, 64, 32);
    conv_add('b', 64, 128, 16);
}
