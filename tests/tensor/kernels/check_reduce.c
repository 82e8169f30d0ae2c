/* tests/tensor/kernels/check_reduce.c -- sums and maxima over any axes of any layout, against a
 * loop in double.
 *
 * Values are small integers, whose sums a float holds exactly, so results must be equal and not
 * merely close: an element counted twice or left out cannot hide in a tolerance.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/reduce.h"

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

typedef void (*ReduceFn)(Tensor *out, const Tensor *x);

/* --- inputs in many layouts ------------------------------------------------------------------- */

/* A tensor of this shape that is a view of one with its axes in reverse order. */
static Tensor *layout_turned(Shape s)
{
    Shape turned = s;
    for (int i = 0; i < s.ndim; i++)
        turned.dim[i] = s.dim[s.ndim - 1 - i];
    int order[MAX_DIMS];
    for (int i = 0; i < s.ndim; i++)
        order[i] = s.ndim - 1 - i;
    Tensor *base = integers(turned, 7), *x = tensor_permute(base, order);
    tensor_free(base);
    return x;
}

static Tensor *layout_swapped(Shape s)
{
    Shape swapped = s;
    swapped.dim[0] = s.dim[1], swapped.dim[1] = s.dim[0];
    Tensor *base = integers(swapped, 7), *x = tensor_transpose(base, 0, 1);
    tensor_free(base);
    return x;
}

/* Every second or third element of each axis, not from the start. */
static Tensor *layout_sliced(Shape s)
{
    Shape large = s;
    for (int i = 0; i < s.ndim; i++)
        large.dim[i] = s.dim[i] * (2 + i % 2) + 1;
    Tensor *x = integers(large, 7);
    for (int i = 0; i < s.ndim; i++) {
        Tensor *sliced = tensor_slice(x, i, 1, large.dim[i], 2 + i % 2);
        tensor_free(x);
        x = sliced;
    }
    return x;
}

static Tensor *layout_expanded(Shape s, unsigned stretched)
{
    Tensor *base = integers(shape_reduce(s, stretched, true), 7), *x = tensor_expand(base, s);
    tensor_free(base);
    return x;
}

enum { LAYOUTS = 8 };

static Tensor *layout_make(int kind, Shape s)
{
    switch (kind) {
    case 0: return integers(s, 7);
    case 1: return layout_turned(s);
    case 2: return layout_swapped(s);
    case 3: return layout_sliced(s);
    case 4: return layout_expanded(s, 1);
    case 5: return layout_expanded(s, 2);
    case 6: return layout_expanded(s, 1u << (s.ndim - 1));
    default: return layout_expanded(s, 5);
    }
}

/* --- the loop in double ----------------------------------------------------------------------- */

/* The place of element i of x (row-major) in `out`, whose shape stretches to x's. */
static ptrdiff_t naive_place(Shape out, Shape x, ptrdiff_t i)
{
    ptrdiff_t place = 0, stride = 1;
    for (int d = x.ndim - 1, k = out.ndim - 1; k >= 0; d--, k--) {
        place += out.dim[k] == 1 ? 0 : i % x.dim[d] * stride;
        stride *= out.dim[k];
        i /= x.dim[d];
    }
    return place;
}

static double *naive_reduce(ReduceFn fn, Shape out, const Tensor *x)
{
    size_t n = (size_t)shape_count(out);
    double *result = malloc((n + 1) * sizeof *result);
    for (size_t i = 0; i < n; i++)
        result[i] = fn == tensor_sum_to ? 0 : -HUGE_VAL;
    for (ptrdiff_t i = 0; i < tensor_count(x); i++) {
        double v = (double)tensor_read(x)[tensor_locate(x, i)];
        double *r = &result[naive_place(out, x->shape, i)];
        *r = fn == tensor_sum_to ? *r + v : fmax(*r, v);
    }
    return result;
}

/* Asserts that fn(out, x), with out of this shape, equals the loop's result exactly. */
static void reduces(ReduceFn fn, Shape shape, const Tensor *x)
{
    Tensor *out = tensor_full(shape, not_a_number);
    double *expected = naive_reduce(fn, shape, x);
    fn(out, x);
    for (ptrdiff_t i = 0; i < tensor_count(out); i++)
        if ((double)tensor_read(out)[i] != expected[i])
            ck_abort_msg("%s of %s to %s: element %td is %g, expected %g",
                         fn == tensor_sum_to ? "sum" : "max", SHAPE_TEXT(x->shape),
                         SHAPE_TEXT(shape), i, (double)tensor_read(out)[i], expected[i]);
    free(expected);
    tensor_free(out);
}

/* Every subset of axes; a subset of leading axes also with those axes dropped. */
static void reduces_every_subset(const Tensor *x)
{
    for (unsigned mask = 0; mask < 1u << x->shape.ndim; mask++) {
        Shape keep = shape_reduce(x->shape, mask, true), drop = shape_reduce(x->shape, mask, false);
        reduces(tensor_sum_to, keep, x);
        reduces(tensor_max_to, keep, x);
        if ((mask & (mask + 1)) == 0) { /* 0, 1, 11, 111 … */
            reduces(tensor_sum_to, drop, x);
            reduces(tensor_max_to, drop, x);
        }
    }
}

START_TEST(every_subset_of_axes_of_every_layout)
{
    const Shape shapes[] = {SHAPE(3, 4, 5), SHAPE(2, 3, 4, 5), SHAPE(1, 7, 1, 3), SHAPE(17, 33)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int kind = 0; kind < LAYOUTS; kind++) {
            Tensor *x = layout_make(kind, shapes[s]);
            ck_assert(shape_equal(x->shape, shapes[s]));
            reduces_every_subset(x);
            tensor_free(x);
        }
}
END_TEST

/* Sizes around the kernel's own: lanes 16, leaf 512, strip 256, fold 64, chunk 32768. */
START_TEST(sizes_beyond_every_block)
{
    const Shape shapes[] = {SHAPE(1, 513), SHAPE(2, 1031), SHAPE(66, 257), SHAPE(130, 600),
                            SHAPE(3, 32769), SHAPE(32769, 3), SHAPE(2, 65539), SHAPE(129, 5, 67)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int kind = 0; kind < 4; kind++) {
            Tensor *x = layout_make(kind, shapes[s]);
            reduces_every_subset(x);
            tensor_free(x);
        }
}
END_TEST

START_TEST(every_length_of_a_row_and_of_a_column)
{
    for (ptrdiff_t n = 1; n < 140; n++) {
        Tensor *row = integers(SHAPE(2, n), 7), *column = integers(SHAPE(n, 2), 7);
        reduces(tensor_sum_to, SHAPE(2, 1), row);
        reduces(tensor_max_to, SHAPE(2, 1), row);
        reduces(tensor_sum_to, SHAPE(2), column);
        reduces(tensor_max_to, SHAPE(2), column);
        tensor_free(row), tensor_free(column);
    }
}
END_TEST

START_TEST(eight_axes)
{
    Tensor *x = layout_turned(SHAPE(2, 1, 3, 2, 2, 1, 3, 2));
    reduces_every_subset(x);
    tensor_free(x);
}
END_TEST

START_TEST(a_scalar_is_its_own_sum)
{
    Tensor *x = tensor_scalar(5);
    reduces(tensor_sum_to, SHAPE_SCALAR, x);
    reduces(tensor_max_to, SHAPE_SCALAR, x);
    tensor_free(x);
}
END_TEST

/* The result may itself be a strided view; what is between its elements does not change. */
START_TEST(a_strided_result_leaves_its_neighbours_alone)
{
    Tensor *x = integers(SHAPE(70, 30), 7), *base = tensor_full(SHAPE(60, 3), 99);
    Tensor *every_second = tensor_slice(base, 0, 0, 60, 2),
           *out = tensor_select(every_second, 1, 1);
    double *expected = naive_reduce(tensor_sum_to, SHAPE(30), x);
    tensor_sum_to(out, x);
    for (ptrdiff_t i = 0; i < 180; i++)
        ck_assert_close(tensor_read(base)[i], i % 6 == 1 ? expected[i / 6] : 99, 0);
    free(expected);
    tensor_free(x), tensor_free(base), tensor_free(every_second), tensor_free(out);
}
END_TEST

/* --- no elements, NaN, Inf -------------------------------------------------------------------- */

START_TEST(an_empty_sum_is_0_and_an_empty_maximum_minus_infinity)
{
    const Shape shapes[] = {SHAPE(0, 3), SHAPE(3, 0), SHAPE(2, 0, 3), SHAPE(0, 0), SHAPE(0, 300)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        Tensor *x = integers(shapes[s], 7), *t = tensor_transpose(x, 0, 1);
        reduces_every_subset(x);
        reduces_every_subset(t);
        tensor_free(x), tensor_free(t);
    }
    Tensor *none = integers(SHAPE(0), 7), *sum = tensor_full(SHAPE_SCALAR, 9);
    tensor_sum_to(sum, none);
    ck_assert_close(tensor_item(sum), 0, 0);
    tensor_max_to(sum, none);
    ck_assert_close(tensor_item(sum), -HUGE_VAL, 0);
    tensor_free(none), tensor_free(sum);
}
END_TEST

/* One NaN at (row, column) of x shows in exactly one result. */
static void nan_spreads(ReduceFn fn, Tensor *x, Shape shape, ptrdiff_t row, ptrdiff_t column)
{
    const ptrdiff_t at[] = {row, column};
    real before = tensor_get(x, at);
    Tensor *out = tensor_zeros(shape);
    tensor_set(x, at, not_a_number);
    fn(out, x);
    ptrdiff_t hit = shape.dim[0] == 1 ? column : row;
    for (ptrdiff_t i = 0; i < tensor_count(out); i++)
        if (!!isnan(tensor_read(out)[i]) != (i == hit))
            ck_abort_msg("a NaN in row %td, column %td: result %td is %g", row, column, i,
                         (double)tensor_read(out)[i]);
    tensor_set(x, at, before);
    tensor_free(out);
}

START_TEST(a_nan_anywhere_spreads_to_its_result_only)
{
    Tensor *x = integers(SHAPE(69, 37), 7), *base = integers(SHAPE(37, 69), 7);
    Tensor *t = tensor_transpose(base, 0, 1);
    Tensor *const inputs[] = {x, t};
    for (int k = 0; k < 2; k++)
        for (ptrdiff_t i = 0; i < 69; i++) {
            nan_spreads(tensor_max_to, inputs[k], SHAPE(69, 1), i, i * 5 % 37);
            nan_spreads(tensor_max_to, inputs[k], SHAPE(1, 37), i, i * 5 % 37);
            nan_spreads(tensor_sum_to, inputs[k], SHAPE(69, 1), i, i * 5 % 37);
            nan_spreads(tensor_sum_to, inputs[k], SHAPE(1, 37), i, i * 5 % 37);
        }
    tensor_free(x), tensor_free(base), tensor_free(t);
}
END_TEST

START_TEST(infinities_add_and_compare)
{
    const real numbers[] = {infinite,  -infinite, 1, -infinite, -infinite,
                            -infinite, infinite,  2, 3};
    Tensor *x = tensor_from(SHAPE(3, 3), numbers), *out = tensor_new(SHAPE(3, 1));
    tensor_sum_to(out, x);
    ck_assert_tensor(out, SHAPE(3, 1), 0, NOT_A_NUMBER, -HUGE_VAL, HUGE_VAL);
    tensor_max_to(out, x);
    ck_assert_tensor(out, SHAPE(3, 1), 0, HUGE_VAL, -HUGE_VAL, HUGE_VAL);
    tensor_free(x), tensor_free(out);
}
END_TEST

START_TEST(a_maximum_below_zero_is_found)
{
    Tensor *x = tensor_full(SHAPE(40, 40), -3);
    Tensor *out = tensor_new(SHAPE(40)), *all = tensor_new(SHAPE_SCALAR);
    tensor_max_to(out, x);
    tensor_max_to(all, x);
    ck_assert_close(tensor_read(out)[39], -3, 0);
    ck_assert_close(tensor_item(all), -3, 0);
    tensor_free(x), tensor_free(out), tensor_free(all);
}
END_TEST

/* --- accuracy and bits ------------------------------------------------------------------------ */

/* 10^7 equal terms; a running sum in float would be off by a percent or more. */
START_TEST(ten_million_terms_keep_their_digits)
{
    const ptrdiff_t n = 10000000;
    const Shape shapes[] = {SHAPE(n), SHAPE(n / 4, 4), SHAPE(n / 1000, 1000)};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        Tensor *x = tensor_full(shapes[s], (real)0.1), *sum = tensor_new(SHAPE_SCALAR);
        double exact = (double)n * (double)(real)0.1;
        tensor_sum_to(sum, x);
        ck_assert_close((double)tensor_item(sum) / exact, 1, 8 * (double)REAL_EPSILON);
        tensor_free(x), tensor_free(sum);
    }
}
END_TEST

/* A million rows of two elements, as a batch norm or the gradient of a bias adds them up. */
START_TEST(a_million_short_rows_keep_their_digits)
{
    Tensor *x = tensor_full(SHAPE(1000000, 2, 2), (real)0.1), *sum = tensor_new(SHAPE(2, 1));
    tensor_sum_to(sum, x);
    for (ptrdiff_t i = 0; i < 2; i++)
        ck_assert_close((double)tensor_read(sum)[i] / (2e6 * (double)(real)0.1), 1,
                        8 * (double)REAL_EPSILON);
    tensor_free(x), tensor_free(sum);
}
END_TEST

/* Columns of a tall matrix, as for the gradient of a bias over a long batch. */
START_TEST(a_tall_column_keeps_its_digits)
{
    Tensor *x = tensor_full(SHAPE(1000000, 4), (real)0.1), *sum = tensor_new(SHAPE(4));
    tensor_sum_to(sum, x);
    for (ptrdiff_t i = 0; i < 4; i++)
        ck_assert_close((double)tensor_read(sum)[i] / (1e6 * (double)(real)0.1), 1,
                        8 * (double)REAL_EPSILON);
    tensor_free(x), tensor_free(sum);
}
END_TEST

/* Adding 64 rows one after the other would cause errors of more than 3 epsilons, as naive_reduce
 * does if `real` is double. */
START_TEST(columns_of_random_terms_are_accurate)
{
    const Shape shapes[] = {SHAPE(64, 10000), SHAPE(1000, 1000), SHAPE(16, 4, 10000)};
    Rng rng = rng_new(2, 2);
    for (size_t s = 0; s < COUNT(shapes); s++) {
        Tensor *x = tensor_new(shapes[s]);
        tensor_fill_uniform(x, &rng, 0, 1);
        ptrdiff_t columns = shapes[s].dim[shapes[s].ndim - 1];
        Tensor *sum = tensor_new(SHAPE(columns));
        double *exact = naive_reduce(tensor_sum_to, sum->shape, x);
        tensor_sum_to(sum, x);
        for (ptrdiff_t i = 0; i < columns; i++)
            ck_assert_close((double)tensor_read(sum)[i] / exact[i], 1,
                            (sizeof(real) < sizeof(double) ? 2 : 64) * (double)REAL_EPSILON);
        free(exact);
        tensor_free(x), tensor_free(sum);
    }
}
END_TEST

/* Many terms of both signs, with different numbers of threads. */
static void bits_stay(ReduceFn fn, const Tensor *x, Shape shape)
{
    static const int threads[] = {2, 3, 5};
    Tensor *one = tensor_new(shape), *more = tensor_new(shape);
    parallel_set_threads(1);
    fn(one, x);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        parallel_set_threads(threads[i]);
        for (int again = 0; again < 3; again++) {
            tensor_fill(more, not_a_number);
            fn(more, x);
            ck_assert(tensor_same_bits(one, more));
        }
    }
    parallel_set_threads(0);
    tensor_free(one), tensor_free(more);
}

START_TEST(threads_do_not_change_a_bit)
{
    Rng rng = rng_new(1, 1);
    Tensor *x = tensor_new(SHAPE(1003, 701));
    tensor_fill_normal(x, &rng, 0, 1);
    Tensor *t = tensor_transpose(x, 0, 1);
    bits_stay(tensor_sum_to, x, SHAPE_SCALAR);
    bits_stay(tensor_sum_to, x, SHAPE(1003, 1));
    bits_stay(tensor_sum_to, x, SHAPE(701));
    bits_stay(tensor_sum_to, t, SHAPE_SCALAR);
    bits_stay(tensor_sum_to, t, SHAPE(701, 1));
    bits_stay(tensor_sum_to, t, SHAPE(1003));
    bits_stay(tensor_max_to, x, SHAPE(701));
    tensor_free(x), tensor_free(t);
}
END_TEST

START_TEST(the_second_time_nothing_is_allocated)
{
    Tensor *x = integers(SHAPE(300, 400), 7), *sum = tensor_new(SHAPE_SCALAR);
    tensor_sum_to(sum, x);
    ck_assert_allocates_nothing(tensor_sum_to(sum, x));
    tensor_free(x), tensor_free(sum);
}
END_TEST

START_TEST(a_shape_that_does_not_stretch_is_refused)
{
    Tensor *x = integers(SHAPE(2, 3), 7);
    Tensor *out = tensor_new(SHAPE(2)), *large = tensor_new(SHAPE(1, 2, 3));
    ck_assert_fails(tensor_sum_to(out, x), "tensor_sum_to: shape (2, 3) cannot be reduced to (2,)");
    ck_assert_fails(tensor_max_to(out, x), "tensor_max_to: shape");
    ck_assert_fails(tensor_sum_to(large, x), "cannot be reduced to (1, 2, 3)");
    tensor_free(x), tensor_free(out), tensor_free(large);
}
END_TEST

START_TEST(an_expanded_result_is_refused)
{
    Tensor *x = integers(SHAPE(2, 3), 7), *one = tensor_zeros(SHAPE(1));
    Tensor *out = tensor_expand(one, SHAPE(3));
    ck_assert_fails(tensor_sum_to(out, x), "tensor_sum_to: the result of shape (3,) is expanded");
    tensor_free(x), tensor_free(one), tensor_free(out);
}
END_TEST

START_TEST(a_rows_sum_is_the_sum)
{
    Tensor *x = integers(SHAPE(2000), 7);
    double sum = 0;
    for (ptrdiff_t n = 0; 3 * n < 2000; n++) {
        ck_assert_close(tensor_row_sum(tensor_read(x), n, 3), sum, 0);
        sum += (double)tensor_read(x)[3 * n];
    }
    tensor_free(x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reduce");
    testing_add(suite, "against a loop", 60, (const TTest *const[]){
        every_subset_of_axes_of_every_layout, sizes_beyond_every_block,
        every_length_of_a_row_and_of_a_column, eight_axes, a_scalar_is_its_own_sum,
        a_strided_result_leaves_its_neighbours_alone, NULL});
    testing_add(suite, "edges", 20, (const TTest *const[]){
        an_empty_sum_is_0_and_an_empty_maximum_minus_infinity,
        a_nan_anywhere_spreads_to_its_result_only, infinities_add_and_compare,
        a_maximum_below_zero_is_found, a_shape_that_does_not_stretch_is_refused,
        an_expanded_result_is_refused, a_rows_sum_is_the_sum, NULL});
    testing_add(suite, "bits", 60, (const TTest *const[]){
        ten_million_terms_keep_their_digits, a_million_short_rows_keep_their_digits,
        a_tall_column_keeps_its_digits, columns_of_random_terms_are_accurate,
        threads_do_not_change_a_bit, the_second_time_nothing_is_allocated, NULL});
    return testing_main(suite);
}
