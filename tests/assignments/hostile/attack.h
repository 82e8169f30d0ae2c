/* tests/assignments/hostile/attack.h -- begins every hostile submission; see attacks.txt.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lessons/assignments/solver/solver.h"

static void attack(void);
#define EARLY __attribute__((constructor)) static void early(void) { attack(); }

/* --- a solver of its own, which answers calls without computing anything ---------------------- */

static Message attack_answer;

static inline bool attack_put(void *ctx, const void *bytes, size_t n)
{
    return (void)ctx, write(SOLVER_ANSWERS, bytes, n) == (ssize_t)n;
}

static inline bool attack_get(void *ctx, void *bytes, size_t n)
{
    ssize_t got = 1;
    (void)ctx;
    for (char *to = bytes; n > 0 && got > 0; to += got, n -= (size_t)got)
        got = read(SOLVER_CALLS, to, n);
    return n == 0;
}

static inline void attack_add(Tensor *x)
{
    message_add_tensor(&attack_answer, x);
}

static inline void attack_serve(void (*answer)(const Message *))
{
    static Message call;
    while (wire_read(attack_get, NULL, &call)) {
        for (int i = 0; i < 2; i++) /* as many as any service answers */
            message_add_number(&attack_answer, 1);
        answer(&call);
        if (!wire_write(attack_put, NULL, &attack_answer))
            break;
        message_clear(&attack_answer), message_clear(&call);
    }
    _exit(0);
}
