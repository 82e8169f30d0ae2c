/* tensor/files/safetensors_read.c -- reading a list back, from a file or from memory.
 *
 * The order of things is what keeps a hostile file harmless: its size is known first; the header's
 * length is compared with it; then the header's every offset; only then is memory for tensors
 * asked for, and it is never more than twice (F16 as F32) what the file holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/files/safetensors_header.h"
#include "tensor/memory.h"

/* --- where the bytes come from ---------------------------------------------------------------- */

typedef struct SafetensorsSource {
    const char    *name;   /* for errors */
    const uint8_t *memory; /* NULL: a file, … */
    int            fd;     /* … this one */
    uint64_t       size, offset;
} SafetensorsSource;

static bool safetensors_cut_short(const SafetensorsSource *from, size_t wanted, Error *err)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%zu bytes", wanted);
    error_set(err, from->name, (int64_t)from->offset, "the file ends before its header does");
    error_expected(err, expected, "%llu", (unsigned long long)(from->size - from->offset));
    return error_hint(err, "the file is cut short, or it is no safetensors file");
}

/* The next `count` bytes; the caller knows that the source is so long. A file may shrink while it
 * is read. */
static bool safetensors_take(SafetensorsSource *from, void *to, size_t count, Error *err)
{
    if (from->memory) {
        memcpy(to, from->memory + from->offset, count);
        from->offset += count;
        return true;
    }
    for (size_t got = 0; got < count;) {
        ssize_t n = read(from->fd, (uint8_t *)to + got, count - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, from->name, (int64_t)from->offset, "reading failed (%s)",
                             n < 0 ? strerror(errno) : "the file became shorter");
        got += (size_t)n;
        from->offset += (uint64_t)n;
    }
    return true;
}

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

/* Turns the file's bytes, which stand at the end of `data`, into numbers. Where these are wider,
 * writing follows reading and never overtakes it: of n halves, number i is written up to byte
 * 4i + 4, and the next is read from byte 2n + 2(i + 1), which is never less. */
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

/* The header's length, believed only if so many bytes are there. */
static bool safetensors_header_size(SafetensorsSource *from, size_t max_header, size_t *size,
                                    Error *err)
{
    uint8_t bytes[HEADER_START];
    char expected[64];
    if (from->size < HEADER_START)
        return safetensors_cut_short(from, HEADER_START, err);
    if (!safetensors_take(from, bytes, HEADER_START, err))
        return false;
    uint64_t n = safetensors_little_endian(bytes, HEADER_START);
    if (max_header > SAFETENSORS_MAX_HEADER)
        max_header = SAFETENSORS_MAX_HEADER;
    if (n > max_header) {
        snprintf(expected, sizeof expected, "at most %zu bytes", max_header);
        error_set(err, from->name, 0, "the header is too long");
        error_expected(err, expected, "%llu", (unsigned long long)n);
        return error_hint(err, n > SAFETENSORS_MAX_HEADER
                          ? "this is no safetensors file"
                          : "if you trust the file, read it with a larger max_header");
    }
    *size = (size_t)n;
    return n <= from->size - from->offset || safetensors_cut_short(from, *size, err);
}

/* Sorted by offset, each tensor begins where the one before ends, and the last ends with the file:
 * no gap in which anything could hide, no overlap. */
static bool safetensors_check_offsets(const SafetensorsSource *from, const Header *header,
                                      Error *err)
{
    uint64_t end = 0, size = from->size - from->offset;
    char expected[64];
    for (int i = 0; i < header->n_entries; i++) {
        const HeaderEntry *e = &header->entry[i];
        if (e->begin != end) {
            snprintf(expected, sizeof expected, "offset %llu", (unsigned long long)end);
            error_set(err, from->name, HEADER_START + (int64_t)e->at,
                      "the data of tensor '%s' do not begin where the ones before end",
                      SHOWN(e->name));
            return error_expected(err, expected, "%llu", (unsigned long long)e->begin);
        }
        end = e->end;
    }
    if (end == size)
        return true;
    snprintf(expected, sizeof expected, "%llu bytes of data", (unsigned long long)end);
    error_set(err, from->name, (int64_t)from->offset, end > size
              ? "the file ends before its data do"
              : "more bytes follow than the header describes");
    error_expected(err, expected, "%llu", (unsigned long long)size);
    return error_hint(err, "the file is damaged: fetch or write it again");
}

/* --- the list --------------------------------------------------------------------------------- */

static bool safetensors_no_memory(const SafetensorsSource *from, Error *err)
{
    return error_set(err, from->name, -1, "memory is too short for its tensors");
}

static bool safetensors_read_tensor(SafetensorsSource *from, const HeaderEntry *e, Safetensors *s,
                                    Error *err)
{
    const FileDtype *type = &safetensors_dtype[e->dtype];
    NamedTensor *t = safetensors_try_add(s, e->name, type->held, e->shape);
    if (!t)
        return safetensors_no_memory(from, err);
    size_t count = (size_t)shape_count(e->shape), bytes = count * type->size;
    uint8_t *data = t->data;
    if (!safetensors_take(from, data + count * safetensors_dtype_size(type->held) - bytes, bytes,
                          err))
        return false;
    safetensors_decode(t->data, (ptrdiff_t)count, e->dtype);
    return true;
}

static bool safetensors_read_list(SafetensorsSource *from, const Header *header, Safetensors *s,
                                  Error *err)
{
    snprintf(s->file, sizeof s->file, "%s", from->name);
    for (int i = 0; i < header->n_texts; i++)
        if (!safetensors_try_add_text(s, header->text[i].key, header->text[i].value))
            return safetensors_no_memory(from, err);
    for (int i = 0; i < header->n_entries; i++)
        if (!safetensors_read_tensor(from, &header->entry[i], s, err))
            return false;
    return true;
}

static Safetensors *safetensors_new_from(SafetensorsSource *from, const Header *header, Error *err)
{
    Safetensors *s = memory_try_new(sizeof *s);
    if (!s)
        safetensors_no_memory(from, err);
    if (!s || safetensors_read_list(from, header, s, err))
        return s;
    safetensors_free(s);
    return NULL;
}

static Safetensors *safetensors_read_source(SafetensorsSource *from, size_t max_header, Error *err)
{
    size_t size = 0;
    if (!safetensors_header_size(from, max_header, &size, err))
        return NULL;
    uint8_t *bytes = memory_try_new(size);
    if (!bytes)
        safetensors_no_memory(from, err);
    Header header = {0};
    Safetensors *s = NULL;
    if (bytes && safetensors_take(from, bytes, size, err) &&
        safetensors_header_parse(bytes, size, from->name, &header, err) &&
        safetensors_check_offsets(from, &header, err))
        s = safetensors_new_from(from, &header, err);
    safetensors_header_free(&header);
    memory_free(bytes);
    return s;
}

/* --- from memory, from a file ----------------------------------------------------------------- */

Safetensors *safetensors_parse(const uint8_t *data, size_t size, size_t max_header,
                               const char *name, Error *err)
{
    SafetensorsSource from = {.name = name, .memory = data, .fd = -1, .size = size};
    return safetensors_read_source(&from, max_header, err);
}

static bool safetensors_measure(SafetensorsSource *from, Error *err)
{
    struct stat info;
    if (fstat(from->fd, &info) != 0)
        return error_set(err, from->name, -1, "the file cannot be measured (%s)", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, from->name, -1, "this is a %s, not a file",
                         S_ISDIR(info.st_mode) ? "folder" : "pipe or a device");
    from->size = (uint64_t)info.st_size;
    return true;
}

/* O_NONBLOCK: opening a named pipe must not wait for a writer. Regular files ignore it. */
Safetensors *safetensors_read(const char *path, size_t max_header, Error *err)
{
    SafetensorsSource from = {.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (from.fd < 0) {
        error_set(err, path, -1, "the file cannot be opened (%s)", strerror(errno));
        return NULL;
    }
    Safetensors *s = NULL;
    if (safetensors_measure(&from, err))
        s = safetensors_read_source(&from, max_header, err);
    close(from.fd);
    return s;
}
