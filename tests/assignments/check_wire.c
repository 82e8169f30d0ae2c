/* tests/assignments/check_wire.c -- the messages between judge and solver, and what the reader
 * refuses: no bytes that a solver sends may crash the judge or yield a tensor beyond its elements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/assignments/solver/wire.c"

#include "tensor/random.h"
#include "tests/testing.h"

typedef struct WireBytes {
    uint8_t at[1 << 16];
    size_t  n, used;
} WireBytes;

static bool bytes_put(void *ctx, const void *from, size_t n)
{
    WireBytes *b = ctx;
    ck_assert(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, from, n);
    b->n += n;
    return true;
}

static bool bytes_get(void *ctx, void *to, size_t n)
{
    WireBytes *b = ctx;
    if (n > b->n - b->used)
        return false;
    memcpy(to, b->at + b->used, n);
    b->used += n;
    return true;
}

/* A message of every kind of tensor. */
static void wire_fill(Message *m)
{
    Tensor *x = tensor_arange(12), *table = tensor_reshape(x, SHAPE(3, 4));
    Tensor *all[] = {table, tensor_transpose(table, 0, 1), tensor_slice(table, 1, 0, 4, 2),
                     tensor_expand(x, SHAPE(2, 12)), tensor_scalar(7), tensor_new(SHAPE(0, 3)),
                     NULL, x};
    snprintf(m->text, sizeof m->text, "value");
    message_add_number(m, 0.5);
    message_add_number(m, -2);
    for (int i = 0; i < WIRE_TENSORS; i++) {
        message_add_tensor(m, all[i]);
        tensor_free(all[i]);
    }
}

/* Reads every element, so that a sanitizer sees one outside. */
static double wire_sum(const Message *m)
{
    double sum = 0;
    for (int i = 0; i < m->tensors; i++)
        for (ptrdiff_t k = 0; m->tensor[i] && k < tensor_count(m->tensor[i]); k++)
            sum += (double)tensor_read(m->tensor[i])[tensor_locate(m->tensor[i], k)];
    return sum;
}

START_TEST(a_message_arrives_as_it_was_sent)
{
    static WireBytes bytes;
    Message sent = {.tensors = 0}, got = {.tensors = 0};
    wire_fill(&sent);
    ck_assert(wire_write(bytes_put, &bytes, &sent) && wire_read(bytes_get, &bytes, &got));
    ck_assert_uint_eq(bytes.used, bytes.n);
    ck_assert_str_eq(got.text, "value");
    ck_assert_int_eq(got.numbers, 2);
    ck_assert(got.number[0] == 0.5 && got.number[1] == -2);
    ck_assert_int_eq(got.tensors, WIRE_TENSORS);
    for (int i = 0; i < WIRE_TENSORS; i++) {
        const Tensor *a = sent.tensor[i], *b = got.tensor[i];
        ck_assert((a == NULL) == (b == NULL));
        for (int d = 0; a && d < a->shape.ndim; d++)
            ck_assert_int_eq(a->stride[d], b->stride[d]);
        ck_assert(!a || shape_equal(a->shape, b->shape));
    }
    ck_assert(wire_sum(&got) == wire_sum(&sent));
    message_clear(&sent), message_clear(&got);
}
END_TEST

/* Reads the bytes, and the tensors if they are a message. */
static bool wire_accepts(WireBytes *bytes)
{
    Message got = {.tensors = 0};
    bytes->used = 0;
    bool good = wire_read(bytes_get, bytes, &got);
    volatile double sum = wire_sum(&got); /* reads every element */
    (void)sum;
    ck_assert(good || got.tensors == 0);
    ck_assert_uint_lt(strlen(got.text), WIRE_TEXT);
    message_clear(&got);
    return good;
}

START_TEST(no_beginning_of_a_message_is_one)
{
    static WireBytes bytes;
    Message sent = {.tensors = 0};
    wire_fill(&sent);
    wire_write(bytes_put, &bytes, &sent);
    message_clear(&sent);
    for (size_t n = bytes.n; bytes.n = --n, n > 0;)
        ck_assert(!wire_accepts(&bytes));
}
END_TEST

START_TEST(no_tensor_reaches_beyond_its_elements)
{
    static const WireTensor bad[] = {
        {.ndim = 1, .span = 1, .dim = {2}, .stride = {1}},
        {.ndim = 1, .span = 2, .dim = {2}, .stride = {-1}},
        {.ndim = 1, .span = 2, .dim = {-2}, .stride = {1}},
        {.ndim = 2, .span = 4, .dim = {2, 2}, .stride = {2, 2}},
        {.ndim = MAX_DIMS + 1, .span = 1},
        {.ndim = -2, .span = 0},
        {.ndim = 0, .span = 0},
        {.ndim = 1, .span = 1, .dim = {0}, .stride = {1}},
        {.ndim = 1, .span = 1, .dim = {WIRE_ELEMENTS + 1}},
        {.ndim = 2, .span = 1, .dim = {WIRE_ELEMENTS, 2}},
        {.ndim = 1, .span = 1, .dim = {INT64_MAX}, .stride = {INT64_MAX}},
        {.ndim = 1, .span = INT64_MAX, .dim = {1}, .stride = {1}},
        {.ndim = 2, .span = 1, .dim = {INT64_MIN, INT64_MIN}, .stride = {1, 1}},
    };
    static WireBytes bytes;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes.n = 4096; /* elements in plenty */
        memcpy(bytes.at, &(WireHeader){WIRE_MAGIC, 0, 0, 1}, sizeof(WireHeader));
        memcpy(bytes.at + sizeof(WireHeader), &bad[i], sizeof bad[i]);
        ck_assert_msg(!wire_accepts(&bytes), "tensor %zu is accepted", i);
    }
}
END_TEST

/* Under the address sanitizer (make asan) this also finds reads and writes outside. */
START_TEST(changed_bytes_are_read_safely)
{
    static WireBytes sent, bytes;
    Message m = {.tensors = 0};
    Rng rng = rng_new(1, 0);
    wire_fill(&m);
    wire_write(bytes_put, &sent, &m);
    message_clear(&m);
    for (int i = 0; i < 20000; i++) {
        memcpy(&bytes, &sent, sizeof bytes);
        for (uint64_t k = 1 + rng_below(&rng, 4); k > 0; k--)
            bytes.at[rng_below(&rng, rng_below(&rng, 2) ? bytes.n : 64)] =
                (uint8_t)(rng_below(&rng, 2) ? rng_below(&rng, 256) : rng_below(&rng, 9));
        wire_accepts(&bytes);
    }
}
END_TEST

START_TEST(a_full_message_takes_no_more)
{
    Message m = {.tensors = WIRE_TENSORS, .numbers = WIRE_NUMBERS};
    ck_assert_fails(message_add_number(&m, 1), "at most 64 numbers");
    ck_assert_fails(message_add_tensor(&m, NULL), "at most 8 tensors");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    testing_add(suite, "messages", 20, (const TTest *const[]){
        a_message_arrives_as_it_was_sent, a_full_message_takes_no_more, NULL});
    testing_add(suite, "refusals", 20, (const TTest *const[]){
        no_beginning_of_a_message_is_one, no_tensor_reaches_beyond_its_elements,
        changed_bytes_are_read_safely, NULL});
    return testing_main(suite);
}
