/* tests/check_safetensors.c -- the safetensors format: what is written to the byte, what is read
 * back, and every way in which a file can be bad.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/safetensors.h"

#include <check.h>
#include <math.h>

#include "tensor/memory.h"
#include "tests/scratch.h"
#include "tests/testing.h"

enum { TEST_FILE = 4096 };

/* The bytes of a file: the header's length, the header, and `data` bytes 0, 1, 2 … */
static size_t make_file(uint8_t file[TEST_FILE], const char *header, size_t header_size,
                        size_t data)
{
    ck_assert_uint_le(8 + header_size + data, TEST_FILE);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)header_size >> 8 * i);
    memcpy(file + 8, header, header_size);
    for (size_t i = 0; i < data; i++)
        file[8 + header_size + i] = (uint8_t)i;
    return 8 + header_size + data;
}

/* Parses a copy that ends where the data end, so that the address sanitizer sees a byte too far.
 * A refusal must say something and leave nothing behind. */
static Safetensors *parse(const uint8_t *data, size_t size, Error *err)
{
    uint8_t *copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, size);
    MemoryCounts before = memory_counts();
    *err = (Error){0};
    Safetensors *s = safetensors_parse(copy, size, SAFETENSORS_HEADER, "memory", err);
    MemoryCounts after = memory_counts();
    free(copy);
    if (!s) {
        ck_assert_str_eq(err->file, "memory");
        ck_assert_int_gt(strlen(err->problem), 10);
        ck_assert_int_eq(err->expected[0] != 0, err->found[0] != 0);
        ck_assert_uint_eq(after.allocations - before.allocations, after.releases - before.releases);
    }
    return s;
}

static Safetensors *parse_header(const char *header, size_t data, Error *err)
{
    uint8_t file[TEST_FILE];
    return parse(file, make_file(file, header, strlen(header), data), err);
}

/* The header must be refused with an error that contains the text. */
static void refuses(const char *header, size_t data, const char *text)
{
    Error err;
    char whole[1024];
    Safetensors *s = parse_header(header, data, &err);
    ck_assert_msg(!s, "accepted %s", header);
    snprintf(whole, sizeof whole, "%s; %s; %s", err.problem, err.expected, err.found);
    ck_assert_msg(strstr(whole, text), "%s: \"%s\" does not say \"%s\"", header, whole, text);
}

static void accepts(const char *header, size_t data)
{
    Error err;
    Safetensors *s = parse_header(header, data, &err);
    ck_assert_msg(s, "%s: %s; expected %s, found %s", header, err.problem, err.expected, err.found);
    safetensors_free(s);
}

/* Writes the list, reads it back; both lists are then equal but for their order. */
static Safetensors *through_disk(const Safetensors *s)
{
    Error err;
    const char *path = scratch_path("list");
    ck_assert_msg(safetensors_write(s, path, &err), "%s", err.problem);
    Safetensors *back = safetensors_read(path, SAFETENSORS_HEADER, &err);
    ck_assert_msg(back, "%s; %s; %s", err.problem, err.expected, err.found);
    ck_assert_int_eq(back->count, s->count);
    ck_assert_int_eq(back->n_texts, s->n_texts);
    for (int i = 0; i < s->count; i++) {
        const NamedTensor *a = &s->item[i], *b = safetensors_find(back, a->name);
        ck_assert_ptr_nonnull(b);
        ck_assert_int_eq(a->dtype, b->dtype);
        ck_assert(shape_equal(a->shape, b->shape));
        ck_assert(!memcmp(a->data, b->data, (size_t)shape_count(a->shape) * dtype_size(a->dtype)));
    }
    return back;
}

/* --- what is written ----------------------------------------------------------------------- */

/* A small list of every type, out of order on purpose. */
static Safetensors *example(void)
{
    Safetensors *s = safetensors_new();
    memcpy(safetensors_add(s, "u", DTYPE_U8, SHAPE(3)), (uint8_t[]){7, 0, 255}, 3);
    memcpy(safetensors_add(s, "b", DTYPE_F32, SHAPE(1, 2)), (float[]){1.0f, -2.5f}, 8);
    memcpy(safetensors_add(s, "a", DTYPE_F32, SHAPE_SCALAR), (float[]){0.25f}, 4);
    memcpy(safetensors_add(s, "d", DTYPE_F64, SHAPE(1)), (double[]){-0.0}, 8);
    memcpy(safetensors_add(s, "i", DTYPE_I32, SHAPE(1)), (int32_t[]){-2}, 4);
    memcpy(safetensors_add(s, "n", DTYPE_I64, SHAPE_SCALAR), (int64_t[]){INT64_C(1) << 40}, 8);
    return s;
}

static const char example_header[] =
    "{\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
    "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,16]},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[16,20]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[20,28]},"
    "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[28,32]},"
    "\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[32,35]}}";
static const uint8_t example_data[35] = {
    0, 0, 0, 0, 0, 1, 0, 0,                         /* 2^40 */
    0, 0, 0, 0, 0, 0, 0, 0x80,                      /* -0.0 */
    0, 0, 0x80, 0x3e, 0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, /* 0.25, 1, -2.5 */
    0xfe, 0xff, 0xff, 0xff, 7, 0, 255,
};

/* The example as a file. */
static size_t example_file(uint8_t file[TEST_FILE])
{
    char header[512];
    int n = snprintf(header, sizeof header, "%s", example_header);
    while (n % 8)
        header[n++] = ' ';
    size_t size = make_file(file, header, (size_t)n, sizeof example_data);
    memcpy(file + 8 + n, example_data, sizeof example_data);
    return size;
}

START_TEST(a_file_is_right_to_the_byte)
{
    uint8_t expected[TEST_FILE];
    size_t size, expected_size = example_file(expected);
    Error err;
    Safetensors *s = example();
    ck_assert(safetensors_write(s, scratch_path("example"), &err));
    unsigned char *bytes = scratch_read(scratch_path("example"), &size);
    ck_assert_uint_eq(size, expected_size);
    ck_assert_mem_eq(bytes, expected, size);
    free(bytes);
    safetensors_free(s);
}
END_TEST

START_TEST(an_empty_list_is_a_file_of_16_bytes)
{
    size_t size;
    Safetensors *s = safetensors_new();
    safetensors_free(through_disk(s));
    unsigned char *bytes = scratch_read(scratch_path("list"), &size);
    ck_assert_uint_eq(size, 16);
    ck_assert_mem_eq(bytes, "\x08\0\0\0\0\0\0\0{}      ", 16);
    free(bytes);
    safetensors_free(s);
}
END_TEST

START_TEST(texts_come_first_in_the_order_of_their_keys)
{
    static const char header[] =
        "{\"__metadata__\":{\"a\":\"\",\"b\":\"2\"},"
        "\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    size_t size;
    Error err;
    Safetensors *s = safetensors_new();
    safetensors_add(s, "x", DTYPE_U8, SHAPE(0));
    safetensors_add_text(s, "b", "2");
    safetensors_add_text(s, "a", "");
    ck_assert(safetensors_write(s, scratch_path("texts"), &err));
    unsigned char *bytes = scratch_read(scratch_path("texts"), &size);
    ck_assert_mem_eq(bytes + 8, header, strlen(header));
    free(bytes);
    safetensors_free(s);
}
END_TEST

START_TEST(misuse_of_a_list_is_named)
{
    Safetensors *s = safetensors_new();
    safetensors_add(s, "x", DTYPE_U8, SHAPE(0));
    safetensors_add_text(s, "k", "v");
    ck_assert_fails(safetensors_add(s, "x", DTYPE_I64, SHAPE(1)), "already has a tensor 'x'");
    ck_assert_fails(safetensors_add(s, "__metadata__", DTYPE_U8, SHAPE(1)), "cannot be named");
    ck_assert_fails(safetensors_add(s, "\xff", DTYPE_U8, SHAPE(1)), "not UTF-8");
    ck_assert_fails((safetensors_add_text(s, "k", ""), 0), "already has a text 'k'");
    ck_assert_fails((safetensors_add_text(s, "l", "\xc3"), 0), "not UTF-8");
    safetensors_free(s);
}
END_TEST

/* --- what comes back ----------------------------------------------------------------------- */

START_TEST(every_type_comes_back)
{
    Safetensors *s = example(), *back = through_disk(s);
    ck_assert_str_eq(back->item[0].name, "n"); /* in the order of the file */
    ck_assert_str_eq(back->item[5].name, "u");
    ck_assert_int_eq(*(int64_t *)back->item[0].data, INT64_C(1) << 40);
    ck_assert_ptr_null(safetensors_find(back, "x"));
    ck_assert_ptr_null(safetensors_find_text(back, "x"));
    safetensors_free(back);
    safetensors_free(s);
}
END_TEST

/* Longer than the writer's chunk, and its length no multiple of it. */
START_TEST(large_tensors_come_back)
{
    Safetensors *s = safetensors_new();
    int64_t *n = safetensors_add(s, "n", DTYPE_I64, SHAPE(3, 3001));
    uint8_t *u = safetensors_add(s, "u", DTYPE_U8, SHAPE(40001));
    for (int i = 0; i < 9003; i++)
        n[i] = INT64_C(-1234567890123) * i;
    for (int i = 0; i < 40001; i++)
        u[i] = (uint8_t)(i * i >> 4);
    safetensors_free(through_disk(s));
    safetensors_free(s);
}
END_TEST

START_TEST(scalars_and_empty_tensors_come_back)
{
    Safetensors *s = safetensors_new();
    safetensors_add(s, "empty", DTYPE_F32, SHAPE(3, 0, 2));
    safetensors_add(s, "also empty", DTYPE_F32, SHAPE(0));
    *(float *)safetensors_add(s, "full", DTYPE_F32, SHAPE_SCALAR) = 3.0f;
    safetensors_add(s, "eight", DTYPE_I32, SHAPE(1, 2, 1, 1, 1, 1, 2, 1));
    safetensors_free(through_disk(s));
    safetensors_free(s);
}
END_TEST

/* Signalling and quiet, with either sign. */
START_TEST(every_bit_of_a_nan_comes_back)
{
    static const uint32_t bits[] = {0x7fc00000, 0x7f800001, 0xffc12345, 0xffffffff, 0xff800000};
    static const uint64_t wide[] = {0x7ff0000000000001, 0xfff8deadbeefcafe, 0x7ff0000000000000};
    Safetensors *s = safetensors_new();
    memcpy(safetensors_add(s, "f", DTYPE_F32, SHAPE(5)), bits, sizeof bits);
    memcpy(safetensors_add(s, "d", DTYPE_F64, SHAPE(3)), wide, sizeof wide);
    safetensors_free(through_disk(s));
    safetensors_free(s);
}
END_TEST

START_TEST(names_and_texts_of_any_characters_come_back)
{
    static const char *const names[] = {
        "", "weight.0", "\"quoted\"", "back\\slash/", "tab\tline\nreturn\r\b\f", "\x01\x1f\x7f",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "__metadata_", "\\u0041"};
    Safetensors *s = safetensors_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *(uint8_t *)safetensors_add(s, names[i], DTYPE_U8, SHAPE(1)) = (uint8_t)i;
        safetensors_add_text(s, names[i], names[9 - i]);
    }
    Safetensors *back = through_disk(s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_str_eq(safetensors_find_text(back, names[i]), names[9 - i]);
    safetensors_free(back);
    safetensors_free(s);
}
END_TEST

START_TEST(escapes_are_decoded)
{
    Error err;
    Safetensors *s = parse_header("{\"__metadata__\":{\"\\u00e4\\u20AC\\ud83d\\uDE00\":"
                                  "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"}}", 0, &err);
    ck_assert_ptr_nonnull(s);
    ck_assert_str_eq(s->text[0].key, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    ck_assert_str_eq(s->text[0].value, "\"\\/\b\f\n\r\tA");
    safetensors_free(s);
}
END_TEST

/* 1, -2, the largest, the smallest normal and subnormal, -0, Inf, a NaN with payload. */
START_TEST(halves_become_floats)
{
    static const uint16_t half[] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x03ff, 0x8000,
                                    0xfc00, 0x7e01};
    static const float value[] = {1, -2, 65504, 0x1p-14f, 0x1p-24f, 1023 * 0x1p-24f, -0.0f,
                                  -INFINITY};
    uint8_t file[TEST_FILE];
    const char *header = "{\"h\":{\"dtype\":\"F16\",\"shape\":[9],\"data_offsets\":[0,18]}}";
    size_t size = make_file(file, header, strlen(header), 18);
    for (int i = 0; i < 9; i++) {
        file[size - 18 + 2 * i] = (uint8_t)half[i];
        file[size - 17 + 2 * i] = (uint8_t)(half[i] >> 8);
    }
    Error err;
    Safetensors *s = parse(file, size, &err);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(s->item[0].dtype, DTYPE_F32);
    ck_assert_mem_eq(s->item[0].data, value, sizeof value);
    ck_assert_mem_eq((float *)s->item[0].data + 8, &(uint32_t){0x7fc02000}, 4);
    safetensors_free(s);
}
END_TEST

START_TEST(bfloats_become_floats)
{
    uint8_t file[TEST_FILE];
    const char *header = "{\"h\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    size_t size = make_file(file, header, strlen(header), 4);
    memcpy(file + size - 4, "\x80\x3f\x20\xc0", 4);
    Error err;
    Safetensors *s = parse(file, size, &err);
    ck_assert_ptr_nonnull(s);
    ck_assert_mem_eq(s->item[0].data, ((float[]){1, -2.5f}), 8);
    safetensors_free(s);
}
END_TEST

/* PyTorch's own counters are integers; wider numbers are rounded; one that would overflow is not. */
START_TEST(numbers_are_converted)
{
    Error err;
    Safetensors *s = example();
    Tensor *x = tensor_zeros(SHAPE(1)), *y = tensor_zeros(SHAPE_SCALAR);
    ck_assert(safetensors_get(s, "i", x, &err));
    ck_assert_close(tensor_read(x)[0], -2, 0);
    ck_assert(safetensors_get(s, "n", y, &err));
    ck_assert_close(tensor_item(y), 0x1p40, 0);
    ck_assert(safetensors_get(s, "a", y, &err));
    ck_assert_close(tensor_item(y), 0.25, 0);
    *(double *)safetensors_add(s, "large", DTYPE_F64, SHAPE_SCALAR) = 1e300;
    bool is_double = sizeof(real) == 8;
    ck_assert_int_eq(safetensors_get(s, "large", y, &err), is_double);
    if (!is_double) {
        ck_assert_close(tensor_item(y), 0.25, 0);
        ck_assert_ptr_nonnull(strstr(err.problem, "too large for a float"));
    }
    *(double *)safetensors_add(s, "infinite", DTYPE_F64, SHAPE_SCALAR) = INFINITY;
    ck_assert(safetensors_get(s, "infinite", y, &err));
    ck_assert(isinf(tensor_item(y)));
    tensor_free(x), tensor_free(y);
    safetensors_free(s);
}
END_TEST

START_TEST(tensors_of_any_strides_are_gathered_and_filled)
{
    Error err;
    Safetensors *s = safetensors_new();
    Tensor *x = tensor_from(SHAPE(2, 3), (real[]){1, 2, 3, 4, 5, 6});
    Tensor *t = tensor_transpose(x, 0, 1), *y = tensor_zeros(SHAPE(2, 3));
    Tensor *u = tensor_transpose(y, 0, 1);
    safetensors_add_tensor(s, "t", t);
    ck_assert_mem_eq(s->item[0].data, ((real[]){1, 4, 2, 5, 3, 6}), 6 * sizeof(real));
    ck_assert(safetensors_get(s, "t", u, &err));
    ck_assert(tensor_same_bits(x, y));
    ck_assert(!safetensors_get(s, "t", y, &err));
    ck_assert_str_eq(err.expected, "(2, 3)");
    ck_assert_str_eq(err.found, "(3, 2)");
    tensor_free(x), tensor_free(t), tensor_free(y), tensor_free(u);
    safetensors_free(s);
}
END_TEST

/* --- what is refused ----------------------------------------------------------------------- */

#define ENTRY(name, begin, end) \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" #begin "," #end "]}"

START_TEST(a_good_header_is_accepted)
{
    accepts("{}", 0);
    accepts("{ } \n\t\r ", 0);
    accepts("{" ENTRY("a", 0, 4) "}", 4);
    accepts("{" ENTRY("b", 4, 8) "," ENTRY("a", 0, 4) "}", 8);
    accepts("{\"__metadata__\" : { } , " ENTRY("a", 0, 4) " }", 4);
    accepts("{\"a\":{\"shape\":[ 4 ],\"data_offsets\":[0 , 4],\"dtype\":\"U8\"}}", 4);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    uint8_t file[TEST_FILE];
    size_t whole = example_file(file);
    Error err;
    for (size_t size = 0; size < whole; size++) {
        ck_assert_msg(!parse(file, size, &err), "%zu bytes", size);
        ck_assert_ptr_nonnull(strstr(err.problem, "ends before"));
        scratch_write("cut", file, size);
        ck_assert_ptr_null(safetensors_read(scratch_path("cut"), SAFETENSORS_HEADER, &err));
        ck_assert_str_eq(err.file, scratch_path("cut"));
    }
}
END_TEST

START_TEST(bytes_after_the_data_are_refused)
{
    refuses("{" ENTRY("a", 0, 4) "}", 5, "more bytes follow");
    refuses("{}", 1, "more bytes follow");
}
END_TEST

START_TEST(a_header_that_is_too_long_is_refused)
{
    static uint8_t file[8 + SAFETENSORS_HEADER + 1];
    Error err;
    uint64_t before = memory_counts().allocations;
    memset(file, 0xff, 8);
    ck_assert(!parse(file, sizeof file, &err));
    ck_assert_str_eq(err.hint, "this is no safetensors file");
    memcpy(file, "\x01\xe1\xf5\x05\0\0\0", 8); /* 100,000,001 */
    ck_assert(!safetensors_parse(file, sizeof file, SIZE_MAX, "memory", &err));
    ck_assert_str_eq(err.expected, "at most 100000000 bytes");
    memcpy(file, "\x41\x42\x0f\0\0\0\0", 8); /* 1,000,001 */
    ck_assert(!parse(file, sizeof file, &err));
    ck_assert_uint_eq(memory_counts().allocations, before);

    memset(file + 8, ' ', sizeof file - 8);
    memcpy(file + 8, "{}", 2);
    Safetensors *s = safetensors_parse(file, sizeof file, SAFETENSORS_HEADER + 1, "memory", &err);
    ck_assert_ptr_nonnull(s);
    safetensors_free(s);
}
END_TEST

START_TEST(holes_and_overlaps_are_refused)
{
    refuses("{" ENTRY("a", 1, 5) "}", 5, "do not begin where");
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("b", 5, 9) "}", 9, "offset 4; 5");
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("b", 3, 7) "}", 7, "offset 4; 3");
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("b", 0, 4) "}", 4, "do not begin where");
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("b", 0, 4) "}", 8, "do not begin where");
}
END_TEST

START_TEST(a_span_that_is_not_the_shapes_is_refused)
{
    refuses("{" ENTRY("a", 0, 5) "}", 5, "4 bytes; 0 to 5");
    refuses("{" ENTRY("a", 0, 3) "}", 3, "disagree");
    refuses("{" ENTRY("a", 4, 0) "}", 4, "4 bytes; 4 to 0");
    refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "16 bytes");
    refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,0]}}", 0, "4 bytes");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[9,8]}}", 0, "0 bytes");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],"
            "\"data_offsets\":[9999999999999999996,4]}}", 4, "disagree");
}
END_TEST

/* Products of 2^64 (0 in 64 bits), of 2^64 + 4, of 2^62, one size beyond 2^63, and huge ones beside
 * a 0. None may reach the allocator with what it declares. */
START_TEST(shapes_that_overflow_are_refused)
{
    static const char *const shapes[] = {
        "4294967296,4294967296", "4,4611686018427387905", "2147483648,2147483648",
        "9999999999999999999", "0,4294967296,4294967296", "4294967296,0,4294967296",
        "65536,65536,65536,65536,65536,65536,65536,65536"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char header[256];
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"F64\",\"shape\":[%s],\"data_offsets\":[0,0]}}", shapes[i]);
        refuses(header, 0, "more elements than memory can hold");
    }
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[99999999999],\"data_offsets\":[0,99999999999]}}", 4,
            "ends before its data do");
}
END_TEST

START_TEST(keys_that_come_twice_are_refused)
{
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("a", 4, 8) "}", 8, "two entries named 'a'");
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("\\u0061", 4, 8) "}", 8, "two entries named 'a'");
    refuses("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "two entries named '__metadata__'");
    refuses("{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}", 0, "two texts named 'k'");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
            "same key twice");
}
END_TEST

START_TEST(white_space_before_the_header_is_refused)
{
    refuses(" {}", 0, "'{' as the first byte; byte 0x20");
    refuses("\n{}", 0, "as the first byte");
    refuses("", 0, "as the first byte");
    refuses("\xef\xbb\xbf{}", 0, "as the first byte; byte 0xef");
}
END_TEST

START_TEST(keys_that_are_unknown_or_missing_are_refused)
{
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":0}}", 4,
            "unknown key");
    refuses("{\"a\":{\"Dtype\":\"U8\"}}", 4, "dtype, shape or data_offsets; 'Dtype'");
    refuses("{\"a\":{}}", 0, "lacks");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, "lacks");
    refuses("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, "lacks");
    refuses("{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "lacks");
}
END_TEST

START_TEST(types_that_are_unknown_are_refused)
{
    refuses("{\"a\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "or U8; 'I16'");
    refuses("{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "or U8; 'f32'");
    refuses("{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "type of numbers");
    refuses("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'\"'; '8'");
}
END_TEST

START_TEST(numbers_that_are_not_plain_are_refused)
{
    static const struct { const char *number, *text; } bad[] = {
        {"-4", "not negative; '-'"}, {"+4", "'+'"}, {"4.0", "',' or ']'; '.'"}, {"4e0", "'e'"},
        {"04", "leading zeros"}, {"0x4", "'x'"}, {"00000000000000000004", "19 digits"},
        {"18446744073709551620", "19 digits"}, {"\"4\"", "whole number"}, {"", "']'"},
        {"null", "'n'"}, {"4 4", "',' or ']'"}, {"-0", "'-'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char header[256];
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,%s]}}", bad[i].number);
        refuses(header, 4, bad[i].text);
    }
}
END_TEST

START_TEST(deeper_nesting_is_refused)
{
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[[4]],\"data_offsets\":[0,4]}}", 4, "'['");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[{}],\"data_offsets\":[0,4]}}", 4, "'{'");
    refuses("{\"__metadata__\":{\"k\":{}}}", 0, "'{'");
    refuses("{\"__metadata__\":{\"k\":[\"v\"]}}", 0, "'['");
    char deep[3001];
    memset(deep, '[', 3000);
    memcpy(deep, "{\"a\":{\"shape\":[", 15);
    deep[3000] = '\0';
    refuses(deep, 0, "'['");
}
END_TEST

START_TEST(more_than_8_axes_are_refused)
{
    accepts("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,4],\"data_offsets\":[0,4]}}", 4);
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,4]}}", 4,
            "at most 8 axes");
}
END_TEST

START_TEST(offsets_that_are_not_two_are_refused)
{
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4]}}", 4, "two offsets");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[]}}", 4, "two offsets");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4,8]}}", 4, "two offsets");
}
END_TEST

START_TEST(metadata_of_other_than_strings_are_refused)
{
    refuses("{\"__metadata__\":{\"k\":1}}", 0, "'1'");
    refuses("{\"__metadata__\":\"k\"}", 0, "'{'; '\"'");
    refuses("{\"__metadata__\":null}", 0, "'n'");
    refuses("{\"__metadata__\":{1:\"v\"}}", 0, "'1'");
}
END_TEST

START_TEST(broken_punctuation_is_refused)
{
    refuses("{", 0, "the end of the header");
    refuses("[]", 0, "first byte");
    refuses("{}}", 0, "the end of the header; '}'");
    refuses("{}{}", 0, "the end of the header; '{'");
    refuses("{" ENTRY("a", 0, 4) ",}", 4, "'\"'; '}'");
    refuses("{," ENTRY("a", 0, 4) "}", 4, "','");
    refuses("{" ENTRY("a", 0, 4) ENTRY("b", 4, 8) "}", 8, "',' or '}'");
    refuses("{\"a\" {}}", 0, "':'");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4,],\"data_offsets\":[0,4]}}", 4, "whole number");
    refuses("{a:{}}", 0, "'a'");
    refuses("{'a':{}}", 0, "'\"'");
    refuses("{/**/}", 0, "'/'");
}
END_TEST

START_TEST(broken_strings_are_refused)
{
    refuses("{\"a", 0, "the end of the header");
    refuses("{\"a\\", 0, "after the backslash; the end");
    refuses("{\"\\x\":", 0, "after the backslash; 'x'");
    refuses("{\"\\u12", 0, "hexadecimal");
    refuses("{\"\\u12g4\":", 0, "digits; 'g'");
    refuses("{\"\\u0000\":", 0, "not 0");
    refuses("{\"\\ud83d\":", 0, "half a pair");
    refuses("{\"\\ude00\":", 0, "half a pair");
    refuses("{\"\\ud83d\\u0041\":", 0, "half a pair");
    refuses("{\"\\ud83d\\ud83d\":", 0, "half a pair");
    refuses("{\"line\nbreak\":", 0, "byte 0x0a");
    Error err;
    uint8_t file[TEST_FILE];
    ck_assert_ptr_null(parse(file, make_file(file, "{\"a\0b\":{}}", 10, 0), &err));
    ck_assert_str_eq(err.found, "byte 0x00");
    ck_assert_int_eq(err.offset, 8 + 3);
}
END_TEST

/* A stray continuation, forms longer than needed, halves of pairs, too large, cut short. */
START_TEST(bytes_that_are_not_utf8_are_refused)
{
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
                                      "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xc3("};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char header[64];
        snprintf(header, sizeof header, "{\"%s\":{}}", bad[i]);
        refuses(header, 0, "UTF-8");
        snprintf(header, sizeof header, "{\"%s", bad[i]);
        refuses(header, 0, "UTF-8");
    }
}
END_TEST

START_TEST(a_hostile_name_does_not_steer_the_terminal)
{
    Error err;
    char header[512];
    snprintf(header, sizeof header, "{\"\\u001b[2J\\u009b2J%0200d\":{}}", 0);
    ck_assert_ptr_null(parse_header(header, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "?[2J\xc2?2J000"));
    ck_assert_ptr_nonnull(strstr(err.problem, "0...'"));
}
END_TEST

/* What is still accepted after a flip in the header must be a different file; in the data, the same
 * list but for one number. */
START_TEST(no_flipped_bit_does_harm)
{
    uint8_t file[TEST_FILE];
    size_t size = example_file(file), data = size - sizeof example_data;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        Error err;
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        Safetensors *s = parse(file, size, &err);
        ck_assert(s || bit / 8 < data);
        if (s) {
            size_t bytes = 0;
            for (int i = 0; i < s->count; i++)
                bytes += (size_t)shape_count(s->item[i].shape) * dtype_size(s->item[i].dtype);
            ck_assert_uint_ge(bytes, sizeof example_data);
        }
        safetensors_free(s);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

/* --- memory -------------------------------------------------------------------------------- */

static int allocations_left;
static Allocator heap;

static void *scarce_allocate(size_t bytes, void *ctx)
{
    (void)ctx;
    return allocations_left-- > 0 ? heap.allocate(bytes, heap.ctx) : NULL;
}

static void scarce_release(void *block, void *ctx)
{
    (void)ctx;
    heap.release(block, heap.ctx);
}

/* The first n allocations go well, for every n until it works. */
START_TEST(no_memory_is_an_error)
{
    uint8_t file[TEST_FILE];
    const char *header = "{\"__metadata__\":{\"k\":\"v\"}," ENTRY("a", 0, 4) "," ENTRY("b", 4, 8) "}";
    size_t size = make_file(file, header, strlen(header), 8);
    Safetensors *s = NULL;
    heap = memory_set_allocator((Allocator){scarce_allocate, scarce_release, NULL});
    int n = 0;
    for (; !s; n++) {
        Error err;
        allocations_left = n;
        s = parse(file, size, &err);
        if (!s)
            ck_assert_ptr_nonnull(strstr(err.problem, "memory is too short"));
    }
    ck_assert_int_gt(n, 8);
    for (int i = 0; i < 4; i++) {
        Error err;
        allocations_left = i;
        ck_assert(!safetensors_write(s, scratch_path("none"), &err));
        ck_assert_int_eq(access(scratch_path("none"), F_OK), -1);
    }
    safetensors_free(s);
    memory_set_allocator(heap);
}
END_TEST

START_TEST(many_names_are_quickly_compared)
{
    static char header[SAFETENSORS_HEADER];
    static uint8_t file[SAFETENSORS_HEADER + 8];
    size_t n = 1;
    header[0] = '{';
    for (int i = 0; n < sizeof header - 100; i++)
        n += (size_t)snprintf(header + n, 99, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[0],"
                              "\"data_offsets\":[0,0]}", i ? "," : "", i);
    header[n++] = '}';
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    Error err;
    Safetensors *s = parse(file, n + 8, &err);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_gt(s->count, 15000);
    safetensors_free(s);
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("safetensors");
    scratch_make();
    testing_add(suite, "writing", 10, (const TTest *const[]){
        a_file_is_right_to_the_byte, an_empty_list_is_a_file_of_16_bytes,
        texts_come_first_in_the_order_of_their_keys, misuse_of_a_list_is_named, NULL});
    testing_add(suite, "reading", 10, (const TTest *const[]){
        every_type_comes_back, large_tensors_come_back, scalars_and_empty_tensors_come_back,
        every_bit_of_a_nan_comes_back, names_and_texts_of_any_characters_come_back,
        escapes_are_decoded, halves_become_floats, bfloats_become_floats, numbers_are_converted,
        tensors_of_any_strides_are_gathered_and_filled, NULL});
    testing_add(suite, "refusing", 20, (const TTest *const[]){
        a_good_header_is_accepted, every_truncation_is_refused, bytes_after_the_data_are_refused,
        a_header_that_is_too_long_is_refused, holes_and_overlaps_are_refused,
        a_span_that_is_not_the_shapes_is_refused, shapes_that_overflow_are_refused,
        keys_that_come_twice_are_refused, white_space_before_the_header_is_refused,
        keys_that_are_unknown_or_missing_are_refused, types_that_are_unknown_are_refused,
        numbers_that_are_not_plain_are_refused, deeper_nesting_is_refused,
        more_than_8_axes_are_refused, offsets_that_are_not_two_are_refused,
        metadata_of_other_than_strings_are_refused, broken_punctuation_is_refused,
        broken_strings_are_refused, bytes_that_are_not_utf8_are_refused,
        a_hostile_name_does_not_steer_the_terminal, no_flipped_bit_does_harm, NULL});
    testing_add(suite, "memory", 20, (const TTest *const[]){
        no_memory_is_an_error, many_names_are_quickly_compared, NULL});
    int status = testing_main(suite);
    scratch_remove();
    return status;
}
