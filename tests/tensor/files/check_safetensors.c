/* tests/tensor/files/check_safetensors.c -- the safetensors format: what is written, to the byte,
 * and what is read back. tests/tensor/files/check_safetensors_refusals.c has the bad files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/safetensors.h"

#include <check.h>
#include <math.h>

#include "tests/allocator.h"
#include "tests/scratch.h"
#include "tests/tensor/files/safetensors_file.h"
#include "tests/testing.h"

/* Writes the list, reads it back, and asserts that both are equal except for their order. */
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
        ck_assert(!memcmp(a->data, b->data,
                          (size_t)shape_count(a->shape) * safetensors_dtype_size(a->dtype)));
    }
    return back;
}

/* --- what is written -------------------------------------------------------------------------- */

/* A small list with every type, deliberately out of order. */
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

START_TEST(a_header_that_readers_would_refuse_is_not_written)
{
    static char name[SAFETENSORS_HEADER];
    Error err;
    Safetensors *s = safetensors_new();
    memset(name, 'n', sizeof name - 1);
    safetensors_add(s, name, DTYPE_U8, SHAPE(0));
    ck_assert(!safetensors_write(s, scratch_path("refused"), &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "readers refuse more than 1000000"));
    ck_assert_int_eq(access(scratch_path("refused"), F_OK), -1);
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

/* --- what comes back -------------------------------------------------------------------------- */

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

/* Longer than the writer's chunk, and not a multiple of it. */
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

/* 35615 is 0x8b1f: the file begins with gzip's two magic bytes, but is not gzipped. */
START_TEST(a_header_length_that_looks_like_gzip_is_a_length)
{
    static uint8_t file[8 + 35615] = {0x1f, 0x8b};
    Error err;
    memset(file + 8, ' ', 35615);
    memcpy(file + 8, "{}", 2);
    const char *path = scratch_write("length", file, sizeof file);
    Safetensors *s = safetensors_read(path, SAFETENSORS_HEADER, &err);
    ck_assert_msg(s, "%s", err.problem);
    ck_assert_int_eq(s->count, 0);
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

/* Integers, such as PyTorch's counters, are converted; a wider number is rounded, unless it would
 * overflow. */
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
    *(double *)safetensors_add(s, "infinite", DTYPE_F64, SHAPE_SCALAR) = (double)INFINITY;
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

/* --- memory ----------------------------------------------------------------------------------- */

/* Allocations fail after the first n, for n = 0, 1, 2, … until reading succeeds. */
START_TEST(no_memory_is_an_error)
{
    uint8_t file[TEST_FILE];
    const char *header = "{\"__metadata__\":{\"k\":\"v\"},"
                         ENTRY("a", 0, 4) "," ENTRY("b", 4, 8) "}";
    size_t size = make_file(file, header, strlen(header), 8);
    Safetensors *s = NULL;
    watch_begin();
    int n = 0;
    for (; !s; n++) {
        Error err;
        watch.fail_at = watch.calls + n;
        s = parse(file, size, &err);
        if (!s)
            ck_assert_ptr_nonnull(strstr(err.problem, "out of memory"));
    }
    ck_assert_int_gt(n, 8);
    bool written = false;
    for (n = 0; !written; n++) {
        Error err;
        watch.fail_at = watch.calls + n;
        written = safetensors_write(s, scratch_path("none"), &err);
        ck_assert_int_eq(access(scratch_path("none"), F_OK), written ? 0 : -1);
    }
    ck_assert_int_gt(n, 3); /* two sorted copies, the header, and one that succeeds */
    safetensors_free(s);
    watch_end();
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
    testing_add(suite, "writing", 10, (const TTest *const[]){
        a_file_is_right_to_the_byte, an_empty_list_is_a_file_of_16_bytes,
        texts_come_first_in_the_order_of_their_keys,
        a_header_that_readers_would_refuse_is_not_written, misuse_of_a_list_is_named, NULL});
    testing_add(suite, "reading", 10, (const TTest *const[]){
        every_type_comes_back, large_tensors_come_back, scalars_and_empty_tensors_come_back,
        every_bit_of_a_nan_comes_back, names_and_texts_of_any_characters_come_back,
        escapes_are_decoded, halves_become_floats, bfloats_become_floats, numbers_are_converted,
        tensors_of_any_strides_are_gathered_and_filled,
        a_header_length_that_looks_like_gzip_is_a_length, NULL});
    testing_add(suite, "memory", 20, (const TTest *const[]){
        no_memory_is_an_error, many_names_are_quickly_compared, NULL});
    return scratch_main(suite);
}
