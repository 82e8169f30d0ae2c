/* lessons/assignments/tools/submissions.c -- finds the submissions of a class in a folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lessons/assignments/tools/class.h"

static const char *class_dir, *class_file; /* class_list's arguments */

static const Problem class_no_file = {"no file", "the folder has no .c file"};
static const Problem class_several = {
    "several files", "the folder has several .c files, none with the expected name"};
static const Problem class_no_access = {"no access", "the folder cannot be read"};
static const Problem class_link = {"a symbolic link", "it is a symbolic link"};

bool class_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool class_is_link(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

static bool class_is_source(const char *name)
{
    size_t n = strlen(name);
    return n > 2 && strcmp(name + n - 2, ".c") == 0;
}

int class_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int class_sources(const struct dirent *entry)
{
    return class_shown(entry) && class_is_source(entry->d_name);
}

/* In a folder: the file with the assignment's name, or else the only source. */
static void class_find(Student *s)
{
    char folder[GRADE_PATH];
    struct stat info;
    struct dirent **entry;
    snprintf(folder, sizeof folder, "%s", s->path);
    if (lstat(grade_path(s->path, folder, class_file), &info) == 0)
        return;
    int n = scandir(folder, &entry, class_sources, alphasort);
    if (n == 1)
        grade_path(s->path, folder, entry[0]->d_name);
    else {
        snprintf(s->path, sizeof s->path, "%s", folder);
        s->problem = n == 0 ? &class_no_file : n > 1 ? &class_several : &class_no_access;
    }
    for (int i = 0; i < n; i++)
        free(entry[i]);
    if (n >= 0)
        free(entry);
}

/* A file loses its ".c", unless something has the same name without it. */
static void class_name(Student *s, const char *entry, bool folder)
{
    char without[GRADE_PATH];
    struct stat info;
    snprintf(s->name, sizeof s->name, "%s", entry);
    snprintf(without, sizeof without, "%s", s->path);
    without[strlen(without) - 2] = '\0';
    if (!folder && lstat(without, &info) != 0)
        s->name[strlen(s->name) - 2] = '\0';
}

/* Fills in the student, or returns false if the entry is not a submission. A link in an archive may
 * point to a solution, so links are refused: those to folders here, those to files by the judge. */
static bool class_add(Student *s, const char *entry)
{
    bool folder = class_is_folder(grade_path(s->path, class_dir, entry));
    if (!folder && !class_is_source(entry)) {
        text_make_printable(s->path, "");
        fprintf(stderr, "grade-all: ignored '%s': neither a folder nor a .c file\n", s->path);
        return false;
    }
    class_name(s, entry, folder);
    if (folder && class_is_link(s->path))
        s->problem = &class_link;
    else if (folder)
        class_find(s);
    return true;
}

int class_list(const char *folder, const char *file, Student **students)
{
    struct dirent **entry;
    class_dir = folder, class_file = file;
    int found = scandir(folder, &entry, class_shown, alphasort), n = 0;
    if (found < 0)
        judge_refuse("cannot read the folder '%s': %s", folder, strerror(errno));
    Student *list = calloc((size_t)found + 1, sizeof *list);
    if (!list)
        judge_refuse("out of memory");
    for (int i = 0; i < found; i++) {
        n += class_add(&list[n], entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    *students = list;
    return n;
}
