/* tensor/npy_header.h -- the header of a .npy file, from its text to what it says, and back.
 *
 *  - npy_header_parse takes the Python dict apart: the three keys, each once, in any order.
 *  - npy_header_write makes the whole beginning of a version 1.0 file.
 *  - For npy.c; programs use tensor/npy.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_NPY_HEADER_H
#define SLOPE_TENSOR_NPY_HEADER_H

#include "tensor/error.h"
#include "tensor/shape.h"

typedef enum NpyKind { NPY_BOOL = 'b', NPY_UNSIGNED = 'u', NPY_INT = 'i', NPY_FLOAT = 'f' } NpyKind;

typedef struct NpyHeader {
    NpyKind kind;
    int     width; /* bytes of one number: 1, 4 or 8 */
    bool    big_endian;
    bool    fortran_order; /* the first axis changes fastest */
    Shape   shape;
} NpyHeader;

/* `start` is where in the file the text begins, for errors. The shape's product is checked, also of
 * a shape that holds nothing. */
bool npy_header_parse(const char *text, size_t size, int64_t start, const char *file,
                      NpyHeader *header, Error *err);

/* Magic, version, length and dict of a row-major array of the build's `real`, to `to`. Returns the
 * bytes, a multiple of 64 as the format asks, so that the numbers that follow lie aligned. */
enum { NPY_MAGIC = 6, NPY_START = 10, NPY_ALIGN = 64, NPY_WRITTEN = 320 };
size_t npy_header_write(Shape shape, uint8_t to[NPY_WRITTEN]);

#endif
