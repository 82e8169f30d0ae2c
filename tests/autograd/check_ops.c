/* tests/autograd/check_ops.c -- every op's gradient against finite differences, in every layout.
 *
 * The tests walk op_table, so the line of an op in ops.def is enough to run them all: with the
 * inputs of its sample, with one input at a time requiring a gradient, and with each input in each
 * of several layouts. A layout surrounds the elements with NaN, so a kernel that reads the wrong
 * ones shows. Samples that accept any shape also run on scalars, empty tensors and shapes that
 * broadcast.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "tests/autograd/ops_cases.h"
#include "tests/testing.h"

/* With h near eps^(1/3), the truncation error and the rounding error are both about 1e-10. No
 * sample may come so close to a kink that a step crosses it. */
static const GradCheckOptions ops_tight = {
    .h = 1e-5, .atol = 1e-8, .rtol = 1e-7, .order = 1, .seed = 1, .from_defaults = true};

static GradCheckOptions ops_order(int order)
{
    GradCheckOptions o = ops_tight;
    o.order = order;
    return o;
}

static Var *ops_call(Var **in, void *ctx)
{
    const Op *op = ctx;
    return op->sample.call(in);
}

/* An op that cannot be differentiated twice must say so, and give its name. */
static void ops_assert_once(const Op *op, GradFunction fn, Var **in, int n_in)
{
    void *ctx = (void *)(uintptr_t)op;
    ck_assert_fails(gradcheck(fn, ctx, in, n_in, ops_order(2)), op->name);
}

/* Without elements in the inputs or in the result, nothing can be checked, but everything runs. */
static bool ops_is_empty(GradFunction fn, void *ctx, Var **in, int n_in)
{
    ptrdiff_t elements = 0;
    size_t mark = tape_mark();
    for (int k = 0; k < n_in; k++)
        elements += in[k]->requires_grad ? tensor_count(in[k]->value) : 0;
    bool empty = elements == 0 || tensor_count(fn(in, ctx)->value) == 0;
    tape_rewind(mark);
    return empty;
}

static bool ops_is_right(GradReport r, bool empty)
{
    if (empty)
        return strncmp(r.message, "FAIL: nothing was checked", 25) == 0 && r.nonzero == 0;
    return r.verdict == GRAD_PASS;
}

/* Checks the sample with these inputs at both orders. `what` describes the inputs. */
static GradReport ops_assert(const Op *op, GradFunction fn, Var **in, int n_in, const char *what)
{
    void *ctx = (void *)(uintptr_t)op;
    bool empty = ops_is_empty(fn, ctx, in, n_in);
    GradReport first = gradcheck(fn, ctx, in, n_in, ops_order(1));
    ck_assert_msg(ops_is_right(first, empty), "%s, %s: %s", op->name, what, first.message);
    if (op->once) {
        ops_assert_once(op, fn, in, n_in);
        return first;
    }
    GradReport second = gradcheck(fn, ctx, in, n_in, ops_order(2));
    ck_assert_msg(ops_is_right(second, empty), "%s, %s, second order: %s", op->name, what,
                  second.message);
    ck_assert_int_ge(second.checked, first.checked);
    return first;
}

/* Runs forward, backward and, unless the op allows only one, the backward of the backward. If
 * TESTING_SLOW, the two largest tests do this instead of checking gradients, which repeats the same
 * loops for every coordinate: one run is enough to show a race. */
static void ops_run(const Op *op, GradFunction fn, void *ctx, Var **in, int n_in)
{
    Var *g[OP_SAMPLE_INPUTS], *y = fn(in, ctx);
    var_grad_with(y, y, in, n_in, op->once ? GRAD_ONLY : CREATE_GRAPH, g);
    for (int k = 0; k < n_in; k++)
        if (g[k] && g[k]->requires_grad)
            var_backward_with(g[k], g[k]);
}

static void ops_assert_nonzero(const Op *op, GradReport r, const char *what)
{
    ck_assert_msg(r.nonzero > 0, "%s, %s: every gradient is 0, which proves nothing", op->name,
                  what);
}

/* --- with the inputs of the sample ------------------------------------------------------------ */

START_TEST(every_op_is_complete)
{
    int n = 0;
    for (const OpEntry *e = op_table; e->op; e++, n++) {
        const Op *op = e->op;
        ck_assert_msg(op->name && op->name[0] && e->formula[0], "op %d has no name or formula", n);
        ck_assert_msg(!op->forward != !op->view, "%s: needs a forward or a view", op->name);
        ck_assert_msg(!op->backward != !op->backward_all, "%s: needs one backward rule", op->name);
        ck_assert_msg(op->sample.call && op->sample.n_in >= 1, "%s: needs a sample", op->name);
        ck_assert_int_le(op->sample.n_in, OP_SAMPLE_INPUTS);
        for (const OpEntry *other = op_table; other < e; other++)
            ck_assert_str_ne(op->name, other->op->name);
    }
    ck_assert_int_gt(n, 30);
}
END_TEST

START_TEST(every_sample_uses_its_own_op)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        Var *in[OP_SAMPLE_INPUTS];
        size_t mark = tape_mark(), uses = 0;
        op_sample_inputs(&e->op->sample, 1, in);
        e->op->sample.call(in);
        for (size_t i = mark; i < tape_mark(); i++)
            uses += tape_at(i)->op == e->op;
        ck_assert_msg(uses > 0, "the sample of %s does not call it", e->op->name);
        tape_rewind(mark);
    }
}
END_TEST

START_TEST(every_gradient_is_right)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            GradCheckOptions o = ops_tight;
            o.seed = seed;
            GradReport r = op_check(e->op, o);
            ck_assert_msg(r.verdict == GRAD_PASS, "%s: %s", e->op->name, r.message);
            ops_assert_nonzero(e->op, r, "the inputs of its sample");
            ck_assert_msg(r.worst < 1e-7, "%s: an error of %g", e->op->name, r.worst);
        }
    }
}
END_TEST

START_TEST(every_gradient_of_a_gradient_is_right)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        if (e->op->once) /* its refusal is tested elsewhere */
            continue;
        GradReport r = op_check(e->op, ops_order(2));
        ck_assert_msg(r.verdict == GRAD_PASS, "%s: %s", e->op->name, r.message);
        ops_assert_nonzero(e->op, r, "second order");
    }
}
END_TEST

START_TEST(the_default_tolerances_pass_too)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        GradReport r = op_check(e->op, GRADCHECK_DEFAULTS);
        ck_assert_msg(r.verdict == GRAD_PASS, "%s: %s", e->op->name, r.message);
    }
}
END_TEST

/* A rule may skip the work for an input that requires no gradient, but not for the others. */
START_TEST(each_input_alone_can_want_the_gradient)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        for (int only = 0; only < e->op->sample.n_in; only++) {
            Var *in[OP_SAMPLE_INPUTS];
            size_t mark = tape_mark();
            op_sample_inputs(&e->op->sample, 4, in);
            for (int k = 0; k < e->op->sample.n_in; k++)
                in[k]->requires_grad = k == only;
            GradReport r = ops_assert(e->op, ops_call, in, e->op->sample.n_in,
                                      "one input requires a gradient");
            ops_assert_nonzero(e->op, r, "one input requires a gradient");
            ck_assert_int_eq(r.checked, tensor_count(in[only]->value));
            tape_rewind(mark);
        }
    }
}
END_TEST

/* --- layouts ---------------------------------------------------------------------------------- */

typedef enum OpsLayout { TRANSPOSED, COLUMN, STEPPED, WINDOW, OFFSET, OPS_LAYOUTS } OpsLayout;
static const char *const ops_layout_name[] = {"transposed", "a column", "sliced with a step",
                                              "a window", "at an offset"};

/* A buffer of NaNs in which each axis, n long in s, is a n + b long; one more axis, `extra` long,
 * follows unless `extra` is 0. */
static Tensor *ops_buffer(Shape s, ptrdiff_t a, ptrdiff_t b, ptrdiff_t extra)
{
    for (int i = 0; i < s.ndim; i++)
        s.dim[i] = a * s.dim[i] + b;
    if (extra)
        s.dim[s.ndim++] = extra;
    return tensor_full(s, (real)NAN);
}

/* Replaces *x by a view of it. */
static void ops_replace(Tensor **x, Tensor *view)
{
    tensor_free(*x);
    *x = view;
}

static Tensor *ops_transposed(Shape s)
{
    Shape reversed = s;
    int order[MAX_DIMS];
    for (int i = 0; i < s.ndim; i++) {
        reversed.dim[i] = s.dim[s.ndim - 1 - i];
        order[i] = s.ndim - 1 - i;
    }
    Tensor *x = ops_buffer(reversed, 1, 0, 0);
    ops_replace(&x, tensor_permute(x, order));
    return x;
}

/* A view of a buffer with axes a n + b long: every axis sliced from `start` in steps of `step`. */
static Tensor *ops_sliced(Shape s, ptrdiff_t a, ptrdiff_t b, ptrdiff_t start, ptrdiff_t step)
{
    Tensor *x = ops_buffer(s, a, b, 0);
    for (int i = 0; i < s.ndim; i++)
        ops_replace(&x, tensor_slice(x, i, start, start + s.dim[i] * step, step));
    return x;
}

/* A tensor of shape s in this layout, a view of a buffer of NaNs. */
static Tensor *ops_room(Shape s, OpsLayout layout)
{
    if (layout == TRANSPOSED)
        return ops_transposed(s);
    if (layout == STEPPED)
        return ops_sliced(s, 3, 2, 2, 3);
    if (layout == WINDOW)
        return ops_sliced(s, 1, 2, 1, 1);
    Tensor *x = ops_buffer(s, 1, 0, 3);
    if (layout == COLUMN) {
        ops_replace(&x, tensor_select(x, s.ndim, 1));
    } else { /* the last third: contiguous, but not at the start */
        ops_replace(&x, tensor_reshape(x, SHAPE(3, shape_count(s))));
        ops_replace(&x, tensor_select(x, 0, 2));
        ops_replace(&x, tensor_reshape(x, s));
    }
    return x;
}

/* A leaf with x's elements in that layout. */
static Var *ops_laid_out(const Var *x, OpsLayout layout)
{
    Tensor *room = ops_room(var_shape(x), layout);
    tensor_copy(room, x->value);
    Var *leaf = var_leaf(room);
    tensor_free(room);
    ck_assert(shape_equal(var_shape(leaf), var_shape(x)));
    return leaf;
}

START_TEST(the_layouts_are_what_they_say)
{
    Shape s = SHAPE(2, 3);
    const ptrdiff_t stride[OPS_LAYOUTS][2] = {{1, 2}, {9, 3}, {33, 3}, {5, 1}, {3, 1}};
    for (OpsLayout l = 0; l < OPS_LAYOUTS; l++) {
        Tensor *x = ops_room(s, l);
        ck_assert(shape_equal(x->shape, s));
        ck_assert_int_eq(x->stride[0], stride[l][0]);
        ck_assert_int_eq(x->stride[1], stride[l][1]);
        ck_assert_int_eq(x->offset > 0, l != TRANSPOSED);
        ck_assert_int_eq(tensor_is_contiguous(x), l == OFFSET);
        tensor_free(x);
    }
}
END_TEST

/* The inputs in the set (one bit each) get the layout; the results must not depend on it. */
static void ops_check_layout(const Op *op, OpsLayout layout, unsigned set)
{
    Var *in[OP_SAMPLE_INPUTS];
    size_t mark = tape_mark();
    op_sample_inputs(&op->sample, 5, in);
    Var *expected = op->sample.call(in);
    for (int k = 0; k < op->sample.n_in; k++)
        if (set >> k & 1)
            in[k] = ops_laid_out(in[k], layout);
    Var *found = op->sample.call(in);
    ck_assert_msg(tensor_all_close(found->value, expected->value, 1e-13, 1e-13),
                  "%s, %s: the value differs", op->name, ops_layout_name[layout]);
    if (TESTING_SLOW) {
        ops_run(op, ops_call, (void *)(uintptr_t)op, in, op->sample.n_in);
    } else {
        GradReport r = ops_assert(op, ops_call, in, op->sample.n_in, ops_layout_name[layout]);
        ops_assert_nonzero(op, r, ops_layout_name[layout]);
    }
    tape_rewind(mark);
}

START_TEST(every_op_works_in_every_layout)
{
    for (const OpEntry *e = op_table; e->op; e++)
        for (OpsLayout layout = 0; layout < OPS_LAYOUTS; layout++)
            for (unsigned set = 1; set < 1u << e->op->sample.n_in; set++)
                ops_check_layout(e->op, layout, set);
}
END_TEST

/* The cotangent that reaches a rule may have any layout as well. Here the op's result is
 * transposed, and therefore so is the gradient that its rule receives. */
static Var *ops_call_transposed(Var **in, void *ctx)
{
    Var *y = ops_call(in, ctx);
    return var_shape(y).ndim < 2 ? y : var_transpose(y, 0, -1);
}

START_TEST(every_rule_takes_a_transposed_gradient)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        Var *in[OP_SAMPLE_INPUTS];
        size_t mark = tape_mark();
        op_sample_inputs(&e->op->sample, 6, in);
        ops_assert(e->op, ops_call_transposed, in, e->op->sample.n_in, "a transposed gradient");
        tape_rewind(mark);
    }
}
END_TEST

/* --- a gradient or an input with stride 0 ----------------------------------------------------- */

typedef struct OpsExpand {
    const Op *op;
    unsigned  set; /* the inputs that are small leaves to be expanded */
} OpsExpand;

static Var *ops_call_expanded(Var **in, void *ctx)
{
    const OpsExpand *e = ctx;
    Var *x[OP_SAMPLE_INPUTS];
    for (int k = 0; k < e->op->sample.n_in; k++)
        x[k] = e->set >> k & 1 ? var_expand(in[k], e->op->sample.in[k].shape) : in[k];
    return e->op->sample.call(x);
}

/* s with the axes in the mask set to 1. */
static Shape ops_shrunk(Shape s, unsigned axes)
{
    for (int i = 0; i < s.ndim; i++)
        s.dim[i] = axes >> i & 1 ? 1 : s.dim[i];
    return s;
}

static void ops_check_expanded(const Op *op, unsigned set, unsigned axes)
{
    OpsExpand e = {op, set};
    OpSample small = op->sample;
    Var *in[OP_SAMPLE_INPUTS];
    size_t mark = tape_mark();
    for (int k = 0; k < small.n_in; k++)
        if (set >> k & 1)
            small.in[k].shape = ops_shrunk(small.in[k].shape, axes);
    op_sample_inputs(&small, 7, in);
    if (TESTING_SLOW)
        ops_run(op, ops_call_expanded, &e, in, small.n_in);
    for (int order = 1; !TESTING_SLOW && order <= (op->once ? 1 : 2); order++) {
        GradReport r = gradcheck(ops_call_expanded, &e, in, small.n_in, ops_order(order));
        ck_assert_msg(r.verdict == GRAD_PASS, "%s, inputs %u stretched along %u, order %d: %s",
                      op->name, set, axes, order, r.message);
    }
    tape_rewind(mark);
}

/* The first axis, the second, both, …: each subset of three axes is stretched. */
START_TEST(every_op_works_on_stretched_inputs)
{
    for (const OpEntry *e = op_table; e->op; e++)
        for (unsigned set = 1; set < 1u << e->op->sample.n_in; set++)
            for (unsigned axes = 1; axes < 8; axes++)
                ops_check_expanded(e->op, set, axes);
}
END_TEST

/* The gradient of a sum arrives stretched, with stride 0; the square makes it differ from 1. The
 * sum is divided by 8, since differences of large squares would be rounded too much. */
static Var *ops_call_summed(Var **in, void *ctx)
{
    return var_square(var_scale(var_sum(ops_call(in, ctx), ALL_AXES, false), (real)0.125));
}

START_TEST(every_rule_takes_a_stretched_gradient)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        Var *in[OP_SAMPLE_INPUTS];
        size_t mark = tape_mark();
        op_sample_inputs(&e->op->sample, 8, in);
        ops_assert(e->op, ops_call_summed, in, e->op->sample.n_in, "a stretched gradient");
        tape_rewind(mark);
    }
}
END_TEST

/* --- shapes ----------------------------------------------------------------------------------- */

/* Leaves as in the sample, but with these shapes. */
static void ops_inputs_of(const Op *op, const Shape *shape, Var **in)
{
    OpSample sample = op->sample;
    for (int k = 0; k < sample.n_in; k++)
        sample.in[k].shape = shape[k];
    op_sample_inputs(&sample, 9, in);
}

static void ops_check_shapes(const Op *op, const Shape shape[OP_SAMPLE_INPUTS], bool broadcasts)
{
    char what[3 * SHAPE_TEXT_SIZE];
    Var *in[OP_SAMPLE_INPUTS];
    size_t mark = tape_mark();
    snprintf(what, sizeof what, "%s and %s", SHAPE_TEXT(shape[0]), SHAPE_TEXT(shape[1]));
    ops_inputs_of(op, shape, in);
    Var *y = op->sample.call(in);
    Shape expected = shape[0];
    if (broadcasts)
        ck_assert(shape_broadcast(shape[0], shape[1], &expected, "check_ops"));
    ck_assert_msg(shape_equal(var_shape(y), expected), "%s, %s: the result is %s", op->name, what,
                  SHAPE_TEXT(var_shape(y)));
    var_backward_with(y, var_full(expected, 1));
    for (int k = 0; k < op->sample.n_in; k++)
        ck_assert_msg(in[k]->grad && shape_equal(in[k]->grad->shape, shape[k]),
                      "%s, %s: input %d's gradient is missing or of a different shape", op->name,
                      what, k);
    GradReport r = ops_assert(op, ops_call, in, op->sample.n_in, what);
    if (shape_count(expected) > 0)
        ops_assert_nonzero(op, r, what);
    tape_rewind(mark);
}

START_TEST(samples_of_any_shape_take_any_shape)
{
    const Shape shapes[] = {SHAPE_SCALAR,      SHAPE(0, 3),    SHAPE(3, 0),      SHAPE(0), SHAPE(1),
                            SHAPE(2, 3, 2, 2), SHAPE(1, 1, 1), SHAPE(2, 1, 0, 3), SHAPE(17)};
    for (const OpEntry *e = op_table; e->op; e++)
        for (size_t i = 0; e->op->sample.any_shape && i < sizeof shapes / sizeof *shapes; i++)
            ops_check_shapes(e->op, (const Shape[]){shapes[i], shapes[i], shapes[i]}, false);
}
END_TEST

/* An op broadcasts if its sample shows it: it accepts any shape, and its two shapes differ. */
static bool ops_broadcasts(const Op *op)
{
    const OpSample *d = &op->sample;
    return d->any_shape && d->n_in == 2 && !shape_equal(d->in[0].shape, d->in[1].shape);
}

START_TEST(two_operands_stretch_to_each_other)
{
    const Shape pairs[][2] = {
        {SHAPE(2, 3), SHAPE(3)},          {SHAPE(3), SHAPE(2, 3)},
        {SHAPE(2, 1), SHAPE(1, 3)},       {SHAPE(1, 3), SHAPE(2, 1)},
        {SHAPE_SCALAR, SHAPE(2, 3)},      {SHAPE(2, 3), SHAPE_SCALAR},
        {SHAPE(2, 1, 2), SHAPE(3, 1)},    {SHAPE(1), SHAPE(2, 2, 2, 2)},
        {SHAPE(2, 3, 4), SHAPE(2, 1, 4)}, {SHAPE(1, 3, 1, 2), SHAPE(4, 1)},
        {SHAPE(0, 3), SHAPE(3)},          {SHAPE(0, 1), SHAPE(1, 3)},
        {SHAPE(1, 1), SHAPE_SCALAR},
    };
    int broadcasting = 0;
    for (const OpEntry *e = op_table; e->op; e++) {
        broadcasting += ops_broadcasts(e->op);
        for (size_t i = 0; ops_broadcasts(e->op) && i < sizeof pairs / sizeof *pairs; i++)
            ops_check_shapes(e->op, pairs[i], true);
    }
    ck_assert_int_ge(broadcasting, 7); /* add sub mul div maximum minimum where */
}
END_TEST

/* --- one Var in two places -------------------------------------------------------------------- */

static Var *ops_call_twice(Var **in, void *ctx)
{
    return ops_call((Var *[OP_SAMPLE_INPUTS]){in[0], in[0], in[0]}, ctx);
}

START_TEST(one_var_may_be_every_input)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        const Shape shape[OP_SAMPLE_INPUTS] = {SHAPE(2, 3), SHAPE(2, 3), SHAPE(2, 3)};
        Var *in[OP_SAMPLE_INPUTS];
        size_t mark = tape_mark();
        if (!e->op->sample.any_shape || e->op->sample.n_in < 2)
            continue;
        ops_inputs_of(e->op, shape, in);
        ops_assert(e->op, ops_call_twice, in, 1, "f(x, x)");
        tape_rewind(mark);
    }
}
END_TEST

/* --- other calls of some ops ------------------------------------------------------------------ */

static Var *ops_call_case(Var **in, void *ctx)
{
    const OpsCase *c = ctx;
    return c->call(in);
}

START_TEST(other_axes_shapes_and_options)
{
    for (size_t i = 0; i < sizeof ops_cases / sizeof *ops_cases; i++) {
        OpsCase c = ops_cases[i];
        OpSample sample = {.n_in = c.n_in};
        Var *in[OP_SAMPLE_INPUTS];
        size_t mark = tape_mark();
        for (int k = 0; k < c.n_in; k++)
            sample.in[k] = (OpSampleInput){c.shape[k], (real)0.5, 2, true};
        op_sample_inputs(&sample, 10 + i, in);
        for (int order = 1; order <= 2; order++) {
            GradReport r = gradcheck(ops_call_case, &c, in, c.n_in, ops_order(order));
            ck_assert_msg(r.verdict == GRAD_PASS && r.nonzero > 0, "%s on %s, order %d: %s", c.what,
                          SHAPE_TEXT(c.shape[0]), order, r.message);
        }
        tape_rewind(mark);
    }
}
END_TEST

/* --- PReLU ------------------------------------------------------------------------------------ */

/* PReLU is linear between its kinks, so a large step has no truncation error: nine digits agree. */
START_TEST(prelu_is_exact_away_from_its_kink)
{
    const Op *const ops[] = {&op_prelu, &op_relu, &op_leaky_relu, &op_abs, &op_prelu_backward};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        for (int order = 1; order <= 2; order++) {
            GradCheckOptions o = {
                .h = 1e-3, .atol = 1e-10, .rtol = 1e-9, .order = order, .seed = i,
                .from_defaults = true};
            GradReport r = op_check(ops[i], o);
            ck_assert_msg(r.verdict == GRAD_PASS, "%s: %s", ops[i]->name, r.message);
            ck_assert_int_gt(r.nonzero, 0);
        }
    }
}
END_TEST

/* A plane, or rows, of more elements than a block of the kernel (16384), against sums written out
 * here. */
static void ops_prelu_long(Shape shape, ptrdiff_t C, ptrdiff_t inner)
{
    size_t mark = tape_mark();
    OpSample sample = {.n_in = 2,
                       .in = {{shape, (real)0.5, 2, true}, {SHAPE(C), (real)-0.5, 1, false}}};
    Var *in[2];
    op_sample_inputs(&sample, 3, in);
    var_backward(var_sum(var_square(var_prelu(in[0], in[1])), ALL_AXES, false));
    const real *x = tensor_read(in[0]->value), *a = tensor_read(in[1]->value);
    double *ga = calloc((size_t)C, sizeof *ga), worst = 0;
    for (ptrdiff_t i = 0, n = tensor_count(in[0]->value); i < n; i++) {
        ptrdiff_t c = i / inner % C;
        real y = x[i] > 0 ? x[i] : a[c] * x[i], gx = x[i] > 0 ? 2 * y : 2 * y * a[c];
        ga[c] += x[i] > 0 ? 0 : 2 * (double)(y * x[i]);
        worst = fmax(worst, fabs((double)(tensor_read(in[0]->grad)[i] - gx)));
    }
    ck_assert_double_le(worst, 1e-13);
    for (ptrdiff_t c = 0; c < C; c++)
        ck_assert_close(tensor_read(in[1]->grad)[c], ga[c], 1e-8);
    free(ga);
    tape_rewind(mark);
}

START_TEST(prelu_is_right_beyond_one_block)
{
    ops_prelu_long(SHAPE(2, 3, 20000), 3, 20000);
    ops_prelu_long(SHAPE(2, 1, 20000), 1, 40000);
    ops_prelu_long(SHAPE(7000, 5), 5, 1);
}
END_TEST

int main(void)
{
    const TTest *const samples[] = {
        every_op_is_complete, every_sample_uses_its_own_op, every_gradient_is_right,
        every_gradient_of_a_gradient_is_right, the_default_tolerances_pass_too,
        each_input_alone_can_want_the_gradient, one_var_may_be_every_input, NULL};
    const TTest *const layouts[] = {
        the_layouts_are_what_they_say, every_op_works_in_every_layout,
        every_rule_takes_a_transposed_gradient, every_op_works_on_stretched_inputs,
        every_rule_takes_a_stretched_gradient, NULL};
    const TTest *const shapes[] = {
        samples_of_any_shape_take_any_shape, two_operands_stretch_to_each_other,
        other_axes_shapes_and_options, NULL};
    const TTest *const prelu[] = {
        prelu_is_exact_away_from_its_kink, prelu_is_right_beyond_one_block, NULL};

    Suite *suite = suite_create("ops");
    testing_add(suite, "with the inputs of their samples", 60, samples);
    testing_add(suite, "in every layout", 120, layouts);
    testing_add(suite, "in many shapes", 60, shapes);
    testing_add(suite, "PReLU", 60, prelu);
    return testing_main(suite);
}
