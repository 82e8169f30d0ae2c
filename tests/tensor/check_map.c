/* tests/tensor/check_map.c -- elementwise kernels: every path of the loops, every layout, in place.
 *
 * The functions treat their operands differently (a - 10 b + 100 c), so that exchanging two of them
 * changes the result, and their values are small integers, so that results are exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/map.h"

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

static inline real map_f1(real a) { return 2 * a + 1; }
static inline real map_f2(real a, real b) { return a - 10 * b; }
static inline real map_f3(real a, real b, real c) { return a - 10 * b + 100 * c; }
static inline real map_f1c(real a, real c) { return a - 1000 * c; }

MAP1(map_one, map_f1)
MAP2(map_two, map_f2)
MAP3(map_three, map_f3)
MAP1C(map_constant, map_f1c)

/* --- operands in many layouts ----------------------------------------------------------------- */

static Tensor *operand_numbers(Shape s, int salt)
{
    Tensor *x = tensor_new(s);
    real *p = tensor_write(x);
    for (ptrdiff_t i = 0; i < tensor_count(x); i++)
        p[i] = (real)((i * 31 + salt * 7) % 97 - 48);
    return x;
}

static Tensor *operand_transposed(Shape s, int salt)
{
    Shape swapped = s;
    int last = s.ndim - 1;
    swapped.dim[0] = s.dim[last], swapped.dim[last] = s.dim[0];
    Tensor *base = operand_numbers(swapped, salt), *x = tensor_transpose(base, 0, last);
    tensor_free(base);
    return x;
}

static Tensor *operand_sliced(Shape s, int axis, int salt)
{
    Shape large = s;
    large.dim[axis] = 2 * s.dim[axis] + 1;
    Tensor *base = operand_numbers(large, salt);
    Tensor *x = tensor_slice(base, axis, 1, large.dim[axis], 2);
    tensor_free(base);
    return x;
}

/* An operand that stretches to s: the masked axes have size 1. */
static Tensor *operand_stretched(Shape s, unsigned mask, int salt)
{
    return operand_numbers(shape_reduce(s, mask, true), salt);
}

static Tensor *operand_expanded(Shape s, unsigned mask, int salt)
{
    Tensor *base = operand_stretched(s, mask, salt), *x = tensor_expand(base, s);
    tensor_free(base);
    return x;
}

enum { OPERANDS = 11, RESULTS = 4 }; /* the first RESULTS kinds may also be results */

static Tensor *operand_make(int kind, Shape s, int salt)
{
    const unsigned last = 1u << (s.ndim - 1), all = (1u << s.ndim) - 1;
    switch (kind) {
    case 0: return operand_numbers(s, salt);
    case 1: return operand_transposed(s, salt);
    case 2: return operand_sliced(s, 0, salt);
    case 3: return operand_sliced(s, s.ndim - 1, salt);
    case 4: return operand_stretched(s, 1, salt);
    case 5: return operand_stretched(s, last, salt);
    case 6: return operand_stretched(s, all, salt);
    case 7: return operand_numbers(shape_reduce(s, 1, false), salt); /* the first axis missing */
    case 8: return operand_numbers(SHAPE_SCALAR, salt);
    case 9: return operand_expanded(s, last, salt);
    default: return operand_expanded(s, all & ~last, salt);
    }
}

/* The element of x that belongs to element i (row-major) of shape s, to which x stretches. */
static double operand_at(const Tensor *x, Shape s, ptrdiff_t i)
{
    ptrdiff_t index[MAX_DIMS];
    for (int d = s.ndim - 1, k = x->shape.ndim - 1; k >= 0; d--, k--) {
        index[k] = x->shape.dim[k] == 1 ? 0 : i % s.dim[d];
        i /= s.dim[d];
    }
    return (double)tensor_get(x, index);
}

/* --- against a loop --------------------------------------------------------------------------- */

static void element_is(const Tensor *out, ptrdiff_t i, double expected, const char *what)
{
    double found = operand_at(out, out->shape, i);
    if (found != expected)
        ck_abort_msg("%s, shape %s: element %td is %g, expected %g", what, SHAPE_TEXT(out->shape),
                     i, found, expected);
}

static void maps_one(Tensor *out, const Tensor *a)
{
    map_one(out, a);
    for (ptrdiff_t i = 0; i < tensor_count(out); i++)
        element_is(out, i, 2 * operand_at(a, out->shape, i) + 1, "MAP1");
    map_constant(out, a, 3);
    for (ptrdiff_t i = 0; i < tensor_count(out); i++)
        element_is(out, i, operand_at(a, out->shape, i) - 3000, "MAP1C");
}

static void maps_two(Tensor *out, const Tensor *a, const Tensor *b)
{
    Shape s = out->shape;
    map_two(out, a, b);
    for (ptrdiff_t i = 0; i < tensor_count(out); i++)
        element_is(out, i, operand_at(a, s, i) - 10 * operand_at(b, s, i), "MAP2");
}

static void maps_three(Tensor *out, const Tensor *a, const Tensor *b, const Tensor *c)
{
    Shape s = out->shape;
    map_three(out, a, b, c);
    for (ptrdiff_t i = 0; i < tensor_count(out); i++)
        element_is(out, i,
                   operand_at(a, s, i) - 10 * operand_at(b, s, i) + 100 * operand_at(c, s, i),
                   "MAP3");
}

static const Shape *map_shapes(size_t *n)
{
    static Shape shapes[6];
    shapes[0] = SHAPE(3, 4, 5);
    shapes[1] = SHAPE(5, 1, 3);
    shapes[2] = SHAPE(7);
    shapes[3] = SHAPE(1);
    shapes[4] = SHAPE(1, 1, 9);
    shapes[5] = SHAPE(2, 1, 3, 1, 2, 2, 1, 2);
    *n = 6;
    return shapes;
}

START_TEST(one_operand_in_every_layout)
{
    size_t n;
    const Shape *s = map_shapes(&n);
    for (size_t k = 0; k < n; k++)
        for (int r = 0; r < RESULTS; r++)
            for (int i = 0; i < OPERANDS; i++) {
                Tensor *out = operand_make(r, s[k], 0), *a = operand_make(i, s[k], 1);
                maps_one(out, a);
                tensor_free(out), tensor_free(a);
            }
}
END_TEST

START_TEST(two_operands_in_every_layout)
{
    size_t n;
    const Shape *s = map_shapes(&n);
    for (size_t k = 0; k < n; k++)
        for (int r = 0; r < RESULTS; r++)
            for (int i = 0; i < OPERANDS * OPERANDS; i++) {
                Tensor *out = operand_make(r, s[k], 0);
                Tensor *a = operand_make(i / OPERANDS, s[k], 1);
                Tensor *b = operand_make(i % OPERANDS, s[k], 2);
                maps_two(out, a, b);
                tensor_free(out), tensor_free(a), tensor_free(b);
            }
}
END_TEST

START_TEST(three_operands_in_every_layout)
{
    for (int r = 0; r < RESULTS; r++)
        for (int i = 0; i < OPERANDS * OPERANDS * OPERANDS; i++) {
            Shape s = SHAPE(3, 2, 4);
            Tensor *out = operand_make(r, s, 0), *a = operand_make(i % OPERANDS, s, 1);
            Tensor *b = operand_make(i / OPERANDS % OPERANDS, s, 2);
            Tensor *c = operand_make(i / OPERANDS / OPERANDS, s, 3);
            maps_three(out, a, b, c);
            tensor_free(out), tensor_free(a), tensor_free(b), tensor_free(c);
        }
}
END_TEST

/* Long enough to be divided into blocks, in one row and in many, on several threads. */
START_TEST(large_operands_are_covered_once)
{
    const Shape shapes[] = {SHAPE(50001), SHAPE(3, 20011), SHAPE(20011, 3), SHAPE(130, 140)};
    parallel_set_threads(3);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int i = 0; i < OPERANDS; i++) {
            Tensor *out = operand_make(i % RESULTS, shapes[k], 0);
            Tensor *a = operand_make(i, shapes[k], 1);
            Tensor *b = operand_make((i + 3) % OPERANDS, shapes[k], 2);
            maps_one(out, a);
            maps_two(out, a, b);
            maps_two(out, b, a);
            tensor_free(out), tensor_free(a), tensor_free(b);
        }
    parallel_set_threads(0);
}
END_TEST

/* --- in place, strided, empty ----------------------------------------------------------------- */

/* A result written over operand number `which` must equal one in a new tensor. */
static void maps_in_place(int which, int kind, Shape s)
{
    Tensor *a = operand_make(which == 0 ? kind : 5, s, 1);
    Tensor *b = operand_make(which == 1 ? kind : 7, s, 2);
    Tensor *fresh = tensor_new(s), *out = which == 0 ? a : b;
    map_two(fresh, a, b);
    map_two(out, a, b);
    ck_assert(tensor_same_bits(out, fresh));
    tensor_free(a), tensor_free(b), tensor_free(fresh);
}

START_TEST(the_result_may_be_an_operand)
{
    for (int kind = 0; kind < RESULTS; kind++) {
        maps_in_place(0, kind, SHAPE(3, 4, 5));
        maps_in_place(1, kind, SHAPE(3, 4, 5));
        maps_in_place(0, kind, SHAPE(300, 211));
        maps_in_place(1, kind, SHAPE(300, 211));
    }
}
END_TEST

START_TEST(the_result_may_be_both_operands)
{
    Tensor *x = tensor_arange(1000);
    map_two(x, x, x);
    for (ptrdiff_t i = 0; i < 1000; i++)
        ck_assert_close(tensor_read(x)[i], -9 * i, 0);
    tensor_free(x);
}
END_TEST

START_TEST(a_strided_result_leaves_its_neighbours_alone)
{
    Tensor *base = tensor_full(SHAPE(6, 7), 99), *rows = tensor_slice(base, 0, 1, 6, 2);
    Tensor *out = tensor_slice(rows, 1, 2, 7, 3), *one = tensor_scalar(1);
    map_one(out, one);
    for (ptrdiff_t i = 0; i < 42; i++) {
        bool hit = i / 7 % 2 == 1 && i % 7 % 3 == 2;
        ck_assert_close(tensor_read(base)[i], hit ? 3 : 99, 0);
    }
    tensor_free(base), tensor_free(rows), tensor_free(out), tensor_free(one);
}
END_TEST

START_TEST(no_elements_no_work)
{
    Tensor *none = tensor_new(SHAPE(3, 0, 2)), *b = tensor_zeros(SHAPE(3, 1, 1));
    map_two(none, none, b);
    map_one(none, b);
    tensor_fill(none, 1);
    tensor_free(none), tensor_free(b);
}
END_TEST

START_TEST(an_operand_that_does_not_stretch_is_refused)
{
    Tensor *x = tensor_zeros(SHAPE(2, 3)), *y = tensor_zeros(SHAPE(2));
    Tensor *z = tensor_zeros(SHAPE(1, 2, 3));
    ck_assert_fails(map_two(x, x, y), "operand 2 has shape (2,), which does not stretch to the "
                    "result's (2, 3)");
    ck_assert_fails(map_two(x, y, x), "operand 1");
    ck_assert_fails(map_three(x, x, x, z), "operand 3 has shape (1, 2, 3)");
    tensor_free(x), tensor_free(y), tensor_free(z);
}
END_TEST

/* Several elements of such a result share one place, for which blocks would race. */
START_TEST(an_expanded_result_is_refused)
{
    Tensor *x = tensor_zeros(SHAPE(2, 3)), *row = tensor_zeros(SHAPE(1, 3));
    Tensor *out = tensor_expand(row, SHAPE(2, 3)), *same = tensor_expand(row, SHAPE(1, 3));
    ck_assert_fails(map_one(out, x), "the result of shape (2, 3) is expanded along axis 0: 2 ele");
    ck_assert_fails(tensor_fill(out, 1), "is expanded along axis 0");
    tensor_fill(same, 7);
    ck_assert_tensor(row, SHAPE(1, 3), 0, 7, 7, 7);
    tensor_free(x), tensor_free(row), tensor_free(out), tensor_free(same);
}
END_TEST

START_TEST(a_map_bumps_the_version_of_its_result_only)
{
    Tensor *x = tensor_zeros(SHAPE(2)), *y = tensor_zeros(SHAPE(2));
    unsigned of_x = atomic_load(&x->storage->version), of_y = atomic_load(&y->storage->version);
    map_one(y, x);
    ck_assert_uint_eq(atomic_load(&x->storage->version), of_x);
    ck_assert_uint_gt(atomic_load(&y->storage->version), of_y);
    tensor_free(x), tensor_free(y);
}
END_TEST

/* --- the kernels on plain tensors ------------------------------------------------------------- */

START_TEST(arithmetic_says_what_it_does)
{
    Tensor *a = tensor_from(SHAPE(2, 2), (const real[]){1, -2, 3, 4});
    Tensor *b = tensor_from(SHAPE(2), (const real[]){1, 3}), *out = tensor_new(SHAPE(2, 2));
    tensor_add(out, a, b);
    ck_assert_tensor(out, SHAPE(2, 2), 0, 2, 1, 4, 7);
    tensor_scale(out, a, -2);
    ck_assert_tensor(out, SHAPE(2, 2), 0, -2, 4, -6, -8);
    tensor_greater(out, a, b);
    ck_assert_tensor(out, SHAPE(2, 2), 0, 0, 0, 1, 1);
    tensor_equal_to(out, a, b);
    ck_assert_tensor(out, SHAPE(2, 2), 0, 1, 0, 0, 0);
    tensor_sign(out, a);
    ck_assert_tensor(out, SHAPE(2, 2), 0, 1, -1, 1, 1);
    tensor_copy(out, b);
    ck_assert_tensor(out, SHAPE(2, 2), 0, 1, 3, 1, 3);
    tensor_fill(out, 5);
    ck_assert_tensor(out, SHAPE(2, 2), 0, 5, 5, 5, 5);
    tensor_free(a), tensor_free(b), tensor_free(out);
}
END_TEST

START_TEST(nan_compares_false_and_is_its_own_sign)
{
    Tensor *x = tensor_from(SHAPE(3), (const real[]){not_a_number, (real)-0.0, (real)-INFINITY});
    Tensor *out = tensor_new(SHAPE(3));
    tensor_greater(out, x, x);
    ck_assert_tensor(out, SHAPE(3), 0, 0, 0, 0);
    tensor_equal_to(out, x, x);
    ck_assert_tensor(out, SHAPE(3), 0, 0, 1, 1);
    tensor_sign(out, x);
    ck_assert_tensor(out, SHAPE(3), 0, (double)NAN, 0, -1);
    tensor_free(x), tensor_free(out);
}
END_TEST

/* A product and a sum could be fused in the vector loop but not for the remaining elements. */
START_TEST(threads_do_not_change_a_bit)
{
    Tensor *x = operand_numbers(SHAPE(300, 333), 1), *y = operand_numbers(SHAPE(333), 2);
    tensor_scale(x, x, (real)0.123), tensor_scale(y, y, (real)0.77);
    Tensor *one = tensor_new(x->shape), *more = tensor_new(x->shape);
    parallel_set_threads(1);
    map_two(one, x, y);
    for (int threads = 2; threads <= 5; threads++) {
        parallel_set_threads(threads);
        tensor_fill(more, not_a_number);
        map_two(more, x, y);
        ck_assert(tensor_same_bits(one, more));
    }
    parallel_set_threads(0);
    tensor_free(x), tensor_free(y), tensor_free(one), tensor_free(more);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    testing_add(suite, "against a loop", 60, (const TTest *const[]){
        one_operand_in_every_layout, two_operands_in_every_layout, three_operands_in_every_layout,
        large_operands_are_covered_once, NULL});
    testing_add(suite, "results", 20, (const TTest *const[]){
        the_result_may_be_an_operand, the_result_may_be_both_operands,
        a_strided_result_leaves_its_neighbours_alone, no_elements_no_work,
        an_operand_that_does_not_stretch_is_refused, an_expanded_result_is_refused,
        a_map_bumps_the_version_of_its_result_only,
        threads_do_not_change_a_bit, NULL});
    testing_add(suite, "arithmetic", 4, (const TTest *const[]){
        arithmetic_says_what_it_does, nan_compares_false_and_is_its_own_sign, NULL});
    return testing_main(suite);
}
