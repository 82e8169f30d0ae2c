/* tensor/files/safetensors_write.c -- writes a list, always as the same bytes.
 *
 * Tensors of the widest type come first, and spaces after the header align the first of them. So
 * every tensor is aligned to the size of its elements, and a program may map the file into memory
 * and use the elements in place.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "tensor/files/durable.h"
#include "tensor/files/safetensors_header.h"
#include "tensor/memory.h"

enum { WRITE_CHUNK = 1 << 14 };

/* --- order ------------------------------------------------------------------------------------ */

static int safetensors_write_order(const void *a, const void *b)
{
    const NamedTensor *p = a, *q = b;
    if (p->dtype != q->dtype)
        return p->dtype > q->dtype ? -1 : 1;
    return strcmp(p->name, q->name);
}

static int safetensors_text_order(const void *a, const void *b)
{
    const NamedText *p = a, *q = b;
    return strcmp(p->key, q->key);
}

/* A sorted copy of the array, with the same names and data. NULL when out of memory. */
static void *safetensors_sorted(const void *array, int count, size_t size,
                                int (*order)(const void *, const void *))
{
    void *copy = memory_try_new((size_t)count * size);
    if (copy && count > 0) {
        memcpy(copy, array, (size_t)count * size);
        qsort(copy, (size_t)count, size, order);
    }
    return copy;
}

/* --- the header ------------------------------------------------------------------------------- */

/* Where the header is written. If text is NULL, it is only measured: the same calls run twice. */
typedef struct HeaderSink {
    char  *text;
    size_t length;
} HeaderSink;

static void header_put(HeaderSink *to, const char *text)
{
    size_t n = strlen(text);
    if (to->text)
        memcpy(to->text + to->length, text, n);
    to->length += n;
}

static void header_put_number(HeaderSink *to, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    header_put(to, text);
}

/* In quotes; only characters that must be escaped are. */
static void header_put_string(HeaderSink *to, const char *string)
{
    static const char meant[] = "\"\\\b\f\n\r\t", written[] = "\"\\bfnrt";
    header_put(to, "\"");
    for (; *string; string++) {
        const char *known = strchr(meant, *string);
        char text[8] = {*string};
        if (known)
            snprintf(text, sizeof text, "\\%c", written[known - meant]);
        else if ((unsigned char)*string < 0x20)
            snprintf(text, sizeof text, "\\u%04x", (unsigned)*string);
        header_put(to, text);
    }
    header_put(to, "\"");
}

static void header_put_texts(HeaderSink *to, const NamedText *text, int count)
{
    header_put(to, "\"__metadata__\":{");
    for (int i = 0; i < count; i++) {
        header_put(to, i ? "," : "");
        header_put_string(to, text[i].key);
        header_put(to, ":");
        header_put_string(to, text[i].value);
    }
    header_put(to, "}");
}

/* "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}; advances the offset. */
static void header_put_tensor(HeaderSink *to, const NamedTensor *t, uint64_t *offset)
{
    header_put_string(to, t->name);
    header_put(to, ":{\"dtype\":\"");
    header_put(to, safetensors_dtype[t->dtype].name);
    header_put(to, "\",\"shape\":[");
    for (int i = 0; i < t->shape.ndim; i++) {
        header_put(to, i ? "," : "");
        header_put_number(to, (uint64_t)t->shape.dim[i]);
    }
    header_put(to, "],\"data_offsets\":[");
    header_put_number(to, *offset);
    *offset += (uint64_t)shape_count(t->shape) * safetensors_dtype_size(t->dtype);
    header_put(to, ",");
    header_put_number(to, *offset);
    header_put(to, "]}");
}

/* The whole header, padded to a multiple of 8. */
static void header_put_all(HeaderSink *to, const Safetensors *s)
{
    uint64_t offset = 0;
    header_put(to, "{");
    if (s->n_texts > 0)
        header_put_texts(to, s->text, s->n_texts);
    for (int i = 0; i < s->count; i++) {
        header_put(to, i || s->n_texts ? "," : "");
        header_put_tensor(to, &s->item[i], &offset);
    }
    header_put(to, "}");
    while (to->length % 8)
        header_put(to, " ");
}

/* --- the file --------------------------------------------------------------------------------- */

static void safetensors_put_little_endian(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static bool safetensors_write_header(DurableFile *file, const Safetensors *s, Error *err)
{
    uint8_t size[HEADER_START];
    HeaderSink sink = {0};
    header_put_all(&sink, s);
    if (sink.length > SAFETENSORS_HEADER)
        return error_set(err, file->path, -1, "the list's header would have %zu bytes, and readers "
                         "refuse more than %d", sink.length, SAFETENSORS_HEADER);
    sink.text = memory_try_new(sink.length);
    if (!sink.text)
        return error_set(err, file->path, -1, "out of memory for its header");
    safetensors_put_little_endian(size, sink.length, sizeof size);
    sink.length = 0;
    header_put_all(&sink, s);
    bool ok = slope_durable_write(file, size, sizeof size, err) &&
              slope_durable_write(file, sink.text, sink.length, err);
    memory_free(sink.text);
    return ok;
}

/* The bits of one element in memory; `width` is 1, 4 or 8. */
static uint64_t safetensors_bits(const void *number, size_t width)
{
    uint32_t bits32;
    uint64_t bits64;
    if (width == 1)
        return *(const uint8_t *)number;
    if (width == 4) {
        memcpy(&bits32, number, 4);
        return bits32;
    }
    memcpy(&bits64, number, 8);
    return bits64;
}

static bool safetensors_write_tensor(DurableFile *file, const NamedTensor *t, Error *err)
{
    uint8_t chunk[WRITE_CHUNK];
    const uint8_t *from = t->data;
    size_t width = safetensors_dtype_size(t->dtype), left = (size_t)shape_count(t->shape) * width;
    while (left > 0) {
        size_t n = left < WRITE_CHUNK ? left : WRITE_CHUNK;
        for (size_t i = 0; i < n; i += width)
            safetensors_put_little_endian(chunk + i, safetensors_bits(from + i, width), width);
        if (!slope_durable_write(file, chunk, n, err))
            return false;
        from += n;
        left -= n;
    }
    return true;
}

static bool safetensors_write_sorted(const Safetensors *s, const char *path, Error *err)
{
    DurableFile file;
    if (!slope_durable_open(&file, path, err))
        return false;
    bool ok = safetensors_write_header(&file, s, err);
    for (int i = 0; ok && i < s->count; i++)
        ok = safetensors_write_tensor(&file, &s->item[i], err);
    return slope_durable_close(&file, ok, err);
}

bool safetensors_write(const Safetensors *s, const char *path, Error *err)
{
    Safetensors sorted = *s;
    sorted.item = safetensors_sorted(s->item, s->count, sizeof *s->item, safetensors_write_order);
    sorted.text = safetensors_sorted(s->text, s->n_texts, sizeof *s->text, safetensors_text_order);
    bool ok = sorted.item && sorted.text
            ? safetensors_write_sorted(&sorted, path, err)
            : error_set(err, path, -1, "out of memory to sort the list");
    memory_free(sorted.item);
    memory_free(sorted.text);
    return ok;
}
