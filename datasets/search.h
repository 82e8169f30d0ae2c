/* datasets/search.h -- the folders in which a data set may lie.
 *
 *  - $SLOPE_DATA/NAME, then data/NAME, then /usr/share/datasets/NAME; or a folder that the caller
 *    names, itself and NAME below it, and nothing else.
 *  - For the loaders of known sets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_SEARCH_H
#define SLOPE_DATASETS_SEARCH_H

#include <stdbool.h>

enum { SEARCH_FOLDERS = 3, SEARCH_PATH = 4096, SEARCH_TEXT = 512 };

/* The folders to look in, in order. One whose name is too long for a path is left out: it cannot
 * exist. */
typedef struct Search {
    int  count;
    char folder[SEARCH_FOLDERS][SEARCH_PATH];
} Search;

/* `dir` NULL: the usual three. */
void slope_search_folders(Search *search, const char *dir, const char *name);

/* "folder/file" to path. Is something there, even if it cannot be read? What may not be read should
 * be reported as such when it is opened, not as missing. */
bool slope_search_file(char path[SEARCH_PATH], const char *folder, const char *file);

/* "data/x, /usr/share/datasets/x", cut where it does not fit. */
const char *slope_search_places(const Search *search, char text[SEARCH_TEXT]);

#endif
