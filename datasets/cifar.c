/* datasets/cifar.c -- records of a label and an image, one after another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/cifar.h"

#include <string.h>

#include "datasets/search.h"
#include "tensor/files/kind.h"
#include "tensor/files/stream.h"

const char *const cifar10_classes[10] = {
    "airplane", "automobile", "bird",  "cat",  "deer",
    "dog",      "frog",       "horse", "ship", "truck",
};

enum { CIFAR_CLASSES = 10, CIFAR_BATCHES = 5, CIFAR100_RECORD = 2 + CIFAR_IMAGE };

/* --- records ---------------------------------------------------------------------------------- */

/* Adds a hint: which other file this is, if its first bytes or its size show that. */
static bool cifar_hint(const ByteStream *stream, const char *otherwise, Error *err)
{
    error_hint(err, "%s", stream->size > 0 && stream->size % CIFAR100_RECORD == 0
               ? "these seem to be CIFAR-100's records of 3074 bytes: two labels, then the pixels; "
                 "that set is not supported"
               : otherwise);
    return slope_kind_hint_of(err, stream);
}

/* A file holds nothing but records, so its size determines their number. */
static bool cifar_count(const ByteStream *stream, ptrdiff_t *count, Error *err)
{
    uint64_t size = (uint64_t)stream->size, over = size % CIFAR_RECORD;
    *count = (ptrdiff_t)(size / CIFAR_RECORD);
    if (size > 0 && over == 0)
        return true;
    error_set(err, stream->name, (int64_t)(size - over), size ? "the file ends within a record"
                                                              : "the file is empty");
    error_expected(err, "a multiple of 3073 bytes", "%llu", (unsigned long long)size);
    return cifar_hint(stream, "this must be a complete .bin file of the set's binary version", err);
}

static Dataset *cifar_new(const char *name, ptrdiff_t count, Error *err)
{
    Dataset *data = dataset_try_new(name, DATASET_BYTES, count, SHAPE(3, 32, 32), CIFAR_CLASSES);
    if (!data) {
        error_set(err, name, -1, "out of memory for %td images", count);
        return NULL;
    }
    data->class_names = cifar10_classes;
    data->mean = (real)0.4734;
    data->std = (real)0.2516;
    return data;
}

/* One record becomes example i; `offset` is its position in the file. */
static bool cifar_take(Dataset *data, ptrdiff_t i, const uint8_t record[CIFAR_RECORD],
                       const ByteStream *stream, int64_t offset, Error *err)
{
    data->labels.data[i] = record[0];
    memcpy(data->bytes + i * CIFAR_IMAGE, record + 1, CIFAR_IMAGE);
    if (record[0] < CIFAR_CLASSES)
        return true;
    error_set(err, stream->name, offset, "the label of record %lld is not a class",
              (long long)(offset / CIFAR_RECORD));
    error_expected(err, "0 to 9", "%d", record[0]);
    return cifar_hint(stream, "this must be a .bin file of the set's binary version", err);
}

/* --- files ------------------------------------------------------------------------------------ */

/* Sources whose records are concatenated in one dataset. All are opened before any is read, so that
 * their sizes are known, and a missing file is reported at once. */
typedef struct CifarFiles {
    int        count;
    ByteStream stream[CIFAR_BATCHES];
    ptrdiff_t  records[CIFAR_BATCHES];
} CifarFiles;

static bool cifar_add(CifarFiles *files, ByteStream stream, Error *err)
{
    int i = files->count++;
    files->stream[i] = stream;
    return cifar_count(&stream, &files->records[i], err);
}

static bool cifar_open(CifarFiles *files, const char *path, Error *err)
{
    ByteStream stream;
    return slope_stream_open(&stream, path, GZIP_REFUSE, err) && cifar_add(files, stream, err);
}

static void cifar_close(CifarFiles *files)
{
    for (int i = 0; i < files->count; i++)
        slope_stream_close(&files->stream[i]);
}

/* Reads the records of one source, starting at example `first`. A file
 * may change while it is read. */
static bool cifar_fill(Dataset *data, ptrdiff_t first, ByteStream *stream, ptrdiff_t records,
                       Error *err)
{
    uint8_t record[CIFAR_RECORD];
    for (ptrdiff_t i = 0; i < records; i++) {
        int64_t offset = stream->offset;
        if (!slope_stream_fill(stream, record, sizeof record, err) ||
            !cifar_take(data, first + i, record, stream, offset, err))
            return false;
    }
    return slope_stream_expect_end(stream, err);
}

static Dataset *cifar_join(const char *name, CifarFiles *files, Error *err)
{
    ptrdiff_t count = 0, first = 0;
    for (int i = 0; i < files->count; i++)
        count += files->records[i];
    Dataset *data = cifar_new(name, count, err);
    bool ok = data != NULL;
    for (int i = 0; ok && i < files->count; first += files->records[i++])
        ok = cifar_fill(data, first, &files->stream[i], files->records[i], err);
    if (ok)
        return data;
    dataset_free(data);
    return NULL;
}

Dataset *cifar_parse(const uint8_t *data, size_t size, const char *name, Error *err)
{
    CifarFiles files = {0};
    ByteStream memory = slope_stream_of_memory(data, size, name);
    return cifar_add(&files, memory, err) ? cifar_join(name, &files, err) : NULL;
}

Dataset *cifar_read(const char *path, Error *err)
{
    CifarFiles files = {0};
    Dataset *data = cifar_open(&files, path, err) ? cifar_join(path, &files, err) : NULL;
    cifar_close(&files);
    return data;
}

/* --- the set ---------------------------------------------------------------------------------- */

static Dataset *cifar_load_folder(const char *folder, bool train, Error *err)
{
    char path[CIFAR_BATCHES][SEARCH_PATH], name[32]; /* a stream borrows its path */
    CifarFiles files = {0};
    bool ok = true;
    for (int i = 0; ok && i < (train ? CIFAR_BATCHES : 1); i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i + 1);
        slope_search_file(path[i], folder, train ? name : "test_batch.bin");
        ok = cifar_open(&files, path[i], err);
    }
    Dataset *data = ok ? cifar_join(train ? "cifar-10 train" : "cifar-10 test", &files, err) : NULL;
    cifar_close(&files);
    return data;
}

/* The error of a search that found nothing: where it looked, and how to get the set. */
static Dataset *cifar_not_found(const Search *search, Error *err)
{
    slope_search_failed(search, "cifar-10", err);
    error_hint(err,
               "No package ships the set. Fetch cifar-10-binary.tar.gz from "
               "https://www.cs.toronto.edu/~kriz/cifar.html (not the Python version), unpack it, "
               "and put data_batch_1.bin to data_batch_5.bin and test_batch.bin (30730000 bytes "
               "each) into %.160s",
               search->folder[0]);
    return NULL;
}

static bool cifar_is_in(const char *folder)
{
    char path[SEARCH_PATH];
    return slope_search_file(path, folder, "data_batch_1.bin") ||
           slope_search_file(path, folder, "test_batch.bin");
}

Dataset *cifar10_load(const char *dir, bool train, Error *err)
{
    Search search;
    char archive[SEARCH_PATH]; /* the folder that unpacking the archive creates */
    slope_search_folders(&search, dir, "cifar-10");
    for (int i = 0; i < search.count; i++) {
        if (cifar_is_in(search.folder[i]))
            return cifar_load_folder(search.folder[i], train, err);
        if (slope_search_file(archive, search.folder[i], "cifar-10-batches-bin") &&
            cifar_is_in(archive))
            return cifar_load_folder(archive, train, err);
    }
    return cifar_not_found(&search, err);
}
