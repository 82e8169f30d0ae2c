/* lessons/assignments/judge/sandbox.h -- takes everything from a solver but computing and printing.
 *
 * On Linux a filter refuses every system call that is not in a table (sandbox.c): no file can be
 * opened, no process started, none signalled, nothing sent. The filter is installed before the
 * solver's first instruction, so before any constructor of the submission. Elsewhere there is no
 * sandbox, and the report says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_ASSIGNMENTS_JUDGE_SANDBOX_H
#define SLOPE_LESSONS_ASSIGNMENTS_JUDGE_SANDBOX_H

#include <stdbool.h>

/* Does this machine accept the filter? Tries it once, in a child. */
bool sandbox_works(void);

/* In a child of the judge: installs the filter and replaces the process by the statically linked
 * program open as `program`, which must be close-on-exec. Returns only if that fails. */
void sandbox_exec(int program, char *const argv[], char *const envp[]);

/* The judge itself: no other process may read its memory, and orphans of the solver become its
 * children. */
void sandbox_shield(void);

/* "openat" for a system call's number; "number 1234" if it has no name here. */
const char *sandbox_call_name(int number, char text[32]);

#endif
