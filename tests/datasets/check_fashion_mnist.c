/* tests/datasets/check_fashion_mnist.c -- where the data set is searched for, and the error if it
 * is not found. The tests write the files: small, but in the right format.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"

#include <check.h>

#include "tests/scratch.h"

enum { IMAGE = 28 * 28 };

static char dash = '-'; /* the byte before "idx" in file names */

/* Writes a file of `count` images whose pixels are all `pixel`, and a file of labels 0, 1, … */
static void write_set(const char *folder, const char *which, uint8_t count, uint8_t pixel,
                      const char *(*write)(const char *, const void *, size_t), const char *end)
{
    char name[128];
    uint8_t images[16 + 9 * IMAGE] = {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28};
    uint8_t labels[8 + 9] = {0, 0, 8, 1, 0, 0, 0, count, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    memset(images + 16, pixel, 9 * IMAGE);
    snprintf(name, sizeof name, "%s/%s-images%cidx3-ubyte%s", folder, which, dash, end);
    write(name, images, 16 + (size_t)count * IMAGE);
    snprintf(name, sizeof name, "%s/%s-labels%cidx1-ubyte%s", folder, which, dash, end);
    write(name, labels, 8 + (size_t)count);
}

/* Loads a set and returns its first pixel, which identifies the set; -1 if none was found. */
static int first_pixel(const char *dir, bool train)
{
    Error err;
    Dataset *data = fashion_mnist_load(dir, train, &err);
    int pixel = data ? data->bytes[0] : -1;
    dataset_free(data);
    return pixel;
}

START_TEST(a_folder_given_is_looked_in_itself_and_below)
{
    const char *flat = scratch_subfolder("flat"), *deep = scratch_subfolder("deep");
    scratch_subfolder("deep/fashion-mnist");
    write_set("flat", "train", 3, 11, scratch_write, "");
    write_set("flat", "t10k", 2, 12, scratch_write, "");
    write_set("deep/fashion-mnist", "train", 3, 13, scratch_write, "");
    ck_assert_int_eq(first_pixel(flat, true), 11);
    ck_assert_int_eq(first_pixel(flat, false), 12);
    ck_assert_int_eq(first_pixel(deep, true), 13);
    ck_assert_int_eq(first_pixel(deep, false), -1);
}
END_TEST

START_TEST(files_may_be_gzipped_and_raw_ones_come_first)
{
    const char *folder = scratch_subfolder("packed");
    write_set("packed", "train", 3, 21, scratch_gzip, ".gz");
    ck_assert_int_eq(first_pixel(folder, true), 21);
    write_set("packed", "train", 3, 22, scratch_write, "");
    ck_assert_int_eq(first_pixel(folder, true), 22);
}
END_TEST

START_TEST(a_dot_may_replace_the_dash)
{
    const char *folder = scratch_subfolder("dots");
    dash = '.';
    write_set("dots", "train", 3, 23, scratch_gzip, ".gz");
    ck_assert_int_eq(first_pixel(folder, true), 23);
    write_set("dots", "train", 3, 24, scratch_write, "");
    ck_assert_int_eq(first_pixel(folder, true), 24);
    dash = '-';
    write_set("dots", "train", 3, 25, scratch_write, "");
    ck_assert_int_eq(first_pixel(folder, true), 25);
}
END_TEST

START_TEST(the_dataset_knows_its_classes_and_its_normalisation)
{
    Error err;
    const char *folder = scratch_subfolder("whole");
    write_set("whole", "train", 9, 31, scratch_write, "");
    Dataset *data = fashion_mnist_load(folder, true, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(data->count, 9);
    ck_assert_int_eq(data->classes, 10);
    ck_assert_str_eq(data->class_names[9], "ankle boot");
    ck_assert(data->mean == (real)0.2860 && data->std == (real)0.3530);
    ck_assert(shape_equal(data->sample, SHAPE(1, 28, 28)));
    ck_assert_int_eq(data->labels.data[8], 8);
    dataset_free(data);
}
END_TEST

/* $SLOPE_DATA/fashion-mnist before ./data/fashion-mnist. */
START_TEST(search_begins_at_slope_data_then_goes_to_data)
{
    char here[SCRATCH_PATH];
    scratch_subfolder("root");
    scratch_subfolder("root/fashion-mnist");
    scratch_subfolder("work");
    scratch_subfolder("work/data");
    scratch_subfolder("work/data/fashion-mnist");
    write_set("root/fashion-mnist", "train", 1, 41, scratch_write, "");
    write_set("work/data/fashion-mnist", "train", 1, 42, scratch_gzip, ".gz");

    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(scratch_path("work")), 0);
    setenv("SLOPE_DATA", scratch_path("root"), 1);
    int with_root = first_pixel(NULL, true);
    setenv("SLOPE_DATA", scratch_path("nowhere"), 1);
    int with_wrong_root = first_pixel(NULL, true);
    unsetenv("SLOPE_DATA");
    int without_root = first_pixel(NULL, true);
    ck_assert_int_eq(chdir(here), 0);

    ck_assert_int_eq(with_root, 41);
    ck_assert_int_eq(with_wrong_root, 42);
    ck_assert_int_eq(without_root, 42);
}
END_TEST

START_TEST(nothing_found_says_where_it_looked_and_what_to_do)
{
    static const char *const advice[] = {
        "apt-get install dataset-fashion-mnist", "train-images-idx3-ubyte", "47040016",
        "train-labels-idx1-ubyte", "60008", "t10k-images-idx3-ubyte", "7840016",
        "t10k-labels-idx1-ubyte", "10008",
    };
    Error err;
    const char *folder = scratch_subfolder("empty");
    ck_assert_ptr_null(fashion_mnist_load(folder, true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, folder));
    ck_assert_ptr_nonnull(strstr(err.problem, "empty/fashion-mnist"));
    ck_assert_ptr_null(strstr(err.problem, "/usr/share"));
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        ck_assert_msg(strstr(err.hint, advice[i]) != NULL, "no %s in: %s", advice[i], err.hint);
    ck_assert_ptr_nonnull(strstr(err.hint, folder));
}
END_TEST

/* On a machine that has the data set this search succeeds, so nothing is tested there. */
START_TEST(a_search_names_all_three_folders)
{
    char here[SCRATCH_PATH];
    Error err;
    if (access("/usr/share/datasets/fashion-mnist", F_OK) == 0)
        return;
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(scratch_folder), 0);
    setenv("SLOPE_DATA", "/nowhere/at-all", 1);
    Dataset *data = fashion_mnist_load(NULL, true, &err);
    unsetenv("SLOPE_DATA");
    ck_assert_int_eq(chdir(here), 0);
    ck_assert_ptr_null(data);
    ck_assert_ptr_nonnull(strstr(err.problem, "/nowhere/at-all/fashion-mnist, data/fashion-mnist, "
                                              "/usr/share/datasets/fashion-mnist"));
    ck_assert_ptr_nonnull(strstr(err.hint, "10008"));
}
END_TEST

/* Names too long for a path, or for an Error, are truncated or left out; no buffer overflows. */
START_TEST(long_folder_names_do_no_harm)
{
    static char name[6000];
    Error err;
    for (size_t length = 100; length < sizeof name - 1; length += 479) {
        memset(name, 'a', length);
        ck_assert_ptr_null(fashion_mnist_load(name, true, &err));
        ck_assert_ptr_nonnull(strstr(err.hint, "10008"));
    }
}
END_TEST

START_TEST(half_a_set_names_the_missing_file)
{
    Error err;
    const char *folder = scratch_subfolder("half");
    write_set("half", "train", 3, 51, scratch_write, "");
    ck_assert_int_eq(remove(scratch_path("half/train-labels-idx1-ubyte")), 0);
    ck_assert_ptr_null(fashion_mnist_load(folder, true, &err));
    ck_assert_str_eq(err.file, scratch_path("half/train-labels-idx1-ubyte"));
}
END_TEST

START_TEST(a_folder_that_may_not_be_read_is_reported_as_such)
{
    Error err;
    const char *folder = scratch_subfolder("locked");
    write_set("locked", "train", 3, 61, scratch_write, "");
    ck_assert_int_eq(chmod(folder, 0), 0);
    if (!scratch_drop_rights())
        return;
    Dataset *data = fashion_mnist_load(folder, true, &err);
    scratch_regain_rights();
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_ptr_null(data);
    ck_assert_ptr_nonnull(strstr(err.problem, "Permission denied"));
}
END_TEST

START_TEST(images_of_another_size_are_refused)
{
    static const uint8_t images[16 + 6] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};
    static const uint8_t labels[8 + 1] = {0, 0, 8, 1, 0, 0, 0, 1};
    Error err;
    const char *folder = scratch_subfolder("small");
    scratch_write("small/train-images-idx3-ubyte", images, sizeof images);
    scratch_write("small/train-labels-idx1-ubyte", labels, sizeof labels);
    ck_assert_ptr_null(fashion_mnist_load(folder, true, &err));
    ck_assert_str_eq(err.expected, "28 by 28 pixels");
    ck_assert_str_eq(err.found, "2 by 3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fashion_mnist");
    testing_add(suite, "search", 10, (const TTest *const[]){
        a_folder_given_is_looked_in_itself_and_below, files_may_be_gzipped_and_raw_ones_come_first,
        a_dot_may_replace_the_dash,
        the_dataset_knows_its_classes_and_its_normalisation,
        search_begins_at_slope_data_then_goes_to_data,
        nothing_found_says_where_it_looked_and_what_to_do, a_search_names_all_three_folders,
        long_folder_names_do_no_harm, half_a_set_names_the_missing_file,
        a_folder_that_may_not_be_read_is_reported_as_such, images_of_another_size_are_refused,
        NULL});
    return scratch_main(suite);
}
