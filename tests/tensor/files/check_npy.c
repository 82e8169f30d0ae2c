/* tests/tensor/files/check_npy.c -- .npy files: what is written, all that is read, and all that is
 * refused.
 *
 * Given a folder it leaves files there for tests/npy_numpy.py and reads those that NumPy made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/npy.h"

#include <float.h>
#include <math.h>

#include "tensor/memory.h"
#include "tests/scratch.h"
#include "tests/testing.h"

enum { NPY_FILE = 20000 };

/* A file: magic, version, the header's length in 2 or 4 bytes, the header, the data. */
static size_t make_file(uint8_t file[NPY_FILE], int version, const char *header, size_t header_size,
                        const void *data, size_t data_size)
{
    size_t n = 8, length = version == 1 ? 2 : 4;
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    file[7] = 0;
    for (size_t i = 0; i < length; i++)
        file[n++] = (uint8_t)(header_size >> 8 * i);
    ck_assert_uint_le(n + header_size + data_size, NPY_FILE);
    memcpy(file + n, header, header_size);
    if (data_size)
        memcpy(file + n + header_size, data, data_size);
    return n + header_size + data_size;
}

/* Parses a copy that ends where the data end, so that the address sanitizer sees a byte too far. A
 * refusal must say something and leave nothing behind. */
static Tensor *parse(const uint8_t *data, size_t size, Error *err)
{
    uint8_t *copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, size);
    memory_trim();
    MemoryCounts before = memory_counts();
    *err = (Error){0};
    Tensor *x = npy_parse(copy, size, "memory", err);
    free(copy);
    if (!x) {
        memory_trim();
        MemoryCounts after = memory_counts();
        ck_assert_uint_eq(after.allocations - before.allocations, after.releases - before.releases);
        ck_assert_str_eq(err->file, "memory");
        ck_assert_int_gt(strlen(err->problem), 10);
        ck_assert_int_eq(err->expected[0] != 0, err->found[0] != 0);
    }
    return x;
}

static Tensor *parse_header(int version, const char *header, const void *data, size_t size,
                            Error *err)
{
    uint8_t file[NPY_FILE];
    return parse(file, make_file(file, version, header, strlen(header), data, size), err);
}

/* The header of n numbers of a type. */
#define HEADER(descr, shape) \
    "{'descr': '" descr "', 'fortran_order': False, 'shape': " shape ", }  \n"

/* --- good files ------------------------------------------------------------------------------- */

START_TEST(all_types_and_byte_orders_are_read)
{
    static const struct {
        const char *header;
        size_t      size;
        uint8_t     data[16];
        double      want[2];
    } file[] = {
        {HEADER("<f4", "(2,)"), 8, {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}, {1.5, -2}},
        {HEADER(">f4", "(2,)"), 8, {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}, {1.5, -2}},
        {HEADER("<f8", "(1,)"), 8, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, {1.5}},
        {HEADER(">f8", "(1,)"), 8, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, {1.5}},
        {HEADER("<i4", "(2,)"), 8, {5, 1, 0, 0, 0xfe, 0xff, 0xff, 0xff}, {261, -2}},
        {HEADER(">i4", "(2,)"), 8, {0, 0, 1, 5, 0xff, 0xff, 0xff, 0xfe}, {261, -2}},
        {HEADER("<i8", "(1,)"), 8, {3, 0, 0, 0, 1, 0, 0, 0}, {4294967296.0 + 3}},
        {HEADER(">i8", "(2,)"), 16, {255, 255, 255, 255, 255, 255, 255, 254, [15] = 7}, {-2, 7}},
        {HEADER("|u1", "(2,)"), 2, {255, 7}, {255, 7}},
        {HEADER("<u1", "(2,)"), 2, {255, 7}, {255, 7}},
        {HEADER("|b1", "(2,)"), 2, {1, 0}, {1, 0}},
    };
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        for (int version = 1; version <= 3; version++) {
            Error err;
            Tensor *x = parse_header(version, file[i].header, file[i].data, file[i].size, &err);
            ck_assert_msg(x != NULL, "%s %s", file[i].header, err.problem);
            for (ptrdiff_t k = 0; k < tensor_count(x); k++)
                ck_assert_msg(tensor_read(x)[k] == (real)file[i].want[k], "%s", file[i].header);
            tensor_free(x);
        }
}
END_TEST

START_TEST(fortran_order_and_all_shapes_are_read)
{
    static const uint8_t data[] = {0, 1, 2, 3, 4, 5};
    Error err;
    Tensor *x = parse_header(1, "{'descr':'|u1','fortran_order':True,'shape':(2,3)}\n", data, 6,
                             &err);
    ck_assert_tensor(x, SHAPE(2, 3), 0, 0, 2, 4, 1, 3, 5);
    ck_assert(tensor_is_contiguous(x));
    tensor_free(x);
    x = parse_header(1, HEADER("|u1", "()"), data + 5, 1, &err);
    ck_assert_tensor(x, SHAPE_SCALAR, 0, 5);
    tensor_free(x);
    x = parse_header(1, HEADER("|u1", "(1, 1, 2, 1, 1, 3, 1, 1)"), data, 6, &err);
    ck_assert_tensor(x, SHAPE(1, 1, 2, 1, 1, 3, 1, 1), 0, 0, 1, 2, 3, 4, 5);
    tensor_free(x);
    x = parse_header(1, HEADER("<f8", "(3, 0, 2)"), NULL, 0, &err);
    ck_assert(shape_equal(x->shape, SHAPE(3, 0, 2)));
    tensor_free(x);
}
END_TEST

START_TEST(any_spacing_and_order_of_keys_is_read)
{
    static const char *const good[] = {
        "{'shape': (2,), 'fortran_order': False, 'descr': '|u1'}\n",
        "{\"descr\":\"|u1\",\"fortran_order\":True,\"shape\":(2,)}\n",
        " { 'descr' : '|u1' , 'fortran_order' : False , 'shape' : ( 2 , ) , } \n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2,), }\n\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Error err;
        Tensor *x = parse_header(1, good[i], "\1\2", 2, &err);
        ck_assert_msg(x != NULL, "%s: %s", good[i], err.problem);
        tensor_free(x);
    }
}
END_TEST

/* --- bad files -------------------------------------------------------------------------------- */

START_TEST(every_rule_of_the_header_is_kept)
{
    static const char *const bad[] = {
        HEADER("|O", "(2,)"), HEADER("|O8", "(2,)"), HEADER("<f2", "(2,)"), HEADER("<c8", "(2,)"),
        HEADER("<u4", "(2,)"), HEADER("|S2", "(2,)"), HEADER("<U1", "(2,)"), HEADER("=f4", "(2,)"),
        HEADER("f4", "(2,)"), HEADER("|f4", "(2,)"), HEADER("<f4 ", "(2,)"), HEADER("", "(2,)"),
        HEADER("<  ", "(2,)"), HEADER("< u", "(2,)"), HEADER("<1 ", "(2,)"),
        HEADER("|u1", "(2)"), HEADER("|u1", "2"), HEADER("|u1", "[2]"), HEADER("|u1", "(-2,)"),
        HEADER("|u1", "(02,)"), HEADER("|u1", "(2L,)"), HEADER("|u1", "(,)"),
        HEADER("|u1", "(2,,)"),
        HEADER("|u1", "(2 1)"), HEADER("|u1", "(2.0,)"), HEADER("|u1", "(1,1,1,1,1,1,1,1,2)"),
        HEADER("|u1", "(00000000000000000002,)"), HEADER("|u1", "None"), HEADER("|u1", "("),
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", /* no newline */
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'more': 1}\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}\n",
        "{'descr': '|u1', 'fortran_order': False}\n",
        "{'descr': '|u1', 'shape': (2,)}\n", "{'fortran_order': False, 'shape': (2,)}\n", "{}\n",
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}\n",
        "{'descr': '|u1', 'fortran_order': false, 'shape': (2,)}\n",
        "{'descr': '|u1' 'fortran_order': False, 'shape': (2,)}\n",
        "{'descr': '|u1',, 'fortran_order': False, 'shape': (2,)}\n",
        "{'descr' '|u1', 'fortran_order': False, 'shape': (2,)}\n",
        "{'descr': '|\\x751', 'fortran_order': False, 'shape': (2,)}\n",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2,)}\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)\n", "\n", "x\n", "{'\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Error err;
        ck_assert_msg(!parse_header(1, bad[i], "\1\2", 2, &err), "accepted: %s", bad[i]);
        ck_assert_int_ge(err.offset, 10);
    }
}
END_TEST

START_TEST(hints_say_what_to_do)
{
    Error err;
    ck_assert(!parse_header(1, HEADER("|O", "(2,)"), "\1\2", 2, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "objects"));
    ck_assert(!parse_header(1, HEADER("<f2", "(1,)"), "\1\2", 2, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, "astype"));
    ck_assert(!parse((const uint8_t *)"PK\3\4........", 12, &err));
    ck_assert_ptr_nonnull(strstr(err.hint, ".npz"));
}
END_TEST

START_TEST(magic_and_version_are_checked)
{
    uint8_t file[NPY_FILE];
    Error err;
    const char *header = HEADER("|u1", "(2,)");
    size_t size = make_file(file, 1, header, strlen(header), "\1\2", 2);
    for (int i = 0; i < 8; i++) {
        file[i] ^= 0x40;
        ck_assert(!parse(file, size, &err));
        ck_assert_int_eq(err.offset, i < 6 ? 0 : 6);
        file[i] ^= 0x40;
    }
    file[6] = 0;
    ck_assert(!parse(file, size, &err));
    file[6] = 4;
    ck_assert(!parse(file, size, &err));
    ck_assert_str_eq(err.found, "4.0");
}
END_TEST

START_TEST(every_truncation_and_what_follows_is_refused)
{
    uint8_t file[NPY_FILE];
    Error err;
    for (int version = 1; version <= 3; version++) {
        const char *header = HEADER("<f4", "(2, 1)");
        size_t size = make_file(file, version, header, strlen(header), "\0\0\0\0\0\0\0\0", 8);
        for (size_t n = 0; n < size; n++)
            ck_assert_msg(!parse(file, n, &err), "%zu of %zu bytes", n, size);
        file[size] = 0;
        ck_assert(!parse(file, size + 1, &err));
        ck_assert_str_eq(err.expected, "8 bytes");
        ck_assert_str_eq(err.found, "9");
    }
}
END_TEST

/* Whatever a flipped bit does, a tensor that comes back fits its bytes. */
START_TEST(bit_flips_do_no_harm)
{
    uint8_t file[NPY_FILE];
    Error err;
    const char *header = HEADER("<i4", "(2, 2)");
    size_t size = make_file(file, 1, header, strlen(header), "0123456789abcdef", 16);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        Tensor *x = parse(file, size, &err);
        ck_assert(!x || tensor_count(x) == 4 || tensor_count(x) == 2 || tensor_count(x) == 16);
        tensor_free(x);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

START_TEST(hostile_sizes_are_refused_before_allocating)
{
    static const char *const bad[] = {
        HEADER("<f4", "(4294967296, 4294967296)"), HEADER("<f8", "(2305843009213693952,)"),
        HEADER("<f8", "(0, 4294967296, 4294967296)"), HEADER("|u1", "(9999999999999999999,)"),
        HEADER("<f8", "(4294967296, 4294967296, 0)"), HEADER("<f4", "(1073741824,)"),
        HEADER("|u1", "(9223372036854775807, 2)"), HEADER("|u1", "(576460752303423488,)"),
    };
    Error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memory_trim();
        uint64_t before = memory_counts().allocations;
        ck_assert(!parse_header(1, bad[i], "\0\0\0\0", 4, &err));
        ck_assert(!parse_header(1, bad[i], NULL, 0, &err));
        ck_assert_msg(!strstr(err.problem, "too short"), "%s", bad[i]);
        ck_assert_uint_eq(memory_counts().allocations, before);
    }
}
END_TEST

START_TEST(a_header_of_10000_bytes_is_read_and_no_longer_one)
{
    static char header[10002];
    Error err;
    uint8_t file[NPY_FILE];
    strcpy(header, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }");
    memset(header + strlen(header), ' ', sizeof header - strlen(header) - 1);
    for (int version = 1; version <= 2; version++) {
        header[9999] = '\n';
        Tensor *x = parse(file, make_file(file, version, header, 10000, "\1\2", 2), &err);
        ck_assert_ptr_nonnull(x);
        tensor_free(x);
        header[9999] = ' ';
        header[10000] = '\n';
        ck_assert(!parse(file, make_file(file, version, header, 10001, "\1\2", 2), &err));
        ck_assert_str_eq(err.found, "10001");
    }
    file[11] = 0xff; /* a length of 4 GB */
    ck_assert(!parse(file, 100, &err));
}
END_TEST

START_TEST(numbers_are_converted_or_refused)
{
    double wide[] = {1e300, 0.1};
    Error err;
    Tensor *x = parse_header(1, HEADER("<f8", "(2,)"), wide, 16, &err);
    ck_assert_int_eq(x != NULL, sizeof(real) == 8);
    if (!x)
        ck_assert_ptr_nonnull(strstr(err.problem, "number 0"));
    tensor_free(x);
    wide[0] = -HUGE_VAL;
    x = parse_header(1, HEADER("<f8", "(2,)"), wide, 16, &err);
    ck_assert(x && isinf(tensor_read(x)[0]) && tensor_read(x)[1] == (real)0.1);
    tensor_free(x);
}
END_TEST

/* --- writing ---------------------------------------------------------------------------------- */

START_TEST(what_is_saved_is_loaded)
{
    Error err;
    const char *path = scratch_path("x.npy");
    Shape shapes[] = {SHAPE_SCALAR, SHAPE(0), SHAPE(5), SHAPE(2, 3), SHAPE(3, 0, 2),
                      SHAPE(1, 2, 1, 2, 1, 2, 1, 2), SHAPE(100, 101)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        Tensor *x = tensor_new(shapes[i]);
        for (ptrdiff_t k = 0; k < tensor_count(x); k++)
            tensor_write(x)[k] = k == 3 ? (real)NAN : k == 4 ? -(real)INFINITY : (real)k / 7;
        ck_assert(npy_save(path, x, &err));
        Tensor *y = npy_load(path, &err);
        ck_assert_msg(y != NULL, "%s", err.problem);
        ck_assert(tensor_same_bits(x, y));
        tensor_free(x), tensor_free(y);
    }
}
END_TEST

START_TEST(a_saved_file_has_the_bytes_that_numpy_writes)
{
    Error err;
    size_t size;
    Tensor *x = tensor_from(SHAPE(2), (real[]){1, -2});
    ck_assert(npy_save(scratch_path("bytes.npy"), x, &err));
    unsigned char *bytes = scratch_read(scratch_path("bytes.npy"), &size);
    char want[128];
    memset(want, ' ', sizeof want);
    memcpy(want, "\x93NUMPY\1\0\x76\0", 10);
    int n = snprintf(want + 10, 118, "{'descr': '<f%d', 'fortran_order': False, 'shape': (2,), }",
                     (int)sizeof(real));
    want[10 + n] = ' ';
    want[127] = '\n';
    ck_assert_uint_eq(size, 128 + 2 * sizeof(real));
    ck_assert_mem_eq(bytes, want, 128);
    ck_assert_uint_eq(bytes[size - 1], 0xc0);
    free(bytes);
    tensor_free(x);
}
END_TEST

START_TEST(views_are_saved_row_major)
{
    Error err;
    Tensor *x = tensor_from(SHAPE(2, 3), (real[]){1, 2, 3, 4, 5, 6});
    Tensor *t = tensor_transpose(x, 0, 1);
    ck_assert(npy_save(scratch_path("t.npy"), t, &err));
    Tensor *y = npy_load(scratch_path("t.npy"), &err);
    ck_assert_tensor(y, SHAPE(3, 2), 0, 1, 4, 2, 5, 3, 6);
    tensor_free(x), tensor_free(t), tensor_free(y);
}
END_TEST

START_TEST(files_that_cannot_be_had_are_reported)
{
    Error err;
    Tensor *x = tensor_scalar(1);
    ck_assert(!npy_save(scratch_path("no/folder.npy"), x, &err));
    ck_assert_str_eq(err.file, scratch_path("no/folder.npy"));
    ck_assert_ptr_null(npy_load(scratch_path("missing.npy"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "No such file"));
    ck_assert_ptr_null(npy_load(scratch_folder, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "folder"));
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    ck_assert_ptr_null(npy_load(scratch_path("fifo"), &err));
    ck_assert_ptr_null(npy_load(scratch_write("short.npy", "\x93NUMPY\1\0\x76", 9), NULL));
    tensor_free(x);
}
END_TEST

/* --- for tests/npy_numpy.py ------------------------------------------------------------------- */

/* Copies each of NumPy's files in the folder as NAME.npy to ours-NAME.npy. */
static int copy_for_numpy(const char *folder)
{
    char from[SCRATCH_PATH], to[SCRATCH_PATH];
    int bad = 0, n = 0;
    for (;; n++) {
        Error err;
        snprintf(from, sizeof from, "%s/%d.npy", folder, n);
        snprintf(to, sizeof to, "%s/ours-%d.npy", folder, n);
        if (access(from, F_OK) != 0)
            break;
        Tensor *x = npy_load(from, &err);
        bool ok = x && npy_save(to, x, &err);
        if (!ok)
            error_print(stderr, &err);
        bad += !ok;
        tensor_free(x);
    }
    return n == 0 || bad ? 1 : 0;
}

/* ------------------------------------------------------------------------------------------ */

static Suite *npy_suite(void)
{
    Suite *suite = suite_create("npy");
    TCase *files = tcase_create("files");
    testing_add(suite, "good", 10, (const TTest *const[]){
        all_types_and_byte_orders_are_read, fortran_order_and_all_shapes_are_read,
        any_spacing_and_order_of_keys_is_read, numbers_are_converted_or_refused, NULL});
    testing_add(suite, "bad", 10, (const TTest *const[]){
        every_rule_of_the_header_is_kept, hints_say_what_to_do, magic_and_version_are_checked,
        every_truncation_and_what_follows_is_refused, bit_flips_do_no_harm,
        hostile_sizes_are_refused_before_allocating,
        a_header_of_10000_bytes_is_read_and_no_longer_one, NULL});
    tcase_add_unchecked_fixture(files, scratch_make, scratch_remove);
    tcase_add_test(files, what_is_saved_is_loaded);
    tcase_add_test(files, a_saved_file_has_the_bytes_that_numpy_writes);
    tcase_add_test(files, views_are_saved_row_major);
    tcase_add_test(files, files_that_cannot_be_had_are_reported);
    suite_add_tcase(suite, files);
    return suite;
}

int main(int argc, char **argv)
{
    return argc > 1 ? copy_for_numpy(argv[1]) : testing_main(npy_suite());
}
