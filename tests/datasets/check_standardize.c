/* tests/datasets/check_standardize.c -- columns scaled by the numbers of the training examples.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/standardize.h"

#include <math.h>
#include <string.h>

#include "datasets/loader.h"
#include "tensor/parallel.h"
#include "tests/testing.h"

/* A table of this many rows. */
static Dataset *table(const char *name, ptrdiff_t rows, ptrdiff_t columns, const real *values)
{
    Dataset *data = dataset_new(name, DATASET_FEATURES, rows, SHAPE(columns), 0);
    memcpy(data->features, values, (size_t)(rows * columns) * sizeof *values);
    return data;
}

/* Column 0 has mean 5 and std 2, column 1 is constant, column 2 has mean -100 and std 300. */
static Dataset *train_table(void)
{
    return table("train", 4, 3, (const real[]){3, 7, 200, 7, 7, -400, 3, 7, 200, 7, 7, -400});
}

static void assert_values(const Dataset *data, const double *expected)
{
    for (ptrdiff_t i = 0; i < data->count * shape_count(data->sample); i++)
        ck_assert_close(data->features[i], expected[i], NEAR);
}

/* --- values ----------------------------------------------------------------------------------- */

START_TEST(every_column_is_scaled_by_its_own_numbers)
{
    Dataset *train = train_table();
    Tensor *scale = dataset_standardize(train, NULL);
    assert_values(train, (const double[]){-1, 0, 1, 1, 0, -1, -1, 0, 1, 1, 0, -1});
    ck_assert_tensor(scale, SHAPE(2, 3), NEAR, 5, 7, -100, 2, (double)INFINITY, 300);
    tensor_free(scale), dataset_free(train);
}
END_TEST

START_TEST(the_rest_is_scaled_by_the_numbers_of_the_training_examples)
{
    Dataset *train = train_table();
    Dataset *rest = table("rest", 2, 3, (const real[]){5, 7, -100, 9, 8, 500});
    Tensor *scale = dataset_standardize(train, rest);
    assert_values(train, (const double[]){-1, 0, 1, 1, 0, -1, -1, 0, 1, 1, 0, -1});
    assert_values(rest, (const double[]){0, 0, 0, 2, 0, 2}); /* 8 in a constant column is 0, too */
    tensor_free(scale), dataset_free(train), dataset_free(rest);
}
END_TEST

START_TEST(a_new_row_becomes_the_same_as_in_the_table)
{
    enum { ROWS = 50, D = 4 };
    real values[ROWS * D];
    for (int i = 0; i < ROWS * D; i++)
        values[i] = (real)(sin(i * i) * pow(10, i % D) + 3 * (i % D));
    Dataset *train = table("train", ROWS, D, values);
    Tensor *scale = dataset_standardize(train, NULL);
    const real *mean = tensor_read(scale), *std = mean + D;
    for (int i = 0; i < ROWS * D; i++)
        ck_assert(train->features[i] == (values[i] - mean[i % D]) / std[i % D]);
    tensor_free(scale), dataset_free(train);
}
END_TEST

/* The mean of squares minus the square of the mean would be 0 or negative here. */
START_TEST(a_large_mean_does_not_hide_a_small_deviation)
{
    real far = 1 / REAL_EPSILON; /* neighbours differ by 1 or 2 */
    Dataset *train = table("train", 4, 1, (const real[]){far, far + 4, far, far + 4});
    Tensor *scale = dataset_standardize(train, NULL);
    assert_values(train, (const double[]){-1, 1, -1, 1});
    tensor_free(scale), dataset_free(train);
}
END_TEST

/* The sum of ten times 0.1 is not 1, so the deviations from the computed mean are not 0. */
START_TEST(a_constant_column_becomes_zero_whatever_rounding_does)
{
    real tenth = (real)0.1;
    Dataset *train = table("train", 10, 1, (const real[]){tenth, tenth, tenth, tenth, tenth, tenth,
                                                          tenth, tenth, tenth, tenth});
    Dataset *one = table("one", 1, 2, (const real[]){3, -4});
    Tensor *scale = dataset_standardize(train, NULL), *of_one = dataset_standardize(one, NULL);
    assert_values(train, (const double[10]){0});
    ck_assert_tensor(scale, SHAPE(2, 1), 0, (double)tenth, (double)INFINITY);
    assert_values(one, (const double[2]){0});
    tensor_free(scale), tensor_free(of_one), dataset_free(train), dataset_free(one);
}
END_TEST

START_TEST(a_sample_may_have_any_shape_and_the_rest_no_examples)
{
    Dataset *train = dataset_new("grid", DATASET_FEATURES, 2, SHAPE(2, 2), 0);
    Dataset *rest = dataset_new("none", DATASET_FEATURES, 0, SHAPE(2, 2), 0);
    for (int i = 0; i < 8; i++)
        train->features[i] = (real)(i * i);
    Tensor *scale = dataset_standardize(train, rest);
    ck_assert_tensor(scale, SHAPE(2, 2, 2), NEAR, 8, 13, 20, 29, 8, 12, 16, 20);
    assert_values(train, (const double[]){-1, -1, -1, -1, 1, 1, 1, 1});
    tensor_free(scale), dataset_free(train), dataset_free(rest);
}
END_TEST

START_TEST(targets_and_labels_are_left_alone)
{
    Dataset *train = dataset_new_with_targets("t", DATASET_FEATURES, 2, SHAPE(1), SHAPE(1));
    Dataset *classes = dataset_new("c", DATASET_FEATURES, 2, SHAPE(1), 9);
    for (int i = 0; i < 2; i++) {
        train->features[i] = classes->features[i] = (real)i;
        train->targets[i] = (real)(50 + i), classes->labels.data[i] = 7 + i;
    }
    tensor_free(dataset_standardize(train, NULL)), tensor_free(dataset_standardize(classes, NULL));
    for (int i = 0; i < 2; i++) {
        real expected = i == 0 ? -1 : 1;
        ck_assert(train->targets[i] == (real)(50 + i) && classes->labels.data[i] == 7 + i);
        ck_assert(train->features[i] == expected && classes->features[i] == expected);
    }
    ck_assert(train->mean == 0 && train->std == 1);
    dataset_free(train), dataset_free(classes);
}
END_TEST

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    Tensor *scale[2];
    Dataset *data[2];
    for (int k = 0; k < 2; k++) {
        data[k] = dataset_new("large", DATASET_FEATURES, 5000, SHAPE(16), 0);
        for (int i = 0; i < 5000 * 16; i++)
            data[k]->features[i] = (real)(i * 7919 % 10007) / 3;
        parallel_set_threads(k == 0 ? 1 : 3);
        scale[k] = dataset_standardize(data[k], NULL);
    }
    ck_assert(tensor_same_bits(scale[0], scale[1]));
    ck_assert_mem_eq(data[0]->features, data[1]->features, 5000 * 16 * sizeof(real));
    for (int k = 0; k < 2; k++)
        tensor_free(scale[k]), dataset_free(data[k]);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

/* Asserts that the call fails with this text and changes nothing. */
static void assert_refused(Dataset *train, Dataset *rest, const char *text)
{
    Dataset *before = dataset_take(train, train->count);
    size_t bytes = (size_t)(train->count * shape_count(train->sample)) * sizeof(real);
    uint64_t blocks = testing_blocks();
    ck_assert_fails(dataset_standardize(train, rest), text);
    ck_assert_uint_eq(testing_blocks(), blocks);
    if (train->features && bytes > 0)
        ck_assert_mem_eq(train->features, before->features, bytes);
    dataset_free(before);
}

START_TEST(datasets_that_cannot_be_scaled_are_refused)
{
    Dataset *train = train_table(), *empty = table("empty", 0, 3, (const real[]){0});
    Dataset *images = dataset_new("images", DATASET_BYTES, 2, SHAPE(3), 0);
    Dataset *narrow = table("narrow", 1, 2, (const real[]){1, 2});
    ck_assert_fails(dataset_standardize(NULL, train), "dataset_standardize: the training set is "
                    "NULL; did its reader report an Error?");
    assert_refused(images, NULL, "images stores bytes; expected features");
    assert_refused(train, images, "images stores bytes");
    assert_refused(empty, train, "empty has no examples; expected at least one");
    assert_refused(train, narrow, "the examples of train have shape (3,), and those of narrow have "
                                  "(2,); expected the same");
    assert_refused(train, train, "train was passed twice");
    dataset_free(train), dataset_free(empty), dataset_free(images), dataset_free(narrow);
}
END_TEST

START_TEST(a_dataset_with_a_mean_or_std_is_refused)
{
    Dataset *train = train_table(), *rest = train_table();
    rest->mean = 2;
    assert_refused(train, rest, "train has mean 2 and std 1, which a Loader would apply after "
                                "this; set them to 0 and 1");
    train->std = 4;
    assert_refused(train, NULL, "train has mean 0 and std 4");
    dataset_free(train), dataset_free(rest);
}
END_TEST

START_TEST(a_number_that_is_not_finite_is_named)
{
    Dataset *train = train_table(), *rest = train_table();
    snprintf(rest->name, sizeof rest->name, "rest");
    rest->features[7] = (real)NAN;
    assert_refused(train, rest, "column 1 of example 2 of rest (both counted from 0) is NaN; "
                                "expected a finite number");
    train->features[11] = -(real)INFINITY;
    assert_refused(train, NULL, "column 2 of example 3 of train (both counted from 0) is infinite");
    dataset_free(train), dataset_free(rest);
}
END_TEST

/* Sums and squares are computed in double, so those of floats do not overflow. */
START_TEST(numbers_beyond_the_range_are_refused)
{
    real least = 1, most = 1;
    while (least / 2 > 0)
        least /= 2;
    while (isfinite(2 * most))
        most *= 2;
    Dataset *near = table("near", 4, 2, (const real[]){0, 0, 1, 0, 0, 0, 1, least});
    Dataset *large = table("large", 2, 1, (const real[]){most, -most});
    assert_refused(near, NULL, "the numbers in column 1 of near (counted from 0) are too large or "
                               "too close together to be scaled");
    if (sizeof(real) == sizeof(double))
        assert_refused(large, NULL, "column 0 of large (counted from 0) are too large");
    else {
        tensor_free(dataset_standardize(large, NULL));
        assert_values(large, (const double[]){1, -1});
    }
    dataset_free(near), dataset_free(large);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("standardize");
    testing_add(suite, "values", 10, (const TTest *const[]){
        every_column_is_scaled_by_its_own_numbers,
        the_rest_is_scaled_by_the_numbers_of_the_training_examples,
        a_new_row_becomes_the_same_as_in_the_table,
        a_large_mean_does_not_hide_a_small_deviation,
        a_constant_column_becomes_zero_whatever_rounding_does,
        a_sample_may_have_any_shape_and_the_rest_no_examples, targets_and_labels_are_left_alone,
        the_bits_do_not_depend_on_the_number_of_threads, NULL});
    testing_add(suite, "misuse", 10, (const TTest *const[]){
        datasets_that_cannot_be_scaled_are_refused, a_dataset_with_a_mean_or_std_is_refused,
        a_number_that_is_not_finite_is_named, numbers_beyond_the_range_are_refused, NULL});
    return testing_main(suite);
}
