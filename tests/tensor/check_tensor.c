/* tests/tensor/check_tensor.c -- tensors: creating, reading, viewing, comparing, printing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/tensor.h"

#include <string.h>

#include "tensor/poison.h"
#include "tensor/random.h"
#include "tests/tensor/operands.h"

#define INDEX(...) ((const ptrdiff_t[]){__VA_ARGS__})
#define ORDER(...) ((const int[]){__VA_ARGS__})

/* A tensor of this shape with the elements 0, 1, 2, … */
static Tensor *counted(Shape shape)
{
    Tensor *line = tensor_arange(shape_count(shape));
    Tensor *x = tensor_reshape(line, shape);
    tensor_free(line);
    return x;
}

static unsigned tensor_version(const Tensor *x)
{
    return atomic_load(&x->storage->version);
}

/* --- creating --------------------------------------------------------------------------------- */

START_TEST(makers_fill_what_they_make)
{
    Tensor *zeros = tensor_zeros(SHAPE(2, 2)), *full = tensor_full(SHAPE(3), (real)1.5);
    Tensor *from = tensor_from(SHAPE(2, 3), (const real[]){1, 2, 3, 4, 5, 6});
    Tensor *scalar = tensor_scalar(-7), *line = tensor_arange(4);
    ck_assert_tensor(zeros, SHAPE(2, 2), 0, 0, 0, 0, 0);
    ck_assert_tensor(full, SHAPE(3), 0, 1.5, 1.5, 1.5);
    ck_assert_tensor(from, SHAPE(2, 3), 0, 1, 2, 3, 4, 5, 6);
    ck_assert_tensor(scalar, SHAPE_SCALAR, 0, -7);
    ck_assert_tensor(line, SHAPE(4), 0, 0, 1, 2, 3);
    tensor_free(zeros), tensor_free(full), tensor_free(from), tensor_free(scalar);
    tensor_free(line), tensor_free(NULL);
}
END_TEST

START_TEST(a_tensor_may_have_no_elements)
{
    Tensor *x = tensor_from(SHAPE(3, 0, 2), NULL), *none = tensor_arange(0);
    ck_assert_int_eq(tensor_count(x), 0);
    ck_assert_int_eq(tensor_count(none), 0);
    ck_assert(tensor_is_contiguous(x));
    Tensor *t = tensor_transpose(x, 0, 2), *c = tensor_clone(t), *r = tensor_reshape(x, SHAPE(0));
    ck_assert(shape_equal(c->shape, SHAPE(2, 0, 3)));
    ck_assert(tensor_same_bits(t, c));
    ck_assert(shape_equal(r->shape, SHAPE(0)));
    tensor_free(x), tensor_free(none), tensor_free(t), tensor_free(c), tensor_free(r);
}
END_TEST

/* A Shape is a plain struct: only tensor_new itself checks one that is filled by hand. */
START_TEST(a_shape_filled_by_hand_is_checked)
{
    const ptrdiff_t big = TESTING_BIG;
    const Shape wraps = {.ndim = 2, .dim = {big, big}}, negative = {.ndim = 2, .dim = {-2, -3}};
    const Shape most = {.ndim = 1, .dim = {PTRDIFF_MAX / (ptrdiff_t)sizeof(real)}};
    const Shape many = {.ndim = MAX_DIMS + 1};
    const real one = 1;
    Tensor *x = tensor_scalar(1);
    ck_assert_fails(tensor_new(wraps), "more elements than memory");
    ck_assert_fails(tensor_new(most), "more elements than memory");
    ck_assert_fails(tensor_new(negative), "axis 0 has size -2");
    ck_assert_fails(tensor_new(many), "0 to 8 axes, not 9");
    ck_assert_fails(tensor_zeros(negative), "slope: tensor_zeros: axis 0 has size -2");
    ck_assert_fails(tensor_full(wraps, 1), "slope: tensor_full: the sizes multiply to more");
    ck_assert_fails(tensor_from(many, &one), "slope: tensor_from: a shape has 0 to 8 axes");
    ck_assert_fails(tensor_from(SHAPE(2), NULL), "the values for shape (2,) are NULL");
    ck_assert_fails(tensor_arange(-1), "slope: tensor_arange: axis 0 has size -1");
    ck_assert_ptr_null(strstr(testing_sentence, "shape_infer")); /* here nothing is inferred */
    ck_assert_fails(tensor_reshape(x, negative), "slope: tensor_reshape: axis 0 has size -2");
    ck_assert_fails(tensor_reshape(x, (Shape){2, {2, -1}}), "tensor_reshape: axis 1 has size -1; "
                    "expected 0 or more; shape_infer builds a shape in which one size is inferred");
    ck_assert_fails(tensor_expand(x, wraps), "slope: tensor_expand: the sizes multiply to more");
    tensor_free(x);
    ck_assert_ptr_null(tensor_try_new(wraps));
    ck_assert_ptr_null(tensor_try_new(most));
    ck_assert_ptr_null(tensor_try_new(negative));
    ck_assert_ptr_null(tensor_try_new(many));
}
END_TEST

START_TEST(a_fresh_tensor_is_contiguous_and_aligned)
{
    Tensor *x = tensor_new(SHAPE(2, 1, 2, 1, 2, 1, 2, 3));
    const ptrdiff_t strides[] = {24, 24, 12, 12, 6, 6, 3, 1};
    ck_assert_mem_eq(x->stride, strides, sizeof strides);
    ck_assert_uint_eq((uintptr_t)tensor_read(x) % 64, 0);
    ck_assert(tensor_is_contiguous(x));
    ck_assert(tensor_owns_storage(x));
    tensor_free(x);
}
END_TEST

START_TEST(a_clone_is_apart_and_a_ref_is_not)
{
    Tensor *x = tensor_arange(3), *clone = tensor_clone(x), *ref = tensor_ref(x);
    ck_assert(!tensor_owns_storage(x));
    ck_assert(tensor_owns_storage(clone));
    tensor_set(x, INDEX(1), 10);
    ck_assert_tensor(clone, SHAPE(3), 0, 0, 1, 2);
    ck_assert_tensor(ref, SHAPE(3), 0, 0, 10, 2);
    tensor_free(x);
    ck_assert(tensor_owns_storage(ref));
    ck_assert_tensor(ref, SHAPE(3), 0, 0, 10, 2);
    tensor_free(ref), tensor_free(clone);
}
END_TEST

/* --- reading and writing ---------------------------------------------------------------------- */

START_TEST(get_and_set_reach_every_element)
{
    Tensor *x = counted(SHAPE(2, 3, 4)), *t = tensor_permute(x, ORDER(2, 0, 1));
    for (ptrdiff_t i = 0; i < 2; i++)
        for (ptrdiff_t j = 0; j < 3; j++)
            for (ptrdiff_t k = 0; k < 4; k++) {
                ck_assert_close(tensor_get(x, INDEX(i, j, k)), 12 * i + 4 * j + k, 0);
                ck_assert_close(tensor_get(t, INDEX(k, i, j)), 12 * i + 4 * j + k, 0);
            }
    tensor_set(t, INDEX(3, 0, 2), -1);
    ck_assert_close(tensor_get(x, INDEX(0, 2, 3)), -1, 0);
    tensor_free(x), tensor_free(t);
}
END_TEST

START_TEST(an_index_out_of_range_is_refused)
{
    Tensor *x = counted(SHAPE(2, 3));
    ck_assert_fails(tensor_get(x, INDEX(0, 3)), "tensor_get: index 3 on axis 1 is outside");
    ck_assert_fails(tensor_get(x, INDEX(-1, 0)), "index -1 on axis 0");
    ck_assert_fails(tensor_set(x, INDEX(2, 0), 1), "tensor_set: index 2 on axis 0");
    ck_assert_fails(tensor_item(x), "(2, 3) has 6 elements");
    tensor_free(x);
}
END_TEST

START_TEST(item_is_the_only_element)
{
    Tensor *x = tensor_full(SHAPE(1, 1, 1), 3), *s = tensor_scalar(4);
    ck_assert_close(tensor_item(x), 3, 0);
    ck_assert_close(tensor_item(s), 4, 0);
    ck_assert_close(tensor_get(s, NULL), 4, 0);
    tensor_free(x), tensor_free(s);
}
END_TEST

START_TEST(every_write_bumps_the_version_for_all_headers)
{
    Tensor *x = tensor_zeros(SHAPE(2, 2)), *row = tensor_select(x, 0, 1);
    unsigned before = tensor_version(x);
    (void)tensor_read(x);
    (void)tensor_get(x, INDEX(0, 0));
    ck_assert_uint_eq(tensor_version(x), before);
    tensor_set(x, INDEX(0, 0), 1);
    ck_assert_uint_gt(tensor_version(row), before);
    before = tensor_version(x);
    tensor_fill(row, 2);
    ck_assert_uint_gt(tensor_version(x), before);
    tensor_free(x), tensor_free(row);
}
END_TEST

/* --- views ------------------------------------------------------------------------------------ */

START_TEST(reshape_keeps_the_order)
{
    Tensor *x = counted(SHAPE(2, 6)), *y = tensor_reshape(x, SHAPE(3, 1, 4));
    ck_assert_tensor(y, SHAPE(3, 1, 4), 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    ck_assert_ptr_eq(tensor_read(x), tensor_read(y));
    Tensor as = tensor_as(x, SHAPE(12));
    ck_assert_close(tensor_get(&as, INDEX(11)), 11, 0);
    ck_assert_fails(tensor_reshape(x, SHAPE(5, 2)), "has 12 elements, but (5, 2) has 10");
    tensor_free(x), tensor_free(y);
}
END_TEST

START_TEST(reshape_of_a_tail_keeps_the_offset)
{
    Tensor *x = counted(SHAPE(4, 2)), *tail = tensor_slice(x, 0, 2, 4, 1);
    Tensor *y = tensor_reshape(tail, SHAPE(4));
    ck_assert_tensor(y, SHAPE(4), 0, 4, 5, 6, 7);
    tensor_free(x), tensor_free(tail), tensor_free(y);
}
END_TEST

START_TEST(reshape_refuses_scattered_elements)
{
    Tensor *x = counted(SHAPE(2, 3)), *t = tensor_transpose(x, 0, 1);
    ck_assert_fails(tensor_reshape(t, SHAPE(6)), "use tensor_contiguous first");
    tensor_free(x), tensor_free(t);
}
END_TEST

START_TEST(transpose_swaps_two_axes)
{
    Tensor *x = counted(SHAPE(2, 3)), *t = tensor_transpose(x, 0, -1);
    ck_assert_tensor(t, SHAPE(3, 2), 0, 0, 3, 1, 4, 2, 5);
    ck_assert_fails(tensor_transpose(x, 0, 2), "tensor_transpose: axis 2");
    tensor_free(x), tensor_free(t);
}
END_TEST

START_TEST(permute_puts_axis_order_i_at_i)
{
    Tensor *x = counted(SHAPE(2, 3, 2)), *p = tensor_permute(x, ORDER(1, 2, 0));
    ck_assert_tensor(p, SHAPE(3, 2, 2), 0, 0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11);
    ck_assert_fails(tensor_permute(x, ORDER(0, 1, 1)), "axis 1 is named twice");
    ck_assert_fails(tensor_permute(x, ORDER(0, 2, -1)), "axis -1 is named twice");
    ck_assert_fails(tensor_permute(x, ORDER(0, 1, 3)), "axis 3 does not exist");
    tensor_free(x), tensor_free(p);
}
END_TEST

/* Every start, stop and step of an axis of 7, against counting by hand. */
START_TEST(slice_takes_every_step)
{
    Tensor *x = tensor_arange(7);
    for (ptrdiff_t start = 0; start <= 7; start++)
        for (ptrdiff_t stop = start; stop <= 7; stop++)
            for (ptrdiff_t step = 1; step <= 9; step++) {
                Tensor *s = tensor_slice(x, 0, start, stop, step);
                ptrdiff_t n = 0;
                for (ptrdiff_t i = start; i < stop; i += step, n++)
                    ck_assert_close(tensor_get(s, &n), i, 0);
                ck_assert_int_eq(tensor_count(s), n);
                tensor_free(s);
            }
    tensor_free(x);
}
END_TEST

START_TEST(slice_refuses_what_does_not_fit)
{
    Tensor *x = counted(SHAPE(2, 3));
    ck_assert_fails(tensor_slice(x, 1, 0, 4, 1), "0 <= start <= stop <= 3");
    ck_assert_fails(tensor_slice(x, 1, -1, 2, 1), "start -1");
    ck_assert_fails(tensor_slice(x, 1, 2, 1, 1), "start 2, stop 1");
    ck_assert_fails(tensor_slice(x, 1, 0, 2, 0), "step 0");
    ck_assert_fails(tensor_slice(x, 2, 0, 0, 1), "tensor_slice: axis 2");
    ck_assert_fails(tensor_select(x, 1, 3), "index 3 is outside axis 1");
    ck_assert_fails(tensor_select(x, 1, -1), "index -1 is outside");
    tensor_free(x);
}
END_TEST

START_TEST(select_drops_the_axis)
{
    Tensor *x = counted(SHAPE(2, 3, 2)), *middle = tensor_select(x, 1, 2);
    Tensor *row = tensor_select(middle, 0, 1), *one = tensor_select(row, -1, 0);
    ck_assert_tensor(middle, SHAPE(2, 2), 0, 4, 5, 10, 11);
    ck_assert_tensor(row, SHAPE(2), 0, 10, 11);
    ck_assert_tensor(one, SHAPE_SCALAR, 0, 10);
    tensor_free(x), tensor_free(middle), tensor_free(row), tensor_free(one);
}
END_TEST

START_TEST(expand_repeats_without_copying)
{
    Tensor *x = tensor_from(SHAPE(2, 1), (const real[]){5, 6});
    Tensor *wide = tensor_expand(x, SHAPE(2, 3)), *deep = tensor_expand(wide, SHAPE(2, 2, 3));
    ck_assert_tensor(wide, SHAPE(2, 3), 0, 5, 5, 5, 6, 6, 6);
    ck_assert_tensor(deep, SHAPE(2, 2, 3), 0, 5, 5, 5, 6, 6, 6, 5, 5, 5, 6, 6, 6);
    ck_assert_ptr_eq(tensor_read(deep), tensor_read(x));
    ck_assert_int_eq(deep->stride[0], 0);
    ck_assert(!tensor_is_contiguous(wide));
    ck_assert_fails(tensor_expand(wide, SHAPE(2, 6)), "does not stretch to (2, 6)");
    ck_assert_fails(tensor_expand(wide, SHAPE(3)), "does not stretch to (3,)");
    Tensor *none = tensor_expand(x, SHAPE(2, 0));
    ck_assert_int_eq(tensor_count(none), 0);
    tensor_free(x), tensor_free(wide), tensor_free(deep), tensor_free(none);
}
END_TEST

START_TEST(views_keep_the_storage_alive)
{
    Tensor *x = counted(SHAPE(4, 3)), *a = tensor_slice(x, 0, 1, 4, 2);
    Tensor *b = tensor_transpose(a, 0, 1);
    tensor_free(x), tensor_free(a);
    ck_assert_tensor(b, SHAPE(3, 2), 0, 3, 9, 4, 10, 5, 11);
    ck_assert(tensor_owns_storage(b));
    tensor_free(b);
}
END_TEST

/* A view of eight axes, permuted and sliced, against indices computed by hand. */
START_TEST(eight_axes_work)
{
    Tensor *x = counted(SHAPE(2, 1, 3, 2, 1, 2, 3, 2));
    Tensor *p = tensor_permute(x, ORDER(7, 6, 5, 4, 3, 2, 1, 0)), *s = tensor_slice(p, 1, 0, 3, 2);
    ck_assert(shape_equal(s->shape, SHAPE(2, 2, 2, 1, 2, 3, 1, 2)));
    Tensor *c = tensor_contiguous(s);
    ck_assert(tensor_same_bits(s, c));
    for (ptrdiff_t i = 0; i < tensor_count(c); i++) {
        ptrdiff_t d0 = i % 2, d2 = i / 2 % 3, d3 = i / 6 % 2, d5 = i / 12 % 2, d6 = i / 24 % 2 * 2;
        ptrdiff_t at = (((d0 * 3 + d2) * 2 + d3) * 2 + d5) * 6 + d6 * 2 + i / 48;
        ck_assert_close(tensor_read(c)[i], at, 0);
    }
    tensor_free(x), tensor_free(p), tensor_free(s), tensor_free(c);
}
END_TEST

START_TEST(contiguous_copies_only_if_it_must)
{
    Tensor *x = counted(SHAPE(2, 3)), *same = tensor_contiguous(x);
    Tensor *t = tensor_transpose(x, 0, 1), *copy = tensor_contiguous(t);
    ck_assert_ptr_eq(tensor_read(same), tensor_read(x));
    ck_assert_ptr_ne(tensor_read(copy), tensor_read(x));
    ck_assert(tensor_is_contiguous(copy));
    ck_assert_tensor(copy, SHAPE(3, 2), 0, 0, 3, 1, 4, 2, 5);
    tensor_free(x), tensor_free(same), tensor_free(t), tensor_free(copy);
}
END_TEST

START_TEST(contiguous_is_a_claim_about_memory)
{
    Tensor *x = counted(SHAPE(4, 1, 3));
    Tensor *row = tensor_slice(x, 0, 2, 3, 1), *rows = tensor_slice(x, 0, 1, 3, 1);
    Tensor *odd = tensor_slice(x, 0, 0, 4, 2), *column = tensor_slice(x, 2, 0, 2, 1);
    Tensor *swapped = tensor_transpose(x, 0, 1), *turned = tensor_transpose(x, 0, 2);
    ck_assert(tensor_is_contiguous(row));
    ck_assert(tensor_is_contiguous(rows));
    ck_assert(tensor_is_contiguous(swapped)); /* an axis of size 1 moved */
    ck_assert(!tensor_is_contiguous(odd));
    ck_assert(!tensor_is_contiguous(column));
    ck_assert(!tensor_is_contiguous(turned));
    tensor_free(x), tensor_free(row), tensor_free(rows), tensor_free(odd);
    tensor_free(column), tensor_free(swapped), tensor_free(turned);
}
END_TEST

START_TEST(locate_follows_the_strides)
{
    Tensor *x = counted(SHAPE(3, 4)), *t = tensor_transpose(x, 0, 1);
    for (ptrdiff_t i = 0; i < 12; i++) {
        ck_assert_int_eq(tensor_locate(x, i), i);
        ck_assert_int_eq(tensor_locate(t, i), i % 3 * 4 + i / 3);
    }
    tensor_free(x), tensor_free(t);
}
END_TEST

/* --- comparing -------------------------------------------------------------------------------- */

START_TEST(same_bits_is_strict)
{
    Tensor *a = tensor_from(SHAPE(3), (const real[]){1, not_a_number, 0});
    Tensor *b = tensor_clone(a), *square = counted(SHAPE(2, 2)),
           *t = tensor_transpose(square, 0, 1);
    ck_assert(tensor_same_bits(a, b));
    tensor_set(b, INDEX(2), (real)-0.0);
    ck_assert(!tensor_same_bits(a, b));
    ck_assert(!tensor_same_bits(square, t));
    ck_assert(tensor_same_bits(t, t));
    Tensor *r = tensor_reshape(a, SHAPE(1, 3));
    ck_assert(!tensor_same_bits(a, r));
    tensor_free(a), tensor_free(b), tensor_free(square), tensor_free(t), tensor_free(r);
}
END_TEST

static bool numbers_close(double a, double b, double atol, double rtol)
{
    Tensor *x = tensor_full(SHAPE(2), (real)a), *y = tensor_full(SHAPE(2), (real)a);
    tensor_set(y, INDEX(1), (real)b);
    bool close = tensor_all_close(x, y, atol, rtol);
    tensor_free(x), tensor_free(y);
    return close;
}

START_TEST(all_close_measures_against_the_second)
{
    ck_assert(numbers_close(1, 1, 0, 0));
    ck_assert(numbers_close(1, 1.5, 0.5, 0));
    ck_assert(!numbers_close(1, 1.5, 0.25, 0));
    ck_assert(numbers_close(1, 2, 0, 0.5));
    ck_assert(!numbers_close(2, 1, 0, 0.5));
    ck_assert(numbers_close(0, -0.0, 0, 0));
    ck_assert(!numbers_close(1, -1, 0.5, 0.5));
    ck_assert(numbers_close(NOT_A_NUMBER, NOT_A_NUMBER, 0, 0));
    ck_assert(!numbers_close(NOT_A_NUMBER, 1, 9, 9));
    ck_assert(!numbers_close(1, NOT_A_NUMBER, 9, 9));
    ck_assert(numbers_close(HUGE_VAL, HUGE_VAL, 0, 0));
    ck_assert(!numbers_close(HUGE_VAL, -HUGE_VAL, 9, 9));
    ck_assert(!numbers_close(1, HUGE_VAL, 9, 9));
    Tensor *a = tensor_zeros(SHAPE(2)), *b = tensor_zeros(SHAPE(2, 1));
    ck_assert(!tensor_all_close(a, b, 1, 1));
    tensor_free(a), tensor_free(b);
}
END_TEST

START_TEST(max_difference_is_the_largest)
{
    Tensor *a = tensor_from(SHAPE(4), (const real[]){1, -2, infinite, 4});
    Tensor *b = tensor_from(SHAPE(4), (const real[]){1, 3, infinite, 8});
    Tensor *none = tensor_arange(0);
    ck_assert_close(tensor_max_difference(a, b), 5, 0);
    ck_assert_close(tensor_max_difference(b, a), 5, 0);
    ck_assert_close(tensor_max_difference(a, a), 0, 0);
    ck_assert_close(tensor_max_difference(none, none), 0, 0);
    tensor_set(a, INDEX(0), not_a_number);
    ck_assert(isnan(tensor_max_difference(a, b)));
    ck_assert(isnan(tensor_max_difference(b, a)));
    ck_assert_fails(tensor_max_difference(a, none), "shapes (4,) and (0,) differ");
    tensor_free(a), tensor_free(b), tensor_free(none);
}
END_TEST

START_TEST(the_first_nonfinite_is_found_in_row_major_order)
{
    Tensor *x = tensor_zeros(SHAPE(3, 4)), *t = tensor_transpose(x, 0, 1);
    ck_assert_int_eq(tensor_find_nonfinite(x), -1);
    tensor_set(x, INDEX(2, 1), -infinite);
    ck_assert_int_eq(tensor_find_nonfinite(x), 9);
    ck_assert_int_eq(tensor_find_nonfinite(t), 5);
    tensor_set(x, INDEX(1, 3), not_a_number);
    ck_assert_int_eq(tensor_find_nonfinite(x), 7);
    ck_assert_int_eq(tensor_find_nonfinite(t), 5);
    tensor_free(x), tensor_free(t);
}
END_TEST

START_TEST(argmax_takes_the_first_of_equals)
{
    Tensor *x = tensor_from(SHAPE(3, 3), (const real[]){1, 5, 5, -3, -2, -9, 7, 0, 7});
    Tensor *t = tensor_transpose(x, 0, 1), *none = tensor_zeros(SHAPE(2, 0));
    int32_t place[3], expected[3] = {1, 1, 0}, turned[3] = {2, 0, 2};
    tensor_argmax_rows(place, x);
    ck_assert_mem_eq(place, expected, sizeof place);
    tensor_argmax_rows(place, t);
    ck_assert_mem_eq(place, turned, sizeof place);
    ck_assert_fails(tensor_argmax_rows(place, none), "expected a matrix (N,D) with D > 0");
    tensor_free(x), tensor_free(t), tensor_free(none);
}
END_TEST

START_TEST(stats_are_the_samples)
{
    Tensor *x = tensor_from(SHAPE(2, 2), (const real[]){2, -4, 4, 6});
    Stats s = tensor_stats(x);
    ck_assert_int_eq(s.count, 4);
    ck_assert_close(s.mean, 2, 1e-12);
    ck_assert_close(s.std, sqrt((0 + 36 + 4 + 16) / 3.0), 1e-12);
    ck_assert_close(s.min, -4, 0);
    ck_assert_close(s.max, 6, 0);
    tensor_free(x);
}
END_TEST

START_TEST(stats_of_one_of_none_and_of_nan)
{
    Tensor *one = tensor_scalar(3), *none = tensor_arange(0), *x = tensor_arange(3);
    Stats s = tensor_stats(one), n = tensor_stats(none);
    ck_assert(s.mean == 3 && s.min == 3 && s.max == 3 && isnan(s.std));
    ck_assert(n.count == 0 && isnan(n.mean) && isnan(n.min) && isnan(n.max));
    for (ptrdiff_t at = 0; at < 3; at++) { /* a NaN spreads wherever it is */
        Tensor *y = tensor_clone(x);
        tensor_set(y, &at, not_a_number);
        Stats bad = tensor_stats(y);
        ck_assert(isnan(bad.mean) && isnan(bad.std) && isnan(bad.min) && isnan(bad.max));
        tensor_free(y);
    }
    tensor_free(one), tensor_free(none), tensor_free(x);
}
END_TEST

/* --- printing --------------------------------------------------------------------------------- */

/* Prints x and compares the text; frees x. */
static void prints(Tensor *x, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    tensor_fprint(out, x);
    fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
    tensor_free(x);
}

#define NUMBERS(...)                                                             \
    tensor_from(SHAPE((ptrdiff_t)(sizeof((real[]){__VA_ARGS__}) / sizeof(real))), \
                (const real[]){__VA_ARGS__})

START_TEST(print_chooses_one_format_for_all)
{
    prints(tensor_scalar(3), "tensor(3., shape=())\n");
    prints(NUMBERS(0, 1, -20), "tensor([  0.   1. -20.], shape=(3,))\n");
    prints(NUMBERS((real)0.5, 1, -20), "tensor([  0.5000   1.0000 -20.0000], shape=(3,))\n");
    prints(NUMBERS((real)1e-5, 1), "tensor([1.0000e-05 1.0000e+00], shape=(2,))\n");
    prints(NUMBERS((real)0.5, 20000), "tensor([5.0000e-01 2.0000e+04], shape=(2,))\n");
    prints(NUMBERS(1, 20000), "tensor([    1. 20000.], shape=(2,))\n");
    prints(NUMBERS(200000000), "tensor([2.0000e+08], shape=(1,))\n");
    prints(NUMBERS((real)-0.0, 0), "tensor([-0.  0.], shape=(2,))\n");
    prints(NUMBERS(not_a_number, infinite, -infinite, 1),
           "tensor([ nan  inf -inf   1.], shape=(4,))\n");
}
END_TEST

START_TEST(print_aligns_rows_and_parts_matrices)
{
    prints(counted(SHAPE(2, 3)), "tensor([[0. 1. 2.]\n"
                                 "        [3. 4. 5.]], shape=(2, 3))\n");
    prints(counted(SHAPE(2, 2, 1)), "tensor([[[0.]\n"
                                    "         [1.]]\n"
                                    "\n"
                                    "        [[2.]\n"
                                    "         [3.]]], shape=(2, 2, 1))\n");
    prints(counted(SHAPE(1, 1, 1, 1, 1, 1, 1, 2)),
           "tensor([[[[[[[[0. 1.]]]]]]]], shape=(1, 1, 1, 1, 1, 1, 1, 2))\n");
    prints(counted(SHAPE(2, 1, 1, 1)), "tensor([[[[0.]]]\n"
                                       "\n"
                                       "\n"
                                       "        [[[1.]]]], shape=(2, 1, 1, 1))\n");
}
END_TEST

START_TEST(print_follows_the_strides)
{
    Tensor *x = counted(SHAPE(2, 3));
    prints(tensor_transpose(x, 0, 1), "tensor([[0. 3.]\n"
                                      "        [1. 4.]\n"
                                      "        [2. 5.]], shape=(3, 2))\n");
    tensor_free(x);
}
END_TEST

START_TEST(print_of_nothing)
{
    prints(tensor_zeros(SHAPE(0)), "tensor([], shape=(0,))\n");
    prints(tensor_zeros(SHAPE(2, 0, 3)), "tensor([], shape=(2, 0, 3))\n");
}
END_TEST

START_TEST(print_leaves_out_the_middle_of_more_than_1000)
{
    prints(tensor_arange(1001),
           "tensor([   0.    1.    2. ...  998.  999. 1000.], shape=(1001,))\n");
    prints(tensor_full(SHAPE(200, 6), 1), "tensor([[1. 1. 1. 1. 1. 1.]\n"
                                          "        [1. 1. 1. 1. 1. 1.]\n"
                                          "        [1. 1. 1. 1. 1. 1.]\n"
                                          "        ...\n"
                                          "        [1. 1. 1. 1. 1. 1.]\n"
                                          "        [1. 1. 1. 1. 1. 1.]\n"
                                          "        [1. 1. 1. 1. 1. 1.]], shape=(200, 6))\n");
    prints(tensor_full(SHAPE(1, 1, 2000), 7),
           "tensor([[[7. 7. 7. ... 7. 7. 7.]]], shape=(1, 1, 2000))\n");
}
END_TEST

START_TEST(print_shows_1000_in_full)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    Tensor *x = tensor_arange(1000);
    tensor_fprint(out, x);
    fclose(out);
    ck_assert_ptr_null(strstr(text, "..."));
    ck_assert_ptr_nonnull(strstr(text, " 500. "));
    ck_assert_uint_eq(size, strlen("tensor([], shape=(1000,))\n") + 1000 * 5 - 1);
    free(text);
    tensor_free(x);
}
END_TEST

/* --- tensors that do not exist ---------------------------------------------------------------- */

START_TEST(every_function_of_one_tensor_refuses_null)
{
    REFUSES_NULL(tensor_count, NULL);
    REFUSES_NULL(tensor_is_contiguous, NULL);
    REFUSES_NULL(tensor_owns_storage, NULL);
    REFUSES_NULL(tensor_read, NULL);
    REFUSES_NULL(tensor_write, NULL);
    REFUSES_NULL(tensor_get, NULL, INDEX(0));
    REFUSES_NULL(tensor_set, NULL, INDEX(0), 1);
    REFUSES_NULL(tensor_item, NULL);
    REFUSES_NULL(tensor_locate, NULL, 0);
    REFUSES_NULL(tensor_clone, NULL);
    REFUSES_NULL(tensor_ref, NULL);
    REFUSES_NULL(tensor_contiguous, NULL);
    REFUSES_NULL(tensor_reshape, NULL, SHAPE(1));
    REFUSES_NULL(tensor_transpose, NULL, 0, 1);
    REFUSES_NULL(tensor_permute, NULL, ORDER(0));
    REFUSES_NULL(tensor_slice, NULL, 0, 0, 1, 1);
    REFUSES_NULL(tensor_select, NULL, 0, 0);
    REFUSES_NULL(tensor_expand, NULL, SHAPE(1));
    REFUSES_NULL(tensor_print, NULL);
    REFUSES_NULL(tensor_fprint, stdout, NULL);
    REFUSES_NULL(tensor_find_nonfinite, NULL);
    REFUSES_NULL(tensor_argmax_rows, NULL, NULL);
    REFUSES_NULL(tensor_stats, NULL);
    tensor_free(NULL);
}
END_TEST

START_TEST(a_missing_array_is_reported)
{
    Tensor *x = tensor_zeros(SHAPE(2, 3));
    ck_assert_fails(tensor_get(x, NULL), "tensor_get: the index is NULL; expected an array of 2 "
                    "numbers");
    ck_assert_fails(tensor_set(x, NULL, 1), "tensor_set: the index is NULL");
    ck_assert_fails(tensor_permute(x, NULL), "tensor_permute: the order of the axes is NULL");
    ck_assert_fails(tensor_argmax_rows(NULL, x), "tensor_argmax_rows: place is NULL");
    tensor_free(x);
}
END_TEST

START_TEST(every_missing_operand_is_reported)
{
    Tensor *x = tensor_scalar(1);
    Rng rng = rng_new(1, 1);
    REFUSES_NULL(tensor_fill, NULL, 1);
    REFUSES_NULL(tensor_scale, NULL, x, 1);
    REFUSES_NULL(tensor_scale, x, NULL, 1);
    REFUSES_NULL(tensor_copy, NULL, x);
    REFUSES_NULL(tensor_copy, x, NULL);
    REFUSES_NULL(tensor_sign, NULL, x);
    REFUSES_NULL(tensor_sign, x, NULL);
    REFUSES_NULL(tensor_add, NULL, x, x);
    REFUSES_NULL(tensor_add, x, NULL, x);
    REFUSES_NULL(tensor_add, x, x, NULL);
    REFUSES_NULL(tensor_greater, x, NULL, x);
    REFUSES_NULL(tensor_equal_to, x, x, NULL);
    REFUSES_NULL(tensor_sum_to, NULL, x);
    REFUSES_NULL(tensor_sum_to, x, NULL);
    REFUSES_NULL(tensor_max_to, NULL, x);
    REFUSES_NULL(tensor_max_to, x, NULL);
    REFUSES_NULL(tensor_same_bits, x, NULL);
    REFUSES_NULL(tensor_all_close, NULL, x, 0, 0);
    REFUSES_NULL(tensor_max_difference, x, NULL);
    REFUSES_NULL(tensor_fill_uniform, NULL, &rng, 0, 1);
    REFUSES_NULL(tensor_fill_normal, NULL, &rng, 0, 1);
    tensor_free(x);
}
END_TEST

#if defined(SLOPE_DEBUG) && !defined(MEMORY_ASAN) && !defined(SLOPE_NO_POOL)
START_TEST(a_debug_build_reports_a_freed_tensor)
{
    Tensor *x = tensor_scalar(1);
    tensor_free(x);
    ck_assert_fails(tensor_free(x), "slope: tensor_free: the tensor was freed");
    ck_assert_fails(tensor_print(x), "slope: tensor_print: the tensor was freed");
    ck_assert_fails(tensor_clone(x), "slope: tensor_clone: the tensor was freed");
    ck_assert_fails(tensor_add(x, x, x), "slope: tensor_add: the tensor was freed");
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("tensor");
    testing_add(suite, "making", 4, (const TTest *const[]){
        makers_fill_what_they_make, a_tensor_may_have_no_elements,
        a_shape_filled_by_hand_is_checked,
        a_fresh_tensor_is_contiguous_and_aligned, a_clone_is_apart_and_a_ref_is_not, NULL});
    testing_add(suite, "elements", 4, (const TTest *const[]){
        get_and_set_reach_every_element, an_index_out_of_range_is_refused, item_is_the_only_element,
        every_write_bumps_the_version_for_all_headers, NULL});
    testing_add(suite, "views", 10,
                (const TTest *const[]){reshape_keeps_the_order, reshape_of_a_tail_keeps_the_offset,
                                       reshape_refuses_scattered_elements, transpose_swaps_two_axes,
                                       permute_puts_axis_order_i_at_i, slice_takes_every_step,
                                       slice_refuses_what_does_not_fit, select_drops_the_axis,
                                       expand_repeats_without_copying, views_keep_the_storage_alive,
                                       eight_axes_work, contiguous_copies_only_if_it_must,
                                       contiguous_is_a_claim_about_memory,
                                       locate_follows_the_strides, NULL});
    testing_add(suite, "comparing", 4, (const TTest *const[]){
        same_bits_is_strict, all_close_measures_against_the_second, max_difference_is_the_largest,
        the_first_nonfinite_is_found_in_row_major_order, argmax_takes_the_first_of_equals,
        stats_are_the_samples, stats_of_one_of_none_and_of_nan, NULL});
    testing_add(suite, "printing", 4, (const TTest *const[]){
        print_chooses_one_format_for_all, print_aligns_rows_and_parts_matrices,
        print_follows_the_strides, print_of_nothing, print_leaves_out_the_middle_of_more_than_1000,
        print_shows_1000_in_full, NULL});
    testing_add(suite, "missing", 4, (const TTest *const[]){
        every_function_of_one_tensor_refuses_null, every_missing_operand_is_reported,
        a_missing_array_is_reported,
#if defined(SLOPE_DEBUG) && !defined(MEMORY_ASAN) && !defined(SLOPE_NO_POOL)
        a_debug_build_reports_a_freed_tensor,
#endif
        NULL});
    return testing_main(suite);
}
