/* tests/autograd/check_refusals.c -- the refusal of a wrong call names the function called.
 *
 *  - REFUSES(var_NAME(...), "text") passes if the call fails with a sentence that begins with
 *    "slope: var_NAME: " and contains the text. The name is taken from the call, and recorded.
 *  - At the end every op of ops.def must have been recorded, so that a new one is not forgotten,
 *    and so must the functions that are made of ops.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "tests/testing.h"

/* --- the record ------------------------------------------------------------------------------- */

enum { REFUSALS_MOST = 100 };
static char refusals_name[REFUSALS_MOST][64];
static int  refusals_count;

static bool refusals_has(const char *name)
{
    for (int i = 0; i < refusals_count; i++)
        if (strcmp(refusals_name[i], name) == 0)
            return true;
    return false;
}

/* Checks that the sentence names the function that the text of the call names, and records it. */
static void refusals_check(const char *call)
{
    char expected[80], name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(call, "("), call);
    snprintf(expected, sizeof expected, "slope: %s: ", name);
    ck_assert_msg(strncmp(testing_sentence, expected, strlen(expected)) == 0,
                  "%s failed with \"%s\", which does not begin with \"%s\"", call,
                  testing_sentence, expected);
    if (!refusals_has(name)) {
        ck_assert_int_lt(refusals_count, REFUSALS_MOST);
        strcpy(refusals_name[refusals_count++], name);
    }
}

#define REFUSES(call, text)           \
    do {                              \
        ck_assert_fails(call, text);  \
        refusals_check(#call);        \
    } while (0)

static Var *refusals_zeros(Shape shape) { return var_full(shape, 0); }

/* A Var of this shape whose elements are all the same one in memory. */
static Var *refusals_vast(Shape shape) { return var_expand(var_scalar(0), shape); }

/* --- elementwise ------------------------------------------------------------------------------ */

#define REFUSES_BINARY(f, a, b, vast0, vast1)            \
    REFUSES(f(NULL, b), "NULL");                         \
    REFUSES(f(a, NULL), "NULL");                         \
    REFUSES(f(a, b), "do not broadcast");                \
    REFUSES(f(vast0, vast1), "more elements than memory")

static void refusals_elementwise(void)
{
    Var *a = refusals_zeros(SHAPE(2, 3)), *b = refusals_zeros(SHAPE(2));
    Var *vast0 = refusals_vast(SHAPE(TESTING_BIG, 1));
    Var *vast1 = refusals_vast(SHAPE(1, TESTING_BIG));
    REFUSES_BINARY(var_add, a, b, vast0, vast1);
    REFUSES_BINARY(var_sub, a, b, vast0, vast1);
    REFUSES_BINARY(var_mul, a, b, vast0, vast1);
    REFUSES_BINARY(var_div, a, b, vast0, vast1);
    REFUSES_BINARY(var_maximum, a, b, vast0, vast1);
    REFUSES_BINARY(var_minimum, a, b, vast0, vast1);
    REFUSES_BINARY(var_logistic_loss, a, b, vast0, vast1);
    REFUSES(var_where(NULL, a, a), "NULL");
    REFUSES(var_where(a, NULL, a), "NULL");
    REFUSES(var_where(a, a, NULL), "NULL");
    REFUSES(var_where(a, a, b), "do not broadcast");
    REFUSES(var_where(b, a, a), "the condition's shape (2,) does not broadcast");
    REFUSES(var_where(vast0, vast1, vast1), "more elements than memory");
    REFUSES(var_neg(NULL), "NULL");
    REFUSES(var_exp(NULL), "NULL");
    REFUSES(var_expm1(NULL), "NULL");
    REFUSES(var_log(NULL), "NULL");
    REFUSES(var_log1p(NULL), "NULL");
    REFUSES(var_sqrt(NULL), "NULL");
    REFUSES(var_pow(NULL, 2), "NULL");
    REFUSES(var_sin(NULL), "NULL");
    REFUSES(var_cos(NULL), "NULL");
    REFUSES(var_erf(NULL), "NULL");
    REFUSES(var_tanh(NULL), "NULL");
    REFUSES(var_sigmoid(NULL), "NULL");
    REFUSES(var_softplus(NULL), "NULL");
    REFUSES(var_abs(NULL), "NULL");
    REFUSES(var_relu(NULL), "NULL");
    REFUSES(var_leaky_relu(NULL, 0), "NULL");
}

static void refusals_activations(void)
{
    Var *x = refusals_zeros(SHAPE(2, 4, 3)), *a = refusals_zeros(SHAPE(4));
    Var *wrong[] = {refusals_zeros(SHAPE(3)), refusals_zeros(SHAPE(4, 1)),
                    refusals_zeros(SHAPE(0))};
    REFUSES(var_prelu(NULL, a), "NULL");
    REFUSES(var_prelu(x, NULL), "NULL");
    REFUSES(var_prelu(x, wrong[0]), "3 slopes, but axis 1");
    REFUSES(var_prelu(x, wrong[1]), "the slopes have shape (4, 1)");
    REFUSES(var_prelu(x, wrong[2]), "0 slopes");
    REFUSES(var_prelu(a, a), "4 slopes need an input (N,C,...)");
    REFUSES(var_prelu_backward(NULL, a, x, true, true), "NULL");
    REFUSES(var_prelu_backward(x, NULL, x, true, true), "NULL");
    REFUSES(var_prelu_backward(x, a, NULL, true, true), "NULL");
    REFUSES(var_prelu_backward(x, a, a, true, true), "g has shape (4,)");
    REFUSES(var_prelu_backward(x, wrong[0], x, true, true), "3 slopes, but axis 1");
    REFUSES(var_prelu_backward(x, wrong[1], x, true, true), "the slopes have shape (4, 1)");
    REFUSES(var_softmax(NULL, 0), "NULL");
    REFUSES(var_softmax(x, 3), "axis 3 does not exist");
    REFUSES(var_softmax(x, INT_MIN), "does not exist");
    REFUSES(var_log_softmax(NULL, 0), "NULL");
    REFUSES(var_log_softmax(x, -4), "axis -4 does not exist");
    REFUSES(var_dropout(NULL, 0, rng_new(1, 0)), "NULL");
    REFUSES(var_dropout(x, -1, rng_new(1, 0)), "the probability is -1");
    REFUSES(var_dropout(x, (real)1.5, rng_new(1, 0)), "the probability is 1.5");
    REFUSES(var_dropout(x, (real)NAN, rng_new(1, 0)), "the probability is");
}

/* --- reductions and shapes -------------------------------------------------------------------- */

static void refusals_reductions(void)
{
    Var *x = refusals_zeros(SHAPE(2, 3)), *empty = refusals_zeros(SHAPE(2, 0));
    const Axes many = {.n = MAX_DIMS + 1, .axis = {0}};
    const Shape wrong = {.ndim = 2, .dim = {-2, -3}};
    REFUSES(var_sum(NULL, ALL_AXES, false), "NULL");
    REFUSES(var_sum(x, AXES(2), false), "axis 2 does not exist");
    REFUSES(var_sum(x, AXES(0, -2), false), "named twice");
    REFUSES(var_sum(x, many, false), "9 axes are named");
    REFUSES(var_mean(NULL, ALL_AXES, false), "NULL");
    REFUSES(var_mean(x, AXES(-3), false), "axis -3 does not exist");
    REFUSES(var_max(NULL, ALL_AXES, false), "NULL");
    REFUSES(var_max(x, AXES(1, 1), false), "named twice");
    REFUSES(var_max(empty, AXES(1), false), "axis 1 of shape (2, 0) is empty");
    REFUSES(var_sum_to(NULL, SHAPE(3)), "NULL");
    REFUSES(var_sum_to(x, SHAPE(2)), "does not stretch");
    REFUSES(var_sum_to(x, SHAPE(2, 2, 3)), "does not stretch");
    REFUSES(var_sum_to(x, wrong), "axis 0 has size -2");
}

static void refusals_views(void)
{
    const ptrdiff_t top = PTRDIFF_MAX;
    Var *x = refusals_zeros(SHAPE(2, 3));
    const Shape negative = {.ndim = 2, .dim = {-2, -3}}, many = {.ndim = 100};
    const Shape vast = {.ndim = 2, .dim = {TESTING_BIG, TESTING_BIG}};
    REFUSES(var_reshape(NULL, SHAPE(6)), "NULL");
    REFUSES(var_reshape(x, SHAPE(4)), "shape (2, 3) has 6 elements, but (4,) has 4");
    REFUSES(var_reshape(x, negative), "axis 0 has size -2");
    REFUSES(var_reshape(x, many), "0 to 8 axes, not 100");
    REFUSES(var_reshape(x, vast), "more elements than memory");
    REFUSES(var_transpose(NULL, 0, 1), "NULL");
    REFUSES(var_transpose(x, 2, 0), "axis 2 does not exist");
    REFUSES(var_transpose(x, 0, INT_MIN), "does not exist");
    REFUSES(var_permute(NULL, (const int[]){0, 1}), "NULL");
    REFUSES(var_permute(x, NULL), "the order of the axes is NULL");
    REFUSES(var_permute(x, (const int[]){0, 2}), "axis 2 does not exist");
    REFUSES(var_permute(x, (const int[]){1, -1}), "axis -1 is named twice");
    REFUSES(var_select(NULL, 0, 0), "NULL");
    REFUSES(var_select(x, 2, 0), "axis 2 does not exist");
    REFUSES(var_select(x, 1, 3), "index 3 is outside axis 1 of shape (2, 3)");
    REFUSES(var_select(x, 1, -top - 1), "is outside axis 1");
    REFUSES(var_squeeze(NULL, 0), "NULL");
    REFUSES(var_squeeze(x, 1), "axis 1 of shape (2, 3) has size 3; only an axis of size 1");
    REFUSES(var_squeeze(x, -3), "axis -3 does not exist in shape (2, 3)");
    REFUSES(var_squeeze(x, INT_MIN), "does not exist");
    REFUSES(var_unsqueeze(NULL, 0), "NULL");
    REFUSES(var_unsqueeze(x, 3), "axis 3 does not exist in the result: shape (2, 3) with one more "
                                 "axis has axes 0 to 2");
    REFUSES(var_unsqueeze(x, -4), "axis -4 does not exist");
    REFUSES(var_unsqueeze(x, INT_MIN), "does not exist");
    REFUSES(var_unsqueeze(x, INT_MAX), "does not exist");
    REFUSES(var_unsqueeze(refusals_zeros(SHAPE(1, 1, 1, 1, 1, 1, 1, 1)), 0), "already has 8 axes");
    REFUSES(var_expand(NULL, SHAPE(3)), "NULL");
    REFUSES(var_expand(x, SHAPE(2, 6)), "does not stretch");
    REFUSES(var_expand(x, negative), "axis 0 has size -2");
    REFUSES(var_expand(x, many), "0 to 8 axes, not 100");
    REFUSES(var_expand(x, vast), "more elements than memory");
    REFUSES(var_contiguous(NULL), "NULL");
}

static void refusals_slices(void)
{
    const ptrdiff_t top = PTRDIFF_MAX;
    const Shape negative = {.ndim = 1, .dim = {-1}};
    Var *x = refusals_zeros(SHAPE(2, 3)), *one = refusals_zeros(SHAPE(1));
    REFUSES(var_slice(NULL, 0, 0, 1, 1), "NULL");
    REFUSES(var_slice(x, -3, 0, 1, 1), "axis -3 does not exist");
    REFUSES(var_slice(x, 1, 0, 4, 1), "stop 4");
    REFUSES(var_slice(x, 1, 2, 1, 1), "start 2");
    REFUSES(var_slice(x, 1, -top - 1, top, top), "do not fit axis 1 of shape (2, 3)");
    REFUSES(var_slice(x, 1, 0, 3, 0), "step 0");
    REFUSES(var_slice_scatter(NULL, SHAPE(4, 3), 0, 0, 1), "NULL");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 2, 0, 1), "axis 2 does not exist");
    REFUSES(var_slice_scatter(x, SHAPE(4, 4), 0, 0, 1), "not a slice along axis 0 of (4, 4)");
    REFUSES(var_slice_scatter(x, SHAPE(4), 0, 0, 1), "not a slice");
    REFUSES(var_slice_scatter(x, negative, 0, 0, 1), "axis 0 has size -1");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 0, 3, 1),
            "2 elements from start 3 in steps of 1 do not fit axis 0 of shape (4, 3)");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 0, -1, 1), "from start -1");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 0, 0, 0), "in steps of 0");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 0, 0, -top - 1), "in steps of -");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 0, 1, top), "do not fit axis 0");
    REFUSES(var_slice_scatter(x, SHAPE(4, 3), 0, top, top), "do not fit axis 0");
    REFUSES(var_slice_scatter(one, SHAPE(4), 0, 4, 1), "1 elements from start 4");
    REFUSES(var_slice_scatter(refusals_zeros(SHAPE(0)), SHAPE(4), 0, 5, 1), "from start 5");
}

static void refusals_concat(void)
{
    Var *x = refusals_zeros(SHAPE(2, 3)), *b = refusals_zeros(SHAPE(3, 3));
    Var *vast[40], *missing[] = {x, NULL};
    for (int i = 0; i < 40; i++) /* their sum would overflow */
        vast[i] = refusals_vast(SHAPE(PTRDIFF_MAX / 32));
    REFUSES(var_concat(NULL, 2, 0), "expected at least one tensor, found 0");
    REFUSES(var_concat(&x, 0, 0), "found 0");
    REFUSES(var_concat(&x, -1, 0), "found -1");
    REFUSES(var_concat(missing, 2, 0), "NULL");
    REFUSES(var_concat(&x, 1, 2), "axis 2 does not exist");
    REFUSES(var_concat(((Var *const[]){x, b}), 2, 1), "tensor 1 has shape (3, 3)");
    REFUSES(var_concat(vast, 40, 0), "more elements than memory");
}

/* --- products, convolution, pooling ----------------------------------------------------------- */

static void refusals_products(void)
{
    Var *x = refusals_zeros(SHAPE(2, 3)), *w = refusals_zeros(SHAPE(5, 3));
    Var *b = refusals_zeros(SHAPE(5));
    Var *tall = refusals_vast(SHAPE(TESTING_BIG, 3)), *wide = refusals_vast(SHAPE(3, TESTING_BIG));
    Var *deep = refusals_vast(SHAPE(TESTING_BIG, 1, 2, 3));
    Var *far = refusals_vast(SHAPE(TESTING_BIG, 3, 2));
    REFUSES(var_matmul(NULL, x), "NULL");
    REFUSES(var_matmul(x, NULL), "NULL");
    REFUSES(var_matmul(x, x), "the left has 3 columns, the right 2 rows");
    REFUSES(var_matmul(x, b), "needs two axes or more");
    REFUSES(var_matmul(tall, wide), "more elements than memory");
    REFUSES(var_matmul(deep, far), "more elements than memory");
    REFUSES(var_linear(NULL, w, b), "NULL");
    REFUSES(var_linear(x, NULL, b), "NULL");
    REFUSES(var_linear(b, w, b), "input (5,) and weight (5, 3)");
    REFUSES(var_linear(x, b, b), "expected (...,D) and (O,D)");
    REFUSES(var_linear(x, w, x), "the bias has shape (2, 3)");
    REFUSES(var_linear(tall, tall, NULL), "more elements than memory");
}

static Conv2dOptions refusals_conv_options(ptrdiff_t stride, ptrdiff_t padding, ptrdiff_t dilation,
                                           ptrdiff_t groups)
{
    return (Conv2dOptions){.stride = {1, stride}, .padding = {0, padding},
                           .dilation = {1, dilation}, .groups = groups};
}

/* The three convolutions of x (1,4,5,5), w (6,2,3,3) and g (1,6,3,3), with a wrong option. */
static void refusals_conv_option(Conv2dOptions o, const char *text)
{
    Var *x = refusals_zeros(SHAPE(1, 4, 5, 5)), *w = refusals_zeros(SHAPE(6, 2, 3, 3));
    Var *g = refusals_zeros(SHAPE(1, 6, 3, 3));
    REFUSES(var_conv2d(x, w, NULL, o), text);
    REFUSES(var_conv2d_grad_input(g, w, SHAPE(1, 4, 5, 5), o), text);
    REFUSES(var_conv2d_grad_weight(x, g, SHAPE(6, 2, 3, 3), o), text);
}

static void refusals_conv(void)
{
    const ptrdiff_t top = PTRDIFF_MAX;
    const Conv2dOptions o = refusals_conv_options(1, 0, 1, 2);
    const Shape negative = {.ndim = 4, .dim = {1, -4, 5, 5}};
    Var *x = refusals_zeros(SHAPE(1, 4, 5, 5)), *w = refusals_zeros(SHAPE(6, 2, 3, 3));
    Var *g = refusals_zeros(SHAPE(1, 6, 3, 3)), *flat = refusals_zeros(SHAPE(3));
    Var *vast = refusals_vast(SHAPE(TESTING_BIG, 1, 1, 1));
    REFUSES(var_conv2d(NULL, w, NULL, o), "NULL");
    REFUSES(var_conv2d(x, NULL, NULL, o), "NULL");
    REFUSES(var_conv2d(flat, w, NULL, o), "expected (N,C,H,W)");
    REFUSES(var_conv2d(x, refusals_zeros(SHAPE(6, 4, 3, 3)), NULL, o), "axis 1 should be");
    REFUSES(var_conv2d(x, w, flat, o), "the bias has shape (3,)");
    REFUSES(var_conv2d(vast, vast, NULL, CONV2D_DEFAULTS), "more elements than memory");
    REFUSES(var_conv2d_grad_input(NULL, w, SHAPE(1, 4, 5, 5), o), "NULL");
    REFUSES(var_conv2d_grad_input(g, NULL, SHAPE(1, 4, 5, 5), o), "NULL");
    REFUSES(var_conv2d_grad_input(x, w, SHAPE(1, 4, 5, 5), o), "the gradient has shape");
    REFUSES(var_conv2d_grad_input(g, w, negative, o), "axis 1 has size -4");
    REFUSES(var_conv2d_grad_weight(NULL, g, SHAPE(6, 2, 3, 3), o), "NULL");
    REFUSES(var_conv2d_grad_weight(x, NULL, SHAPE(6, 2, 3, 3), o), "NULL");
    REFUSES(var_conv2d_grad_weight(x, x, SHAPE(6, 2, 3, 3), o), "the gradient has shape");
    REFUSES(var_conv2d_grad_weight(x, g, negative, o), "axis 1 has size -4");
    refusals_conv_option((Conv2dOptions){.stride = {2}, .groups = 2}, "stride (2, 0)");
    refusals_conv_option(refusals_conv_options(1, 0, 1, 3), "do not divide into 3 groups");
    refusals_conv_option(refusals_conv_options(1, 0, 1, top), "groups");
    refusals_conv_option(refusals_conv_options(top, 0, 1, 2), "too large");
    refusals_conv_option(refusals_conv_options(1, top, 1, 2), "too large");
    refusals_conv_option(refusals_conv_options(1, 0, top, 2), "too large");
    refusals_conv_option(refusals_conv_options(1, 0, 3, 2), "along the width the kernel extends");
}

static void refusals_pool_option(Pool2dOptions o, const char *text)
{
    Var *x = refusals_zeros(SHAPE(1, 2, 4, 4)), *g = refusals_zeros(SHAPE(1, 2, 2, 2));
    REFUSES(var_max_pool2d(x, o), text);
    REFUSES(var_max_pool2d_gather(x, g, o), text);
    REFUSES(var_max_pool2d_scatter(g, g, SHAPE(1, 2, 4, 4), o), text);
}

static void refusals_pool(void)
{
    const ptrdiff_t top = PTRDIFF_MAX;
    const Pool2dOptions o = {.kernel = {2, 2}};
    const Shape negative = {.ndim = 4, .dim = {1, 2, -4, 4}}, full = SHAPE(1, 2, 4, 4);
    Var *x = refusals_zeros(full), *g = refusals_zeros(SHAPE(1, 2, 2, 2));
    Var *outside = var_full(SHAPE(1, 2, 2, 2), 16), *flat = refusals_zeros(SHAPE(3));
    Var *vast = refusals_vast(SHAPE(PTRDIFF_MAX / 32, 1, 1, 1));
    REFUSES(var_max_pool2d(NULL, o), "NULL");
    REFUSES(var_max_pool2d(flat, o), "input (3,): expected (N,C,H,W)");
    REFUSES(var_max_pool2d(vast, ((Pool2dOptions){{2, 2}, {1, 1}, {1, 1}})), "more elements");
    REFUSES(var_max_pool2d_gather(NULL, g, o), "NULL");
    REFUSES(var_max_pool2d_gather(x, NULL, o), "NULL");
    REFUSES(var_max_pool2d_gather(x, x, o), "winners (1, 2, 4, 4)");
    REFUSES(var_max_pool2d_gather(x, outside, o), "winner 0 is at offset 16");
    REFUSES(var_max_pool2d_scatter(NULL, g, full, o), "NULL");
    REFUSES(var_max_pool2d_scatter(g, NULL, full, o), "NULL");
    REFUSES(var_max_pool2d_scatter(x, g, full, o), "gradient (1, 2, 4, 4) and winners");
    REFUSES(var_max_pool2d_scatter(g, outside, full, o), "winner 0 is at offset 16");
    REFUSES(var_max_pool2d_scatter(g, g, negative, o), "axis 2 has size -4");
    refusals_pool_option((Pool2dOptions){0}, "kernel (0, 0)");
    refusals_pool_option((Pool2dOptions){.kernel = {5, 5}}, "the kernel 5 is larger");
    refusals_pool_option((Pool2dOptions){.kernel = {top, top}, .padding = {top, top}}, "padding");
    refusals_pool_option((Pool2dOptions){.kernel = {top, 2}}, "is larger");
    refusals_pool_option((Pool2dOptions){.kernel = {top, 2}, .padding = {top / 2, 0}}, "at most");
    refusals_pool_option((Pool2dOptions){.kernel = {2, 2}, .stride = {-top - 1, 1}}, "stride (-");
    refusals_pool_option((Pool2dOptions){.kernel = {2, 2}, .padding = {-1, 0}}, "padding (-1, 0)");
}

/* --- normalisation and losses ----------------------------------------------------------------- */

static void refusals_losses(void)
{
    Labels labels = {.data = (int32_t[]){0, 3}, .count = 2}, none = {.count = 2};
    Labels one = {.data = labels.data, .count = 1};
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS, smooth = o, reduced = o;
    smooth.smoothing = (real)NAN, reduced.reduction = (LossReduction)7;
    Var *x = refusals_zeros(SHAPE(2, 3)), *flat = refusals_zeros(SHAPE(3));
    REFUSES(var_cross_entropy(NULL, &labels), "NULL");
    REFUSES(var_cross_entropy(x, NULL), "the labels are NULL");
    REFUSES(var_cross_entropy(x, &none), "the labels are NULL");
    REFUSES(var_cross_entropy(x, &labels), "label 3 in row 1");
    REFUSES(var_cross_entropy(flat, &labels), "the logits have shape (3,)");
    REFUSES(var_cross_entropy(x, &one), "1 labels for logits (2, 3)");
    REFUSES(var_cross_entropy_with(NULL, &labels, o), "NULL");
    REFUSES(var_cross_entropy_with(x, NULL, o), "the labels are NULL");
    REFUSES(var_cross_entropy_with(x, &labels, o), "label 3 in row 1");
    REFUSES(var_cross_entropy_with(x, &labels, smooth), "label smoothing is");
    REFUSES(var_cross_entropy_with(x, &labels, reduced), "the reduction is 7");
    REFUSES(var_bce_with_logits(NULL, x), "NULL");
    REFUSES(var_bce_with_logits(x, NULL), "NULL");
    REFUSES(var_bce_with_logits(x, flat), "the target has shape (3,)");
    REFUSES(var_bce_with_logits(flat, var_const_from(SHAPE(3), (const real[]){0, 1, -1})),
            "element 2 of the target is -1; expected a probability from 0 to 1");
    REFUSES(var_bce_with_logits(flat, var_full(SHAPE(3), (real)NAN)), "of the target is");
    REFUSES(var_mse(NULL, x), "NULL");
    REFUSES(var_mse(x, NULL), "NULL");
    REFUSES(var_mse(x, flat), "the target has shape (3,)");
    REFUSES(var_batch_norm(NULL, NULL, NULL, 1), "NULL");
    REFUSES(var_batch_norm(flat, NULL, NULL, 1), "expected (N,C,...)");
    REFUSES(var_batch_norm(x, flat, NULL, 1), "a weight needs a bias");
    REFUSES(var_batch_norm(x, x, flat, 1), "expected one element for each of the 3 channels");
}

static void refusals_class_weights(void)
{
    const real ok[] = {1, 2, 0, 5}, low[] = {1, -1, 0}, nan[] = {1, 2, (real)NAN};
    Labels labels = {.data = (int32_t[]){0, 1}, .count = 2};
    Var *x = refusals_zeros(SHAPE(2, 3));
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.weight = var_const_from(SHAPE(4), ok)->value;
    REFUSES(var_cross_entropy_with(x, &labels, o),
            "the class weights have shape (4,); expected (3,), one for each class");
    o.weight = var_const_from(SHAPE(1, 3), ok)->value;
    REFUSES(var_cross_entropy_with(x, &labels, o), "the class weights have shape (1, 3)");
    o.weight = var_const_from(SHAPE(3), low)->value;
    REFUSES(var_cross_entropy_with(x, &labels, o), "the weight of class 1 is -1; expected");
    o.weight = var_const_from(SHAPE(3), nan)->value;
    REFUSES(var_cross_entropy_with(x, &labels, o), "the weight of class 2 is");
    o.weight = var_full(SHAPE(3), (real)INFINITY)->value;
    REFUSES(var_cross_entropy_with(x, &labels, o), "the weight of class 0 is inf");
}

/* --- functions that are not ops --------------------------------------------------------------- */

static void refusals_others(void)
{
    Var *x = refusals_zeros(SHAPE(2, 3)), *row = refusals_zeros(SHAPE(3));
    REFUSES(var_scale(NULL, 2), "NULL");
    REFUSES(var_add_scalar(NULL, 2), "NULL");
    REFUSES(var_scalar_sub(2, NULL), "NULL");
    REFUSES(var_scalar_div(2, NULL), "NULL");
    REFUSES(var_square(NULL), "NULL");
    REFUSES(var_dot(NULL, x), "NULL");
    REFUSES(var_dot(x, NULL), "NULL");
    REFUSES(var_dot(x, row), "shapes (2, 3) and (3,); they must be equal");
    REFUSES(var_is_positive(NULL), "NULL");
    REFUSES(var_detach(NULL), "NULL");
    REFUSES(var_retain_grad(NULL), "NULL");
    REFUSES(var_shape(NULL), "NULL");
    REFUSES(var_item(NULL), "NULL");
    REFUSES(var_item(x), "has 6 elements");
    REFUSES(var_output(NULL, 0), "NULL");
    REFUSES(var_output(x, 1), "there is no output 1");
}

static void refusals_expect(const char *op)
{
    char name[64];
    snprintf(name, sizeof name, "var_%s", op);
    ck_assert_msg(refusals_has(name), "this file has no wrong call of %s", name);
}

START_TEST(every_refusal_names_the_function_called)
{
    const char *const others[] = {"scale", "add_scalar", "scalar_sub", "scalar_div", "square",
                                  "dot", "mse", "bce_with_logits", "is_positive", "detach",
                                  "retain_grad", "shape", "item", "output", "cross_entropy_with"};
    refusals_elementwise(), refusals_activations(), refusals_reductions(), refusals_views();
    refusals_slices(), refusals_concat(), refusals_products(), refusals_conv(), refusals_pool();
    refusals_losses(), refusals_class_weights(), refusals_others();
    for (const OpEntry *e = op_table; e->op; e++)
        refusals_expect(e->op->name);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        refusals_expect(others[i]);
}
END_TEST

/* Calls the sample with NULL for input k. */
static void refusals_call_sample(const OpSample *sample, int k)
{
    Var *in[OP_SAMPLE_INPUTS];
    op_sample_inputs(sample, 1, in);
    in[k] = NULL;
    sample->call(in);
}

/* If the formula says that some input may be NULL, only the first is tried: it never may. */
static void refusals_sample(const OpEntry *e)
{
    const OpSample *sample = &e->op->sample;
    for (volatile int k = 0; k < (strstr(e->formula, "NULL") ? 1 : sample->n_in); k++)
        ck_assert_fails(refusals_call_sample(sample, k), "NULL");
}

START_TEST(a_missing_input_of_any_op_is_reported)
{
    for (const OpEntry *e = op_table; e->op; e++)
        refusals_sample(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refusals");
    testing_add(suite, "refusals", 20, (const TTest *const[]){
        every_refusal_names_the_function_called,
        a_missing_input_of_any_op_is_reported, NULL});
    return testing_main(suite);
}
