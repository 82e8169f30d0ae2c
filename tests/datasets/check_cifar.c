/* tests/datasets/check_cifar.c -- CIFAR-10's records, and where the data set is searched for. The
 * tests write the files: small, but in the right format.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/cifar.h"

#include "tests/scratch.h"
#include "tests/testing.h"

enum { RECORDS = 4 };

/* Record i has label i + first, planes of pixels 10i+1, 10i+2 and 10i+3, and i as its last byte. */
static void make_records(uint8_t *file, int count, int first)
{
    for (int i = 0; i < count; i++, file += CIFAR_RECORD) {
        file[0] = (uint8_t)(i + first);
        for (int c = 0; c < 3; c++)
            memset(file + 1 + 1024 * c, 10 * i + c + 1, 1024);
        file[CIFAR_RECORD - 1] = (uint8_t)i;
    }
}

/* A refusal must give a reason and leave nothing behind. */
static Dataset *parse(const uint8_t *data, size_t size, Error *err)
{
    uint8_t *copy = testing_copy(data, size);
    uint64_t before = testing_blocks();
    Dataset *set = cifar_parse(copy, size, "memory", err);
    free(copy);
    if (!set) {
        testing_error(err, "memory");
        ck_assert_uint_eq(testing_blocks(), before);
    }
    return set;
}

START_TEST(records_become_images_and_labels)
{
    static uint8_t file[RECORDS * CIFAR_RECORD];
    Error err;
    make_records(file, RECORDS, 6);
    Dataset *data = parse(file, sizeof file, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(data->count, RECORDS);
    ck_assert_int_eq(data->classes, 10);
    ck_assert(shape_equal(data->sample, SHAPE(3, 32, 32)));
    ck_assert(data->mean == (real)0.4734 && data->std == (real)0.2516);
    for (int i = 0; i < RECORDS; i++) {
        ck_assert_int_eq(data->labels.data[i], i + 6);
        ck_assert_mem_eq(data->bytes + i * CIFAR_IMAGE, file + i * CIFAR_RECORD + 1, CIFAR_IMAGE);
    }
    ck_assert_str_eq(data->class_names[0], "airplane");
    ck_assert_str_eq(data->class_names[9], "truck");
    dataset_free(data);
}
END_TEST

START_TEST(every_size_that_is_not_whole_records_is_refused)
{
    static uint8_t file[2 * CIFAR_RECORD];
    Error err;
    make_records(file, 2, 0);
    for (size_t size = 0; size <= sizeof file; size++) {
        Dataset *data = parse(file, size, &err);
        ck_assert_int_eq(data != NULL, size == CIFAR_RECORD || size == sizeof file);
        if (!data) {
            ck_assert_int_eq(err.offset, size < CIFAR_RECORD ? 0 : CIFAR_RECORD);
            ck_assert_str_eq(err.expected, "a multiple of 3073 bytes");
        }
        dataset_free(data);
    }
}
END_TEST

START_TEST(a_label_above_9_is_refused)
{
    static uint8_t file[RECORDS * CIFAR_RECORD];
    Error err;
    make_records(file, RECORDS, 0);
    for (int label = 0; label < 256; label++) {
        file[2 * CIFAR_RECORD] = (uint8_t)label;
        Dataset *data = parse(file, sizeof file, &err);
        ck_assert_int_eq(data != NULL, label < 10);
        dataset_free(data);
    }
    ck_assert_int_eq(err.offset, 2 * CIFAR_RECORD);
    ck_assert_str_eq(err.expected, "0 to 9");
    ck_assert_str_eq(err.found, "255");
}
END_TEST

START_TEST(other_sets_and_kinds_of_file_are_named)
{
    static uint8_t file[RECORDS * (CIFAR_RECORD + 1)];
    Error err;
    ck_assert_ptr_null(parse(file, sizeof file, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "CIFAR-100"));
    memset(file, 10, sizeof file);
    memcpy(file, "\x80\x02}q\x01", 5);
    ck_assert_ptr_null(parse(file, 2 * CIFAR_RECORD, &err)); /* the right size, by chance */
    ck_assert_ptr_nonnull(strstr(err.hint, "a Python pickle"));
    memcpy(file, "data_batch_1.bin", 17);
    memcpy(file + 257, "ustar", 5);
    ck_assert_ptr_null(parse(file, 512, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "a tar archive"));
    ck_assert_ptr_null(cifar_read(scratch_write("set.tar", file, 512), &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "a tar archive"));
    ck_assert_ptr_null(parse((const uint8_t *)"<!DOCTYPE html>", 15, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "a web page"));
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static const char *write_batch(const char *folder, const char *name, int count, int first)
{
    static uint8_t file[RECORDS * CIFAR_RECORD];
    char path[128];
    make_records(file, count, first);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return scratch_write(path, file, (size_t)count * CIFAR_RECORD);
}

/* Batch n has 1 + n % 3 records, the first with label n. */
static void write_training(const char *folder)
{
    char name[32];
    for (int n = 1; n <= 5; n++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", n);
        write_batch(folder, name, 1 + n % 3, n);
    }
}

START_TEST(one_file_is_read)
{
    Error err;
    scratch_subfolder("one");
    const char *path = write_batch("one", "a.bin", 3, 2);
    Dataset *data = cifar_read(path, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(data->count, 3);
    ck_assert_int_eq(data->labels.data[2], 4);
    ck_assert_int_eq(data->bytes[CIFAR_IMAGE + 1024], 12);
    dataset_free(data);
    ck_assert_int_eq(truncate(path, 3 * CIFAR_RECORD - 1), 0);
    ck_assert_ptr_null(cifar_read(path, &err));
    ck_assert_str_eq(err.file, path);
    ck_assert_ptr_null(cifar_read(write_batch("one", "b.bin", 2, 9), &err));
    ck_assert_int_eq(err.offset, CIFAR_RECORD);
    ck_assert_ptr_null(cifar_read(scratch_path("one"), &err));
    ck_assert_ptr_null(cifar_read(scratch_path("one/none"), &err));
    ck_assert_ptr_null(cifar_read(scratch_gzip("one/c.gz", "hello", 5), &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "gunzip"));
}
END_TEST

START_TEST(training_is_five_files_in_order_and_test_is_one)
{
    static const int labels[] = {1, 2, 2, 3, 4, 3, 4, 5, 5, 6, 7};
    Error err;
    const char *folder = scratch_subfolder("set");
    write_training("set");
    write_batch("set", "test_batch.bin", 2, 8);
    Dataset *train = cifar10_load(folder, true, &err), *test = cifar10_load(folder, false, &err);
    ck_assert(train && test);
    ck_assert_int_eq(train->count, 2 + 3 + 1 + 2 + 3);
    for (int i = 0; i < train->count; i++)
        ck_assert_int_eq(train->labels.data[i], labels[i]);
    ck_assert_int_eq(train->bytes[CIFAR_IMAGE * 4], 21); /* the third record of batch 2 */
    ck_assert_int_eq(test->count, 2);
    ck_assert_int_eq(test->labels.data[1], 9);
    dataset_free(train), dataset_free(test);
}
END_TEST

START_TEST(half_a_set_names_the_file_that_is_missing_or_bad)
{
    Error err;
    const char *folder = scratch_subfolder("half");
    write_training("half");
    ck_assert_ptr_null(cifar10_load(folder, false, &err));
    ck_assert_str_eq(err.file, scratch_path("half/test_batch.bin"));
    ck_assert_int_eq(remove(scratch_path("half/data_batch_4.bin")), 0);
    ck_assert_ptr_null(cifar10_load(folder, true, &err));
    ck_assert_str_eq(err.file, scratch_path("half/data_batch_4.bin"));
    write_batch("half", "data_batch_4.bin", 2, 9);
    ck_assert_ptr_null(cifar10_load(folder, true, &err));
    ck_assert_str_eq(err.file, scratch_path("half/data_batch_4.bin"));
    ck_assert_int_eq(err.offset, CIFAR_RECORD);
}
END_TEST

START_TEST(the_search_takes_slope_data_and_the_folder_below)
{
    Error err;
    scratch_subfolder("root");
    scratch_subfolder("root/cifar-10");
    write_batch("root/cifar-10", "test_batch.bin", 1, 5);
    setenv("SLOPE_DATA", scratch_path("root"), 1);
    Dataset *a = cifar10_load(NULL, false, &err);
    unsetenv("SLOPE_DATA");
    Dataset *b = cifar10_load(scratch_path("root"), false, &err);
    scratch_subfolder("unpacked");
    scratch_subfolder("unpacked/cifar-10-batches-bin");
    write_batch("unpacked/cifar-10-batches-bin", "test_batch.bin", 1, 6);
    Dataset *c = cifar10_load(scratch_path("unpacked"), false, &err);
    ck_assert(c && c->labels.data[0] == 6);
    dataset_free(c);
    ck_assert(a && b && a->labels.data[0] == 5 && b->labels.data[0] == 5);
    dataset_free(a), dataset_free(b);
}
END_TEST

START_TEST(nothing_found_says_where_it_looked_and_what_to_do)
{
    Error err;
    const char *folder = scratch_subfolder("empty");
    ck_assert_ptr_null(cifar10_load(folder, true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "empty/cifar-10"));
    ck_assert_ptr_nonnull(strstr(err.hint, "cifar-10-binary.tar.gz"));
    ck_assert_ptr_nonnull(strstr(err.hint, "30730000"));
    ck_assert_ptr_nonnull(strstr(err.hint, folder));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cifar");
    testing_add(suite, "records", 20, (const TTest *const[]){
        records_become_images_and_labels, every_size_that_is_not_whole_records_is_refused,
        a_label_above_9_is_refused, other_sets_and_kinds_of_file_are_named, NULL});
    testing_add(suite, "files", 10, (const TTest *const[]){
        one_file_is_read, training_is_five_files_in_order_and_test_is_one,
        half_a_set_names_the_file_that_is_missing_or_bad,
        the_search_takes_slope_data_and_the_folder_below,
        nothing_found_says_where_it_looked_and_what_to_do, NULL});
    return scratch_main(suite);
}
