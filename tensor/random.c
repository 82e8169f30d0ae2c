/* tensor/random.c -- Philox 4x32-10 and the distributions drawn with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/random.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "tensor/cut.h"
#include "tensor/parallel.h"

/* --- the generator ---------------------------------------------------------------------------- */

/* The paper's constants: two multipliers, and what is added to the halves of the key in each
 * round. */
#define PHILOX_P    0xD2511F53u
#define PHILOX_Q    0xCD9E8D57u
#define PHILOX_KEY0 0x9E3779B9u
#define PHILOX_KEY1 0xBB67AE85u

enum { PHILOX_ROUNDS = 10, PHILOX_LANES = RNG_WORDS / 2 }; /* lanes: counters in parallel */

/* One of the ten rounds of multiply, swap and xor that turn a 128-bit counter, here in four parts,
 * and a 64-bit key, which is incremented in each round, into 128 random bits. */
static inline void philox_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3,
                                uint32_t key0, uint32_t key1)
{
    uint64_t p = (uint64_t)PHILOX_P * *c0, q = (uint64_t)PHILOX_Q * *c2;
    *c0 = (uint32_t)(q >> 32) ^ *c1 ^ key0;
    *c1 = (uint32_t)q;
    *c2 = (uint32_t)(p >> 32) ^ *c3 ^ key1;
    *c3 = (uint32_t)p;
}

/* The 128 bits as two words. */
static inline void philox_words(uint64_t words[2], uint32_t c0, uint32_t c1, uint32_t c2,
                                uint32_t c3)
{
    words[0] = (uint64_t)c1 << 32 | c0;
    words[1] = (uint64_t)c3 << 32 | c2;
}

Rng rng_new(uint64_t seed, uint64_t stream)
{
    return (Rng){.seed = seed, .stream = stream};
}

/* The seed is the key; the counter is the stream and the number of the block of two words. */
uint64_t rng_word(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint64_t block = position / 2, words[2];
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++, key0 += PHILOX_KEY0, key1 += PHILOX_KEY1)
        philox_round(&c0, &c1, &c2, &c3, key0, key1);
    philox_words(words, c0, c1, c2, c3);
    return words[position % 2];
}

/* PHILOX_LANES consecutive blocks at once: the same rounds, each a loop over all lanes, which the
 * compiler vectorises. */
static void philox_lanes(uint64_t seed, uint64_t stream, uint64_t block,
                         uint64_t words[RNG_WORDS])
{
    uint32_t c0[PHILOX_LANES], c1[PHILOX_LANES], c2[PHILOX_LANES], c3[PHILOX_LANES];
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int k = 0; k < PHILOX_LANES; k++) {
        c0[k] = (uint32_t)(block + (uint64_t)k), c1[k] = (uint32_t)((block + (uint64_t)k) >> 32);
        c2[k] = (uint32_t)stream, c3[k] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < PHILOX_ROUNDS; round++, key0 += PHILOX_KEY0, key1 += PHILOX_KEY1)
        for (int k = 0; k < PHILOX_LANES; k++)
            philox_round(&c0[k], &c1[k], &c2[k], &c3[k], key0, key1);
    for (int k = 0; k < PHILOX_LANES; k++)
        philox_words(words + 2 * k, c0[k], c1[k], c2[k], c3[k]);
}

void rng_words(uint64_t seed, uint64_t stream, uint64_t position, ptrdiff_t n, uint64_t *words)
{
    uint64_t some[RNG_WORDS];
    while (n > 0) {
        ptrdiff_t skip = (ptrdiff_t)(position % 2), count = min_size(RNG_WORDS - skip, n);
        philox_lanes(seed, stream, position / 2, some);
        memcpy(words, some + skip, (size_t)count * sizeof *words);
        words += count, position += (uint64_t)count, n -= count;
    }
}

uint64_t rng_next(Rng *rng)
{
    return rng_word(rng->seed, rng->stream, rng->position++);
}

/* --- distributions ---------------------------------------------------------------------------- */

/* The top bits of a word as a number in [0, 1): exactly as many bits as a real holds, so that it is
 * never rounded up to 1. */
static real random_unit(uint64_t word)
{
    return (real)(word >> (64 - REAL_MANT_DIG)) / (real)((uint64_t)1 << REAL_MANT_DIG);
}

/* Box-Muller: the radius comes from one uniform number, the angle from another. 1 - u is never 0,
 * so the logarithm is finite. */
static real random_gauss(uint64_t word0, uint64_t word1)
{
    real radius = sqrt(-2 * log(1 - random_unit(word0)));
    return radius * cos((real)(2 * M_PI) * random_unit(word1));
}

real rng_uniform(Rng *rng)
{
    return random_unit(rng_next(rng));
}

real rng_normal(Rng *rng)
{
    uint64_t word0 = rng_next(rng);
    return random_gauss(word0, rng_next(rng));
}

/* Words at or above the largest multiple of `bound` would favour small remainders, so they are
 * rejected. */
uint64_t rng_below(Rng *rng, uint64_t bound)
{
    if (bound == 0)
        slope_fail("rng_below", "the bound must be positive");
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, word;
    do
        word = rng_next(rng);
    while (word >= limit);
    return word % bound;
}

void rng_permutation(Rng *rng, ptrdiff_t n, int32_t *order)
{
    if (n > INT32_MAX)
        slope_fail("rng_permutation", "n is %td; expected at most %td, as indices have 32 bits", n,
                   (ptrdiff_t)INT32_MAX);
    for (ptrdiff_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    for (ptrdiff_t i = n - 1; i > 0; i--) {
        ptrdiff_t j = (ptrdiff_t)rng_below(rng, (uint64_t)i + 1);
        int32_t swap = order[i];
        order[i] = order[j], order[j] = swap;
    }
}

/* --- whole tensors ---------------------------------------------------------------------------- */

typedef struct RandomFill {
    Rng   rng;
    real *out;
    real  shift, scale;
} RandomFill;

static void random_fill_uniform_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const RandomFill *f = ctx;
    uint64_t words[RNG_WORDS];
    for (ptrdiff_t i = begin; i < end; i += RNG_WORDS) {
        ptrdiff_t n = min_size(RNG_WORDS, end - i);
        rng_words(f->rng.seed, f->rng.stream, f->rng.position + (uint64_t)i, n, words);
        for (ptrdiff_t k = 0; k < n; k++)
            f->out[i + k] = f->shift + f->scale * random_unit(words[k]);
    }
}

static void random_fill_normal_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const RandomFill *f = ctx;
    uint64_t words[RNG_WORDS];
    for (ptrdiff_t i = begin; i < end; i += RNG_WORDS / 2) {
        ptrdiff_t n = min_size(RNG_WORDS / 2, end - i);
        rng_words(f->rng.seed, f->rng.stream, f->rng.position + 2 * (uint64_t)i, 2 * n, words);
        for (ptrdiff_t k = 0; k < n; k++)
            f->out[i + k] = f->shift + f->scale * random_gauss(words[2 * k], words[2 * k + 1]);
    }
}

static void random_fill(Tensor *out, Rng *rng, real shift, real scale, ParallelFn block,
                        uint64_t words_each, const char *function)
{
    tensor_check(out, function);
    if (!tensor_is_contiguous(out))
        slope_fail(function, "needs a contiguous tensor, not a strided view of shape %s",
                   SHAPE_TEXT(out->shape));
    RandomFill f = {.rng = *rng, .out = tensor_write(out), .shift = shift, .scale = scale};
    parallel_for(tensor_count(out), 4096, block, &f);
    rng->position += words_each * (uint64_t)tensor_count(out);
}

void tensor_fill_uniform(Tensor *out, Rng *rng, real low, real high)
{
    random_fill(out, rng, low, high - low, random_fill_uniform_block, 1, "tensor_fill_uniform");
}

void tensor_fill_normal(Tensor *out, Rng *rng, real mean, real std)
{
    random_fill(out, rng, mean, std, random_fill_normal_block, 2, "tensor_fill_normal");
}

/* --- saving, seeds and streams ---------------------------------------------------------------- */

void rng_save(const Rng *rng, uint8_t bytes[RNG_BYTES])
{
    const uint64_t words[3] = {rng->seed, rng->stream, rng->position};
    for (int i = 0; i < RNG_BYTES; i++)
        bytes[i] = (uint8_t)(words[i / 8] >> 8 * (i % 8));
}

Rng rng_load(const uint8_t bytes[RNG_BYTES])
{
    uint64_t words[3] = {0};
    for (int i = 0; i < RNG_BYTES; i++)
        words[i / 8] |= (uint64_t)bytes[i] << 8 * (i % 8);
    return (Rng){.seed = words[0], .stream = words[1], .position = words[2]};
}

static _Thread_local uint64_t random_thread_seed, random_next_stream;

void random_seed(uint64_t seed)
{
    random_thread_seed = seed;
    random_next_stream = 0;
}

Rng random_stream(void)
{
    return rng_new(random_thread_seed, random_next_stream++);
}
