/* lessons/page/run.c -- reads the files that a lesson's run left in its folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lessons/page/page.h"
#include "tensor/memory.h"

/* "NAME.svg WIDTH HEIGHT TITLE" */
static void run_picture(Run *run, char *text, bool drawn)
{
    if (run->pictures == RUN_PICTURES)
        return;
    Picture *p = &run->picture[run->pictures++];
    *p = (Picture){.file = text, .title = "", .alt = "", .drawn = drawn};
    char *at = strchr(text, ' ');
    if (!at)
        return;
    *at = '\0';
    p->width = (int)strtol(at + 1, &at, 10);
    p->height = (int)strtol(at, &at, 10);
    p->title = at + (*at == ' ');
}

static void run_fact(Run *run, const char *key, char *text)
{
    if (strcmp(key, "options") == 0)
        run->options = text;
    else if (strcmp(key, "stopped") == 0)
        run->stopped = text;
    else if (strcmp(key, "seconds") == 0)
        run->seconds = text;
    else if (strcmp(key, "claims") == 0)
        run->claims = atoi(text);
    else if (strcmp(key, "failed") == 0)
        run->failed = atoi(text);
    else if (strcmp(key, "picture") == 0 || strcmp(key, "undrawn") == 0)
        run_picture(run, text, key[0] == 'p');
    else if (strcmp(key, "alt") == 0 && run->pictures)
        run->picture[run->pictures - 1].alt = text;
    else if (strcmp(key, "file") == 0 && run->files < RUN_FILES)
        run->file[run->files++] = text;
}

static void run_facts(Run *run)
{
    char *rest = run->record;
    for (char *line; (line = next_line(&rest));) {
        char *text = strchr(line, ' ');
        if (!text)
            continue;
        *text = '\0';
        run_fact(run, line, text + 1);
    }
    run->state = !run->seconds[0] ? RUN_UNFINISHED : run->failed ? RUN_FAILED : RUN_PASSED;
}

static bool run_is_of_picture(const Run *run, const char *file)
{
    size_t n = strcspn(file, ".");
    for (int i = 0; i < run->pictures; i++)
        if (strcspn(run->picture[i].file, ".") == n && memcmp(run->picture[i].file, file, n) == 0)
            return strcmp(file + n, ".gp") == 0 || strcmp(file + n, ".dat") == 0;
    return false;
}

/* Drops the pictures' scripts and data, which are listed with the pictures. */
static void run_drop_files(Run *run)
{
    int kept = 0;
    for (int i = 0; i < run->files; i++)
        if (!run_is_of_picture(run, run->file[i]))
            run->file[kept++] = run->file[i];
    run->files = kept;
}

static bool run_is_older(const char *record, const char *source)
{
    struct stat r, s;
    return stat(record, &r) == 0 && stat(source, &s) == 0 && s.st_mtime > r.st_mtime;
}

void run_read(LessonPage *lesson, const char *sources, const char *out)
{
    Run *run = &lesson->run;
    char folder[1024], path[1100], source[1300];
    snprintf(folder, sizeof folder, "%s/%s", out, lesson->number);
    run->options = run->stopped = run->seconds = "";
    run->record = file_read(folder, "run.txt");
    if (!run->record)
        return;
    run->output = file_read(folder, "output.txt");
    run_facts(run);
    run_drop_files(run);
    for (int i = 0; i < run->pictures; i++) {
        snprintf(path, sizeof path, "%s/%.60s", folder, run->picture[i].file);
        struct stat info;
        run->picture[i].is_there = stat(path, &info) == 0 && info.st_size > 0;
    }
    snprintf(path, sizeof path, "%s/run.txt", folder);
    snprintf(source, sizeof source, "%s/%s", sources, lesson->file);
    run->is_older = run_is_older(path, source);
}

void run_free(Run *run)
{
    memory_free(run->record), memory_free(run->output);
}

const char *run_words(const Run *run)
{
    switch (run->state) {
    case RUN_NONE: return "has not run";
    case RUN_UNFINISHED: return "stopped before the end";
    case RUN_FAILED:
        return brief("%d of %d claims FAILED", run->failed, run->claims);
    case RUN_PASSED: break;
    }
    return brief("%d of %d claims hold", run->claims, run->claims);
}
