/* tests/tensor/files/check_durable.c -- a file is either the old one or the new one, whatever
 * happens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/files/durable.h"

#include <check.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/scratch.h"
#include "tests/testing.h"

/* The number of entries in a folder, without . and .. */
static int entries_of(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 2;
}

static bool write_text(const char *path, const char *text, bool ok, Error *err)
{
    DurableFile file;
    if (!slope_durable_open(&file, path, err))
        return false;
    ok = slope_durable_write(&file, text, strlen(text), err) && ok;
    return slope_durable_close(&file, ok, err);
}

static void assert_holds(const char *path, const char *text)
{
    size_t size;
    unsigned char *bytes = scratch_read(path, &size);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_mem_eq(bytes, text, size);
    free(bytes);
}

START_TEST(a_new_file_replaces_the_old)
{
    Error err;
    char path[SCRATCH_PATH];
    scratch_subfolder("new");
    snprintf(path, sizeof path, "%s", scratch_path("new/file"));
    ck_assert(write_text(path, "the first", true, &err));
    assert_holds(path, "the first");
    ck_assert(write_text(path, "2nd", true, &err));
    assert_holds(path, "2nd");
    ck_assert_int_eq(entries_of(scratch_path("new")), 1);
}
END_TEST

START_TEST(an_abandoned_file_leaves_the_old)
{
    Error err;
    char path[SCRATCH_PATH];
    scratch_subfolder("old");
    snprintf(path, sizeof path, "%s", scratch_path("old/file"));
    ck_assert(write_text(path, "old", true, &err));
    ck_assert(!write_text(path, "new", false, &err));
    assert_holds(path, "old");
    ck_assert_int_eq(entries_of(scratch_path("old")), 1);
}
END_TEST

START_TEST(a_name_without_a_folder_is_here)
{
    Error err;
    ck_assert_int_eq(chdir(scratch_subfolder("here")), 0);
    ck_assert(write_text("file", "text", true, &err));
    assert_holds("file", "text");
    ck_assert_int_eq(entries_of("."), 1);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(a_folder_is_not_replaced)
{
    Error err;
    char path[SCRATCH_PATH];
    scratch_subfolder("outer");
    snprintf(path, sizeof path, "%s", scratch_subfolder("outer/inner"));
    ck_assert(!write_text(path, "text", true, &err));
    ck_assert_str_eq(err.file, path);
    ck_assert_int_eq(entries_of(scratch_path("outer")), 1);
    strcat(path, "/");
    ck_assert(!write_text(path, "text", true, &err));
    ck_assert_int_eq(entries_of(path), 0);
    ck_assert(!write_text("", "text", true, &err));
}
END_TEST

START_TEST(a_missing_folder_is_an_error)
{
    Error err;
    ck_assert(!write_text(scratch_path("nowhere/file"), "text", true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "folder cannot be opened"));
    ck_assert_ptr_nonnull(strstr(err.hint, "create the folder"));
}
END_TEST

START_TEST(a_folder_that_may_not_be_written_is_an_error)
{
    Error err;
    ck_assert_int_eq(chmod(scratch_folder, 0755), 0);
    const char *folder = scratch_subfolder("locked");
    ck_assert_int_eq(chmod(folder, 0555), 0);
    scratch_drop_rights();
    bool ok = write_text(scratch_path("locked/file"), "text", true, &err);
    scratch_regain_rights();
    ck_assert(!ok);
    ck_assert_ptr_nonnull(strstr(err.problem, "Permission denied"));
    ck_assert_int_eq(entries_of(folder), 0);
}
END_TEST

/* A limit on the file's size stands in for a full disk. */
START_TEST(a_full_disk_leaves_the_old_file)
{
    Error err;
    static char large[70000];
    char path[SCRATCH_PATH];
    struct rlimit old, small;
    memset(large, 'x', sizeof large - 1);
    scratch_subfolder("full");
    snprintf(path, sizeof path, "%s", scratch_path("full/file"));
    ck_assert(write_text(path, "old", true, &err));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 50000, .rlim_max = old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = write_text(path, large, true, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    ck_assert(!ok);
    ck_assert_ptr_nonnull(strstr(err.problem, "writing failed"));
    ck_assert_int_eq(err.offset, 50000);
    assert_holds(path, "old");
    ck_assert_int_eq(entries_of(scratch_path("full")), 1);
}
END_TEST

/* A file that a crash left behind does no harm. */
START_TEST(a_temporary_file_left_behind_is_stepped_over)
{
    Error err;
    DurableFile file;
    char path[SCRATCH_PATH], name[128];
    unsigned number;
    scratch_subfolder("left");
    snprintf(path, sizeof path, "%s", scratch_path("left/file"));
    ck_assert(slope_durable_open(&file, path, &err));
    ck_assert_int_eq(sscanf(strrchr(file.temporary, '-'), "-%u.tmp", &number), 1);
    ck_assert(!slope_durable_close(&file, false, &err));
    snprintf(name, sizeof name, "left/.slope-%ld-%u.tmp", (long)getpid(), number + 1);
    scratch_write(name, "x", 1);
    ck_assert(write_text(path, "text", true, &err));
    assert_holds(path, "text");
    assert_holds(scratch_path(name), "x");
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("durable");
    testing_add(suite, "files", 10, (const TTest *const[]){
        a_new_file_replaces_the_old, an_abandoned_file_leaves_the_old,
        a_name_without_a_folder_is_here, a_folder_is_not_replaced, a_missing_folder_is_an_error,
        a_folder_that_may_not_be_written_is_an_error, a_full_disk_leaves_the_old_file,
        a_temporary_file_left_behind_is_stepped_over, NULL});
    return scratch_main(suite);
}
