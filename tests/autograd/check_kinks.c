/* tests/autograd/check_kinks.c -- first and second derivatives at kinks and ties, and gradients
 * of NaN.
 *
 * At a kink or a tie the derivative is a convention. Whatever it is, the gradient is linear in gy
 * there, so the second derivatives must agree with the first: d gx/d gy = dy/dx.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "autograd/backward.h"
#include "tests/testing.h"

#define LEAF(shape, ...) var_leaf_from((shape), (const real[]){__VA_ARGS__})

/* d<gy, y>/dx for gy = 1, 10, 100 … */
static void kink_backward(Var *y)
{
    Var *gy = var_empty(var_shape(y));
    real *p = tensor_write(gy->value), power = 1;
    for (ptrdiff_t i = 0; i < tensor_count(gy->value); i++, power *= 10)
        p[i] = power;
    var_backward_with(y, gy);
}

static Var *kink_relu(Var **in) { return var_relu(in[0]); }
static Var *kink_leaky(Var **in) { return var_leaky_relu(in[0], (real)0.25); }
static Var *kink_abs(Var **in) { return var_abs(in[0]); }
static Var *kink_prelu(Var **in) { return var_prelu(in[0], in[1]); }
static Var *kink_maximum(Var **in) { return var_maximum(in[0], in[1]); }
static Var *kink_minimum(Var **in) { return var_minimum(in[0], in[1]); }
static Var *kink_max(Var **in) { return var_max(in[0], AXES(1), false); }
static Var *kink_pool(Var **in)
{
    return var_max_pool2d(in[0], (Pool2dOptions){.kernel = {2, 2}, .stride = {1, 1}});
}
static Var *kink_where(Var **in)
{
    return var_where(var_is_positive(in[0]), in[0], var_scale(in[0], 3));
}

/* --- second derivatives ----------------------------------------------------------------------- */

/* A call at its kink: every element of input 0 is +0 or -0, every element of input 1 is `other`. */
typedef struct Kink {
    const char *what;
    Var *(*call)(Var **in);
    int   n_in;
    Shape shape[2];
    real  other;
} Kink;

static const Kink kinks[] = {
    {"relu", kink_relu, 1, {{1, {4}}}, 0},
    {"leaky_relu", kink_leaky, 1, {{1, {4}}}, 0},
    {"abs", kink_abs, 1, {{1, {4}}}, 0},
    {"prelu, one slope", kink_prelu, 2, {{2, {2, 3}}, {1, {1}}}, -(real)0.5},
    {"prelu, a scalar slope", kink_prelu, 2, {{2, {2, 3}}, {0}}, 2},
    {"prelu, one per channel", kink_prelu, 2, {{2, {2, 3}}, {1, {3}}}, 3},
    {"maximum", kink_maximum, 2, {{1, {4}}, {1, {1}}}, 0},
    {"minimum", kink_minimum, 2, {{1, {4}}, {1, {4}}}, 0},
    {"max", kink_max, 1, {{2, {2, 3}}}, 0},
    {"max_pool2d", kink_pool, 1, {{4, {1, 1, 3, 3}}}, 0},
    {"where", kink_where, 1, {{1, {4}}}, 0},
};

static void kink_inputs(const Kink *k, Var **in)
{
    for (int i = 0; i < k->n_in; i++)
        in[i] = var_leaf(var_full(k->shape[i], i ? k->other : 0)->value);
    for (ptrdiff_t j = 1; j < tensor_count(in[0]->value); j += 2)
        tensor_write(in[0]->value)[j] = -(real)0.0;
}

/* A leaf of zeros with a 1 at element i. */
static Var *kink_unit(Shape shape, ptrdiff_t i)
{
    Var *e = var_leaf(var_full(shape, 0)->value);
    tensor_write(e->value)[i] = 1;
    return e;
}

/* gy is 0 except at one element. Each element of gx must depend on that element as the first
 * derivative says, and must not depend on x. */
static void kink_check_row(const Kink *k, Var *y, Var *x, ptrdiff_t row)
{
    Var *gy = kink_unit(var_shape(y), row), *first[1], *gx[1], *by_gy[1], *by_x[1];
    var_grad_with(y, gy, VARS(x), GRAD_ONLY, first);
    var_grad_with(y, gy, VARS(x), CREATE_GRAPH, gx);
    ck_assert(tensor_all_close(first[0]->value, gx[0]->value, 0, 0));
    for (ptrdiff_t j = 0; j < tensor_count(x->value); j++) {
        var_grad_with(gx[0], kink_unit(var_shape(x), j), VARS(gy), GRAD_ONLY, by_gy);
        var_grad_with(gx[0], kink_unit(var_shape(x), j), VARS(x), GRAD_ONLY, by_x);
        double slope = (double)tensor_read(first[0]->value)[j];
        double found = by_gy[0] ? (double)tensor_read(by_gy[0]->value)[row] : 0;
        ck_assert_msg(found == slope, "%s, element %td: dy/dx is %g, but d gx/d gy is %g", k->what,
                      j, slope, found);
        for (ptrdiff_t i = 0; by_x[0] && i < tensor_count(x->value); i++)
            ck_assert_msg(tensor_read(by_x[0]->value)[i] == 0, "%s: d gx/dx is not 0", k->what);
    }
}

START_TEST(at_a_kink_the_second_derivatives_agree_with_the_first)
{
    for (const Kink *k = kinks; k < kinks + sizeof kinks / sizeof *kinks; k++) {
        Var *in[2];
        kink_inputs(k, in);
        Var *y = k->call(in);
        for (int i = 0; i < k->n_in; i++)
            for (ptrdiff_t row = 0; row < tensor_count(y->value); row++)
                kink_check_row(k, y, in[i], row);
    }
}
END_TEST

/* At x = 0: gx = a gy and ga = x gy. */
START_TEST(prelu_has_mixed_second_derivatives_at_0)
{
    Var *x = LEAF(SHAPE(2), (real)0.0, -(real)0.0), *a = LEAF(SHAPE(1), (real)0.25);
    Var *gy = LEAF(SHAPE(2), 3, 5), *g[2], *h[3];
    var_grad_with(var_prelu(x, a), gy, VARS(x, a), CREATE_GRAPH, g);
    ck_assert_tensor(g[0]->value, SHAPE(2), 0, 0.75, 1.25);
    ck_assert_tensor(g[1]->value, SHAPE(1), 0, 0);
    var_grad_with(g[0], LEAF(SHAPE(2), 1, 10), VARS(x, a, gy), GRAD_ONLY, h);
    ck_assert_ptr_null(h[0]);
    ck_assert_tensor(h[1]->value, SHAPE(1), 0, 53);
    ck_assert_tensor(h[2]->value, SHAPE(2), 0, 0.25, 2.5);
    var_grad_with(g[1], LEAF(SHAPE(1), 2), VARS(x, a, gy), GRAD_ONLY, h);
    ck_assert_tensor(h[0]->value, SHAPE(2), 0, 6, 10);
    ck_assert_ptr_null(h[1]);
    ck_assert_tensor(h[2]->value, SHAPE(2), 0, 0, 0);
}
END_TEST

/* --- NaN -------------------------------------------------------------------------------------- */

static Var *kink_softplus(Var **in) { return var_softplus(in[0]); }
static Var *kink_pow_0(Var **in) { return var_pow(in[0], 0); }
static Var *kink_pow_1(Var **in) { return var_pow(in[0], 1); }
static Var *kink_prelu_inside(Var **in) { return var_prelu(in[0], var_scalar((real)0.25)); }

/* gx for gy = 2 at x = NaN, 0, -2, Inf, -Inf. The values are those of PyTorch 1.13, except that its
 * abs returns 0 for a NaN. */
START_TEST(gradients_at_nan_and_infinity_match_pytorch)
{
    const real nan = (real)NAN, inf = (real)INFINITY;
    const double n = (double)NAN, s = 2 / (1 + exp(2));
    const struct {
        Var *(*call)(Var **in);
        double gx[5];
    } rows[] = {
        {kink_relu, {2, 0, 0, 2, 0}},     {kink_leaky, {0.5, 0.5, 0.5, 2, 0.5}},
        {kink_abs, {n, 0, -2, 2, -2}},    {kink_prelu_inside, {0.5, 0.5, 0.5, 2, 0.5}},
        {kink_softplus, {n, 1, s, 2, 0}}, {kink_pow_0, {0, 0, 0, 0, 0}},
        {kink_pow_1, {2, 2, 2, 2, 2}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Var *x = LEAF(SHAPE(5), nan, 0, -2, inf, -inf);
        var_backward_with(rows[i].call(&x), var_full(SHAPE(5), 2));
        for (int k = 0; k < 5; k++)
            ck_assert_msg(testing_close((double)tensor_read(x->grad)[k], rows[i].gx[k], NEAR),
                          "row %zu, element %d: %g", i, k, (double)tensor_read(x->grad)[k]);
    }
}
END_TEST

START_TEST(if_one_operand_is_nan_both_receive_the_gradient)
{
    const real nan = (real)NAN, inf = (real)INFINITY;
    Var *(*const ops[])(Var *, Var *) = {var_maximum, var_minimum};
    for (int i = 0; i < 2; i++) {
        Var *a = LEAF(SHAPE(5), nan, 1, nan, inf, inf), *b = LEAF(SHAPE(5), 1, nan, nan, inf, -inf);
        kink_backward(ops[i](a, b));
        ck_assert_tensor(a->grad, SHAPE(5), 0, 1, 10, 100, 500, i ? 0 : 10000);
        ck_assert_tensor(b->grad, SHAPE(5), 0, 1, 10, 100, 500, i ? 10000 : 0);
        Var *c = LEAF(SHAPE(2), 1, 2), *d = LEAF(SHAPE(2), 2, 1);
        var_backward_with(ops[i](c, d), var_full(SHAPE(2), inf)); /* no Inf * 0 */
        ck_assert_tensor(i ? d->grad : c->grad, SHAPE(2), 0, 0, (double)INFINITY);
    }
}
END_TEST

/* As in PyTorch's amax, a NaN makes the gradient of its whole row NaN. A window of max_pool2d has
 * one winner: the last NaN in it. */
START_TEST(a_nan_is_the_maximum_of_its_row_or_window)
{
    const real nan = (real)NAN;
    const double n = (double)NAN;
    Var *x = LEAF(SHAPE(2, 3), nan, 1, 2, 4, 4, 0);
    kink_backward(var_max(x, AXES(1), false));
    ck_assert_tensor(x->grad, SHAPE(2, 3), 0, n, n, n, 5, 5, 0);
    for (ptrdiff_t stride = 2; stride <= 3; stride++) { /* 2: the kernel's loop for 2x2 windows */
        Pool2dOptions o = {.kernel = {2, 2}, .stride = {2, stride}};
        Var *z = LEAF(SHAPE(1, 1, 2, 5), nan, 1, 5, nan, 2, nan, nan, 1, nan, 5);
        kink_backward(var_max_pool2d(z, o));
        ck_assert_tensor(z->grad, SHAPE(1, 1, 2, 5), 0, 0, 0, 0, 0, 0, 0, 1, 0, 10, 0);
    }
}
END_TEST

/* As in PyTorch. A NaN on the side that is not chosen has no effect. */
START_TEST(a_nan_condition_counts_as_true)
{
    const real nan = (real)NAN;
    Var *a = LEAF(SHAPE(3), 1, 2, nan), *b = LEAF(SHAPE(3), nan, 5, 6);
    kink_backward(var_where(LEAF(SHAPE(3), nan, 0, 1), a, b));
    ck_assert_tensor(a->grad, SHAPE(3), 0, 1, 0, 100);
    ck_assert_tensor(b->grad, SHAPE(3), 0, 0, 10, 0);
}
END_TEST

/* What the comment on where in ops.def warns of, and its remedy. */
START_TEST(choosing_the_input_too_keeps_nan_out_of_where)
{
    Var *x = LEAF(SHAPE(2), -1, 4), *right = var_is_positive(x);
    kink_backward(var_where(right, var_sqrt(x), x));
    ck_assert_tensor(x->grad, SHAPE(2), 0, (double)NAN, 2.5);
    var_zero_grad(x);
    kink_backward(var_where(right, var_sqrt(var_where(right, x, var_scalar(1))), x));
    ck_assert_tensor(x->grad, SHAPE(2), 0, 1, 2.5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kinks");
    testing_add(suite, "second derivatives", 20, (const TTest *const[]){
        at_a_kink_the_second_derivatives_agree_with_the_first,
        prelu_has_mixed_second_derivatives_at_0, NULL});
    testing_add(suite, "NaN", 10, (const TTest *const[]){
        gradients_at_nan_and_infinity_match_pytorch,
        if_one_operand_is_nan_both_receive_the_gradient, a_nan_is_the_maximum_of_its_row_or_window,
        a_nan_condition_counts_as_true, choosing_the_input_too_keeps_nan_out_of_where, NULL});
    return testing_main(suite);
}
