/* tests/datasets/check_datasets.c -- datasets in memory, and generated ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/dataset.h"
#include "datasets/generate.h"

#include <math.h>
#include <string.h>

#include "tensor/parallel.h"
#include "tests/allocator.h"
#include "tests/testing.h"
#include "tests/xor.h"

/* Three images (1,2,2) with pixels 0, 20, 40 … and labels 0, 1, 0. */
static Dataset *tiny_images(void)
{
    Dataset *data = dataset_new("tiny", DATASET_BYTES, 3, SHAPE(1, 2, 2), 2);
    for (int i = 0; i < 12; i++)
        data->bytes[i] = (uint8_t)(20 * i);
    for (int i = 0; i < 3; i++)
        data->labels.data[i] = i % 2;
    data->mean = (real)0.25;
    data->std = (real)0.5;
    return data;
}

/* --- in memory -------------------------------------------------------------------------------- */

START_TEST(new_datasets_are_zeroed_and_plain)
{
    Dataset *data = dataset_new("a name that is longer than the forty-eight bytes there are",
                                DATASET_FEATURES, 4, SHAPE(3), 5);
    ck_assert_uint_eq(strlen(data->name), sizeof data->name - 1);
    ck_assert_ptr_null(data->bytes);
    for (int i = 0; i < 12; i++)
        ck_assert(data->features[i] == 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(data->labels.data[i], 0);
    ck_assert_int_eq(data->labels.count, 4);
    ck_assert(data->mean == 0 && data->std == 1);
    dataset_free(data);
    dataset_free(NULL);
}
END_TEST

START_TEST(new_refuses_nonsense_and_too_much)
{
    ck_assert_fails(dataset_new("big", DATASET_BYTES, PTRDIFF_MAX, SHAPE(2), 1), "dataset_new: ");
    ck_assert_fails(dataset_new("less", DATASET_BYTES, -1, SHAPE(2), 1), "dataset_new: ");
    ck_assert_fails(dataset_new("none", DATASET_BYTES, 1, SHAPE(2), -1), "dataset_new: ");
    ck_assert_fails(dataset_new(NULL, DATASET_BYTES, 1, SHAPE(2), 1), "dataset_new: ");
}
END_TEST

/* Sizes that overflow or exceed the memory; blocks allocated before the failure are released. */
START_TEST(try_new_returns_null_without_memory)
{
    watch_begin();
    watch.limit = 1 << 20;
    uint64_t before = testing_blocks();
    ck_assert_ptr_null(dataset_try_new("big", DATASET_BYTES, PTRDIFF_MAX, SHAPE(2), 1));
    const Shape huge = SHAPE(PTRDIFF_MAX / 16);
    ck_assert_ptr_null(dataset_try_new("big", DATASET_FEATURES, 1 << 30, huge, 1));
    ck_assert_ptr_null(dataset_try_new("big", DATASET_FEATURES, 10, huge, 1));
    ck_assert_ptr_null(dataset_try_new("big", DATASET_BYTES, 1025, SHAPE(1024), 1));
    ck_assert_uint_eq(testing_blocks(), before);
    Dataset *data = dataset_try_new("fits", DATASET_BYTES, 1024, SHAPE(1024), 1);
    ck_assert_ptr_nonnull(data);
    dataset_free(data);
    watch_end();
}
END_TEST

START_TEST(take_copies_the_first_examples)
{
    Dataset *data = tiny_images(), *part = dataset_take(data, 2);
    ck_assert_int_eq(part->count, 2);
    ck_assert_mem_eq(part->bytes, data->bytes, 8);
    ck_assert_int_eq(part->labels.data[1], 1);
    ck_assert(part->mean == data->mean && part->std == data->std);
    data->bytes[0] = 99;
    ck_assert_int_eq(part->bytes[0], 0);
    ck_assert_fails(dataset_take(data, 4), "dataset_take: ");
    ck_assert_fails(dataset_take(data, -1), "dataset_take: ");
    dataset_free(data);
    dataset_free(part);
}
END_TEST

START_TEST(take_copies_features_too)
{
    Dataset *data = moons_new(10, (real)0.1, 1), *part = dataset_take(data, 7);
    ck_assert_mem_eq(part->features, data->features, 14 * sizeof(real));
    ck_assert_ptr_null(part->bytes);
    dataset_free(data);
    ck_assert_int_eq(part->labels.data[5], 1); /* its own copy */
    dataset_free(part);
}
END_TEST

/* x = (byte/255 - mean) / std, to the last bit; .25 and .5 are exact in binary. */
START_TEST(tensor_is_normalised)
{
    Dataset *data = tiny_images();
    Tensor *x = dataset_tensor(data);
    ck_assert(shape_equal(x->shape, SHAPE(3, 1, 2, 2)));
    for (int i = 0; i < 12; i++)
        ck_assert(tensor_read(x)[i] == ((real)(20 * i) / 255 - (real)0.25) / (real)0.5);
    ck_assert(tensor_read(x)[0] == (real)-0.5);
    tensor_free(x);
    dataset_free(data);

    data = xor_points(4, 0);
    data->mean = (real)0.5;
    data->std = (real)0.25;
    x = dataset_tensor(data);
    ck_assert(shape_equal(x->shape, SHAPE(4, 2)));
    ck_assert(tensor_read(x)[2] == -2 && tensor_read(x)[3] == 2); /* the point (0,1) */
    tensor_free(x);
    dataset_free(data);
}
END_TEST

START_TEST(read_gathers_the_examples_asked_for)
{
    static const int32_t which[] = {2, 0, 2}, beyond[] = {0, 3}, below[] = {-1};
    Dataset *data = tiny_images();
    Tensor *all = dataset_tensor(data);
    real x[12];
    int32_t labels[3];
    data->labels.data[2] = 5;
    dataset_read(data, which, 3, x, labels);
    for (int row = 0; row < 3; row++) {
        ck_assert_mem_eq(x + 4 * row, tensor_read(all) + 4 * which[row], 4 * sizeof(real));
        ck_assert_int_eq(labels[row], which[row] == 2 ? 5 : 0);
    }
    ck_assert_fails(dataset_read(data, beyond, 2, x, labels), "dataset_read: ");
    ck_assert_fails(dataset_read(data, below, 1, x, labels), "dataset_read: ");
    ck_assert_fails(dataset_read(data, NULL, 4, x, labels), "dataset_read: ");
    data->std = 0;
    ck_assert_fails(dataset_read(data, which, 3, x, labels), "dataset_read: ");
    tensor_free(all);
    dataset_free(data);
}
END_TEST

/* --- generated -------------------------------------------------------------------------------- */

static void assert_balanced(const Dataset *data)
{
    for (int class = 0; class < data->classes; class++) {
        ptrdiff_t members = 0;
        for (ptrdiff_t i = 0; i < data->count; i++)
            members += data->labels.data[i] == class;
        ck_assert_int_eq(members, data->count / data->classes);
    }
}

START_TEST(glyphs_depend_on_seed_and_number_only)
{
    enum { COUNT = 300, BYTES = COUNT * 28 * 28 };
    parallel_set_threads(1);
    Dataset *one = glyphs_new(COUNT, 7);
    parallel_set_threads(2);
    Dataset *two = glyphs_new(COUNT, 7), *fewer = glyphs_new(50, 7), *other = glyphs_new(COUNT, 8);
    ck_assert_int_eq(memcmp(one->bytes, two->bytes, BYTES), 0);
    ck_assert_int_eq(memcmp(one->bytes, fewer->bytes, BYTES / 6), 0);
    ck_assert_int_ne(memcmp(one->bytes, other->bytes, BYTES), 0);
    assert_balanced(one);
    ck_assert_int_eq(one->labels.data[13], 3);
    ck_assert_str_eq(one->class_names[7], "7");
    ck_assert(shape_equal(one->sample, SHAPE(1, 28, 28)));
    dataset_free(one), dataset_free(two), dataset_free(fewer), dataset_free(other);
}
END_TEST

/* The constants in glyphs.c must be those of the pixels: normalised, the pixels of 2000 images have
 * mean 0 and standard deviation 1, up to sampling error. */
START_TEST(glyphs_are_normalised)
{
    Dataset *data = glyphs_new(2000, 99);
    Tensor *x = dataset_tensor(data);
    Stats stats = tensor_stats(x);
    ck_assert_double_eq_tol(stats.mean, 0, 0.02);
    ck_assert_double_eq_tol(stats.std, 1, 0.02);
    tensor_free(x);
    dataset_free(data);
}
END_TEST

static double glyph_difference(const uint8_t *image, const double *mean)
{
    double sum = 0;
    for (int i = 0; i < 784; i++)
        sum += (image[i] - mean[i]) * (image[i] - mean[i]);
    return sum;
}

/* The class whose mean image is nearest. */
static int glyph_nearest(const uint8_t *image, double mean[10][784])
{
    int best = 0;
    for (int class = 1; class < 10; class++)
        if (glyph_difference(image, mean[class]) < glyph_difference(image, mean[best]))
            best = class;
    return best;
}

/* Comparison with the mean image of each class recognises most digits, but far from all. */
START_TEST(glyphs_can_be_told_apart_but_not_trivially)
{
    enum { COUNT = 1000 };
    static double mean[10][784];
    Dataset *train = glyphs_new(COUNT, 1), *test = glyphs_new(COUNT, 2);
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < 784; j++)
            mean[train->labels.data[i]][j] += train->bytes[i * 784 + j] / (COUNT / 10.0);
    int right = 0;
    for (int i = 0; i < COUNT; i++)
        right += glyph_nearest(test->bytes + i * 784, mean) == test->labels.data[i];
    ck_assert_int_gt(right, COUNT * 60 / 100);
    ck_assert_int_lt(right, COUNT * 90 / 100);
    dataset_free(train), dataset_free(test);
}
END_TEST

START_TEST(spirals_lie_on_their_arms)
{
    Dataset *data = spirals_new(300, 3, 0, 5), *same = spirals_new(300, 3, 0, 5);
    Dataset *other = spirals_new(300, 3, 0, 6);
    assert_balanced(data);
    ck_assert_mem_eq(data->features, same->features, 600 * sizeof(real));
    ck_assert_int_ne(memcmp(data->features, other->features, 600 * sizeof(real)), 0);
    for (int i = 0; i < 300; i++) {
        double x = (double)data->features[2 * i], y = (double)data->features[2 * i + 1];
        double t = hypot(x, y);
        double angle = 2 * M_PI * (1.5 * t + data->labels.data[i] / 3.0);
        ck_assert_double_lt(t, 1.000001);
        ck_assert_double_eq_tol(x, t * cos(angle), 1e-5);
        ck_assert_double_eq_tol(y, t * sin(angle), 1e-5);
    }
    dataset_free(data), dataset_free(same), dataset_free(other);
}
END_TEST

START_TEST(moons_lie_on_their_half_circles)
{
    Dataset *data = moons_new(200, 0, 5);
    assert_balanced(data);
    for (int i = 0; i < 200; i++) {
        double x = (double)data->features[2 * i], y = (double)data->features[2 * i + 1];
        bool lower = data->labels.data[i] == 1;
        ck_assert_double_eq_tol(lower ? hypot(x - 1, y - 0.5) : hypot(x, y), 1, 1e-5);
        ck_assert(lower ? y < 0.5 + 1e-6 : y > -1e-6);
    }
    dataset_free(data);
}
END_TEST

/* Noise is added with the requested standard deviation, and nothing else changes. */
START_TEST(noise_has_the_standard_deviation_asked_for)
{
    enum { COUNT = 2000 };
    Dataset *clean = moons_new(COUNT, 0, 3), *noisy = moons_new(COUNT, (real)0.2, 3);
    double sum = 0, squares = 0;
    for (int i = 0; i < 2 * COUNT; i++) {
        double noise = (double)noisy->features[i] - (double)clean->features[i];
        sum += noise;
        squares += noise * noise;
    }
    ck_assert_double_eq_tol(sum / (2 * COUNT), 0, 0.015);
    ck_assert_double_eq_tol(sqrt(squares / (2 * COUNT)), 0.2, 0.01);
    dataset_free(clean), dataset_free(noisy);
}
END_TEST

START_TEST(generators_refuse_nonsense)
{
    ck_assert_fails(spirals_new(10, 0, 0, 1), "spirals_new: ");
    ck_assert_fails(moons_new(10, -1, 1), "moons_new: ");
    ck_assert_fails(moons_new(10, (real)NAN, 1), "moons_new: ");
    ck_assert_fails(glyphs_new(-1, 1), "dataset_new: ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("datasets");
    testing_add(suite, "in memory", 10, (const TTest *const[]){
        new_datasets_are_zeroed_and_plain, new_refuses_nonsense_and_too_much,
        take_copies_the_first_examples, take_copies_features_too, tensor_is_normalised,
        read_gathers_the_examples_asked_for, NULL});
    testing_add(suite, "scarce memory", 10, (const TTest *const[]){
        try_new_returns_null_without_memory, NULL});
    testing_add(suite, "generated", 60, (const TTest *const[]){
        glyphs_depend_on_seed_and_number_only, glyphs_are_normalised,
        glyphs_can_be_told_apart_but_not_trivially, spirals_lie_on_their_arms,
        moons_lie_on_their_half_circles, noise_has_the_standard_deviation_asked_for,
        generators_refuse_nonsense, NULL});
    return testing_main(suite);
}
