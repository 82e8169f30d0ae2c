/* tests/fuzz/fuzz.h -- shared by the fuzzers: how to build and run one, and their assertions.
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -D_DEFAULT_SOURCE -pthread -I. \
 *           $(find tensor datasets -name '*.c') tests/fuzz/fuzz_csv.c -lm -o fuzz_csv
 *     ./fuzz_csv -max_total_time=60
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_FUZZ_FUZZ_H
#define SLOPE_TESTS_FUZZ_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

/* libFuzzer's entry point. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool claim)
{
    if (!claim)
        abort();
}

/* A refusal states a reason, and gives both what was expected and what was found, or neither. */
static inline void require_reason(const Error *err)
{
    require(err->problem[0] && (err->expected[0] != 0) == (err->found[0] != 0));
}

#endif
