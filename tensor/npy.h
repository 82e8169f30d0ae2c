/* tensor/npy.h -- one tensor as a .npy file, which NumPy reads and writes.
 *
 *  - npy_save writes the build's `real`: numpy.load gives float32 or float64.
 *  - npy_load reads what numpy.save made of bool, uint8, int32, int64, float32 or float64, either
 *    byte order, either memory order, and converts it to `real`.
 *  - A file that is missing, damaged or hostile gives NULL and an Error: what its header declares
 *    is compared with the bytes that are there before memory is asked for.
 *
 *      Tensor *x = npy_load("x.npy", &err);        // numpy.save("x.npy", x)
 *      if (!x) { error_print(stderr, &err); return 1; }
 *      bool ok = npy_save("y.npy", x, &err);       // y = numpy.load("y.npy")
 *
 * The format: \x93NUMPY, a major and a minor version byte, the header's length (2 bytes in version
 * 1.0, 4 in 2.0 and 3.0, little-endian), a Python dict
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * padded with spaces and ended by a newline, then the numbers, packed.
 * Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_NPY_H
#define SLOPE_TENSOR_NPY_H

#include "tensor/tensor.h"

/* A longer header is refused, as numpy.load refuses it. */
enum { NPY_MAX_HEADER = 10000 };

/* Writes x, of any strides, row-major, durably (tensor/files/durable.h): if it fails the old file stays.
 * A NaN keeps its bits. */
bool npy_save(const char *path, const Tensor *x, Error *err);

/* The tensor is yours; NULL and *err if the file is missing, breaks a rule of the format, has more
 * bytes than its header declares, or holds a finite number that would be infinite as a `real`.
 * Integers beyond 2^24 (float) or 2^53 (double) are rounded; True is 1. A .npz is no .npy. */
Tensor *npy_load(const char *path, Error *err);

/* The same from memory; `name` stands for the file in errors. */
Tensor *npy_parse(const uint8_t *data, size_t size, const char *name, Error *err);

#endif
