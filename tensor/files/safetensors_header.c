/* tensor/files/safetensors_header.c -- parsing the JSON header into consistent entries.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/safetensors_header.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/files/json.h"
#include "tensor/memory.h"

/* More elements than this are refused, whatever their type, as in tensor/shape.c. */
#define HEADER_MAX_COUNT ((uint64_t)PTRDIFF_MAX / 16)

/* --- errors ----------------------------------------------------------------------------------- */

static bool header_error(const JsonText *json, size_t at, const char *problem, const char *name)
{
    return error_set(json->err, json->file, json->start + (int64_t)at, "%s '%s'", problem,
                     SHOWN(name));
}

static bool header_no_memory(const JsonText *json)
{
    return error_set(json->err, json->file, -1, "out of memory for the entries of the header");
}

/* --- one field of an entry -------------------------------------------------------------------- */

/* [1, 2, 3]: at most `max` numbers. */
static bool header_numbers(JsonText *json, uint64_t *list, int max, int *count)
{
    *count = 0;
    if (!slope_json_expect(json, '['))
        return false;
    while (slope_json_more(json, ']', *count)) {
        if (*count == max)
            return slope_json_unexpected(json, json->at,
                                         max == 2 ? "two offsets" : "a shape of at most 8 axes");
        if (!slope_json_number(json, &list[*count]))
            return false;
        ++*count;
    }
    return !json->failed;
}

static bool header_dtype(JsonText *json, HeaderEntry *e)
{
    const char *name;
    size_t at = slope_json_place(json);
    if (!slope_json_string(json, &name))
        return false;
    for (e->dtype = 0; e->dtype < FILE_DTYPES; e->dtype++)
        if (strcmp(safetensors_dtype[e->dtype].name, name) == 0)
            return true;
    header_error(json, at, "unsupported element type in tensor", e->name);
    return error_expected(json->err, "F64, F32, F16, BF16, I64, I32 or U8", "'%s'", SHOWN(name));
}

/* A size of 0 must not hide that the others overflow: whether a file is refused should not depend
 * on the order of its axes. */
static bool header_shape(JsonText *json, HeaderEntry *e)
{
    uint64_t dim[MAX_DIMS], count = 1;
    size_t at = slope_json_place(json);
    if (!header_numbers(json, dim, MAX_DIMS, &e->shape.ndim))
        return false;
    for (int i = 0; i < e->shape.ndim; i++) {
        if (dim[i] > 0 && count > HEADER_MAX_COUNT / dim[i])
            return header_error(json, at, "more elements than memory can hold in the shape of "
                                          "tensor", e->name);
        count *= dim[i] ? dim[i] : 1;
        e->shape.dim[i] = (ptrdiff_t)dim[i];
    }
    return true;
}

static bool header_offsets(JsonText *json, HeaderEntry *e)
{
    uint64_t offset[2];
    int count;
    if (!header_numbers(json, offset, 2, &count))
        return false;
    if (count != 2)
        return slope_json_unexpected(json, json->at - 1, "two offsets");
    e->begin = offset[0];
    e->end = offset[1];
    return true;
}

/* --- one entry -------------------------------------------------------------------------------- */

/* "dtype":"F32", or one of the other two; `seen` has a bit for each key that has occurred. */
static bool header_field(JsonText *json, HeaderEntry *e, unsigned *seen)
{
    static const char *const names[] = {"dtype", "shape", "data_offsets"};
    const char *key;
    unsigned field = 0;
    size_t at = slope_json_place(json);
    if (!slope_json_string(json, &key) || !slope_json_expect(json, ':'))
        return false;
    while (field < 3 && strcmp(names[field], key) != 0)
        field++;
    if (field == 3) {
        header_error(json, at, "unknown key in the entry of tensor", e->name);
        return error_expected(json->err, "dtype, shape or data_offsets", "'%s'", SHOWN(key));
    }
    if (*seen & 1u << field)
        return header_error(json, at, "a key occurs twice in the entry of tensor", e->name);
    *seen |= 1u << field;
    return field == 0 ? header_dtype(json, e)
         : field == 1 ? header_shape(json, e) : header_offsets(json, e);
}

/* Do the offsets span what the shape needs? header_shape has ensured that nothing overflows. */
static bool header_check_span(const JsonText *json, const HeaderEntry *e)
{
    uint64_t needed = (uint64_t)shape_count(e->shape) * safetensors_dtype[e->dtype].size;
    if (e->begin <= e->end && e->end - e->begin == needed)
        return true;
    char expected[64];
    snprintf(expected, sizeof expected, "%llu bytes", (unsigned long long)needed);
    header_error(json, e->at, "shape and data_offsets disagree in the entry of tensor", e->name);
    return error_expected(json->err, expected, "%llu to %llu", (unsigned long long)e->begin,
                          (unsigned long long)e->end);
}

/* {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} */
static bool header_entry(JsonText *json, HeaderEntry *e)
{
    unsigned seen = 0;
    if (!slope_json_expect(json, '{'))
        return false;
    for (int n = 0; slope_json_more(json, '}', n); n++)
        if (!header_field(json, e, &seen))
            return false;
    if (json->failed)
        return false;
    if (seen != 7)
        return header_error(json, e->at, "the header lacks dtype, shape or data_offsets of tensor",
                            e->name);
    return header_check_span(json, e);
}

static bool header_add_entry(JsonText *json, Header *header, const char *name, size_t at)
{
    HeaderEntry e = {.name = name, .at = at};
    if (!header_entry(json, &e))
        return false;
    HeaderEntry *entries = safetensors_grow(header->entry, header->n_entries, sizeof *entries);
    if (!entries)
        return header_no_memory(json);
    header->entry = entries;
    entries[header->n_entries++] = e;
    return true;
}

/* --- the texts -------------------------------------------------------------------------------- */

/* "key":"value" */
static bool header_add_text(JsonText *json, Header *header)
{
    HeaderText t = {.at = slope_json_place(json)};
    if (!slope_json_string(json, &t.key) || !slope_json_expect(json, ':') ||
        !slope_json_string(json, &t.value))
        return false;
    HeaderText *texts = safetensors_grow(header->text, header->n_texts, sizeof *texts);
    if (!texts)
        return header_no_memory(json);
    header->text = texts;
    texts[header->n_texts++] = t;
    return true;
}

static bool header_metadata(JsonText *json, Header *header, size_t at)
{
    if (header->has_metadata)
        return header_error(json, at, "the header has two entries named", "__metadata__");
    header->has_metadata = true;
    if (!slope_json_expect(json, '{'))
        return false;
    for (int n = 0; slope_json_more(json, '}', n); n++)
        if (!header_add_text(json, header))
            return false;
    return !json->failed;
}

/* --- names must differ ------------------------------------------------------------------------ */

static int header_by_name(const void *a, const void *b)
{
    const HeaderEntry *p = a, *q = b;
    int order = strcmp(p->name, q->name);
    return order ? order : (p->at > q->at) - (p->at < q->at);
}

static int header_by_key(const void *a, const void *b)
{
    const HeaderText *p = a, *q = b;
    int order = strcmp(p->key, q->key);
    return order ? order : (p->at > q->at) - (p->at < q->at);
}

/* Called after decoding, when "a" and "\u0061" are the same name. Sorting brings equal names
 * together; comparing every pair would let a large header keep us busy for hours. */
static bool header_check_names(const JsonText *json, Header *header)
{
    if (header->n_entries > 0)
        qsort(header->entry, (size_t)header->n_entries, sizeof *header->entry, header_by_name);
    for (int i = 1; i < header->n_entries; i++)
        if (strcmp(header->entry[i - 1].name, header->entry[i].name) == 0)
            return header_error(json, header->entry[i].at, "the header has two entries named",
                                header->entry[i].name);
    if (header->n_texts > 0)
        qsort(header->text, (size_t)header->n_texts, sizeof *header->text, header_by_key);
    for (int i = 1; i < header->n_texts; i++)
        if (strcmp(header->text[i - 1].key, header->text[i].key) == 0)
            return header_error(json, header->text[i].at, "__metadata__ has two texts named",
                                header->text[i].key);
    return true;
}

/* An empty tensor begins where the next one does, and comes first. */
static int header_by_offset(const void *a, const void *b)
{
    const HeaderEntry *p = a, *q = b;
    if (p->begin != q->begin)
        return p->begin < q->begin ? -1 : 1;
    if (p->end != q->end)
        return p->end < q->end ? -1 : 1;
    return strcmp(p->name, q->name);
}

/* --- the whole header ------------------------------------------------------------------------- */

/* "name":{…} */
static bool header_member(JsonText *json, Header *header)
{
    const char *name;
    size_t at = slope_json_place(json);
    if (!slope_json_string(json, &name) || !slope_json_expect(json, ':'))
        return false;
    return strcmp(name, "__metadata__") == 0 ? header_metadata(json, header, at)
                                             : header_add_entry(json, header, name, at);
}

bool safetensors_header_parse(uint8_t *bytes, size_t size, const char *file, Header *header,
                              Error *err)
{
    JsonText json = {.bytes = bytes, .size = size, .file = file, .start = HEADER_START, .err = err};
    *header = (Header){0};
    if (size == 0 || bytes[0] != '{') /* white space may end a header, but not begin it */
        return slope_json_unexpected(&json, 0, "'{' as the first byte");
    json.at = 1;
    for (int n = 0; slope_json_more(&json, '}', n); n++)
        if (!header_member(&json, header))
            return false;
    if (json.failed || !slope_json_expect_end(&json) || !header_check_names(&json, header))
        return false;
    if (header->n_entries > 0)
        qsort(header->entry, (size_t)header->n_entries, sizeof *header->entry, header_by_offset);
    return true;
}

void safetensors_header_free(Header *header)
{
    memory_free(header->entry);
    memory_free(header->text);
    *header = (Header){0};
}
