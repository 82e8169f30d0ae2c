/* tensor/quota.c -- reads the CPU quota of this process's control groups (cgroups v1 and v2).
 *
 * In each `period` a group may use at most `quota` microseconds of processor time; each group above
 * it has a limit of its own. /proc/self/cgroup names the group, in one line ID:CONTROLLERS:PATH per
 * hierarchy. CONTROLLERS is empty for v2. Inside a container PATH may be the host's, although the
 * container sees its own group as the root, so folders that do not exist are skipped.
 * Source: the Linux kernel's admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tensor/quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { QUOTA_PATH = 4096 + 256 };

/* Reads one or two numbers from the file folder/name; returns how many it found. */
static int quota_read(const char *folder, const char *name, long *first, long *second)
{
    char path[QUOTA_PATH + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    int found = f ? fscanf(f, "%ld %ld", first, second) : 0;
    if (f)
        fclose(f);
    return found;
}

/* The quota of one group; 0 if it has none, which is written as "max" in v2 and as -1 in v1. */
static long quota_of_group(const char *folder)
{
    long quota = 0, period = 0, none;
    if (quota_read(folder, "cpu.max", &quota, &period) != 2) {
        quota_read(folder, "cpu.cfs_quota_us", &quota, &none);
        quota_read(folder, "cpu.cfs_period_us", &period, &none);
    }
    return quota > 0 && period > 0 ? quota / period + (quota % period > 0) : 0;
}

static long quota_least(long a, long b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

/* The smallest quota of the group `path` and of the groups above it. Overwrites the path. */
static long quota_of_path(const char *root, const char *hierarchy, char *path)
{
    long least = 0;
    for (char *end = path + strlen(path); end; end = strrchr(path, '/')) {
        char folder[QUOTA_PATH];
        *end = '\0';
        snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s", root, hierarchy, path);
        least = quota_least(least, quota_of_group(folder));
    }
    return least;
}

/* Is "cpu" in the list "cpu,cpuacct"? */
static bool quota_lists_cpu(const char *list)
{
    size_t n = strcspn(list, ",");
    return (n == 3 && strncmp(list, "cpu", 3) == 0) || (list[n] && quota_lists_cpu(list + n + 1));
}

static long quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(++controllers, ':') : NULL;
    if (!path)
        return 0;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (!controllers[0])
        return quota_of_path(root, "", path);
    return quota_lists_cpu(controllers) ? quota_of_path(root, "/cpu", path) : 0;
}

long slope_cpu_quota(const char *root)
{
    char line[QUOTA_PATH];
    long least = 0;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *f = fopen(line, "r");
    while (f && fgets(line, sizeof line, f))
        least = quota_least(least, quota_of_line(root, line));
    if (f)
        fclose(f);
    return least;
}
