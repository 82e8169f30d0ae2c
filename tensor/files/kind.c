/* tensor/files/kind.c -- the table of first bytes.
 *
 * Source: the formats' own specifications; the table of file(1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/kind.h"

#include <string.h>

typedef struct Kind {
    size_t      at;
    const char *bytes;
    size_t      count;
    const char *name, *advice;
} Kind;

#define KIND(at, bytes, name, advice) {at, bytes, sizeof bytes - 1, name, advice}

#define KIND_PAGE    "it may say why the download failed: read it, and fetch the file again"
#define KIND_RECODE  "run: iconv -f UTF-16 -t UTF-8 FILE >NEW"
#define KIND_EXPORT  "export what it holds in the format expected here"
#define KIND_BINARY  "export what it holds, or fetch the set's binary version"
#define KIND_PICTURE "a data set is expected, not a single picture"

static const Kind kind_table[] = {
    KIND(0, "<!", "a web page", KIND_PAGE),
    KIND(0, "<html", "a web page", KIND_PAGE),
    KIND(0, "<HTML", "a web page", KIND_PAGE),
    KIND(0, "<?xml", "an XML file", KIND_PAGE),
    KIND(0, "version https://git-lfs", "a Git LFS pointer", "fetch the file itself: git lfs pull"),
    KIND(0, "\x1f\x8b", "a gzip file", "unpack it: gunzip FILE.gz"),
    KIND(4, "1AY&SY", "a bzip2 file", "unpack it: bunzip2 FILE"),
    KIND(0, "\xfd" "7zXZ", "an xz file", "unpack it: unxz FILE"),
    KIND(0, "\x28\xb5\x2f\xfd", "a zstd file", "unpack it: unzstd FILE"),
    KIND(0, "PK\x03\x04", "a zip archive, as .xlsx, .npz and .pt files are, too", KIND_EXPORT),
    KIND(257, "ustar", "a tar archive", "unpack it: tar xf FILE"),
    KIND(0, "\xff\xfe", "text in UTF-16", KIND_RECODE),
    KIND(0, "\xfe\xff", "text in UTF-16", KIND_RECODE),
    KIND(0, "\xd0\xcf\x11\xe0", "an old Office file, such as .xls", "save the table as CSV"),
    KIND(0, "\x80\x02", "a Python pickle", KIND_BINARY),
    KIND(0, "\x80\x03", "a Python pickle", KIND_BINARY),
    KIND(0, "\x80\x04", "a Python pickle", KIND_BINARY),
    KIND(0, "\x80\x05", "a Python pickle", KIND_BINARY),
    KIND(0, "\x93NUMPY", "a NumPy array", KIND_EXPORT),
    KIND(0, "MATLAB 5.0 MAT", "a MATLAB file, as SVHN's are", KIND_EXPORT),
    KIND(0, "\x89HDF", "an HDF5 file", KIND_EXPORT),
    KIND(0, "PAR1\x15", "a Parquet file", "save the table as CSV"),
    KIND(0, "\x89PNG", "a PNG picture", KIND_PICTURE),
    KIND(0, "\xff\xd8\xff", "a JPEG picture", KIND_PICTURE),
    KIND(5, "\0\0\0{\"", "a safetensors file", "read it with safetensors_read or module_load"),
    KIND(0, "\0\0\x08", "an IDX file, as MNIST's are", "read it with idx_read or idx_load_pair"),
};

/* A web page may begin with blanks or empty lines. */
static size_t kind_blanks(const uint8_t *start, size_t size)
{
    size_t n = 0;
    while (n < size && memchr(" \t\r\n", start[n], 4))
        n++;
    return n;
}

bool slope_kind_hint(Error *err, const uint8_t *start, size_t size)
{
    size_t blanks = kind_blanks(start, size);
    for (size_t i = 0; i < sizeof kind_table / sizeof *kind_table; i++) {
        const Kind *kind = &kind_table[i];
        size_t at = kind->bytes[0] == '<' ? blanks : kind->at;
        if (size >= at + kind->count && memcmp(start + at, kind->bytes, kind->count) == 0)
            return error_hint(err, "this is %s; %s", kind->name, kind->advice);
    }
    return false;
}

bool slope_kind_hint_of(Error *err, const ByteStream *stream)
{
    uint8_t start[512]; /* the table needs no more */
    return slope_kind_hint(err, start, slope_stream_start(stream, start, sizeof start));
}
