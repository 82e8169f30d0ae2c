/* tests/autograd/check_op_rules.c -- what finite differences cannot test: ties, options, and
 * misuse.
 *
 * At a tie the derivative is a convention, so it is checked against the documented one;
 * check_kinks.c checks that the second derivatives agree. Each misuse must stop with a sentence
 * that contains the numbers a reader needs; check_refusals.c checks that it names the function.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/backward.h"
#include "tests/testing.h"

#define LEAF(shape, ...) var_leaf_from((shape), (const real[]){__VA_ARGS__})

static Var *rules_zeros(Shape shape)
{
    return var_full(shape, 0);
}

/* d<gy, y>/dx for gy = 1, 10, 100 … */
static void rules_backward(Var *y)
{
    Var *gy = var_empty(var_shape(y));
    real *p = tensor_write(gy->value), power = 1;
    for (ptrdiff_t i = 0; i < tensor_count(gy->value); i++, power *= 10)
        p[i] = power;
    var_backward_with(y, gy);
}

/* --- gradients that are not required ---------------------------------------------------------- */

/* x (1,1,2,2), w (1,1,1,1) and b (1), of which those in the mask require a gradient. */
static void rules_convolve(unsigned wanted)
{
    Var *in[3] = {LEAF(SHAPE(1, 1, 2, 2), 1, 2, 3, 4), LEAF(SHAPE(1, 1, 1, 1), 5),
                  LEAF(SHAPE(1), 6)};
    for (int i = 0; i < 3; i++)
        in[i]->requires_grad = wanted >> i & 1;
    rules_backward(var_conv2d(in[0], in[1], in[2], CONV2D_DEFAULTS));
    for (int i = 0; i < 3; i++)
        ck_assert_msg(!in[i]->grad == !(wanted >> i & 1), "wanted %u: input %d", wanted, i);
    if (in[0]->grad)
        ck_assert_tensor(in[0]->grad, SHAPE(1, 1, 2, 2), 0, 5, 50, 500, 5000);
    if (in[1]->grad)
        ck_assert_tensor(in[1]->grad, SHAPE(1, 1, 1, 1), 0, 4321);
    if (in[2]->grad)
        ck_assert_tensor(in[2]->grad, SHAPE(1), 0, 1111);
}

START_TEST(a_convolution_gives_what_is_asked_for)
{
    for (unsigned wanted = 1; wanted < 8; wanted++)
        rules_convolve(wanted);
}
END_TEST

/* --- ties ------------------------------------------------------------------------------------- */

START_TEST(two_equals_share_half_and_half)
{
    Var *(*const ops[])(Var *, Var *) = {var_maximum, var_minimum};
    for (int i = 0; i < 2; i++) {
        Var *a = LEAF(SHAPE(3), 1, 2, 3), *b = LEAF(SHAPE(3), 3, 2, 1);
        rules_backward(ops[i](a, b));
        ck_assert_tensor(i ? b->grad : a->grad, SHAPE(3), 0, 0, 5, 100);
        ck_assert_tensor(i ? a->grad : b->grad, SHAPE(3), 0, 1, 5, 0);
    }
    Var *zero = LEAF(SHAPE(1), (real)0.0), *minus = LEAF(SHAPE(1), -(real)0.0);
    rules_backward(var_maximum(zero, minus)); /* +0 and -0 are equal */
    ck_assert_tensor(zero->grad, SHAPE(1), 0, 0.5);
    ck_assert_tensor(minus->grad, SHAPE(1), 0, 0.5);
}
END_TEST

START_TEST(the_largest_of_several_share_evenly)
{
    Var *x = LEAF(SHAPE(2, 4), 1, 7, 7, 7, 5, 5, 5, 5);
    rules_backward(var_max(x, AXES(1), false));
    ck_assert_tensor(x->grad, SHAPE(2, 4), NEAR, 0, 1. / 3, 1. / 3, 1. / 3, 2.5, 2.5, 2.5, 2.5);
    var_zero_grad(x);
    var_backward(var_max(x, ALL_AXES, false));
    ck_assert_tensor(x->grad, SHAPE(2, 4), NEAR, 0, 1. / 3, 1. / 3, 1. / 3, 0, 0, 0, 0);
}
END_TEST

START_TEST(at_0_the_slope_s_side_is_taken)
{
    Var *x = LEAF(SHAPE(2), (real)0.0, -(real)0.0), *a = LEAF(SHAPE(1), -(real)0.5);
    rules_backward(var_prelu(x, a));
    ck_assert_tensor(x->grad, SHAPE(2), 0, -0.5, -5);
    ck_assert_tensor(a->grad, SHAPE(1), 0, 0);
    var_zero_grad(x);
    rules_backward(var_leaky_relu(x, (real)0.25));
    ck_assert_tensor(x->grad, SHAPE(2), 0, 0.25, 2.5);
    Var *(*const flat[])(Var *) = {var_relu, var_abs};
    for (int i = 0; i < 2; i++) {
        var_zero_grad(x);
        rules_backward(flat[i](x));
        ck_assert_tensor(x->grad, SHAPE(2), 0, 0, 0);
    }
}
END_TEST

/* NaN and the infinities through PReLU and back. */
START_TEST(prelu_of_nan_and_infinity)
{
    const real inf = (real)INFINITY, nan = (real)NAN, slopes[] = {(real)0.25, -2, 0};
    for (int i = 0; i < 3; i++) {
        double s = (double)slopes[i];
        Var *x = LEAF(SHAPE(1, 3), nan, inf, -inf),
            *a = LEAF(SHAPE(3), slopes[i], slopes[i], slopes[i]);
        Var *y = var_prelu(x, a);
        rules_backward(y);
        ck_assert_tensor(y->value, SHAPE(1, 3), 0, (double)NAN, (double)INFINITY,
                         s * -(double)INFINITY);
        ck_assert_tensor(x->grad, SHAPE(1, 3), 0, s, 10, 100 * s);
        ck_assert_tensor(a->grad, SHAPE(3), 0, (double)NAN, 0, -(double)INFINITY);
    }
}
END_TEST

/* A beginner may well write the slope as var_scalar(0.25). */
START_TEST(a_scalar_slope_is_shared)
{
    Var *x = LEAF(SHAPE(2, 3), -1, 3, -2, 1, -4, 2), *a = LEAF(SHAPE_SCALAR, (real)0.25), *g[2];
    Var *y = var_prelu(x, a);
    ck_assert_tensor(y->value, SHAPE(2, 3), 0, -0.25, 3, -0.5, 1, -1, 2);
    rules_backward(y);
    ck_assert_tensor(x->grad, SHAPE(2, 3), 0, 0.25, 10, 25, 1000, 2500, 100000);
    ck_assert_tensor(a->grad, SHAPE_SCALAR, 0, -1 - 200 - 40000);
    var_grad(var_sum(y, ALL_AXES, false), VARS(x, a), CREATE_GRAPH, g);
    ck_assert_tensor(g[1]->value, SHAPE_SCALAR, 0, -7);
    var_zero_grad(a), var_zero_grad(x);
    var_backward(var_sum(var_add(g[0], g[1]), ALL_AXES, false)); /* 3 times a, and 6 times ga */
    ck_assert_tensor(a->grad, SHAPE_SCALAR, 0, 3);
    ck_assert_tensor(x->grad, SHAPE(2, 3), 0, 6, 0, 6, 0, 6, 0);
}
END_TEST

/* A side that was not chosen does not affect the gradient, whatever its value. */
START_TEST(where_selects)
{
    const real inf = (real)INFINITY;
    Var *condition = LEAF(SHAPE(2), 1, 0), *a = LEAF(SHAPE(2), 1, inf),
        *b = LEAF(SHAPE(2), (real)NAN, 2);
    Var *y = var_where(condition, a, b);
    ck_assert_tensor(y->value, SHAPE(2), 0, 1, 2);
    rules_backward(y);
    ck_assert_tensor(a->grad, SHAPE(2), 0, 1, 0);
    ck_assert_tensor(b->grad, SHAPE(2), 0, 0, 10);
    ck_assert_ptr_null(condition->grad);
    Var *x = LEAF(SHAPE(2), -1, 1);
    var_zero_grad(a), var_zero_grad(b);
    var_backward_with(var_where(condition, a, b), LEAF(SHAPE(2), inf, -inf));
    var_backward_with(var_relu(x), LEAF(SHAPE(2), inf, inf));
    ck_assert_tensor(a->grad, SHAPE(2), 0, (double)INFINITY, 0);
    ck_assert_tensor(b->grad, SHAPE(2), 0, 0, -(double)INFINITY);
    ck_assert_tensor(x->grad, SHAPE(2), 0, 0, (double)INFINITY);
}
END_TEST

START_TEST(a_constant_power_of_0_has_gradient_0)
{
    Var *x = LEAF(SHAPE(2), 0, 3), *g[1];
    var_grad(var_sum(var_pow(x, 2), ALL_AXES, false), VARS(x), GRAD_ONLY, g);
    ck_assert_tensor(g[0]->value, SHAPE(2), NEAR, 0, 6);
    var_grad(var_sum(var_pow(x, 0), ALL_AXES, false), VARS(x), GRAD_ONLY, g);
    ck_assert_tensor(g[0]->value, SHAPE(2), 0, 0, 0);
    var_backward(var_sum(var_pow(x, 0), ALL_AXES, false));
    ck_assert_tensor(x->grad, SHAPE(2), 0, 0, 0); /* zeros, not NULL */
}
END_TEST

/* --- losses ----------------------------------------------------------------------------------- */

START_TEST(mse_is_the_mean_squared_difference)
{
    Var *x = LEAF(SHAPE(2, 2), 1, 3, 0, 0), *loss = var_mse(x, LEAF(SHAPE(2, 2), 0, 1, 1, 0));
    ck_assert_close(var_item(loss), (1 + 4 + 1 + 0) / 4.0, NEAR);
    var_backward(loss);
    ck_assert_tensor(x->grad, SHAPE(2, 2), NEAR, 0.5, 1, -0.5, 0);
}
END_TEST

/* Logits (3,2) with simple values of log sum exp: 1 + log(1+1/e), 5 + log(1+e^-3), 3 + log 2. */
static Var *rules_logits(void)
{
    return LEAF(SHAPE(3, 2), 1, 0, 2, 5, 3, 3);
}

static real rules_loss(const int32_t *labels, CrossEntropyOptions o)
{
    Labels l = {.data = (int32_t *)(uintptr_t)labels, .count = 3};
    return var_item(var_cross_entropy_with(rules_logits(), &l, o));
}

START_TEST(cross_entropy_is_the_mean_log_probability)
{
    const int32_t labels[] = {0, 0, 1};
    const double rows[] = {log(1 + exp(-1)), 3 + log(1 + exp(-3)), log(2)};
    Labels l = {.data = (int32_t *)(uintptr_t)labels, .count = 3};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    double sum = rows[0] + rows[1] + rows[2];
    ck_assert_close(var_item(var_cross_entropy(rules_logits(), &l)), sum / 3, NEAR);
    ck_assert_close(rules_loss(labels, o), sum / 3, NEAR);
    o.reduction = LOSS_SUM;
    ck_assert_close(rules_loss(labels, o), sum, NEAR);
    o.reduction = LOSS_NONE;
    ck_assert_tensor(var_cross_entropy_with(rules_logits(), &l, o)->value, SHAPE(3), NEAR, rows[0],
                     rows[1], rows[2]);
}
END_TEST

START_TEST(smoothing_spreads_the_target)
{
    const int32_t labels[] = {0, 0, 1};
    const double right[] = {log(1 + exp(-1)), 3 + log(1 + exp(-3)), log(2)};
    const double wrong[] = {1 + log(1 + exp(-1)), log(1 + exp(-3)), log(2)};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.smoothing = (real)0.25;
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += 0.875 * right[i] + 0.125 * wrong[i];
    ck_assert_close(rules_loss(labels, o), sum / 3, NEAR);
    o.smoothing = 1; /* the label no longer matters */
    ck_assert_close(rules_loss(labels, o), rules_loss((const int32_t[]){1, 1, 0}, o), NEAR);
}
END_TEST

/* An ignored row adds nothing to the loss, has gradient 0 and is not counted in the mean. The index
 * may be a class, or an integer that a float cannot represent. */
START_TEST(ignored_rows_do_not_count)
{
    const int32_t ignored[] = {-100, 255, 16777217, INT32_MAX, INT32_MIN, 1};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        int32_t data[] = {0, ignored[i], 0};
        Labels labels = {.data = data, .count = 3};
        CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
        o.ignore_index = ignored[i];
        Var *x = rules_logits(), *loss = var_cross_entropy_with(x, &labels, o);
        ck_assert_close(var_item(loss), (log(1 + exp(-1)) + log(2)) / 2, NEAR);
        var_backward(loss);
        double p = 1 / (1 + exp(1)) / 2;
        ck_assert_tensor(x->grad, SHAPE(3, 2), NEAR, -p, p, 0, 0, -0.25, 0.25);
    }
}
END_TEST

START_TEST(the_mean_of_no_rows_is_nan_and_the_sum_0)
{
    const int32_t none[] = {-100, -100, -100};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    ck_assert(isnan(rules_loss(none, o)));
    o.reduction = LOSS_SUM;
    ck_assert_close(rules_loss(none, o), 0, 0);
    Labels empty = {.count = 0};
    ck_assert(isnan(var_item(var_cross_entropy(rules_zeros(SHAPE(0, 2)), &empty))));
}
END_TEST

START_TEST(large_logits_do_not_overflow)
{
    Labels labels = {.data = (int32_t[]){1}, .count = 1};
    Var *x = LEAF(SHAPE(1, 2), (real)1e4, -(real)1e4), *loss = var_cross_entropy(x, &labels);
    ck_assert_close(var_item(loss), 2e4, 0);
    var_backward(loss);
    ck_assert_tensor(x->grad, SHAPE(1, 2), 0, 1, -1);
}
END_TEST

static void rules_cross_entropy(Shape logits, int32_t label, ptrdiff_t count, real smoothing)
{
    int32_t data[] = {0, label, 0, 0};
    Labels labels = {.data = data, .count = count};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.smoothing = smoothing;
    var_cross_entropy_with(rules_zeros(logits), &labels, o);
}

START_TEST(cross_entropy_refuses_what_does_not_fit)
{
    ck_assert_fails(rules_cross_entropy(SHAPE(3, 5), 5, 3, 0),
                    "label 5 in row 1; expected a class from 0 to 4, or -100 to ignore the row; "
                    "for this label the network needs at least 6 outputs, but its logits (3, 5) "
                    "have 5");
    ck_assert_fails(rules_cross_entropy(SHAPE(3, 5), -1, 3, 0), "label -1 in row 1");
    ck_assert_fails(rules_cross_entropy(SHAPE(3, 5), 0, 4, 0), "4 labels for logits (3, 5)");
    ck_assert_fails(rules_cross_entropy(SHAPE(5), 0, 3, 0), "the logits have shape (5,)");
    ck_assert_fails(rules_cross_entropy(SHAPE(3, 0), -100, 3, 0), "the logits have shape (3, 0)");
    ck_assert_fails(rules_cross_entropy(SHAPE(3, 5), 0, 3, (real)1.5), "smoothing is 1.5");
    ck_assert_fails(rules_cross_entropy(SHAPE(3, 5), 0, 3, (real)NAN), "smoothing is");
    CrossEntropyOptions part = {.smoothing = (real)0.1}; /* would ignore class 0 */
    ck_assert_fails(rules_loss((const int32_t[]){0, 0, 1}, part),
                    "var_cross_entropy_with: options left out are 0, and ignore_index 0 is a "
                    "class; start with CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;");
}
END_TEST

/* --- shapes ----------------------------------------------------------------------------------- */

/* Even if x is strided: its elements need not be copied. */
START_TEST(reshape_to_the_same_shape_returns_a_new_var)
{
    Var *x = LEAF(SHAPE(2, 3), 1, 2, 3, 4, 5, 6), *t = var_transpose(x, 0, 1);
    Var *same = var_reshape(x, SHAPE(2, 3)), *strided = var_reshape(t, SHAPE(3, 2));
    ck_assert(same != x && strided != t);
    ck_assert(same->value->storage == x->value->storage);
    ck_assert(strided->value->storage == x->value->storage);
    ck_assert_tensor(strided->value, SHAPE(3, 2), 0, 1, 4, 2, 5, 3, 6);
    var_retain_grad(same);
    rules_backward(same);
    rules_backward(strided);
    ck_assert_tensor(same->grad, SHAPE(2, 3), 0, 1, 10, 100, 1000, 10000, 100000);
    ck_assert_tensor(x->grad, SHAPE(2, 3), 0, 2, 110, 10100, 1010, 11000, 200000);
}
END_TEST

/* Strided tensors are not copied either, and the gradient is a view of gy. */
START_TEST(squeeze_and_unsqueeze_copy_nothing)
{
    Var *x = LEAF(SHAPE(2, 3), 1, 2, 3, 4, 5, 6), *t = var_transpose(x, 0, 1);
    Var *wide = var_unsqueeze(t, 1), *back = var_squeeze(wide, -2);
    ck_assert_tensor(wide->value, SHAPE(3, 1, 2), 0, 1, 4, 2, 5, 3, 6);
    ck_assert_tensor(back->value, SHAPE(3, 2), 0, 1, 4, 2, 5, 3, 6);
    ck_assert(wide->value->storage == x->value->storage);
    ck_assert(back->value->storage == x->value->storage);
    ck_assert(shape_equal(var_shape(var_unsqueeze(x, -1)), SHAPE(2, 3, 1)));
    ck_assert(shape_equal(var_shape(var_unsqueeze(x, -3)), SHAPE(1, 2, 3)));
    ck_assert(shape_equal(var_shape(var_unsqueeze(var_scalar(1), 0)), SHAPE(1)));
    rules_backward(back);
    ck_assert_tensor(x->grad, SHAPE(2, 3), 0, 1, 100, 10000, 10, 1000, 100000);
}
END_TEST

START_TEST(a_huge_step_does_not_overflow)
{
    const ptrdiff_t top = PTRDIFF_MAX;
    Var *one = LEAF(SHAPE(1), 7), *none = rules_zeros(SHAPE(0));
    ck_assert_tensor(var_slice_scatter(one, SHAPE(3), 0, 2, top)->value, SHAPE(3), 0, 0, 0, 7);
    ck_assert_tensor(var_slice_scatter(none, SHAPE(2), 0, 2, top)->value, SHAPE(2), 0, 0, 0);
    Var *x = LEAF(SHAPE(3), 1, 2, 3), *y = var_slice(x, 0, 1, 3, top);
    ck_assert_tensor(y->value, SHAPE(1), 0, 2);
    rules_backward(y);
    ck_assert_tensor(x->grad, SHAPE(3), 0, 0, 1, 0);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

static void rules_prelu(Shape x, Shape a)
{
    var_prelu(rules_zeros(x), rules_zeros(a));
}

static void rules_prelu_backward(Shape x, Shape a, Shape g)
{
    var_prelu_backward(rules_zeros(x), rules_zeros(a), rules_zeros(g), true, true);
}

START_TEST(prelu_names_both_numbers_and_the_axis)
{
    ck_assert_fails(
        rules_prelu(SHAPE(2, 4, 3), SHAPE(3)),
        "var_prelu: 3 slopes, but axis 1 of the input (2, 4, 3), which holds the channels, "
        "has size 4; expected 1 slope or 4; axis 2 has size 3: transpose it");
    ck_assert_fails(rules_prelu(SHAPE(5, 4), SHAPE(5)), "axis 0 has size 5");
    ck_assert_fails(rules_prelu(SHAPE(2, 4, 3), SHAPE(7)), "expected 1 slope or 4");
    ck_assert_ptr_null(strstr(testing_sentence, "transpose")); /* no axis has 7: no hint */
    ck_assert_fails(rules_prelu(SHAPE(3), SHAPE(3)), "3 slopes need an input (N,C,...)");
    ck_assert_fails(rules_prelu(SHAPE(3), SHAPE(3)), "its shape is (3,)");
    ck_assert_fails(rules_prelu(SHAPE_SCALAR, SHAPE(2)), "its shape is ()");
    ck_assert_fails(rules_prelu(SHAPE(2, 3), SHAPE(1, 3)), "the slopes have shape (1, 3)");
    ck_assert_fails(rules_prelu_backward(SHAPE(2, 3), SHAPE(3), SHAPE(2, 2)),
                    "g has shape (2, 2), but x has shape (2, 3)");
    ck_assert_fails(rules_prelu_backward(SHAPE(2, 3), SHAPE(2), SHAPE(2, 3)), "2 slopes");
}
END_TEST

START_TEST(shapes_that_do_not_broadcast_are_both_named)
{
    Var *a = rules_zeros(SHAPE(2, 3)), *b = rules_zeros(SHAPE(2)), *c = rules_zeros(SHAPE(3, 3));
    ck_assert_fails(var_add(a, b), "var_add: shapes (2, 3) and (2,) do not broadcast");
    ck_assert_fails(var_sub(a, b), "var_sub");
    ck_assert_fails(var_mul(a, b), "var_mul");
    ck_assert_fails(var_div(b, a), "var_div: shapes (2,) and (2, 3)");
    ck_assert_fails(var_maximum(a, c), "var_maximum");
    ck_assert_fails(var_minimum(a, c), "var_minimum");
    ck_assert_fails(var_where(a, b, c), "var_where");
    ck_assert_fails(var_where(c, a, a), "the condition's shape (3, 3)");
    ck_assert_fails(var_expand(a, SHAPE(2, 6)), "shape (2, 3) does not stretch to (2, 6)");
    ck_assert_fails(var_sum_to(a, SHAPE(2)), "shape (2,) does not stretch to (2, 3)");
    ck_assert_fails(var_mse(a, rules_zeros(SHAPE(2, 1))), ", but the target has shape (2, 1)");
    ck_assert_fails(var_add(a, NULL), "NULL");
}
END_TEST

START_TEST(products_that_do_not_fit_are_refused)
{
    Var *a = rules_zeros(SHAPE(2, 3)), *b = rules_zeros(SHAPE(3)), *c = rules_zeros(SHAPE(4, 3, 2));
    ck_assert_fails(var_matmul(a, a), "the left has 3 columns, the right 2 rows");
    ck_assert_fails(var_matmul(a, b), "var_matmul: shapes (2, 3) and (3,)");
    ck_assert_fails(var_matmul(rules_zeros(SHAPE(3, 2, 3)), c), "do not broadcast");
}
END_TEST

START_TEST(concat_reshape_and_slice_refuse_what_does_not_fit)
{
    Var *a = rules_zeros(SHAPE(2, 3)), *b = rules_zeros(SHAPE(3, 3)), *c = rules_zeros(SHAPE(2));
    ck_assert_fails(var_concat((Var *const[]){a, b}, 2, 1),
                    "tensor 1 has shape (3, 3), which differs from the first's (2, 3)");
    ck_assert_fails(var_concat((Var *const[]){a, c}, 2, 0), "tensor 1 has shape (2,)");
    ck_assert_fails(var_concat((Var *const[]){a, a}, 2, 2), "axis 2 does not exist");
    ck_assert_fails(var_concat(NULL, 0, 0), "at least one");
    ck_assert_fails(var_reshape(a, SHAPE(4)), "shape (2, 3) has 6 elements, but (4,) has 4");
    ck_assert_fails(var_slice(a, 1, 0, 4, 1), "stop 4");
    ck_assert_fails(var_slice(a, 1, 2, 1, 1), "start 2");
    ck_assert_fails(var_slice(a, 1, 0, 3, 0), "step 0");
    ck_assert_fails(var_slice(a, -3, 0, 1, 1), "axis -3 does not exist");
    ck_assert_fails(var_slice_scatter(a, SHAPE(4, 4), 0, 0, 1),
                    "not a slice along axis 0 of (4, 4)");
    ck_assert_fails(var_slice_scatter(a, SHAPE(4, 3), 0, 3, 1), "do not fit axis 0");
    ck_assert_fails(var_select(a, 0, 2), "index 2 is outside axis 0");
    ck_assert_fails(var_select(a, 0, -1), "index -1 is outside axis 0");
}
END_TEST

START_TEST(axes_that_do_not_exist_are_refused)
{
    Var *a = rules_zeros(SHAPE(2, 3));
    ck_assert_fails(var_sum(a, AXES(2), false), "axis 2 does not exist in shape (2, 3)");
    ck_assert_fails(var_mean(a, AXES(0, -2), false), "named twice");
    ck_assert_fails(var_max(rules_zeros(SHAPE(2, 0)), AXES(1), false),
                    "axis 1 of shape (2, 0) is empty");
    ck_assert_fails(var_softmax(a, -3), "axis -3");
    ck_assert_fails(var_log_softmax(var_scalar(1), 0), "axis 0");
    ck_assert_fails(var_transpose(a, 0, 2), "axis 2");
    ck_assert_fails(var_permute(a, (const int[]){1, 1}), "axis 1 is named twice");
    ck_assert_fails(var_item(a), "6 elements");
}
END_TEST

int main(void)
{
    const TTest *const ties[] = {
        a_convolution_gives_what_is_asked_for, two_equals_share_half_and_half,
        the_largest_of_several_share_evenly, at_0_the_slope_s_side_is_taken,
        prelu_of_nan_and_infinity, a_scalar_slope_is_shared, where_selects,
        a_constant_power_of_0_has_gradient_0, NULL};
    const TTest *const shapes[] = {
        reshape_to_the_same_shape_returns_a_new_var, squeeze_and_unsqueeze_copy_nothing,
        a_huge_step_does_not_overflow, NULL};
    const TTest *const losses[] = {
        mse_is_the_mean_squared_difference, cross_entropy_is_the_mean_log_probability,
        smoothing_spreads_the_target, ignored_rows_do_not_count,
        the_mean_of_no_rows_is_nan_and_the_sum_0, large_logits_do_not_overflow,
        cross_entropy_refuses_what_does_not_fit, NULL};
    const TTest *const refused[] = {
        prelu_names_both_numbers_and_the_axis, shapes_that_do_not_broadcast_are_both_named,
        products_that_do_not_fit_are_refused, concat_reshape_and_slice_refuse_what_does_not_fit,
        axes_that_do_not_exist_are_refused, NULL};

    Suite *suite = suite_create("op rules");
    testing_add(suite, "ties", 10, ties);
    testing_add(suite, "shapes", 10, shapes);
    testing_add(suite, "losses", 10, losses);
    testing_add(suite, "refused", 10, refused);
    return testing_main(suite);
}
