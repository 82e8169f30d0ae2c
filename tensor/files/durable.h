/* tensor/files/durable.h -- replacing a file so that readers see the old one or the new one, never
 * part of one. Internal: programs call the writers.
 *
 *  - The bytes go to a temporary file in the same folder. slope_durable_close flushes them to the
 *    disk, renames the file in a single step, and flushes the folder, which holds the name.
 *  - If anything fails up to the rename, the temporary file is removed and the old file stays. If
 *    only the last flush fails, the new file is there but might not survive a crash.
 *  - A symbolic link stays a link: the file that it leads to is replaced, or created. Anything but
 *    a regular file (a folder, a device, a named pipe) is refused, and so is a file that this
 *    process may not write.
 *  - The new file has the mode of the old one, and its owner and group as far as this process may
 *    set them. It is a new file nevertheless: other hard links keep the old contents.
 *  - The temporary file of "net" is ".net.slope-HOST-PID-N.tmp", where HOST is a hash of the host's
 *    name, and its writer holds a lock (flock) on it. If that process is killed, the lock is
 *    released, and the next writer of "net" on the same host removes the file. On a file system
 *    without locks nothing is removed.
 *  - A file that would exceed RLIMIT_FSIZE is an Error, not a signal.
 *
 *      DurableFile file;
 *      if (!slope_durable_open(&file, "net.safetensors", &err))
 *          return false;
 *      bool ok = slope_durable_write(&file, bytes, count, &err);
 *      return slope_durable_close(&file, ok, &err);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_DURABLE_H
#define SLOPE_TENSOR_FILES_DURABLE_H

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tensor/error.h"

enum { DURABLE_PATH = 4096, DURABLE_TEMPORARY = 128 }; /* bytes */

typedef struct DurableFile {
    const char *path;                         /* borrowed */
    char        name[DURABLE_PATH];           /* in its folder, after following links */
    char        temporary[DURABLE_TEMPORARY]; /* its name while it is being written */
    int         folder, fd;
    struct stat old;                          /* of the file that it replaces; if none, all 0 */
    int64_t     offset;                       /* bytes written so far */
} DurableFile;

/* Returns false and fills in *err if the folder is missing or not writable, or if what is at the
 * path must not be replaced; there is then nothing to close. */
bool slope_durable_open(DurableFile *file, const char *path, Error *err);

bool slope_durable_write(DurableFile *file, const void *bytes, size_t count, Error *err);

/* Call it after every slope_durable_open that succeeded. If `ok`, the new file replaces the old
 * one; if not, the old one stays. Returns false if !ok (*err is then left as it is), or if one of
 * the last steps failed. */
bool slope_durable_close(DurableFile *file, bool ok, Error *err);

/* All three steps for a text: replaces the file at the path with what print(f, ctx) writes to the
 * stream f, which is in memory. */
bool slope_durable_print(const char *path, void (*print)(FILE *f, const void *ctx),
                         const void *ctx, Error *err);

#endif
