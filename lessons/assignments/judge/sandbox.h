/* lessons/assignments/judge/sandbox.h -- allows a solver to compute and print, and nothing else.
 *
 * On Linux a filter refuses every system call that is not in a table (sandbox.c): no file can be
 * opened, no other process started or signalled, and nothing sent. The filter is installed before
 * the solver's first instruction, and hence before any constructor of the submission. On other
 * systems there is no sandbox, and the report says so.
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

/* Protects the judge itself: no other process may read its memory, and orphans of the solver become
 * its children. */
void sandbox_shield(void);

/* "openat" for a system call's number; "number 1234" if it has no name here. */
const char *sandbox_call_name(int number, char text[32]);

#endif
