/* tensor/npy.c -- reading and writing .npy files, number by number.
 *
 * The order of things is what keeps a hostile file harmless: its size is known first; the header's
 * length is compared with it, then the size of the data; only then is memory asked for, and it is
 * never more than eight times (bytes as doubles) what the file holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/files/durable.h"
#include "tensor/npy_header.h"

enum { NPY_CHUNK = 1 << 14 };

/* --- where the bytes come from ---------------------------------------------------------------- */

typedef struct NpySource {
    const char    *name;   /* for errors */
    const uint8_t *memory; /* NULL: a file, … */
    int            fd;     /* … this one */
    uint64_t       size, offset;
} NpySource;

static bool npy_cut_short(const NpySource *from, const char *problem, uint64_t wanted, Error *err)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%llu bytes", (unsigned long long)wanted);
    error_set(err, from->name, (int64_t)from->offset, "%s", problem);
    return error_expected(err, expected, "%llu", (unsigned long long)(from->size - from->offset));
}

/* The next `count` bytes. A file may become shorter while it is read. */
static bool npy_take(NpySource *from, void *to, size_t count, Error *err)
{
    if (count > from->size - from->offset)
        return npy_cut_short(from, "the file ends within its header", count, err);
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

/* --- the header ------------------------------------------------------------------------------- */

/* Magic, version and the header's length, whose own size depends on the version. */
static bool npy_take_start(NpySource *from, size_t *length, Error *err)
{
    uint8_t b[NPY_MAGIC + 2], n[4] = {0};
    if (!npy_take(from, b, sizeof b, err))
        return false;
    if (memcmp(b, "\x93NUMPY", NPY_MAGIC) != 0) {
        error_set(err, from->name, 0, "this does not begin like a .npy file");
        return error_hint(err, memcmp(b, "PK", 2) ? "numpy.save makes such files"
                          : "this looks like a .npz, a zip of .npy files: unzip it first");
    }
    if (b[6] < 1 || b[6] > 3 || b[7] != 0) {
        error_set(err, from->name, NPY_MAGIC, "the version of the format is not known");
        return error_expected(err, "1.0, 2.0 or 3.0", "%d.%d", b[6], b[7]);
    }
    if (!npy_take(from, n, b[6] == 1 ? 2 : 4, err))
        return false;
    *length = (size_t)n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16 | (size_t)n[3] << 24;
    if (*length <= NPY_MAX_HEADER)
        return true;
    error_set(err, from->name, NPY_MAGIC + 2, "the header is too long");
    return error_expected(err, "at most 10000 bytes", "%zu", *length);
}

/* A shape that holds nothing is followed by nothing; npy_header_parse has made sure that the
 * product does not overflow. */
static bool npy_check_size(const NpySource *from, const NpyHeader *header, Error *err)
{
    uint64_t left = from->size - from->offset;
    uint64_t wanted = (uint64_t)shape_count(header->shape) * (uint64_t)header->width;
    if (left == wanted)
        return true;
    return npy_cut_short(from, left < wanted ? "the data end before the header says they do"
                                             : "more bytes follow than the header declares",
                         wanted, err);
}

static bool npy_take_header(NpySource *from, NpyHeader *header, Error *err)
{
    char text[NPY_MAX_HEADER];
    size_t length = 0;
    if (!npy_take_start(from, &length, err))
        return false;
    int64_t start = (int64_t)from->offset;
    return npy_take(from, text, length, err) &&
           npy_header_parse(text, length, start, from->name, header, err) &&
           npy_check_size(from, header, err);
}

/* --- the numbers ------------------------------------------------------------------------------ */

/* Byte by byte, so that the machine's own byte order does not matter. */
static uint64_t npy_bits(const uint8_t *p, const NpyHeader *header)
{
    uint64_t bits = 0;
    for (int i = 0; i < header->width; i++)
        bits |= (uint64_t)p[header->big_endian ? header->width - 1 - i : i] << 8 * i;
    return bits;
}

/* Where the types are the same the bits go over: an assignment may change a signalling NaN. False
 * if a finite number would become infinite. */
static bool npy_put_real(real *y, uint64_t bits, const NpyHeader *header)
{
    uint32_t bits32 = (uint32_t)bits;
    float single;
    double wide;
    if (header->kind == NPY_FLOAT && header->width == sizeof(real)) {
        memcpy(y, sizeof(real) == 4 ? (void *)&bits32 : (void *)&bits, sizeof *y);
        return true;
    }
    memcpy(&single, &bits32, sizeof single);
    memcpy(&wide, &bits, sizeof wide);
    if (header->kind == NPY_FLOAT)
        *y = header->width == 4 ? (real)single : (real)wide;
    else if (header->kind == NPY_INT) /* of two's complement */
        *y = header->width == 4 ? (real)(int32_t)bits32 : (real)(int64_t)bits;
    else
        *y = header->kind == NPY_BOOL ? (real)(bits != 0) : (real)bits;
    return !(header->kind == NPY_FLOAT && header->width == 8 && isinf(*y) && !isinf(wide));
}

static bool npy_too_large(const NpySource *from, ptrdiff_t i, Error *err)
{
    error_set(err, from->name, -1, "number %td of the file is too large for a %s", i, REAL_NAME);
    return error_hint(err, "a build with REAL=double can read it");
}

/* A header by value over x in which the first axis comes last: row-major order there is the order
 * of a Fortran file. */
static Tensor npy_reversed(const Tensor *x)
{
    Tensor v = *x;
    for (int i = 0; i < x->shape.ndim; i++) {
        v.shape.dim[i] = x->shape.dim[x->shape.ndim - 1 - i];
        v.stride[i] = x->stride[x->shape.ndim - 1 - i];
    }
    return v;
}

static bool npy_take_numbers(NpySource *from, const NpyHeader *header, Tensor *x, Error *err)
{
    uint8_t chunk[NPY_CHUNK];
    real *to = tensor_write(x);
    Tensor order = npy_reversed(x);
    ptrdiff_t count = tensor_count(x), width = header->width;
    for (ptrdiff_t done = 0; done < count;) {
        ptrdiff_t n = count - done < NPY_CHUNK / width ? count - done : NPY_CHUNK / width;
        if (!npy_take(from, chunk, (size_t)(n * width), err))
            return false;
        for (ptrdiff_t i = 0; i < n; i++, done++) {
            ptrdiff_t at = header->fortran_order ? tensor_locate(&order, done) : done;
            if (!npy_put_real(to + at, npy_bits(chunk + i * width, header), header))
                return npy_too_large(from, done, err);
        }
    }
    return true;
}

/* --- from memory, from a file ----------------------------------------------------------------- */

static Tensor *npy_read_source(NpySource *from, Error *err)
{
    NpyHeader header = {0};
    if (!npy_take_header(from, &header, err))
        return NULL;
    Tensor *x = tensor_try_new(header.shape);
    if (!x)
        error_set(err, from->name, -1, "memory is too short for a tensor of shape %s",
                  SHAPE_TEXT(header.shape));
    if (!x || npy_take_numbers(from, &header, x, err))
        return x;
    tensor_free(x);
    return NULL;
}

Tensor *npy_parse(const uint8_t *data, size_t size, const char *name, Error *err)
{
    NpySource from = {.name = name, .memory = data ? data : (const uint8_t *)"", .fd = -1,
                      .size = size};
    return npy_read_source(&from, err);
}

static bool npy_measure(NpySource *from, Error *err)
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
Tensor *npy_load(const char *path, Error *err)
{
    NpySource from = {.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (from.fd < 0) {
        error_set(err, path, -1, "the file cannot be opened (%s)", strerror(errno));
        return NULL;
    }
    Tensor *x = npy_measure(&from, err) ? npy_read_source(&from, err) : NULL;
    close(from.fd);
    return x;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The bits of *x, little-endian whatever the machine. */
static void npy_put_bits(uint8_t to[sizeof(real)], const real *x)
{
    uint32_t bits32;
    uint64_t bits;
    memcpy(sizeof(real) == 4 ? (void *)&bits32 : (void *)&bits, x, sizeof *x);
    if (sizeof(real) == 4)
        bits = bits32;
    for (size_t i = 0; i < sizeof(real); i++)
        to[i] = (uint8_t)(bits >> 8 * i);
}

static bool npy_write_numbers(DurableFile *file, const Tensor *x, Error *err)
{
    uint8_t chunk[NPY_CHUNK];
    const real *from = tensor_read(x);
    bool packed = tensor_is_contiguous(x);
    ptrdiff_t count = tensor_count(x), room = NPY_CHUNK / sizeof(real);
    for (ptrdiff_t done = 0; done < count;) {
        ptrdiff_t n = count - done < room ? count - done : room;
        for (ptrdiff_t i = 0; i < n; i++, done++)
            npy_put_bits(chunk + (size_t)i * sizeof(real),
                         from + (packed ? done : tensor_locate(x, done)));
        if (!slope_durable_write(file, chunk, (size_t)n * sizeof(real), err))
            return false;
    }
    return true;
}

bool npy_save(const char *path, const Tensor *x, Error *err)
{
    uint8_t header[NPY_WRITTEN];
    DurableFile file;
    size_t size = npy_header_write(x->shape, header);
    if (!slope_durable_open(&file, path, err))
        return false;
    bool ok = slope_durable_write(&file, header, size, err) && npy_write_numbers(&file, x, err);
    return slope_durable_close(&file, ok, err);
}
