/* tests/tensor/check_random.c -- Philox against its published answers, and what is drawn with it.
 *
 * The generator in tensor/random.c is not visible from here, and its counter cannot be set to every
 * published value. So a second Philox, written below as in the paper, is checked against the
 * published answers, and rng_word against it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/random.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/parallel.h"
#include "tests/testing.h"

/* --- the generator ---------------------------------------------------------------------------- */

typedef struct Philox {
    uint32_t counter[4], key[2];
} Philox;

/* One round: (c0, c1, c2, c3) -> (hi1^c1^k0, lo1, hi0^c3^k1, lo0). */
static void philox_round(Philox *p)
{
    uint32_t *c = p->counter;
    uint64_t product0 = (uint64_t)c[0] * 0xD2511F53u, product1 = (uint64_t)c[2] * 0xCD9E8D57u;
    uint32_t hi0 = (uint32_t)(product0 >> 32), lo0 = (uint32_t)product0;
    uint32_t hi1 = (uint32_t)(product1 >> 32), lo1 = (uint32_t)product1;
    uint32_t next[4] = {hi1 ^ c[1] ^ p->key[0], lo1, hi0 ^ c[3] ^ p->key[1], lo0};
    memcpy(p->counter, next, sizeof next);
}

static Philox philox_run(Philox p)
{
    for (int round = 0; round < 10; round++) {
        if (round > 0)
            p.key[0] += 0x9E3779B9u, p.key[1] += 0xBB67AE85u;
        philox_round(&p);
    }
    return p;
}

/* Random123's kat_vectors for philox4x32-10: counter, key, result. */
START_TEST(the_reference_gives_the_published_answers)
{
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
         0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
         0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        Philox p;
        memcpy(p.counter, known[i], sizeof p.counter);
        memcpy(p.key, known[i] + 4, sizeof p.key);
        p = philox_run(p);
        ck_assert_mem_eq(p.counter, known[i] + 6, sizeof p.counter);
    }
}
END_TEST

/* The seed is the key, position / 2 the low half of the counter, the stream its high half. */
static uint64_t philox_word(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint64_t block = position / 2;
    Philox p = {.counter = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                            (uint32_t)(stream >> 32)},
                .key = {(uint32_t)seed, (uint32_t)(seed >> 32)}};
    p = philox_run(p);
    const uint32_t *half = p.counter + position % 2 * 2;
    return half[0] | (uint64_t)half[1] << 32;
}

START_TEST(rng_word_is_philox)
{
    const uint64_t numbers[] = {0,
                                1,
                                2,
                                3,
                                1000003,
                                UINT32_MAX,
                                (uint64_t)1 << 32,
                                (uint64_t)1 << 33,
                                0x0123456789abcdef,
                                UINT64_MAX - 1,
                                UINT64_MAX};
    const size_t n = sizeof numbers / sizeof *numbers;
    ck_assert_uint_eq(rng_word(0, 0, 0), 0xe169c58d6627e8d5);
    ck_assert_uint_eq(rng_word(0, 0, 1), 0x9b00dbd8bc57ac4c);
    for (size_t i = 0; i < n * n * n; i++) {
        uint64_t seed = numbers[i % n], stream = numbers[i / n % n], at = numbers[i / n / n];
        ck_assert_uint_eq(rng_word(seed, stream, at), philox_word(seed, stream, at));
    }
}
END_TEST

START_TEST(a_stream_is_its_words_in_order)
{
    Rng rng = rng_new(5, 6);
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(rng.position, i);
        ck_assert_uint_eq(rng_next(&rng), rng_word(5, 6, i));
    }
}
END_TEST

/* --- distributions ---------------------------------------------------------------------------- */

/* Sample moments about 0, and the extremes. */
typedef struct Moments {
    double mean, second, third, fourth, min, max;
} Moments;

static Moments moments_of(const Tensor *x)
{
    Moments m = {.min = HUGE_VAL, .max = -HUGE_VAL};
    double n = (double)tensor_count(x);
    for (ptrdiff_t i = 0; i < tensor_count(x); i++) {
        double v = (double)tensor_read(x)[i];
        m.mean += v / n, m.second += v * v / n;
        m.third += v * v * v / n, m.fourth += v * v * v * v / n;
        m.min = fmin(m.min, v), m.max = fmax(m.max, v);
    }
    return m;
}

enum { DRAWS = 1000000 }; /* the mean of a million is off by 1/1000 of a standard deviation */

START_TEST(uniform_numbers_fill_their_range)
{
    Rng rng = rng_new(1, 0);
    Tensor *x = tensor_new(SHAPE(DRAWS));
    tensor_fill_uniform(x, &rng, 0, 1);
    Moments m = moments_of(x);
    ck_assert(m.min >= 0 && m.max < 1);
    ck_assert(m.min < 1e-5 && m.max > 1 - 1e-5);
    ck_assert_close(m.mean, 0.5, 0.0015);
    ck_assert_close(m.second, 1 / 3.0, 0.0015);
    ck_assert_close(m.fourth, 1 / 5.0, 0.0015);
    tensor_fill_uniform(x, &rng, -3, 5);
    m = moments_of(x);
    ck_assert(m.min >= -3 && m.min < -2.999 && m.max <= 5 && m.max > 4.999);
    ck_assert_close(m.mean, 1, 0.012);
    tensor_free(x);
}
END_TEST

START_TEST(normal_numbers_have_normal_moments)
{
    Rng rng = rng_new(2, 0);
    Tensor *x = tensor_new(SHAPE(DRAWS));
    tensor_fill_normal(x, &rng, 0, 1);
    Moments m = moments_of(x);
    ck_assert_close(m.mean, 0, 0.005);
    ck_assert_close(m.second, 1, 0.007);
    ck_assert_close(m.third, 0, 0.02);
    ck_assert_close(m.fourth, 3, 0.05);
    ck_assert(m.max > 4 && m.max < 7 && m.min < -4 && m.min > -7);
    tensor_fill_normal(x, &rng, 10, 2);
    m = moments_of(x);
    ck_assert_close(m.mean, 10, 0.01);
    ck_assert_close(m.second - m.mean * m.mean, 4, 0.03);
    tensor_free(x);
}
END_TEST

/* P(|x| < k) for k = 1, 2, 3. */
START_TEST(normal_numbers_fall_where_they_should)
{
    const double expected[] = {0.682689, 0.954500, 0.997300};
    Rng rng = rng_new(3, 0);
    int within[3] = {0};
    for (int i = 0; i < 200000; i++) {
        double v = fabs((double)rng_normal(&rng));
        for (int k = 0; k < 3; k++)
            within[k] += v < k + 1;
    }
    for (int k = 0; k < 3; k++)
        ck_assert_close(within[k] / 200000.0, expected[k], 0.005);
}
END_TEST

/* One draw in 2^24 is exactly 0 in a float, and its logarithm would be infinite. */
START_TEST(a_uniform_0_makes_a_finite_normal)
{
    const uint64_t position = 34338070;
    Rng rng = {.position = position};
    ck_assert_uint_eq(rng_word(0, 0, position) >> 40, 0);
    ck_assert(isfinite(rng_normal(&rng)));
}
END_TEST

START_TEST(neighbours_are_not_correlated)
{
    Rng rng = rng_new(4, 0);
    double sum = 0, last = (double)rng_normal(&rng);
    for (int i = 0; i < 200000; i++) {
        double v = (double)rng_normal(&rng);
        sum += v * last;
        last = v;
    }
    ck_assert_close(sum / 200000, 0, 0.011);
}
END_TEST

START_TEST(below_reaches_every_number_equally)
{
    static const uint64_t bounds[] = {1, 2, 3, 7, 10, 64};
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++) {
        int hits[64] = {0};
        const int each = 10000;
        Rng rng = rng_new(5, k);
        for (uint64_t i = 0; i < each * bounds[k]; i++) {
            uint64_t v = rng_below(&rng, bounds[k]);
            if (v >= bounds[k])
                ck_abort_msg("%llu is not below %llu", (unsigned long long)v,
                             (unsigned long long)bounds[k]);
            hits[v]++;
        }
        for (uint64_t i = 0; i < bounds[k]; i++)
            ck_assert_int_le(abs(hits[i] - each), 500); /* 5 standard deviations */
    }
}
END_TEST

/* With the bound 3 * 2^62 a plain remainder would be below 2^62 half of the time, not a third. */
START_TEST(below_has_no_bias_for_large_bounds)
{
    const uint64_t bound = (uint64_t)3 << 62;
    Rng rng = rng_new(6, 0);
    int low = 0;
    for (int i = 0; i < 60000; i++) {
        uint64_t v = rng_below(&rng, bound);
        ck_assert(v < bound);
        low += v < (uint64_t)1 << 62;
    }
    ck_assert_close(low / 60000.0, 1 / 3.0, 0.01);
    ck_assert_fails(rng_below(&rng, 0), "the bound must be positive");
}
END_TEST

/* --- permutations ----------------------------------------------------------------------------- */

START_TEST(a_permutation_has_every_number_once)
{
    for (ptrdiff_t n = 0; n < 200; n += 1 + n / 10) {
        int32_t order[200];
        bool seen[200] = {false};
        Rng rng = rng_new(7, (uint64_t)n);
        rng_permutation(&rng, n, order);
        for (ptrdiff_t i = 0; i < n; i++) {
            ck_assert(order[i] >= 0 && order[i] < n && !seen[order[i]]);
            seen[order[i]] = true;
        }
    }
}
END_TEST

START_TEST(a_permutation_beyond_32_bits_is_refused)
{
#if PTRDIFF_MAX > INT32_MAX
    Rng rng = rng_new(7, 0);
    ck_assert_fails((rng_permutation(&rng, (ptrdiff_t)INT32_MAX + 1, NULL), 0),
                    "rng_permutation: n is 2147483648; expected at most 2147483647");
#endif
}
END_TEST

START_TEST(every_order_of_four_is_equally_likely)
{
    int hits[256] = {0}, kinds = 0;
    Rng rng = rng_new(8, 0);
    for (int i = 0; i < 24000; i++) {
        int32_t p[4];
        rng_permutation(&rng, 4, p);
        hits[p[0] + 4 * p[1] + 16 * p[2] + 64 * p[3]]++;
    }
    for (int i = 0; i < 256; i++) {
        kinds += hits[i] > 0;
        ck_assert(hits[i] == 0 || abs(hits[i] - 1000) < 160);
    }
    ck_assert_int_eq(kinds, 24);
}
END_TEST

/* --- whole tensors ---------------------------------------------------------------------------- */

typedef void (*FillFn)(Tensor *out, Rng *rng, real a, real b);

static void fill_ignores_threads(FillFn fill)
{
    Tensor *one = tensor_new(SHAPE(123, 457)), *more = tensor_new(SHAPE(123, 457));
    Rng first = rng_new(9, 1);
    parallel_set_threads(1);
    fill(one, &first, -1, 3);
    for (int threads = 2; threads <= 5; threads++) {
        Rng again = rng_new(9, 1);
        parallel_set_threads(threads);
        tensor_fill(more, 0);
        fill(more, &again, -1, 3);
        ck_assert(tensor_same_bits(one, more));
        ck_assert_uint_eq(again.position, first.position);
    }
    parallel_set_threads(0);
    tensor_free(one), tensor_free(more);
}

START_TEST(threads_do_not_change_a_bit)
{
    fill_ignores_threads(tensor_fill_uniform);
    fill_ignores_threads(tensor_fill_normal);
}
END_TEST

/* A fill of n elements draws the same as n calls, and continues where the last draw ended. */
START_TEST(a_fill_is_a_row_of_draws)
{
    Rng whole = rng_new(10, 0), parts = rng_new(10, 0), single = rng_new(10, 0);
    Tensor *x = tensor_new(SHAPE(11)), *head = tensor_slice(x, 0, 0, 4, 1);
    Tensor *tail = tensor_slice(x, 0, 4, 11, 1);
    tensor_fill_uniform(x, &whole, 0, 1);
    for (ptrdiff_t i = 0; i < 11; i++)
        ck_assert_close(tensor_read(x)[i], rng_uniform(&single), 0);
    tensor_fill_normal(x, &whole, 0, 1);
    for (ptrdiff_t i = 0; i < 11; i++)
        ck_assert_close(tensor_read(x)[i], rng_normal(&single), 4 * (double)REAL_EPSILON);
    ck_assert_uint_eq(whole.position, 11 + 2 * 11);
    ck_assert_uint_eq(single.position, whole.position);
    Tensor *y = tensor_clone(x);
    parts.position = 11;
    tensor_fill_normal(head, &parts, 0, 1);
    tensor_fill_normal(tail, &parts, 0, 1);
    ck_assert(tensor_same_bits(x, y));
    tensor_free(x), tensor_free(head), tensor_free(tail), tensor_free(y);
}
END_TEST

START_TEST(a_fill_needs_contiguous_memory)
{
    Rng rng = rng_new(0, 0);
    Tensor *x = tensor_zeros(SHAPE(2, 3)), *t = tensor_transpose(x, 0, 1);
    Tensor *none = tensor_new(SHAPE(0));
    ck_assert_fails(tensor_fill_uniform(t, &rng, 0, 1), "tensor_fill_uniform: needs a contiguous");
    ck_assert_fails(tensor_fill_normal(t, &rng, 0, 1), "tensor_fill_normal: needs a contiguous");
    tensor_fill_normal(none, &rng, 0, 1);
    ck_assert_uint_eq(rng.position, 0);
    tensor_free(x), tensor_free(t), tensor_free(none);
}
END_TEST

/* --- state and streams ------------------------------------------------------------------------ */

START_TEST(a_saved_state_continues_the_same_numbers)
{
    Rng rng = rng_new(0x1122334455667788, 0x99aabbccddeeff00), copy;
    uint8_t bytes[RNG_BYTES];
    for (int i = 0; i < 7; i++)
        rng_next(&rng);
    rng_save(&rng, bytes);
    copy = rng_load(bytes);
    ck_assert_uint_eq(copy.seed, rng.seed);
    ck_assert_uint_eq(copy.stream, rng.stream);
    ck_assert_uint_eq(copy.position, 7);
    for (int i = 0; i < 20; i++)
        ck_assert_uint_eq(rng_next(&copy), rng_next(&rng));
}
END_TEST

START_TEST(a_saved_state_is_little_endian)
{
    static const uint8_t expected[RNG_BYTES] = {
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0xff, 0xee, 0xdd,
        0xcc, 0xbb, 0xaa, 0x99, 3, 0, 0, 0, 0, 0, 0, 0x80};
    Rng rng = {0x1122334455667788, 0x99aabbccddeeff00, 0x8000000000000003};
    uint8_t bytes[RNG_BYTES];
    rng_save(&rng, bytes);
    ck_assert_mem_eq(bytes, expected, RNG_BYTES);
}
END_TEST

START_TEST(seeding_starts_the_streams_again)
{
    random_seed(42);
    Rng a = random_stream(), b = random_stream();
    random_seed(42);
    Rng c = random_stream(), d = random_stream();
    random_seed(43);
    Rng e = random_stream();
    ck_assert_uint_eq(rng_next(&a), rng_next(&c));
    ck_assert_uint_eq(rng_next(&b), rng_next(&d));
    ck_assert_uint_ne(a.stream, b.stream);
    ck_assert_uint_ne(rng_word(42, a.stream, 0), rng_word(42, b.stream, 0));
    ck_assert_uint_ne(rng_word(42, a.stream, 0), rng_next(&e));
}
END_TEST

static void *stream_of_a_thread(void *out)
{
    *(Rng *)out = random_stream();
    random_seed(1000); /* must not affect other threads */
    return NULL;
}

START_TEST(a_seed_belongs_to_its_thread)
{
    Rng other;
    pthread_t thread;
    random_seed(42);
    random_stream();
    ck_assert_int_eq(pthread_create(&thread, NULL, stream_of_a_thread, &other), 0);
    pthread_join(thread, NULL);
    Rng mine = random_stream();
    ck_assert_uint_eq(other.seed, 0);
    ck_assert_uint_eq(other.stream, 0);
    ck_assert_uint_eq(mine.seed, 42);
    ck_assert_uint_eq(mine.stream, 1);
}
END_TEST

/* No word of one stream or seed occurs in another. */
START_TEST(streams_and_seeds_do_not_overlap)
{
    for (uint64_t i = 0; i < 1000; i++)
        for (uint64_t j = 1; j < 4; j++) {
            if (rng_word(1, 0, i) == rng_word(1, j, i) ||
                rng_word(1, 0, i) == rng_word(1 + j, 0, i) ||
                rng_word(1, 0, i) == rng_word(1, 0, i + j))
                ck_abort_msg("word %d repeats", (int)i);
        }
}
END_TEST

/* From even and odd positions, from positions near the overflow of a part of the counter, and for
 * counts around the number of words that are computed together. */
START_TEST(many_words_are_the_words_one_by_one)
{
    const uint64_t starts[] = {0,   1,   126, 127,
                               129, ((uint64_t)1 << 33) - 5, UINT64_MAX / 4 * 2 + 1};
    const ptrdiff_t counts[] = {0, 1, 2, 3, 127, 128, 129, 300};
    uint64_t words[301];
    for (int i = 0; i < 7 * 8; i++) {
        uint64_t start = starts[i / 8];
        ptrdiff_t n = counts[i % 8];
        words[n] = 42;
        rng_words(0x123456789abcdef0, 0xfedcba9876543210, start, n, words);
        for (ptrdiff_t k = 0; k < n; k++)
            ck_assert_uint_eq(words[k], rng_word(0x123456789abcdef0, 0xfedcba9876543210,
                                                 start + (uint64_t)k));
        ck_assert_uint_eq(words[n], 42);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    testing_add(suite, "generator", 10,
                (const TTest *const[]){the_reference_gives_the_published_answers,
                                       rng_word_is_philox, many_words_are_the_words_one_by_one,
                                       a_stream_is_its_words_in_order,
                                       streams_and_seeds_do_not_overlap, NULL});
    testing_add(suite, "distributions", 60, (const TTest *const[]){
        uniform_numbers_fill_their_range, normal_numbers_have_normal_moments,
        normal_numbers_fall_where_they_should, a_uniform_0_makes_a_finite_normal,
        neighbours_are_not_correlated,
        below_reaches_every_number_equally, below_has_no_bias_for_large_bounds,
        a_permutation_has_every_number_once, a_permutation_beyond_32_bits_is_refused,
        every_order_of_four_is_equally_likely, NULL});
    testing_add(suite, "tensors", 30,
                (const TTest *const[]){threads_do_not_change_a_bit, a_fill_is_a_row_of_draws,
                                       a_fill_needs_contiguous_memory, NULL});
    testing_add(suite, "state", 4, (const TTest *const[]){
        a_saved_state_continues_the_same_numbers, a_saved_state_is_little_endian,
        seeding_starts_the_streams_again, a_seed_belongs_to_its_thread, NULL});
    return testing_main(suite);
}
