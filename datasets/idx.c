/* datasets/idx.c -- parsing IDX files: a header of sizes, then the bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"

#include <string.h>

#include "tensor/files/kind.h"
#include "tensor/files/stream.h"
#include "tensor/memory.h"

enum { IDX_UNSIGNED_BYTE = 0x08, IDX_MAX_DIMS = 3, IDX_MAX_HEADER = 4 + 4 * IDX_MAX_DIMS };

/* --- the header ------------------------------------------------------------------------------- */

static size_t idx_header_size(int ndim)
{
    return 4 + 4 * (size_t)ndim;
}

/* Byte by byte, so that the machine's own byte order and alignment do not matter. */
static uint64_t idx_big_endian(const uint8_t bytes[4])
{
    return (uint64_t)bytes[0] << 24 | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 8 | bytes[3];
}

/* The name of an element type, by its code, which is byte 2 of the magic number. */
static const char *idx_type(uint8_t code)
{
    static const char *const types[] = {"unsigned bytes", "signed bytes", NULL, "16-bit integers",
                                        "32-bit integers", "32-bit floats", "64-bit floats"};
    const char *type = code >= 0x08 && code <= 0x0e ? types[code - 0x08] : NULL;
    return type ? type : "an unknown type";
}

/* Adds a hint: what a wrong byte `at` of the magic number means. */
static bool idx_magic_hint(const ByteStream *stream, const uint8_t *found, size_t present, int at,
                           Error *err)
{
    static const uint8_t qmnist_labels[4] = {0, 0, 0x0c, 2};
    if (at == 3)
        return error_hint(err, "images have 3 axes, labels 1: were the two files swapped?");
    if (memcmp(found, qmnist_labels, 4) == 0)
        return error_hint(err, "QMNIST's labels are 8 such numbers per image, the first of which "
                               "is the class: write these classes as unsigned bytes (type 08)");
    error_hint(err, at == 2 ? "write the values as unsigned bytes (type 08), 0 to 255"
                            : "IDX is the format of the MNIST and Fashion-MNIST files");
    return at < 2 && (slope_kind_hint(err, found, present) || slope_kind_hint_of(err, stream));
}

/* Fills in the error for a magic whose byte `at` is wrong, and says what that means. */
static bool idx_wrong_magic(const ByteStream *stream, const uint8_t *found, size_t present,
                            const uint8_t wanted[4], int at, Error *err)
{
    const char *name = stream->name;
    char text[64];
    if (at == 2)
        error_set(err, name, at, "the elements have a different type: %s", idx_type(found[2]));
    else
        error_set(err, name, at, "%s", at == 3
                  ? "the array has a different number of axes than requested"
                  : "this does not begin like an IDX file");
    snprintf(text, sizeof text, "%02x %02x %02x %02x", wanted[0], wanted[1], wanted[2], wanted[3]);
    error_expected(err, text, "%02x %02x %02x %02x", found[0], found[1], found[2], found[3]);
    return idx_magic_hint(stream, found, present, at, err);
}

/* The magic number, 00 00 TYPE NDIM, is the first four of the `present` bytes found. */
static bool idx_check_magic(const ByteStream *stream, const uint8_t *found, size_t present,
                            int ndim, Error *err)
{
    const uint8_t wanted[4] = {0, 0, IDX_UNSIGNED_BYTE, (uint8_t)ndim};
    for (int i = 0; i < 4; i++)
        if (found[i] != wanted[i])
            return idx_wrong_magic(stream, found, present, wanted, i, err);
    return true;
}

/* Writes the sizes to array->dim and their product to *total. A size of 0 must not hide an overflow
 * of the others: whether the file is refused should not depend on the order of its axes. */
static bool idx_sizes(const uint8_t *sizes, const char *name, IdxArray *array, size_t *total,
                      Error *err)
{
    uint64_t product = 1;
    bool empty = false;
    for (int i = 0; i < array->ndim; i++) {
        uint64_t size = idx_big_endian(sizes + 4 * i);
        if (size > 0 && product > (uint64_t)PTRDIFF_MAX / size)
            return error_set(err, name, 4 + 4 * i,
                             "the header declares more bytes than memory can hold");
        product *= size > 0 ? size : 1;
        empty |= size == 0;
        array->dim[i] = (ptrdiff_t)size;
    }
    *total = empty ? 0 : (size_t)product;
    return true;
}

/* Reads the header; *total gets the number of bytes that must follow. The magic is checked before
 * the length, because for a file of another kind it yields the better message. */
static bool idx_header(ByteStream *stream, IdxArray *array, size_t *total, Error *err)
{
    uint8_t header[IDX_MAX_HEADER];
    size_t present, wanted = idx_header_size(array->ndim);
    if (!slope_stream_read(stream, header, wanted, &present, err))
        return false;
    if (present >= 4 && !idx_check_magic(stream, header, present, array->ndim, err))
        return false;
    if (present == wanted)
        return idx_sizes(header + 4, stream->name, array, total, err);
    char expected[64];
    snprintf(expected, sizeof expected, "%zu bytes", wanted);
    error_set(err, stream->name, stream->offset, "the file ends within its header");
    return error_expected(err, expected, "%zu", present);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool idx_wrong_size(const ByteStream *stream, size_t total, Error *err)
{
    char expected[64];
    size_t present = (size_t)slope_stream_left(stream);
    snprintf(expected, sizeof expected, "%zu bytes of data", total);
    error_set(err, stream->name, stream->offset, present < total
              ? "the data end before the header says they do"
              : "more bytes follow than the header declares");
    return error_expected(err, expected, "%zu", present);
}

/* Reads the header, then as many bytes as it declares, and expects nothing more. In memory a wrong
 * size, too small or too large, is found before anything is allocated. */
static bool idx_take(ByteStream *stream, IdxArray *out, Error *err)
{
    size_t total = 0;
    if (!idx_header(stream, out, &total, err))
        return false;
    if (stream->memory && (uint64_t)slope_stream_left(stream) != total)
        return idx_wrong_size(stream, total, err);
    out->bytes = slope_stream_take(stream, total, err);
    if (out->bytes && slope_stream_expect_end(stream, err))
        return true;
    idx_free(out);
    return false;
}

static void idx_begin(const char *function, int ndim, IdxArray *out)
{
    if (ndim < 1 || ndim > IDX_MAX_DIMS)
        slope_fail(function, "an IDX array has 1 to %d axes here, not %d", IDX_MAX_DIMS, ndim);
    *out = (IdxArray){.ndim = ndim};
}

bool idx_parse(const uint8_t *data, size_t size, const char *name, int ndim, IdxArray *out,
               Error *err)
{
    idx_begin("idx_parse", ndim, out);
    ByteStream stream = slope_stream_of_memory(data, size, name);
    return idx_take(&stream, out, err);
}

bool idx_read(const char *path, int ndim, IdxArray *out, Error *err)
{
    ByteStream stream;
    idx_begin("idx_read", ndim, out);
    if (!slope_stream_open(&stream, path, GZIP_UNPACK, err))
        return false;
    bool ok = idx_take(&stream, out, err);
    slope_stream_close(&stream);
    return ok;
}

void idx_free(IdxArray *array)
{
    memory_free(array->bytes);
    array->bytes = NULL;
}

/* --- images and labels together --------------------------------------------------------------- */

/* Do images (N,H,W) and labels (N) make a dataset? */
static bool idx_check_pair(const IdxArray *images, const IdxArray *labels, const char *images_path,
                           const char *labels_path, Error *err)
{
    char expected[64];
    if (images->dim[0] == 0)
        return error_set(err, images_path, 4, "the file holds no images");
    if (images->dim[1] == 0 || images->dim[2] == 0)
        return error_set(err, images_path, 8, "the images have no pixels (%td by %td)",
                         images->dim[1], images->dim[2]);
    if (images->dim[0] == labels->dim[0])
        return true;
    snprintf(expected, sizeof expected, "%td labels", images->dim[0]);
    error_set(err, labels_path, 4, "the number of labels is not the number of images");
    error_expected(err, expected, "%td", labels->dim[0]);
    return error_hint(err, "the images are in %s; do the two files belong together?", images_path);
}

/* Widens the labels to int32, checking that each is a class. */
static bool idx_copy_labels(Labels to, const IdxArray *from, int classes, const char *path,
                            Error *err)
{
    for (ptrdiff_t i = 0; i < to.count; i++) {
        to.data[i] = from->bytes[i];
        if (to.data[i] < classes)
            continue;
        char expected[64];
        snprintf(expected, sizeof expected, "0 to %d", classes - 1);
        error_set(err, path, (int64_t)idx_header_size(1) + i,
                  "the label of example %td is not a class", i);
        error_expected(err, expected, "%d", (int)to.data[i]);
        return to.data[i] == classes &&
               error_hint(err, "EMNIST's letters are labelled from 1: if these are, too, pass %d "
                               "classes", classes + 1);
    }
    return true;
}

/* (N,H,W) bytes become N samples (1,H,W): one channel. */
static Dataset *idx_join(const char *name, const IdxArray *images, const IdxArray *labels,
                         int classes, const char *labels_path, Error *err)
{
    Shape sample = SHAPE(1, images->dim[1], images->dim[2]);
    Dataset *data = dataset_try_new(name, DATASET_BYTES, images->dim[0], sample, classes);
    if (!data) {
        error_set(err, name, -1, "out of memory for %td images", images->dim[0]);
        return NULL;
    }
    memcpy(data->bytes, images->bytes, (size_t)(data->count * shape_count(sample)));
    if (idx_copy_labels(data->labels, labels, classes, labels_path, err))
        return data;
    dataset_free(data);
    return NULL;
}

Dataset *idx_load_pair(const char *name, const char *images_path, const char *labels_path,
                       int classes, Error *err)
{
    IdxArray images = {0}, labels = {0};
    Dataset *data = NULL;
    if (idx_read(images_path, 3, &images, err) && idx_read(labels_path, 1, &labels, err) &&
        idx_check_pair(&images, &labels, images_path, labels_path, err))
        data = idx_join(name, &images, &labels, classes, labels_path, err);
    idx_free(&images);
    idx_free(&labels);
    return data;
}
