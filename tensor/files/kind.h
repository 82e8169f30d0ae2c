/* tensor/files/kind.h -- recognises files that a reader cannot use. Internal: programs call the
 * readers.
 *
 *  - A web page in place of a download, an archive, a file of another program: each begins with
 *    characteristic bytes, and the hint of the reader's error says what it is.
 *  - A reader calls this only after it has failed: no file is refused because of its first bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TENSOR_FILES_KIND_H
#define SLOPE_TENSOR_FILES_KIND_H

#include "tensor/files/stream.h"

/* If the `size` bytes at `start` are those of a known kind, replaces the hint of *err, an error
 * already set, with what the file is and what to do. Returns false. */
bool slope_kind_hint(Error *err, const uint8_t *start, size_t size);

/* The same for the first bytes of a stream; does nothing if gzip unpacks it. */
bool slope_kind_hint_of(Error *err, const ByteStream *stream);

#endif
