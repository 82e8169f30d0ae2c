/* lessons/assignments/a4_avgpool/tests.c -- what average pooling and its adjoint must do;
 * points.txt assigns the points.
 *
 * The expected values of both ops come from the definition: one loop over windows and their
 * elements. With a Fault the same loop yields the values of a known mistake, to explain what was
 * found. Each test varies one thing, so that one mistake costs its own points and no more; only the
 * hidden tests mix everything. Refusals must contain the numbers that do not fit, which are drawn
 * by the judge.
 *
 * SPDX-License-Identifier: MIT
 */
#include "avgpool.h"

#include <math.h>
#include <string.h>

#include "lessons/assignments/judge/judge.h"

/* --- the definition --------------------------------------------------------------------------- */

typedef enum PoolOp { POOL, SCATTER } PoolOp;

typedef struct Pooling {
    Shape         x, y; /* (N,C,H,W), (N,C,P,Q) */
    Pool2dOptions o;    /* as sent: the stride may be {0, 0} */
    bool          count_include_pad;
} Pooling;

static ptrdiff_t stride_of(const Pooling *p, int i)
{
    return p->o.stride[0] || p->o.stride[1] ? p->o.stride[i] : p->o.kernel[i];
}

static Pooling pooling(Shape x, Pool2dOptions o, bool count_include_pad)
{
    Pooling p = {x, x, o, count_include_pad};
    for (int i = 2; i < 4; i++)
        p.y.dim[i] = (x.dim[i] + 2 * o.padding[i - 2] - o.kernel[i - 2]) / stride_of(&p, i - 2) + 1;
    return p;
}

/* Everything square. */
static Pooling square(ptrdiff_t side, ptrdiff_t kernel, ptrdiff_t stride, ptrdiff_t padding,
                      bool count_include_pad)
{
    Pool2dOptions o = {{kernel, kernel}, {stride, stride}, {padding, padding}};
    return pooling(SHAPE(2, 3, side, side), o, count_include_pad);
}

/* What a submission finds in unused memory. */
enum { DIRT = 1024 };

typedef enum Fault {
    NO_FAULT, BY_AREA, BY_INSIDE, NO_DIVISOR, UNSHIFTED, CLAMPED, EXCHANGED, ROWS_OF_H, STRIDE_1,
    STRIDE_KERNEL, OVERWRITES, NOT_CLEARED, FAULTS
} Fault;

static const char *const fault_hint[FAULTS] = {
    [BY_AREA] = "divides by the kernel's area at the border, too: without count_include_pad, "
                "divide by the number of elements that are not padding",
    [BY_INSIDE] = "divides by the number of elements that are not padding: with count_include_pad, "
                  "divide by the kernel's area",
    [NO_DIVISOR] = "the divisor is missing: the values are sums, not means",
    [UNSHIFTED] = "windows begin at i stride: subtract the padding",
    [CLAMPED] = "the end of a window is computed from its clamped start, so windows at the border "
                "are too long: compute both ends, then clamp them",
    [EXCHANGED] = "height and width are exchanged: index 0 of each pair is the height",
    [ROWS_OF_H] = "a row of a plane has W elements: element (h, w) is at h W + w",
    [STRIDE_1] = "the stride is ignored: window i begins at i stride - padding",
    [STRIDE_KERNEL] = "windows begin a kernel's size apart, not a stride",
    [OVERWRITES] = "where windows overlap, the last one overwrites the others: add",
    [NOT_CLEARED] = "the memory of a new tensor may hold anything: fill it with 0 before you add",
};

/* The pooling whose windows a fault yields, in place of those of p. */
static Pooling faulty(Pooling p, Fault fault)
{
    Pool2dOptions o = p.o;
    for (int i = 0; i < 2; i++) {
        p.o.stride[i] = fault == STRIDE_1        ? 1
                        : fault == STRIDE_KERNEL ? o.kernel[i]
                                                 : stride_of(&(Pooling){.o = o}, i);
        p.o.padding[i] = fault == UNSHIFTED ? 0 : o.padding[i];
    }
    o = p.o;
    if (fault == EXCHANGED)
        for (int i = 0; i < 2; i++)
            p.o.kernel[i] = o.kernel[1 - i], p.o.stride[i] = o.stride[1 - i],
            p.o.padding[i] = o.padding[1 - i];
    if (fault == BY_AREA || fault == BY_INSIDE)
        p.count_include_pad = fault == BY_AREA;
    return p;
}

/* Rows first[0] ... last[0] - 1 and columns first[1] ... last[1] - 1 are in the plane. */
typedef struct Window {
    ptrdiff_t first[2], last[2];
    double    divisor;
} Window;

static Window window(const Pooling *p, const ptrdiff_t at[2], Fault fault)
{
    Window a;
    for (int i = 0; i < 2; i++) {
        ptrdiff_t first = at[i] * p->o.stride[i] - p->o.padding[i];
        a.first[i] = first > 0 ? first : 0;
        a.last[i] = (fault == CLAMPED ? a.first[i] : first) + p->o.kernel[i];
        a.last[i] = a.last[i] < p->x.dim[2 + i] ? a.last[i] : p->x.dim[2 + i];
    }
    a.divisor = (double)(p->count_include_pad
                             ? p->o.kernel[0] * p->o.kernel[1]
                             : (a.last[0] - a.first[0]) * (a.last[1] - a.first[1]));
    if (fault == NO_DIVISOR)
        a.divisor = 1;
    return a;
}

static double element(const Var *x, ptrdiff_t i)
{
    return (double)tensor_read(x->value)[tensor_locate(x->value, i)];
}

/* Adds what moves between the elements of a window, in plane `plane`, and its place k in y. */
static void move_window(const Pooling *p, PoolOp op, Fault fault, Window a, ptrdiff_t plane,
                        ptrdiff_t k, const Var *from, real *to)
{
    ptrdiff_t H = p->x.dim[2], W = p->x.dim[3], row = fault == ROWS_OF_H ? H : W;
    for (ptrdiff_t h = a.first[0]; h < a.last[0]; h++)
        for (ptrdiff_t w = a.first[1]; w < a.last[1]; w++) {
            ptrdiff_t e = plane * H * W + h * row + w;
            if (e >= shape_count(p->x))
                continue;
            if (op == POOL)
                to[k] += (real)(element(from, e) / a.divisor);
            else
                to[e] = (fault == OVERWRITES ? 0 : to[e]) + (real)(element(from, k) / a.divisor);
        }
}

/* The result of the op for `from`, x or g. */
static Var *moved(const Var *from, Pooling p, PoolOp op, Fault fault)
{
    bool dirty = op == SCATTER && fault == NOT_CLEARED;
    Var *to = var_full(op == POOL ? p.y : p.x, dirty ? DIRT : 0);
    ptrdiff_t P = p.y.dim[2], Q = p.y.dim[3];
    p = faulty(p, fault);
    for (ptrdiff_t k = 0; k < shape_count(p.y); k++) {
        Window a = window(&p, (const ptrdiff_t[]){k / Q % P, k % Q}, fault);
        move_window(&p, op, fault, a, k / (P * Q), k, from, tensor_write(to->value));
    }
    return to;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* What P or Q is with a mistake m in its formula; 0 if there are no more. */
static ptrdiff_t wrong_size(const Pooling *p, int i, size_t m, const char **hint)
{
    ptrdiff_t pad = p->o.padding[i], s = stride_of(p, i);
    ptrdiff_t slack = p->x.dim[2 + i] + 2 * pad - p->o.kernel[i];
    const struct {
        ptrdiff_t   size;
        const char *hint;
    } wrong[] = {
        {p->y.dim[3 - i], "height and width are exchanged: index 0 of each pair is the height"},
        {(slack - 2 * pad) / s + 1, "the padding is missing in the output's size"},
        {(slack - pad) / s + 1, "the padding is on both sides: the padded input has H + 2 padding"},
        {(slack + s - 1) / s + 1, "the output's size is rounded down: a window must fit"},
        {slack / s, "(H + 2 padding - kernel) / stride counts the steps; there is one more window"},
        {slack + 1, "the stride is missing in the output's size"},
        {slack / p->o.kernel[i] + 1, "divide by the stride, not by the kernel's size"},
    };
    if (m >= sizeof wrong / sizeof *wrong)
        return 0;
    *hint = wrong[m].hint;
    return wrong[m].size;
}

static void check_shape(const char *what, const Var *got, const Pooling *p, PoolOp op)
{
    if (!got)
        judge_fail("", "%s was not computed", what);
    Shape s = var_shape(got), expected = op == POOL ? p->y : p->x;
    if (shape_equal(s, expected))
        return;
    const char *hint = "", *maybe = "";
    for (size_t m = 0; op == POOL && s.ndim == 4 && wrong_size(p, 0, m, &maybe) && !*hint; m++)
        if (s.dim[2] == wrong_size(p, 0, m, &maybe) && s.dim[3] == wrong_size(p, 1, m, &maybe))
            hint = maybe;
    judge_fail(hint, "%s has shape %s; expected %s", what, SHAPE_TEXT(s), SHAPE_TEXT(expected));
}

/* The elements of x in the order of memory, as a program that ignores the strides reads them; NULL
 * if there are too few. */
static Var *ignoring_strides(const Var *x)
{
    ptrdiff_t span = 1;
    for (int d = 0; d < x->value->shape.ndim; d++)
        span += (x->value->shape.dim[d] - 1) * x->value->stride[d];
    bool enough = !tensor_is_contiguous(x->value) && tensor_count(x->value) <= span;
    return enough ? var_const_from(var_shape(x), tensor_read(x->value)) : NULL;
}

/* `got` must be the op's result for `from`. */
static void compare(const char *what, const Var *got, const Var *from, Pooling p, PoolOp op)
{
    Mistake mistake[FAULTS];
    int n = 0;
    if (got)
        check_shape(what, got, &p, op);
    for (Fault f = NO_FAULT + 1; f < FAULTS; f++) {
        Var *value = moved(from, p, op, f);
        if (f == NOT_CLEARED && got && tensor_count(got->value) > 1) /* element 0 holds anything */
            tensor_write(value->value)[0] = tensor_read(got->value)[0];
        mistake[n++] = (Mistake){value, fault_hint[f]};
    }
    Var *raw = ignoring_strides(from);
    mistake[n++] = (Mistake){raw ? moved(raw, p, op, NO_FAULT) : NULL,
                             "the strides are ignored: pass the input through var_contiguous"};
    judge_compare(what, got, moved(from, p, op, NO_FAULT),
                  (Tolerance){.relative = 1e-11, .absolute = 1e-13}, mistake, n);
}

/* --- asking ----------------------------------------------------------------------------------- */

enum { POOL_NUMBERS = 9 + MAX_DIMS };

/* The numbers of a call, as services.c reads them; returns how many. */
static int call_numbers(PoolOp op, const Pooling *p, double number[POOL_NUMBERS])
{
    number[0] = op;
    for (int i = 0; i < 2; i++) {
        number[1 + i] = (double)p->o.kernel[i];
        number[3 + i] = (double)p->o.stride[i];
        number[5 + i] = (double)p->o.padding[i];
    }
    number[7] = p->count_include_pad;
    number[8] = DIRT;
    for (int d = 0; d < p->x.ndim; d++)
        number[9 + d] = (double)p->x.dim[d];
    return 9 + p->x.ndim;
}

static Var *ask(const char *service, PoolOp op, Pooling p, Var *const *in, int n_in)
{
    double number[POOL_NUMBERS];
    int n = call_numbers(op, &p, number);
    return judge_ask(service, in, n_in, number, n);
}

/* A random input of the op: x of the pooling, g of the scatter. */
static Var *input(PoolOp op, Pooling p)
{
    return judge_input(op == POOL ? p.x : p.y, -2, 2);
}

static PoolOp other(PoolOp op)
{
    return op == POOL ? SCATTER : POOL;
}

static void check_values_of(PoolOp op, Pooling p, Var *in)
{
    compare(op == POOL ? "y" : "the scattered g", ask("value", op, p, VARS(in)), in, p, op);
}

static void check_values(PoolOp op, Pooling p)
{
    check_values_of(op, p, input(op, p));
}

/* What just fits must not be refused. */
static void check_accepted(const char *what, PoolOp op, Pooling p)
{
    double number[POOL_NUMBERS];
    int count = call_numbers(op, &p, number);
    Var *in = input(op, p);
    const char *sentence = judge_refusal("value", VARS(in), number, count);
    if (sentence)
        judge_fail("refuse only what avgpool.h lists", "%s was refused: %s", what, sentence);
}

static void check_usual_stride(PoolOp op)
{
    Pooling p = square(8, 3, 0, 0, true);
    check_accepted("a stride of {0, 0}, which means the kernel's size,", op, p);
    check_values(op, p);
}

/* --- 1: pooling ------------------------------------------------------------------------------- */

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
    check_values(POOL, square(2, 4, 1, 2, count_include_pad)); /* windows beyond both borders */
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
    check_values(POOL, pooling(SHAPE(0, 3, 5, 5), o, true));
    check_values(POOL, pooling(SHAPE(2, 0, 5, 5), o, true));
    check_values(POOL, square(4, 1, 1, 0, true));
    check_values(POOL, square(5, 5, 1, 0, true));
    check_values(POOL, square(1, 1, 1, 0, false));
}
END_TEST

/* --- 2: its adjoint --------------------------------------------------------------------------- */

START_TEST(scatter_values)
{
    check_values(SCATTER, square(6, 2, 2, 0, true));
    check_values(SCATTER, square(8, 2, 3, 0, true)); /* elements between windows receive nothing */
    check_usual_stride(SCATTER); /* and neither do those after the last one */
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

/* Without padding or overlap, so that what tests 1 and 2 find costs nothing here. */
static Pooling plain(void)
{
    return square(6, 2, 2, 0, true);
}

#define NOTHING_ARRIVED "does the backward rule SEND a gradient to its input?"
#define NOT_IN_OPS                                                                          \
    "the backward rule must call the other op, not compute the gradient in a loop: only then " \
    "can the gradient itself be differentiated"

/* The gradient of <gy, the op's result>. */
static void check_gradient(PoolOp op, Pooling p)
{
    Var *in = input(op, p), *gy = input(other(op), p);
    Var *got = ask("gradient", op, p, VARS(in, gy));
    if (!got)
        judge_fail(NOTHING_ARRIVED, "the gradient of the %s was not computed",
                   op == POOL ? "pooling" : "scatter");
    compare(op == POOL ? "gx" : "gg", got, gy, p, other(op));
}

/* Differentiates `times` times. Each result is linear in what was sent last, so that its derivative
 * is the other op, applied to what is sent next. */
static void check_chain(PoolOp op, Pooling p, int times)
{
    Var *u[WIRE_TENSORS];
    PoolOp now = op;
    for (int i = 0; i <= times; i++, now = other(now))
        u[i] = input(now, p);
    now = other(now); /* the op of the last */
    Var *got = ask("chain", op, p, u, times + 1);
    char what[64];
    snprintf(what, sizeof what, "the %s, differentiated %d times,",
             op == POOL ? "pooling" : "scatter", times);
    if (!got)
        judge_fail(times > 1 ? NOT_IN_OPS : NOTHING_ARRIVED, "%s is missing", what);
    compare(what, got, u[times], p, now);
}

START_TEST(pool_gradient)
{
    check_gradient(POOL, plain());
}
END_TEST

START_TEST(scatter_gradient)
{
    check_gradient(SCATTER, plain());
}
END_TEST

START_TEST(second)
{
    check_chain(POOL, plain(), 2);
    check_chain(SCATTER, plain(), 2);
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

/* Does the number stand alone in the sentence, not as a part of a longer one? */
static bool contains_number(const char *sentence, double number)
{
    char text[32];
    size_t n = (size_t)snprintf(text, sizeof text, "%.0f", number);
    const char *digits = "0123456789";
    for (const char *at = strstr(sentence, text); at; at = strstr(at + 1, text))
        if ((at == sentence || !strchr(digits, at[-1])) && (!at[n] || !strchr(digits, at[n])))
            return true;
    return false;
}

/* The call must be refused under its own name, with a sentence that contains these numbers. */
static void check_refused(const char *why, PoolOp op, Pooling p, Shape in, const double *contains,
                          int n)
{
    double number[POOL_NUMBERS];
    int count = call_numbers(op, &p, number);
    const char *name = op == POOL ? "var_avg_pool2d" : "var_avg_pool2d_scatter";
    Var *x = judge_input(in, -2, 2);
    const char *sentence = judge_refusal("value", VARS(x), number, count);
    if (!sentence)
        judge_fail("check the arguments first, and call slope_fail", "%s: %s was not refused", name,
                   why);
    const char *at = strstr(sentence, name);
    if (!at || at[strlen(name)] != ':')
        judge_fail("check the arguments before the library has to; the first argument of "
                   "slope_fail names the function that was called wrongly",
                   "%s: %s was refused by another function: %s", name, why, sentence);
    for (int i = 0; i < n; i++)
        if (!contains_number(sentence, contains[i]))
            judge_fail("say which sizes do not fit", "%s: %s: the sentence does not contain %g: %s",
                       name, why, contains[i], sentence);
}

static ptrdiff_t between(ptrdiff_t low, ptrdiff_t high)
{
    return low + (ptrdiff_t)rng_below(judge_rng(), (uint32_t)(high - low + 1));
}

/* The option `kernel` or `padding` along this axis; the other axis fits. */
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
    check_refused_kernel(POOL, 0);
}
END_TEST

START_TEST(refuse_padding)
{
    check_refused_padding(POOL, 0);
}
END_TEST

static void check_refused_axes(PoolOp op, Shape x)
{
    Pooling p = {x, x, {.kernel = {2, 2}}, true};
    check_refused("an input that does not have four axes", op, p, x,
                  NUMBERS((double)x.dim[x.ndim - 1], (double)x.dim[x.ndim - 2]));
    check_accepted("an input that has four axes", op, plain());
}

START_TEST(refuse_axes)
{
    ptrdiff_t H = between(11, 14), W = between(15, 19);
    check_refused_axes(POOL, SHAPE(H, W));
    check_refused_axes(POOL, SHAPE(3, H, W));
    check_refused_axes(POOL, SHAPE(2, 3, 4, H, W));
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
    check_refused_range(POOL, 0);
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
