/* tensor/files/stream.h -- the bytes of a file, unpacked on the way if it is gzipped.
 *
 *  - slope_stream_open looks at the first two bytes: 1f 8b means gzip, whatever the file's name.
 *  - Unpacking is done by the gzip program, started without a shell and read through a pipe:
 *    no file name is ever parsed as a command, and a well-kept tool meets the hostile bytes.
 *  - At the end of the data gzip's exit status is checked, so damage that left the length
 *    right is still an error. A stream closed early stops gzip and leaves no process behind.
 *  - Offsets count the unpacked bytes.
 *
 *      ByteStream s;
 *      if (!slope_stream_open(&s, path, &err)) return false;
 *      uint8_t *bytes = slope_stream_take(&s, 1000, &err);
 *      bool ok = bytes && slope_stream_expect_end(&s, &err);
 *      slope_stream_close(&s);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_STREAM_H
#define SLOPE_TENSOR_FILES_STREAM_H

#include <sys/types.h>

#include "tensor/error.h"

typedef struct ByteStream {
    const char *path;   /* borrowed */
    int         fd;     /* of the file, or of the pipe that gzip writes to */
    pid_t       gzip;   /* the unpacking process; 0 for a raw file, or once it has ended */
    int64_t     size;   /* bytes in all; -1 for a gzipped file, where only the end will tell */
    int64_t     offset; /* bytes read so far */
} ByteStream;

/* Opens a regular file. False and *err when it is missing, unreadable, a folder or a device,
 * or when it is gzipped and gzip cannot be started; nothing is left to close then. */
bool slope_stream_open(ByteStream *stream, const char *path, Error *err);

/* True for a raw file. A gzipped one is refused, for a format that does not say how many bytes
 * should come out: a small hostile file could go on for ever. */
bool slope_stream_require_raw(const ByteStream *stream, Error *err);

/* Reads until `want` bytes are there or the data end; *got says how many came. False when
 * reading failed or gzip, at the end of the data, says that the file was damaged. */
bool slope_stream_read(ByteStream *stream, uint8_t *bytes, size_t want, size_t *got, Error *err);

/* Exactly `count` bytes, in memory that you free with memory_free; NULL and *err if the file
 * ends before. A raw file is measured first; from gzip the memory grows as bytes arrive, so
 * that a small hostile file cannot ask for much. */
uint8_t *slope_stream_take(ByteStream *stream, size_t count, Error *err);

/* True if nothing follows; false and *err if a byte does. */
bool slope_stream_expect_end(ByteStream *stream, Error *err);

void slope_stream_close(ByteStream *stream);

#endif
