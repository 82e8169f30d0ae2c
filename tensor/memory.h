/* tensor/memory.h -- one allocator, which can be replaced, for all memory that the library uses.
 *
 *  - memory_new / memory_free: long-lived objects, zeroed, 64-byte aligned.
 *  - memory_take / memory_give: buffers of a training step. A buffer that is given back is kept in
 *    this thread's pool, in a list for its size class, and reused in the next step. So if the
 *    shapes stay the same, no step after the first allocates from the heap.
 *  - A buffer goes to the pool of the thread that gives it back, not of the one that took it. If
 *    one thread creates tensors and another frees them, buffers pile up in the second thread's
 *    pool; it should call memory_trim from time to time.
 *  - The pool stores no header in front of a block: the caller passes the size again when giving it
 *    back. So a block of 2^24 bytes does not need the next larger size class.
 *  - Debug builds fill a buffer that is given back with NaN; the address sanitizer treats it as
 *    freed. In a build with -DSLOPE_NO_POOL (for valgrind), every buffer goes back to the heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_MEMORY_H
#define SLOPE_TENSOR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/language.h"

SLOPE_C_BEGIN

/* The size of a cache line on most processors, in bytes. All blocks are aligned to it. */
enum { CACHE_LINE = 64 };

/* Where memory comes from. allocate returns 64-byte aligned memory or NULL. */
typedef struct Allocator {
    void *(*allocate)(size_t bytes, void *ctx);
    void (*release)(void *block, void *ctx);
    void *ctx;
} Allocator;

/* Replaces the allocator of the whole process and returns the old one. A block is released through
 * the allocator that is set at that time. So set one that can release the old one's blocks (a
 * counting wrapper can), or set it before anything is allocated. */
Allocator memory_set_allocator(Allocator allocator);

/* Counts since the program started, over all threads. */
typedef struct MemoryCounts {
    uint64_t allocations; /* calls that reached the allocator */
    uint64_t releases;
} MemoryCounts;
MemoryCounts memory_counts(void);

/* Zeroed memory for a long-lived object; fails when out of memory. */
void *memory_new(size_t bytes);
void *memory_new_array(size_t count, size_t size); /* count * size, checked for overflow */
void *memory_try_new(size_t bytes);                /* NULL when out of memory: for readers */
char *memory_copy_text(const char *text);
void memory_free(void *block); /* NULL is fine */

/* Uninitialised memory from this thread's pool, 64-byte aligned; fails when out of memory.
 * memory_give needs the same size. */
void *memory_take(size_t bytes);
void *memory_try_take(size_t bytes); /* NULL when out of memory: for callers that can free some */
void memory_give(void *block, size_t bytes);

/* Returns all blocks in this thread's pool to the allocator. The library calls it when a thread
 * ends. */
void memory_trim(void);

SLOPE_C_END

#endif
