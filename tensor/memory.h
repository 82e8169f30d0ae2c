/* tensor/memory.h -- every byte the library uses, through one allocator that can be swapped.
 *
 *  - memory_new / memory_free: long-lived objects, zeroed, 64-byte aligned.
 *  - memory_take / memory_give: buffers of a training step. A buffer given back waits in this
 *    thread's pool, in a list for its size class, and the next step takes it from there:
 *    from the second step on, with the same shapes, no allocation reaches the heap.
 *  - A buffer goes to the pool of the thread that gives it back, not of the one that took it. Where
 *    one thread makes tensors and another frees them, they pile up in the second's pool: it should
 *    call memory_trim now and then.
 *  - The pool keeps no header in front of a block: the caller says the size again when
 *    giving it back. A block of 2^24 bytes therefore stays in its own class.
 *  - Debug builds fill what is given back with NaN; under the address sanitizer it is
 *    poisoned too. Built with -DSLOPE_NO_POOL (for valgrind) every block goes to the heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_MEMORY_H
#define SLOPE_TENSOR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that a processor fetches from memory at a time, on most; and what blocks are aligned to. */
enum { CACHE_LINE = 64 };

/* Where memory comes from. allocate returns 64-byte aligned memory or NULL. */
typedef struct Allocator {
    void *(*allocate)(size_t bytes, void *ctx);
    void (*release)(void *block, void *ctx);
    void *ctx;
} Allocator;

/* Swaps the allocator for the whole process and returns the old one. Blocks are released
 * through the allocator in force at that moment, so swap only one that can release the old
 * one's blocks (a counting wrapper), or before anything was allocated. */
Allocator memory_set_allocator(Allocator allocator);

/* Counts since the program began, over all threads. */
typedef struct MemoryCounts {
    uint64_t allocations; /* calls that reached the allocator */
    uint64_t releases;
} MemoryCounts;
MemoryCounts memory_counts(void);

/* Zeroed memory for an object that lives long; out of memory fails with a sentence. */
void *memory_new(size_t bytes);
void *memory_new_array(size_t count, size_t size); /* count * size, checked for overflow */
void *memory_try_new(size_t bytes);                /* NULL when out of memory: for readers */
char *memory_copy_text(const char *text);
void memory_free(void *block); /* NULL is fine */

/* Uninitialised memory from this thread's pool, 64-byte aligned; fails when out of memory.
 * memory_give must be told the same size. */
void *memory_take(size_t bytes);
void *memory_try_take(size_t bytes); /* NULL when out of memory: for who has blocks to give back */
void memory_give(void *block, size_t bytes);

/* Returns everything this thread's pool keeps to the allocator. A thread that ends does so. */
void memory_trim(void);

#endif
