/* tests/allocator.h -- an allocator that counts its calls, and can run out of memory.
 *
 *  - watch_begin installs it with unlimited memory, watch_end removes it. Both empty the pool, so
 *    that every block is released to the allocator that it came from.
 *  - In between, watch.fail_at and watch.limit decide which requests fail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_ALLOCATOR_H
#define SLOPE_TESTS_ALLOCATOR_H

#include <check.h>
#include <string.h>

#include "tensor/memory.h"

static struct {
    Allocator heap;
    int       calls, releases;
    size_t    last, largest; /* bytes requested */
    int       fail_at;       /* this call and all later ones fail; -1: none */
    bool      once;          /* only that call fails */
    size_t    limit;         /* a larger block is refused */
} watch;

static inline void watch_check(const void *ctx)
{
    if (ctx != &watch) /* ck_assert would also report every call that passes */
        ck_abort_msg("the allocator was called with a different context");
}

static inline void *watch_allocate(size_t bytes, void *ctx)
{
    watch_check(ctx);
    int call = watch.calls++;
    watch.last = bytes;
    watch.largest = bytes > watch.largest ? bytes : watch.largest;
    bool fails = watch.fail_at >= 0 && (watch.once ? call == watch.fail_at : call >= watch.fail_at);
    return fails || bytes > watch.limit ? NULL : watch.heap.allocate(bytes, watch.heap.ctx);
}

static inline void watch_release(void *block, void *ctx)
{
    watch_check(ctx);
    watch.releases++;
    watch.heap.release(block, watch.heap.ctx);
}

/* A sanitizer's allocator survives requests up to this limit. */
static inline void watch_begin(void)
{
    memory_trim();
    memset(&watch, 0, sizeof watch);
    watch.fail_at = -1;
    watch.limit = (size_t)1 << (sizeof(size_t) > 4 ? 40 : 30);
    watch.heap = memory_set_allocator((Allocator){watch_allocate, watch_release, &watch});
}

static inline void watch_end(void)
{
    memory_trim();
    memory_set_allocator(watch.heap);
}

#endif
