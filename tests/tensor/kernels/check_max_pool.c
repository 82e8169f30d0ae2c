/* tests/tensor/kernels/check_max_pool.c -- max pooling, and its scatter to and gather from the
 * winners, against a loop.
 *
 * Values are integers from -4 to 4, so that many windows hold ties.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/max_pool.h"

#include <string.h>

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

/* --- one pooling ------------------------------------------------------------------------------ */

typedef struct Case {
    Pool2d  p;
    Tensor *x, *y, *winner, *g, *gx, *back;
} Case;

/* Pools x, which the case then owns. */
static Case case_new(Tensor *x, Pool2dOptions o)
{
    Pool2d p = tensor_max_pool2d_plan(x->shape, o, "case_new");
    Shape y = SHAPE(x->shape.dim[0], x->shape.dim[1], p.P, p.Q);
    Case k = {.p = p, .x = x, .y = tensor_full(y, not_a_number),
              .winner = tensor_full(y, not_a_number), .g = integers(y, 5),
              .gx = tensor_full(x->shape, not_a_number), .back = tensor_full(y, not_a_number)};
    tensor_max_pool2d(k.y, k.winner, k.x, &k.p);
    tensor_max_pool2d_scatter(k.gx, k.g, k.winner, &k.p);
    tensor_max_pool2d_gather(k.back, k.x, k.winner, &k.p);
    return k;
}

static void case_free(Case *k)
{
    Tensor *all[] = {k->x, k->y, k->winner, k->g, k->gx, k->back};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
}

/* --- the loop --------------------------------------------------------------------------------- */

static bool in_window(const Pool2d *p, ptrdiff_t out, ptrdiff_t place)
{
    const ptrdiff_t *stride = p->o.stride, *padding = p->o.padding, *kernel = p->o.kernel;
    ptrdiff_t h = place / p->W - (out / p->Q * stride[0] - padding[0]);
    ptrdiff_t w = place % p->W - (out % p->Q * stride[1] - padding[1]);
    return h >= 0 && h < kernel[0] && w >= 0 && w < kernel[1];
}

/* The first largest element of the window; -1 if it has a NaN. */
static ptrdiff_t naive_winner(const Pool2d *p, const real *x, ptrdiff_t out)
{
    ptrdiff_t best = -1;
    for (ptrdiff_t i = 0; i < p->H * p->W; i++) {
        if (!in_window(p, out, i))
            continue;
        if (isnan(x[i]))
            return -1;
        if (best < 0 || x[i] > x[best])
            best = i;
    }
    return best;
}

static void winner_is_right(const Case *k, ptrdiff_t i)
{
    const Pool2d *p = &k->p;
    ptrdiff_t out = i % (p->P * p->Q), plane = i / (p->P * p->Q);
    const real *x = tensor_read(k->x) + plane * p->H * p->W;
    ptrdiff_t expected = naive_winner(p, x, out), found = (ptrdiff_t)tensor_read(k->winner)[i];
    if (expected < 0 ? !in_window(p, out, found) || !isnan(x[found]) : found != expected)
        ck_abort_msg("x %s, kernel %td %td: winner %td is %td, expected %td",
                     SHAPE_TEXT(k->x->shape), p->o.kernel[0], p->o.kernel[1], i, found, expected);
    ck_assert_close(tensor_read(k->y)[i], x[found], 0);
    ck_assert_close(tensor_read(k->back)[i], x[found], 0);
}

/* gx: every element of g added at its winner's place, zero elsewhere. */
static void scatter_is_right(const Case *k)
{
    ptrdiff_t in = k->p.H * k->p.W, out = k->p.P * k->p.Q;
    double *sum = calloc((size_t)tensor_count(k->x) + 1, sizeof *sum);
    for (ptrdiff_t i = 0; i < tensor_count(k->y); i++)
        sum[i / out * in + (ptrdiff_t)tensor_read(k->winner)[i]] += (double)tensor_read(k->g)[i];
    for (ptrdiff_t i = 0; i < tensor_count(k->x); i++)
        ck_assert_close(tensor_read(k->gx)[i], sum[i], 0);
    free(sum);
}

static void pools(Tensor *x, Pool2dOptions o)
{
    Case k = case_new(x, o);
    for (ptrdiff_t i = 0; i < tensor_count(k.y); i++)
        winner_is_right(&k, i);
    scatter_is_right(&k);
    case_free(&k);
}

/* --- against the loop ------------------------------------------------------------------------- */

/* Strides smaller than the kernel: overlapping windows; larger: elements that are in no window. */
START_TEST(every_mix_of_kernel_stride_and_padding)
{
    for (int i = 0; i < 5 * 4 * 3 * 3; i++) {
        ptrdiff_t kernel = 1 + i % 5, stride = i / 5 % 4, padding = i / 20 % 3;
        if (padding > kernel / 2)
            continue;
        ptrdiff_t width = 1 + (kernel + 1) % 5, step = (stride + 1) % 4, size = 5 + i / 60;
        stride = stride ? stride : kernel, step = step ? step : width;
        Pool2dOptions o = {{kernel, width}, {stride, step}, {padding, 0}};
        Pool2dOptions turned = {{width, kernel}, {step, stride}, {0, padding}};
        pools(integers(SHAPE(2, 3, size, 7), (uint64_t)i), o);
        pools(integers(SHAPE(2, 3, 7, size), (uint64_t)i), turned);
    }
}
END_TEST

START_TEST(a_kernel_as_large_as_the_padded_plane)
{
    pools(integers(SHAPE(2, 2, 5, 7), 1), (Pool2dOptions){.kernel = {5, 7}});
    pools(integers(SHAPE(2, 2, 5, 7), 2), (Pool2dOptions){.kernel = {7, 9}, .padding = {1, 1}});
    pools(integers(SHAPE(1, 1, 1, 1), 3), (Pool2dOptions){.kernel = {1, 1}});
    pools(integers(SHAPE(1, 1, 1, 1), 4), (Pool2dOptions){.kernel = {2, 3}, .padding = {1, 1}});
}
END_TEST

/* Planes with more outputs than the kernel processes together (64), and a few left over. */
START_TEST(large_planes)
{
    pools(integers(SHAPE(2, 2, 20, 22), 1), (Pool2dOptions){.kernel = {2, 2}});
    pools(integers(SHAPE(1, 3, 37, 41), 2),
          (Pool2dOptions){.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    pools(integers(SHAPE(1, 1, 1, 300), 3), (Pool2dOptions){.kernel = {1, 5}, .stride = {1, 1}});
    pools(integers(SHAPE(1, 1, 300, 1), 4), (Pool2dOptions){.kernel = {7, 1}, .stride = {4, 1}});
}
END_TEST

START_TEST(many_planes_and_none)
{
    pools(integers(SHAPE(11, 13, 28, 28), 1), (Pool2dOptions){.kernel = {2, 2}});
    pools(integers(SHAPE(0, 3, 4, 4), 2), (Pool2dOptions){.kernel = {2, 2}});
    pools(integers(SHAPE(2, 0, 4, 4), 3), (Pool2dOptions){.kernel = {2, 2}});
}
END_TEST

/* --- ties, NaN, Inf, bits --------------------------------------------------------------------- */

START_TEST(the_first_of_equals_wins)
{
    Case k = case_new(tensor_full(SHAPE(1, 1, 4, 4), 2), (Pool2dOptions){.kernel = {2, 2}});
    ck_assert_tensor(k.winner, SHAPE(1, 1, 2, 2), 0, 0, 2, 8, 10);
    case_free(&k);
}
END_TEST

/* 2x2 windows side by side have a loop of their own. It must find the same winners as the general
 * loop, including the same one of several NaNs. These windows are every second one of a pooling
 * with stride 1 along the width. */
START_TEST(the_usual_pooling_is_like_the_others)
{
    const real some[] = {-infinite, -1, 0, 1, infinite, not_a_number};
    for (ptrdiff_t width = 2; width < 40; width++) {
        Tensor *x = tensor_new(SHAPE(3, 2, 7, width));
        for (ptrdiff_t i = 0; i < tensor_count(x); i++)
            tensor_write(x)[i] = some[rng_word(7, (uint64_t)width, (uint64_t)i) % 6];
        Tensor *wide = tensor_contiguous(x);
        Case usual = case_new(x, (Pool2dOptions){.kernel = {2, 2}});
        Case other = case_new(wide, (Pool2dOptions){.kernel = {2, 2}, .stride = {2, 1}});
        for (ptrdiff_t i = 0; i < tensor_count(usual.y); i++) {
            winner_is_right(&usual, i);
            ptrdiff_t same = i / usual.p.Q * other.p.Q + 2 * (i % usual.p.Q);
            ck_assert(tensor_read(usual.winner)[i] == tensor_read(other.winner)[same]);
        }
        scatter_is_right(&usual);
        case_free(&usual), case_free(&other);
    }
}
END_TEST

/* The scatter accepts any place of the plane as a winner, which the gather's rule needs. */
START_TEST(winners_may_lie_outside_their_windows)
{
    for (int odd = 0; odd < 2; odd++) {
        Case k = case_new(integers(SHAPE(2, 3, 8 + odd, 70 + odd), 3),
                          (Pool2dOptions){.kernel = {2, 2}});
        scatter_is_right(&k);
        real *winner = tensor_write(k.winner);
        for (int i = 0; i < 3; i++) {
            winner[40 * i + 7] = (real)(k.p.H * k.p.W - 1 - i);
            tensor_max_pool2d_scatter(k.gx, k.g, k.winner, &k.p);
            scatter_is_right(&k);
        }
        winner[34] = 3; /* among a row's last windows, fewer than a vector */
        tensor_max_pool2d_scatter(k.gx, k.g, k.winner, &k.p);
        scatter_is_right(&k);
        case_free(&k);
    }
}
END_TEST

START_TEST(overlapping_windows_add_at_their_common_winner)
{
    Tensor *x = tensor_from(SHAPE(1, 1, 1, 4), (const real[]){0, 9, 1, 0});
    Case k = case_new(x, (Pool2dOptions){.kernel = {1, 2}, .stride = {1, 1}});
    ck_assert_tensor(k.winner, SHAPE(1, 1, 1, 3), 0, 1, 1, 2);
    const real *g = tensor_read(k.g);
    ck_assert_tensor(k.gx, SHAPE(1, 1, 1, 4), 0, 0, (double)(g[0] + g[1]), (double)g[2], 0);
    case_free(&k);
}
END_TEST

START_TEST(a_nan_wins_in_every_window_that_holds_it)
{
    for (ptrdiff_t i = 0; i < 2 * 30; i++) {
        Tensor *x = integers(SHAPE(1, 1, 5, 6), 9);
        tensor_write(x)[i / 2] = not_a_number;
        tensor_write(x)[(i / 2 + 1) % 30] = i % 2 ? infinite : not_a_number;
        pools(x, (Pool2dOptions){.kernel = {3, 2}, .stride = {1, 1}, .padding = {1, 1}});
    }
}
END_TEST

/* Padding counts as -Inf but never wins: even a plane of -Inf has its own winners. */
START_TEST(a_plane_of_minus_infinity_has_winners)
{
    const Pool2dOptions overlap = {{3, 3}, {1, 1}, {1, 1}}, apart = {{2, 2}, {0, 0}, {1, 1}};
    pools(tensor_full(SHAPE(2, 1, 5, 5), -infinite), overlap);
    pools(tensor_full(SHAPE(1, 1, 4, 4), -100), apart);
}
END_TEST

static Case case_rounding(int threads)
{
    Rng rng = rng_new(29, 0);
    Tensor *x = tensor_new(SHAPE(19, 7, 23, 17));
    tensor_fill_normal(x, &rng, 0, 1);
    parallel_set_threads(threads);
    Case k = case_new(x, (Pool2dOptions){.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
    tensor_fill_normal(k.g, &rng, 0, 1);
    tensor_max_pool2d_scatter(k.gx, k.g, k.winner, &k.p);
    parallel_set_threads(0);
    return k;
}

START_TEST(threads_do_not_change_a_bit)
{
    const int threads[] = {2, 3, 5};
    Case one = case_rounding(1);
    for (int i = 0; i < 3; i++) {
        Case more = case_rounding(threads[i]);
        ck_assert(tensor_same_bits(one.y, more.y));
        ck_assert(tensor_same_bits(one.winner, more.winner));
        ck_assert(tensor_same_bits(one.gx, more.gx));
        ck_assert(tensor_same_bits(one.back, more.back));
        case_free(&more);
    }
    case_free(&one);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

static void refused(Shape x, Pool2dOptions o, const char *text)
{
    ck_assert_fails(tensor_max_pool2d_plan(x, o, "the_caller"), text);
    ck_assert_ptr_nonnull(strstr(testing_sentence, "the_caller: "));
}

START_TEST(options_out_of_range_are_refused)
{
    const Shape x = SHAPE(2, 3, 5, 6);
    refused(x, (Pool2dOptions){.kernel = {0, 2}}, "kernel (0, 2), stride (0, 2), padding (0, 0): "
                                                "expected a kernel and a stride of 1 or more");
    refused(x, (Pool2dOptions){.kernel = {2, -1}}, "kernel (2, -1)");
    refused(x, (Pool2dOptions){.kernel = {2, 2}, .stride = {-1, 1}}, "stride (-1, 1)");
    refused(x, (Pool2dOptions){.kernel = {2, 2}, .stride = {1, -1}}, "stride (1, -1)");
    refused(x, (Pool2dOptions){.kernel = {2, 2}, .stride = {2}}, "stride (2, 0)");
    refused(x, (Pool2dOptions){.kernel = {3, 3}, .padding = {0, -1}}, "padding (0, -1)");
    refused(x, (Pool2dOptions){.kernel = {3, 3}, .padding = {2, 0}}, "0 to half the kernel");
    refused(x, (Pool2dOptions){.kernel = {1, 1}, .padding = {0, 1}}, "0 to half the kernel");
    refused(x, (Pool2dOptions){.kernel = {PTRDIFF_MAX, 1}}, "is larger than the padded input");
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_refused)
{
    refused(SHAPE(3, 5, 6), (Pool2dOptions){.kernel = {2, 2}},
            "input (3, 5, 6): expected (N,C,H,W)");
    refused(SHAPE(2, 3, 5, 6), (Pool2dOptions){.kernel = {6, 2}},
            "along the height the kernel 6 is larger than the padded input 5 + 2 x 0");
    refused(SHAPE(2, 3, 5, 2), (Pool2dOptions){.kernel = {2, 5}, .padding = {0, 1}},
            "along the width the kernel 5 is larger than the padded input 2 + 2 x 1");
    refused(SHAPE(2, 3, 0, 6), (Pool2dOptions){.kernel = {2, 2}, .padding = {1, 1}},
            "input (2, 3, 0, 6): there is no largest element in an empty plane");
}
END_TEST

START_TEST(planes_too_large_for_a_winner_are_refused)
{
    const ptrdiff_t wide = (ptrdiff_t)1 << (REAL_MANT_DIG < 30 ? REAL_MANT_DIG : 30);
    if (wide >= PTRDIFF_MAX / (ptrdiff_t)sizeof(real)) /* no tensor has such a plane */
        return;
    refused(SHAPE(1, 1, 5, 6),
            (Pool2dOptions){.kernel = {2 * (wide - 1), 2}, .padding = {wide - 1, 0}},
            "has at most");
    refused(SHAPE(1, 1, 1, wide + 1), (Pool2dOptions){.kernel = {1, 1}},
            "a plane may have at most");
    ck_assert_int_eq(
        tensor_max_pool2d_plan(SHAPE(1, 1, 1, wide), (Pool2dOptions){.kernel = {1, 1}}, "f").Q,
        wide);
}
END_TEST

/* Whichever thread finds it, in any plane. */
START_TEST(a_winner_outside_its_plane_is_refused)
{
    const real lost[] = {-1, 30, not_a_number, (real)INFINITY, -(real)0.5};
    Case k = case_new(integers(SHAPE(40, 60, 5, 6), 1), (Pool2dOptions){.kernel = {2, 2}});
    ptrdiff_t n = tensor_count(k.winner);
    for (int i = 0; i < 5; i++) {
        ptrdiff_t at = i * (n - 1) / 4;
        real found = tensor_read(k.winner)[at];
        char text[64];
        tensor_write(k.winner)[at] = lost[i];
        snprintf(text, sizeof text, "winner %td is at offset", at);
        ck_assert_fails(tensor_max_pool2d_scatter(k.gx, k.g, k.winner, &k.p), text);
        ck_assert_fails(tensor_max_pool2d_gather(k.back, k.x, k.winner, &k.p), text);
        tensor_write(k.winner)[at] = found;
    }
    tensor_max_pool2d_scatter(k.gx, k.g, k.winner, &k.p);
    scatter_is_right(&k);
    case_free(&k);
}
END_TEST

START_TEST(every_missing_operand_is_reported)
{
    Case k = case_new(integers(SHAPE(1, 2, 4, 4), 1), (Pool2dOptions){.kernel = {2, 2}});
    REFUSES_NULL(tensor_max_pool2d, NULL, k.winner, k.x, &k.p);
    REFUSES_NULL(tensor_max_pool2d, k.y, NULL, k.x, &k.p);
    REFUSES_NULL(tensor_max_pool2d, k.y, k.winner, NULL, &k.p);
    REFUSES_NULL(tensor_max_pool2d_scatter, NULL, k.g, k.winner, &k.p);
    REFUSES_NULL(tensor_max_pool2d_scatter, k.gx, NULL, k.winner, &k.p);
    REFUSES_NULL(tensor_max_pool2d_scatter, k.gx, k.g, NULL, &k.p);
    REFUSES_NULL(tensor_max_pool2d_gather, NULL, k.x, k.winner, &k.p);
    REFUSES_NULL(tensor_max_pool2d_gather, k.back, NULL, k.winner, &k.p);
    REFUSES_NULL(tensor_max_pool2d_gather, k.back, k.x, NULL, &k.p);
    case_free(&k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    testing_add(suite, "against a loop", 60, (const TTest *const[]){
        every_mix_of_kernel_stride_and_padding, a_kernel_as_large_as_the_padded_plane,
        large_planes, many_planes_and_none, NULL});
    testing_add(suite, "numbers", 60, (const TTest *const[]){
        the_first_of_equals_wins, the_usual_pooling_is_like_the_others,
        winners_may_lie_outside_their_windows, overlapping_windows_add_at_their_common_winner,
        a_nan_wins_in_every_window_that_holds_it, a_plane_of_minus_infinity_has_winners,
        threads_do_not_change_a_bit, NULL});
    testing_add(suite, "refusals", 10, (const TTest *const[]){
        options_out_of_range_are_refused, shapes_that_do_not_fit_are_refused,
        planes_too_large_for_a_winner_are_refused, a_winner_outside_its_plane_is_refused,
        every_missing_operand_is_reported, NULL});
    return testing_main(suite);
}
