/* tensor/poison.h -- marks the free blocks of the pools, so that their use is noticed.
 *
 *  - A block in a pool is not in use. In a build with -fsanitize=address, MEMORY_POISON makes the
 *    program stop at the first access to it; in other builds it does nothing.
 *  - A debug build also fills a block that is given back with MEMORY_SPOILED.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_POISON_H
#define SLOPE_TENSOR_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_ASAN 1
#endif
#endif

/* A debug build fills freed blocks with this word: read as a float it is a NaN, and so are two of
 * them read as a double. It is odd, so a freed Var counts as dead (autograd/var.h). The first eight
 * bytes of a free block hold the pool's link instead. */
#define MEMORY_SPOILED 0x7ff80001u

#ifdef MEMORY_ASAN
#include <sanitizer/asan_interface.h>
#define MEMORY_POISON(p, bytes)   ASAN_POISON_MEMORY_REGION((p), (bytes))
#define MEMORY_UNPOISON(p, bytes) ASAN_UNPOISON_MEMORY_REGION((p), (bytes))
#else
#define MEMORY_POISON(p, bytes)   ((void)(p), (void)(bytes))
#define MEMORY_UNPOISON(p, bytes) ((void)(p), (void)(bytes))
#endif

#endif
