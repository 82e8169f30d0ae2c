/* tests/tensor/kernels/check_activation.c -- the kernels of PReLU and softmax, against loops and
 * edge cases.
 *
 * Slopes are distinct and some negative: equal ones would not reveal a wrong channel. Values are
 * small integers and slopes multiples of 1/4, so that results are exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/activation.h"

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

/* --- PReLU: one element ----------------------------------------------------------------------- */

/* The expected y, gx and ga for one x, slope and gradient. */
typedef struct PreluCase {
    double x, a, g, y, gx, ga;
} PreluCase;

/* The table of the document, for a positive, a zero and a negative slope. */
static const PreluCase prelu_cases[] = {
    {2, .25, 3, 2, 3, 0},
    {-2, .25, 3, -.5, .75, -6},
    {2, -.5, 3, 2, 3, 0},
    {-2, -.5, 3, 1, -1.5, -6}, /* y > 0, but on the slope's side */
    {-2, 1.5, 3, -3, 4.5, -6},
    {+0., .25, 3, +0., .75, +0.},
    {+0., -.5, 3, -0., -1.5, +0.},
    {-0., .25, 3, -0., .75, -0.},
    {-0., +0., 3, -0., +0., -0.},
    {-0., -.5, 3, +0., -1.5, -0.},
    {+0., -0., 3, -0., -0., +0.},
    {NOT_A_NUMBER, .25, 3, NOT_A_NUMBER, .75, NOT_A_NUMBER},
    {NOT_A_NUMBER, -.5, 3, NOT_A_NUMBER, -1.5, NOT_A_NUMBER},
    {HUGE_VAL, .25, 3, HUGE_VAL, 3, 0},
    {HUGE_VAL, 0, 3, HUGE_VAL, 3, 0},
    {HUGE_VAL, -.5, 3, HUGE_VAL, 3, 0},
    {-HUGE_VAL, .25, 3, -HUGE_VAL, .75, -HUGE_VAL},
    {-HUGE_VAL, -.5, 3, HUGE_VAL, -1.5, -HUGE_VAL},
    {-HUGE_VAL, 0, 3, NOT_A_NUMBER, 0, -HUGE_VAL},
    {2, .25, HUGE_VAL, 2, HUGE_VAL, 0}, /* not 0 * Inf */
    {-2, 0, HUGE_VAL, -0., NOT_A_NUMBER, -HUGE_VAL},
    {2, HUGE_VAL, 3, 2, 3, 0},
    {2, NOT_A_NUMBER, 3, 2, 3, 0},
    {2, .25, NOT_A_NUMBER, 2, NOT_A_NUMBER, 0},
};

/* Equal values; NaN equals NaN, and zeros must have the same sign. */
static void same_number(double found, double expected, const char *what, size_t i)
{
    bool equal = found == expected && !signbit(found) == !signbit(expected);
    if (isnan(expected) ? !isnan(found) : !equal)
        ck_abort_msg("case %zu, x %g, slope %g: %s is %g, expected %g", i, prelu_cases[i].x,
                     prelu_cases[i].a, what, found, expected);
}

/* The case at every position of a run of n elements, among elements that add only +0 to ga: vector
 * lanes and the loop's end must agree. Because of these zeros, a ga of zero is +0. */
static void prelu_case_in_a_run(size_t which, ptrdiff_t n)
{
    const PreluCase *c = &prelu_cases[which];
    Tensor *a = tensor_full(SHAPE(1), (real)c->a);
    Tensor *y = tensor_new(SHAPE(n)), *gx = tensor_new(SHAPE(n)), *ga = tensor_new(SHAPE(1));
    for (ptrdiff_t at = 0; at < n; at++) {
        Tensor *x = tensor_full(SHAPE(n), 1), *g = tensor_full(SHAPE(n), 1);
        tensor_set(x, &at, (real)c->x), tensor_set(g, &at, (real)c->g);
        tensor_prelu(y, x, a);
        tensor_prelu_backward(gx, ga, x, a, g);
        for (ptrdiff_t i = 0; i < n; i++) {
            same_number((double)tensor_read(y)[i], i == at ? c->y : 1, "y", which);
            same_number((double)tensor_read(gx)[i], i == at ? c->gx : 1, "gx", which);
        }
        same_number((double)tensor_item(ga), c->ga + 0., "ga", which);
        tensor_free(x), tensor_free(g);
    }
    tensor_free(a), tensor_free(y), tensor_free(gx), tensor_free(ga);
}

START_TEST(prelu_edge_cases_everywhere_in_a_run)
{
    for (size_t i = 0; i < COUNT(prelu_cases); i++) {
        prelu_case_in_a_run(i, 1);
        prelu_case_in_a_run(i, 37);
    }
}
END_TEST

/* All cases side by side in x (1,C,L), one per channel with its own slope. */
START_TEST(prelu_edge_cases_side_by_side)
{
    enum { C = COUNT(prelu_cases) };
    for (ptrdiff_t L = 1; L < 40; L += 13) {
        Shape s = SHAPE(1, C, L);
        Tensor *x = tensor_new(s), *g = tensor_new(s), *a = tensor_new(SHAPE(C));
        for (ptrdiff_t i = 0; i < C * L; i++) { /* the other elements are 1: no part of ga */
            tensor_write(x)[i] = i % L ? 1 : (real)prelu_cases[i / L].x;
            tensor_write(g)[i] = i % L ? 1 : (real)prelu_cases[i / L].g;
            tensor_write(a)[i / L] = (real)prelu_cases[i / L].a;
        }
        Tensor *y = tensor_new(s), *gx = tensor_new(s), *ga = tensor_new(SHAPE(C));
        tensor_prelu(y, x, a);
        tensor_prelu_backward(gx, ga, x, a, g);
        for (size_t c = 0; c < C; c++) {
            same_number((double)tensor_read(y)[c * (size_t)L], prelu_cases[c].y, "y", c);
            same_number((double)tensor_read(gx)[c * (size_t)L], prelu_cases[c].gx, "gx", c);
            same_number((double)tensor_read(ga)[c], prelu_cases[c].ga + 0., "ga", c);
        }
        tensor_free(x), tensor_free(g), tensor_free(a);
        tensor_free(y), tensor_free(gx), tensor_free(ga);
    }
}
END_TEST

/* --- PReLU: whole tensors --------------------------------------------------------------------- */

/* Multiples of 1/4, -.75, -.5, -.25, 0, …, so that neighbours differ and some are negative. */
static Tensor *distinct_slopes(ptrdiff_t n)
{
    Tensor *a = tensor_new(SHAPE(n));
    for (ptrdiff_t c = 0; c < n; c++)
        tensor_write(a)[c] = (real)((double)(c % 61) / 4 - .75);
    return a;
}

/* The index of the slope for element i of a tensor of shape s. */
static ptrdiff_t naive_channel(Shape s, ptrdiff_t slopes, ptrdiff_t i)
{
    if (slopes == 1)
        return 0;
    for (int d = s.ndim - 1; d > 1; d--)
        i /= s.dim[d];
    return i % s.dim[1];
}

static void prelu_forward_is_right(const Tensor *x, const Tensor *a)
{
    Tensor *y = tensor_full(x->shape, not_a_number);
    tensor_prelu(y, x, a);
    for (ptrdiff_t i = 0; i < tensor_count(x); i++) {
        double v = (double)tensor_read(x)[i], found = (double)tensor_read(y)[i];
        double slope = (double)tensor_read(a)[naive_channel(x->shape, tensor_count(a), i)];
        if (found != (v > 0 ? v : slope * v))
            ck_abort_msg("%s, %td slopes: y[%td] is %g for x = %g, slope %g", SHAPE_TEXT(x->shape),
                         tensor_count(a), i, found, v, slope);
    }
    tensor_free(y);
}

/* gx and ga from one loop, in double, which is exact for these values. */
static void naive_backward(double *gx, double *ga, const Tensor *x, const Tensor *a,
                           const Tensor *g)
{
    for (ptrdiff_t c = 0; c < tensor_count(a); c++)
        ga[c] = 0;
    for (ptrdiff_t i = 0; i < tensor_count(x); i++) {
        double v = (double)tensor_read(x)[i], gy = (double)tensor_read(g)[i];
        ptrdiff_t c = naive_channel(x->shape, tensor_count(a), i);
        gx[i] = v > 0 ? gy : (double)tensor_read(a)[c] * gy;
        ga[c] += v > 0 ? 0 : v * gy;
    }
}

static void values_are(const Tensor *found, const double *expected, const char *what, Shape x)
{
    for (ptrdiff_t i = 0; found && i < tensor_count(found); i++)
        if ((double)tensor_read(found)[i] != expected[i])
            ck_abort_msg("%s: %s[%td] is %g, expected %g", SHAPE_TEXT(x), what, i,
                         (double)tensor_read(found)[i], expected[i]);
}

/* Both gradients, gx alone, ga alone. */
static void prelu_backward_is_right(const Tensor *x, const Tensor *a)
{
    Tensor *g = integers(x->shape, 5);
    double *gx = malloc(sizeof(double) * (size_t)(tensor_count(x) + 1));
    double *ga = malloc(sizeof(double) * (size_t)(tensor_count(a) + 1));
    naive_backward(gx, ga, x, a, g);
    for (int wanted = 1; wanted <= 3; wanted++) {
        Tensor *found_gx = wanted & 1 ? tensor_full(x->shape, not_a_number) : NULL;
        Tensor *found_ga = wanted & 2 ? tensor_full(a->shape, not_a_number) : NULL;
        tensor_prelu_backward(found_gx, found_ga, x, a, g);
        values_are(found_gx, gx, "gx", x->shape);
        values_are(found_ga, ga, "ga", x->shape);
        tensor_free(found_gx), tensor_free(found_ga);
    }
    tensor_free(g);
    free(gx), free(ga);
}

static void prelu_is_right(Shape s, ptrdiff_t slopes)
{
    Tensor *x = integers(s, 3), *a = distinct_slopes(slopes);
    prelu_forward_is_right(x, a);
    prelu_backward_is_right(x, a);
    tensor_free(x), tensor_free(a);
}

START_TEST(prelu_with_a_slope_per_channel)
{
    prelu_is_right(SHAPE(5, 7), 7);
    prelu_is_right(SHAPE(33, 3), 3);
    prelu_is_right(SHAPE(3, 5, 4), 5);
    prelu_is_right(SHAPE(3, 5, 1), 5);
    prelu_is_right(SHAPE(2, 5, 3, 7), 5);
    prelu_is_right(SHAPE(4, 3, 9, 17), 3);
    prelu_is_right(SHAPE(2, 3, 2, 5, 7), 3);
    prelu_is_right(SHAPE(2, 3, 1, 2, 1, 2, 3, 2), 3);
    prelu_is_right(SHAPE(2, 1, 4), 1);
}
END_TEST

START_TEST(prelu_with_a_shared_slope)
{
    prelu_is_right(SHAPE_SCALAR, 1);
    prelu_is_right(SHAPE(1), 1);
    prelu_is_right(SHAPE(50), 1);
    prelu_is_right(SHAPE(5, 7), 1);
    prelu_is_right(SHAPE(2, 5, 3, 7), 1);
}
END_TEST

/* More than a block of a plane (16384 elements) or of rows (32 to 256): several blocks, one sum. */
START_TEST(prelu_of_many_elements)
{
    prelu_is_right(SHAPE(40001), 1);
    prelu_is_right(SHAPE(2, 3, 130, 140), 3);
    prelu_is_right(SHAPE(2, 3, 130, 140), 1);
    prelu_is_right(SHAPE(1000, 67), 67);
    prelu_is_right(SHAPE(3, 20000), 20000);
    prelu_is_right(SHAPE(64, 32, 8, 8), 32);
    prelu_is_right(SHAPE(16385, 2, 1), 2);
    prelu_is_right(SHAPE(700, 5), 5);
}
END_TEST

START_TEST(prelu_of_no_elements)
{
    prelu_is_right(SHAPE(0), 1);
    prelu_is_right(SHAPE(0, 3), 3);
    prelu_is_right(SHAPE(0, 3, 4), 3);
    prelu_is_right(SHAPE(2, 3, 0), 3);
    prelu_is_right(SHAPE(2, 0), 0);
    prelu_is_right(SHAPE(2, 0, 4), 0);
}
END_TEST

START_TEST(prelu_of_a_wrong_number_of_slopes_is_refused)
{
    Tensor *x = integers(SHAPE(2, 3, 4), 1), *a = distinct_slopes(4), *line = integers(SHAPE(4), 1);
    Tensor *y = tensor_new(x->shape);
    ck_assert_fails(tensor_prelu(y, x, a),
                    "tensor_prelu: 4 slopes, but axis 1 of the input (2, 3, 4)");
    ck_assert_fails(tensor_prelu(line, line, a), "4 slopes need an input (N,C,...)");
    ck_assert_fails(tensor_prelu_backward(y, NULL, x, a, x), "tensor_prelu_backward: 4 slopes");
    tensor_free(x), tensor_free(a), tensor_free(line), tensor_free(y);
}
END_TEST

static void prelu_bits_stay(Shape s, ptrdiff_t slopes)
{
    Rng rng = rng_new(11, 0);
    Tensor *x = tensor_new(s), *g = tensor_new(s), *a = distinct_slopes(slopes);
    Tensor *y[2], *gx[2], *ga[2];
    tensor_fill_normal(x, &rng, 0, 1), tensor_fill_normal(g, &rng, 0, 1);
    for (int k = 0; k < 2; k++)
        y[k] = tensor_new(s), gx[k] = tensor_new(s), ga[k] = tensor_new(a->shape);
    for (int threads = 1; threads <= 5; threads++) {
        int k = threads > 1;
        parallel_set_threads(threads);
        tensor_prelu(y[k], x, a);
        tensor_prelu_backward(gx[k], ga[k], x, a, g);
        ck_assert(k == 0 || tensor_same_bits(y[0], y[1]));
        ck_assert(k == 0 || tensor_same_bits(gx[0], gx[1]));
        ck_assert(k == 0 || tensor_same_bits(ga[0], ga[1]));
        tensor_prelu_backward(NULL, ga[1], x, a, g); /* nor does omitting gx */
        ck_assert(k == 0 || tensor_same_bits(ga[0], ga[1]));
    }
    parallel_set_threads(0);
    for (int k = 0; k < 2; k++)
        tensor_free(y[k]), tensor_free(gx[k]), tensor_free(ga[k]);
    tensor_free(x), tensor_free(g), tensor_free(a);
}

START_TEST(threads_do_not_change_a_bit)
{
    prelu_bits_stay(SHAPE(16, 8, 33, 31), 8);
    prelu_bits_stay(SHAPE(3, 2, 150, 170), 2);
    prelu_bits_stay(SHAPE(1009, 130), 130);
    prelu_bits_stay(SHAPE(200003), 1);
}
END_TEST

START_TEST(the_second_time_nothing_is_allocated)
{
    Tensor *x = integers(SHAPE(8, 3, 40, 40), 1), *a = distinct_slopes(3),
           *ga = tensor_new(SHAPE(3));
    tensor_prelu_backward(x, ga, x, a, x);
    ck_assert_allocates_nothing(tensor_prelu_backward(x, ga, x, a, x));
    tensor_free(x), tensor_free(a), tensor_free(ga);
}
END_TEST

/* --- softmax ---------------------------------------------------------------------------------- */

START_TEST(an_axis_splits_a_shape_in_three)
{
    AxisView v = shape_axis_view(SHAPE(2, 3, 4, 5), 1);
    ck_assert(v.outer == 2 && v.n == 3 && v.inner == 20);
    v = shape_axis_view(SHAPE(2, 3, 4, 5), 0);
    ck_assert(v.outer == 1 && v.n == 2 && v.inner == 60);
    v = shape_axis_view(SHAPE(2, 3, 4, 5), 3);
    ck_assert(v.outer == 24 && v.n == 5 && v.inner == 1);
}
END_TEST

/* ln of the softmax of one element, in double: x - max - ln sum e^(x - max). */
static double naive_log_softmax(const Tensor *x, AxisView v, ptrdiff_t i)
{
    ptrdiff_t start = i / (v.n * v.inner) * v.n * v.inner + i % v.inner;
    double max = -HUGE_VAL, sum = 0;
    for (ptrdiff_t k = 0; k < v.n; k++)
        max = fmax(max, (double)tensor_read(x)[start + k * v.inner]);
    for (ptrdiff_t k = 0; k < v.n; k++)
        sum += exp((double)tensor_read(x)[start + k * v.inner] - max);
    return (double)tensor_read(x)[i] - max - log(sum);
}

static void softmax_is_right(const Tensor *x, int axis, double tolerance)
{
    AxisView v = shape_axis_view(x->shape, axis);
    Tensor *y = tensor_new(x->shape), *ln = tensor_new(x->shape);
    tensor_softmax(y, x, axis);
    tensor_log_softmax(ln, x, axis);
    for (ptrdiff_t i = 0; i < tensor_count(x); i++) {
        double expected = naive_log_softmax(x, v, i);
        if (!testing_close((double)tensor_read(ln)[i], expected,
                           tolerance * (1 + fabs(expected))) ||
            !testing_close((double)tensor_read(y)[i], exp(expected), tolerance))
            ck_abort_msg("%s along %d: element %td is %g, its logarithm %g, expected %g",
                         SHAPE_TEXT(x->shape), axis, i, (double)tensor_read(y)[i],
                         (double)tensor_read(ln)[i], expected);
    }
    tensor_free(y), tensor_free(ln);
}

START_TEST(softmax_along_each_axis)
{
    Rng rng = rng_new(12, 0);
    const Shape shapes[] = {SHAPE(7), SHAPE(1), SHAPE(5, 10), SHAPE(2, 3, 4, 5), SHAPE(300, 100)};
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (int axis = 0; axis < shapes[i].ndim; axis++) {
            Tensor *x = tensor_new(shapes[i]);
            tensor_fill_normal(x, &rng, 0, 3);
            softmax_is_right(x, axis, 20 * (double)REAL_EPSILON);
            tensor_free(x);
        }
}
END_TEST

START_TEST(softmax_of_large_values_does_not_overflow)
{
    const real large = (real)3e37, numbers[] = {10000, 10000, -10000, large, -large, 0,
                                                -large, -large, -large};
    Tensor *x = tensor_from(SHAPE(3, 3), numbers);
    Tensor *y = tensor_new(SHAPE(3, 3));
    tensor_softmax(y, x, 1);
    ck_assert_tensor(y, SHAPE(3, 3), (double)REAL_EPSILON, .5, .5, 0, 1, 0, 0, 1 / 3., 1 / 3.,
                     1 / 3.);
    softmax_is_right(x, 1, 4 * (double)REAL_EPSILON);
    softmax_is_right(x, 0, 4 * (double)REAL_EPSILON);
    tensor_free(x), tensor_free(y);
}
END_TEST

START_TEST(softmax_with_infinities_and_nan)
{
    const real numbers[] = {0, -infinite, not_a_number, 1, -infinite, -infinite};
    Tensor *x = tensor_from(SHAPE(3, 2), numbers);
    Tensor *y = tensor_new(SHAPE(3, 2));
    tensor_softmax(y, x, 1);
    ck_assert_tensor(y, SHAPE(3, 2), 0, 1, 0, NOT_A_NUMBER, NOT_A_NUMBER, NOT_A_NUMBER,
                     NOT_A_NUMBER);
    tensor_log_softmax(y, x, 1);
    ck_assert_tensor(y, SHAPE(3, 2), 0, 0, -HUGE_VAL, NOT_A_NUMBER, NOT_A_NUMBER, NOT_A_NUMBER,
                     NOT_A_NUMBER);
    tensor_free(x), tensor_free(y);
}
END_TEST

/* A probability that is too small for a real still has a logarithm. */
START_TEST(log_softmax_keeps_what_softmax_loses)
{
    Tensor *x = tensor_from(SHAPE(2), (const real[]){0, 2000}), *y = tensor_new(SHAPE(2));
    tensor_softmax(y, x, 0);
    ck_assert_tensor(y, SHAPE(2), 0, 0, 1);
    tensor_log_softmax(y, x, 0);
    ck_assert_tensor(y, SHAPE(2), 0, -2000, 0);
    tensor_free(x), tensor_free(y);
}
END_TEST

/* Rounding x - max to `real` causes an error of up to |x - max| / 2 epsilons in e^(x - max), so
 * each bound is that plus a few epsilons. The logarithm of the largest element may be as small as
 * the sum of all other exponentials, whose errors it inherits. */
static void softmax_row_is_accurate(const real *x, const real *y, const real *ln, ptrdiff_t n)
{
    ptrdiff_t top = 0;
    long double rest = 0, error = 0;
    for (ptrdiff_t i = 1; i < n; i++)
        top = x[i] > x[top] ? i : top;
    const long double max = (long double)x[top], ulp = (long double)REAL_EPSILON;
    const long double few = 4 + sqrtl((long double)n) / 2;
    for (ptrdiff_t i = 0; i < n; i++) {
        long double e = i == top ? 0 : expl((long double)x[i] - max);
        rest += e;
        error += e * (2 + (max - (long double)x[i]) / 2);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        long double exact = (long double)x[i] - max - log1pl(rest), p = expl(exact);
        if (fabsl((long double)ln[i] - exact) > (few + error / rest) * ulp * -exact ||
            fabsl((long double)y[i] - p) > (few + max - (long double)x[i]) * ulp * p + 1e-37L)
            ck_abort_msg("element %td of %td is %.9g, its logarithm %.9g, expected %.9g", i, n,
                         (double)y[i], (double)ln[i], (double)exact);
    }
}

START_TEST(softmax_is_accurate_in_every_element)
{
    Rng rng = rng_new(14, 0);
    const ptrdiff_t sizes[] = {2, 3, 10, 16, 17, 1000};
    const real stds[] = {(real)0.1, 1, 5, 20};
    for (size_t i = 0; i < COUNT(sizes) * COUNT(stds); i++) {
        ptrdiff_t n = sizes[i / COUNT(stds)];
        Tensor *x = tensor_new(SHAPE(200, n));
        Tensor *y = tensor_new(x->shape), *ln = tensor_new(x->shape);
        tensor_fill_normal(x, &rng, 3, stds[i % COUNT(stds)]);
        tensor_softmax(y, x, 1), tensor_log_softmax(ln, x, 1);
        for (ptrdiff_t row = 0; row < 200; row++)
            softmax_row_is_accurate(tensor_read(x) + row * n, tensor_read(y) + row * n,
                                    tensor_read(ln) + row * n, n);
        tensor_free(x), tensor_free(y), tensor_free(ln);
    }
}
END_TEST

/* One class of weight 1, a million of weight 0.1: a running sum would be off by a percent. */
START_TEST(softmax_of_a_million_classes_keeps_its_digits)
{
    const ptrdiff_t n = 1000000;
    Tensor *x = tensor_full(SHAPE(n), (real)log(0.1)), *y = tensor_new(x->shape);
    tensor_write(x)[0] = 0;
    double sum = 1 + (double)(n - 1) * exp((double)(real)log(0.1));
    tensor_softmax(y, x, 0);
    ck_assert_close((double)tensor_read(y)[0] * sum, 1, 16 * (double)REAL_EPSILON);
    tensor_log_softmax(y, x, 0);
    ck_assert_close(tensor_read(y)[0], -log(sum), 16 * (double)REAL_EPSILON);
    tensor_free(x), tensor_free(y);
}
END_TEST

START_TEST(softmax_of_no_elements)
{
    Tensor *none = tensor_new(SHAPE(3, 0)), *other = tensor_new(SHAPE(0, 3));
    tensor_softmax(none, none, 1), tensor_softmax(none, none, 0);
    tensor_log_softmax(other, other, 1), tensor_log_softmax(other, other, 0);
    tensor_free(none), tensor_free(other);
}
END_TEST

START_TEST(softmax_bits_do_not_depend_on_threads)
{
    Rng rng = rng_new(13, 0);
    Tensor *x = tensor_new(SHAPE(501, 10, 7));
    Tensor *one = tensor_new(x->shape), *more = tensor_new(x->shape);
    tensor_fill_normal(x, &rng, 0, 2);
    for (int axis = 0; axis < 3; axis++)
        for (int threads = 1; threads <= 5; threads++) {
            parallel_set_threads(threads);
            tensor_softmax(threads == 1 ? one : more, x, axis);
            ck_assert(threads == 1 || tensor_same_bits(one, more));
        }
    parallel_set_threads(0);
    tensor_free(x), tensor_free(one), tensor_free(more);
}
END_TEST

START_TEST(every_missing_operand_is_reported)
{
    Tensor *x = integers(SHAPE(2, 3), 1), *a = distinct_slopes(3);
    REFUSES_NULL(tensor_prelu, NULL, x, a);
    REFUSES_NULL(tensor_prelu, x, NULL, a);
    REFUSES_NULL(tensor_prelu, x, x, NULL);
    REFUSES_NULL(tensor_softmax, NULL, x, 0);
    REFUSES_NULL(tensor_softmax, x, NULL, 0);
    REFUSES_NULL(tensor_log_softmax, NULL, x, 0);
    REFUSES_NULL(tensor_log_softmax, x, NULL, 0);
    REFUSES_NULL(tensor_prelu_backward, NULL, NULL, NULL, a, x);
    REFUSES_NULL(tensor_prelu_backward, NULL, NULL, x, NULL, x);
    REFUSES_NULL(tensor_prelu_backward, NULL, NULL, x, a, NULL);
    tensor_free(x), tensor_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("activation");
    testing_add(suite, "prelu edges", 20, (const TTest *const[]){
        prelu_edge_cases_everywhere_in_a_run, prelu_edge_cases_side_by_side, NULL});
    testing_add(suite, "prelu", 30, (const TTest *const[]){
        prelu_with_a_slope_per_channel, prelu_with_a_shared_slope, prelu_of_many_elements,
        prelu_of_no_elements, prelu_of_a_wrong_number_of_slopes_is_refused,
        every_missing_operand_is_reported,
        threads_do_not_change_a_bit, the_second_time_nothing_is_allocated, NULL});
    testing_add(suite, "softmax", 60, (const TTest *const[]){
        an_axis_splits_a_shape_in_three, softmax_along_each_axis,
        softmax_of_large_values_does_not_overflow, softmax_with_infinities_and_nan,
        log_softmax_keeps_what_softmax_loses, softmax_is_accurate_in_every_element,
        softmax_of_a_million_classes_keeps_its_digits,
        softmax_of_no_elements,
        softmax_bits_do_not_depend_on_threads, NULL});
    return testing_main(suite);
}
