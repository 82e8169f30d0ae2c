/* tensor/npy_header.c -- reading and writing the Python dict of a .npy file.
 *
 * Only what numpy.save writes is understood, in any spacing: two strings without escapes, True or
 * False, and a tuple of whole numbers. Nothing is ever evaluated.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/npy_header.h"

#include <string.h>

#include "tensor/real.h"

enum { NPY_MAX_DIGITS = 19, NPY_STRING = 32 };

/* Fewer elements than this fit in memory whatever their type (as in tensor/shape.c). */
#define NPY_MAX_COUNT ((uint64_t)PTRDIFF_MAX / 16)

/* A header being read. */
typedef struct NpyText {
    const char *text, *file;
    size_t      size, at;
    int64_t     start; /* of the text in the file */
    Error      *err;
} NpyText;

/* --- where we are ----------------------------------------------------------------------------- */

static int npy_peek(const NpyText *t)
{
    return t->at < t->size ? (unsigned char)t->text[t->at] : -1;
}

static int npy_skip_space(NpyText *t)
{
    int c = npy_peek(t);
    for (; c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = npy_peek(t))
        t->at++;
    return c;
}

static bool npy_unexpected(const NpyText *t, size_t at, const char *expected)
{
    int c = at < t->size ? (unsigned char)t->text[at] : -1;
    error_set(t->err, t->file, t->start + (int64_t)at, "the header is not as numpy.save writes it");
    if (c < 0)
        return error_expected(t->err, expected, "the end of the header");
    if (c > ' ' && c < 0x7f)
        return error_expected(t->err, expected, "'%c'", c);
    return error_expected(t->err, expected, "byte 0x%02x", (unsigned)c);
}

static bool npy_expect(NpyText *t, char c)
{
    if (npy_skip_space(t) != c)
        return npy_unexpected(t, t->at, (char[]){'\'', c, '\'', '\0'});
    t->at++;
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

/* 'text' or "text", printable, without a backslash. */
static bool npy_string(NpyText *t, char string[NPY_STRING])
{
    int quote = npy_skip_space(t), n = 0;
    if (quote != '\'' && quote != '"')
        return npy_unexpected(t, t->at, "a string");
    t->at++;
    for (int c = npy_peek(t); c != quote; c = npy_peek(t)) {
        if (c < ' ' || c > '~' || c == '\\' || n == NPY_STRING - 1)
            return npy_unexpected(t, t->at, "the end of a short string");
        string[n++] = (char)c;
        t->at++;
    }
    string[n] = '\0';
    t->at++;
    return true;
}

static bool npy_bool(NpyText *t, bool *value)
{
    npy_skip_space(t);
    size_t left = t->size - t->at;
    *value = left >= 4 && memcmp(t->text + t->at, "True", 4) == 0;
    if (!*value && (left < 5 || memcmp(t->text + t->at, "False", 5) != 0))
        return npy_unexpected(t, t->at, "True or False");
    t->at += *value ? 4 : 5;
    return true;
}

/* 19 digits always fit in 64 bits. */
static bool npy_number(NpyText *t, uint64_t *number)
{
    int c = npy_skip_space(t);
    size_t start = t->at;
    for (*number = 0; c >= '0' && c <= '9'; c = npy_peek(t)) {
        if (t->at - start == NPY_MAX_DIGITS)
            return npy_unexpected(t, t->at, "a number of at most 19 digits");
        *number = 10 * *number + (uint64_t)(c - '0');
        t->at++;
    }
    if (t->at == start)
        return npy_unexpected(t, start, "a whole number, not negative");
    if (t->text[start] == '0' && t->at - start > 1)
        return npy_unexpected(t, start, "a number without leading zeros");
    return true;
}

/* Appends one axis. A size of 0 must not hide that the others overflow, so *count leaves it out:
 * whether a file is refused should not depend on the order of its axes. */
static bool npy_axis(NpyText *t, Shape *shape, uint64_t *count)
{
    uint64_t size;
    npy_skip_space(t);
    size_t at = t->at;
    if (shape->ndim == MAX_DIMS)
        return npy_unexpected(t, at, "a shape of at most 8 axes");
    if (!npy_number(t, &size))
        return false;
    if (size > 0 && *count > NPY_MAX_COUNT / size)
        return error_set(t->err, t->file, t->start + (int64_t)at,
                         "the shape has more elements than memory can hold");
    *count *= size ? size : 1;
    shape->dim[shape->ndim++] = (ptrdiff_t)size;
    return true;
}

/* () or (3,) or (3, 4): to Python (3) would be a number, no tuple. */
static bool npy_shape(NpyText *t, NpyHeader *header)
{
    uint64_t count = 1;
    bool comma = true;
    header->shape = SHAPE_SCALAR;
    if (!npy_expect(t, '('))
        return false;
    while (npy_skip_space(t) != ')') {
        if (!comma)
            return npy_unexpected(t, t->at, "',' or ')'");
        if (!npy_axis(t, &header->shape, &count))
            return false;
        comma = npy_skip_space(t) == ',';
        t->at += comma;
    }
    if (header->shape.ndim == 1 && !comma)
        return npy_unexpected(t, t->at, "',' after the only size");
    t->at++;
    return true;
}

/* '<f4': byte order, kind, width. One byte has no order, and NumPy writes '|'. */
static bool npy_descr(NpyText *t, NpyHeader *header)
{
    static const char known[] = " f4 f8 i4 i8 u1 b1 ";
    char descr[NPY_STRING];
    npy_skip_space(t);
    size_t at = t->at;
    if (!npy_string(t, descr))
        return npy_peek(t) == '[' ? error_hint(t->err, "records of several fields are not read: "
                                                       "save each field by itself") : false;
    char wanted[] = {' ', 0, 0, ' ', '\0'};
    bool form = strlen(descr) == 3 && strchr("<>|", descr[0]);
    if (form)
        memcpy(wanted + 1, descr + 1, 2);
    if (!form || !strstr(known, wanted) || (descr[0] == '|' && descr[2] != '1')) {
        error_set(t->err, t->file, t->start + (int64_t)at,
                  "the type of numbers is not one that is read here");
        error_expected(t->err, "f4, f8, i4, i8, u1 or b1 after < or > (or |, for one byte)", "'%s'",
                       descr);
        return error_hint(t->err, strchr(descr, 'O')
                          ? "Python objects are never read: they can run programs"
                          : "convert it in NumPy: numpy.save(path, x.astype('float32'))");
    }
    header->big_endian = descr[0] == '>';
    header->kind = (NpyKind)descr[1];
    header->width = descr[2] - '0';
    return true;
}

/* --- the dict --------------------------------------------------------------------------------- */

/* 'key': value; `seen` has a bit for each key that came already. */
static bool npy_entry(NpyText *t, NpyHeader *header, unsigned *seen)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[NPY_STRING];
    unsigned i = 0;
    npy_skip_space(t);
    size_t at = t->at;
    if (!npy_string(t, key))
        return false;
    while (i < 3 && strcmp(keys[i], key) != 0)
        i++;
    if (i == 3 || *seen & 1u << i) {
        error_set(t->err, t->file, t->start + (int64_t)at, i == 3 ? "the header has an unknown key"
                                                                  : "the header has a key twice");
        return error_expected(t->err, "descr, fortran_order and shape, each once", "'%s'", key);
    }
    *seen |= 1u << i;
    if (!npy_expect(t, ':'))
        return false;
    return i == 0 ? npy_descr(t, header)
         : i == 1 ? npy_bool(t, &header->fortran_order) : npy_shape(t, header);
}

bool npy_header_parse(const char *text, size_t size, int64_t start, const char *file,
                      NpyHeader *header, Error *err)
{
    NpyText t = {.text = text, .file = file, .size = size, .start = start, .err = err};
    unsigned seen = 0;
    bool comma = true;
    if (size == 0 || text[size - 1] != '\n')
        return npy_unexpected(&t, size ? size - 1 : 0, "a newline at the header's end");
    if (!npy_expect(&t, '{'))
        return false;
    while (npy_skip_space(&t) != '}') {
        if (!comma)
            return npy_unexpected(&t, t.at, "',' or '}'");
        if (!npy_entry(&t, header, &seen))
            return false;
        comma = npy_skip_space(&t) == ',';
        t.at += comma;
    }
    if (seen != 7)
        return npy_unexpected(&t, t.at, "descr, fortran_order and shape");
    t.at++;
    return npy_skip_space(&t) < 0 || npy_unexpected(&t, t.at, "nothing after the dict");
}

/* --- writing ---------------------------------------------------------------------------------- */

/* "(3, 4)" as a Python tuple: a single size is followed by a comma. */
static int npy_put_shape(Shape s, char *to, size_t room)
{
    int n = snprintf(to, room, "(");
    for (int i = 0; i < s.ndim; i++)
        n += snprintf(to + n, room - (size_t)n, "%s%td", i ? ", " : "", s.dim[i]);
    return n + snprintf(to + n, room - (size_t)n, s.ndim == 1 ? ",)" : ")");
}

/* 8 sizes of 19 digits and what stands around them take less than 256 bytes. */
size_t npy_header_write(Shape shape, uint8_t to[NPY_WRITTEN])
{
    char *text = (char *)to + NPY_START;
    size_t room = NPY_WRITTEN - NPY_START;
    int n = snprintf(text, room, "{'descr': '<f%d', 'fortran_order': False, 'shape': ",
                     (int)sizeof(real));
    n += npy_put_shape(shape, text + n, room - (size_t)n);
    n += snprintf(text + n, room - (size_t)n, ", }");
    size_t used = NPY_START + (size_t)n, whole = (used + 1 + NPY_ALIGN - 1) / NPY_ALIGN * NPY_ALIGN;
    memset(to + used, ' ', whole - used - 1);
    to[whole - 1] = '\n';
    memcpy(to, "\x93NUMPY\x01\x00", NPY_MAGIC + 2);
    to[8] = (uint8_t)(whole - NPY_START);
    to[9] = (uint8_t)((whole - NPY_START) >> 8);
    return whole;
}
