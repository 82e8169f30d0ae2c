/* datasets/search.h -- where to look for the files of a known data set. Internal: programs call the
 * loaders of the sets.
 *
 *  - In $SLOPE_DATA/NAME, then data/NAME, then /usr/share/datasets/NAME; or, if the caller names a
 *    folder, in it and in its subfolder NAME, and nowhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_SEARCH_H
#define SLOPE_DATASETS_SEARCH_H

#include "tensor/error.h"

enum { SEARCH_FOLDERS = 3, SEARCH_PATH = 4096 };

/* The folders to search, in order. One whose name is too long for a path is not counted: it cannot
 * exist. The first is always set, for messages, and truncated if it is too long. */
typedef struct Search {
    int  count;
    char folder[SEARCH_FOLDERS][SEARCH_PATH];
} Search;

/* `dir` NULL: the usual three folders. */
void slope_search_folders(Search *search, const char *dir, const char *name);

/* Writes "folder/file" to path. Returns true if it exists, even if it cannot be read: opening it
 * should then report that, not that it is missing. */
bool slope_search_file(char path[SEARCH_PATH], const char *folder, const char *file);

/* Fills in the error of a search that found none of the files of `set`, saying where it
 * looked; the caller adds a hint. */
void slope_search_failed(const Search *search, const char *set, Error *err);

#endif
