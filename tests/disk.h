/* tests/disk.h -- file calls that fail on request.
 *
 *  - Include it in a test after all headers, followed by the sources whose calls should fail, such
 *    as "tensor/files/durable.c": the linker then leaves out the library's copies of them.
 *  - disk_break(n, ENOSPC) makes call n, counted from 0, fail with that errno, and no other call;
 *    disk_repair then returns whether it was reached. Closing a file never fails.
 *
 *      for (int n = 0; ...; n++) {
 *          disk_break(n, EIO);
 *          bool ok = module_save(net, path, &err);
 *          if (!disk_repair())
 *              break;
 *      }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_DISK_H
#define SLOPE_TESTS_DISK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    int until; /* calls before the one that fails; negative: none fails */
    int problem;
} disk = {.until = -1};

static inline void disk_break(int call, int problem)
{
    disk.until = call;
    disk.problem = problem;
}

static inline bool disk_repair(void)
{
    bool reached = disk.until < 0;
    disk.until = -1;
    return reached;
}

static inline bool disk_fails(void)
{
    if (disk.until < 0 || disk.until-- > 0)
        return false;
    errno = disk.problem;
    return true;
}

/* A macro is not expanded within its own replacement, so its name there calls the function. */
#define open(...)       (disk_fails() ? -1 : open(__VA_ARGS__))
#define openat(...)     (disk_fails() ? -1 : openat(__VA_ARGS__))
#define read(...)       (disk_fails() ? -1 : read(__VA_ARGS__))
#define write(...)      (disk_fails() ? -1 : write(__VA_ARGS__))
#define fstat(...)      (disk_fails() ? -1 : fstat(__VA_ARGS__))
#define fstatat(...)    (disk_fails() ? -1 : fstatat(__VA_ARGS__))
#define faccessat(...)  (disk_fails() ? -1 : faccessat(__VA_ARGS__))
#define readlinkat(...) (disk_fails() ? -1 : readlinkat(__VA_ARGS__))
#define fdopendir(...)  (disk_fails() ? NULL : fdopendir(__VA_ARGS__))
#define flock(...)      (disk_fails() ? -1 : flock(__VA_ARGS__))
#define fchown(...)     (disk_fails() ? -1 : fchown(__VA_ARGS__))
#define fchmod(...)     (disk_fails() ? -1 : fchmod(__VA_ARGS__))
#define fsync(...)      (disk_fails() ? -1 : fsync(__VA_ARGS__))
#define renameat(...)   (disk_fails() ? -1 : renameat(__VA_ARGS__))
#define unlinkat(...)   (disk_fails() ? -1 : unlinkat(__VA_ARGS__))

#endif
