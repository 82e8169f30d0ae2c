/* lessons/assignments/a4_avgpool/expected.c -- computes what is expected of average pooling and its
 * adjoint, asks the solver, and compares. Included by tests.c.
 *
 * The expected values of both ops come from the definition: one loop over windows and their
 * elements. With a Fault the same loop yields the values of a known mistake, to explain what was
 * found.
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

/* A pooling in which everything is square. */
static Pooling square(ptrdiff_t side, ptrdiff_t kernel, ptrdiff_t stride, ptrdiff_t padding,
                      bool count_include_pad)
{
    Pool2dOptions o = {{kernel, kernel}, {stride, stride}, {padding, padding}};
    return pooling(SHAPE(2, 3, side, side), o, count_include_pad);
}

#define USUAL_STRIDE "a stride of {0, 0} means the kernel's size"

/* What a submission finds in unused memory. */
enum { DIRT = 1024 };

typedef enum Fault {
    NO_FAULT, BY_AREA, BY_INSIDE, NO_DIVISOR, UNSHIFTED, CLAMPED, EXCHANGED, ROWS_OF_H, STRIDE_1,
    STRIDE_KERNEL, OVERWRITES, NOT_CLEARED, ONE_PLANE, FAULTS
} Fault;

static const char *const fault_hint[FAULTS] = {
    [BY_AREA] = "it divides by the kernel's area at the border, too: without count_include_pad, "
                "divide by the number of elements that are not padding",
    [BY_INSIDE] = "it divides by the number of elements that are not padding: with "
                  "count_include_pad, divide by the kernel's area",
    [NO_DIVISOR] = "the divisor is missing: the values are sums, not means",
    [UNSHIFTED] = "windows begin at i times the stride: subtract the padding",
    [CLAMPED] = "the end of a window is computed from its clamped start, so windows at the border "
                "are too long: compute both ends, then clamp them",
    [EXCHANGED] = "height and width are exchanged: index 0 of each pair is the height",
    [ROWS_OF_H] = "a row of a plane has W elements: element (h, w) is at h W + w",
    [STRIDE_1] = "the stride is ignored: window i begins at i times the stride, minus the padding",
    [STRIDE_KERNEL] = "windows are a kernel's size apart; they must be a stride apart",
    [OVERWRITES] = "where windows overlap, the last one overwrites the others: add",
    [NOT_CLEARED] = "the memory of a new tensor may hold anything: fill it with 0 before you add",
    [ONE_PLANE] = "all windows are in plane 0: each of the N C planes has H W elements of its own",
};

/* The hints if the kernels are right, so that only the arguments of a rule's call can be wrong. */
static const char *const rule_hint[FAULTS] = {
    [BY_AREA] = "the backward rule must pass p->count_include_pad on to the other op",
    [BY_INSIDE] = "the backward rule must pass p->count_include_pad on to the other op",
    [UNSHIFTED] = "the backward rule drops the padding: it must pass p->o on to the other op",
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

/* Adds what the op moves between the elements of a window, in plane `plane`, and element k of y. */
static void move_window(const Pooling *p, PoolOp op, Fault fault, Window a, ptrdiff_t plane,
                        ptrdiff_t k, const Var *from, real *to)
{
    ptrdiff_t H = p->x.dim[2], W = p->x.dim[3], row = fault == ROWS_OF_H ? H : W;
    for (ptrdiff_t h = a.first[0]; h < a.last[0]; h++)
        for (ptrdiff_t w = a.first[1]; w < a.last[1]; w++) {
            ptrdiff_t e = (fault == ONE_PLANE ? 0 : plane * H * W) + h * row + w;
            if (e >= shape_count(p->x))
                continue;
            if (op == POOL)
                to[k] += (real)(element(from, e) / a.divisor);
            else
                to[e] = (fault == OVERWRITES ? 0 : to[e]) + (real)(element(from, k) / a.divisor);
        }
}

/* The result of the op for `from`, which is x or g. */
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

#define BOTH_SIDES "the padding is on both sides: the padded input has H + 2 padding rows"

/* The value of P or Q with mistake m in its formula; 0 if there is no mistake m. */
static ptrdiff_t wrong_size(const Pooling *p, int i, size_t m, const char **hint)
{
    ptrdiff_t pad = p->o.padding[i], s = stride_of(p, i);
    ptrdiff_t slack = p->x.dim[2 + i] + 2 * pad - p->o.kernel[i];
    const struct {
        ptrdiff_t   size;
        const char *hint;
    } wrong[] = {
        {p->y.dim[3 - i], "height and width are exchanged: index 0 of each pair is the height"},
        {(slack - 2 * pad) / s + 1, BOTH_SIDES},
        {(slack - pad) / s + 1, BOTH_SIDES},
        {(slack + s - 1) / s + 1, "the output's size is rounded down: a whole window must fit"},
        {slack / s, "(H + 2 padding - kernel) / stride counts the steps; there is one more window"},
        {slack + 1, p->o.stride[i] ? "the stride is missing in the output's size" : USUAL_STRIDE},
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

/* The elements of x in memory order, as a program that ignores the strides reads them; NULL if
 * there are too few of them. */
static Var *ignoring_strides(const Var *x)
{
    ptrdiff_t span = 1;
    for (int d = 0; d < x->value->shape.ndim; d++)
        span += (x->value->shape.dim[d] - 1) * x->value->stride[d];
    bool enough = !tensor_is_contiguous(x->value) && tensor_count(x->value) <= span;
    return enough ? var_const_from(var_shape(x), tensor_read(x->value)) : NULL;
}

static const char *hint_for(Fault fault, const Pooling *p, bool rule)
{
    if (fault == STRIDE_1 && p->o.stride[0] == 0)
        return USUAL_STRIDE;
    return rule && rule_hint[fault] ? rule_hint[fault] : fault_hint[fault];
}

/* `got` must be the op's result for `from`. If `rule`, the kernels are known to be right, so the
 * hints are about the backward rule. */
static void compare_as(const char *what, const Var *got, const Var *from, Pooling p, PoolOp op,
                       bool rule)
{
    Mistake mistake[FAULTS];
    int n = 0;
    if (got)
        check_shape(what, got, &p, op);
    for (Fault f = NO_FAULT + 1; f < FAULTS; f++) {
        Var *value = moved(from, p, op, f);
        if (f == NOT_CLEARED && got && tensor_count(got->value) > 1) /* element 0: anything */
            tensor_write(value->value)[0] = tensor_read(got->value)[0];
        mistake[n++] = (Mistake){value, hint_for(f, &p, rule)};
    }
    Var *raw = ignoring_strides(from);
    mistake[n++] = (Mistake){raw ? moved(raw, p, op, NO_FAULT) : NULL,
                             "the strides are ignored: pass the input through var_contiguous"};
    judge_compare(what, got, moved(from, p, op, NO_FAULT),
                  (Tolerance){.relative = 1e-11, .absolute = 1e-13}, mistake, n);
}

static void compare(const char *what, const Var *got, const Var *from, Pooling p, PoolOp op)
{
    compare_as(what, got, from, p, op, false);
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

static const char *refusal_hint(const char *sentence, const Pooling *p)
{
    if (strstr(sentence, "composed of other ops"))
        return "you may call var_contiguous before your own op, but no op after it";
    return p->o.stride[0] ? "by equation (2) these sizes fit; refuse only what avgpool.h lists"
                          : USUAL_STRIDE ", so these sizes fit";
}

static Var *ask(const char *service, PoolOp op, Pooling p, Var *const *in, int n_in)
{
    double number[POOL_NUMBERS];
    int n = call_numbers(op, &p, number);
    const char *sentence = judge_refusal(service, in, n_in, number, n);
    if (sentence)
        judge_fail(refusal_hint(sentence, &p), "stopped: %s", sentence);
    return judge_answer_var(0);
}

static ptrdiff_t between(ptrdiff_t low, ptrdiff_t high)
{
    return low + (ptrdiff_t)rng_below(judge_rng(), (uint32_t)(high - low + 1));
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

/* Is the op's result for a random input right? */
static bool computes(PoolOp op, Pooling p)
{
    double number[POOL_NUMBERS];
    int n = call_numbers(op, &p, number);
    Var *in = input(op, p), *expected = moved(in, p, op, NO_FAULT);
    if (judge_refusal("value", VARS(in), number, n))
        return false;
    Var *got = judge_answer_var(0);
    bool right = got && shape_equal(var_shape(got), var_shape(expected));
    for (ptrdiff_t i = 0; right && i < tensor_count(expected->value); i++)
        right = fabs(element(got, i) - element(expected, i)) < 1e-9;
    return right;
}

/* --- what is accepted, and what is refused ---------------------------------------------------- */

/* What just fits must not be refused. */
static void check_accepted(const char *what, PoolOp op, Pooling p)
{
    double number[POOL_NUMBERS];
    int count = call_numbers(op, &p, number);
    Var *in = input(op, p);
    const char *sentence = judge_refusal("value", VARS(in), number, count);
    if (sentence)
        judge_fail(refusal_hint(sentence, &p), "%s was refused: %s", what, sentence);
}

/* Does the sentence contain the number by itself, not as part of a longer one? */
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

/* The call must be refused by a sentence that names its function and contains these numbers. */
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
