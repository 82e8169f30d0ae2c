/* tests/bench/list.c -- the list of all benchmarks, and their selection by name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/bench/bench.h"

enum { BENCH_MOST = 64 };

static Bench bench_all[BENCH_MOST];
static int bench_count;

void bench_add(Bench b)
{
    if (bench_count == BENCH_MOST)
        slope_fail("bench_add", "the list has no place for '%s': raise BENCH_MOST", b.name);
    bench_all[bench_count++] = b;
}

static bool bench_begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool bench_is_wanted(const Bench *b, int n, char **prefix)
{
    for (int i = 0; i < n; i++)
        if (bench_begins(b->name, prefix[i]))
            return true;
    return n == 0;
}

void bench_each(int n, char **prefix, void (*fn)(const Bench *b, double seconds), double seconds)
{
    for (int i = 0; i < bench_count; i++)
        if (bench_is_wanted(&bench_all[i], n, prefix))
            fn(&bench_all[i], seconds);
}

bool bench_check_prefixes(int n, char **prefix)
{
    for (int i = 0; i < n; i++) {
        bool fits = false;
        for (int k = 0; k < bench_count; k++)
            fits |= bench_begins(bench_all[k].name, prefix[i]);
        if (fits)
            continue;
        fprintf(stderr, "bench: no name begins with '%s'; the names are:", prefix[i]);
        for (int k = 0; k < bench_count; k++)
            fprintf(stderr, " %s", bench_all[k].name);
        fprintf(stderr, "\n");
        return false;
    }
    return true;
}
