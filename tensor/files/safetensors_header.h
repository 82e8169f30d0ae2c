/* tensor/files/safetensors_header.h -- the JSON header as entries, and declarations that the
 * safetensors sources share. Internal: programs use tensor/files/safetensors.h.
 *
 *  - safetensors_header_parse checks all that can be checked without the file's size: the grammar,
 *    the names, and that each tensor's shape and offsets agree.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_SAFETENSORS_HEADER_H
#define SLOPE_TENSOR_FILES_SAFETENSORS_HEADER_H

#include "tensor/files/safetensors.h"

/* The element types in files, indexed by Dtype; the two that are not a Dtype can be read but are
 * never written. */
enum { FILE_F16 = DTYPE_I64 + 1, FILE_BF16, FILE_DTYPES };
typedef struct FileDtype {
    const char *name;
    size_t      size; /* bytes of one element in the file */
    Dtype       held; /* its type in memory */
} FileDtype;
extern const FileDtype safetensors_dtype[FILE_DTYPES];

typedef struct HeaderEntry {
    const char *name;  /* in the header's bytes */
    size_t      at;    /* position of the name in the header */
    int         dtype; /* index into safetensors_dtype */
    Shape       shape;
    uint64_t    begin, end; /* offsets in the data */
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

/* The header begins after the 8 bytes of its length; the offsets in errors include these. */
enum { HEADER_START = 8 };

/* Parses the bytes, which must outlive the entries: strings are decoded in place. Call
 * safetensors_header_free whether it succeeds or not. */
bool safetensors_header_parse(uint8_t *bytes, size_t size, const char *file, Header *header,
                              Error *err);
void safetensors_header_free(Header *header);

/* Returns the array of `count` elements with space for one more; its capacity doubles at each power
 * of two. NULL when out of memory: the array is then unchanged. */
void *safetensors_grow(void *array, int count, size_t size);

/* The same as safetensors_try_add and safetensors_try_add_text, for names already checked. */
NamedTensor *safetensors_append(Safetensors *s, const char *name, Dtype dtype, Shape shape);
bool safetensors_append_text(Safetensors *s, const char *key, const char *value);

#endif
