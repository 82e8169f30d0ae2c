/* tensor/files/durable.c -- temporary file, write, fsync, rename, fsync of the folder.
 *
 * All names are relative to the open folder, so the file appears in the folder where it was begun
 * even if that is moved in the meantime.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tensor/memory.h"

enum { DURABLE_TRIES = 100 };

/* --- opening ---------------------------------------------------------------------------------- */

/* The folder of "runs/net" is "runs/", that of "net" is "./". */
static int durable_open_folder(const char *path, size_t length)
{
    char *folder = memory_try_new(length + 3);
    if (!folder)
        return -1;
    memcpy(folder, length ? path : "./", length ? length : 2);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int problem = errno;
    memory_free(folder);
    errno = problem;
    return fd;
}

/* O_EXCL: a file that already exists is never opened, not even through a link. A crashed process
 * with the same process ID may have left a file of that name behind; then the next name is
 * tried. */
static int durable_create(DurableFile *file)
{
    static atomic_uint count;
    int fd = -1;
    for (int i = 0; i < DURABLE_TRIES; i++) {
        snprintf(file->temporary, sizeof file->temporary, ".slope-%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&count, 1));
        fd = openat(file->folder, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    return fd;
}

bool slope_durable_open(DurableFile *file, const char *path, Error *err)
{
    const char *slash = strrchr(path, '/');
    *file = (DurableFile){.path = path, .name = slash ? slash + 1 : path};
    file->folder = durable_open_folder(path, (size_t)(file->name - path));
    if (file->folder < 0) {
        error_set(err, path, -1, "its folder cannot be opened (%s)", strerror(errno));
        return error_hint(err, "create the folder first, or choose another");
    }
    file->fd = durable_create(file);
    if (file->fd >= 0)
        return true;
    error_set(err, path, -1, "no file can be created in its folder (%s)", strerror(errno));
    close(file->folder);
    return false;
}

/* --- writing ---------------------------------------------------------------------------------- */

bool slope_durable_write(DurableFile *file, const void *bytes, size_t count, Error *err)
{
    const char *from = bytes;
    while (count > 0) {
        ssize_t n = write(file->fd, from, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, file->path, file->offset, "writing failed (%s)", strerror(errno));
        from += n;
        count -= (size_t)n;
        file->offset += n;
    }
    return true;
}

/* --- closing ---------------------------------------------------------------------------------- */

/* The bytes must be on the disk before the name is: otherwise a crash in between would leave a file
 * with its name but without its contents. */
static bool durable_sync(DurableFile *file, Error *err)
{
    bool ok = fsync(file->fd) == 0 ||
              error_set(err, file->path, -1, "flushing it to disk failed (%s)", strerror(errno));
    if (close(file->fd) != 0 && ok)
        ok = error_set(err, file->path, -1, "the file could not be closed (%s)", strerror(errno));
    return ok;
}

static bool durable_rename(DurableFile *file, Error *err)
{
    if (renameat(file->folder, file->temporary, file->folder, file->name) == 0)
        return true;
    return error_set(err, file->path, -1, "the temporary file could not be renamed (%s)",
                     strerror(errno));
}

/* A few file systems cannot sync a folder and return EINVAL: nothing more can be done there. */
static bool durable_sync_folder(DurableFile *file, Error *err)
{
    if (fsync(file->folder) == 0 || errno == EINVAL)
        return true;
    return error_set(err, file->path, -1, "flushing its folder to disk failed (%s)",
                     strerror(errno));
}

bool slope_durable_close(DurableFile *file, bool ok, Error *err)
{
    if (ok)
        ok = durable_sync(file, err);
    else
        close(file->fd);
    ok = ok && durable_rename(file, err);
    if (ok)
        ok = durable_sync_folder(file, err);
    else
        unlinkat(file->folder, file->temporary, 0);
    close(file->folder);
    return ok;
}
