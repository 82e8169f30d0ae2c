/* lessons/assignments/judge/sources.c -- which files a submission may include.
 *
 * The compiler reads files with the rights of the judge, so a submission could include a solution,
 * or copy the hidden tests into its data and print them. It may include headers and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* strcasestr */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/judge/grade.h"

/* Directives of the assembler that read a file, or with which the name of such a directive can be
 * put together. Compilers generate neither these nor comments. */
static const char *const sources_directive[] = {
    ".incbin", ".include", ".macro", ".irp", ".irpc", ".irep", ".irepc", ".mri", ".altmacro", NULL,
};

static FILE *sources_open(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        judge_refuse("cannot read '%s': %s", path, strerror(errno));
    return f;
}

/* Reads the next name from a list that a compiler wrote for make, in which \ and $ escape some
 * characters and \ continues a line; "" at its end. */
static void sources_next(FILE *f, char name[GRADE_PATH])
{
    int n = 0;
    for (int c = fgetc(f); c != EOF && n < GRADE_PATH - 1; c = fgetc(f)) {
        bool protected = c == '\\' || c == '$';
        if (protected)
            c = fgetc(f);
        if (c != '\n' && c != EOF && (protected || !isspace(c)))
            name[n++] = (char)c;
        else if (n > 0)
            break;
    }
    name[n] = '\0';
}

static bool sources_end_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

bool sources_are_headers(const char *list, const char *copy, char said[GRADE_TEXT])
{
    char name[GRADE_PATH];
    FILE *f = sources_open(list);
    bool good = true;
    sources_next(f, name); /* the target */
    for (sources_next(f, name); good && name[0]; sources_next(f, name)) {
        good = strcmp(name, copy) == 0 || sources_end_in(name, ".h") ||
               sources_end_in(name, ".def"); /* the library's lists */
        if (!good)
            snprintf(said, GRADE_TEXT, "It includes '%.1000s', but a submission may include only "
                     "headers.\n", name);
    }
    fclose(f);
    return good;
}

static bool sources_has_directive(const char *line, const char *directive)
{
    const char *p = strcasestr(line, directive);
    for (size_t n = strlen(directive); p; p = strcasestr(p + n, directive))
        if (!isalnum((unsigned char)p[n]) && p[n] != '_')
            return true;
    return false;
}

/* Joins adjacent strings, as the assembler does, to which ".inc" "bin" is a directive. To clang's
 * assembler NUL is white space. */
static void sources_join(char *line, size_t n)
{
    char *to = line;
    for (size_t i = 0; i < n; i++) {
        size_t next = i + 1;
        while (next < n && line[i] == '"' && strchr(" \t", line[next])) /* or NUL */
            next++;
        if (line[i] == '"' && next < n && line[next] == '"')
            i = next;
        else
            *to++ = line[i] ? line[i] : ' ';
    }
    *to = '\0';
}

static const char *sources_find(const char *line)
{
    for (const char *const *d = sources_directive; *d; d++)
        if (sources_has_directive(line, *d))
            return *d;
    return strstr(line, "/*") ? "/*" : NULL; /* a comment can divide a name */
}

bool sources_read_no_files(const char *assembly, char said[GRADE_TEXT])
{
    char *line = NULL;
    size_t size = 0;
    FILE *f = sources_open(assembly);
    const char *found = NULL;
    for (ssize_t n; !found && (n = getline(&line, &size, f)) >= 0;) {
        sources_join(line, (size_t)n);
        found = sources_find(line);
    }
    if (found)
        snprintf(said, GRADE_TEXT, "Its assembly contains %s, with which the assembler could be "
                 "made to read any file.\n", found);
    free(line);
    fclose(f);
    return !found;
}
