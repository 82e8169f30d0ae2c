/* tests/tensor/kernels/check_norm.c -- the batch normalisation kernels against sums in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/norm.h"

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

/* --- one normalisation: operands, and results that start as NaN so that gaps show ------------- */

typedef struct Case {
    AxisView view;
    double   eps;
    Tensor  *x, *w, *b, *gy, *y, *mean, *lost, *var, *gx, *gw, *gb;
} Case;

static Tensor *normal(Shape s, uint64_t salt, double mean, double std)
{
    Rng rng = rng_new(salt, 0);
    Tensor *x = tensor_new(s);
    tensor_fill_normal(x, &rng, (real)mean, (real)std);
    return x;
}

static Case case_new(Shape s, double mean, double std)
{
    Shape C = SHAPE(s.dim[1]);
    return (Case){.view = shape_axis_view(s, 1), .eps = 1e-3, .x = normal(s, 1, mean, std),
                  .w = normal(C, 2, 0, 1), .b = normal(C, 3, 0, 1), .gy = normal(s, 4, 0.5, 1),
                  .y = tensor_full(s, not_a_number), .mean = tensor_full(C, not_a_number),
                  .lost = tensor_full(C, not_a_number), .var = tensor_full(C, not_a_number),
                  .gx = tensor_full(s, not_a_number), .gw = tensor_full(C, not_a_number),
                  .gb = tensor_full(C, not_a_number)};
}

static void case_run(Case *k, const Tensor *w, const Tensor *b)
{
    real eps = (real)k->eps;
    tensor_batch_norm(k->y, k->mean, k->lost, k->var, k->x, w, b, eps);
    tensor_batch_norm_backward(k->gx, k->gw, k->gb, k->gy, k->x, w, k->mean, k->lost, k->var,
                               eps);
}

static void case_free(Case *k)
{
    Tensor *all[] = {k->x,    k->w,   k->b,  k->gy, k->y, k->mean,
                     k->lost, k->var, k->gx, k->gw, k->gb};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
}

/* --- the loops -------------------------------------------------------------------------------- */

static double at(const Tensor *x, ptrdiff_t i)
{
    return (double)tensor_read(x)[i];
}

/* The index of element i of channel c. */
static ptrdiff_t place(AxisView v, ptrdiff_t c, ptrdiff_t i)
{
    return (i / v.inner * v.n + c) * v.inner + i % v.inner;
}

typedef struct Naive {
    ptrdiff_t count;
    double    mean, var, rstd, gb, gw; /* of one channel */
} Naive;

static Naive naive_channel(const Case *k, ptrdiff_t c)
{
    Naive n = {.count = k->view.outer * k->view.inner};
    for (ptrdiff_t i = 0; i < n.count; i++)
        n.mean += at(k->x, place(k->view, c, i)) / (double)n.count;
    for (ptrdiff_t i = 0; i < n.count; i++)
        n.var += pow(at(k->x, place(k->view, c, i)) - n.mean, 2) / (double)n.count;
    n.rstd = 1 / sqrt(n.var + (double)(real)k->eps);
    for (ptrdiff_t i = 0; i < n.count; i++) {
        ptrdiff_t p = place(k->view, c, i);
        n.gb += at(k->gy, p);
        n.gw += at(k->gy, p) * (at(k->x, p) - n.mean) * n.rstd;
    }
    return n;
}

static void is_close(const char *what, Shape s, double found, double expected, double tolerance)
{
    if (!testing_close(found, expected, tolerance * (1 + fabs(expected))))
        ck_abort_msg("%s of %s is %.9g, expected %.9g", what, SHAPE_TEXT(s), found, expected);
}

static void channel_is_right(const Case *k, ptrdiff_t c, double w, double b, double tolerance)
{
    Naive n = naive_channel(k, c);
    Shape s = k->x->shape;
    double count = (double)n.count;
    is_close("mean", s, at(k->mean, c), n.mean, tolerance);
    is_close("var", s, at(k->var, c), n.var, tolerance);
    is_close("gb", s, at(k->gb, c), n.gb, tolerance * sqrt(count));
    is_close("gw", s, at(k->gw, c), n.gw, tolerance * sqrt(count));
    for (ptrdiff_t i = 0; i < n.count; i++) {
        ptrdiff_t p = place(k->view, c, i);
        double xhat = (at(k->x, p) - n.mean) * n.rstd;
        double gx = w * n.rstd * (at(k->gy, p) - n.gb / count - xhat * n.gw / count);
        is_close("y", s, at(k->y, p), xhat * w + b, tolerance);
        is_close("gx", s, at(k->gx, p), gx, tolerance * (1 + fabs(w) * n.rstd));
    }
}

static void normalises(Shape s, double mean, double std, double tolerance)
{
    for (int parts = 0; parts < 4; parts++) {
        Case k = case_new(s, mean, std);
        const Tensor *w = parts & 1 ? k.w : NULL, *b = parts & 2 ? k.b : NULL;
        case_run(&k, w, b);
        for (ptrdiff_t c = 0; c < k.view.n; c++)
            channel_is_right(&k, c, w ? at(w, c) : 1, b ? at(b, c) : 0, tolerance);
        case_free(&k);
    }
}

/* --- against the loops ------------------------------------------------------------------------ */

START_TEST(every_shape)
{
    const double tolerance = 64 * (double)REAL_EPSILON;
    const ptrdiff_t Ns[] = {1, 2, 15, 16, 17, 33}, Cs[] = {1, 2, 5};
    const ptrdiff_t inners[] = {2, 3, 15, 16, 17, 49};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 3; j++) {
            normalises(SHAPE(Ns[i] + 1, Cs[j]), 0.5, 2, tolerance);
            for (int k = 0; k < 6; k++)
                normalises(SHAPE(Ns[i], Cs[j], inners[k]), 0.5, 2, tolerance);
        }
    normalises(SHAPE(3, 4, 5, 7), -1, 0.5, tolerance);
    normalises(SHAPE(300, 3, 28, 28), 0.1, 0.3, 2 * tolerance);
}
END_TEST

/* The kernel divides its work by the shape: if there are at least 8 strips, of 32 channels of a row
 * or of a single channel of planes, each is done by one thread; else the work is divided
 * into blocks of about 16384 elements. */
START_TEST(every_way_to_cut_the_work)
{
    const double tolerance = 128 * (double)REAL_EPSILON;
    const Shape shapes[] = {SHAPE(40, 300), SHAPE(70, 256), SHAPE(600, 225), SHAPE(3000, 20),
                            SHAPE(20, 9, 5, 7), SHAPE(40, 8, 30, 31), SHAPE(130, 7, 16, 17)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        normalises(shapes[i], 0.5, 2, tolerance);
}
END_TEST

START_TEST(gx_may_take_gy_s_place)
{
    const Shape shapes[] = {SHAPE(40, 300), SHAPE(3000, 20), SHAPE(40, 8, 30, 31),
                            SHAPE(130, 7, 16, 17)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        Case k = case_new(shapes[i], 0.5, 2);
        case_run(&k, k.w, k.b);
        tensor_batch_norm_backward(k.gy, k.gw, k.gb, k.gy, k.x, k.w, k.mean, k.lost, k.var,
                                   (real)k.eps);
        ck_assert(tensor_same_bits(k.gy, k.gx));
        case_free(&k);
    }
}
END_TEST

/* A shift by a guess at the mean keeps the variance of large values from cancelling. */
START_TEST(a_large_mean_leaves_the_variance)
{
    Case k = case_new(SHAPE(200, 3, 5), 4000, 1);
    case_run(&k, k.w, k.b);
    for (ptrdiff_t c = 0; c < 3; c++) {
        Naive n = naive_channel(&k, c);
        ck_assert_close(at(k.mean, c) / n.mean, 1, 4 * (double)REAL_EPSILON);
        ck_assert_close(at(k.var, c) / n.var, 1, 64 * (double)REAL_EPSILON);
    }
    case_free(&k);
}
END_TEST

/* --- accuracy: within a few ulps of the two-pass formula, whatever the data ------------------- */

/* In what way the data of a channel are unusual. */
typedef enum Oddity { TYPICAL, BLACK_CORNER, OUTLIER, CONSTANT, ODDITIES } Oddity;

static Case case_odd(Shape s, double offset, Oddity oddity)
{
    Case k = case_new(s, offset, oddity == CONSTANT ? 0 : 1);
    ptrdiff_t count = k.view.outer * k.view.inner;
    real *x = tensor_write(k.x);
    for (ptrdiff_t c = 0; c < k.view.n; c++) {
        for (ptrdiff_t i = 0; i < 16 && i < count && oddity == BLACK_CORNER; i++)
            x[place(k.view, c, i)] = 0;
        if (oddity == OUTLIER)
            x[place(k.view, c, count / 2)] = (real)1e6;
    }
    return k;
}

/* The exact results for one channel, and the size of each: its largest term, or the sum of the
 * absolute values of its terms. Rounding the terms alone causes errors of a few epsilons of that
 * size. */
typedef struct Exact {
    long double first; /* the channel's first element; the mean is relative to it */
    long double mean, var, rstd, gb, gw;
    long double y_size, gb_size, gw_size, gx_size;
} Exact;

static long double exact_at(const Tensor *x, ptrdiff_t i)
{
    return (long double)tensor_read(x)[i];
}

static long double exact_xhat(const Case *k, const Exact *e, ptrdiff_t place)
{
    return (exact_at(k->x, place) - e->first - e->mean) * e->rstd;
}

static Exact exact_channel(const Case *k, ptrdiff_t c)
{
    ptrdiff_t n = k->view.outer * k->view.inner;
    Exact e = {.first = exact_at(k->x, place(k->view, c, 0)), .rstd = 1};
    for (ptrdiff_t i = 0; i < n; i++)
        e.mean += (exact_at(k->x, place(k->view, c, i)) - e.first) / n;
    for (ptrdiff_t i = 0; i < n; i++)
        e.var += powl(exact_xhat(k, &e, place(k->view, c, i)), 2) / n;
    e.rstd = 1 / sqrtl(e.var + (long double)(real)k->eps);
    long double w = exact_at(k->w, c), b = exact_at(k->b, c);
    for (ptrdiff_t i = 0; i < n; i++) {
        long double g = exact_at(k->gy, place(k->view, c, i));
        long double xhat = exact_xhat(k, &e, place(k->view, c, i));
        e.gb += g, e.gw += g * xhat;
        e.gb_size += fabsl(g), e.gw_size += fabsl(g * xhat);
        e.y_size = fmaxl(e.y_size, fabsl(xhat * w) + fabsl(b));
        e.gx_size = fmaxl(e.gx_size, fabsl(w * e.rstd * g));
    }
    return e;
}

/* The sums are doubles; if `real` is double, too, their own rounding errors count. */
static void is_within(const Case *k, const char *what, const Tensor *found, ptrdiff_t i,
                      long double exact, long double size)
{
    double error = (double)(fabsl(exact_at(found, i) - exact) / (size + 1e-300L));
    double ulps = error / (double)REAL_EPSILON, count = (double)(k->view.outer * k->view.inner);
    if (!(ulps <= (sizeof(real) < sizeof(double) ? 4 : 16 + sqrt(count))))
        ck_abort_msg("%s of %s, mean %g: %.9g is %.3g ulps off", what, SHAPE_TEXT(k->x->shape),
                     at(k->mean, 0), at(found, i), ulps);
}

static void channel_is_accurate(const Case *k, ptrdiff_t c)
{
    Exact e = exact_channel(k, c);
    ptrdiff_t n = k->view.outer * k->view.inner;
    long double w = exact_at(k->w, c), mean = e.first + e.mean;
    is_within(k, "mean", k->mean, c, mean, fabsl(mean) + sqrtl(e.var));
    is_within(k, "var", k->var, c, e.var, e.var);
    is_within(k, "gb", k->gb, c, e.gb, e.gb_size);
    is_within(k, "gw", k->gw, c, e.gw, e.gw_size);
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t p = place(k->view, c, i);
        long double xhat = exact_xhat(k, &e, p);
        long double gx = w * e.rstd * (exact_at(k->gy, p) - e.gb / n - xhat * e.gw / n);
        is_within(k, "y", k->y, p, xhat * w + exact_at(k->b, c), e.y_size);
        is_within(k, "gx", k->gx, p, gx, e.gx_size);
    }
}

START_TEST(one_pass_is_as_accurate_as_two)
{
    const double offsets[] = {0, 1e2, 1e4, 1e6};
    const Shape shapes[] = {SHAPE(2, 3), SHAPE(17, 40), SHAPE(3000, 20), SHAPE(900, 70),
                            SHAPE(9000, 7), SHAPE(1, 2, 2), SHAPE(3, 9, 5, 5), SHAPE(40, 8, 16, 16),
                            SHAPE(5, 9, 28, 28), SHAPE(3, 1, 90, 91)};
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (size_t j = 0; j < COUNT(offsets) * ODDITIES; j++) {
            Case k = case_odd(shapes[i], offsets[j / ODDITIES], j % ODDITIES);
            case_run(&k, k.w, k.b);
            for (ptrdiff_t c = 0; c < k.view.n; c++)
                channel_is_accurate(&k, c);
            case_free(&k);
        }
}
END_TEST

START_TEST(a_million_elements_are_as_accurate)
{
    const Shape shapes[] = {SHAPE(1000000, 1), SHAPE(62500, 16), SHAPE(80, 1, 112, 112)};
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (Oddity oddity = 0; oddity < ODDITIES; oddity++) {
            Case k = case_odd(shapes[i], 1e4, oddity);
            case_run(&k, k.w, k.b);
            channel_is_accurate(&k, 0);
            case_free(&k);
        }
}
END_TEST

START_TEST(one_number_or_equal_ones_have_no_variance)
{
    const Shape shapes[] = {SHAPE(1, 3), SHAPE(40, 3), SHAPE(1, 3, 20), SHAPE(7, 3, 2, 2)};
    for (int i = 0; i < 4; i++) {
        Case k = case_new(shapes[i], 0, 1);
        tensor_fill(k.x, (real)0.7);
        case_run(&k, k.w, k.b);
        for (ptrdiff_t p = 0; p < tensor_count(k.x); p++)
            ck_assert_close(at(k.y, p), at(k.b, p / k.view.inner % 3), 0);
        for (ptrdiff_t c = 0; c < 3; c++) {
            ck_assert_close(at(k.mean, c), (real)0.7, 0);
            ck_assert_close(at(k.var, c), 0, 0);
            ck_assert_close(at(k.gw, c), 0, 0);
        }
        case_free(&k);
    }
}
END_TEST

START_TEST(no_channels_no_work)
{
    const Shape shapes[] = {SHAPE(3, 0, 4), SHAPE(3, 0)};
    for (int i = 0; i < 2; i++) {
        Case k = case_new(shapes[i], 0, 1);
        case_run(&k, k.w, k.b);
        case_free(&k);
    }
}
END_TEST

START_TEST(gradients_that_are_not_wanted)
{
    Case k = case_new(SHAPE(5, 3, 4), 0, 1);
    case_run(&k, k.w, k.b);
    Tensor *gx = tensor_clone(k.gx), *gw = tensor_clone(k.gw), *gb = tensor_clone(k.gb);
    for (int wanted = 0; wanted < 8; wanted++) {
        tensor_fill(k.gx, 9), tensor_fill(k.gw, 9), tensor_fill(k.gb, 9);
        tensor_batch_norm_backward(wanted & 1 ? k.gx : NULL, wanted & 2 ? k.gw : NULL,
                                   wanted & 4 ? k.gb : NULL, k.gy, k.x, k.w, k.mean, k.lost, k.var,
                                   (real)k.eps);
        ck_assert(!(wanted & 1) || tensor_same_bits(k.gx, gx));
        ck_assert(!(wanted & 2) || tensor_same_bits(k.gw, gw));
        ck_assert(!(wanted & 4) || tensor_same_bits(k.gb, gb));
    }
    tensor_free(gx), tensor_free(gw), tensor_free(gb);
    case_free(&k);
}
END_TEST

/* --- NaN, Inf, bits --------------------------------------------------------------------------- */

static bool channel_is_finite(const Case *k, const Tensor *x, ptrdiff_t c)
{
    bool finite = true;
    for (ptrdiff_t i = 0; i < k->view.outer * k->view.inner; i++)
        finite = finite && isfinite(at(x, place(k->view, c, i)));
    return finite;
}

START_TEST(nan_and_inf_stay_in_their_channel)
{
    const real odd[] = {not_a_number, (real)INFINITY, -(real)INFINITY};
    for (ptrdiff_t i = 0; i < 3 * 60; i++) {
        Case k = case_new(SHAPE(5, 3, 4), 0, 1);
        tensor_write(k.x)[i / 3] = odd[i % 3];
        case_run(&k, k.w, k.b);
        for (ptrdiff_t c = 0; c < 3; c++) {
            bool hit = i / 3 / 4 % 3 == c;
            ck_assert_int_eq(channel_is_finite(&k, k.y, c), !hit);
            ck_assert_int_eq(channel_is_finite(&k, k.gx, c), !hit);
            ck_assert_int_eq(!!isfinite(at(k.var, c)), !hit);
            ck_assert_int_eq(!!isfinite(at(k.gw, c)), !hit);
            ck_assert(isfinite(at(k.gb, c)));
        }
        case_free(&k);
    }
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    const Shape shapes[] = {SHAPE(997, 13), SHAPE(37, 5, 23, 11), SHAPE(2, 1, 40000),
                            SHAPE(997, 260), SHAPE(37, 9, 23, 11), SHAPE(300, 9, 31, 30)};
    const int threads[] = {2, 3, 5};
    for (int i = 0; i < 18; i++) {
        Case one = case_new(shapes[i / 3], 1, 2), more = case_new(shapes[i / 3], 1, 2);
        parallel_set_threads(1);
        case_run(&one, one.w, one.b);
        parallel_set_threads(threads[i % 3]);
        case_run(&more, more.w, more.b);
        ck_assert(tensor_same_bits(one.y, more.y) && tensor_same_bits(one.gx, more.gx));
        ck_assert(tensor_same_bits(one.mean, more.mean) && tensor_same_bits(one.var, more.var));
        ck_assert(tensor_same_bits(one.gw, more.gw) && tensor_same_bits(one.gb, more.gb));
        case_free(&one), case_free(&more);
    }
    parallel_set_threads(0);
}
END_TEST

START_TEST(the_second_time_nothing_is_allocated)
{
    Case k = case_new(SHAPE(37, 5, 23, 11), 0, 1);
    case_run(&k, k.w, k.b);
    ck_assert_allocates_nothing(case_run(&k, k.w, k.b));
    case_free(&k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("norm");
    testing_add(suite, "against loops", 60, (const TTest *const[]){
        every_shape, every_way_to_cut_the_work, gx_may_take_gy_s_place,
        a_large_mean_leaves_the_variance, one_pass_is_as_accurate_as_two,
        a_million_elements_are_as_accurate, one_number_or_equal_ones_have_no_variance,
        no_channels_no_work, gradients_that_are_not_wanted, NULL});
    testing_add(suite, "numbers", 120, (const TTest *const[]){
        nan_and_inf_stay_in_their_channel, threads_do_not_change_a_bit,
        the_second_time_nothing_is_allocated, NULL});
    return testing_main(suite);
}
