/* tensor/poison.h -- telling the address sanitizer which memory is free although it is ours.
 *
 *  - What lies in a pool is not in use. MEMORY_POISON makes a build with -fsanitize=address stop
 *    at the first access to it; other builds do nothing.
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

#ifdef MEMORY_ASAN
#include <sanitizer/asan_interface.h>
#define MEMORY_POISON(p, bytes)   ASAN_POISON_MEMORY_REGION((p), (bytes))
#define MEMORY_UNPOISON(p, bytes) ASAN_UNPOISON_MEMORY_REGION((p), (bytes))
#else
#define MEMORY_POISON(p, bytes)   ((void)(p), (void)(bytes))
#define MEMORY_UNPOISON(p, bytes) ((void)(p), (void)(bytes))
#endif

#endif
