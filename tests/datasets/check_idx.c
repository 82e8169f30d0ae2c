/* tests/datasets/check_idx.c -- good IDX files, and every way in which one can be bad.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"

#include "tensor/memory.h"
#include "tests/scratch.h"

/* Two images of 2 by 3 pixels, three labels. */
static const uint8_t images_file[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,   0,  0,
                                      0, 3, 0, 1, 2, 3, 4, 5, 9, 8, 7, 255, 10, 11};
static const uint8_t labels_file[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9};

/* A refusal must leave nothing behind. */
static bool parse(const uint8_t *data, size_t size, int ndim, IdxArray *out, Error *err)
{
    uint8_t *copy = testing_copy(data, size);
    bool ok = idx_parse(copy, size, "memory", ndim, out, err);
    free(copy);
    if (!ok) {
        ck_assert_ptr_null(out->bytes);
        testing_error(err, "memory");
    }
    return ok;
}

static void put_size(uint8_t *file, int axis, uint32_t size)
{
    for (int i = 0; i < 4; i++)
        file[4 + 4 * axis + i] = (uint8_t)(size >> (24 - 8 * i));
}

/* --- in memory -------------------------------------------------------------------------------- */

START_TEST(parse_gives_sizes_and_bytes)
{
    IdxArray a;
    Error err;
    ck_assert(parse(images_file, sizeof images_file, 3, &a, &err));
    ck_assert_int_eq(a.ndim, 3);
    ck_assert_int_eq(a.dim[0], 2);
    ck_assert_int_eq(a.dim[1], 2);
    ck_assert_int_eq(a.dim[2], 3);
    ck_assert_mem_eq(a.bytes, images_file + 16, 12);
    idx_free(&a);
    ck_assert_ptr_null(a.bytes);

    ck_assert(parse(labels_file, sizeof labels_file, 1, &a, &err));
    ck_assert_int_eq(a.dim[0], 3);
    ck_assert_mem_eq(a.bytes, labels_file + 8, 3);
    idx_free(&a);
}
END_TEST

START_TEST(parse_refuses_every_truncation)
{
    IdxArray a;
    Error err;
    for (size_t size = 0; size < sizeof images_file; size++) {
        ck_assert_msg(!parse(images_file, size, 3, &a, &err), "%zu bytes", size);
        ck_assert_int_eq(err.offset, size < 16 ? (int64_t)size : 16);
        ck_assert(err.expected[0]);
    }
}
END_TEST

START_TEST(parse_refuses_a_wrong_magic)
{
    IdxArray a;
    Error err;
    for (int i = 0; i < 4; i++) {
        uint8_t file[sizeof images_file];
        memcpy(file, images_file, sizeof file);
        file[i] ^= 0x05; /* byte 2: 08 becomes 0d, 32-bit floats */
        ck_assert(!parse(file, sizeof file, 3, &a, &err));
        ck_assert_int_eq(err.offset, i);
        ck_assert_str_eq(err.expected, "00 00 08 03");
    }
    ck_assert_str_eq(err.found, "00 00 08 06");
}
END_TEST

START_TEST(other_element_types_are_named)
{
    static const char *const names[] = {"signed bytes", "an unknown type", "16-bit integers",
                                        "32-bit integers", "32-bit floats", "64-bit floats"};
    IdxArray a;
    Error err;
    uint8_t file[sizeof images_file];
    memcpy(file, images_file, sizeof file);
    for (uint8_t code = 0x09; code <= 0x0e; code++) {
        file[2] = code;
        ck_assert(!parse(file, sizeof file, 3, &a, &err));
        ck_assert_ptr_nonnull(strstr(err.problem, "the elements have a different type: "));
        ck_assert_ptr_nonnull(strstr(err.problem, names[code - 0x09]));
        ck_assert_ptr_nonnull(strstr(err.hint, "unsigned bytes"));
    }
    ck_assert(!parse((const uint8_t *)"\0\0\x0c\2\0\0\0\1\0\0\0\x08", 12, 1, &a, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "QMNIST"));
}
END_TEST

START_TEST(files_of_other_kinds_are_named)
{
    static const struct { const char *text, *name; } kinds[] = {
        {"<!DOCTYPE html><html>403</html>", "a web page"}, {"\n\n<html><head>", "a web page"},
        {"PK\x03\x04 and more", "a zip archive"}, {"\x89PNG\r\n\x1a\n....", "a PNG picture"},
        {"\xfd" "7zXZ........", "an xz file"}, {"\x93NUMPY.......", "a NumPy array"},
        {"MATLAB 5.0 MAT-file", "a MATLAB file"}, {"\x80\x02}q.......", "a Python pickle"},
        {"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"},
    };
    IdxArray a;
    Error err;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ck_assert(!parse((const uint8_t *)kinds[i].text, strlen(kinds[i].text), 3, &a, &err));
        ck_assert_ptr_nonnull(strstr(err.problem, "does not begin like an IDX file"));
        ck_assert_msg(strstr(err.hint, kinds[i].name) != NULL, "%s: %s", kinds[i].name, err.hint);
    }
}
END_TEST

START_TEST(parse_says_when_images_and_labels_are_swapped)
{
    IdxArray a;
    Error err;
    ck_assert(!parse(labels_file, sizeof labels_file, 3, &a, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "swapped"));
}
END_TEST

/* Products near 2^96, of 2^64 (which is 0 in 64 bits), of 2^63, of 3 * 2^64 + 12 (which is 12 in
 * 64 bits, just the bytes present), sizes that are only larger than the file, and huge sizes
 * together with a 0, so that no bytes need follow. None may reach the allocator. */
START_TEST(parse_refuses_huge_sizes_before_allocating)
{
    static const uint32_t sizes[][3] = {
        {0xffffffff, 0xffffffff, 0xffffffff}, {0x80000000, 0x80000000, 4},
        {0x80000000, 0x80000000, 2},          {769546, 1484310, 48448661},
        {0xffffffff, 0, 0xffffffff},          {0x80000000, 1, 1},
        {0xffffffff, 0x40000000, 2},          {0, 0xffffffff, 0xffffffff},
    };
    IdxArray a;
    Error err;
    uint8_t file[sizeof images_file];
    memcpy(file, images_file, sizeof file);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int axis = 0; axis < 3; axis++)
            put_size(file, axis, sizes[i][axis]);
        uint64_t before = memory_counts().allocations;
        ck_assert(!parse(file, sizeof file, 3, &a, &err));
        ck_assert(!parse(file, 16, 3, &a, &err));
        ck_assert_uint_eq(memory_counts().allocations, before);
    }
}
END_TEST

START_TEST(parse_accepts_no_examples)
{
    IdxArray a;
    Error err;
    uint8_t file[sizeof images_file];
    memcpy(file, images_file, sizeof file);
    put_size(file, 0, 0);
    ck_assert(parse(file, 16, 3, &a, &err));
    ck_assert_int_eq(a.dim[0], 0);
    ck_assert_int_eq(a.dim[2], 3);
    idx_free(&a);
    ck_assert(!parse(file, 17, 3, &a, &err));
}
END_TEST

START_TEST(parse_refuses_trailing_bytes)
{
    IdxArray a;
    Error err;
    uint8_t file[sizeof images_file + 1] = {0};
    memcpy(file, images_file, sizeof images_file);
    ck_assert(!parse(file, sizeof file, 3, &a, &err));
    ck_assert_str_eq(err.found, "13");
    ck_assert(!idx_parse(file, sizeof file, "memory", 3, &a, NULL)); /* the Error is optional */
}
END_TEST

START_TEST(parse_with_no_axis_or_four_is_misuse)
{
    IdxArray a;
    Error err;
    const size_t size = sizeof images_file;
    ck_assert_fails(idx_parse(images_file, size, "memory", 0, &a, &err), "idx_parse");
    ck_assert_fails(idx_parse(images_file, size, "memory", 4, &a, &err), "idx_parse");
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static bool read_bytes(const void *bytes, size_t size, int ndim, IdxArray *out, Error *err)
{
    const char *path = scratch_write("file", bytes, size);
    bool ok = idx_read(path, ndim, out, err);
    if (!ok) {
        ck_assert_ptr_null(out->bytes);
        testing_error(err, path);
    }
    return ok;
}

START_TEST(read_gives_what_parse_gives)
{
    IdxArray a;
    Error err;
    ck_assert(read_bytes(images_file, sizeof images_file, 3, &a, &err));
    ck_assert_int_eq(a.dim[2], 3);
    ck_assert_mem_eq(a.bytes, images_file + 16, 12);
    idx_free(&a);
    for (size_t size = 0; size < sizeof images_file; size++)
        ck_assert(!read_bytes(images_file, size, 3, &a, &err));
    ck_assert(err.expected[0]);
}
END_TEST

START_TEST(read_refuses_huge_sizes_before_allocating)
{
    IdxArray a;
    Error err;
    uint8_t file[sizeof images_file];
    memcpy(file, images_file, sizeof file);
    put_size(file, 0, 0x7fffffff);
    uint64_t before = memory_counts().allocations;
    ck_assert(!read_bytes(file, sizeof file, 3, &a, &err));
    put_size(file, 1, 0x7fffffff);
    ck_assert(!read_bytes(file, sizeof file, 3, &a, &err));
    ck_assert_uint_eq(memory_counts().allocations, before);
}
END_TEST

START_TEST(read_refuses_trailing_bytes)
{
    IdxArray a;
    Error err;
    uint8_t file[sizeof images_file + 5] = {0};
    memcpy(file, images_file, sizeof images_file);
    ck_assert(!read_bytes(file, sizeof file, 3, &a, &err));
    ck_assert_int_eq(err.offset, sizeof images_file);
    ck_assert_str_eq(err.found, "33");
}
END_TEST

START_TEST(read_refuses_what_is_no_file)
{
    IdxArray a;
    Error err;
    ck_assert(!idx_read(scratch_path("missing"), 3, &a, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "No such file"));
    ck_assert(!idx_read(scratch_folder, 3, &a, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "folder"));
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    ck_assert(!idx_read(scratch_path("fifo"), 3, &a, &err)); /* and does not wait for a writer */
    ck_assert_ptr_nonnull(strstr(err.problem, "pipe"));
}
END_TEST

START_TEST(read_reports_a_file_it_may_not_read)
{
    IdxArray a;
    Error err;
    const char *path = scratch_write("secret", images_file, sizeof images_file);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (!scratch_drop_rights())
        return;
    bool ok = idx_read(path, 3, &a, &err);
    scratch_regain_rights();
    ck_assert(!ok);
    ck_assert_ptr_nonnull(strstr(err.problem, "Permission denied"));
}
END_TEST

/* --- images with labels ----------------------------------------------------------------------- */

static Dataset *load(const uint8_t *images, size_t images_size, const uint8_t *labels,
                     size_t labels_size, Error *err)
{
    const char *images_path = scratch_write("images", images, images_size);
    const char *labels_path = scratch_write("labels", labels, labels_size);
    return idx_load_pair("pair", images_path, labels_path, 10, err);
}

START_TEST(pair_makes_a_dataset)
{
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 0};
    Error err;
    Dataset *data = load(images_file, sizeof images_file, labels, sizeof labels, &err);
    ck_assert_ptr_nonnull(data);
    ck_assert_str_eq(data->name, "pair");
    ck_assert_int_eq(data->count, 2);
    ck_assert(shape_equal(data->sample, SHAPE(1, 2, 3)));
    ck_assert_mem_eq(data->bytes, images_file + 16, 12);
    ck_assert_ptr_null(data->features);
    ck_assert_int_eq(data->labels.count, 2);
    ck_assert_int_eq(data->labels.data[0], 7);
    ck_assert_int_eq(data->labels.data[1], 0);
    ck_assert_int_eq(data->classes, 10);
    ck_assert(data->mean == 0 && data->std == 1);
    dataset_free(data);
}
END_TEST

START_TEST(pair_refuses_a_label_that_is_no_class)
{
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 9, 10};
    Error err;
    ck_assert_ptr_null(load(images_file, sizeof images_file, labels, sizeof labels, &err));
    testing_error(&err, scratch_path("labels"));
    ck_assert_int_eq(err.offset, 9);
    ck_assert_str_eq(err.expected, "0 to 9");
    ck_assert_str_eq(err.found, "10");
    ck_assert_ptr_nonnull(strstr(err.hint, "pass 11 classes")); /* EMNIST's letters are 1 to 26 */
    Dataset *data = idx_load_pair("pair", scratch_path("images"), scratch_path("labels"), 11, &err);
    ck_assert_ptr_nonnull(data);
    dataset_free(data);
}
END_TEST

START_TEST(pair_refuses_counts_that_differ)
{
    Error err;
    ck_assert_ptr_null(load(images_file, sizeof images_file, labels_file, 8 + 3, &err));
    testing_error(&err, scratch_path("labels"));
    ck_assert_str_eq(err.expected, "2 labels");
    ck_assert_str_eq(err.found, "3");
}
END_TEST

START_TEST(pair_refuses_no_images_and_images_of_no_pixels)
{
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 0};
    Error err;
    uint8_t images[16];
    memcpy(images, images_file, sizeof images);
    put_size(images, 0, 0);
    ck_assert_ptr_null(load(images, sizeof images, labels, sizeof labels, &err));
    testing_error(&err, scratch_path("images"));
    put_size(images, 0, 3);
    put_size(images, 2, 0);
    ck_assert_ptr_null(load(images, sizeof images, labels_file, sizeof labels_file, &err));
    testing_error(&err, scratch_path("images"));
}
END_TEST

START_TEST(pair_names_the_file_that_is_bad)
{
    Error err;
    ck_assert_ptr_null(load(images_file, 20, labels_file, sizeof labels_file, &err));
    testing_error(&err, scratch_path("images"));
    ck_assert_ptr_null(load(images_file, sizeof images_file, labels_file, 9, &err));
    testing_error(&err, scratch_path("labels"));
    ck_assert_ptr_null(idx_load_pair("pair", scratch_path("images"), scratch_path("no"), 10, &err));
    testing_error(&err, scratch_path("no"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idx");
    testing_add(suite, "in memory", 10, (const TTest *const[]){
        parse_gives_sizes_and_bytes, parse_refuses_every_truncation, parse_refuses_a_wrong_magic,
        other_element_types_are_named, files_of_other_kinds_are_named,
        parse_says_when_images_and_labels_are_swapped, parse_refuses_huge_sizes_before_allocating,
        parse_accepts_no_examples, parse_refuses_trailing_bytes,
        parse_with_no_axis_or_four_is_misuse, NULL});
    testing_add(suite, "files", 10, (const TTest *const[]){
        read_gives_what_parse_gives, read_refuses_huge_sizes_before_allocating,
        read_refuses_trailing_bytes, read_refuses_what_is_no_file,
        read_reports_a_file_it_may_not_read, pair_makes_a_dataset,
        pair_refuses_a_label_that_is_no_class, pair_refuses_counts_that_differ,
        pair_refuses_no_images_and_images_of_no_pixels, pair_names_the_file_that_is_bad, NULL});
    return scratch_main(suite);
}
