/* tests/tensor/check_quota.c -- CPU quotas of containers, read from imitations of system files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/quota.h"

#include "tests/scratch.h"

/* Writes a file below the scratch folder and creates its folders. */
static void quota_file(const char *name, const char *text)
{
    char path[SCRATCH_PATH];
    snprintf(path, sizeof path, "%s", scratch_path(name));
    for (char *slash = path + strlen(scratch_folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    scratch_write(name, text, strlen(text));
}

static void quota_groups(const char *text)
{
    scratch_remove_tree(scratch_folder);
    ck_assert_int_eq(mkdir(scratch_folder, 0777), 0);
    quota_file("proc/self/cgroup", text);
}

#define FS "sys/fs/cgroup"

static void v2_is(const char *text, long expected)
{
    quota_file(FS "/a/b/cpu.max", text);
    ck_assert_int_eq(slope_cpu_quota(scratch_folder), expected);
}

START_TEST(a_quota_of_v2_is_rounded_up)
{
    quota_groups("0::/a/b\n");
    ck_assert_int_eq(slope_cpu_quota(scratch_folder), 0);
    v2_is("max 100000\n", 0);
    v2_is("200000 100000\n", 2);
    v2_is("150000 100000\n", 2);
    v2_is("1000 100000\n", 1);
    v2_is("", 0);
    v2_is("100000\n", 0);
    v2_is("100000 0\n", 0);
    v2_is("-5 100000\n", 0);
}
END_TEST

START_TEST(the_smallest_quota_up_to_the_root_counts)
{
    quota_groups("0::/a/b\n");
    v2_is("400000 100000\n", 4);
    quota_file(FS "/a/cpu.max", "300000 100000\n");
    ck_assert_int_eq(slope_cpu_quota(scratch_folder), 3);
    quota_file(FS "/cpu.max", "100000 50000\n");
    ck_assert_int_eq(slope_cpu_quota(scratch_folder), 2);
    quota_file(FS "/other/cpu.max", "100000 100000\n");
    v2_is("100000 100000\n", 1);
    v2_is("max 100000\n", 2);
}
END_TEST

/* A container may see the host's path in /proc/self/cgroup, but its own group at the root. */
START_TEST(a_group_that_is_not_visible_is_found_at_the_root)
{
    quota_groups("0::/docker/0123abcd\n");
    quota_file(FS "/cpu.max", "250000 100000\n");
    ck_assert_int_eq(slope_cpu_quota(scratch_folder), 3);
}
END_TEST

START_TEST(a_quota_of_v1_is_that_of_the_cpu_controller)
{
    static const char *const lists[] = {"cpu", "cpu,cpuacct", "cpuacct,cpu"};
    for (int i = 0; i < 3; i++) {
        char groups[200];
        snprintf(groups, sizeof groups, "9:name=systemd:/\n3:cpuset:/c\n2:%s:/a\n0::/\n", lists[i]);
        quota_groups(groups);
        quota_file(FS "/cpu/a/cpu.cfs_period_us", "50000\n");
        quota_file(FS "/cpu/a/cpu.cfs_quota_us", "-1\n");
        quota_file(FS "/cpu/c/cpu.cfs_period_us", "50000\n");
        quota_file(FS "/cpu/c/cpu.cfs_quota_us", "50000\n");
        ck_assert_int_eq(slope_cpu_quota(scratch_folder), 0);
        quota_file(FS "/cpu/a/cpu.cfs_quota_us", "210000\n");
        ck_assert_int_eq(slope_cpu_quota(scratch_folder), 5);
    }
}
END_TEST

START_TEST(malformed_files_mean_no_quota)
{
    static const char *const groups[] = {"", "\n", "0", "0:", "0:cpu", "::", "0::", "2:cpuacct:/a"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        quota_groups(groups[i]);
        ck_assert_int_eq(slope_cpu_quota(scratch_folder), 0);
    }
    ck_assert_int_eq(slope_cpu_quota("/there/is/no/such/folder"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quota");
    testing_add(suite, "quota", 30, (const TTest *const[]){
        a_quota_of_v2_is_rounded_up, the_smallest_quota_up_to_the_root_counts,
        a_group_that_is_not_visible_is_found_at_the_root,
        a_quota_of_v1_is_that_of_the_cpu_controller, malformed_files_mean_no_quota, NULL});
    return scratch_main(suite);
}
