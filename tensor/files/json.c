/* tensor/files/json.c -- reading strings, numbers and punctuation from a JSON text.
 *
 * Source: RFC 8259 (JSON), RFC 3629 (UTF-8).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/json.h"

#include <string.h>

enum { JSON_END = -1, JSON_MAX_DIGITS = 19 };

/* --- the position ----------------------------------------------------------------------------- */

static int json_peek(const JsonText *json)
{
    return json->at < json->size ? json->bytes[json->at] : JSON_END;
}

static int json_skip_space(JsonText *json)
{
    int c = json_peek(json);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        json->at++;
        c = json_peek(json);
    }
    return c;
}

size_t slope_json_place(JsonText *json)
{
    json_skip_space(json);
    return json->at;
}

bool slope_json_unexpected(JsonText *json, size_t at, const char *expected)
{
    int c = at < json->size ? json->bytes[at] : JSON_END;
    error_set(json->err, json->file, json->start + (int64_t)at, "the header is not well formed");
    if (c == JSON_END)
        return error_expected(json->err, expected, "the end of the header");
    if (c > ' ' && c < 0x7f)
        return error_expected(json->err, expected, "'%c'", c);
    return error_expected(json->err, expected, "byte 0x%02x", (unsigned)c);
}

/* --- punctuation ------------------------------------------------------------------------------ */

bool slope_json_expect(JsonText *json, char c)
{
    if (json_skip_space(json) != c)
        return slope_json_unexpected(json, json->at, (char[]){'\'', c, '\'', '\0'});
    json->at++;
    return true;
}

bool slope_json_more(JsonText *json, char close, int n)
{
    int c = json_skip_space(json);
    if (c == close) {
        json->at++;
        return false;
    }
    if (n == 0)
        return true;
    if (c == ',') {
        json->at++;
        return true;
    }
    json->failed = true;
    return slope_json_unexpected(json, json->at, close == '}' ? "',' or '}'" : "',' or ']'");
}

bool slope_json_expect_end(JsonText *json)
{
    return json_skip_space(json) == JSON_END ||
           slope_json_unexpected(json, json->at, "the end of the header");
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* 19 digits always fit in 64 bits. */
bool slope_json_number(JsonText *json, uint64_t *number)
{
    int c = json_skip_space(json);
    size_t start = json->at;
    for (*number = 0; c >= '0' && c <= '9'; c = json_peek(json)) {
        if (json->at - start == JSON_MAX_DIGITS)
            return slope_json_unexpected(json, json->at, "a number of at most 19 digits");
        *number = 10 * *number + (uint64_t)(c - '0');
        json->at++;
    }
    if (json->at == start)
        return slope_json_unexpected(json, start, "a non-negative integer");
    if (json->bytes[start] == '0' && json->at - start > 1)
        return slope_json_unexpected(json, start, "a number without leading zeros");
    return true;
}

/* --- characters ------------------------------------------------------------------------------- */

/*  bytes  bits  first byte  smallest code
 *    1      7   0xxxxxxx          0
 *    2     11   110xxxxx       0x80
 *    3     16   1110xxxx      0x800
 *    4     21   11110xxx    0x10000 (to 0x10ffff)
 * Overlong encodings are refused, and so are surrogates, the halves of UTF-16 pairs, which are not
 * characters. */
size_t slope_utf8_length(const uint8_t *p, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n <= 1 || p[0] >= 0xf8 || n > left)
        return n == 1;
    uint32_t code = p[0] & 0x7fu >> n;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code >= smallest[n] && code <= 0x10ffff && !surrogate ? n : 0;
}

static uint8_t *utf8_put(uint8_t *to, uint32_t code)
{
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (uint8_t)(0x80 | (code & 0x3f));
    to[0] = (uint8_t)(first[n] | code);
    return to + n;
}

/* The four digits of \uXXXX. */
static bool json_hex(JsonText *json, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        int c = json_peek(json);
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ?
                    (c | 0x20) - 'a' + 10 : -1;
        if (c == JSON_END || digit < 0)
            return slope_json_unexpected(json, json->at, "four hexadecimal digits");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* XXXX, or XXXX\uXXXX: characters from 0x10000 on are written as a pair of UTF-16 units. */
static bool json_unicode(JsonText *json, uint8_t **to)
{
    size_t start = json->at;
    uint32_t code, low = 0;
    if (!json_hex(json, &code))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        bool pair = json->size - json->at >= 2 && memcmp(json->bytes + json->at, "\\u", 2) == 0;
        json->at += pair ? 2 : 0;
        if (pair && !json_hex(json, &low))
            return false;
        if (low >= 0xdc00 && low <= 0xdfff)
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
        return slope_json_unexpected(json, start,
                                     "a character code, neither 0 nor half a surrogate pair");
    *to = utf8_put(*to, code);
    return true;
}

static bool json_escape(JsonText *json, uint8_t **to)
{
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    json->at++; /* the backslash */
    int c = json_peek(json);
    if (c == 'u') {
        json->at++;
        return json_unicode(json, to);
    }
    const char *known = c > 0 ? strchr(written, c) : NULL;
    if (!known)
        return slope_json_unexpected(json, json->at,
                                     "one of \" \\ / b f n r t u after the backslash");
    *(*to)++ = (uint8_t)meant[known - written];
    json->at++;
    return true;
}

/* A character that is not escaped. */
static bool json_plain(JsonText *json, uint8_t **to)
{
    const uint8_t *from = json->bytes + json->at;
    size_t n = json->at < json->size ? slope_utf8_length(from, json->size - json->at) : 0;
    if (n == 0 || *from < 0x20)
        return slope_json_unexpected(json, json->at, "a character in UTF-8, or '\"'");
    memmove(*to, from, n);
    *to += n;
    json->at += n;
    return true;
}

bool slope_json_string(JsonText *json, const char **string)
{
    if (!slope_json_expect(json, '"'))
        return false;
    uint8_t *to = json->bytes + json->at;
    *string = (const char *)to;
    for (int c = json_peek(json); c != '"'; c = json_peek(json))
        if (!(c == '\\' ? json_escape(json, &to) : json_plain(json, &to)))
            return false;
    json->at++;
    *to = '\0'; /* at or before the closing quote, which has been read */
    return true;
}
