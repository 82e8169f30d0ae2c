/* tests/fuzz/fuzz_idx.c -- feeds bytes to the IDX parser.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"
#include "tests/fuzz/fuzz.h"

/* An accepted file must add up: the header plus the product of the sizes is the file's size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int ndim = 1; ndim <= 3; ndim++) {
        IdxArray array;
        Error err;
        if (!idx_parse(data, size, "fuzz", ndim, &array, &err)) {
            require(err.problem[0] && !array.bytes);
            continue;
        }
        size_t total = 1, sum = 0;
        for (int i = 0; i < ndim; i++)
            total *= (size_t)array.dim[i];
        for (size_t i = 0; i < total; i++)
            sum += array.bytes[i];
        require(4 + 4 * (size_t)ndim + total == size && sum <= 255 * total);
        idx_free(&array);
    }
    return 0;
}
