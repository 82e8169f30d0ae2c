/* tests/tensor/check_shape.c -- shapes: building, broadcasting, naming axes, inferring, printing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/shape.h"

#include <stdint.h>
#include <string.h>

#include "tests/testing.h"

static void shape_is(Shape found, Shape expected)
{
    ck_assert_msg(shape_equal(found, expected), "the shape is %s, expected %s", SHAPE_TEXT(found),
                  SHAPE_TEXT(expected));
}

/* --- building --------------------------------------------------------------------------------- */

START_TEST(a_shape_knows_its_sizes)
{
    Shape s = SHAPE(2, 3, 4);
    ck_assert_int_eq(s.ndim, 3);
    ck_assert_int_eq(s.dim[0], 2);
    ck_assert_int_eq(s.dim[2], 4);
    ck_assert_int_eq(shape_count(s), 24);
    ck_assert_int_eq(shape_count(SHAPE_SCALAR), 1);
    ck_assert_int_eq(shape_count(SHAPE(5, 0, 7)), 0);
    ck_assert_int_eq(shape_count(SHAPE(1, 2, 1, 3, 1, 4, 1, 5)), 120);
}
END_TEST

START_TEST(equal_means_same_axes_and_sizes)
{
    ck_assert(shape_equal(SHAPE(2, 3), SHAPE(2, 3)));
    ck_assert(shape_equal(SHAPE_SCALAR, SHAPE_SCALAR));
    ck_assert(!shape_equal(SHAPE(2, 3), SHAPE(3, 2)));
    ck_assert(!shape_equal(SHAPE(2, 3), SHAPE(2, 4)));
    ck_assert(!shape_equal(SHAPE(1), SHAPE_SCALAR));
    ck_assert(!shape_equal(SHAPE(2, 3), SHAPE(2, 3, 1)));
}
END_TEST

START_TEST(equal_ignores_what_lies_beyond_the_last_axis)
{
    Shape s = SHAPE(2, 3, 4);
    s.ndim = 2;
    ck_assert(shape_equal(s, SHAPE(2, 3)));
}
END_TEST

START_TEST(impossible_shapes_are_refused)
{
    const ptrdiff_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const ptrdiff_t big = TESTING_BIG;
    ck_assert_fails(shape_new(9, many), "0 to 8 axes, not 9");
    ck_assert_fails(shape_new(-1, many), "not -1");
    ck_assert_fails(SHAPE(3, -2), "axis 1 has size -2");
    ck_assert_fails(SHAPE(big, big), "more elements than memory");
    ck_assert_fails(SHAPE(big, 0, big), "more elements than memory");
    ck_assert_fails(SHAPE(PTRDIFF_MAX), "axis 0");
    ck_assert_fails(SHAPE(2, -1), "shape_new: axis 1 has size -1; expected 0 or more; shape_infer "
                    "builds a shape in which one size is inferred");
    ck_assert_fails(shape_check((Shape){1, {-3}}, "the_caller"), "the_caller: axis 0 has size -3");
    ck_assert_fails(shape_check((Shape){.ndim = 100}, "the_caller"), "the_caller: a shape has 0");
    shape_check(SHAPE(2, 0), "the_caller");
    shape_is(shape_new(8, many), SHAPE(1, 1, 1, 1, 1, 1, 1, 1));
}
END_TEST

/* --- broadcasting ----------------------------------------------------------------------------- */

/* a and b broadcast to `to`, either way round, and each of them stretches to it. */
static void broadcasts(Shape a, Shape b, Shape to)
{
    Shape ab, ba;
    ck_assert_msg(shape_broadcast(a, b, &ab, "f"), "%s and %s", SHAPE_TEXT(a), SHAPE_TEXT(b));
    ck_assert(shape_broadcast(b, a, &ba, "f"));
    shape_is(ab, to);
    shape_is(ba, to);
    ck_assert(shape_stretches_to(a, to));
    ck_assert(shape_stretches_to(b, to));
}

static void clashes(Shape a, Shape b)
{
    Shape out = SHAPE(77);
    ck_assert_msg(!shape_broadcast(a, b, &out, "f"), "%s and %s", SHAPE_TEXT(a), SHAPE_TEXT(b));
    ck_assert(!shape_broadcast(b, a, &out, "f"));
    ck_assert(!shape_stretches_to(a, b));
    ck_assert(!shape_stretches_to(b, a));
}

START_TEST(broadcasting_is_numpys)
{
    broadcasts(SHAPE(2, 3), SHAPE(2, 3), SHAPE(2, 3));
    broadcasts(SHAPE(2, 3), SHAPE_SCALAR, SHAPE(2, 3));
    broadcasts(SHAPE(2, 3), SHAPE(3), SHAPE(2, 3));
    broadcasts(SHAPE(2, 1), SHAPE(1, 3), SHAPE(2, 3));
    broadcasts(SHAPE(2, 1), SHAPE(3), SHAPE(2, 3));
    broadcasts(SHAPE(4, 1, 3), SHAPE(2, 1), SHAPE(4, 2, 3));
    broadcasts(SHAPE(8, 1, 6, 1), SHAPE(7, 1, 5), SHAPE(8, 7, 6, 5));
    broadcasts(SHAPE(1), SHAPE(0), SHAPE(0));
    broadcasts(SHAPE(0, 3), SHAPE(1, 3), SHAPE(0, 3));
    broadcasts(SHAPE_SCALAR, SHAPE_SCALAR, SHAPE_SCALAR);
    broadcasts(SHAPE(2, 1, 2, 1, 2, 1, 2, 1), SHAPE(3, 1, 3, 1, 3, 1, 3),
               SHAPE(2, 3, 2, 3, 2, 3, 2, 3));
    clashes(SHAPE(2), SHAPE(3));
    clashes(SHAPE(2, 3), SHAPE(2));
    clashes(SHAPE(2, 3), SHAPE(3, 3));
    clashes(SHAPE(0), SHAPE(2));
    clashes(SHAPE(4, 2, 3), SHAPE(3, 1));
}
END_TEST

START_TEST(a_shape_stretches_only_outwards)
{
    ck_assert(shape_stretches_to(SHAPE(3), SHAPE(2, 3)));
    ck_assert(!shape_stretches_to(SHAPE(2, 3), SHAPE(3)));
    ck_assert(!shape_stretches_to(SHAPE(1, 3), SHAPE(3)));
    ck_assert(!shape_stretches_to(SHAPE(2, 1), SHAPE(1, 3)));
    ck_assert(shape_stretches_to(SHAPE(1), SHAPE(0)));
    ck_assert(!shape_stretches_to(SHAPE(0), SHAPE(1)));
}
END_TEST

START_TEST(a_broadcast_beyond_memory_is_refused)
{
    const ptrdiff_t big = TESTING_BIG;
    Shape out;
    ck_assert_fails(shape_broadcast(SHAPE(big, 1), SHAPE(1, big), &out, "the_caller"),
                    "the_caller: the sizes multiply to more elements");
    ck_assert(!shape_stretches_to(SHAPE(big, 1), SHAPE(1, big)));
}
END_TEST

/* --- axes ------------------------------------------------------------------------------------- */

START_TEST(negative_axes_count_from_the_end)
{
    Shape s = SHAPE(2, 3, 4);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(shape_axis(s, i, "f"), i);
        ck_assert_int_eq(shape_axis(s, i - 3, "f"), i);
    }
    ck_assert_fails(shape_axis(s, 3, "the_caller"), "the_caller: axis 3");
    ck_assert_fails(shape_axis(s, -4, "the_caller"), "(2, 3, 4), which has 3");
    ck_assert_fails(shape_axis(SHAPE_SCALAR, 0, "f"), "axis 0 does not exist");
    ck_assert_fails(shape_axis(SHAPE_SCALAR, -1, "f"), "axis -1 does not exist");
}
END_TEST

START_TEST(axes_become_a_mask)
{
    Shape s = SHAPE(2, 3, 4);
    ck_assert_uint_eq(shape_axes(s, AXES(0), "f"), 1);
    ck_assert_uint_eq(shape_axes(s, AXES(-1), "f"), 4);
    ck_assert_uint_eq(shape_axes(s, AXES(2, 0), "f"), 5);
    ck_assert_uint_eq(shape_axes(s, ALL_AXES, "f"), 7);
    ck_assert_uint_eq(shape_axes(s, (Axes){0}, "f"), 0);
    ck_assert_uint_eq(shape_axes(SHAPE_SCALAR, ALL_AXES, "f"), 0);
    ck_assert_uint_eq(shape_axes(SHAPE(1, 1, 1, 1, 1, 1, 1, 1), ALL_AXES, "f"), 255);
    ck_assert_fails(shape_axes(s, AXES(1, -2), "f"), "axis -2 is named twice");
    ck_assert_fails(shape_axes(s, AXES(0, 3), "the_caller"), "the_caller: axis 3");
    ck_assert_fails(shape_axes(s, (Axes){.n = 9}, "the_caller"), "the_caller: 9 axes are named");
}
END_TEST

START_TEST(reduced_axes_vanish_or_become_1)
{
    Shape s = SHAPE(2, 3, 4);
    shape_is(shape_reduce(s, 0, false), s);
    shape_is(shape_reduce(s, 2, false), SHAPE(2, 4));
    shape_is(shape_reduce(s, 2, true), SHAPE(2, 1, 4));
    shape_is(shape_reduce(s, 5, false), SHAPE(3));
    shape_is(shape_reduce(s, 5, true), SHAPE(1, 3, 1));
    shape_is(shape_reduce(s, 7, false), SHAPE_SCALAR);
    shape_is(shape_reduce(s, 7, true), SHAPE(1, 1, 1));
    shape_is(shape_reduce(SHAPE(0, 5), 1, false), SHAPE(5));
}
END_TEST

/* --- inferring a size ------------------------------------------------------------------------- */

#define INFER(count, ...)                                                             \
    shape_infer((count), (int)(sizeof((ptrdiff_t[]){__VA_ARGS__}) / sizeof(ptrdiff_t)), \
                (const ptrdiff_t[]){__VA_ARGS__}, "the_caller")

START_TEST(one_size_is_inferred)
{
    shape_is(INFER(24, 2, -1), SHAPE(2, 12));
    shape_is(INFER(24, -1, 3, 4), SHAPE(2, 3, 4));
    shape_is(INFER(24, -1), SHAPE(24));
    shape_is(INFER(24, 24, -1), SHAPE(24, 1));
    shape_is(INFER(0, -1, 3), SHAPE(0, 3));
    shape_is(INFER(24, 4, 6), SHAPE(4, 6));
    shape_is(shape_infer(1, 0, NULL, "f"), SHAPE_SCALAR);
}
END_TEST

START_TEST(what_cannot_be_inferred_is_refused)
{
    const ptrdiff_t big = TESTING_BIG;
    ck_assert_fails(INFER(24, -1, -1), "the_caller: only one size may be -1, but axes 0 and 1");
    ck_assert_fails(INFER(24, 5, -1), "axis 1 cannot be inferred");
    ck_assert_fails(INFER(0, 0, -1), "axis 1 cannot be inferred");
    ck_assert_fails(INFER(24, -2, -1), "-2");
    ck_assert_fails(INFER(24, -2, -3, -1), "the_caller: axis 0 has size -2");
    ck_assert_fails(INFER(-3, -1), "the_caller: axis 0 has size -3");
    ck_assert_fails(INFER(PTRDIFF_MAX, -1), "the_caller: the sizes multiply to more elements");
    ck_assert_fails(INFER(24, -3, 8), "axis 0 has size -3");
    ck_assert_fails(INFER(24, big, big, -1), "more elements");
    ck_assert_fails(shape_infer(1, 9, (const ptrdiff_t[9]){0}, "the_caller"), "not 9");
}
END_TEST

/* --- text ------------------------------------------------------------------------------------- */

START_TEST(text_is_a_python_tuple)
{
    ck_assert_str_eq(SHAPE_TEXT(SHAPE_SCALAR), "()");
    ck_assert_str_eq(SHAPE_TEXT(SHAPE(3)), "(3,)");
    ck_assert_str_eq(SHAPE_TEXT(SHAPE(2, 3)), "(2, 3)");
    ck_assert_str_eq(SHAPE_TEXT(SHAPE(64, 3, 0, 32)), "(64, 3, 0, 32)");
}
END_TEST

START_TEST(two_texts_in_one_expression_differ)
{
    const char *a = SHAPE_TEXT(SHAPE(1, 2)), *b = SHAPE_TEXT(SHAPE(3, 4));
    ck_assert_str_eq(a, "(1, 2)");
    ck_assert_str_eq(b, "(3, 4)");
}
END_TEST

START_TEST(the_longest_text_fits)
{
    Shape s = {.ndim = MAX_DIMS};
    for (int i = 0; i < MAX_DIMS; i++)
        s.dim[i] = PTRDIFF_MAX;
    const char *text = SHAPE_TEXT(s);
    int digits = snprintf(NULL, 0, "%td", PTRDIFF_MAX);
    ck_assert_uint_eq(strlen(text), 8 * digits + 7 * 2 + 2);
    ck_assert_int_eq(text[strlen(text) - 1], ')');
    s.ndim = 100; /* an invalid shape, as a message about it prints it */
    ck_assert_str_eq(SHAPE_TEXT(s), text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shape");
    testing_add(suite, "building", 4, (const TTest *const[]){
        a_shape_knows_its_sizes, equal_means_same_axes_and_sizes,
        equal_ignores_what_lies_beyond_the_last_axis, impossible_shapes_are_refused, NULL});
    testing_add(suite, "broadcasting", 4, (const TTest *const[]){
        broadcasting_is_numpys, a_shape_stretches_only_outwards,
        a_broadcast_beyond_memory_is_refused, NULL});
    testing_add(suite, "axes", 4, (const TTest *const[]){
        negative_axes_count_from_the_end, axes_become_a_mask, reduced_axes_vanish_or_become_1,
        one_size_is_inferred, what_cannot_be_inferred_is_refused, NULL});
    testing_add(suite, "text", 4, (const TTest *const[]){
        text_is_a_python_tuple, two_texts_in_one_expression_differ, the_longest_text_fits, NULL});
    return testing_main(suite);
}
