/* tensor/files/json.h -- as much JSON as the header of a safetensors file needs: read on the spot.
 *
 *  - A JsonText is a text and a place in it; each json_… call takes what it names from there.
 *  - There is no tree and no recursion: the caller knows what must come next, asks for that, and
 *    anything else is an Error. So a text cannot nest deeper than its reader.
 *  - Strings are decoded in place: what is decoded is never longer than what was written.
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
    uint8_t    *bytes; /* need not end in NUL */
    size_t      size, at;
    const char *file;  /* for errors, … */
    int64_t     start; /* … whose offsets count from where the text stands in the file */
    Error      *err;
    bool        failed; /* set by slope_json_more, whose false can also mean the end of a list */
} JsonText;

/* The place of the next thing, after white space. */
size_t slope_json_place(JsonText *json);

/* Takes this character, after white space. */
bool slope_json_expect(JsonText *json, char c);

/* Called before each element of an object or array, n = 0, 1 …; takes the comma before it. False
 * when the list ended with `close`, which is taken too, or when the comma was missing. */
bool slope_json_more(JsonText *json, char close, int n);

/* A string: UTF-8, ended by NUL where it stands; one that holds a NUL itself is refused. */
bool slope_json_string(JsonText *json, const char **string);

/* A number of 1 to 19 digits and nothing else: no sign, point, exponent or leading zeros. */
bool slope_json_number(JsonText *json, uint64_t *number);

/* Nothing but white space may follow. */
bool slope_json_expect_end(JsonText *json);

/* Fills the error: at `at` in the text `expected` was to stand. Returns false. */
bool slope_json_unexpected(JsonText *json, size_t at, const char *expected);

/* The bytes of the UTF-8 character at p, 1 to 4; 0 if it is none. `left` >= 1. */
size_t slope_utf8_length(const uint8_t *p, size_t left);

#endif
