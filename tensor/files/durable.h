/* tensor/files/durable.h -- replacing a file so that readers see the old one or the new one, never
 * part of one. Internal: programs call the writers.
 *
 *  - The bytes go to a temporary file in the same folder. slope_durable_close flushes them to the
 *    disk, renames the file in a single step, and flushes the folder, which holds the name.
 *  - If anything fails up to the rename, the temporary file is removed and the old file stays. If
 *    only the last flush fails, the new file is there but might not survive a crash.
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

#include "tensor/error.h"

typedef struct DurableFile {
    const char *path;          /* borrowed */
    const char *name;          /* the last part of path */
    char        temporary[64]; /* the name in the same folder while the file is being written */
    int         folder, fd;
    int64_t     offset;        /* bytes written so far */
} DurableFile;

/* Returns false and fills in *err if the folder is missing or not writable; there is then nothing
 * to close. */
bool slope_durable_open(DurableFile *file, const char *path, Error *err);

bool slope_durable_write(DurableFile *file, const void *bytes, size_t count, Error *err);

/* Call it after every slope_durable_open that succeeded. If `ok`, the new file replaces the old
 * one; if not, the old one stays. Returns false if !ok (*err is then left as it is), or if one of
 * the last steps failed. */
bool slope_durable_close(DurableFile *file, bool ok, Error *err);

#endif
