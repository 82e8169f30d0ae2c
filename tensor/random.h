/* tensor/random.h -- random numbers that depend only on a key and a position.
 *
 *  - Philox 4x32-10, a counter-based generator: number i of stream (seed, stream) is a pure
 *    function of (seed, stream, i). So any thread can compute any part of a tensor, and the bits do
 *    not depend on how the work is divided.
 *  - An Rng is the whole state of a generator: copy it to save the state, assign it to restore it.
 *  - random_seed() sets this thread's seed; each module or shuffle then gets its own stream from
 *    random_stream(), so adding a layer does not disturb the numbers of the others.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_RANDOM_H
#define SLOPE_TENSOR_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/tensor.h"

SLOPE_C_BEGIN

typedef struct Rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t position; /* 64-bit words drawn so far */
} Rng;

Rng rng_new(uint64_t seed, uint64_t stream);

/* The 64-bit word at a position: the pure function on which everything else is built. */
uint64_t rng_word(uint64_t seed, uint64_t stream, uint64_t position);

/* The n words starting at `position`: the same values, but much faster than one call per word. They
 * are computed RNG_WORDS at a time, so that is a good n. */
enum { RNG_WORDS = 128 };
void rng_words(uint64_t seed, uint64_t stream, uint64_t position, ptrdiff_t n, uint64_t *words);

/* Each call draws one word; rng_normal draws two, and rng_below, very rarely, more than one. */
uint64_t rng_next(Rng *rng);
real rng_uniform(Rng *rng);                   /* in [0, 1) */
real rng_normal(Rng *rng);                    /* mean 0, standard deviation 1 */
uint64_t rng_below(Rng *rng, uint64_t bound); /* 0 … bound-1, without bias; bound > 0 */

/* A random order of 0 … n-1 (Fisher-Yates); n < 2^31. */
void rng_permutation(Rng *rng, ptrdiff_t n, int32_t *order);

/* Fill a contiguous tensor, in parallel; rng advances past the words used. */
void tensor_fill_uniform(Tensor *out, Rng *rng, real low, real high);
void tensor_fill_normal(Tensor *out, Rng *rng, real mean, real std);

/* The state as 24 bytes, little-endian on every machine. */
enum { RNG_BYTES = 24 };
void rng_save(const Rng *rng, uint8_t bytes[RNG_BYTES]);
Rng rng_load(const uint8_t bytes[RNG_BYTES]);

/* random_seed() sets this thread's seed, initially 0, and starts again with stream 0.
 * random_stream() returns the next unused stream. */
void random_seed(uint64_t seed);
Rng random_stream(void);

SLOPE_C_END

#endif
