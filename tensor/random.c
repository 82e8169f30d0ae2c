/* tensor/random.c -- Philox 4x32-10 and what is drawn with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/random.h"

#include <math.h>
#include <tgmath.h>

#include "tensor/parallel.h"

/* --- the generator ---------------------------------------------------------------------------- */

/* Ten rounds of multiply, swap and xor turn a 128-bit counter and a 64-bit key into 128 random
 * bits. The constants are the paper's. */
static void philox(uint32_t counter[4], uint32_t key0, uint32_t key1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xD2511F53 * counter[0];
        uint64_t q = (uint64_t)0xCD9E8D57 * counter[2];
        uint32_t c1 = counter[1], c3 = counter[3];
        counter[0] = (uint32_t)(q >> 32) ^ c1 ^ key0;
        counter[1] = (uint32_t)q;
        counter[2] = (uint32_t)(p >> 32) ^ c3 ^ key1;
        counter[3] = (uint32_t)p;
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

Rng rng_new(uint64_t seed, uint64_t stream)
{
    return (Rng){.seed = seed, .stream = stream};
}

/* The seed is the key; the counter is the stream and half the position: a block is two words. */
uint64_t rng_word(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint64_t block = position / 2;
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    philox(c, (uint32_t)seed, (uint32_t)(seed >> 32));
    return position % 2 ? (uint64_t)c[3] << 32 | c[2] : (uint64_t)c[1] << 32 | c[0];
}

uint64_t rng_next(Rng *rng)
{
    return rng_word(rng->seed, rng->stream, rng->position++);
}

/* --- distributions ---------------------------------------------------------------------------- */

/* The top bits of a word as a number in [0, 1): exactly as many as a real holds, so that
 * rounding cannot give 1. */
static real random_unit(uint64_t word)
{
    return (real)(word >> (64 - REAL_MANT_DIG)) / (real)((uint64_t)1 << REAL_MANT_DIG);
}

/* Box and Muller: the radius from one uniform number, the angle from another. 1 - u is never
 * 0, so the logarithm is finite. */
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

/* Words at or above the largest multiple of `bound` would favour the small remainders. */
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
        slope_fail("rng_permutation", "%td numbers; at most %td fit an order of 32-bit numbers", n,
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
    for (ptrdiff_t i = begin; i < end; i++) {
        uint64_t word = rng_word(f->rng.seed, f->rng.stream, f->rng.position + (uint64_t)i);
        f->out[i] = f->shift + f->scale * random_unit(word);
    }
}

static void random_fill_normal_block(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const RandomFill *f = ctx;
    for (ptrdiff_t i = begin; i < end; i++) {
        uint64_t at = f->rng.position + 2 * (uint64_t)i;
        uint64_t word0 = rng_word(f->rng.seed, f->rng.stream, at);
        uint64_t word1 = rng_word(f->rng.seed, f->rng.stream, at + 1);
        f->out[i] = f->shift + f->scale * random_gauss(word0, word1);
    }
}

static void random_fill(Tensor *out, Rng *rng, real shift, real scale, ParallelFn block,
                        uint64_t words_each, const char *function)
{
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

/* --- saving, and a stream for everyone -------------------------------------------------------- */

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
