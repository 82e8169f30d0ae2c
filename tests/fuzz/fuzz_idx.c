/* tests/fuzz/fuzz_idx.c -- throws bytes at the IDX parser (libFuzzer's entry point).
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -D_DEFAULT_SOURCE -pthread -I. \
 *           $(find tensor datasets -name '*.c') tests/fuzz/fuzz_idx.c -lm -o build/fuzz
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/idx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted must add up: the header and the product of the sizes are the whole file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int ndim = 1; ndim <= 3; ndim++) {
        IdxArray array;
        Error err;
        if (!idx_parse(data, size, "fuzz", ndim, &array, &err)) {
            if (err.problem[0] == '\0' || array.bytes)
                abort();
            continue;
        }
        size_t total = 1, sum = 0;
        for (int i = 0; i < ndim; i++)
            total *= (size_t)array.dim[i];
        for (size_t i = 0; i < total; i++)
            sum += array.bytes[i];
        if (4 + 4 * (size_t)ndim + total != size || sum > 255 * total)
            abort();
        idx_free(&array);
    }
    return 0;
}
