/* tensor/files/durable.h -- writing a file so that a reader sees the old one or the new one, never
 * half.
 *
 *  - The bytes go to a temporary file in the same folder; slope_durable_close has the disk keep
 *    them, then gives the file its name in one step, then has the disk keep the name.
 *  - Whatever goes wrong before that last step, the temporary file is removed and the old file
 *    stays; if only the last goes wrong, the new file is there but might not outlive a crash.
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
    const char *name;          /* its last part */
    char        temporary[64]; /* the name in the same folder while the file is written */
    int         folder, fd;
    int64_t     offset;        /* bytes written so far */
} DurableFile;

/* False and *err if the folder is missing or may not be written; nothing is left to close then. */
bool slope_durable_open(DurableFile *file, const char *path, Error *err);

bool slope_durable_write(DurableFile *file, const void *bytes, size_t count, Error *err);

/* Call it after every slope_durable_open that went well. If `ok`, the new file takes the place of
 * the old one; if not, the old one stays. False if !ok (then *err is left as it is), or if a last
 * step failed. */
bool slope_durable_close(DurableFile *file, bool ok, Error *err);

#endif
