/* tests/tensor/files/safetensors_file.h -- files for the tests of safetensors, built in memory.
 *
 *  - make_file builds a file from a header and some data; example_file builds a whole good one.
 *  - parse reads such a file, and checks that a refusal says why and leaves nothing behind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_TENSOR_FILES_SAFETENSORS_FILE_H
#define SLOPE_TESTS_TENSOR_FILES_SAFETENSORS_FILE_H

#include <string.h>

#include "tensor/files/safetensors.h"
#include "tests/testing.h"

enum { TEST_FILE = 4096 };

/* The bytes of a file: the header's length, the header, and `data` bytes 0, 1, 2 … */
static inline size_t make_file(uint8_t file[TEST_FILE], const char *header, size_t header_size,
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

/* A refusal must give a reason and leave nothing behind. */
static inline Safetensors *parse(const uint8_t *data, size_t size, Error *err)
{
    uint8_t *copy = testing_copy(data, size);
    uint64_t before = testing_blocks();
    *err = (Error){0};
    Safetensors *s = safetensors_parse(copy, size, SAFETENSORS_HEADER, "memory", err);
    free(copy);
    if (!s) {
        testing_error(err, "memory");
        ck_assert_uint_eq(testing_blocks(), before);
    }
    return s;
}

static inline Safetensors *parse_header(const char *header, size_t data, Error *err)
{
    uint8_t file[TEST_FILE];
    return parse(file, make_file(file, header, strlen(header), data), err);
}

/* An entry of 4 bytes. */
#define ENTRY(name, begin, end) \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" #begin "," #end "]}"

/* One tensor of every type, in the order of the format. */
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
static inline size_t example_file(uint8_t file[TEST_FILE])
{
    char header[512];
    int n = snprintf(header, sizeof header, "%s", example_header);
    while (n % 8)
        header[n++] = ' ';
    size_t size = make_file(file, header, (size_t)n, sizeof example_data);
    memcpy(file + 8 + n, example_data, sizeof example_data);
    return size;
}

#endif
