/* tests/tensor/check_memory.c -- the allocator, the pool, and running out of memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/memory.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "tensor/real.h"
#include "tests/allocator.h"
#include "tests/testing.h"

/* Blocks in use or in a pool. */
static uint64_t memory_live(void)
{
    return memory_counts().allocations - memory_counts().releases;
}

/* --- long-lived objects ----------------------------------------------------------------------- */

START_TEST(new_memory_is_zeroed_and_aligned)
{
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        unsigned char *p = memory_new(bytes);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < bytes; i++)
            ck_assert_uint_eq(p[i], 0);
        memset(p, 0xff, bytes);
        memory_free(p);
    }
    memory_free(NULL);
}
END_TEST

START_TEST(every_call_is_counted)
{
    MemoryCounts before = memory_counts();
    void *a = memory_new(10), *b = memory_new_array(3, 5), *c = memory_try_new(7);
    char *text = memory_copy_text("slope");
    ck_assert_str_eq(text, "slope");
    ck_assert_uint_eq(memory_counts().allocations, before.allocations + 4);
    ck_assert_uint_eq(memory_counts().releases, before.releases);
    memory_free(a), memory_free(b), memory_free(c), memory_free(text);
    ck_assert_uint_eq(memory_counts().releases, before.releases + 4);
}
END_TEST

START_TEST(an_impossible_size_is_refused)
{
    watch_begin();
    MemoryCounts before = memory_counts();
    ck_assert_fails(memory_new_array(SIZE_MAX / 2, 3), "are too many");
    ck_assert_fails(memory_new(SIZE_MAX), "out of memory");
    ck_assert_fails(memory_new((size_t)PTRDIFF_MAX), "out of memory");
    ck_assert_fails(memory_take(SIZE_MAX), "out of memory");
    ck_assert_ptr_null(memory_try_take(SIZE_MAX));
    ck_assert_ptr_null(memory_try_take((size_t)PTRDIFF_MAX));
    ck_assert_fails(memory_take((size_t)PTRDIFF_MAX), "out of memory");
    ck_assert_ptr_null(memory_try_new(SIZE_MAX));
    ck_assert_ptr_null(memory_try_new((size_t)PTRDIFF_MAX - 70));
    ck_assert_uint_eq(memory_counts().allocations, before.allocations);
    watch_end();
}
END_TEST

START_TEST(the_allocator_can_be_swapped)
{
    watch_begin();
    void *a = memory_new(100), *b = memory_take(1000);
    ck_assert_int_eq(watch.calls, 2);
    memory_free(a);
    ck_assert_int_eq(watch.releases, 1);
    memory_give(b, 1000);
    watch_end();
    ck_assert_int_eq(watch.releases, 2);
    memory_free(memory_new(1));
    ck_assert_int_eq(watch.calls, 2);
}
END_TEST

/* --- the pool --------------------------------------------------------------------------------- */

/* The size that the pool requests from the allocator for a block of this many bytes. */
static size_t class_of(size_t bytes)
{
    watch.last = 0;
    void *block = memory_take(bytes);
    ck_assert_uint_eq((uintptr_t)block % 64, 0);
    memory_give(block, bytes);
    memory_trim();
    return watch.last;
}

START_TEST(a_class_wastes_at_most_a_fifth)
{
    watch_begin();
    for (size_t bytes = 0; bytes < 5000; bytes++) {
        size_t size = class_of(bytes);
        if (size < bytes || size % 64 || size - bytes > (bytes > 256 ? size / 5 : 64))
            ck_abort_msg("%zu bytes get a block of %zu", bytes, size);
    }
    watch_end();
}
END_TEST

START_TEST(a_power_of_two_is_its_own_class)
{
    watch_begin();
    for (size_t bytes = 1; bytes <= 256; bytes++) /* small classes are whole cache lines */
        ck_assert_uint_eq(class_of(bytes), (bytes + 63) / 64 * 64);
    for (size_t power = 256; power <= (size_t)1 << 24; power *= 2) {
        ck_assert_uint_eq(class_of(power), power);
        ck_assert_uint_eq(class_of(power + 1), power + power / 4);
        ck_assert_uint_eq(class_of(power + power / 4), power + power / 4);
        ck_assert_uint_eq(class_of(power + power / 4 + 1), power + power / 2);
        ck_assert_uint_eq(class_of(power + power / 2 + 1), power + power / 4 * 3);
        ck_assert_uint_eq(class_of(power * 2 - 1), power * 2);
    }
    watch_end();
}
END_TEST

START_TEST(a_block_of_any_size_may_be_filled)
{
    for (int round = 0; round < 2; round++)
        for (size_t bytes = 1; bytes < 2000; bytes += 13) {
            unsigned char *a = memory_take(bytes), *b = memory_take(bytes);
            memset(a, 1, bytes), memset(b, 2, bytes);
            ck_assert(a[0] == 1 && a[bytes - 1] == 1 && b[0] == 2);
            memory_give(a, bytes), memory_give(b, bytes);
        }
}
END_TEST

#ifndef SLOPE_NO_POOL

START_TEST(what_is_given_back_is_taken_again)
{
    const size_t bytes = (size_t)1 << 24;
    memory_trim(); /* so that no older block is reused first */
    void *a = memory_take(bytes), *b = memory_take(bytes);
    memory_give(a, bytes), memory_give(b, bytes);
    uint64_t before = memory_counts().allocations;
#ifdef SLOPE_DEBUG
    void *first = a, *second = b;
#else
    void *first = b, *second = a;
#endif
    ck_assert_ptr_eq(memory_take(bytes), first);
    ck_assert_ptr_eq(memory_take(bytes - bytes / 16), second); /* the same class */
    ck_assert_uint_eq(memory_counts().allocations, before);
    void *c = memory_take(bytes + 1); /* the next class */
    ck_assert_uint_eq(memory_counts().allocations, before + 1);
    memory_give(a, bytes), memory_give(b, bytes), memory_give(c, bytes + 1);
}
END_TEST

START_TEST(the_second_step_allocates_nothing)
{
    uint64_t before = 0;
    for (int step = 0; step < 4; step++) {
        Tensor *x = tensor_zeros(SHAPE(64, 100)), *t = tensor_transpose(x, 0, 1);
        Tensor *c = tensor_clone(t), *sum = tensor_new(SHAPE_SCALAR);
        tensor_sum_to(sum, c);
        tensor_free(x), tensor_free(t), tensor_free(c), tensor_free(sum);
        if (step == 0)
            before = memory_counts().allocations;
        ck_assert_uint_eq(memory_counts().allocations, before);
    }
}
END_TEST

START_TEST(a_trim_returns_what_the_pool_keeps)
{
    memory_trim();
    uint64_t before = memory_live();
    void *kept = memory_take(100), *given = memory_take(5000);
    memory_give(given, 5000);
    ck_assert_uint_eq(memory_live(), before + 2);
    memory_trim();
    ck_assert_uint_eq(memory_live(), before + 1);
    memory_give(kept, 100);
    memory_trim();
    memory_trim();
    ck_assert_uint_eq(memory_live(), before);
}
END_TEST

START_TEST(freed_numbers_are_nan_in_a_debug_build)
{
#ifdef SLOPE_DEBUG
    memory_trim(); /* so that no older block is reused first */
    real *a = memory_take(64 * sizeof(real));
    for (int i = 0; i < 64; i++)
        a[i] = 1;
    memory_give(a, 64 * sizeof(real));
    real *b = memory_take(64 * sizeof(real));
    ck_assert_ptr_eq(a, b);
    for (int i = 4; i < 64; i++) /* the free list's link is in front */
        ck_assert(isnan(b[i]));
    memory_give(b, 64 * sizeof(real));
#endif
}
END_TEST

#endif

/* --- threads ---------------------------------------------------------------------------------- */

static void *thread_uses_its_pool(void *block)
{
    for (size_t bytes = 1; bytes < 100000; bytes *= 3)
        memory_give(memory_take(bytes), bytes);
    memory_give(block, 777); /* taken by another thread */
    return NULL;
}

START_TEST(a_thread_that_ends_returns_its_pool)
{
    memory_trim();
    uint64_t before = memory_live();
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, thread_uses_its_pool, memory_take(777)), 0);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(memory_live(), before);
    }
}
END_TEST

static void *thread_drops_a_tensor(void *x)
{
    tensor_free(x);
    return NULL;
}

START_TEST(a_tensor_may_be_freed_by_another_thread)
{
    pthread_t thread;
    memory_trim();
    uint64_t before = memory_live();
    Tensor *x = tensor_arange(1000), *ref = tensor_ref(x);
    ck_assert_int_eq(pthread_create(&thread, NULL, thread_drops_a_tensor, ref), 0);
    pthread_join(thread, NULL);
    ck_assert_close(tensor_read(x)[999], 999, 0);
    tensor_free(x);
    memory_trim();
    ck_assert_uint_eq(memory_live(), before);
}
END_TEST

/* --- running out of memory -------------------------------------------------------------------- */

START_TEST(out_of_memory_fails_with_a_sentence)
{
    watch_begin();
    watch.fail_at = 0;
    ck_assert_fails(memory_new(100), "memory_new: out of memory allocating 100 bytes");
    ck_assert_fails(memory_take(100), "memory_take: out of memory allocating 100 bytes");
    ck_assert_fails(tensor_new(SHAPE(1000, 1000)), "out of memory");
    ck_assert_ptr_null(memory_try_new(100));
    watch_end();
}
END_TEST

/* Whichever of a tensor's blocks cannot be allocated, the ones before it are released. */
START_TEST(a_failed_tensor_leaves_nothing_behind)
{
    watch_begin();
    uint64_t before = memory_live();
    for (int call = 0; call < 3; call++) {
        watch.fail_at = watch.calls + call;
        ck_assert_fails(tensor_new(SHAPE(30, 1000)), "out of memory");
        memory_trim();
        ck_assert_uint_eq(memory_live(), before);
    }
    watch.fail_at = -1;
    watch.limit = 1 << 20;
    ck_assert_fails(tensor_new(SHAPE(1 << 20)), "tensor of shape (1048576,)");
    watch_end();
    ck_assert_uint_eq(memory_live(), before);
}
END_TEST

START_TEST(after_a_failure_memory_works_again)
{
    watch_begin();
    watch.fail_at = 0;
    ck_assert_fails(tensor_zeros(SHAPE(10)), "out of memory");
    watch.fail_at = -1;
    Tensor *x = tensor_full(SHAPE(10), 3);
    ck_assert_close(tensor_read(x)[9], 3, 0);
    tensor_free(x);
    watch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    testing_add(suite, "allocator", 4, (const TTest *const[]){
        new_memory_is_zeroed_and_aligned, every_call_is_counted, an_impossible_size_is_refused,
        the_allocator_can_be_swapped, NULL});
    testing_add(suite, "pool", 20, (const TTest *const[]){
        a_class_wastes_at_most_a_fifth, a_power_of_two_is_its_own_class,
        a_block_of_any_size_may_be_filled, NULL});
#ifndef SLOPE_NO_POOL
    testing_add(suite, "reuse", 4, (const TTest *const[]){
        what_is_given_back_is_taken_again, the_second_step_allocates_nothing,
        a_trim_returns_what_the_pool_keeps, freed_numbers_are_nan_in_a_debug_build, NULL});
#endif
    testing_add(suite, "threads", 4, (const TTest *const[]){
        a_thread_that_ends_returns_its_pool, a_tensor_may_be_freed_by_another_thread, NULL});
    testing_add(suite, "out of memory", 4, (const TTest *const[]){
        out_of_memory_fails_with_a_sentence, a_failed_tensor_leaves_nothing_behind,
        after_a_failure_memory_works_again, NULL});
    return testing_main(suite);
}
