/* tests/tensor/files/check_safetensors_refusals.c -- every way in which a safetensors file can be
 * bad.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/safetensors.h"

#include <check.h>

#include "tests/scratch.h"
#include "tests/tensor/files/safetensors_file.h"
#include "tests/testing.h"

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
    ck_assert_msg(s, "%s: %s; %s; %s", header, err.problem, err.expected, err.found);
    safetensors_free(s);
}

/* --- the file as a whole ---------------------------------------------------------------------- */

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

START_TEST(files_of_other_kinds_are_named)
{
    static const struct { const char *text, *name; } kinds[] = {
        {"<!DOCTYPE html><html>403</html>", "a web page"}, {"PK\x03\x04\x14.....", "a zip archive"},
        {"\x80\x02}q\x01(X\x06", "a Python pickle"}, {"\x93NUMPY\x01.v", "a NumPy array"},
    };
    Error err;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t size = strlen(kinds[i].text);
        ck_assert(!parse((const uint8_t *)kinds[i].text, size, &err));
        ck_assert_msg(strstr(err.hint, kinds[i].name) != NULL, "%s: %s", kinds[i].name, err.hint);
        scratch_write("other", kinds[i].text, size);
        ck_assert_ptr_null(safetensors_read(scratch_path("other"), SAFETENSORS_HEADER, &err));
        ck_assert_msg(strstr(err.hint, kinds[i].name) != NULL, "%s: %s", kinds[i].name, err.hint);
    }
}
END_TEST

START_TEST(a_header_that_is_too_long_is_refused)
{
    static uint8_t file[8 + SAFETENSORS_HEADER + 1];
    Error err;
    uint64_t before = memory_counts().allocations;
    memset(file, 0xff, 8);
    ck_assert(!parse(file, sizeof file, &err));
    ck_assert_str_eq(err.hint, "this is not a safetensors file");
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
    memcpy(file + 8, "{\"", 2); /* its own kind is no news, and no hint */
    ck_assert(!parse(file, sizeof file, &err));
    ck_assert_str_eq(err.hint, "if you trust the file, read it with a larger max_header");
    ck_assert(!safetensors_parse(file, 100, SIZE_MAX, "memory", &err));
    ck_assert_str_eq(err.hint, "the file is cut short, or is not a safetensors file");
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

/* Products of 2^64 (0 in 64 bits), of 2^64 + 4, of 2^62, one size beyond 2^63, and huge sizes
 * together with a 0. None may reach the allocator with the size that it declares. */
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
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[99999999],"
            "\"data_offsets\":[0,99999999]}}", 4, "ends before its data do");
}
END_TEST

START_TEST(keys_that_come_twice_are_refused)
{
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("a", 4, 8) "}", 8, "two entries named 'a'");
    refuses("{" ENTRY("a", 0, 4) "," ENTRY("\\u0061", 4, 8) "}", 8, "two entries named 'a'");
    refuses("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "two entries named '__metadata__'");
    refuses("{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}", 0, "two texts named 'k'");
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
            "a key occurs twice");
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
    refuses("{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "element type");
    refuses("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'\"'; '8'");
}
END_TEST

START_TEST(numbers_that_are_not_plain_are_refused)
{
    static const struct { const char *number, *text; } bad[] = {
        {"-4", "negative integer; '-'"}, {"+4", "'+'"}, {"4.0", "',' or ']'; '.'"}, {"4e0", "'e'"},
        {"04", "leading zeros"}, {"0x4", "'x'"}, {"00000000000000000004", "19 digits"},
        {"18446744073709551620", "19 digits"}, {"\"4\"", "negative integer"}, {"", "']'"},
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
    refuses("{\"a\":{\"dtype\":\"U8\",\"shape\":[4,],\"data_offsets\":[0,4]}}", 4,
            "non-negative integer");
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
    refuses("{\"\\u0000\":", 0, "neither 0");
    refuses("{\"\\ud83d\":", 0, "half a surrogate pair");
    refuses("{\"\\ude00\":", 0, "half a surrogate pair");
    refuses("{\"\\ud83d\\u0041\":", 0, "half a surrogate pair");
    refuses("{\"\\ud83d\\ud83d\":", 0, "half a surrogate pair");
    refuses("{\"line\nbreak\":", 0, "byte 0x0a");
    Error err;
    uint8_t file[TEST_FILE];
    ck_assert_ptr_null(parse(file, make_file(file, "{\"a\0b\":{}}", 10, 0), &err));
    ck_assert_str_eq(err.found, "byte 0x00");
    ck_assert_int_eq(err.offset, 8 + 3);
}
END_TEST

/* A stray continuation byte, overlong forms, a surrogate, values that are too large, truncation. */
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

/* A flipped bit in the data only changes an element. After a flip in the header the file may be
 * refused; if not, its tensors still hold all of the data. */
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
                bytes += (size_t)shape_count(s->item[i].shape) *
                         safetensors_dtype_size(s->item[i].dtype);
            ck_assert_uint_ge(bytes, sizeof example_data);
        }
        safetensors_free(s);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("safetensors refusals");
    testing_add(suite, "refusing", 20, (const TTest *const[]){
        a_good_header_is_accepted, every_truncation_is_refused, bytes_after_the_data_are_refused,
        a_header_that_is_too_long_is_refused, files_of_other_kinds_are_named,
        holes_and_overlaps_are_refused, a_span_that_is_not_the_shapes_is_refused,
        shapes_that_overflow_are_refused, keys_that_come_twice_are_refused,
        white_space_before_the_header_is_refused,
        keys_that_are_unknown_or_missing_are_refused, types_that_are_unknown_are_refused,
        numbers_that_are_not_plain_are_refused, deeper_nesting_is_refused,
        more_than_8_axes_are_refused, offsets_that_are_not_two_are_refused,
        metadata_of_other_than_strings_are_refused, broken_punctuation_is_refused,
        broken_strings_are_refused, bytes_that_are_not_utf8_are_refused,
        a_hostile_name_does_not_steer_the_terminal, no_flipped_bit_does_harm, NULL});
    return scratch_main(suite);
}
