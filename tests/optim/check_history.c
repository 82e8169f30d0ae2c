/* tests/optim/check_history.c -- history.csv: its contents, and what becomes of the old file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <sys/resource.h>

#include "optim/trainer.h"
#include "tests/locale.h"

#include "tests/disk.h"
#include "tensor/files/durable.c"

/* --- contents --------------------------------------------------------------------------------- */

static void assert_history_csv(void)
{
    static const char expected[] =
        "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n"
        "1,0.693147,0.500000,0.750000,0.437500,1.250\n"
        "2,0.250000,0.875000,nan,nan,0.001\n";
    EpochRecord records[] = {{1, 0.69314718, 0.5, 0.75, 0.4375, 1.25},
                             {2, 0.25, 0.875, (double)NAN, (double)NAN, 0.001}};
    History h = {records, 2};
    Error err;
    size_t size;
    ck_assert(history_write_csv(&h, scratch_path("history.csv"), &err));
    unsigned char *text = scratch_read(scratch_path("history.csv"), &size);
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_mem_eq(text, expected, size);
    free(text);
}

START_TEST(history_csv_has_this_header_and_these_rows)
{
    History h = {0};
    Error err;
    assert_history_csv();
    ck_assert(!history_write_csv(&h, "/nowhere/at/all.csv", &err));
    ck_assert_str_eq(err.file, "/nowhere/at/all.csv");
    ck_assert_msg(strstr(err.problem, "folder cannot be opened") != NULL, "%s", err.problem);
    ck_assert(!history_write_csv(&h, "/nowhere/at/all.csv", NULL));
}
END_TEST

START_TEST(history_csv_has_decimal_points_in_every_locale)
{
    for (int i = 0; i < LOCALES; i++)
        if (locale_set(locale_names[i]))
            assert_history_csv();
    locale_restore();
}
END_TEST

/* --- the old file ----------------------------------------------------------------------------- */

static const char history_head[] =
    "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n";

static void assert_history_file(const char *path, const char *text)
{
    size_t size;
    unsigned char *bytes = scratch_read(path, &size);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_mem_eq(bytes, text, size);
    free(bytes);
}

START_TEST(history_csv_keeps_links_and_modes)
{
    Error err;
    struct stat info;
    const char *path = scratch_write("kept.csv", "old", 3), *link = scratch_path("link.csv");
    ck_assert_int_eq(symlink("kept.csv", link), 0);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert(history_write_csv(&(History){0}, link, &err));
    assert_history_file(path, history_head);
    ck_assert_int_eq(lstat(link, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
}
END_TEST

/* Writing to a pipe would wait for a reader. */
START_TEST(history_csv_does_not_replace_a_pipe)
{
    Error err;
    const char *pipe = scratch_path("pipe.csv");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert(!history_write_csv(&(History){0}, pipe, &err));
    ck_assert_str_eq(err.problem, "this is a pipe, not a regular file, so it is not replaced");
}
END_TEST

/* Exceeding the limit is an error, not a signal. */
START_TEST(history_csv_that_would_be_too_large_keeps_the_old)
{
    static EpochRecord many[2000];
    History large = {many, 2000};
    Error err;
    struct rlimit old, small;
    const char *path = scratch_write("large.csv", "old", 3);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 50000, .rlim_max = old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = history_write_csv(&large, path, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert(!ok);
    ck_assert_ptr_nonnull(strstr(err.problem, "RLIMIT_FSIZE is 50000 bytes"));
    assert_history_file(path, "old");
}
END_TEST

START_TEST(history_csv_is_old_or_new_whichever_call_fails)
{
    Error err;
    int refused = 0, n = 0;
    for (bool reached = true; reached; n++) {
        const char *path = scratch_write("broken.csv", "old", 3);
        disk_break(n, ENOSPC);
        bool ok = history_write_csv(&(History){0}, path, &err);
        reached = disk_repair();
        bool renamed = ok || strstr(err.problem, "its folder to disk");
        assert_history_file(path, renamed ? history_head : "old");
        refused += !ok;
    }
    ck_assert_int_ge(refused, 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history");
    testing_add(suite, "contents", 60, (const TTest *const[]){
        history_csv_has_this_header_and_these_rows,
        history_csv_has_decimal_points_in_every_locale, NULL});
    testing_add(suite, "the old file", 10, (const TTest *const[]){
        history_csv_keeps_links_and_modes, history_csv_does_not_replace_a_pipe,
        history_csv_that_would_be_too_large_keeps_the_old,
        history_csv_is_old_or_new_whichever_call_fails, NULL});
    return scratch_main(suite);
}
