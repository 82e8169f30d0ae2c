/* tests/fuzz/fuzz_npy.c -- throws bytes at the .npy reader (libFuzzer's entry point).
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -D_DEFAULT_SOURCE -pthread -I. \
 *           tensor/x.c tests/fuzz/fuzz_npy.c -lm                  (x: every file)
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/npy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

/* What is accepted must add up: the numbers, of 1, 4 or 8 bytes, are what follows the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = {0};
    Tensor *x = npy_parse(data, size, "fuzz", &err);
    if (!x) {
        require(err.problem[0] && (err.expected[0] != 0) == (err.found[0] != 0));
        return 0;
    }
    size_t header = (data[6] == 1 ? 10 : 12) + data[8] + ((size_t)data[9] << 8);
    size_t count = (size_t)tensor_count(x), left = size - header;
    require(left == count || left == 4 * count || left == 8 * count);
    size_t zeros = 0; /* reading each, for the sanitizers to watch */
    for (size_t i = 0; i < count; i++)
        zeros += tensor_read(x)[i] == 0;
    require(zeros <= count);
    tensor_free(x);
    return 0;
}
