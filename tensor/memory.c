/* tensor/memory.c -- the replaceable allocator and each thread's pool of buffers.
 *
 * A pool is an array of free lists, one per size class. The classes are 1, 1.25, 1.5 and 1.75 times
 * each power of two, rounded up to whole cache lines of 64 bytes, so at most a fifth of a block of
 * more than 256 bytes is unused. A free block itself holds the link to the next. When a thread
 * ends, its pool is returned to the allocator.
 *
 * A release build reuses the block that was freed last, which is still in cache. A debug build
 * reuses the one that was freed first, so that the use of a stale pointer is noticed for longer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tensor/error.h"
#include "tensor/poison.h"
#include "tensor/real.h"

enum { POOL_CLASSES = 4 * 58 };
#define MEMORY_HUGE ((size_t)1 << 21)

/* --- the allocator ---------------------------------------------------------------------------- */

/* A large block is put on huge pages (2 MB on Linux) if the system has them. A kernel that accesses
 * it with large steps, as a matrix product does from row to row, then has few TLB misses. */
static void *memory_default_allocate(size_t bytes, void *ctx)
{
    (void)ctx;
    void *block;
    if (posix_memalign(&block, bytes < MEMORY_HUGE ? CACHE_LINE : MEMORY_HUGE, bytes) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= MEMORY_HUGE)
        madvise(block, bytes, MADV_HUGEPAGE); /* a hint: if ignored, pages are just smaller */
#endif
    return block;
}

static void memory_default_release(void *block, void *ctx)
{
    (void)ctx;
    free(block);
}

static Allocator memory_allocator = {memory_default_allocate, memory_default_release, NULL};
static atomic_ullong memory_allocations, memory_releases;

Allocator memory_set_allocator(Allocator allocator)
{
    Allocator old = memory_allocator;
    memory_allocator = allocator;
    return old;
}

MemoryCounts memory_counts(void)
{
    return (MemoryCounts){.allocations = atomic_load(&memory_allocations),
                          .releases = atomic_load(&memory_releases)};
}

static void *memory_allocate(size_t bytes)
{
    void *block = NULL;
    if (bytes <= PTRDIFF_MAX - CACHE_LINE)
        block = memory_allocator.allocate(bytes ? bytes : 1, memory_allocator.ctx);
    if (block)
        atomic_fetch_add_explicit(&memory_allocations, 1, memory_order_relaxed);
    return block;
}

static void memory_release(void *block)
{
    atomic_fetch_add_explicit(&memory_releases, 1, memory_order_relaxed);
    memory_allocator.release(block, memory_allocator.ctx);
}

/* --- long-lived objects ----------------------------------------------------------------------- */

void *memory_try_new(size_t bytes)
{
    void *block = memory_allocate(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *memory_new(size_t bytes)
{
    void *block = memory_try_new(bytes);
    if (!block)
        slope_fail("memory_new", "out of memory allocating %zu bytes", bytes);
    return block;
}

void *memory_new_array(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        slope_fail("memory_new_array", "%zu elements of %zu bytes are too many", count, size);
    return memory_new(count * size);
}

char *memory_copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(memory_new(bytes), text, bytes);
}

void memory_free(void *block)
{
    if (block)
        memory_release(block);
}

/* --- the pool --------------------------------------------------------------------------------- */

typedef struct FreeBlock {
    struct FreeBlock *next;
} FreeBlock;

typedef struct FreeList {
    FreeBlock *first;
    FreeBlock *last; /* valid in a debug build, if first is not NULL */
} FreeList;

static _Thread_local FreeList pool_free[POOL_CLASSES];

static size_t pool_class_size(int class)
{
    size_t power = (size_t)64 << class / 4;
    size_t size = power + power / 4 * (size_t)(class % 4);
    return (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

/* The smallest class whose blocks hold at least this many bytes. */
static int pool_class(size_t bytes)
{
    size_t power = 64;
    int class = 0;
    for (; power * 2 < bytes; power *= 2)
        class += 4;
    while (pool_class_size(class) < bytes)
        class++;
    return class;
}

/* Removes the first free block of a class and returns it; NULL if there is none. */
static FreeBlock *pool_remove(int class)
{
    FreeBlock *block = pool_free[class].first;
    if (block) {
        MEMORY_UNPOISON(block, pool_class_size(class));
        pool_free[class].first = block->next;
    }
    return block;
}

void *memory_try_take(size_t bytes)
{
    if (bytes > PTRDIFF_MAX)
        return NULL;
    int class = pool_class(bytes);
    FreeBlock *block = pool_remove(class);
    return block ? block : memory_allocate(pool_class_size(class));
}

void *memory_take(size_t bytes)
{
    void *block = memory_try_take(bytes);
    if (!block)
        slope_fail("memory_take", "out of memory allocating %zu bytes", bytes);
    return block;
}

#ifdef SLOPE_NO_POOL
void memory_give(void *block, size_t bytes)
{
    (void)bytes;
    memory_free(block);
}
#else
static _Thread_local bool pool_watched; /* will memory_trim run when this thread ends? */
static pthread_key_t pool_key;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void pool_at_thread_end(void *unused)
{
    (void)unused;
    pool_watched = false; /* blocks given back by later destructors are trimmed again */
    memory_trim();
}

static void pool_make_key(void)
{
    pthread_key_create(&pool_key, pool_at_thread_end);
    atexit(memory_trim); /* for the main thread, whose destructors do not run */
}

static void pool_watch_thread(void)
{
    pthread_once(&pool_once, pool_make_key);
    pthread_setspecific(pool_key, pool_free);
    pool_watched = true;
}

/* In a debug build, the elements of freed memory are NaN, so that the use of a freed tensor shows
 * in the very next result instead of returning stale values. */
static void pool_spoil(void *block, size_t size)
{
#ifdef SLOPE_DEBUG
    const uint32_t word = MEMORY_SPOILED;
    char *bytes = block;
    memcpy(bytes, &word, sizeof word);
    for (size_t filled = sizeof word; filled < size; filled *= 2) /* memcpy is fast in any build */
        memcpy(bytes + filled, bytes, filled < size - filled ? filled : size - filled);
#else
    (void)block, (void)size;
#endif
}

#ifdef SLOPE_DEBUG
static void pool_insert(FreeList *list, FreeBlock *block)
{
    block->next = NULL;
    if (list->first) {
        MEMORY_UNPOISON(list->last, sizeof *list->last);
        list->last->next = block;
        MEMORY_POISON(list->last, sizeof *list->last);
    } else {
        list->first = block;
    }
    list->last = block;
}
#else
static void pool_insert(FreeList *list, FreeBlock *block)
{
    block->next = list->first;
    list->first = block;
}
#endif

void memory_give(void *block, size_t bytes)
{
    if (!block)
        return;
    if (!pool_watched)
        pool_watch_thread();
    int class = pool_class(bytes);
    size_t size = pool_class_size(class);
    pool_spoil(block, size);
    pool_insert(&pool_free[class], block);
    MEMORY_POISON(block, size);
}
#endif

void memory_trim(void)
{
    for (int class = 0; class < POOL_CLASSES; class++)
        for (FreeBlock *block; (block = pool_remove(class));)
            memory_release(block);
}
