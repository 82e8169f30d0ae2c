/* tests/fuzz/fuzz_cifar.c -- feeds bytes to the CIFAR-10 reader; run it with -max_len=20000, since
 * a record has 3073 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/cifar.h"
#include "tests/fuzz/fuzz.h"

/* A dataset that is accepted holds the bytes of the input; a refusal states a reason. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = {0};
    Dataset *set = cifar_parse(data, size, "fuzz", &err);
    bool whole = size > 0 && size % CIFAR_RECORD == 0;
    for (size_t i = 0; whole && i < size; i += CIFAR_RECORD)
        whole = data[i] < 10;
    require(whole == (set != NULL));
    require(set || (err.problem[0] && err.expected[0] && err.found[0]));
    for (ptrdiff_t i = 0; set && i < set->count; i++) {
        const uint8_t *record = data + i * CIFAR_RECORD;
        require(set->labels.data[i] == record[0]);
        require(memcmp(set->bytes + i * CIFAR_IMAGE, record + 1, CIFAR_IMAGE) == 0);
    }
    dataset_free(set);
    return 0;
}
