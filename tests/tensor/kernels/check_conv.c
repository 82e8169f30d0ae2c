/* tests/tensor/kernels/check_conv.c -- convolution and its two gradients against one naive loop.
 *
 * Values are integers from -4 to 4, whose products a float sums exactly, so results must be equal
 * and not merely close.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/conv.h"

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

/* --- one convolution: operands, and results that start as NaN so that gaps show --------------- */

typedef struct Case {
    Conv2d  c;
    Tensor *x, *w, *b, *gy, *y, *gx, *gw, *gb;
} Case;

static Case case_new(Shape x, Shape w, Conv2dOptions o)
{
    Conv2d c = tensor_conv2d_plan(x, w, o, "", "case_new");
    Shape y = SHAPE(c.N, c.O, c.P, c.Q);
    return (Case){.c = c, .x = integers(x, 1), .w = integers(w, 2), .b = integers(SHAPE(c.O), 3),
                  .gy = integers(y, 4), .y = tensor_full(y, not_a_number),
                  .gx = tensor_full(x, not_a_number), .gw = tensor_full(w, not_a_number),
                  .gb = tensor_full(SHAPE(c.O), not_a_number)};
}

static void case_run(Case *k, const Tensor *bias)
{
    tensor_conv2d(k->y, k->x, k->w, bias, &k->c);
    tensor_conv2d_grad_input(k->gx, k->gy, k->w, &k->c);
    tensor_conv2d_grad_weight(k->gw, k->gb, k->x, k->gy, &k->c);
}

static void case_free(Case *k)
{
    Tensor *all[] = {k->x, k->w, k->b, k->gy, k->y, k->gx, k->gw, k->gb};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
}

/* --- the loop --------------------------------------------------------------------------------- */

typedef struct Naive {
    double *y, *gx, *gw, *gb;
} Naive;

/* Output (n,o,p,q): the sum over c,r,s, and its contributions to the gradients. */
static void naive_output(const Case *k, Naive *naive, ptrdiff_t n, ptrdiff_t o, ptrdiff_t at)
{
    const Conv2d *c = &k->c;
    ptrdiff_t Cg = c->C / c->o.groups, group = o / (c->O / c->o.groups);
    ptrdiff_t p = at / c->Q % c->P, q = at % c->Q;
    for (ptrdiff_t i = 0; i < Cg * c->R * c->S; i++) {
        ptrdiff_t s = i % c->S, r = i / c->S % c->R, ch = group * Cg + i / c->S / c->R;
        ptrdiff_t h = p * c->o.stride[0] - c->o.padding[0] + r * c->o.dilation[0];
        ptrdiff_t w = q * c->o.stride[1] - c->o.padding[1] + s * c->o.dilation[1];
        if (h < 0 || h >= c->H || w < 0 || w >= c->W)
            continue;
        ptrdiff_t from = ((n * c->C + ch) * c->H + h) * c->W + w, weight = o * Cg * c->R * c->S + i;
        double x = (double)tensor_read(k->x)[from], wv = (double)tensor_read(k->w)[weight];
        naive->y[at] += wv * x;
        naive->gx[from] += wv * (double)tensor_read(k->gy)[at];
        naive->gw[weight] += x * (double)tensor_read(k->gy)[at];
    }
}

static double *zeros(const Tensor *like)
{
    return calloc((size_t)tensor_count(like) + 1, sizeof(double));
}

static Naive naive_new(const Case *k, const Tensor *bias)
{
    Naive naive = {zeros(k->y), zeros(k->gx), zeros(k->gw), zeros(k->gb)};
    for (ptrdiff_t at = 0; at < tensor_count(k->y); at++) {
        ptrdiff_t plane = at / (k->c.P * k->c.Q), o = plane % k->c.O;
        naive.gb[o] += (double)tensor_read(k->gy)[at];
        naive.y[at] = bias ? (double)tensor_read(bias)[o] : 0;
        naive_output(k, &naive, plane / k->c.O, o, at);
    }
    return naive;
}

static void naive_free(Naive *naive)
{
    free(naive->y), free(naive->gx), free(naive->gw), free(naive->gb);
}

static void holds(const char *what, const Case *k, const Tensor *found, const double *expected)
{
    for (ptrdiff_t i = 0; i < tensor_count(found); i++)
        if (!testing_close((double)tensor_read(found)[i], expected[i], 0))
            ck_abort_msg("%s, x %s, w %s, %td groups, stride %td %td, padding %td %td, dilation "
                         "%td %td: element %td is %g, expected %g", what, SHAPE_TEXT(k->x->shape),
                         SHAPE_TEXT(k->w->shape), k->c.o.groups, k->c.o.stride[0],
                         k->c.o.stride[1], k->c.o.padding[0], k->c.o.padding[1],
                         k->c.o.dilation[0], k->c.o.dilation[1], i, (double)tensor_read(found)[i],
                         expected[i]);
}

static void convolves(Shape x, Shape w, Conv2dOptions o, bool with_bias)
{
    Case k = case_new(x, w, o);
    const Tensor *bias = with_bias ? k.b : NULL;
    Naive naive = naive_new(&k, bias);
    case_run(&k, bias);
    holds("y", &k, k.y, naive.y);
    holds("gx", &k, k.gx, naive.gx);
    holds("gw", &k, k.gw, naive.gw);
    holds("gb", &k, k.gb, naive.gb);
    naive_free(&naive);
    case_free(&k);
}

/* --- against the loop ------------------------------------------------------------------------- */

static Conv2dOptions options(ptrdiff_t stride, ptrdiff_t padding, ptrdiff_t dilation,
                             ptrdiff_t groups)
{
    return (Conv2dOptions){.stride = {stride, stride}, .padding = {padding, padding},
                           .dilation = {dilation, dilation}, .groups = groups};
}

START_TEST(every_mix_of_stride_padding_dilation_and_groups)
{
    for (int i = 0; i < 3 * 3 * 3 * 3 * 3; i++) {
        Conv2dOptions o = options(1 + i % 3, i / 3 % 3, 1 + i / 9 % 3,
                                  (ptrdiff_t)1 << i / 27 % 3);
        ptrdiff_t kernel = 1 + i / 81;
        convolves(SHAPE(2, 4, 9, 11), SHAPE(8, 4 / o.groups, kernel, kernel), o, i % 2);
    }
}
END_TEST

static ptrdiff_t pick(Rng *rng, ptrdiff_t low, ptrdiff_t high)
{
    return low + (ptrdiff_t)rng_below(rng, (uint64_t)(high - low + 1));
}

/* Separate options for height and width, odd sizes, channels around the number packed at a time. */
START_TEST(sizes_drawn_by_lot)
{
    Rng rng = rng_new(17, 0);
    for (int i = 0; i < 400; i++) {
        Conv2dOptions o = CONV2D_DEFAULTS;
        ptrdiff_t size[2], kernel[2];
        o.groups = (ptrdiff_t)1 << pick(&rng, 0, 2);
        for (int d = 0; d < 2; d++) {
            kernel[d] = pick(&rng, 1, 5), o.dilation[d] = pick(&rng, 1, 3);
            o.stride[d] = pick(&rng, 1, 4), o.padding[d] = pick(&rng, 0, 4);
            ptrdiff_t least = o.dilation[d] * (kernel[d] - 1) + 1 - 2 * o.padding[d];
            size[d] = (least < 1 ? 1 : least) + pick(&rng, 0, 12);
        }
        ptrdiff_t Cg = pick(&rng, 1, 7), Og = pick(&rng, 1, 7);
        convolves(SHAPE(pick(&rng, 1, 3), Cg * o.groups, size[0], size[1]),
                  SHAPE(Og * o.groups, Cg, kernel[0], kernel[1]), o, i % 2);
    }
}
END_TEST

START_TEST(a_kernel_as_wide_as_the_padded_input)
{
    convolves(SHAPE(2, 3, 5, 7), SHAPE(4, 3, 5, 7), CONV2D_DEFAULTS, true);
    convolves(SHAPE(2, 3, 5, 7), SHAPE(4, 3, 7, 9), options(1, 1, 1, 1), false);
    convolves(SHAPE(2, 2, 5, 5), SHAPE(2, 1, 3, 3), options(3, 0, 2, 2), true);
    convolves(SHAPE(1, 1, 1, 1), SHAPE(1, 1, 9, 9), options(1, 4, 1, 1), true);
}
END_TEST

START_TEST(one_by_one_kernels_and_planes)
{
    convolves(SHAPE(3, 5, 4, 6), SHAPE(7, 5, 1, 1), CONV2D_DEFAULTS, true);
    convolves(SHAPE(3, 5, 5, 6), SHAPE(7, 5, 1, 1), options(2, 1, 1, 1), false);
    convolves(SHAPE(3, 4, 1, 1), SHAPE(8, 1, 1, 1), options(1, 0, 1, 4), true);
    convolves(SHAPE(1, 1, 1, 1), SHAPE(1, 1, 1, 1), CONV2D_DEFAULTS, true);
    convolves(SHAPE(5, 1, 1, 40), SHAPE(3, 1, 1, 3), CONV2D_DEFAULTS, false);
}
END_TEST

/* More channels than are packed at a time, more images than blocks, planes larger than a task. */
START_TEST(sizes_beyond_every_block)
{
    convolves(SHAPE(2, 70, 6, 6), SHAPE(3, 70, 3, 3), options(1, 1, 1, 1), true);
    convolves(SHAPE(2, 3, 6, 6), SHAPE(70, 3, 3, 3), options(2, 1, 1, 1), false);
    convolves(SHAPE(37, 2, 5, 5), SHAPE(4, 2, 3, 3), options(1, 1, 1, 1), true);
    convolves(SHAPE(1, 1, 61, 67), SHAPE(2, 1, 3, 3), options(1, 1, 1, 1), false);
    convolves(SHAPE(1, 300, 2, 2), SHAPE(5, 300, 1, 1), CONV2D_DEFAULTS, true);
}
END_TEST

/* The channels are packed in groups, and the last group is so small that more columns could be
 * packed than before. Many input channels and many output channels, since the gradient of the input
 * packs the latter. */
START_TEST(a_last_few_channels_that_are_fewer)
{
    convolves(SHAPE(2, 3, 40, 40), SHAPE(5, 3, 11, 11), options(4, 2, 1, 1), true);
    convolves(SHAPE(1, 29, 16, 16), SHAPE(29, 29, 3, 3), options(1, 1, 1, 1), true);
    convolves(SHAPE(1, 11, 20, 18), SHAPE(11, 11, 5, 5), options(1, 2, 1, 1), false);
    convolves(SHAPE(1, 257, 16, 16), SHAPE(3, 257, 1, 1), CONV2D_DEFAULTS, true);
    convolves(SHAPE(1, 3, 16, 16), SHAPE(257, 3, 1, 1), CONV2D_DEFAULTS, false);
}
END_TEST

START_TEST(no_images_and_no_channels)
{
    convolves(SHAPE(0, 3, 5, 5), SHAPE(4, 3, 3, 3), CONV2D_DEFAULTS, true);
    convolves(SHAPE(2, 0, 5, 5), SHAPE(4, 0, 3, 3), CONV2D_DEFAULTS, true);
    convolves(SHAPE(2, 0, 5, 5), SHAPE(4, 0, 3, 3), CONV2D_DEFAULTS, false);
    convolves(SHAPE(2, 3, 5, 5), SHAPE(0, 3, 3, 3), CONV2D_DEFAULTS, false);
}
END_TEST

/* Windows with gaps between them, and some that cover only padding. */
START_TEST(far_away_is_zero)
{
    convolves(SHAPE(1, 2, 17, 19), SHAPE(2, 2, 2, 2), options(50, 60, 1, 1), true);
    convolves(SHAPE(1, 2, 5, 4), SHAPE(2, 2, 2, 2), options(1, 300, 600, 1), true);
    Conv2dOptions o = CONV2D_DEFAULTS;
    o.padding[1] = PTRDIFF_MAX / 16 + 1;
    ck_assert_fails(tensor_conv2d_plan(SHAPE(1, 2, 17, 19), SHAPE(2, 2, 2, 2), o, "", "conv"),
                    "too large");
}
END_TEST

/* --- NaN, Inf, bits --------------------------------------------------------------------------- */

START_TEST(nan_and_inf_reach_the_windows_that_hold_them)
{
    const real odd[] = {not_a_number, infinite, -infinite};
    for (int i = 0; i < 3 * 63; i++) {
        Case k = case_new(SHAPE(1, 2, 7, 9), SHAPE(4, 1, 3, 3), options(2, 1, 1 + i % 2, 2));
        tensor_write(k.x)[i / 3] = odd[i % 3];
        Naive naive = naive_new(&k, k.b);
        case_run(&k, k.b);
        holds("y", &k, k.y, naive.y);
        holds("gw", &k, k.gw, naive.gw);
        naive_free(&naive);
        case_free(&k);
    }
}
END_TEST

START_TEST(nan_in_a_gradient_reaches_what_its_output_read)
{
    for (int i = 0; i < 80; i++) {
        Case k = case_new(SHAPE(1, 2, 7, 9), SHAPE(4, 1, 3, 3), options(2, 1, 1, 2));
        tensor_write(k.gy)[i] = not_a_number;
        Naive naive = naive_new(&k, NULL);
        case_run(&k, NULL);
        holds("gx", &k, k.gx, naive.gx);
        naive_free(&naive);
        case_free(&k);
    }
}
END_TEST

/* Values whose sums are rounded, and a batch that does not divide evenly. */
static Case case_rounding(void)
{
    Rng rng = rng_new(23, 0);
    Case k = case_new(SHAPE(37, 6, 9, 11), SHAPE(8, 3, 3, 3), options(1, 1, 1, 2));
    tensor_fill_normal(k.x, &rng, 0, 1), tensor_fill_normal(k.w, &rng, 0, 1);
    tensor_fill_normal(k.gy, &rng, 0, 1);
    return k;
}

START_TEST(threads_do_not_change_a_bit)
{
    const int threads[] = {2, 3, 5};
    Case one = case_rounding();
    parallel_set_threads(1);
    case_run(&one, one.b);
    for (int i = 0; i < 3; i++) {
        Case more = case_rounding();
        parallel_set_threads(threads[i]);
        case_run(&more, more.b);
        ck_assert(tensor_same_bits(one.y, more.y));
        ck_assert(tensor_same_bits(one.gx, more.gx));
        ck_assert(tensor_same_bits(one.gw, more.gw));
        ck_assert(tensor_same_bits(one.gb, more.gb));
        case_free(&more);
    }
    parallel_set_threads(0);
    case_free(&one);
}
END_TEST

START_TEST(the_second_time_nothing_is_allocated)
{
    Case k = case_rounding();
    parallel_set_threads(2);
    case_run(&k, k.b);
    ck_assert_allocates_nothing(case_run(&k, k.b));
    parallel_set_threads(0);
    case_free(&k);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

static void refused(Shape x, Shape w, Conv2dOptions o, const char *text)
{
    ck_assert_fails(tensor_conv2d_plan(x, w, o, "", "the_caller"), text);
    ck_assert_ptr_nonnull(strstr(testing_sentence, "the_caller: "));
}

START_TEST(options_out_of_range_are_refused)
{
    const Shape x = SHAPE(2, 4, 5, 6), w = SHAPE(6, 4, 3, 3);
    for (int i = 0; i < 2; i++) {
        Conv2dOptions stride = CONV2D_DEFAULTS, padding = stride, dilation = stride;
        stride.stride[i] = 0, padding.padding[i] = -1, dilation.dilation[i] = 0;
        refused(x, w, stride, i ? "stride (1, 0), padding (0, 0)" : "stride (0, 1), padding");
        refused(x, w, padding, "expected a stride and a dilation of 1 or more and a padding of 0");
        refused(x, w, dilation, i ? "dilation (1, 0)" : "dilation (0, 1)");
        dilation.dilation[i] = PTRDIFF_MAX / 2, padding.padding[i] = PTRDIFF_MAX / 2;
        refused(x, w, dilation, "is too large");
        refused(x, w, padding, "is too large");
    }
    refused(x, w, options(1, 0, 1, -2), "-2 groups; expected 1 or more");
}
END_TEST

START_TEST(options_left_out_have_their_usual_values)
{
    const Shape x = SHAPE(2, 4, 5, 6), w = SHAPE(6, 4, 3, 3);
    Conv2dOptions padded = CONV2D_DEFAULTS;
    padded.padding[1] = 1;
    Conv2d full = tensor_conv2d_plan(x, w, padded, "", "f"),
           part = tensor_conv2d_plan(x, w, (Conv2dOptions){.padding = {0, 1}}, "", "f");
    ck_assert_mem_eq(&full, &part, sizeof full);
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_refused)
{
    const Conv2dOptions o = CONV2D_DEFAULTS;
    refused(SHAPE(4, 5, 6), SHAPE(6, 4, 3, 3), o, "input (4, 5, 6) and weight (6, 4, 3, 3): expe");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 4, 3), o, "expected (N,C,H,W) and (O,C/groups,R,S)");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 3, 3, 3), o,
            "the weight's axis 1 should be channels / groups = 4 / 1 = 4");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 4, 3, 3), options(1, 0, 1, 2), "4 / 2 = 2");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 1, 3, 3), options(1, 0, 1, 4),
            "4 channels in and 6 out do not divide into 4 groups");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 4, 0, 3), o, "weight (6, 4, 0, 3) has an empty kernel");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 4, 6, 3), o, "along the height the kernel extends over");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 4, 3, 9), options(1, 1, 1, 1),
            "along the width the kernel extends over dilation (kernel-1) + 1 = 9, but the padded "
            "input has only 6 + 2 x 1 = 8");
    refused(SHAPE(2, 4, 5, 6), SHAPE(6, 4, 3, 3), options(1, 0, 3, 1), "(kernel-1) + 1 = 7, but");
}
END_TEST

START_TEST(the_plan_is_the_formula)
{
    Conv2dOptions o = {.stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}, .groups = 2};
    Conv2d c = tensor_conv2d_plan(SHAPE(7, 4, 10, 11), SHAPE(6, 2, 3, 4), o, "", "f");
    ck_assert(c.N == 7 && c.C == 4 && c.H == 10 && c.W == 11);
    ck_assert(c.O == 6 && c.R == 3 && c.S == 4);
    ck_assert_int_eq(c.P, (10 + 2 * 1 - 2 * 2 - 1) / 2 + 1);
    ck_assert_int_eq(c.Q, (11 + 2 * 2 - 1 * 3 - 1) / 3 + 1);
}
END_TEST

START_TEST(every_missing_operand_is_reported)
{
    Case k = case_new(SHAPE(1, 2, 3, 3), SHAPE(2, 2, 2, 2), CONV2D_DEFAULTS);
    REFUSES_NULL(tensor_conv2d, NULL, k.x, k.w, NULL, &k.c);
    REFUSES_NULL(tensor_conv2d, k.y, NULL, k.w, NULL, &k.c);
    REFUSES_NULL(tensor_conv2d, k.y, k.x, NULL, NULL, &k.c);
    REFUSES_NULL(tensor_conv2d_grad_input, NULL, k.gy, k.w, &k.c);
    REFUSES_NULL(tensor_conv2d_grad_input, k.gx, NULL, k.w, &k.c);
    REFUSES_NULL(tensor_conv2d_grad_input, k.gx, k.gy, NULL, &k.c);
    REFUSES_NULL(tensor_conv2d_grad_weight, NULL, NULL, k.x, k.gy, &k.c);
    REFUSES_NULL(tensor_conv2d_grad_weight, k.gw, NULL, NULL, k.gy, &k.c);
    REFUSES_NULL(tensor_conv2d_grad_weight, k.gw, NULL, k.x, NULL, &k.c);
    case_free(&k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conv");
    testing_add(suite, "against a loop", 120, (const TTest *const[]){
        every_mix_of_stride_padding_dilation_and_groups, sizes_drawn_by_lot,
        a_kernel_as_wide_as_the_padded_input, one_by_one_kernels_and_planes,
        sizes_beyond_every_block, a_last_few_channels_that_are_fewer, no_images_and_no_channels,
        far_away_is_zero, NULL});
    testing_add(suite, "numbers", 60, (const TTest *const[]){
        nan_and_inf_reach_the_windows_that_hold_them,
        nan_in_a_gradient_reaches_what_its_output_read, threads_do_not_change_a_bit,
        the_second_time_nothing_is_allocated, NULL});
    testing_add(suite, "refusals", 10, (const TTest *const[]){
        options_out_of_range_are_refused, shapes_that_do_not_fit_are_refused,
        options_left_out_have_their_usual_values, the_plan_is_the_formula,
        every_missing_operand_is_reported, NULL});
    return testing_main(suite);
}
