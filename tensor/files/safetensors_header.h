/* tensor/files/safetensors_header.h -- the JSON header as entries; what the files of safetensors
 * share.
 *
 *  - safetensors_header_parse checks all that can be said without knowing the file's size: the
 *    grammar, the names, and that each tensor's shape and offsets agree.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_SAFETENSORS_HEADER_H
#define SLOPE_TENSOR_FILES_SAFETENSORS_HEADER_H

#include "tensor/files/safetensors.h"

/* The types that files hold: a Dtype is also the index of its own; the last two are only read. */
enum { FILE_F16 = DTYPE_I64 + 1, FILE_BF16, FILE_DTYPES };
typedef struct FileDtype {
    const char *name;
    size_t      size; /* bytes of one number in the file */
    Dtype       held; /* what it is in memory */
} FileDtype;
extern const FileDtype safetensors_dtype[FILE_DTYPES];

typedef struct HeaderEntry {
    const char *name;  /* lies in the header's bytes */
    size_t      at;    /* where in the header its name stands */
    int         dtype; /* index into safetensors_dtype */
    Shape       shape;
    uint64_t    begin, end; /* in the data */
} HeaderEntry;

typedef struct HeaderText {
    const char *key, *value;
    size_t      at;
} HeaderText;

typedef struct Header {
    HeaderEntry *entry; /* in the order of the data */
    int          n_entries;
    HeaderText  *text; /* in the order of the keys */
    int          n_texts;
    bool         has_metadata;
} Header;

/* The header proper begins after its own length, so errors count from here. */
enum { HEADER_START = 8 };

/* Parses the bytes, decoding its strings in place; they must outlive the entries. Call
 * safetensors_header_free whatever comes out. */
bool safetensors_header_parse(uint8_t *bytes, size_t size, const char *file, Header *header,
                              Error *err);
void safetensors_header_free(Header *header);

/* Room for one more in an array of `count`, which is doubled at each power of two. NULL when out
 * of memory: the array is then as it was. */
void *safetensors_grow(void *array, int count, size_t size);

/* As safetensors_add and safetensors_add_text, for what has been checked; NULL and false when out
 * of memory. */
NamedTensor *safetensors_try_add(Safetensors *s, const char *name, Dtype dtype, Shape shape);
bool safetensors_try_add_text(Safetensors *s, const char *key, const char *value);

#endif
