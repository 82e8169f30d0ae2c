/* tests/datasets/check_split.c -- a dataset divided into two, plain and stratified.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/split.h"

#include <math.h>
#include <string.h>

#include "datasets/csv.h"
#include "tensor/random.h"
#include "tests/allocator.h"
#include "tests/testing.h"

enum { MOST = 8 }; /* classes */

/* Example i has the features (i, -i); the classes have these counts, one class after another. */
static Dataset *numbered(int classes, const int *counts)
{
    int n = 0, next = 0;
    for (int k = 0; k < classes; k++)
        n += counts[k];
    Dataset *data = dataset_new("numbered", DATASET_FEATURES, n, SHAPE(2), classes);
    for (int k = 0; k < classes; k++)
        for (int i = 0; i < counts[k]; i++, next++) {
            data->features[2 * next] = (real)next, data->features[2 * next + 1] = (real)-next;
            data->labels.data[next] = k;
        }
    return data;
}

static void free_parts(DatasetSplit split)
{
    dataset_free(split.train), dataset_free(split.rest);
}

/* Asserts that each example is in exactly one part, unchanged. */
static void assert_partition(const Dataset *data, DatasetSplit split)
{
    const Dataset *part[] = {split.train, split.rest};
    bool seen[256] = {false};
    ck_assert(data->count <= 256 && split.train->count > 0 && split.rest->count > 0);
    ck_assert_int_eq(split.train->count + split.rest->count, data->count);
    for (int k = 0; k < 2; k++)
        for (ptrdiff_t i = 0; i < part[k]->count; i++) {
            int from = (int)part[k]->features[2 * i];
            ck_assert(!seen[from]);
            seen[from] = true;
            ck_assert_mem_eq(part[k]->features + 2 * i, data->features + 2 * from,
                             2 * sizeof(real));
            ck_assert_int_eq(part[k]->labels.data[i], data->labels.data[from]);
        }
}

/* Asserts how many examples of each class the training part has. */
static void assert_shares(int classes, const int *counts, double fraction, const int *expected)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        int found[MOST] = {0};
        Dataset *data = numbered(classes, counts);
        DatasetSplit split = dataset_split(data, fraction, SPLIT_STRATIFIED, seed);
        assert_partition(data, split);
        for (ptrdiff_t i = 0; i < split.train->count; i++)
            found[split.train->labels.data[i]]++;
        for (int k = 0; k < classes; k++)
            ck_assert_msg(found[k] == expected[k], "class %d: %d examples, expected %d", k,
                          found[k], expected[k]);
        free_parts(split);
        dataset_free(data);
    }
}

/* --- which examples --------------------------------------------------------------------------- */

START_TEST(every_example_is_in_one_part)
{
    Dataset *data = numbered(3, (const int[]){20, 30, 50});
    for (int kind = SPLIT_PLAIN; kind <= SPLIT_STRATIFIED; kind++)
        for (int percent = 1; percent < 100; percent++) {
            DatasetSplit split = dataset_split(data, percent / 100.0, (SplitKind)kind, 5);
            assert_partition(data, split);
            ck_assert_int_eq(split.train->count, percent);
            free_parts(split);
        }
    dataset_free(data);
}
END_TEST

/* Halves are rounded up, even if the product is inexact: 0.35 * 10 and 0.29 * 50 are too low. */
START_TEST(the_size_is_rounded_to_the_nearest_number)
{
    static const struct { int count; double fraction; int train; } size[] = {
        {10, 0.7, 7}, {10, 0.35, 4}, {50, 0.29, 15}, {10, 0.34, 3}, {5, 0.5, 3}, {2, 0.5, 1},
        {3, 1.0 / 3, 1}, {10, 0.05, 1}, {10, 0.9499, 9}, {10, 0.1 + 0.2, 3}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        Dataset *data = numbered(1, &size[i].count);
        DatasetSplit split = dataset_split(data, size[i].fraction, SPLIT_PLAIN, 1);
        ck_assert_msg(split.train->count == size[i].train, "%g of %d: %td", size[i].fraction,
                      size[i].count, split.train->count);
        free_parts(split);
        dataset_free(data);
    }
}
END_TEST

START_TEST(the_seed_alone_decides)
{
    Dataset *data = numbered(2, (const int[]){40, 60});
    for (int kind = SPLIT_PLAIN; kind <= SPLIT_STRATIFIED; kind++) {
        DatasetSplit a = dataset_split(data, 0.6, (SplitKind)kind, 9);
        random_seed(77); /* the thread's seed does not matter */
        DatasetSplit b = dataset_split(data, 0.6, (SplitKind)kind, 9);
        DatasetSplit c = dataset_split(data, 0.6, (SplitKind)kind, 10);
        ck_assert_mem_eq(a.train->features, b.train->features, 120 * sizeof(real));
        ck_assert_mem_eq(a.rest->features, b.rest->features, 80 * sizeof(real));
        ck_assert_mem_ne(a.train->features, c.train->features, 120 * sizeof(real));
        free_parts(a), free_parts(b), free_parts(c);
    }
    dataset_free(data);
}
END_TEST

/* A seed gives these parts on every machine and in later versions. */
START_TEST(a_seed_always_gives_the_same_parts)
{
    static const int train[2][6] = {{5, 9, 2, 8, 4, 6}, {5, 9, 2, 8, 4, 3}};
    static const int rest[2][4] = {{7, 3, 1, 0}, {6, 7, 1, 0}};
    Dataset *data = numbered(2, (const int[]){4, 6});
    for (int kind = SPLIT_PLAIN; kind <= SPLIT_STRATIFIED; kind++) {
        DatasetSplit split = dataset_split(data, 0.6, (SplitKind)kind, 3);
        for (int i = 0; i < 6; i++)
            ck_assert_int_eq((int)split.train->features[2 * i], train[kind][i]);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq((int)split.rest->features[2 * i], rest[kind][i]);
        free_parts(split);
    }
    dataset_free(data);
}
END_TEST

/* Over 400 seeds, each example is in the training part of about 3 in 10 splits, and is the first of
 * the rest as often as any other. Limits: five standard deviations. */
START_TEST(every_example_is_equally_likely)
{
    enum { SEEDS = 400, COUNT = 20 };
    Dataset *data = numbered(2, (const int[]){10, 10});
    for (int kind = SPLIT_PLAIN; kind <= SPLIT_STRATIFIED; kind++) {
        int trained[COUNT] = {0}, first[COUNT] = {0};
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            DatasetSplit split = dataset_split(data, 0.3, (SplitKind)kind, seed);
            for (int i = 0; i < 6; i++)
                trained[(int)split.train->features[2 * i]]++;
            first[(int)split.rest->features[0]]++;
            free_parts(split);
        }
        for (int i = 0; i < COUNT; i++) {
            ck_assert_close(trained[i], 120, 5 * sqrt(400 * 0.3 * 0.7));
            ck_assert_close(first[i], 20, 5 * sqrt(20));
        }
    }
    dataset_free(data);
}
END_TEST

/* --- shares of classes ------------------------------------------------------------------------ */

START_TEST(every_class_keeps_its_share)
{
    assert_shares(3, (const int[]){50, 30, 20}, 0.8, (const int[]){40, 24, 16});
    assert_shares(3, (const int[]){50, 50, 50}, 0.7, (const int[]){35, 35, 35});
    assert_shares(2, (const int[]){100, 10}, 0.29, (const int[]){29, 3});
    assert_shares(1, (const int[]){7}, 0.5, (const int[]){4});
}
END_TEST

/* The quotas are in the comments. */
START_TEST(the_largest_remainders_are_rounded_up)
{
    assert_shares(3, (const int[]){7, 8, 9}, 0.5, (const int[]){4, 4, 4});    /* 3.5 4 4.5 = 12 */
    assert_shares(3, (const int[]){6, 7, 8}, 0.3, (const int[]){2, 2, 2});    /* 1.8 2.1 2.4 */
    assert_shares(4, (const int[]){3, 3, 3, 3}, 0.5, (const int[]){2, 2, 1, 1}); /* 1.5 each */
    assert_shares(3, (const int[]){5, 15, 25}, 0.7, (const int[]){4, 11, 17}); /* 3.5 10.5 17.5 */
}
END_TEST

START_TEST(small_and_empty_classes)
{
    assert_shares(3, (const int[]){1, 8, 1}, 0.8, (const int[]){1, 6, 1}); /* 0.8 6.4 0.8 = 8 */
    assert_shares(3, (const int[]){1, 8, 1}, 0.5, (const int[]){1, 4, 0}); /* 0.5 4 0.5 = 5 */
    assert_shares(3, (const int[]){0, 4, 0}, 0.5, (const int[]){0, 2, 0});
    assert_shares(3, (const int[]){0, 1, 1}, 0.5, (const int[]){0, 1, 0});
    assert_shares(6, (const int[]){1, 1, 1, 1, 1, 1}, 0.5, (const int[]){1, 1, 1, 0, 0, 0});
}
END_TEST

/* --- what the parts have ---------------------------------------------------------------------- */

START_TEST(both_parts_describe_themselves_as_the_whole)
{
    static const char csv[] = "1,2,red\n3,4,blue\n5,6,red\n7,8,blue\n";
    Error err;
    Dataset *data = csv_parse((const uint8_t *)csv, sizeof csv - 1, "colours",
                              (CsvOptions){.label_column = 3, .classes = 2, .class_names =
                              (const char *const[]){"red", "blue"}}, &err);
    ck_assert_ptr_nonnull(data);
    data->mean = 4, data->std = 2;
    DatasetSplit split = dataset_split(data, 0.5, SPLIT_STRATIFIED, 1);
    char note[sizeof data->note];
    memcpy(note, data->note, sizeof note);
    dataset_free(data); /* the parts borrow nothing */
    const Dataset *part[] = {split.train, split.rest};
    for (int k = 0; k < 2; k++) {
        ck_assert_str_eq(part[k]->name, "colours");
        ck_assert_str_eq(part[k]->note, note);
        ck_assert(part[k]->mean == 4 && part[k]->std == 2 && part[k]->classes == 2);
        ck_assert_str_eq(part[k]->class_names[0], "red");
        ck_assert_str_eq(part[k]->class_names[1], "blue");
        ck_assert(shape_equal(part[k]->sample, SHAPE(2)) && part[k]->labels.count == 2);
    }
    free_parts(split);
}
END_TEST

START_TEST(images_stay_bytes_and_targets_stay_with_their_examples)
{
    Dataset *data = dataset_new_with_targets("images", DATASET_BYTES, 9, SHAPE(1, 2, 2), SHAPE(2));
    for (int i = 0; i < 9; i++) {
        memset(data->bytes + 4 * i, i + 1, 4);
        data->targets[2 * i] = (real)i + (real)0.5, data->targets[2 * i + 1] = (real)-i;
    }
    DatasetSplit split = dataset_split(data, 0.6, SPLIT_PLAIN, 4);
    ck_assert(split.train->count == 5 && split.rest->count == 4);
    const Dataset *part[] = {split.train, split.rest};
    for (int k = 0; k < 2; k++)
        for (ptrdiff_t i = 0; i < part[k]->count; i++) {
            int from = part[k]->bytes[4 * i] - 1;
            ck_assert(part[k]->bytes[4 * i + 3] == from + 1 && !part[k]->features);
            ck_assert(part[k]->targets[2 * i] == (real)from + (real)0.5 &&
                      part[k]->targets[2 * i + 1] == (real)-from && part[k]->classes == 0);
        }
    free_parts(split);
    dataset_free(data);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

static void split(const Dataset *data, double fraction, SplitKind kind)
{
    free_parts(dataset_split(data, fraction, kind, 1));
}

static void assert_refused(const Dataset *data, double fraction)
{
    ck_assert_fails((split(data, fraction, SPLIT_PLAIN), 0), "between 0 and 1, such as 0.8");
}

START_TEST(misuse_stops_with_a_sentence)
{
    Dataset *ten = numbered(2, (const int[]){5, 5}), *one = numbered(1, (const int[]){1});
    Dataset *none = numbered(1, (const int[]){0});
    assert_refused(ten, 0), assert_refused(ten, 1), assert_refused(ten, -0.1);
    assert_refused(ten, 80), assert_refused(ten, (double)NAN);
    assert_refused(ten, (double)INFINITY);
    ck_assert_fails((split(NULL, 0.5, SPLIT_PLAIN), 0), "the dataset is NULL");
    ck_assert_fails((split(ten, 0.5, (SplitKind)2), 0), "the kind is 2");
    ck_assert_fails((split(one, 0.5, SPLIT_PLAIN), 0),
                    "dataset_split: the number of examples in numbered is 1; expected 2 to");
    ck_assert_fails((split(none, 0.5, SPLIT_STRATIFIED), 0), "in numbered is 0; expected");
    ck_assert_fails((split(ten, 0.96, SPLIT_PLAIN), 0),
                    "dataset_split: the training part would get 10 of the 10 examples of numbered "
                    "(0.96 of them, rounded); both parts need at least one");
    ck_assert_fails((split(ten, 0.04, SPLIT_STRATIFIED), 0), "would get 0 of the 10");
    ten->labels.data[3] = 2;
    ck_assert_fails((split(ten, 0.5, SPLIT_STRATIFIED), 0),
                    "example 3 of numbered has label 2; expected 0 to 1");
    ten->labels.data[3] = -100;
    ck_assert_fails((split(ten, 0.5, SPLIT_STRATIFIED), 0), "has label -100");
    split(ten, 0.5, SPLIT_PLAIN); /* does not check labels */
    dataset_free(ten), dataset_free(one), dataset_free(none);
}
END_TEST

START_TEST(only_classes_can_be_stratified)
{
    Dataset *targets = dataset_new_with_targets("t", DATASET_FEATURES, 4, SHAPE(1), SHAPE(1));
    Dataset *bare = dataset_new("bare", DATASET_FEATURES, 4, SHAPE(1), 0);
    ck_assert_fails((split(targets, 0.5, SPLIT_STRATIFIED), 0),
                    "dataset_split: t has real-valued targets, but SPLIT_STRATIFIED needs classes; "
                    "use SPLIT_PLAIN");
    ck_assert_fails((split(bare, 0.5, SPLIT_STRATIFIED), 0), "needs classes, but bare has none");
    split(targets, 0.5, SPLIT_PLAIN), split(bare, 0.5, SPLIT_PLAIN);
    dataset_free(targets), dataset_free(bare);
}
END_TEST

START_TEST(without_memory_it_fails_and_keeps_nothing)
{
    Dataset *data = numbered(1, (const int[]){100});
    watch_begin();
    uint64_t before = testing_blocks();
    watch.limit = 70 * 2 * sizeof(real) - 1; /* the larger part's features do not fit */
    ck_assert_fails((split(data, 0.7, SPLIT_PLAIN), 0), "out of memory for the two parts");
    ck_assert_fails((split(data, 0.3, SPLIT_PLAIN), 0), "out of memory for the two parts");
    ck_assert_uint_eq(testing_blocks(), before);
    watch_end();
    dataset_free(data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("split");
    testing_add(suite, "examples", 30, (const TTest *const[]){
        every_example_is_in_one_part, the_size_is_rounded_to_the_nearest_number,
        the_seed_alone_decides, a_seed_always_gives_the_same_parts,
        every_example_is_equally_likely, NULL});
    testing_add(suite, "classes", 20, (const TTest *const[]){
        every_class_keeps_its_share, the_largest_remainders_are_rounded_up,
        small_and_empty_classes, NULL});
    testing_add(suite, "parts", 10, (const TTest *const[]){
        both_parts_describe_themselves_as_the_whole,
        images_stay_bytes_and_targets_stay_with_their_examples, NULL});
    testing_add(suite, "misuse", 10, (const TTest *const[]){
        misuse_stops_with_a_sentence, only_classes_can_be_stratified,
        without_memory_it_fails_and_keeps_nothing, NULL});
    return testing_main(suite);
}
