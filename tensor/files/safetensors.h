/* tensor/files/safetensors.h -- a list of named tensors, as a file that PyTorch's world reads too.
 *
 *  - safetensors_add… gather a list; safetensors_write puts it on the disk, whole or not at all.
 *  - safetensors_read and safetensors_parse give a list back, or an Error: a damaged or hostile
 *    file never stops the program, nor does it get memory for more than what is there.
 *  - safetensors_get copies one tensor of the list into one of yours, converting to `real`.
 *  - The same list always makes the same bytes.
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
 * and then the numbers: little-endian, row-major, packed, without a gap.
 * Source: https://github.com/huggingface/safetensors, "Format".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_SAFETENSORS_H
#define SLOPE_TENSOR_FILES_SAFETENSORS_H

#include "tensor/tensor.h"

/* In the order of the reference implementation, which writes the last first. */
typedef enum Dtype { DTYPE_U8, DTYPE_I32, DTYPE_F32, DTYPE_F64, DTYPE_I64 } Dtype;

#ifdef SLOPE_DOUBLE
#define DTYPE_REAL DTYPE_F64
#else
#define DTYPE_REAL DTYPE_F32
#endif

size_t safetensors_dtype_size(Dtype dtype);      /* bytes of one number */
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
    char         file[256]; /* where it was read from, for errors */
    NamedTensor *item;
    int          count;
    NamedText   *text; /* the file's __metadata__ */
    int          n_texts;
} Safetensors;

/* --- gathering: the list copies what it is given ---------------------------------------------- */

Safetensors *safetensors_new(void);
void safetensors_free(Safetensors *s); /* NULL is fine */

/* Room for a tensor, all zeros, to be filled in. A name is UTF-8, used once in a list, and not
 * "__metadata__". */
void *safetensors_add(Safetensors *s, const char *name, Dtype dtype, Shape shape);

/* x as the build's `real`; any strides. */
void safetensors_add_tensor(Safetensors *s, const char *name, const Tensor *x);

/* A note about the whole; a key is used once. */
void safetensors_add_text(Safetensors *s, const char *key, const char *value);

/* --- looking ---------------------------------------------------------------------------------- */

/* NULL if the list has none of that name. */
const NamedTensor *safetensors_find(const Safetensors *s, const char *name);
const char *safetensors_find_text(const Safetensors *s, const char *key);

/* Can x take the tensor of that name? False and *err if there is none, if its shape is not x's, or
 * if one of its finite numbers would become infinite (1e300 as a float). */
bool safetensors_check(const Safetensors *s, const char *name, const Tensor *x, Error *err);

/* The same, and x = its numbers, rounded to `real` where they are wider. The same type keeps
 * every bit, a NaN's too. A refusal leaves x as it was. */
bool safetensors_get(const Safetensors *s, const char *name, Tensor *x, Error *err);

/* --- files ------------------------------------------------------------------------------------ */

/* Headers of more bytes are refused, unless a reader is told a larger limit: a million bytes
 * describe about ten thousand tensors. The format itself stops at SAFETENSORS_MAX_HEADER. */
enum { SAFETENSORS_HEADER = 1000000, SAFETENSORS_MAX_HEADER = 100000000 };

/* Reads F64, F32, I64, I32, U8, and F16 and BF16 into F32. The list, in the order of the file's
 * data, is yours; NULL and *err if the file is missing or breaks any rule of the format. */
Safetensors *safetensors_read(const char *path, size_t max_header, Error *err);

/* The same from memory; `name` stands for the file in errors. */
Safetensors *safetensors_parse(const uint8_t *data, size_t size, size_t max_header,
                               const char *name, Error *err);

/* Replaces the file by the list, durably (tensor/files/durable.h); if that fails the old file
 * stays. */
bool safetensors_write(const Safetensors *s, const char *path, Error *err);

#endif
