/* tensor/files/safetensors_read.c -- reading a list back, from a file or from memory.
 *
 * The order of the checks keeps a hostile file harmless. Its size is known first; the header's
 * length is compared with it, and then every offset in the header; only then is memory for the
 * tensors allocated, never more than twice (F16 as F32) what the file holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tensor/files/kind.h"
#include "tensor/files/safetensors_header.h"
#include "tensor/files/stream.h"
#include "tensor/memory.h"

/* --- numbers ---------------------------------------------------------------------------------- */

/* Byte by byte, so that the machine's own byte order does not matter. */
static uint64_t safetensors_little_endian(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

/* The bits of a half (1 sign, 5 exponent, 10 fraction) as those of a float (1, 8, 23): the exponent
 * moves from bias 15 to bias 127. Zero and halves below the normal ones are fraction * 2^-24. */
static uint32_t safetensors_from_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 31) /* Inf, NaN */
        return sign | 0x7f800000 | fraction << 13;
    if (exponent > 0)
        return sign | (exponent + 127 - 15) << 23 | fraction << 13;
    float small = (float)fraction * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &small, sizeof bits);
    return sign | bits;
}

/* Turns the file's bytes, which are at the end of `data`, into elements that fill all of it. If
 * these are wider, writing follows reading and never overtakes it: of n halves, element i is
 * written up to byte 4i + 4, and the next is read from byte 2n + 2(i + 1), which is never less. */
static void safetensors_decode(void *data, ptrdiff_t count, int dtype)
{
    const FileDtype *type = &safetensors_dtype[dtype];
    size_t n = (size_t)count, wide = safetensors_dtype_size(type->held), width = type->size;
    const uint8_t *from = (const uint8_t *)data + n * (wide - width);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = safetensors_little_endian(from + i * width, width);
        uint32_t bits32 = dtype == FILE_F16 ? safetensors_from_half((uint32_t)bits)
                        : dtype == FILE_BF16 ? (uint32_t)bits << 16 : (uint32_t)bits;
        uint8_t bits8 = (uint8_t)bits;
        const void *number = wide == 8   ? (void *)&bits
                             : wide == 4 ? (void *)&bits32
                                         : (void *)&bits8;
        memcpy((uint8_t *)data + i * wide, number, wide);
    }
}

/* --- the header ------------------------------------------------------------------------------- */

/* Gives a hint, or says what the file is if it is of another kind. */
static bool safetensors_hint(const ByteStream *from, const char *hint, Error *err)
{
    uint8_t start[HEADER_START + 1];
    size_t size = slope_stream_start(from, start, sizeof start);
    error_hint(err, "%s", hint);
    bool is_other = size < sizeof start || start[HEADER_START] != '{';
    return is_other && slope_kind_hint_of(err, from);
}

static bool safetensors_cut_short(const ByteStream *from, size_t wanted, Error *err)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%zu bytes", wanted);
    error_set(err, from->name, from->offset, "the file ends before its header does");
    error_expected(err, expected, "%lld", (long long)slope_stream_left(from));
    return safetensors_hint(from, "the file is cut short, or is not a safetensors file", err);
}

/* The length of the header, accepted only if that many bytes follow. */
static bool safetensors_header_size(ByteStream *from, size_t max_header, size_t *size, Error *err)
{
    uint8_t bytes[HEADER_START];
    char expected[64];
    if (slope_stream_left(from) < HEADER_START)
        return safetensors_cut_short(from, HEADER_START, err);
    if (!slope_stream_fill(from, bytes, HEADER_START, err))
        return false;
    uint64_t n = safetensors_little_endian(bytes, HEADER_START);
    if (max_header > SAFETENSORS_MAX_HEADER)
        max_header = SAFETENSORS_MAX_HEADER;
    if (n > max_header) {
        snprintf(expected, sizeof expected, "at most %zu bytes", max_header);
        error_set(err, from->name, 0, "the header is too long");
        error_expected(err, expected, "%llu", (unsigned long long)n);
        return safetensors_hint(from, n > SAFETENSORS_MAX_HEADER ? "this is not a safetensors file"
                                : "if you trust the file, read it with a larger max_header", err);
    }
    *size = (size_t)n;
    return n <= (uint64_t)slope_stream_left(from) || safetensors_cut_short(from, *size, err);
}

/* Sorted by offset, each tensor begins where the one before it ends, and the last ends with the
 * file: there is no overlap, and no gap in which anything could hide. */
static bool safetensors_check_offsets(const ByteStream *from, const Header *header, Error *err)
{
    uint64_t end = 0, size = (uint64_t)slope_stream_left(from);
    char expected[64];
    for (int i = 0; i < header->n_entries; i++) {
        const HeaderEntry *e = &header->entry[i];
        if (e->begin != end) {
            snprintf(expected, sizeof expected, "offset %llu", (unsigned long long)end);
            error_set(err, from->name, HEADER_START + (int64_t)e->at,
                      "the data of tensor '%s' do not begin where those before them end",
                      SHOWN(e->name));
            return error_expected(err, expected, "%llu", (unsigned long long)e->begin);
        }
        end = e->end;
    }
    if (end == size)
        return true;
    snprintf(expected, sizeof expected, "%llu bytes of data", (unsigned long long)end);
    error_set(err, from->name, from->offset, end > size
              ? "the file ends before its data do"
              : "more bytes follow than the header describes");
    error_expected(err, expected, "%llu", (unsigned long long)size);
    return error_hint(err, "the file is damaged: fetch or write it again");
}

/* --- the list --------------------------------------------------------------------------------- */

static bool safetensors_no_memory(const ByteStream *from, Error *err)
{
    return error_set(err, from->name, -1, "out of memory for its tensors");
}

static bool safetensors_read_tensor(ByteStream *from, const HeaderEntry *e, Safetensors *s,
                                    Error *err)
{
    const FileDtype *type = &safetensors_dtype[e->dtype];
    NamedTensor *t = safetensors_append(s, e->name, type->held, e->shape);
    if (!t)
        return safetensors_no_memory(from, err);
    size_t count = (size_t)shape_count(e->shape), bytes = count * type->size;
    uint8_t *tail = (uint8_t *)t->data + count * safetensors_dtype_size(type->held) - bytes;
    if (!slope_stream_fill(from, tail, bytes, err))
        return false;
    safetensors_decode(t->data, (ptrdiff_t)count, e->dtype);
    return true;
}

static bool safetensors_read_list(ByteStream *from, const Header *header, Safetensors *s,
                                  Error *err)
{
    snprintf(s->file, sizeof s->file, "%s", from->name);
    for (int i = 0; i < header->n_texts; i++)
        if (!safetensors_append_text(s, header->text[i].key, header->text[i].value))
            return safetensors_no_memory(from, err);
    for (int i = 0; i < header->n_entries; i++)
        if (!safetensors_read_tensor(from, &header->entry[i], s, err))
            return false;
    return true;
}

static Safetensors *safetensors_new_from(ByteStream *from, const Header *header, Error *err)
{
    Safetensors *s = memory_try_new(sizeof *s);
    if (!s)
        safetensors_no_memory(from, err);
    if (!s || safetensors_read_list(from, header, s, err))
        return s;
    safetensors_free(s);
    return NULL;
}

static Safetensors *safetensors_read_stream(ByteStream *from, size_t max_header, Error *err)
{
    size_t size = 0;
    if (!safetensors_header_size(from, max_header, &size, err))
        return NULL;
    uint8_t *bytes = slope_stream_take(from, size, err);
    Header header = {0};
    Safetensors *s = NULL;
    if (bytes && safetensors_header_parse(bytes, size, from->name, &header, err) &&
        safetensors_check_offsets(from, &header, err))
        s = safetensors_new_from(from, &header, err);
    safetensors_header_free(&header);
    memory_free(bytes);
    return s;
}

Safetensors *safetensors_parse(const uint8_t *data, size_t size, size_t max_header,
                               const char *name, Error *err)
{
    ByteStream from = slope_stream_of_memory(data, size, name);
    return safetensors_read_stream(&from, max_header, err);
}

/* A file whose header has 35615 bytes begins with that length, 1f 8b 00 00 00 00 00 00, and so like
 * a gzipped file. */
Safetensors *safetensors_read(const char *path, size_t max_header, Error *err)
{
    ByteStream from;
    if (!slope_stream_open(&from, path, GZIP_IGNORE, err))
        return NULL;
    Safetensors *s = safetensors_read_stream(&from, max_header, err);
    slope_stream_close(&from);
    return s;
}
