/* tests/assignments/hostile/attack.h -- begins every hostile submission; see attacks.txt.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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
