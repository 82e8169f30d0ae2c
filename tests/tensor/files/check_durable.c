/* tests/tensor/files/check_durable.c -- a file is either the old one or the new one, whatever
 * happens.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/scratch.h"
#include "tests/testing.h"

static const char *test_host = "here";
#define gethostname(name, size) snprintf(name, size, "%s", test_host)

#include "tests/disk.h"
#include "tensor/files/durable.c"

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
    if (!scratch_drop_rights())
        return;
    bool ok = write_text(scratch_path("locked/file"), "text", true, &err);
    scratch_regain_rights();
    ck_assert(!ok);
    ck_assert_ptr_nonnull(strstr(err.problem, "Permission denied"));
    ck_assert_int_eq(entries_of(folder), 0);
}
END_TEST

/* --- what is at the path ---------------------------------------------------------------------- */

static const char *link_to(const char *target, const char *name)
{
    const char *path = scratch_path(name);
    ck_assert_int_eq(symlink(target, path), 0);
    return path;
}

/* Asserts that writing to a link replaces its target, and that the link stays as it is. */
static void assert_followed(const char *link, const char *target)
{
    Error err;
    char before[SCRATCH_PATH] = "", after[SCRATCH_PATH] = "";
    ck_assert_int_gt(readlink(link, before, sizeof before - 1), 0);
    ck_assert_msg(write_text(link, before, true, &err), "%s", err.problem);
    assert_holds(target, before);
    ck_assert_int_gt(readlink(link, after, sizeof after - 1), 0);
    ck_assert_str_eq(before, after);
}

START_TEST(a_link_is_followed)
{
    scratch_subfolder("links"), scratch_subfolder("links/v1"), scratch_subfolder("links/v2");
    const char *target = scratch_write("links/v1/net", "old", 3);
    assert_followed(link_to("v1/net", "links/latest"), target);
    assert_followed(link_to(target, "links/absolute"), target);
    assert_followed(link_to("../latest", "links/v2/chain"), target);
    link_to("v1", "links/folder");
    assert_followed(link_to("folder/net", "links/through"), target);
    ck_assert_int_eq(entries_of(scratch_path("links/v1")), 1);
    ck_assert_int_eq(entries_of(scratch_path("links/v2")), 1);
    ck_assert_int_eq(entries_of(scratch_path("links")), 6);
}
END_TEST

START_TEST(the_file_is_created_where_a_dangling_link_leads)
{
    Error err;
    scratch_subfolder("dangling"), scratch_subfolder("dangling/v1");
    assert_followed(link_to("v1/net", "dangling/latest"), scratch_path("dangling/v1/net"));
    ck_assert(!write_text(link_to("v2/net", "dangling/next"), "text", true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "the folder to which the link at the path leads "
                                 "cannot be opened (No such file"));
    link_to("b", "dangling/a");
    ck_assert(!write_text(link_to("a", "dangling/b"), "text", true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "cannot be examined"));
    ck_assert_int_eq(entries_of(scratch_path("dangling")), 5);
}
END_TEST

/* Devices are not tried: if the test failed, it would replace one. */
START_TEST(anything_but_a_regular_file_is_refused)
{
    Error err;
    struct stat info;
    scratch_subfolder("pipes");
    const char *pipe = scratch_path("pipes/pipe");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    const char *path[] = {pipe, link_to("pipe", "pipes/link")};
    for (int i = 0; i < 2; i++) {
        ck_assert(!write_text(path[i], "text", true, &err));
        ck_assert_str_eq(err.problem, "this is a pipe, not a regular file, so it is not replaced");
        ck_assert_str_eq(err.file, path[i]);
    }
    ck_assert_int_eq(lstat(pipe, &info), 0);
    ck_assert(S_ISFIFO(info.st_mode));
    ck_assert(!write_text(scratch_path("pipes"), "text", true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "this is a folder"));
    ck_assert_int_eq(entries_of(scratch_path("pipes")), 2);
}
END_TEST

START_TEST(the_mode_is_kept)
{
    Error err;
    struct stat info;
    const char *path = scratch_write("mode", "old", 3);
    for (mode_t mode = 0600; mode <= 0777; mode += 021) {
        ck_assert_int_eq(chmod(path, mode), 0);
        ck_assert(write_text(path, "new", true, &err));
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_int_eq(info.st_mode & 07777, mode);
    }
    mode_t mask = umask(027);
    ck_assert(write_text(scratch_path("mode of a new file"), "new", true, &err));
    umask(mask);
    ck_assert_int_eq(stat(scratch_path("mode of a new file"), &info), 0);
    ck_assert_int_eq(info.st_mode & 07777, 0640);
}
END_TEST

/* The new contents of a private file are private from the first byte. */
START_TEST(a_private_file_is_never_readable_by_others)
{
    Error err;
    DurableFile file;
    struct stat info;
    const char *path = scratch_write("private", "old", 3);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert(slope_durable_open(&file, path, &err));
    ck_assert_int_eq(fstat(file.fd, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0600);
    ck_assert(!slope_durable_close(&file, false, &err));
}
END_TEST

/* The superuser can keep both. Other users may be unable to; the rights of the old group then go to
 * no other group. */
START_TEST(the_owner_and_the_group_are_kept)
{
    Error err;
    struct stat info;
    const char *path = scratch_write("owned", "old", 3);
    if (getuid() != 0)
        return;
    if (chown(path, 12345, 54321) != 0) {
        printf("files cannot be given to another user (%s): not tested\n", strerror(errno));
        return;
    }
    ck_assert_int_eq(chmod(path, 0664), 0);
    ck_assert(write_text(path, "new", true, &err));
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(info.st_uid == 12345 && info.st_gid == 54321 && (info.st_mode & 0777) == 0664);
    ck_assert_int_eq(chmod(path, 0662), 0);
    ck_assert_int_eq(chmod(scratch_folder, 0777), 0);
    if (!scratch_drop_rights())
        return;
    bool ok = write_text(path, "newer", true, &err);
    scratch_regain_rights();
    ck_assert_msg(ok, "%s", err.problem);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(info.st_uid == 65534 && info.st_gid != 54321);
    ck_assert_int_eq(info.st_mode & 0777, 0622);
    assert_holds(path, "newer");
}
END_TEST

/* Its mode protects it from being written, but not from being replaced, which depends on the
 * folder's mode. */
START_TEST(a_protected_file_is_not_replaced)
{
    Error err;
    const char *path = scratch_write("protected", "old", 3);
    ck_assert_int_eq(chmod(path, 0444), 0);
    ck_assert_int_eq(chmod(scratch_folder, 0777), 0);
    if (!scratch_drop_rights())
        return;
    bool ok = write_text(path, "new", true, &err);
    scratch_regain_rights();
    ck_assert(!ok);
    ck_assert_str_eq(err.problem, "the old file is write-protected (Permission denied)");
    assert_holds(path, "old");
}
END_TEST

/* Call 2 asks whether the file is write-protected. Only some answers mean that it is. */
START_TEST(a_file_is_replaced_if_asking_for_its_protection_fails)
{
    static const struct { int problem; bool replaced; } answer[] = {
        {EPERM, true}, {ENOSYS, true}, {EIO, true},
        {EACCES, false}, {EROFS, false}, {ETXTBSY, false}};
    Error err;
    for (size_t i = 0; i < sizeof answer / sizeof *answer; i++) {
        const char *path = scratch_write("asked", "old", 3);
        disk_break(2, answer[i].problem);
        bool ok = write_text(path, "new", true, &err);
        ck_assert(disk_repair());
        ck_assert_msg(ok == answer[i].replaced, "%s", strerror(answer[i].problem));
        if (!ok)
            ck_assert_ptr_nonnull(strstr(err.problem, "write-protected"));
        assert_holds(path, ok ? "new" : "old");
    }
}
END_TEST

/* --- temporary files -------------------------------------------------------------------------- */

/* Starts a process that is killed while it writes the file. */
static void killed_writer(const char *path)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        DurableFile file;
        if (slope_durable_open(&file, path, NULL))
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

START_TEST(files_left_by_killed_writers_are_removed)
{
    Error err;
    const char *folder = scratch_subfolder("killed"), *path = scratch_path("killed/net");
    for (int i = 0; i < 3; i++)
        killed_writer(path);
    ck_assert_int_eq(entries_of(folder), 1); /* each removes what the one before it left */
    killed_writer(scratch_path("killed/net.1"));
    ck_assert(write_text(path, "text", true, &err));
    ck_assert_int_eq(entries_of(folder), 2); /* another file's is not touched */
    ck_assert(write_text(scratch_path("killed/net.1"), "text", true, &err));
    ck_assert_int_eq(entries_of(folder), 2);
}
END_TEST

START_TEST(a_file_that_another_writer_holds_is_not_removed)
{
    Error err;
    DurableFile first;
    const char *folder = scratch_subfolder("held"), *path = scratch_path("held/net");
    ck_assert(slope_durable_open(&first, path, &err));
    ck_assert(slope_durable_write(&first, "first", 5, &err));
    ck_assert(write_text(path, "second", true, &err));
    assert_holds(path, "second");
    ck_assert(slope_durable_close(&first, true, &err));
    assert_holds(path, "first");
    ck_assert_int_eq(entries_of(folder), 1);
}
END_TEST

/* Their writers may still be running: another host's locks may be invisible here. */
START_TEST(files_of_writers_on_other_hosts_stay)
{
    Error err;
    const char *folder = scratch_subfolder("hosts"), *path = scratch_path("hosts/net");
    test_host = "there";
    killed_writer(path);
    test_host = "here";
    killed_writer(path);
    ck_assert(write_text(path, "text", true, &err));
    ck_assert_int_eq(entries_of(folder), 2);
    test_host = "there";
    ck_assert(write_text(path, "text", true, &err));
    ck_assert_int_eq(entries_of(folder), 1);
    test_host = "here";
}
END_TEST

/* Only a regular file is removed, and only if its name is one that a writer would choose. */
START_TEST(other_files_stay)
{
    const unsigned here = durable_host();
    const struct { const char *before; unsigned host; const char *after; } name[] = {
        {".net.slope-", here, "-1-2.tmp~"}, {".net.slope-", here, "-1.tmp"},
        {".net.slope-", here, "-.tmp"}, {".net.slope-", here, "-x-1.tmp"},
        {"net.slope-", here, "-1-2.tmp"}, {".netslope-", here, "-1-2.tmp"},
        {".net2.slope-", here, "-1-2.tmp"}};
    enum { NAMES = sizeof name / sizeof *name };
    Error err;
    char path[SCRATCH_PATH];
    scratch_subfolder("others");
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof path, "others/%s%08x%s", name[i].before, name[i].host, name[i].after);
        scratch_write(path, "x", 1);
    }
    scratch_write("others/victim", "x", 1);
    snprintf(path, sizeof path, "others/.net.slope-%08x-1-2.tmp", here);
    link_to("victim", path);
    ck_assert(write_text(scratch_path("others/net"), "text", true, &err));
    ck_assert_int_eq(entries_of(scratch_path("others")), NAMES + 3);
    assert_holds(scratch_path("others/victim"), "x");
}
END_TEST

/* Somebody who guesses the next name may put a link there. */
START_TEST(a_name_that_is_taken_is_skipped)
{
    Error err;
    DurableFile file;
    char next[SCRATCH_PATH];
    unsigned number;
    scratch_subfolder("taken");
    const char *path = scratch_path("taken/file"), *victim = scratch_write("victim", "x", 1);
    ck_assert(slope_durable_open(&file, path, &err));
    ck_assert_int_eq(sscanf(strrchr(file.temporary, '-'), "-%u.tmp", &number), 1);
    ck_assert(!slope_durable_close(&file, false, &err));
    snprintf(next, sizeof next, "taken/.file.slope-%08x-%ld-%u.tmp", durable_host(),
             (long)getpid(), number + 1);
    link_to("../victim", next);
    ck_assert(write_text(path, "text", true, &err));
    assert_holds(path, "text");
    assert_holds(victim, "x");
    ck_assert_int_eq(entries_of(scratch_path("taken")), 2);
}
END_TEST

/* The longest name that file systems accept: 255 bytes, which are 85 characters here. */
START_TEST(a_long_name_is_shortened_between_characters)
{
    Error err;
    DurableFile file;
    char name[SCRATCH_PATH] = "long/";
    for (int i = 0; i < 85; i++)
        strcat(name, "\u20ac");
    scratch_subfolder("long");
    ck_assert(slope_durable_open(&file, scratch_path(name), &err));
    ck_assert_ptr_nonnull(strstr(file.temporary, "\u20ac.slope-"));
    ck_assert(slope_durable_close(&file, true, &err));
    killed_writer(scratch_path(name));
    ck_assert(write_text(scratch_path(name), "text", true, &err));
    ck_assert_int_eq(entries_of(scratch_path("long")), 1);
    strcat(name, "x");
    ck_assert(!write_text(scratch_path(name), "text", true, &err));
    ck_assert_ptr_nonnull(strstr(err.problem, "File name too long"));
}
END_TEST

enum { WRITERS = 3, WRITES = 60 };

static void write_often(const char *path, const char *text)
{
    Error err;
    for (int i = 0; i < WRITES; i++)
        if (!write_text(path, text, true, &err)) {
            error_print(stderr, &err);
            _exit(1);
        }
    _exit(0);
}

/* Neither removes the other's temporary file, and each finds its own at the end. */
START_TEST(writers_of_the_same_file_do_not_disturb_each_other)
{
    int status;
    pid_t child[WRITERS];
    const char *folder = scratch_subfolder("both"), *path = scratch_path("both/file");
    for (int i = 0; i < WRITERS; i++) {
        child[i] = fork();
        ck_assert_int_ge(child[i], 0);
        if (child[i] == 0)
            write_often(path, "the text");
    }
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_holds(path, "the text");
    ck_assert_int_eq(entries_of(folder), 1);
}
END_TEST

/* --- a disk that fails ------------------------------------------------------------------------ */

/* Asserts that writing more than the size limit fails and that the old file stays. */
static void assert_too_large(const char *path, Error *err)
{
    static char large[70000];
    struct rlimit old, small;
    memset(large, 'x', sizeof large - 1);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 50000, .rlim_max = old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = write_text(path, large, true, err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert(!ok);
    ck_assert_int_eq(err->offset, 50000);
    ck_assert_str_eq(err->problem, "the file would become larger than this process may write "
                     "(RLIMIT_FSIZE is 50000 bytes)");
    assert_holds(path, "old");
}

static volatile sig_atomic_t limit_signals;

static void limit_count(int number)
{
    (void)number;
    limit_signals++;
}

/* Neither the signal's default action, which ends the process, nor the program's own handler runs,
 * and the thread's signal mask is as before. */
START_TEST(exceeding_the_size_limit_is_an_error)
{
    Error err;
    sigset_t mask, pending;
    const char *path = scratch_path("limit/file");
    scratch_subfolder("limit");
    ck_assert(write_text(path, "old", true, &err));
    assert_too_large(path, &err);
    signal(SIGXFSZ, SIG_IGN);
    assert_too_large(path, &err);
    signal(SIGXFSZ, limit_count);
    assert_too_large(path, &err);
    ck_assert_int_eq(limit_signals, 0);
    signal(SIGXFSZ, SIG_DFL);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    ck_assert(!sigismember(&mask, SIGXFSZ));
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert(!sigismember(&pending, SIGXFSZ));
    ck_assert_int_eq(entries_of(scratch_path("limit")), 1);
}
END_TEST

/* Returns the lowest free descriptor; a descriptor that is never closed raises it. */
static int lowest_descriptor(void)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

/* Whichever call fails, the file holds the old text or the new one, and what is left beside it is
 * gone after the next save. EWOULDBLOCK is the errno of a lock that another writer holds. */
START_TEST(whichever_call_fails_the_file_is_old_or_new)
{
    static const int problems[] = {EIO, ENOSPC, EWOULDBLOCK, ENOLCK};
    Error err;
    int descriptor = lowest_descriptor();
    const char *outer = scratch_subfolder("broken"), *inner = scratch_subfolder("broken/v1");
    const char *file = scratch_path("broken/v1/net"), *link = link_to("v1/net", "broken/latest");
    for (int i = 0; i < 4; i++) {
        int refused = 0, n = 0;
        for (bool reached = true; reached; n++) {
            ck_assert(write_text(link, "old", true, &err));
            ck_assert_int_eq(entries_of(inner), 1);
            disk_break(n, problems[i]);
            bool ok = write_text(link, "new", true, &err);
            reached = disk_repair();
            bool renamed = ok || strstr(err.problem, "its folder to disk");
            assert_holds(file, renamed ? "new" : "old");
            refused += !ok;
        }
        ck_assert_int_ge(refused, 8);
        ck_assert_int_eq(lowest_descriptor(), descriptor);
        ck_assert_int_eq(entries_of(outer), 2);
    }
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("durable");
    testing_add(suite, "files", 10, (const TTest *const[]){
        a_new_file_replaces_the_old, an_abandoned_file_leaves_the_old,
        a_name_without_a_folder_is_here, a_folder_is_not_replaced, a_missing_folder_is_an_error,
        a_folder_that_may_not_be_written_is_an_error, NULL});
    testing_add(suite, "paths", 10, (const TTest *const[]){
        a_link_is_followed, the_file_is_created_where_a_dangling_link_leads,
        anything_but_a_regular_file_is_refused, the_mode_is_kept,
        a_private_file_is_never_readable_by_others, the_owner_and_the_group_are_kept,
        a_protected_file_is_not_replaced, a_file_is_replaced_if_asking_for_its_protection_fails,
        NULL});
    testing_add(suite, "temporary files", 60, (const TTest *const[]){
        files_left_by_killed_writers_are_removed, a_file_that_another_writer_holds_is_not_removed,
        files_of_writers_on_other_hosts_stay, other_files_stay, a_name_that_is_taken_is_skipped,
        a_long_name_is_shortened_between_characters,
        writers_of_the_same_file_do_not_disturb_each_other, NULL});
    testing_add(suite, "failures", 60, (const TTest *const[]){
        exceeding_the_size_limit_is_an_error, whichever_call_fails_the_file_is_old_or_new, NULL});
    return scratch_main(suite);
}
