/* tensor/files/stream.c -- reading a file, what gzip unpacks from it, or memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/memory.h"

extern char **environ;

enum {
    STREAM_FIRST_CAPACITY = 1 << 16,
    STREAM_UNPACKED = 64 << 20, /* of a gzipped file; or, if that is more, */
    STREAM_RATIO = 20,         /* this many times its size */
    STREAM_NOT_STARTED = 127, /* how some systems, and valgrind, report a missing program */
};

/* --- starting gzip ---------------------------------------------------------------------------- */

/* A pipe whose ends are not inherited by other programs. */
static bool stream_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return false;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return true;
}

/* Runs `gzip -dc` from descriptor `in` to descriptor `out`. Its messages go to /dev/null: an Error
 * says what went wrong. posix_spawnp looks for gzip in $PATH, passes the arguments on unchanged (no
 * shell), and reports a missing program. Returns 0 or an errno. */
static int stream_spawn_gzip(int in, int out, pid_t *child)
{
    char *const argv[] = {"gzip", "-dc", NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int problem = posix_spawnp(child, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return problem;
}

static bool stream_gzip_absent(const char *path, int problem, Error *err)
{
    if (problem == ENOENT) {
        error_set(err, path, -1, "the file is gzipped, and there is no gzip program to unpack it");
        return error_hint(err, "install gzip (Debian, Ubuntu: apt-get install gzip), or unpack "
                               "the file elsewhere and put the unpacked file next to it");
    }
    return error_set(err, path, -1, "gzip could not be started (%s)", strerror(problem));
}

/* Puts gzip between the file and us: stream->fd becomes the read end of the pipe. The lock keeps
 * another thread from starting its own gzip between our pipe() and fcntl(): that gzip would inherit
 * our write end, and we would never see the end of the data. */
static bool stream_through_gzip(ByteStream *stream, Error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int ends[2];
    pthread_mutex_lock(&lock);
    int problem = EMFILE;
    if (stream_pipe(ends)) {
        problem = stream_spawn_gzip(stream->fd, ends[1], &stream->gzip);
        close(ends[1]);
        if (problem)
            close(ends[0]);
    }
    pthread_mutex_unlock(&lock);
    if (problem) {
        stream->gzip = 0;
        return stream_gzip_absent(stream->name, problem, err);
    }
    close(stream->fd);
    stream->fd = ends[0];
    stream->limit = stream->size > STREAM_UNPACKED / STREAM_RATIO ? STREAM_RATIO * stream->size
                                                                  : STREAM_UNPACKED;
    stream->size = -1;
    return true;
}

/* Waits for gzip to end; returns its status as waitpid reports it, or -1. */
static int stream_wait(ByteStream *stream)
{
    int status = -1;
    pid_t ended;
    do
        ended = waitpid(stream->gzip, &status, 0);
    while (ended < 0 && errno == EINTR);
    stream->gzip = 0;
    return ended < 0 ? -1 : status;
}

/* A program that ignores SIGCHLD never learns how its children ended. */
static bool stream_status_lost(const ByteStream *stream, Error *err)
{
    error_set(err, stream->name, -1,
              "gzip's exit status is lost, so the file may be incomplete");
    return error_hint(err, "does this program ignore SIGCHLD? restore SIG_DFL while it reads");
}

/* Called at the end of the data: is that the end of the file, or did gzip give up there? A status
 * of 2, a warning, is refused, too: it means garbage after the data. */
static bool stream_check_gzip(ByteStream *stream, Error *err)
{
    int status = stream_wait(stream);
    if (status == -1)
        return stream_status_lost(stream, err);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 0)
        return true;
    if (code == STREAM_NOT_STARTED)
        return stream_gzip_absent(stream->name, ENOENT, err);
    error_set(err, stream->name, -1, "gzip could not unpack the file: it is cut short or damaged");
    if (code > 0)
        error_expected(err, "exit status 0 from gzip", "%d", code);
    return error_hint(err, "`gzip -t` on the file reports details; fetch the file again");
}

/* --- opening and closing ---------------------------------------------------------------------- */

static bool stream_is_gzipped(const ByteStream *stream)
{
    uint8_t magic[2];
    return pread(stream->fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

static bool stream_refuse_gzip(const ByteStream *stream, Error *err)
{
    error_set(err, stream->name, -1, "the file is gzipped, and its format does not say how many "
              "bytes it should unpack to");
    return error_hint(err, "unpack it first: gunzip FILE");
}

/* Determines the size of an open file, then looks for gzip's two bytes. pread leaves the position
 * at 0, where gzip, which inherits it, must start. */
static bool stream_inspect(ByteStream *stream, GzipChoice gzip, Error *err)
{
    struct stat info;
    if (fstat(stream->fd, &info) != 0)
        return error_set(err, stream->name, -1, "its size cannot be determined (%s)",
                         strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, stream->name, -1, "this is a %s, not a file",
                         S_ISDIR(info.st_mode) ? "folder" : "pipe or a device");
    stream->size = info.st_size;
    if (gzip == GZIP_IGNORE || !stream_is_gzipped(stream))
        return true;
    return gzip == GZIP_UNPACK ? stream_through_gzip(stream, err) : stream_refuse_gzip(stream, err);
}

/* O_NONBLOCK: opening a named pipe must not wait for a writer. Regular files ignore it. */
bool slope_stream_open(ByteStream *stream, const char *path, GzipChoice gzip, Error *err)
{
    *stream = (ByteStream){.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (stream->fd < 0)
        return error_set(err, path, -1, "the file cannot be opened (%s)", strerror(errno));
    if (stream_inspect(stream, gzip, err))
        return true;
    slope_stream_close(stream);
    return false;
}

ByteStream slope_stream_of_memory(const uint8_t *data, size_t size, const char *name)
{
    return (ByteStream){.name = name, .memory = data, .fd = -1, .size = (int64_t)size};
}

/* The pipe is closed before the wait: a gzip that is still writing dies of SIGPIPE or, where this
 * program ignores that signal and gzip inherits the setting, exits with a write error. */
void slope_stream_close(ByteStream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    if (stream->gzip > 0)
        stream_wait(stream);
    *stream = (ByteStream){.name = stream->name, .fd = -1};
}

/* --- reading ---------------------------------------------------------------------------------- */

int64_t slope_stream_left(const ByteStream *stream)
{
    if (stream->size < 0)
        return -1;
    return stream->offset < stream->size ? stream->size - stream->offset : 0;
}

size_t slope_stream_start(const ByteStream *stream, uint8_t *bytes, size_t want)
{
    if (stream->size < 0)
        return 0;
    size_t n = want < (size_t)stream->size ? want : (size_t)stream->size;
    if (stream->fd >= 0) {
        ssize_t got = pread(stream->fd, bytes, n, 0);
        return got > 0 ? (size_t)got : 0;
    }
    if (n > 0)
        memcpy(bytes, stream->memory, n);
    return n;
}

/* Like read(2): returns the number of bytes read, 0 at the end, or -1 with errno set. */
static ssize_t stream_step(const ByteStream *stream, uint8_t *bytes, size_t want)
{
    if (stream->fd >= 0)
        return read(stream->fd, bytes, want);
    size_t left = (size_t)slope_stream_left(stream), n = want < left ? want : left;
    if (n > 0)
        memcpy(bytes, stream->memory + stream->offset, n);
    return (ssize_t)n;
}

/* A pipe returns what it has, often less than requested, and a signal may interrupt the wait. */
bool slope_stream_read(ByteStream *stream, uint8_t *bytes, size_t want, size_t *got, Error *err)
{
    *got = 0;
    while (*got < want) {
        ssize_t n = stream_step(stream, bytes + *got, want - *got);
        if (n == 0)
            return stream->gzip == 0 || stream_check_gzip(stream, err);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, stream->name, stream->offset, "reading failed (%s)",
                             strerror(errno));
        *got += (size_t)n;
        stream->offset += n;
    }
    return true;
}

static bool stream_too_short(const ByteStream *stream, size_t wanted, size_t found, Error *err)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%zu more bytes", wanted);
    error_set(err, stream->name, stream->offset, "the file ends before its data do");
    error_expected(err, expected, "%zu", found);
    return error_hint(err, "the file is cut short: fetch it again");
}

bool slope_stream_fill(ByteStream *stream, uint8_t *bytes, size_t count, Error *err)
{
    size_t got;
    return slope_stream_read(stream, bytes, count, &got, err) &&
           (got == count || stream_too_short(stream, count, got, err));
}

/* --- reading into new memory ------------------------------------------------------------------ */

/* A larger copy of a buffer: its size, *capacity, is doubled, up to `limit`. Frees the old one. */
static uint8_t *stream_grow(uint8_t *bytes, size_t *capacity, size_t limit)
{
    size_t held = *capacity;
    *capacity = held > limit / 2 ? limit : 2 * held;
    uint8_t *larger = memory_try_new(*capacity);
    if (larger)
        memcpy(larger, bytes, held);
    memory_free(bytes);
    return larger;
}

/* Reads `count` bytes into new memory, of `capacity` bytes first and larger once these are full. */
static uint8_t *stream_gather(ByteStream *stream, size_t capacity, size_t count, Error *err)
{
    size_t held = 0, got;
    uint8_t *bytes = memory_try_new(capacity);
    while (bytes && slope_stream_read(stream, bytes + held, capacity - held, &got, err)) {
        held += got;
        if (held == count)
            return bytes;
        if (held < capacity) {
            stream_too_short(stream, count, held, err);
            break;
        }
        bytes = stream_grow(bytes, &capacity, count);
    }
    if (!bytes)
        error_set(err, stream->name, stream->offset, "out of memory for its data");
    memory_free(bytes);
    return NULL;
}

static uint8_t *stream_too_large(const ByteStream *stream, size_t count, Error *err)
{
    char expected[64];
    snprintf(expected, sizeof expected, "at most %lld bytes", (long long)stream->limit);
    error_set(err, stream->name, stream->offset,
              "the header declares more data than a gzipped file of this size is likely to hold");
    error_expected(err, expected, "%zu", count);
    error_hint(err, "if you trust the file, unpack it first: gunzip FILE.gz");
    return NULL;
}

uint8_t *slope_stream_take(ByteStream *stream, size_t count, Error *err)
{
    int64_t left = slope_stream_left(stream);
    if (left >= 0 && (uint64_t)left < count) {
        stream_too_short(stream, count, (size_t)left, err);
        return NULL;
    }
    if (left < 0 && count > (uint64_t)stream->limit)
        return stream_too_large(stream, count, err);
    bool all = left >= 0 || count < STREAM_FIRST_CAPACITY;
    return stream_gather(stream, all ? count : STREAM_FIRST_CAPACITY, count, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

bool slope_stream_expect_end(ByteStream *stream, Error *err)
{
    uint8_t byte;
    size_t got;
    int64_t end = stream->offset;
    if (!slope_stream_read(stream, &byte, 1, &got, err))
        return false;
    if (got == 0)
        return true;
    error_set(err, stream->name, end, "more bytes follow than the file's header declares");
    if (stream->size >= 0) {
        char expected[64];
        snprintf(expected, sizeof expected, "%lld bytes in all", (long long)end);
        error_expected(err, expected, "%lld", (long long)stream->size);
    }
    return false;
}
