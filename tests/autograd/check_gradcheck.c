/* tests/autograd/check_gradcheck.c -- a check of the checker: it must reject wrong gradients.
 *
 * A gradient check that passes everything looks just like one that works. So here are ops with one
 * mistake each, of the kinds that people make, written as a program outside the tree would write
 * them; the checker must reject every one and say where it is wrong. Correct ops must pass, and a
 * coordinate at a kink must be distinguished from a wrong gradient.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "tensor/map.h"
#include "tests/testing.h"

static GradCheckOptions check_order(int order)
{
    GradCheckOptions o = GRADCHECK_DEFAULTS;
    o.order = order;
    return o;
}

/* --- forwards that the wrong ops share -------------------------------------------------------- */

static inline real wrong_square_value(real x) { return x * x; }
static inline real wrong_cube_value(real x) { return x * x * x; }
static inline real wrong_double_value(real x) { return 2 * x; }
static inline real wrong_fold_value(real x) { return x > 0 ? x : -(real)0.5 * x; }
static inline real wrong_product_value(real a, real b) { return a * b; }
MAP1(wrong_square_map, wrong_square_value)
MAP1(wrong_cube_map, wrong_cube_value)
MAP1(wrong_double_map, wrong_double_value)
MAP1(wrong_fold_map, wrong_fold_value)
MAP2(wrong_product_map, wrong_product_value)

static void wrong_square_forward(Var *y) { wrong_square_map(y->value, y->in[0]->value); }
static void wrong_cube_forward(Var *y) { wrong_cube_map(y->value, y->in[0]->value); }
static void wrong_double_forward(Var *y) { wrong_double_map(y->value, y->in[0]->value); }
static void wrong_fold_forward(Var *y) { wrong_fold_map(y->value, y->in[0]->value); }
static void wrong_sum_forward(Var *y) { tensor_sum_to(y->value, y->in[0]->value); }
static void wrong_product_forward(Var *y)
{
    wrong_product_map(y->value, y->in[0]->value, y->in[1]->value);
}

/* An op whose sample calls it on leaves of these shapes: x (3,3) and, with n = 2, b. */
#define WRONG_OP(id, forward_fn, n, result, ...)                                                \
    static Var *id##_sample(Var **in);                                                            \
    static const Op id = {                                                                      \
        .name = #id, .forward = forward_fn, .backward = id##_backward,                          \
        .sample = {.call = id##_sample, .n_in = n,                                                \
                   .in = {{{2, {3, 3}}, (real)0.5, 2, true}, {__VA_ARGS__, (real)0.5, 2, true}}}, \
    };                                                                                          \
    static Var *id##_sample(Var **in) { return var_apply(&id, (result), in, n); }

/* --- wrong at first order --------------------------------------------------------------------- */

/* y = x^2 with -2x gy: a check of absolute values would pass it. */
static void wrong_sign_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_mul(gy, var_scale(y->in[0], -2)));
}
WRONG_OP(wrong_sign, wrong_square_forward, 1, var_shape(in[0]), {0})

/* y = x^2 with x gy. */
static void wrong_factor_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_mul(gy, y->in[0]));
}
WRONG_OP(wrong_factor, wrong_square_forward, 1, var_shape(in[0]), {0})

/* LeakyReLU with slope -0.5, whose side is read from the output, which is never negative. */
static void wrong_side_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_where(var_is_positive(y), gy, var_scale(gy, -(real)0.5)));
}
WRONG_OP(wrong_side, wrong_fold_forward, 1, var_shape(in[0]), {0})

/* The gradient is written to ->grad instead of being added. */
static void wrong_store_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    tensor_copy(x->grad, var_mul(gy, var_scale(x, 2))->value);
}
WRONG_OP(wrong_store, wrong_square_forward, 1, var_shape(in[0]), {0})

/* a b with b (3) stretched: b gets the first row of its gradient instead of the sum of the rows. */
static void wrong_row_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, var_mul(gy, b));
    SEND(b, var_select(var_mul(gy, a), 0, 0));
}
WRONG_OP(wrong_row, wrong_product_forward, 2, var_shape(in[0]), {1, {3}})

/* a b with b (3,1) stretched: the gradient is summed over the wrong axis. */
static void wrong_stretch_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, var_mul(gy, b));
    SEND(b, var_reshape(var_sum(var_mul(gy, a), AXES(0), false), SHAPE(3, 1)));
}
WRONG_OP(wrong_stretch, wrong_product_forward, 2, var_shape(in[0]), {2, {3, 1}})

/* y = 2x with the gradient transposed: invisible under a sum, whose cotangent is all ones. */
static void wrong_order_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_scale(var_transpose(gy, 0, 1), 2));
}
WRONG_OP(wrong_order, wrong_double_forward, 1, var_shape(in[0]), {0})

/* Rows summed, with the gradient spread along the columns. */
static void wrong_axis_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_expand(var_reshape(gy, SHAPE(3, 1)), SHAPE(3, 3)));
}
WRONG_OP(wrong_axis, wrong_sum_forward, 1, SHAPE(1, 3), {0})

/* No gradient is sent. */
static void wrong_nothing_backward(Var *y, Var *gy)
{
    (void)y, (void)gy;
}
WRONG_OP(wrong_nothing, wrong_square_forward, 1, var_shape(in[0]), {0})

/* NaN: no comparison with it holds, so a checker that asks "is the error too large?" passes it. */
static void wrong_nan_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_scale(gy, (real)NAN));
}
WRONG_OP(wrong_nan, wrong_square_forward, 1, var_shape(in[0]), {0})

/* Correct except for the last element. */
static void wrong_last_backward(Var *y, Var *gy)
{
    Var *g = var_mul(gy, var_scale(y->in[0], 2)), *off = var_full(SHAPE(3, 3), 1);
    tensor_write(off->value)[8] = (real)1.01;
    SEND(y->in[0], var_mul(g, off));
}
WRONG_OP(wrong_last, wrong_square_forward, 1, var_shape(in[0]), {0})

/* Correct for the first input, wrong for the second. */
static void wrong_second_input_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_mul(gy, y->in[1]));
    SEND(y->in[1], var_neg(var_mul(gy, y->in[0])));
}
WRONG_OP(wrong_second_input, wrong_product_forward, 2, var_shape(in[0]), {2, {3, 3}})

typedef struct WrongCase {
    const Op   *op;
    const char *where;
} WrongCase;

START_TEST(wrong_ops_are_rejected_and_located)
{
    const WrongCase cases[] = {
        {&wrong_sign, "input 0, element 0"},    {&wrong_factor, "input 0, element 0"},
        {&wrong_side, "input 0, element "},     {&wrong_store, "input 0, element 0"},
        {&wrong_row, "input 1, element 0"},     {&wrong_stretch, "input 1, element 0"},
        {&wrong_order, "input 0, element 1"},   {&wrong_axis, "input 0, element 1"},
        {&wrong_nothing, "input 0, element 0"}, {&wrong_nan, "input 0, element 0"},
        {&wrong_last, "input 0, element 8"},    {&wrong_second_input, "input 1, element 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            GradCheckOptions o = check_order(1);
            o.seed = seed;
            GradReport r = op_check(cases[i].op, o);
            ck_assert_msg(r.verdict == GRAD_FAIL, "%s passed", cases[i].op->name);
            ck_assert_int_gt(r.failures, 0);
            ck_assert_int_eq(r.kinks, 0);
            ck_assert_msg(strstr(r.message, cases[i].where), "%s: %s", cases[i].op->name,
                          r.message);
            ck_assert(strstr(r.message, "finite differences give"));
            ck_assert(strncmp(r.message, cases[i].op->name, strlen(cases[i].op->name)) == 0);
            ck_assert(strstr(r.message, ": FAIL: input "));
        }
    }
    ck_assert_int_eq(op_check(&wrong_last, check_order(1)).failures, 1);
    ck_assert_int_eq(op_check(&wrong_nothing, check_order(1)).nonzero, 0);
    ck_assert_int_eq(op_check(&wrong_sign, check_order(1)).failures, 9);
}
END_TEST

/* --- f(x, x) ---------------------------------------------------------------------------------- */

/* a b, whose rule forgets b's term if a and b are the same Var. */
static void wrong_self_backward(Var *y, Var *gy)
{
    Var *a = y->in[0], *b = y->in[1];
    SEND(a, var_mul(gy, b));
    if (a != b)
        SEND(b, var_mul(gy, a));
}
WRONG_OP(wrong_self, wrong_product_forward, 2, var_shape(in[0]), {2, {3, 3}})

static Var *check_call_self(Var **in, void *ctx)
{
    const Op *op = ctx;
    return var_apply(op, var_shape(in[0]), VARS(in[0], in[0]));
}

START_TEST(a_missing_term_of_f_of_x_and_x_shows)
{
    Var *x = var_leaf(var_full(SHAPE(3), (real)1.5)->value);
    void *ctx = (void *)(uintptr_t)&wrong_self;
    ck_assert_int_eq(op_check(&wrong_self, check_order(1)).verdict, GRAD_PASS);
    ck_assert_int_eq(gradcheck(check_call_self, ctx, &x, 1, check_order(1)).verdict, GRAD_FAIL);
    ctx = (void *)(uintptr_t)&op_mul;
    ck_assert_int_eq(gradcheck(check_call_self, ctx, &x, 1, check_order(1)).verdict, GRAD_PASS);
    tape_rewind(0);
}
END_TEST

/* --- wrong at second order only --------------------------------------------------------------- */

/* x^3 with a correct gradient, computed from a detached copy of x. */
static void wrong_detached_backward(Var *y, Var *gy)
{
    Var *x = var_detach(y->in[0]);
    SEND(y->in[0], var_mul(gy, var_scale(var_square(x), 3)));
}
WRONG_OP(wrong_detached, wrong_cube_forward, 1, var_shape(in[0]), {0})

/* x^3 with a correct gradient that, on the tape, does not depend on the cotangent. */
static void wrong_cut_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_mul(var_detach(gy), var_scale(var_square(y->in[0]), 3)));
}
WRONG_OP(wrong_cut, wrong_cube_forward, 1, var_shape(in[0]), {0})

/* x^3 with a gradient computed by an op whose own rule is wrong. */
static void wrong_inside_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, var_mul(gy, var_scale(var_apply(&wrong_sign, var_shape(x), VARS(x)), 3)));
}
WRONG_OP(wrong_inside, wrong_cube_forward, 1, var_shape(in[0]), {0})

START_TEST(a_wrong_second_derivative_shows_at_order_2)
{
    const WrongCase cases[] = {{&wrong_detached, "input 0, element 0"},
                               {&wrong_cut, "input 1, element 0"}, /* the cotangent */
                               {&wrong_inside, "input 0, element 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        GradReport first = op_check(cases[i].op, check_order(1));
        GradReport second = op_check(cases[i].op, check_order(2));
        ck_assert_msg(first.verdict == GRAD_PASS, "%s: %s", cases[i].op->name, first.message);
        ck_assert_msg(second.verdict == GRAD_FAIL, "%s passed at order 2", cases[i].op->name);
        ck_assert_msg(strstr(second.message, cases[i].where), "%s", second.message);
    }
}
END_TEST

/* A wrong gradient may be consistent with its own derivative: all of these pass the second part of a
 * check of order 2. The check fails in its first part, whose report it returns. */
START_TEST(a_wrong_first_derivative_shows_at_order_2_too)
{
    const WrongCase cases[] = {{&wrong_sign, "input 0, element 0"},
                               {&wrong_factor, "input 0, element 0"},
                               {&wrong_second_input, "input 1, element 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[128];
        GradReport first = op_check(cases[i].op, check_order(1));
        GradReport second = op_check(cases[i].op, check_order(2));
        snprintf(expected, sizeof expected, "%s: FAIL: at order 1, %s: the gradient is ",
                 cases[i].op->name, cases[i].where);
        ck_assert_int_eq(second.verdict, GRAD_FAIL);
        ck_assert_int_eq(second.failures, first.failures);
        ck_assert_int_eq(second.checked, first.checked);
        ck_assert_msg(strstr(second.message, expected), "%s", second.message);
    }
    Var *x = var_leaf(var_full(SHAPE(3), (real)1.5)->value);
    void *ctx = (void *)(uintptr_t)&wrong_self;
    ck_assert_int_eq(gradcheck(check_call_self, ctx, &x, 1, check_order(2)).verdict, GRAD_FAIL);
    tape_rewind(0);
}
END_TEST

/* --- correct ops ------------------------------------------------------------------------------ */

static void right_cube_backward(Var *y, Var *gy)
{
    SEND(y->in[0], var_mul(gy, var_scale(var_square(y->in[0]), 3)));
}
WRONG_OP(right_cube, wrong_cube_forward, 1, var_shape(in[0]), {0})

START_TEST(a_right_op_from_outside_the_tree_passes)
{
    GradReport r = op_check(&right_cube, check_order(1));
    ck_assert_msg(r.verdict == GRAD_PASS, "%s", r.message);
    ck_assert_int_eq(r.checked, 9);
    ck_assert_int_eq(r.nonzero, 9);
    ck_assert_int_eq(r.kinks + r.failures, 0);
    ck_assert(r.worst > 0 && r.worst < 1e-8);
    ck_assert_msg(strstr(r.message, "right_cube: PASS: 9 coordinates agree, 0 at a kink "),
                  "%s", r.message);
    r = op_check(&right_cube, check_order(2));
    ck_assert_msg(r.verdict == GRAD_PASS, "%s", r.message);
    ck_assert_int_eq(r.checked, 18); /* the inputs and the cotangent */
}
END_TEST

static Var *check_polynomial(Var **in, void *ctx)
{
    const double *c = ctx;
    return var_add(var_scale(var_square(in[0]), (real)*c), var_mul(in[1], in[0]));
}

START_TEST(a_function_of_vars_passes_with_its_context)
{
    double c = 3;
    Var *in[2] = {var_leaf(var_full(SHAPE(4), (real)0.7)->value), var_full(SHAPE(4), 2)};
    GradReport r = gradcheck(check_polynomial, &c, in, 2, check_order(1));
    ck_assert_int_eq(r.verdict, GRAD_PASS);
    ck_assert_int_eq(r.checked, 4); /* in[1] is a constant */
    ck_assert_int_eq(gradcheck(check_polynomial, &c, in, 2, check_order(2)).verdict, GRAD_PASS);
    tape_rewind(0);
}
END_TEST

static Var *check_constant(Var **in, void *ctx)
{
    (void)in, (void)ctx;
    return var_scalar(3);
}

/* It passes, but nonzero = 0 says that this proves nothing. */
START_TEST(a_function_that_ignores_its_inputs_has_gradient_0)
{
    Var *x = var_leaf(var_full(SHAPE(4), 2)->value);
    for (int order = 1; order <= 2; order++) {
        GradReport r = gradcheck(check_constant, NULL, &x, 1, check_order(order));
        ck_assert_int_eq(r.verdict, GRAD_PASS);
        ck_assert_int_eq(r.nonzero, 0);
        ck_assert_msg(strstr(r.message, "coordinates agree (all are 0, which proves little)"), "%s",
                      r.message);
    }
    tape_rewind(0);
}
END_TEST

static Var *check_triple(Var **in, void *ctx) { return (void)ctx, var_scale(in[0], 3); }

/* Its gradient depends on the cotangent alone, and not on x. */
START_TEST(a_linear_function_passes_at_both_orders)
{
    Var *x = var_leaf(var_full(SHAPE(4), 2)->value);
    for (int order = 1; order <= 2; order++) {
        GradReport r = gradcheck(check_triple, NULL, &x, 1, check_order(order));
        ck_assert_msg(r.verdict == GRAD_PASS, "%s", r.message);
        ck_assert_int_eq(r.checked, 4 * order);
        ck_assert_int_eq(r.nonzero, 4);
    }
    tape_rewind(0);
}
END_TEST

static Var *check_first(Var **in, void *ctx) { return (void)ctx, var_square(in[0]); }

/* in[1] acts through its value, without a gradient. */
static Var *check_secretly(Var **in, void *ctx)
{
    (void)ctx;
    return var_mul(var_square(in[0]), var_detach(in[1]));
}

START_TEST(an_input_that_is_not_used_is_checked_too)
{
    Var *in[2] = {var_leaf(var_full(SHAPE(2), 2)->value), var_leaf(var_full(SHAPE(2), 3)->value)};
    GradReport r = gradcheck(check_first, NULL, in, 2, check_order(1));
    ck_assert_msg(r.verdict == GRAD_PASS, "%s", r.message);
    ck_assert_int_eq(r.checked, 4);
    ck_assert_int_eq(r.nonzero, 2);
    r = gradcheck(check_secretly, NULL, in, 2, check_order(1));
    ck_assert_int_eq(r.failures, 2);
    ck_assert_msg(strstr(r.message, "input 1, element 0: the gradient is 0, but"), "%s", r.message);
    tape_rewind(0);
}
END_TEST

/* --- functions that cannot be checked --------------------------------------------------------- */

/* Asserts that the check fails at both orders, blaming no coordinate, with this sentence. */
static void check_cannot(GradFunction fn, void *ctx, Var *x, const char *sentence)
{
    for (int order = 1; order <= 2; order++) {
        GradReport r = gradcheck(fn, ctx, &x, 1, check_order(order));
        ck_assert_int_eq(r.verdict, GRAD_FAIL);
        ck_assert_int_eq(r.failures, 0);
        ck_assert_msg(strncmp(r.message, "FAIL: ", 6) == 0, "%s", r.message);
        ck_assert_msg(strstr(r.message, sentence), "order %d: %s", order, r.message);
    }
}

static Var *check_nothing_of(Var **in, void *ctx)
{
    (void)ctx;
    return var_slice(var_square(in[0]), 0, 0, 0, 1);
}

START_TEST(a_check_of_nothing_fails)
{
    const char *inputs = "nothing was checked: no input with elements requires a gradient; create "
                         "one with var_leaf_from";
    check_cannot(check_first, NULL, var_full(SHAPE(2), 1), inputs);
    check_cannot(check_first, NULL, var_leaf(var_full(SHAPE(0, 3), 1)->value), inputs);
    check_cannot(check_nothing_of, NULL, var_leaf(var_full(SHAPE(2), 1)->value),
                 "nothing was checked: the function's result has no elements");
    tape_rewind(0);
}
END_TEST

/* x^2, or 2 x^2 in every *ctx-th call. */
static Var *check_random(Var **in, void *ctx)
{
    static int calls;
    Var *y = var_square(in[0]);
    return ++calls % *(const int *)ctx ? y : var_mul(y, var_scalar(2));
}

static Var *check_dropout(Var **in, void *ctx)
{
    Rng *rng = ctx;
    rng->position += 100;
    return var_square(var_dropout(in[0], (real)0.5, *rng));
}

/* x^2, or 2 x^2 in call number ctx[1]; ctx[0] counts the calls. */
static Var *check_once(Var **in, void *ctx)
{
    int *calls = ctx;
    return var_scale(var_square(in[0]), ++calls[0] == calls[1] ? 2 : 1);
}

START_TEST(a_function_that_is_not_repeatable_is_named)
{
    const char *sentence = "; dropout or another source of randomness must be fixed while checking";
    Rng rng = rng_new(1, 0);
    Var *x = var_leaf(var_full(SHAPE(20), 3)->value);
    check_cannot(check_dropout, &rng, x, sentence);
    int every[] = {2, 7, 33};
    for (int i = 0; i < 3; i++)
        check_cannot(check_random, &every[i], x, sentence);
    for (int odd = 3; odd < 30; odd++) { /* the first two calls only give the shape */
        GradReport r = gradcheck(check_once, (int[]){0, odd}, &x, 1, check_order(1));
        ck_assert_msg(strstr(r.message, "two calls with the same inputs gave ") &&
                      strstr(r.message, sentence), "%d: %s", odd, r.message);
    }
    tape_rewind(0);
}
END_TEST

static Var *check_log(Var **in, void *ctx) { return (void)ctx, var_log(in[0]); }

START_TEST(a_result_that_is_not_finite_is_named)
{
    Var *x = var_leaf_from(SHAPE(3), (const real[]){1, -1, 2});
    GradReport r = gradcheck(check_log, NULL, &x, 1, check_order(1));
    ck_assert_int_eq(r.verdict, GRAD_FAIL);
    ck_assert_msg(strstr(r.message, "element 1 of the result is "), "%s", r.message);
    tensor_write(x->value)[1] = 0; /* -Inf */
    check_cannot(check_log, NULL, x, "; a derivative can be checked only where that is finite");
    tape_rewind(0);
}
END_TEST

/* --- kinks ------------------------------------------------------------------------------------ */

/* ReLU with a made-up derivative within 1e-3 of 0. */
static void kink_forward(Var *y)
{
    real *p = tensor_write(y->value);
    for (ptrdiff_t i = 0, n = tensor_count(y->value); i < n; i++)
        p[i] = (real)fmax(0, (double)tensor_read(y->in[0]->value)[i]);
}

static void kink_send(Var *y, Var *gy, real at_kink)
{
    Var *x = y->in[0], *g = var_empty(var_shape(x));
    real *p = tensor_write(g->value);
    for (ptrdiff_t i = 0, n = tensor_count(x->value); i < n; i++) {
        real at = tensor_read(x->value)[i];
        p[i] = at > (real)1e-3 ? 1 : at < -(real)1e-3 ? 0 : at_kink;
    }
    SEND(x, var_mul(gy, g));
}

static void kink_inside_backward(Var *y, Var *gy) { kink_send(y, gy, (real)0.3); }
static void kink_above_backward(Var *y, Var *gy) { kink_send(y, gy, (real)1.2); }
static void kink_below_backward(Var *y, Var *gy) { kink_send(y, gy, -(real)0.1); }

static const Op kink_inside = {.name = "kink_inside", .forward = kink_forward,
                               .backward = kink_inside_backward, .branch_hash = op_branch_by_sign};
static const Op kink_above = {.name = "kink_above", .forward = kink_forward,
                              .backward = kink_above_backward, .branch_hash = op_branch_by_sign};
static const Op kink_below = {.name = "kink_below", .forward = kink_forward,
                              .backward = kink_below_backward, .branch_hash = op_branch_by_sign};
static const Op kink_silent = {.name = "kink_silent", .forward = kink_forward,
                               .backward = kink_inside_backward}; /* has no branch hash */

static Var *check_call_unary(Var **in, void *ctx)
{
    const Op *op = ctx;
    return var_apply(op, var_shape(in[0]), VARS(in[0]));
}

/* A leaf (20) of ±1, of which the first `n_near` are `near`. */
static Var *check_near(int n_near, double near)
{
    Var *x = var_leaf(var_empty(SHAPE(20))->value);
    real *p = tensor_write(x->value);
    for (int i = 0; i < 20; i++)
        p[i] = i < n_near ? (real)near : i % 2 ? 1 : -1;
    return x;
}

static GradReport check_kink(const Op *op, int n_near, double near, int order)
{
    size_t mark = tape_mark();
    Var *x = check_near(n_near, near);
    GradReport r = gradcheck(check_call_unary, (void *)(uintptr_t)op, &x, 1, check_order(order));
    tape_rewind(mark);
    return r;
}

START_TEST(a_coordinate_at_a_kink_is_counted)
{
    const double h = check_order(1).h, near[] = {0, -0.0, h / 3, -h / 3, h * 0.99, -h * 0.99};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        GradReport r = check_kink(&op_relu, 1, near[i], 1);
        ck_assert_msg(r.verdict == GRAD_KINK, "at %g: %s", near[i], r.message);
        ck_assert_int_eq(r.kinks, 1);
        ck_assert_int_eq(r.checked, 20);
        ck_assert_int_eq(r.failures, 0);
        ck_assert_msg(strstr(r.message, "1 at a kink"), "%s", r.message);
        ck_assert_int_eq(check_kink(&op_abs, 1, near[i], 1).verdict, GRAD_KINK);
    }
    ck_assert_int_eq(check_kink(&kink_inside, 1, 0, 1).verdict, GRAD_KINK);
    ck_assert_int_eq(check_kink(&op_relu, 1, 2 * h, 1).verdict, GRAD_PASS);
    ck_assert_int_eq(check_kink(&op_relu, 1, -2 * h, 1).verdict, GRAD_PASS);
    ck_assert_str_eq(grad_verdict_name(GRAD_KINK), "KINK");
}
END_TEST

/* At a kink within the step, the gradient must still lie between the slopes of the two sides. */
START_TEST(a_gradient_outside_the_two_slopes_fails)
{
    const Op *const ops[] = {&kink_above, &kink_below};
    for (int i = 0; i < 2; i++) {
        for (uint64_t seed = 0; seed < 4; seed++) { /* cotangents of both signs */
            size_t mark = tape_mark();
            GradCheckOptions o = check_order(1);
            o.seed = seed;
            Var *x = check_near(1, 0);
            GradReport r = gradcheck(check_call_unary, (void *)(uintptr_t)ops[i], &x, 1, o);
            ck_assert_msg(r.verdict == GRAD_FAIL, "%s passed", ops[i]->name);
            ck_assert_int_eq(r.failures, 1);
            ck_assert_msg(strstr(r.message, "input 0, element 0"), "%s", r.message);
            ck_assert_msg(strstr(r.message, "with a kink between"), "%s", r.message);
            tape_rewind(mark);
        }
    }
}
END_TEST

/* |x - d| - |x + d|: slope -2 between the kinks at -d and d, and 0 outside them. The gradient is
 * multiplied by *ctx. */
static Var *check_two_kinks(Var **in, void *ctx)
{
    const real d = (real)(check_order(1).h / 3), factor = *(const real *)ctx;
    Var *x = in[0];
    x = var_add(var_scale(x, factor), var_scale(var_detach(x), 1 - factor));
    return var_sub(var_abs(var_add_scalar(x, -d)), var_abs(var_add_scalar(x, d)));
}

/* Between two kinks that lie within the step, the slope is not one of left and right. */
START_TEST(the_step_is_halved_until_it_leaves_out_other_kinks)
{
    real right = 1, wrong = 2;
    Var *x = check_near(1, 0);
    GradReport r = gradcheck(check_two_kinks, &right, &x, 1, check_order(1));
    ck_assert_msg(r.verdict == GRAD_KINK, "%s", r.message);
    ck_assert_int_eq(r.kinks, 1);
    r = gradcheck(check_two_kinks, &wrong, &x, 1, check_order(1));
    ck_assert_msg(r.verdict == GRAD_FAIL && r.failures == 1, "%s", r.message);
    tape_rewind(0);
}
END_TEST

/* An op with kinks but without a branch hash is not excused. */
START_TEST(an_op_without_a_branch_hash_fails_at_its_kink)
{
    ck_assert_int_eq(check_kink(&kink_silent, 1, 0, 1).verdict, GRAD_FAIL);
    ck_assert_int_eq(check_kink(&kink_silent, 0, 0, 1).verdict, GRAD_PASS);
}
END_TEST

START_TEST(too_many_kinks_fail)
{
    ck_assert_int_eq(check_kink(&op_relu, 2, 0, 1).verdict, GRAD_KINK); /* a tenth passes */
    GradReport r = check_kink(&op_relu, 3, 0, 1);
    ck_assert_int_eq(r.verdict, GRAD_FAIL);
    ck_assert_int_eq(r.failures, 0);
    ck_assert_msg(strstr(r.message, "3 of 20 coordinates are at a kink"), "%s", r.message);
}
END_TEST

/* At x = 0 PReLU takes the slope's side: the gradient is a gy, one end of the range a gy ... gy. */
static Var *check_call_prelu(Var **in, void *ctx)
{
    (void)ctx;
    return var_prelu(in[0], in[1]);
}

START_TEST(prelu_at_exactly_0_is_a_kink)
{
    const real slopes[] = {(real)0.25, -(real)0.75, 2, 0};
    for (int i = 0; i < 4; i++) {
        Var *in[2] = {check_near(1, 0), var_leaf(var_full(SHAPE(1), slopes[i])->value)};
        GradReport r = gradcheck(check_call_prelu, NULL, in, 2, check_order(1));
        ck_assert_msg(r.verdict == GRAD_KINK, "slope %g: %s", (double)slopes[i], r.message);
        ck_assert_int_eq(r.kinks, 1);
        tape_rewind(0);
    }
}
END_TEST

static Var *check_call_maximum(Var **in, void *ctx)
{
    (void)ctx;
    return var_maximum(in[0], in[1]);
}

START_TEST(a_tie_is_a_kink_of_both_sides)
{
    Var *in[2] = {check_near(1, 0.5), check_near(1, 0.5)};
    tensor_scale(in[1]->value, in[1]->value, 2);
    tensor_write(in[1]->value)[0] = (real)0.5;
    GradReport r = gradcheck(check_call_maximum, NULL, in, 2, check_order(1));
    ck_assert_msg(r.verdict == GRAD_KINK, "%s", r.message);
    ck_assert_int_eq(r.kinks, 2);
    tape_rewind(0);
}
END_TEST

START_TEST(at_second_order_a_kink_is_counted_not_judged)
{
    GradReport r = check_kink(&op_relu, 1, 0, 2);
    ck_assert_msg(r.verdict == GRAD_KINK, "%s", r.message);
    ck_assert_int_eq(r.kinks, 1);
    ck_assert_int_eq(r.checked, 40);
    ck_assert_int_eq(check_kink(&op_relu, 0, 0, 2).verdict, GRAD_PASS);
    ck_assert_int_eq(check_kink(&op_relu, 5, 0, 2).verdict, GRAD_FAIL);
}
END_TEST

/* --- what it leaves behind -------------------------------------------------------------------- */

/* A slice with a step, with values x for which x + h - h differs from x. */
static Var *check_awkward_leaf(real buffer[12])
{
    const real values[] = {(real)0.1, -(real)0.0, (real)1e-30, (real)-12345.678, (real)0.3, 1};
    for (int i = 0; i < 12; i++)
        buffer[i] = i % 2 ? (real)NAN : values[i / 2];
    Tensor *whole = tensor_from(SHAPE(12), buffer), *part = tensor_slice(whole, 0, 0, 12, 2);
    Var *x = var_leaf(part);
    tensor_free(whole), tensor_free(part);
    return x;
}

START_TEST(values_gradients_and_tape_are_as_before)
{
    for (int order = 1; order <= 2; order++) {
        real buffer[12];
        Var *x = check_awkward_leaf(buffer), *p = var_param_new(tensor_full(SHAPE(6), 2), "p");
        Tensor *grad = x->grad = tensor_full(SHAPE(6), (real)0.5);
        Var *in[2] = {x, p};
        double c = 1;
        size_t mark = tape_mark();
        gradcheck(check_polynomial, &c, in, 2, check_order(order));
        ck_assert_uint_eq(tape_mark(), mark);
        ck_assert(memcmp(x->value->storage->data, buffer, sizeof buffer) == 0);
        ck_assert_ptr_eq(x->grad, grad);
        ck_assert_tensor(x->grad, SHAPE(6), 0, .5, .5, .5, .5, .5, .5);
        ck_assert_tensor(p->value, SHAPE(6), 0, 2, 2, 2, 2, 2, 2);
        ck_assert_ptr_null(p->grad);
        var_param_free(p);
        tape_rewind(0);
    }
}
END_TEST

START_TEST(the_trace_has_a_line_for_each_coordinate)
{
    char line[400];
    int lines = 0, kinks = 0;
    GradCheckOptions o = check_order(1);
    o.trace = tmpfile();
    ck_assert_ptr_nonnull(o.trace);
    Var *x = check_near(1, 0);
    gradcheck(check_call_unary, (void *)(uintptr_t)&op_relu, &x, 1, o);
    rewind(o.trace);
    for (; fgets(line, sizeof line, o.trace); lines++) {
        char start[64];
        bool kink = lines == 0;
        kinks += strncmp(line, "KINK", 4) == 0;
        snprintf(start, sizeof start, "%s  input 0 element %d  analytic ", kink ? "KINK" : "PASS",
                 lines);
        ck_assert_msg(strncmp(line, start, strlen(start)) == 0, "line %d: %s", lines, line);
        ck_assert(strstr(line, "central ") && strstr(line, "left ") && strstr(line, "right "));
    }
    ck_assert_int_eq(lines, 20);
    ck_assert_int_eq(kinks, 1);
    fclose(o.trace);
    tape_rewind(0);
}
END_TEST

/* The same seed gives the same cotangents and inputs, another seed gives different ones. */
START_TEST(reports_can_be_repeated)
{
    GradCheckOptions o = check_order(1);
    GradReport a = op_check(&op_tanh, o), b = op_check(&op_tanh, o);
    o.seed = 7;
    GradReport c = op_check(&op_tanh, o);
    ck_assert(a.worst == b.worst);
    ck_assert(a.worst != c.worst);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

/* Asserts that the defaults with this number in the field at this offset are refused. */
static void check_refuses(size_t field, double number)
{
    Var *x = var_leaf(var_full(SHAPE(2), 1)->value);
    GradCheckOptions o = GRADCHECK_DEFAULTS;
    memcpy((char *)&o + field, &number, sizeof number);
    ck_assert_fails(gradcheck(check_first, NULL, &x, 1, o), "expected h above 0, tolerances of 0 "
                    "or more, order 1 or 2, and max_kinks from 0 to 1");
}

START_TEST(options_left_out_or_out_of_range_are_refused)
{
    Var *x = var_leaf(var_full(SHAPE(2), 1)->value);
    GradCheckOptions part = {.h = 1e-6, .order = 1};
    ck_assert_fails(gradcheck(check_first, NULL, &x, 1, part),
                    "gradcheck: options left out are 0, which is not the usual tolerance; start "
                    "with GradCheckOptions o = GRADCHECK_DEFAULTS;");
    ck_assert_fails(gradcheck(check_first, NULL, &x, 1, check_order(0)), "order 0");
    ck_assert_fails(gradcheck(check_first, NULL, &x, 1, check_order(3)), "order 3");
    const double bad[] = {-1, (double)NAN};
    for (int i = 0; i < 2; i++) {
        check_refuses(offsetof(GradCheckOptions, h), bad[i]);
        check_refuses(offsetof(GradCheckOptions, atol), bad[i]);
        check_refuses(offsetof(GradCheckOptions, rtol), bad[i]);
        check_refuses(offsetof(GradCheckOptions, max_kinks), bad[i]);
    }
    check_refuses(offsetof(GradCheckOptions, h), 0);
    check_refuses(offsetof(GradCheckOptions, h), (double)INFINITY);
    check_refuses(offsetof(GradCheckOptions, max_kinks), 2);
    tape_rewind(0);
}
END_TEST

static Var *check_returns_null(Var **in, void *ctx) { return (void)in, (void)ctx, NULL; }

static Var *check_grows(Var **in, void *ctx)
{
    int *calls = ctx;
    return var_slice(in[0], 0, 0, 1 + (*calls)++ / 2 % 2, 1);
}

static Var *check_product(Var **in, void *ctx) { return (void)ctx, var_mul(in[0], in[1]); }

START_TEST(functions_and_inputs_that_cannot_be_differenced_are_refused)
{
    int calls = 0;
    Tensor *four = tensor_full(SHAPE(4), 2), *wide = tensor_expand(four, SHAPE(3, 4)),
           *left = tensor_slice(four, 0, 0, 2, 1), *right = tensor_slice(four, 0, 2, 4, 1);
    Var *x = var_leaf(left), *y = var_leaf(right), *all = var_leaf(four), *rows = var_leaf(wide);
    GradCheckOptions o = check_order(1);
    const char *share = "inputs 0 and 1 share memory, so neither can be changed alone; pass a Var "
                        "once and let the function use it twice";
    ck_assert_fails(gradcheck(check_returns_null, NULL, &x, 1, o), "the function returned NULL");
    ck_assert_fails(gradcheck(check_grows, &calls, &x, 1, o), "shape (1,), then (2,); its shape");
    ck_assert_fails(gradcheck(check_product, NULL, (Var *[]){x, x}, 2, o), share);
    ck_assert_fails(gradcheck(check_product, NULL, (Var *[]){x, all}, 2, o), share);
    ck_assert_fails(gradcheck(check_product, NULL, (Var *[]){var_const(left), x}, 2, o), share);
    ck_assert_fails(gradcheck(check_first, NULL, &rows, 1, o), "(3, 4), is expanded: its elements");
    GradReport r = gradcheck(check_product, NULL, (Var *[]){x, y}, 2, o);
    ck_assert_msg(r.verdict == GRAD_PASS, "%s", r.message);
    tensor_free(four), tensor_free(wide), tensor_free(left), tensor_free(right);
    tape_rewind(0);
}
END_TEST

START_TEST(a_sample_must_be_complete)
{
    Op op = right_cube;
    op.sample.n_in = OP_SAMPLE_INPUTS + 1;
    ck_assert_fails(op_check(&op, check_order(1)), "'right_cube' has n_in = 4; expected 1 to 3");
    op.sample.n_in = 1;
    op.sample.in[0].low = op.sample.in[0].high = 0;
    ck_assert_fails(op_check(&op, check_order(1)), "in the sample of op 'right_cube' input 0 is "
                    "drawn from 0 to 0; expected .low below .high");
}
END_TEST

START_TEST(misuse_is_refused)
{
    static const Op bare = {.name = "bare"};
    Var *leaf = var_leaf(var_full(SHAPE(2), 1)->value), *interior = var_exp(leaf);
    Var *many[16];
    for (int i = 0; i < 16; i++)
        many[i] = leaf;
    GradCheckOptions o = check_order(1);
    ck_assert_fails(gradcheck(check_constant, NULL, &interior, 1, o), "expected a leaf");
    ck_assert_fails(gradcheck(check_constant, NULL, &interior, 1, o), "input 0 is exp");
    ck_assert_fails(gradcheck(check_constant, NULL, &leaf, 0, o), "0 inputs; expected 1 to 15");
    ck_assert_fails(gradcheck(check_constant, NULL, many, 16, o), "16 inputs");
    ck_assert_fails(op_check(&bare, o), "'bare' has no sample");
    tape_rewind(0);
}
END_TEST

int main(void)
{
    const TTest *const wrong[] = {wrong_ops_are_rejected_and_located,
                                  a_missing_term_of_f_of_x_and_x_shows,
                                  a_wrong_second_derivative_shows_at_order_2,
                                  a_wrong_first_derivative_shows_at_order_2_too, NULL};
    const TTest *const right[] = {a_right_op_from_outside_the_tree_passes,
                                  a_function_of_vars_passes_with_its_context,
                                  a_function_that_ignores_its_inputs_has_gradient_0,
                                  a_linear_function_passes_at_both_orders,
                                  an_input_that_is_not_used_is_checked_too, NULL};
    const TTest *const cannot[] = {a_check_of_nothing_fails,
                                   a_function_that_is_not_repeatable_is_named,
                                   a_result_that_is_not_finite_is_named, NULL};
    const TTest *const kinks[] = {a_coordinate_at_a_kink_is_counted,
                                  a_gradient_outside_the_two_slopes_fails,
                                  the_step_is_halved_until_it_leaves_out_other_kinks,
                                  an_op_without_a_branch_hash_fails_at_its_kink,
                                  too_many_kinks_fail,
                                  prelu_at_exactly_0_is_a_kink, a_tie_is_a_kink_of_both_sides,
                                  at_second_order_a_kink_is_counted_not_judged, NULL};
    const TTest *const use[] = {values_gradients_and_tape_are_as_before,
                                the_trace_has_a_line_for_each_coordinate, reports_can_be_repeated,
                                options_left_out_or_out_of_range_are_refused,
                                functions_and_inputs_that_cannot_be_differenced_are_refused,
                                a_sample_must_be_complete, misuse_is_refused, NULL};

    Suite *suite = suite_create("gradcheck");
    testing_add(suite, "wrong ops", 30, wrong);
    testing_add(suite, "correct ops", 30, right);
    testing_add(suite, "functions that cannot be checked", 30, cannot);
    testing_add(suite, "kinks", 30, kinks);
    testing_add(suite, "use", 30, use);
    return testing_main(suite);
}
