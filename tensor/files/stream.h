/* tensor/files/stream.h -- the one source from which all readers take their bytes. Internal:
 * programs call the readers.
 *
 *  - A ByteStream is one of three things: a file, a gzipped file that is unpacked on the way, or
 *    bytes in memory. A reader does not need to know which.
 *  - Only regular files are opened. A folder, a device or a named pipe is an Error, and opening
 *    never waits for a pipe.
 *  - A file is gzipped if its first two bytes are 1f 8b, whatever its name.
 *  - Unpacking is done by the gzip program, started without a shell and read through a pipe: no
 *    file name is ever parsed as a command, and a well-maintained tool handles the hostile bytes.
 *  - At the end of the data gzip's exit status is checked, so that damage that does not change the
 *    length is an error, too. A stream closed early stops gzip and leaves no process behind.
 *  - A gzipped file may unpack to 64 MiB, or to 20 times its size if that is more. Images shrink to
 *    a tenth at best; a hostile file of zeros, to a thousandth.
 *  - Offsets count the unpacked bytes.
 *
 *      ByteStream s;
 *      if (!slope_stream_open(&s, path, GZIP_UNPACK, &err)) return false;
 *      uint8_t *bytes = slope_stream_take(&s, 1000, &err);
 *      bool ok = bytes && slope_stream_expect_end(&s, &err);
 *      slope_stream_close(&s);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_STREAM_H
#define SLOPE_TENSOR_FILES_STREAM_H

#include <stddef.h>
#include <sys/types.h>

#include "tensor/error.h"

typedef struct ByteStream {
    const char    *name;   /* the path, or what errors call the memory; borrowed */
    const uint8_t *memory; /* borrowed; NULL for a file */
    int            fd;     /* the file, or the pipe that gzip writes to; -1 for memory */
    pid_t          gzip;   /* the unpacking process; 0 if there is none, or once it has ended */
    int64_t        size;   /* in bytes; -1 if gzip unpacks: unknown until the end */
    int64_t        offset; /* bytes read so far */
    int64_t        limit;  /* if gzip unpacks, the largest block that slope_stream_take reads */
} ByteStream;

/* What to do with a gzipped file: unpack it; refuse it, because the format does not say how long a
 * file is, and a small hostile one could unpack forever; or read it as it is, because a valid file
 * of the format may begin with 1f 8b. */
typedef enum GzipChoice { GZIP_UNPACK, GZIP_REFUSE, GZIP_IGNORE } GzipChoice;

/* Opens a file. Returns false and fills in *err if it is missing, unreadable or not a regular file,
 * or if it is gzipped and that is refused or gzip cannot be started; there is then nothing to
 * close. With GZIP_REFUSE and GZIP_IGNORE the stream's size is always known. */
bool slope_stream_open(ByteStream *stream, const char *path, GzipChoice gzip, Error *err);

/* A stream of the bytes at `data`, which must outlive it. Cannot fail, and need not be closed. */
ByteStream slope_stream_of_memory(const uint8_t *data, size_t size, const char *name);

/* The number of bytes not read yet, or -1 if gzip unpacks. */
int64_t slope_stream_left(const ByteStream *stream);

/* Copies the first bytes of the file or block, at most `want`, and returns how many; 0 if gzip
 * unpacks it. Does not change what is read next. */
size_t slope_stream_start(const ByteStream *stream, uint8_t *bytes, size_t want);

/* Reads until `want` bytes have arrived or the data end; sets *got to their number. Returns false
 * if reading failed, or if gzip reports at the end of the data that the file is damaged. */
bool slope_stream_read(ByteStream *stream, uint8_t *bytes, size_t want, size_t *got, Error *err);

/* Reads exactly `count` bytes; returns false and fills in *err if the data end earlier. */
bool slope_stream_fill(ByteStream *stream, uint8_t *bytes, size_t count, Error *err);

/* The same into new memory, which you free with memory_free; NULL on error. No memory is allocated
 * for bytes that a file only claims to have: a known size is checked first; if gzip unpacks,
 * `count` is checked against the limit, and the memory grows as the bytes arrive. */
uint8_t *slope_stream_take(ByteStream *stream, size_t count, Error *err);

/* Returns true if no byte follows; returns false and fills in *err if one does. */
bool slope_stream_expect_end(ByteStream *stream, Error *err);

void slope_stream_close(ByteStream *stream);

#endif
