/* datasets/idx.h -- the IDX files of MNIST and Fashion-MNIST, raw or gzipped.
 *
 *  - idx_load_pair reads an images file (N,H,W bytes) and a labels file (N bytes).
 *  - fashion_mnist_load looks for the set in $SLOPE_DATA/fashion-mnist, then
 *    ./data/fashion-mnist, then /usr/share/datasets/fashion-mnist.
 *  - Related sets in the same format are read, too: KMNIST, and EMNIST, whose images are transposed
 *    (rows and columns exchanged) and whose letters are labelled 1 to 26, which makes 27 classes.
 *    QMNIST's labels have a different type and are refused.
 *  - A file that is missing, short, corrupt or hostile yields NULL and an Error; every size
 *    a header declares is checked for overflow and against the bytes present before anything
 *    of that size is allocated.
 *
 * Format: big-endian magic 00 00 TYPE NDIM, then NDIM 32-bit sizes, then the data. TYPE 08 is
 * unsigned byte, the only one that is read; the error names any other. Source: LeCun, Cortes,
 * Burges, "The MNIST database of handwritten digits".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_IDX_H
#define SLOPE_DATASETS_IDX_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

/* Unsigned bytes with their shape, as an IDX file holds them. */
typedef struct IdxArray {
    int       ndim;
    ptrdiff_t dim[3];
    uint8_t  *bytes; /* row-major; freed by idx_free */
} IdxArray;

/* Parses a whole IDX file in memory; errors call it `name`. Returns false and fills in *err for
 * anything but ndim (1 to 3) axes of unsigned bytes followed by exactly their data. */
bool idx_parse(const uint8_t *data, size_t size, const char *name, int ndim, IdxArray *out,
               Error *err);

/* The same from a file; one that begins with 1f 8b is unpacked by the gzip program. Its header may
 * declare at most 64 MiB or, if that is more, 20 times the file's size; more is an Error, and the
 * file must be unpacked first. */
bool idx_read(const char *path, int ndim, IdxArray *out, Error *err);
void idx_free(IdxArray *array);

/* Images (N,H,W) and labels (N) as a dataset of samples (1,H,W), mean 0 and std 1, without class
 * names. It is an error if the counts differ, if N, H or W is 0, or if a label is not below
 * `classes`. */
Dataset *idx_load_pair(const char *name, const char *images_path, const char *labels_path,
                       int classes, Error *err);

/* Fashion-MNIST: 60000 training or 10000 test images of 28x28, ten classes, with the mean
 * .2860 and standard deviation .3530 of its training pixels. If `dir` is NULL, the folders above
 * are searched, otherwise only `dir` and `dir`/fashion-mnist. The first folder that holds one of
 * the two files is used. If none does, the error says where it looked and how to install the set.
 * The files are named train-images-idx3-ubyte, t10k-labels-idx1-ubyte and so on, with or without
 * .gz; a dot may replace the dash before idx. MNIST's files have the same names and sizes: nothing
 * in them says which set they are.
 * The count is taken from the files, so a smaller set will do, but the images must be 28x28. */
Dataset *fashion_mnist_load(const char *dir, bool train, Error *err);

/* The names of the ten classes. */
extern const char *const fashion_mnist_classes[10];

SLOPE_C_END

#endif
