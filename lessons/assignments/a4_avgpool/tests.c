/* lessons/assignments/a4_avgpool/tests.c -- what average pooling and its adjoint must do;
 * points.txt assigns the points.
 *
 * Each test varies one thing, so that one mistake costs its own points and no more; only the hidden
 * tests mix everything. Refusals must contain the numbers that do not fit, which the judge draws.
 *
 * SPDX-License-Identifier: MIT
 */
#include "expected.c"

/* --- 1: pooling ------------------------------------------------------------------------------- */

static void check_usual_stride(PoolOp op)
{
    Pooling p = square(8, 3, 0, 0, true);
    judge_suspect(USUAL_STRIDE);
    check_accepted("a stride of {0, 0}, which means the kernel's size,", op, p);
    check_values(op, p);
}

START_TEST(pool_values)
{
    check_values(POOL, square(6, 2, 1, 0, true));
    check_values(POOL, square(6, 3, 1, 0, false));
    check_values(POOL, square(9, 5, 1, 0, true));
}
END_TEST

START_TEST(pool_strides)
{
    Pool2dOptions o = {.kernel = {3, 3}, .stride = {2, 1}};
    check_values(POOL, square(7, 3, 2, 0, true));
    check_values(POOL, square(8, 3, 2, 0, true)); /* the last row and column are in no window */
    check_values(POOL, square(8, 2, 3, 0, true));
    check_usual_stride(POOL);
    check_values(POOL, pooling(SHAPE(2, 3, 8, 8), o, true));
}
END_TEST

START_TEST(pool_rectangles)
{
    Pool2dOptions o = {.kernel = {2, 4}, .stride = {1, 1}}, high = {{4, 2}, {1, 1}, {0, 0}};
    check_values(POOL, pooling(SHAPE(2, 3, 5, 8), (Pool2dOptions){{3, 3}, {1, 1}, {0, 0}}, true));
    check_values(POOL, pooling(SHAPE(2, 3, 6, 6), o, true));
    check_values(POOL, pooling(SHAPE(2, 3, 5, 8), o, true));
    check_values(POOL, pooling(SHAPE(2, 3, 8, 5), o, true));
    check_values(POOL, pooling(SHAPE(2, 3, 8, 5), high, true));
}
END_TEST

/* Paddings of all kinds, with stride 1. */
static void check_paddings(bool count_include_pad)
{
    Pool2dOptions o = {.kernel = {4, 4}, .stride = {1, 1}, .padding = {2, 1}};
    check_values(POOL, square(6, 3, 1, 1, count_include_pad));
    check_values(POOL, square(6, 2, 1, 1, count_include_pad));
    check_values(POOL, square(5, 5, 1, 2, count_include_pad));
    check_values(POOL, square(2, 4, 1, 2, count_include_pad)); /* beyond both borders */
    check_values(POOL, pooling(SHAPE(2, 3, 6, 6), o, count_include_pad));
}

START_TEST(pool_padding)
{
    check_paddings(true);
}
END_TEST

START_TEST(pool_excluded)
{
    check_paddings(false);
}
END_TEST

/* The same shape (2,3,side,side) in several layouts. */
static void check_layouts(PoolOp op, Pooling p)
{
    Shape s = op == POOL ? p.x : p.y;
    ptrdiff_t side = s.dim[2];
    Var *wide = judge_input(SHAPE(2, 3, side, 2 * side + 1), -2, 2);
    Var *last = judge_input(SHAPE(2, side, side, 3), -2, 2); /* channels last */
    check_values_of(op, p, var_transpose(judge_input(s, -2, 2), 2, 3));
    check_values_of(op, p, var_slice(wide, 3, 1, 2 * side + 1, 2));
    check_values_of(op, p, var_permute(last, (const int[]){0, 3, 1, 2}));
    check_values_of(op, p, var_expand(judge_input(SHAPE(2, 1, 1, side), -2, 2), s));
}

START_TEST(pool_layouts)
{
    check_layouts(POOL, square(6, 3, 1, 0, true));
}
END_TEST

START_TEST(pool_sizes)
{
    Pool2dOptions o = {.kernel = {3, 3}, .stride = {1, 1}};
    check_values(POOL, square(4, 1, 1, 0, true));
    check_values(POOL, square(5, 5, 1, 0, true));
    check_values(POOL, square(1, 1, 1, 0, false));
    check_values(POOL, pooling(SHAPE(0, 3, 5, 5), o, true));
    check_values(POOL, pooling(SHAPE(2, 0, 5, 5), o, true));
}
END_TEST

/* --- 2: its adjoint --------------------------------------------------------------------------- */

START_TEST(scatter_values)
{
    check_values(SCATTER, square(6, 2, 2, 0, true));
    check_values(SCATTER, square(8, 2, 3, 0, true)); /* elements between windows receive nothing */
    check_usual_stride(SCATTER); /* nor do those after the last window */
}
END_TEST

START_TEST(scatter_overlap)
{
    check_values(SCATTER, square(6, 3, 1, 0, true));
    check_values(SCATTER, square(7, 3, 2, 0, true));
}
END_TEST

START_TEST(scatter_padding)
{
    for (int i = 0; i < 2; i++) {
        check_values(SCATTER, square(6, 2, 2, 1, i));
        check_values(SCATTER, square(7, 3, 3, 1, i));
    }
}
END_TEST

START_TEST(scatter_layouts)
{
    check_layouts(SCATTER, square(8, 2, 2, 0, true));
}
END_TEST

/* --- 3: derivatives --------------------------------------------------------------------------- */

/* Without padding or overlap, so that mistakes that parts 1 and 2 find cost nothing here. */
static Pooling plain(void)
{
    return square(6, 2, 2, 0, true);
}

/* With padding; without it, y would have the same shape. */
static Pooling padded(bool count_include_pad)
{
    return square(8, 2, 3, 1, count_include_pad);
}

/* Do both kernels handle padding correctly? If not, parts 1 and 2 report it, and the rules, which
 * call the kernels, are tested without padding. */
static bool pads(bool count_include_pad)
{
    Pooling p = padded(count_include_pad);
    return computes(POOL, p) && computes(SCATTER, p);
}

#define NOTHING_ARRIVED "does the backward rule of each op SEND a gradient to its input?"
#define NOT_IN_OPS                                                                          \
    "the backward rule must call the other op, not compute the gradient in a loop: only then " \
    "can the gradient itself be differentiated"

/* The gradient of <gy, the op's result>. */
static void check_gradient_as(PoolOp op, Pooling p, bool rule)
{
    Var *in = input(op, p), *gy = input(other(op), p);
    Var *got = ask("gradient", op, p, VARS(in, gy));
    if (!got)
        judge_fail(NOTHING_ARRIVED, "the gradient of the %s was not computed",
                   op == POOL ? "pooling" : "scatter");
    compare_as(op == POOL ? "gx" : "gg", got, gy, p, other(op), rule);
}

static void check_gradient(PoolOp op, Pooling p)
{
    check_gradient_as(op, p, false);
}

static void check_rule(PoolOp op)
{
    check_gradient(op, plain());
    for (int i = 0; i < 2; i++)
        if (pads(i))
            check_gradient_as(op, padded(i), true);
}

static bool has_rule(PoolOp op)
{
    return ask("gradient", op, plain(), VARS(input(op, plain()), input(other(op), plain())));
}

/* Differentiates `times` times. Each result is linear in the tensor that was sent last, so its
 * derivative is the other op, applied to the tensor that is sent next. */
static void check_chain(PoolOp op, Pooling p, int times)
{
    Var *u[WIRE_TENSORS];
    PoolOp now = op;
    for (int i = 0; i <= times; i++, now = other(now))
        u[i] = input(now, p);
    now = other(now); /* the op that yields the last result */
    Var *got = ask("chain", op, p, u, times + 1);
    char what[64];
    snprintf(what, sizeof what, "the %s, differentiated %d times,",
             op == POOL ? "pooling" : "scatter", times);
    if (!got)
        judge_fail(has_rule(POOL) && has_rule(SCATTER) ? NOT_IN_OPS : NOTHING_ARRIVED,
                   "%s is missing", what);
    compare_as(what, got, u[times], p, now, true);
}

START_TEST(pool_gradient)
{
    check_rule(POOL);
}
END_TEST

START_TEST(scatter_gradient)
{
    check_rule(SCATTER);
}
END_TEST

START_TEST(second)
{
    for (PoolOp op = POOL; op <= SCATTER; op++) {
        check_chain(op, plain(), 2);
        for (int i = 0; i < 2; i++)
            if (pads(i))
                check_chain(op, padded(i), 2);
    }
}
END_TEST

static void check_sample(PoolOp op, const char *name)
{
    Pooling p = pooling(AVG_POOL_SAMPLE_SHAPE, AVG_POOL_SAMPLE, AVG_POOL_SAMPLE_COUNT_INCLUDE_PAD);
    Shape s = op == POOL ? p.x : p.y;
    Var *in = input(op, p), *got = ask("sample", op, p, VARS(in));
    const Message *m = judge_answer();
    if (!got || m->numbers < 3)
        judge_fail("see autograd/ops/max_pool2d.c", "%s has no sample", name);
    if (m->number[0] != 1 || !(m->number[1] < m->number[2]))
        judge_fail("op_check draws one input between .low and .high",
                   "the sample of %s has %g inputs, from %g to %g", name, m->number[0],
                   m->number[1], m->number[2]);
    bool same = m->numbers == 3 + s.ndim;
    for (int d = 0; same && d < s.ndim; d++)
        same = m->number[3 + d] == (double)s.dim[d];
    if (!same)
        judge_fail("see AVG_POOL_SAMPLE in avgpool.h", "the shape in the sample of %s is not %s",
                   name, SHAPE_TEXT(s));
    compare(op == POOL ? "the result of op_avg_pool2d's sample"
                       : "the result of op_avg_pool2d_scatter's sample", got, in, p, op);
}

START_TEST(samples)
{
    check_sample(POOL, "op_avg_pool2d");
    check_sample(SCATTER, "op_avg_pool2d_scatter");
}
END_TEST

/* --- 4: refusals ------------------------------------------------------------------------------ */

/* This kernel and padding along one axis; along the other, options that fit. */
static Pool2dOptions along(int axis, ptrdiff_t kernel, ptrdiff_t padding)
{
    Pool2dOptions o = {.kernel = {2, 2}, .stride = {1, 1}};
    o.kernel[axis] = kernel, o.padding[axis] = padding;
    return o;
}

static void check_refused_kernel(PoolOp op, int axis)
{
    ptrdiff_t kernel = between(11, 18), padding = between(0, 2), size = kernel - 2 * padding;
    Pooling p = {SHAPE(2, 3, 40, 40), SHAPE(2, 3, 40, 40), along(axis, kernel, padding), true};
    p.x.dim[2 + axis] = size - 1;
    check_refused("a kernel larger than the padded input", op, p, op == POOL ? p.x : p.y,
                  NUMBERS((double)kernel, (double)(size - 1)));
    p.x.dim[2 + axis] = size;
    check_accepted("a kernel of exactly the padded input's size", op, pooling(p.x, p.o, true));
}

static void check_refused_padding(PoolOp op, int axis)
{
    ptrdiff_t kernel = between(6, 13), padding = kernel / 2 + 1;
    Pooling p = pooling(SHAPE(2, 3, 40, 40), along(axis, kernel, padding), true);
    check_refused("a padding of more than half the kernel", op, p, op == POOL ? p.x : p.y,
                  NUMBERS((double)kernel, (double)padding));
    check_accepted("a padding of half the kernel", op,
                   pooling(p.x, along(axis, kernel, kernel / 2), true));
}

START_TEST(refuse_kernel)
{
    check_refused_kernel(POOL, 0), check_refused_kernel(POOL, 1);
}
END_TEST

START_TEST(refuse_padding)
{
    check_refused_padding(POOL, 0), check_refused_padding(POOL, 1);
}
END_TEST

static void check_refused_axes(PoolOp op, Shape x)
{
    Pooling p = {x, x, {.kernel = {2, 2}}, true};
    check_refused("an input that does not have four axes", op, p, x,
                  NUMBERS((double)x.dim[x.ndim - 1], (double)x.dim[x.ndim - 2]));
    check_accepted("an input that has four axes", op, plain());
}

/* With a padding of 1, equation (2) yields a size even for an empty plane. */
static void check_refused_empty(PoolOp op)
{
    ptrdiff_t size = between(11, 19);
    for (int i = 0; i < 2; i++) {
        Shape x = SHAPE(2, 3, i ? size : 0, i ? 0 : size);
        Pooling p = pooling(x, (Pool2dOptions){.kernel = {2, 2}, .padding = {1, 1}}, true);
        check_refused("an x without rows or columns", op, p, op == POOL ? p.x : p.y,
                      NUMBERS(0, (double)size));
    }
}

START_TEST(refuse_axes)
{
    ptrdiff_t H = between(11, 14), W = between(15, 19);
    check_refused_axes(POOL, SHAPE(H, W));
    check_refused_axes(POOL, SHAPE(3, H, W));
    check_refused_axes(POOL, SHAPE(2, 3, 4, H, W));
    check_refused_empty(POOL);
}
END_TEST

static void check_refused_range(PoolOp op, int axis)
{
    Shape x = SHAPE(2, 3, 40, 40);
    Pooling p = {x, x, along(axis, 0, 0), true};
    double below = (double)-between(2, 9);
    check_refused("a kernel of 0", op, p, x, NUMBERS(0));
    p.o.kernel[axis] = (ptrdiff_t)below;
    check_refused("a negative kernel", op, p, x, NUMBERS(below));
    p.o = along(axis, 2, 0), p.o.stride[axis] = 0;
    check_refused("a stride of 0 beside one of 1", op, p, x, NUMBERS(0));
    p.o.stride[axis] = (ptrdiff_t)below;
    check_refused("a negative stride", op, p, x, NUMBERS(below));
    p.o = along(axis, 2, (ptrdiff_t)below);
    check_refused("a negative padding", op, p, x, NUMBERS(below));
    check_accepted("a kernel and a stride of 1 without padding", op, square(6, 1, 1, 0, true));
}

START_TEST(refuse_range)
{
    check_refused_range(POOL, 0), check_refused_range(POOL, 1);
}
END_TEST

START_TEST(refuse_gradient)
{
    Pooling p = square(40, 2, 2, 0, true);
    ptrdiff_t P = between(11, 18), C = between(5, 9);
    check_refused("a gradient of the wrong height", SCATTER, p, SHAPE(2, 3, P, 20),
                  NUMBERS((double)P, 20));
    check_refused("a gradient of the wrong number of channels", SCATTER, p, SHAPE(2, C, 20, 20),
                  NUMBERS((double)C, 3));
    check_refused("a gradient with three axes", SCATTER, p, SHAPE(3, P, 20),
                  NUMBERS((double)P, 20));
    check_accepted("a gradient of the right shape", SCATTER, p);
}
END_TEST

#if __has_include("hidden.c")
#include "hidden.c" /* defines hidden_tests */
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(pool_values);
    JUDGE_TEST(pool_strides);
    JUDGE_TEST(pool_rectangles);
    JUDGE_TEST(pool_padding);
    JUDGE_TEST(pool_excluded);
    JUDGE_TEST(pool_layouts);
    JUDGE_TEST(pool_sizes);
    JUDGE_TEST(scatter_values);
    JUDGE_TEST(scatter_overlap);
    JUDGE_TEST(scatter_padding);
    JUDGE_TEST(scatter_layouts);
    JUDGE_TEST(pool_gradient);
    JUDGE_TEST(scatter_gradient);
    JUDGE_TEST(second);
    JUDGE_TEST(samples);
    JUDGE_TEST(refuse_kernel);
    JUDGE_TEST(refuse_padding);
    JUDGE_TEST(refuse_axes);
    JUDGE_TEST(refuse_range);
    JUDGE_TEST(refuse_gradient);
    hidden_tests();
}
