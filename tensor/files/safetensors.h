/* tensor/files/safetensors.h -- a list of named tensors, and its file, which PyTorch can read, too.
 *
 *  - safetensors_add… build a list; safetensors_write writes it to disk, all of it or nothing.
 *  - safetensors_read and safetensors_parse return a list, or NULL and an Error: a damaged or
 *    hostile file neither stops the program nor makes it allocate memory for more than the file
 *    holds.
 *  - safetensors_get copies one tensor of the list into one of yours, converting to `real`.
 *  - The same list is always written as the same bytes.
 *
 *      Safetensors *s = safetensors_new();
 *      safetensors_add_tensor(s, "fc1.weight", weight);
 *      *(int64_t *)safetensors_add(s, "epoch", DTYPE_I64, SHAPE_SCALAR) = 7;
 *      safetensors_add_text(s, "made by", "lesson 8");
 *      bool ok = safetensors_write(s, "net.safetensors", &err);
 *      safetensors_free(s);
 *
 * The format: 8 bytes N, little-endian; N bytes of JSON,
 *     {"fc1.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
 * and then the elements: little-endian, row-major, packed, without gaps.
 * Source: https://github.com/huggingface/safetensors, "Format".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_SAFETENSORS_H
#define SLOPE_TENSOR_FILES_SAFETENSORS_H

#include "tensor/tensor.h"

SLOPE_C_BEGIN

/* In the order of the reference implementation, which writes tensors of the last type first. */
typedef enum Dtype { DTYPE_U8, DTYPE_I32, DTYPE_F32, DTYPE_F64, DTYPE_I64 } Dtype;

#ifdef SLOPE_DOUBLE
#define DTYPE_REAL DTYPE_F64
#else
#define DTYPE_REAL DTYPE_F32
#endif

size_t safetensors_dtype_size(Dtype dtype);      /* bytes of one element */
const char *safetensors_dtype_name(Dtype dtype); /* "F32" */

typedef struct NamedTensor {
    char *name; /* UTF-8 */
    Dtype dtype;
    Shape shape;
    void *data; /* uint8_t, int32_t, float, double or int64_t; row-major */
} NamedTensor;

typedef struct NamedText {
    char *key, *value; /* UTF-8 */
} NamedText;

typedef struct Safetensors {
    char         file[256]; /* what it was read from, for errors */
    NamedTensor *item;
    int          count;
    NamedText   *text; /* the file's __metadata__ */
    int          n_texts;
} Safetensors;

/* --- building: the list copies what it is given ----------------------------------------------- */

Safetensors *safetensors_new(void);
void safetensors_free(Safetensors *s); /* NULL is fine */

/* Adds a tensor of zeros and returns its data, to be filled in. A name is UTF-8, occurs once in a
 * list, and is not "__metadata__". */
void *safetensors_add(Safetensors *s, const char *name, Dtype dtype, Shape shape);

/* Adds a copy of x, which may have any strides, as the build's `real`. */
void safetensors_add_tensor(Safetensors *s, const char *name, const Tensor *x);

/* Adds a note about the whole list; a key occurs only once. */
void safetensors_add_text(Safetensors *s, const char *key, const char *value);

/* The same, for code that must not stop the program when out of memory: they then return NULL or
 * false and leave the list unchanged. */
void *safetensors_try_add(Safetensors *s, const char *name, Dtype dtype, Shape shape);
bool safetensors_try_add_tensor(Safetensors *s, const char *name, const Tensor *x);
bool safetensors_try_add_text(Safetensors *s, const char *key, const char *value);

/* --- finding ---------------------------------------------------------------------------------- */

/* Each returns NULL if the list has none with that name. */
const NamedTensor *safetensors_find(const Safetensors *s, const char *name);
const char *safetensors_find_text(const Safetensors *s, const char *key);

/* Returns true if the tensor of that name can be copied into x. Returns false and fills in *err if
 * there is none, if its shape is not x's, or if one of its finite elements would become infinite
 * (1e300 as a float). */
bool safetensors_check(const Safetensors *s, const char *name, const Tensor *x, Error *err);

/* Checks the same, then copies the elements into x; those of a wider type are rounded to `real`.
 * Elements of the same type keep every bit, even those of a NaN. On failure x is unchanged. */
bool safetensors_get(const Safetensors *s, const char *name, Tensor *x, Error *err);

/* --- files ------------------------------------------------------------------------------------ */

/* Limits on the header, in bytes. The first, enough for about ten thousand tensors, is the usual
 * `max_header` of a reader, and nothing larger is written; the second is the format's own. */
enum { SAFETENSORS_HEADER = 1000000, SAFETENSORS_MAX_HEADER = 100000000 };

/* Reads F64, F32, I64, I32 and U8 as they are, F16 and BF16 as F32. You free the list, which is in
 * the order of the file's data. Returns NULL and fills in *err if the file is missing, has a header
 * of more than `max_header` bytes, or breaks any rule of the format. */
Safetensors *safetensors_read(const char *path, size_t max_header, Error *err);

/* The same from memory; `name` names the file in errors. */
Safetensors *safetensors_parse(const uint8_t *data, size_t size, size_t max_header,
                               const char *name, Error *err);

/* Replaces the file with one that holds the list. Readers see the old file or the new one, never
 * part of one; if writing fails, the old file stays. A link at the path is followed, and the file's
 * mode, owner and group are kept; anything but a regular file, such as a device, is refused. */
bool safetensors_write(const Safetensors *s, const char *path, Error *err);

SLOPE_C_END

#endif
