/* tests/scratch.h -- a folder for the files that a test program creates.
 *
 *  - scratch_main runs a suite as testing_main does. It creates the folder before and removes it
 *    after, both in the parent process, so the folder is removed even if a test crashes.
 *  - scratch_write(name, bytes, size) writes a file and returns its path.
 *  - scratch_gzip does the same through the gzip program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_SCRATCH_H
#define SLOPE_TESTS_SCRATCH_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/testing.h"

enum { SCRATCH_PATH = 512 };

static char scratch_folder[64];

static inline void scratch_remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char inside[SCRATCH_PATH];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) < SCRATCH_PATH)
            scratch_remove_tree(inside);
    }
    if (folder)
        closedir(folder);
    remove(path);
}

/* Between the two calls, the superuser may read and write no more than "nobody". Returns false
 * where that is impossible, as in a container with a single user: then there is nothing to test. */
static inline bool scratch_drop_rights(void)
{
    if (getuid() != 0 || seteuid(65534) == 0)
        return true;
    printf("the superuser cannot become another user (%s): not tested\n", strerror(errno));
    return false;
}

static inline void scratch_regain_rights(void)
{
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}

static inline int scratch_main(Suite *suite)
{
    strcpy(scratch_folder, "/tmp/slope-test-XXXXXX");
    if (!mkdtemp(scratch_folder)) {
        perror("mkdtemp");
        exit(1);
    }
    int status = testing_main(suite);
    scratch_remove_tree(scratch_folder);
    return status;
}

/* The path of a file in the folder; the last 32 paths returned stay valid. */
static inline const char *scratch_path(const char *name)
{
    static char paths[32][SCRATCH_PATH];
    static unsigned turn;
    char *path = paths[turn++ % 32];
    int length = snprintf(path, SCRATCH_PATH, "%s/%s", scratch_folder, name);
    ck_assert_int_lt(length, SCRATCH_PATH);
    return path;
}

static inline const char *scratch_subfolder(const char *name)
{
    const char *path = scratch_path(name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    return path;
}

static inline const char *scratch_write(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static inline const char *scratch_gzip(const char *name, const void *bytes, size_t size)
{
    char command[SCRATCH_PATH + 32];
    const char *path = scratch_path(name);
    snprintf(command, sizeof command, "gzip -c > '%s'", path);
    FILE *gzip = popen(command, "w");
    ck_assert_ptr_nonnull(gzip);
    ck_assert_uint_eq(fwrite(bytes, 1, size, gzip), size);
    ck_assert_int_eq(pclose(gzip), 0);
    return path;
}

/* The contents of a file, allocated with malloc. */
static inline unsigned char *scratch_read(const char *path, size_t *size)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &info), 0);
    *size = (size_t)info.st_size;
    unsigned char *bytes = malloc(*size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

#endif
