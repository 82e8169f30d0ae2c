/* tensor/files/json.h -- the part of JSON that the header of a safetensors file needs, parsed in
 * place. Internal: programs call the readers.
 *
 *  - A JsonText is a text and a position in it; each slope_json_… call consumes what it names.
 *  - There is no tree and no recursion: the caller knows what must come next and asks for it, and
 *    anything else is an Error. So a text cannot nest deeper than the calls of its reader.
 *  - Strings are decoded in place: a decoded string is never longer than the written one.
 *
 *      if (!slope_json_expect(&json, '{'))                 // {"a": 1, "b": 2}
 *          return false;
 *      for (int n = 0; slope_json_more(&json, '}', n); n++)
 *          if (!slope_json_string(&json, &key) || !slope_json_expect(&json, ':') ||
 *              !slope_json_number(&json, &x))
 *              return false;
 *      return !json.failed;
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_JSON_H
#define SLOPE_TENSOR_FILES_JSON_H

#include <stddef.h>

#include "tensor/error.h"

typedef struct JsonText {
    uint8_t    *bytes;  /* need not end in NUL */
    size_t      size, at;
    const char *file;   /* what errors call it */
    int64_t     start;  /* where in the file the text begins; errors give offsets in the file */
    Error      *err;
    bool        failed; /* set by slope_json_more, whose false can also mean the end of a list */
} JsonText;

/* Skips white space and returns the position of what follows it. */
size_t slope_json_place(JsonText *json);

/* Consumes this character, after any white space. */
bool slope_json_expect(JsonText *json, char c);

/* Call it before each element n = 0, 1 … of an object or array: it consumes the comma before the
 * element. Returns false at the end of the list, after consuming `close`, or if the comma is
 * missing, after setting `failed`. */
bool slope_json_more(JsonText *json, char close, int n);

/* A string in UTF-8, decoded and NUL-terminated in place; a string that contains a NUL is
 * refused. */
bool slope_json_string(JsonText *json, const char **string);

/* A number of 1 to 19 digits and nothing else: no sign, point, exponent or leading zeros. */
bool slope_json_number(JsonText *json, uint64_t *number);

/* Nothing but white space may follow. */
bool slope_json_expect_end(JsonText *json);

/* Fills the error: at position `at` the text should have had `expected`. Returns false. */
bool slope_json_unexpected(JsonText *json, size_t at, const char *expected);

/* The length of the UTF-8 character at p, 1 to 4 bytes, or 0 if it is not valid. `left`, at least
 * 1, is the number of bytes that may be read. */
size_t slope_utf8_length(const uint8_t *p, size_t left);

#endif
