/* tests/tensor/kernels/check_matmul.c -- the matrix product: odd sizes, every layout, batches,
 * against a loop.
 *
 * Values are integers from -4 to 4, whose products a float sums exactly, so results must be
 * equal and not merely close.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/matmul.h"

#include "tensor/parallel.h"
#include "tests/tensor/operands.h"

/* --- operands --------------------------------------------------------------------------------- */

static Tensor *view_and_free(Tensor *view, Tensor *base)
{
    tensor_free(base);
    return view;
}

enum { LAYOUTS = 9 };

/* A matrix (rows, columns) as a view of another matrix. */
static Tensor *matrix_make(int kind, ptrdiff_t m, ptrdiff_t n, uint64_t salt)
{
    Tensor *x;
    switch (kind) {
    case 0: return integers(SHAPE(m, n), salt);
    case 1: /* transposed */
        x = integers(SHAPE(n, m), salt);
        return view_and_free(tensor_transpose(x, 0, 1), x);
    case 2: /* every second row */
        x = integers(SHAPE(2 * m + 1, n), salt);
        return view_and_free(tensor_slice(x, 0, 1, 2 * m + 1, 2), x);
    case 3: /* every third column */
        x = integers(SHAPE(m, 3 * n), salt);
        return view_and_free(tensor_slice(x, 1, 0, 3 * n, 3), x);
    case 4: /* some columns of a wider matrix */
        x = integers(SHAPE(m, n + 5), salt);
        return view_and_free(tensor_slice(x, 1, 3, n + 3, 1), x);
    case 5: /* every second row of a transposed one */
        x = matrix_make(1, 2 * m, n, salt);
        return view_and_free(tensor_slice(x, 0, 0, 2 * m, 2), x);
    case 6: /* every second column of a transposed one */
        x = matrix_make(1, m, 2 * n, salt);
        return view_and_free(tensor_slice(x, 1, 0, 2 * n, 2), x);
    case 7: /* one row, repeated */
        x = integers(SHAPE(1, n), salt);
        return view_and_free(tensor_expand(x, SHAPE(m, n)), x);
    default: /* one column, repeated */
        x = integers(SHAPE(m, 1), salt);
        return view_and_free(tensor_expand(x, SHAPE(m, n)), x);
    }
}

/* The kernel's result; it starts as NaN, so that an omitted element shows. */
static Tensor *product(const Tensor *a, const Tensor *b)
{
    Tensor *out = tensor_full(tensor_matmul_shape(a->shape, b->shape, "product"), not_a_number);
    tensor_matmul(out, a, b);
    return out;
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Elements (i, k) of a times (k, j) of b, summed; p and q are where the two matrices start. */
static double naive_dot(const Tensor *a, const real *p, const Tensor *b, const real *q, ptrdiff_t i,
                        ptrdiff_t j)
{
    int da = a->shape.ndim - 1, db = b->shape.ndim - 1;
    double sum = 0;
    for (ptrdiff_t k = 0; k < a->shape.dim[da]; k++)
        sum += (double)p[i * a->stride[da - 1] + k * a->stride[da]] *
               (double)q[k * b->stride[db - 1] + j * b->stride[db]];
    return sum;
}

/* The start of x's matrix for matrix `batch` of out (row-major over its leading axes). */
static const real *naive_matrix(const Tensor *x, Shape out, ptrdiff_t batch)
{
    ptrdiff_t offset = 0;
    for (int d = out.ndim - 3, i = x->shape.ndim - 3; i >= 0; d--, i--) {
        offset += x->shape.dim[i] == 1 ? 0 : batch % out.dim[d] * x->stride[i];
        batch /= out.dim[d];
    }
    return tensor_read(x) + offset;
}

static void product_is_right(const Tensor *a, const Tensor *b)
{
    Tensor *out = product(a, b);
    Shape s = out->shape;
    ptrdiff_t M = s.dim[s.ndim - 2], N = s.dim[s.ndim - 1];
    for (ptrdiff_t t = 0; t < tensor_count(out); t++) {
        const real *p = naive_matrix(a, s, t / (M * N)), *q = naive_matrix(b, s, t / (M * N));
        double expected = naive_dot(a, p, b, q, t / N % M, t % N);
        if ((double)tensor_read(out)[t] != expected)
            ck_abort_msg("%s times %s: element %td of %s is %g, expected %g", SHAPE_TEXT(a->shape),
                         SHAPE_TEXT(b->shape), t, SHAPE_TEXT(s), (double)tensor_read(out)[t],
                         expected);
    }
    tensor_free(out);
}

static void layouts_multiply(int left, int right, ptrdiff_t M, ptrdiff_t N, ptrdiff_t K)
{
    Tensor *a = matrix_make(left, M, K, 1), *b = matrix_make(right, K, N, 2);
    product_is_right(a, b);
    tensor_free(a), tensor_free(b);
}

/* --- one matrix ------------------------------------------------------------------------------- */

/* Sizes around those of a micro-tile (6 or 12 rows; 4 to 32 columns) and of GEMM_KC (256). The
 * layouts alternate. */
START_TEST(odd_sizes)
{
    const ptrdiff_t Ms[] = {1, 2, 5, 6, 7, 11, 12, 13, 23, 25, 49};
    const ptrdiff_t Ns[] = {1, 3, 8, 15, 16, 17, 31, 32, 33, 47, 49, 65, 129, 257};
    const ptrdiff_t Ks[] = {1, 2, 3, 17, 64, 255, 256, 257, 513};
    int turn = 0;
    for (size_t i = 0; i < COUNT(Ms); i++)
        for (size_t j = 0; j < COUNT(Ns); j++)
            for (size_t k = 0; k < COUNT(Ks); k++, turn++)
                layouts_multiply(turn % LAYOUTS, turn / LAYOUTS % LAYOUTS, Ms[i], Ns[j], Ks[k]);
}
END_TEST

START_TEST(every_pair_of_layouts)
{
    for (int left = 0; left < LAYOUTS; left++)
        for (int right = 0; right < LAYOUTS; right++) {
            layouts_multiply(left, right, 3, 4, 5);
            layouts_multiply(left, right, 37, 70, 41);
            layouts_multiply(left, right, 12, 64, 260);
        }
}
END_TEST

/* More columns and rows than any block of B or any task. */
START_TEST(sizes_beyond_a_task)
{
    layouts_multiply(0, 0, 3, 8229, 2);
    layouts_multiply(1, 1, 25, 4129, 5);
    layouts_multiply(2, 6, 13, 2081, 258);
    layouts_multiply(0, 0, 1003, 5, 7);
    layouts_multiply(5, 3, 500, 300, 11);
}
END_TEST

START_TEST(micro_panels_of_a_that_are_copied)
{
    for (int left = 0; left < LAYOUTS; left++) {
        layouts_multiply(left, 0, 26, 1300, 37);
        layouts_multiply(left, 0, 26, 1300, 270);
    }
}
END_TEST

START_TEST(an_identity_changes_nothing)
{
    Tensor *x = integers(SHAPE(45, 45), 3), *unit = tensor_zeros(SHAPE(45, 45));
    for (ptrdiff_t i = 0; i < 45; i++)
        tensor_set(unit, (const ptrdiff_t[]){i, i}, 1);
    Tensor *left = product(unit, x), *right = product(x, unit);
    ck_assert(tensor_all_close(left, x, 0, 0));
    ck_assert(tensor_all_close(right, x, 0, 0));
    tensor_free(x), tensor_free(unit), tensor_free(left), tensor_free(right);
}
END_TEST

START_TEST(sizes_of_0)
{
    layouts_multiply(0, 0, 0, 3, 4);
    layouts_multiply(0, 0, 3, 0, 4);
    layouts_multiply(1, 1, 0, 0, 0);
    layouts_multiply(0, 0, 3, 4, 0); /* no terms: zeros, not what the memory held */
    layouts_multiply(1, 1, 30, 40, 0);
}
END_TEST

/* An Inf or NaN must reach the row or the column that it belongs to and no other, in spite of the
 * zeros that pad the edges of a micro-tile. */
START_TEST(infinities_stay_in_their_rows_and_columns)
{
    Tensor *a = tensor_full(SHAPE(13, 19), 1), *b = tensor_full(SHAPE(19, 35), 1);
    tensor_set(a, (const ptrdiff_t[]){12, 18}, not_a_number);
    tensor_set(b, (const ptrdiff_t[]){18, 34}, infinite);
    Tensor *out = product(a, b);
    for (ptrdiff_t i = 0; i < 13; i++)
        for (ptrdiff_t j = 0; j < 35; j++) {
            double expected = i == 12 ? NOT_A_NUMBER : j == 34 ? HUGE_VAL : 19;
            ck_assert_close(tensor_read(out)[i * 35 + j], expected, 0);
        }
    tensor_free(a), tensor_free(b), tensor_free(out);
}
END_TEST

START_TEST(gemm_keeps_out_of_the_gap_between_rows)
{
    enum { M = 26, N = 37, K = 9, ROW = 50 };
    static real c[M * ROW];
    for (int i = 0; i < M * ROW; i++)
        c[i] = 99;
    Tensor *a = integers(SHAPE(M, K), 1), *b = integers(SHAPE(K, N), 2);
    tensor_gemm(M, N, K, (Matrix){tensor_read(a), K, 1}, (Matrix){tensor_read(b), N, 1},
                (GemmOut){.p = c, .row = ROW});
    for (ptrdiff_t i = 0; i < M; i++)
        for (ptrdiff_t j = 0; j < ROW; j++) {
            double expected = j < N ? naive_dot(a, tensor_read(a), b, tensor_read(b), i, j) : 99;
            if ((double)c[i * ROW + j] != expected)
                ck_abort_msg("(%td, %td) is %g, expected %g", i, j, (double)c[i * ROW + j],
                             expected);
        }
    tensor_gemm(M, N, 0, (Matrix){tensor_read(a), 0, 1}, (Matrix){tensor_read(b), N, 1},
                (GemmOut){.p = c, .row = ROW});
    ck_assert_close(c[N - 1], 0, 0);
    ck_assert_close(c[N], 99, 0);
    tensor_free(a), tensor_free(b);
}
END_TEST

/* A (M,K) and B (K,N) in blocks of exactly their size, so that the address sanitizer reports a read
 * past their end. Row i of A is row M-1-i in memory if `upside_down`; A or B is stored by columns
 * if turned. */
static void exact_operands(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, bool turned_a, bool turned_b,
                           bool upside_down)
{
    real *a = malloc((size_t)(M * K) * sizeof *a), *b = malloc((size_t)(K * N) * sizeof *b),
         *c = malloc((size_t)(M * N) * sizeof *c);
    for (ptrdiff_t i = 0; i < M * K; i++)
        a[i] = (real)(i * 7 % 11 - 5);
    for (ptrdiff_t i = 0; i < K * N; i++)
        b[i] = (real)(i * 5 % 13 - 6);
    Matrix A = {a, turned_a ? 1 : K, turned_a ? M : 1}, B = {b, turned_b ? 1 : N, turned_b ? K : 1};
    if (upside_down)
        A.p += (M - 1) * A.row, A.row = -A.row;
    tensor_gemm(M, N, K, A, B, (GemmOut){.p = c, .row = N});
    for (ptrdiff_t i = 0; i < M * N; i++) {
        double sum = 0;
        for (ptrdiff_t k = 0; k < K; k++)
            sum += (double)A.p[i / N * A.row + k * A.col] * (double)B.p[k * B.row + i % N * B.col];
        ck_assert_close(c[i], sum, 0);
    }
    free(a), free(b), free(c);
}

START_TEST(operands_of_exactly_their_size)
{
    const ptrdiff_t Ms[] = {1, 7, 12, 13, 29}, Ns[] = {1, 5, 33, 64, 1057}, Ks[] = {1, 16, 37, 261};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            for (int k = 0; k < 4; k++)
                for (int way = 0; way < 8; way++)
                    exact_operands(Ms[i], Ns[j], Ks[k], way & 1, way & 2, way & 4);
}
END_TEST

/* Rows of A that skip SKIP elements after every RUN elements, like patches of an image, and so many
 * micro-panels of B that rows without gaps would be copied first. */
START_TEST(the_macro_kernel_follows_rows_with_gaps)
{
    enum { M = 14, N = 9 * GEMM_NR, K = 8, RUN = 2, SKIP = 3, ROW = 30 };
    static real a[M * ROW], panels[N * K], c[M * N];
    for (int i = 0; i < M * ROW; i++)
        a[i] = (real)(i * 7 % 11 - 5);
    for (int i = 0; i < N * K; i++)
        panels[i] = (real)(i * 5 % 13 - 6);
    GemmRows rows = {.p = a, .row = ROW, .col = 1, .run = RUN, .skip = SKIP};
    tensor_gemm_macro_kernel(M, N, K, &rows, micro_panels_packed(panels, K),
                             (GemmOut){.p = c, .row = N});
    for (int i = 0; i < M * N; i++) {
        double sum = 0;
        for (int k = 0; k < K; k++)
            sum += (double)a[i / N * ROW + k + k / RUN * SKIP] *
                   (double)panels[i % N / GEMM_NR * GEMM_NR * K + k * GEMM_NR + i % N % GEMM_NR];
        ck_assert_close(c[i], sum, 0);
    }
}
END_TEST

/* The initial values of the sums, on each path of gemm: dot products, B in place, B packed, C
 * transposed. */
static void starts_from(ptrdiff_t M, ptrdiff_t N, ptrdiff_t K, int left, int right, int start)
{
    Tensor *a = matrix_make(left, M, K, 1), *b = matrix_make(right, K, N, 2);
    Tensor *c = integers(SHAPE(M, N), 3), *old = tensor_clone(c), *bias = integers(SHAPE(M + N), 4);
    GemmOut out = {.p = tensor_write(c), .row = N, .add = start == 1,
                   .row_bias = start == 2 ? tensor_read(bias) : NULL,
                   .col_bias = start == 3 ? tensor_read(bias) : NULL};
    tensor_gemm(M, N, K, (Matrix){tensor_read(a), a->stride[0], a->stride[1]},
                (Matrix){tensor_read(b), b->stride[0], b->stride[1]}, out);
    for (ptrdiff_t i = 0; i < M * N; i++) {
        const real *from[] = {NULL, tensor_read(old) + i, tensor_read(bias) + i / N,
                              tensor_read(bias) + i % N};
        double expected = naive_dot(a, tensor_read(a), b, tensor_read(b), i / N, i % N);
        expected += start ? (double)*from[start] : 0;
        if ((double)tensor_read(c)[i] != expected)
            ck_abort_msg("(%td,%td) times (%td,%td), layouts %d and %d, start %d: element %td is "
                         "%g, expected %g", M, K, K, N, left, right, start, i,
                         (double)tensor_read(c)[i], expected);
    }
    tensor_free(a), tensor_free(b), tensor_free(c), tensor_free(old), tensor_free(bias);
}

START_TEST(gemm_starts_from_what_it_is_told)
{
    const ptrdiff_t Ms[] = {1, 8, 9, 40}, Ns[] = {1, 4, 7, 64, 101}, Ks[] = {0, 5, 300};
    for (int i = 0; i < 4 * 5 * 3; i++)
        for (int way = 0; way < 4 * 4; way++)
            starts_from(Ms[i % 4], Ns[i / 4 % 5], Ks[i / 20], way / 4 % 2, way / 8, way % 4);
}
END_TEST

/* Values whose sums of products are rounded: the error is compared with the sum of absolute
 * values. */
START_TEST(rounding_stays_small)
{
    Rng rng = rng_new(5, 0);
    const ptrdiff_t K = 3001;
    Tensor *a = tensor_new(SHAPE(7, K)), *b = tensor_new(SHAPE(K, 9));
    tensor_fill_normal(a, &rng, 0, 1), tensor_fill_normal(b, &rng, 0, 1);
    Tensor *out = product(a, b);
    for (ptrdiff_t i = 0; i < 7; i++)
        for (ptrdiff_t j = 0; j < 9; j++)
            ck_assert_close(tensor_read(out)[i * 9 + j],
                            naive_dot(a, tensor_read(a), b, tensor_read(b), i, j),
                            (double)K * (double)REAL_EPSILON);
    tensor_free(a), tensor_free(b), tensor_free(out);
}
END_TEST

/* --- batches ---------------------------------------------------------------------------------- */

static void batches_multiply(Shape left, Shape right)
{
    Tensor *a = integers(left, 1), *b = integers(right, 2);
    product_is_right(a, b);
    tensor_free(a), tensor_free(b);
}

START_TEST(batches_broadcast)
{
    batches_multiply(SHAPE(3, 4, 5), SHAPE(3, 5, 6));
    batches_multiply(SHAPE(3, 4, 5), SHAPE(5, 6));
    batches_multiply(SHAPE(4, 5), SHAPE(3, 5, 6));
    batches_multiply(SHAPE(1, 4, 5), SHAPE(3, 5, 6));
    batches_multiply(SHAPE(2, 1, 4, 5), SHAPE(3, 5, 6));
    batches_multiply(SHAPE(2, 1, 4, 5), SHAPE(1, 3, 5, 6));
    batches_multiply(SHAPE(2, 3, 4, 5), SHAPE(2, 1, 5, 6));
    batches_multiply(SHAPE(2, 3, 2, 1, 2, 3, 3, 5), SHAPE(3, 1, 2, 1, 3, 5, 4));
    batches_multiply(SHAPE(40, 13, 33), SHAPE(40, 33, 29));
}
END_TEST

START_TEST(batches_of_no_matrices_or_of_empty_ones)
{
    batches_multiply(SHAPE(0, 4, 5), SHAPE(0, 5, 6));
    batches_multiply(SHAPE(0, 4, 5), SHAPE(5, 6));
    batches_multiply(SHAPE(0, 4, 5), SHAPE(1, 5, 6));
    batches_multiply(SHAPE(3, 0, 5), SHAPE(3, 5, 6));
    batches_multiply(SHAPE(3, 4, 0), SHAPE(3, 0, 6));
}
END_TEST

START_TEST(batches_may_be_views)
{
    Tensor *base = integers(SHAPE(5, 4, 3, 2), 1), *one = integers(SHAPE(3, 1), 2);
    Tensor *heads = tensor_permute(base, (const int[]){3, 1, 0, 2}); /* (2,4,5,3) */
    Tensor *turned = tensor_transpose(heads, 2, 3);                  /* (2,4,3,5) */
    Tensor *sliced = tensor_slice(heads, 1, 1, 4, 2);                /* (2,2,5,3) */
    Tensor *wide = tensor_expand(one, SHAPE(2, 2, 3, 7)); /* one column, repeated everywhere */
    product_is_right(heads, turned);
    product_is_right(turned, heads);
    product_is_right(sliced, wide);
    tensor_free(base), tensor_free(one), tensor_free(heads), tensor_free(turned);
    tensor_free(sliced), tensor_free(wide);
}
END_TEST

/* --- bits, memory, misuse --------------------------------------------------------------------- */

static void bits_stay(Shape left, Shape right)
{
    static const int threads[] = {2, 3, 5};
    Rng rng = rng_new(9, 9);
    Tensor *a = tensor_new(left), *b = tensor_new(right);
    tensor_fill_normal(a, &rng, 0, 1), tensor_fill_normal(b, &rng, 0, 1);
    parallel_set_threads(1);
    Tensor *one = product(a, b);
    for (size_t i = 0; i < COUNT(threads); i++) {
        parallel_set_threads(threads[i]);
        for (int again = 0; again < 3; again++) {
            Tensor *more = product(a, b);
            ck_assert(tensor_same_bits(one, more));
            tensor_free(more);
        }
    }
    parallel_set_threads(0);
    tensor_free(a), tensor_free(b), tensor_free(one);
}

START_TEST(threads_do_not_change_a_bit)
{
    bits_stay(SHAPE(131, 517), SHAPE(517, 211));
    bits_stay(SHAPE(5, 1000), SHAPE(1000, 700));
    bits_stay(SHAPE(1100, 300), SHAPE(300, 1500));
    bits_stay(SHAPE(700, 300), SHAPE(300, 5));
    bits_stay(SHAPE(17, 30, 70), SHAPE(17, 70, 50));
}
END_TEST

/* Neither by the caller nor by a helper, no matter when it joins. */
START_TEST(the_second_time_nothing_is_allocated)
{
    Tensor *a = integers(SHAPE(6, 30, 40), 1), *b = integers(SHAPE(40, 50), 2);
    parallel_set_threads(3);
    Tensor *out = product(a, b);
    for (int again = 0; again < 200; again++)
        ck_assert_allocates_nothing(tensor_matmul(out, a, b));
    parallel_set_threads(0);
    tensor_free(a), tensor_free(b), tensor_free(out);
}
END_TEST

START_TEST(shapes_that_do_not_multiply_are_refused)
{
    ck_assert_fails(tensor_matmul_shape(SHAPE(3), SHAPE(3, 4), "the_caller"),
                    "the_caller: shapes (3,) and");
    ck_assert_fails(tensor_matmul_shape(SHAPE(2, 3), SHAPE(3), "f"),
                    "needs two axes or more on both sides");
    ck_assert_fails(tensor_matmul_shape(SHAPE(2, 3), SHAPE(4, 5), "f"),
                    "the left has 3 columns, the right 4 rows");
    ck_assert_fails(tensor_matmul_shape(SHAPE(2, 4, 3), SHAPE(5, 3, 2), "f"),
                    "(2, 4, 3) and (5, 3, 2): the axes before the last two do not broadcast");
    const ptrdiff_t big = TESTING_BIG;
    ck_assert_fails(tensor_matmul_shape(SHAPE(big, 1), SHAPE(1, big), "f"),
                    "more elements than memory");
}
END_TEST

START_TEST(a_result_that_does_not_fit_is_refused)
{
    Tensor *a = integers(SHAPE(2, 3), 1), *b = integers(SHAPE(3, 4), 2);
    Tensor *small = tensor_zeros(SHAPE(2, 3)), *base = tensor_zeros(SHAPE(4, 2));
    Tensor *turned = tensor_transpose(base, 0, 1);
    ck_assert_fails(tensor_matmul(small, a, b), "of shape (2, 4), not (2, 3)");
    ck_assert_fails(tensor_matmul(turned, a, b), "out must be contiguous");
    tensor_free(a), tensor_free(b), tensor_free(small), tensor_free(base), tensor_free(turned);
}
END_TEST

START_TEST(every_missing_operand_is_reported)
{
    Tensor *x = integers(SHAPE(2, 2), 1);
    REFUSES_NULL(tensor_matmul, NULL, x, x);
    REFUSES_NULL(tensor_matmul, x, NULL, x);
    REFUSES_NULL(tensor_matmul, x, x, NULL);
    REFUSES_NULL(tensor_linear, NULL, x, x, NULL);
    REFUSES_NULL(tensor_linear, x, NULL, x, NULL);
    REFUSES_NULL(tensor_linear, x, x, NULL, NULL);
    tensor_free(x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("matmul");
    testing_add(suite, "one matrix", 120,
                (const TTest *const[]){odd_sizes, every_pair_of_layouts, sizes_beyond_a_task,
                                       micro_panels_of_a_that_are_copied,
                                       an_identity_changes_nothing, sizes_of_0,
                                       infinities_stay_in_their_rows_and_columns,
                                       operands_of_exactly_their_size,
                                       the_macro_kernel_follows_rows_with_gaps,
                                       gemm_keeps_out_of_the_gap_between_rows,
                                       gemm_starts_from_what_it_is_told, rounding_stays_small,
                                       NULL});
    testing_add(suite, "batches", 20, (const TTest *const[]){
        batches_broadcast, batches_of_no_matrices_or_of_empty_ones, batches_may_be_views, NULL});
    testing_add(suite, "bits and misuse", 60, (const TTest *const[]){
        threads_do_not_change_a_bit, the_second_time_nothing_is_allocated,
        shapes_that_do_not_multiply_are_refused, a_result_that_does_not_fit_is_refused,
        every_missing_operand_is_reported, NULL});
    return testing_main(suite);
}
