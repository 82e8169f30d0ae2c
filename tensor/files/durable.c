/* tensor/files/durable.c -- temporary file, write, fsync, rename, fsync of the folder.
 *
 * All names are relative to the open folder, so the file appears in the folder where it was begun
 * even if that is moved in the meantime.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

/* The most links in a chain, the most names tried, and the most bytes of the target's name with
 * which that of a temporary file begins, so that it is never too long for the file system. */
enum { DURABLE_LINKS = 40, DURABLE_TRIES = 100, DURABLE_STEM = 64 };

/* --- finding the file ------------------------------------------------------------------------- */

/* Opens the folder of a path, which is relative to the folder `from`, and splits off the name.
 * "runs/net" is in "runs/", "net" in ".". */
static int durable_enter(DurableFile *file, int from, char path[DURABLE_PATH])
{
    char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    strcpy(file->name, name);
    *name = '\0';
    return openat(from, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool durable_open_folder(DurableFile *file, Error *err)
{
    char path[DURABLE_PATH];
    bool fits = snprintf(path, sizeof path, "%s", file->path) < (int)sizeof path;
    errno = ENAMETOOLONG;
    file->folder = fits ? durable_enter(file, AT_FDCWD, path) : -1;
    if (file->folder >= 0)
        return true;
    error_set(err, file->path, -1, "its folder cannot be opened (%s)", strerror(errno));
    return error_hint(err, "create the folder first, or choose another");
}

static const char *durable_kind(mode_t mode)
{
    return S_ISDIR(mode)    ? "folder"
           : S_ISFIFO(mode) ? "pipe"
           : S_ISSOCK(mode) ? "socket"
                            : "device";
}

/* May this process write the old file? If that cannot be found out, for example because a sandbox
 * refuses the question (EPERM), the answer is yes: replacing the file needs no such permission. */
static bool durable_is_writable(const DurableFile *file)
{
    return faccessat(file->folder, file->name, W_OK, AT_EACCESS) == 0 ||
           (errno != EACCES && errno != EROFS && errno != ETXTBSY);
}

/* Examines what is at the path, following links. Here the system follows them, because it refuses
 * links that another user has put into a folder like /tmp. */
static bool durable_inspect(DurableFile *file, Error *err)
{
    if (file->name[0] == '\0')
        return error_set(err, file->path, -1, "the path ends without the name of a file");
    if (fstatat(file->folder, file->name, &file->old, 0) != 0) {
        file->old = (struct stat){0};
        return errno == ENOENT || error_set(err, file->path, -1, "what is at the path cannot be "
                                            "examined (%s)", strerror(errno));
    }
    if (!S_ISREG(file->old.st_mode)) {
        error_set(err, file->path, -1, "this is a %s, not a regular file, so it is not replaced",
                  durable_kind(file->old.st_mode));
        return error_hint(err, "choose the name of a regular file, or a new name");
    }
    if (durable_is_writable(file))
        return true;
    error_set(err, file->path, -1, "the old file is write-protected (%s)", strerror(errno));
    return error_hint(err, "change its permissions, or choose another name");
}

/* Follows the links to their end: a file that exists, or the name of one to create. */
static bool durable_follow(DurableFile *file, Error *err)
{
    char path[DURABLE_PATH];
    for (int links = 0; links <= DURABLE_LINKS; links++) {
        ssize_t length = readlinkat(file->folder, file->name, path, sizeof path - 1);
        if (length < 0) /* EINVAL: not a link */
            return errno == EINVAL || errno == ENOENT ||
                   error_set(err, file->path, -1, "a link on the path cannot be read (%s)",
                             strerror(errno));
        path[length] = '\0';
        int from = file->folder;
        file->folder = durable_enter(file, from, path);
        close(from);
        if (file->folder < 0)
            return error_set(err, file->path, -1, "the folder to which the link at the path leads "
                             "cannot be opened (%s)", strerror(errno));
    }
    return error_set(err, file->path, -1, "the path leads through more than %d links",
                     DURABLE_LINKS);
}

/* --- temporary files -------------------------------------------------------------------------- */

/* A hash of this host's name (32-bit FNV-1a). */
static unsigned durable_host(void)
{
    char name[256] = "";
    uint32_t hash = 0x811c9dc5;
    gethostname(name, sizeof name - 1); /* if it fails, the hash is that of no name */
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x01000193;
    return hash;
}

/* ".net.slope-HOST-" for the target "net"; a long name is cut, but not within a UTF-8 character. */
static int durable_prefix(const DurableFile *file, char prefix[DURABLE_TEMPORARY])
{
    int n = (int)strnlen(file->name, DURABLE_STEM);
    while (n > 0 && (file->name[n] & 0xc0) == 0x80)
        n--;
    return snprintf(prefix, DURABLE_TEMPORARY, ".%.*s.slope-%08x-", n, file->name,
                    durable_host());
}

/* Removes a temporary file, unless a writer holds its lock. A file that this process may not open,
 * or whose file system has no locks, stays. */
static void durable_remove_unheld(int folder, const char *name)
{
    int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

/* Removes the temporary files that killed writers of this file have left behind, except those of
 * other hosts: on a network file system, their locks may not be visible here. */
static void durable_clean(const DurableFile *file)
{
    char prefix[DURABLE_TEMPORARY];
    int length = durable_prefix(file, prefix);
    int fd = openat(file->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder && fd >= 0)
        close(fd);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *name = entry->d_name;
        int end = 0;
        if (strncmp(name, prefix, (size_t)length) == 0 &&
            sscanf(name + length, "%*[0-9]-%*[0-9].tmp%n", &end) == 0 && end && !name[length + end])
            durable_remove_unheld(file->folder, name);
    }
    if (folder)
        closedir(folder);
}

/* Locks a file that was just created. Another writer may have locked it first, to remove it as an
 * abandoned one; then its name is gone, or soon will be, and the result is false. */
static bool durable_hold(int fd)
{
    struct stat info;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno != EWOULDBLOCK; /* otherwise there are no locks here, so nobody removes it */
    return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

/* O_EXCL: a file that already exists is never opened, not even through a link; then the next name
 * is tried. Nobody else may read the new contents of a private file before it has the old mode. */
static int durable_create(DurableFile *file)
{
    static atomic_uint count;
    int length = durable_prefix(file, file->temporary);
    for (int i = 0; i < DURABLE_TRIES; i++) {
        snprintf(file->temporary + length, sizeof file->temporary - (size_t)length, "%ld-%u.tmp",
                 (long)getpid(), atomic_fetch_add(&count, 1));
        int fd = openat(file->folder, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        file->old.st_mode ? 0600 : 0666);
        if (fd >= 0 && durable_hold(fd))
            return fd;
        if (fd >= 0)
            close(fd);
        else if (errno != EEXIST)
            return -1;
    }
    errno = EEXIST;
    return -1;
}

static bool durable_begin(DurableFile *file, Error *err)
{
    durable_clean(file);
    file->fd = durable_create(file);
    if (file->fd >= 0)
        return true;
    error_set(err, file->path, -1, "no file can be created in its folder (%s)", strerror(errno));
    return error_hint(err, "its new contents are first written to another file in that folder");
}

bool slope_durable_open(DurableFile *file, const char *path, Error *err)
{
    *file = (DurableFile){.path = path};
    if (!durable_open_folder(file, err))
        return false;
    if (durable_inspect(file, err) && durable_follow(file, err) && durable_begin(file, err))
        return true;
    if (file->folder >= 0)
        close(file->folder);
    return false;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* write(2), except that exceeding RLIMIT_FSIZE only sets errno to EFBIG: the signal that the system
 * then sends to this thread, which by default ends the program, is blocked and discarded. */
static ssize_t durable_write_some(int fd, const void *bytes, size_t count)
{
    sigset_t limit, before, pending;
    int taken;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &limit, &before);
    ssize_t n = write(fd, bytes, count);
    int problem = errno;
    if (n < 0 && problem == EFBIG && sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ))
        sigwait(&limit, &taken);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = problem;
    return n;
}

static bool durable_write_error(const DurableFile *file, Error *err)
{
    int problem = errno;
    struct rlimit limit;
    if (problem != EFBIG || getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return error_set(err, file->path, file->offset, "writing failed (%s)", strerror(problem));
    error_set(err, file->path, file->offset, "the file would become larger than this process may "
              "write (RLIMIT_FSIZE is %llu bytes)", (unsigned long long)limit.rlim_cur);
    return error_hint(err, "raise the limit: ulimit -f unlimited");
}

bool slope_durable_write(DurableFile *file, const void *bytes, size_t count, Error *err)
{
    const char *from = bytes;
    while (count > 0) {
        ssize_t n = durable_write_some(file->fd, from, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return durable_write_error(file, err);
        from += n;
        count -= (size_t)n;
        file->offset += n;
    }
    return true;
}

/* --- closing ---------------------------------------------------------------------------------- */

/* Keeps the old file's owner, group and mode, as far as this process may set them. If the group
 * cannot be kept, the group that the new file has instead gets only the rights of others. */
static void durable_keep_settings(const DurableFile *file)
{
    mode_t mode = file->old.st_mode & 0777;
    if (file->old.st_mode == 0)
        return;
    if (fchown(file->fd, file->old.st_uid, file->old.st_gid) != 0 &&
        fchown(file->fd, (uid_t)-1, file->old.st_gid) != 0)
        mode = (mode & 0707) | (mode & 0007) << 3;
    fchmod(file->fd, mode);
}

/* The bytes must be on the disk before the name is: otherwise a crash in between would leave a file
 * with its name but without its contents. */
static bool durable_sync(DurableFile *file, Error *err)
{
    return fsync(file->fd) == 0 ||
           error_set(err, file->path, -1, "flushing it to disk failed (%s)", strerror(errno));
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

/* The temporary file stays locked until it has the target's name. After fsync, nothing that matters
 * is left for close to do. */
bool slope_durable_close(DurableFile *file, bool ok, Error *err)
{
    if (ok)
        durable_keep_settings(file);
    ok = ok && durable_sync(file, err) && durable_rename(file, err);
    close(file->fd);
    if (ok)
        ok = durable_sync_folder(file, err);
    else
        unlinkat(file->folder, file->temporary, 0);
    close(file->folder);
    return ok;
}

/* --- text ------------------------------------------------------------------------------------- */

bool slope_durable_print(const char *path, void (*print)(FILE *f, const void *ctx),
                         const void *ctx, Error *err)
{
    char *text = NULL;
    size_t length = 0;
    DurableFile file;
    FILE *f = open_memstream(&text, &length);
    if (f)
        print(f, ctx);
    bool printed = f && !ferror(f);
    if ((f && fclose(f) != 0) || !printed)
        error_set(err, path, -1, "out of memory for the contents of the file"), printed = false;
    bool ok = printed && slope_durable_open(&file, path, err) &&
              slope_durable_close(&file, slope_durable_write(&file, text, length, err), err);
    free(text);
    return ok;
}
