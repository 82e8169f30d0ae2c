/* tests/fuzz/fuzz_safetensors.c -- feeds bytes to the safetensors reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/safetensors.h"
#include "tests/fuzz/fuzz.h"

/* Requires that each name finds its own tensor and that all its bytes can be read; returns the
 * number of these bytes. */
static size_t check_list(const Safetensors *s)
{
    size_t total = 0;
    for (int i = 0; i < s->count; i++) {
        const NamedTensor *t = &s->item[i];
        size_t bytes = (size_t)shape_count(t->shape) * safetensors_dtype_size(t->dtype);
        const uint8_t *p = t->data;
        volatile uint8_t sum = 0;
        for (size_t k = 0; k < bytes; k++)
            sum = (uint8_t)(sum + p[k]);
        require(s->count > 1000 || safetensors_find(s, t->name) == t);
        total += bytes;
    }
    for (int i = 0; i < s->n_texts && s->n_texts <= 1000; i++)
        require(safetensors_find_text(s, s->text[i].key) == s->text[i].value);
    return total;
}

/* An accepted file must add up: the tensors use all of its data, and at most twice its size, since
 * halves become floats. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = {0};
    Safetensors *s = safetensors_parse(data, size, SAFETENSORS_HEADER, "fuzz", &err);
    if (s) {
        size_t header = 8 + data[0] + ((size_t)data[1] << 8) + ((size_t)data[2] << 16);
        size_t total = check_list(s), held = size - header;
        require(total >= held && total <= 2 * held);
    } else {
        require(memchr(err.problem, 0, sizeof err.problem));
        require_reason(&err);
    }
    safetensors_free(s);
    return 0;
}
