/* lessons/page/main.c -- finds the lessons, reads their sources and runs, writes index.html.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lessons/page/page.h"
#include "tensor/files/durable.h"

static bool page_is_lesson(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && n < 256 && isdigit((unsigned char)name[0]) &&
           isdigit((unsigned char)name[1]) && name[2] == '_' && strcmp(name + n - 2, ".c") == 0;
}

static int page_order(const void *a, const void *b)
{
    return strcmp(((const LessonPage *)a)->file, ((const LessonPage *)b)->file);
}

static bool page_read(Page *page)
{
    DIR *folder = opendir(page->sources);
    if (!folder)
        return false;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (page_is_lesson(entry->d_name) && page->lessons < PAGE_LESSONS)
            page->lessons += source_read(&page->lesson[page->lessons], page->sources,
                                         entry->d_name);
    closedir(folder);
    qsort(page->lesson, (size_t)page->lessons, sizeof page->lesson[0], page_order);
    for (int i = 0; i < page->lessons; i++)
        run_read(&page->lesson[i], page->sources, page->out);
    return true;
}

/* Lets only one process at a time read and write, so that with make -j the last page includes every
 * run. Returns the lock, which is released when the program ends. */
static int page_lock(const char *folder)
{
    int lock = open(folder, O_RDONLY | O_CLOEXEC);
    while (lock >= 0 && flock(lock, LOCK_EX) != 0 && errno == EINTR)
        ;
    return lock;
}

/* For slope_durable_print. */
static void page_print(FILE *f, const void *page)
{
    Text t = {0};
    page_html(&t, page);
    fwrite(t.bytes, 1, t.length, f);
    text_free(&t);
}

static void page_free(Page *page)
{
    for (int i = 0; i < page->lessons; i++)
        source_free(&page->lesson[i]), run_free(&page->lesson[i].run);
}

int main(int argc, char **argv)
{
    bool quiet = argc == 4 && strcmp(argv[3], "--quiet") == 0;
    if (argc != 3 && !quiet) {
        fputs("page: usage: page SOURCES FOLDER [--quiet], as in: page lessons build/lessons\n",
              stderr);
        return 2;
    }
    static Page page;
    char path[1024];
    Error err;
    page.sources = argv[1], page.out = argv[2];
    mkdir(page.out, 0777); /* if this fails, writing fails too and reports the error */
    page_lock(page.out);
    snprintf(path, sizeof path, "%s/index.html", page.out);
    bool read = page_read(&page);
    if (!read)
        error_set(&err, page.sources, -1, "cannot be opened: %s", strerror(errno));
    bool ok = read && slope_durable_print(path, page_print, &page, &err);
    if (!ok)
        error_print(stderr, &err);
    else if (!quiet)
        printf("  page %s\n", path);
    page_free(&page);
    return ok ? 0 : 1;
}
