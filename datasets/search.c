/* datasets/search.c -- listing the folders, and checking whether a file exists.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void search_add(Search *search, const char *folder, const char *slash, const char *name)
{
    char *path = search->folder[search->count];
    search->count += snprintf(path, SEARCH_PATH, "%s%s%s", folder, slash, name) < SEARCH_PATH;
}

void slope_search_folders(Search *search, const char *dir, const char *name)
{
    const char *root = getenv("SLOPE_DATA");
    search->count = 0;
    if (dir) {
        search_add(search, dir, "", "");
        search_add(search, dir, "/", name);
        return;
    }
    if (root && *root)
        search_add(search, root, "/", name);
    search_add(search, "data", "/", name);
    search_add(search, "/usr/share/datasets", "/", name);
}

bool slope_search_file(char path[SEARCH_PATH], const char *folder, const char *file)
{
    struct stat info;
    if (snprintf(path, SEARCH_PATH, "%s/%s", folder, file) >= SEARCH_PATH)
        return false;
    return stat(path, &info) == 0 ||
           (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
}

void slope_search_failed(const Search *search, const char *set, Error *err)
{
    char places[512] = "";
    for (int i = 0; i < search->count; i++) {
        size_t used = strlen(places);
        snprintf(places + used, sizeof places - used, "%s%s", i ? ", " : "", search->folder[i]);
    }
    error_set(err, set, -1, "the files were not found; looked in %s", places);
}
