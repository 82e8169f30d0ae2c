/* lessons/page/syllabus.c -- the table of lessons/README.md, with what each run came to.
 *
 *  - A row "| [01_prelu_forward](01_prelu_forward.c) | what it teaches | needs | runs |".
 *  - A lesson without a row gets one with its title, so that none is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "lessons/page/page.h"
#include "tensor/memory.h"

enum { CELLS = 8, CELL = 400 };

/* Cuts "| a | b |" into its cells; returns how many. */
static int syllabus_cells(const char *line, char cell[CELLS][CELL])
{
    int n = 0;
    while (*line == '|' && n < CELLS) {
        line++;
        size_t length = strcspn(line, "|");
        if (line[length] != '|')
            break;
        const char *first = line + strspn(line, " ");
        size_t kept = first < line + length ? (size_t)(line + length - first) : 0;
        while (kept > 0 && first[kept - 1] == ' ')
            kept--;
        kept = kept < CELL ? kept : CELL - 1;
        memcpy(cell[n], first, kept);
        cell[n++][kept] = '\0';
        line += length;
    }
    return n;
}

/* The lesson that a row's first cell names, NULL for any other row. */
static const LessonPage *syllabus_lesson(const Page *page, const char *cell)
{
    for (int i = 0; i < page->lessons; i++)
        if (cell[0] == '[' && begins(cell + 1, page->lesson[i].number) && cell[3] == '_')
            return &page->lesson[i];
    return NULL;
}

static void syllabus_row(Text *t, const LessonPage *lesson, int n, char cell[CELLS][CELL])
{
    const Run *run = &lesson->run;
    html(t, "<tr><th scope=\"row\"><a href=\"#lesson-$\">$ $</a></th>", lesson->number,
         lesson->number, lesson->name);
    for (int i = 1; i < n; i++)
        html(t, "<td>$</td>", cell[i]);
    html(t, run->state == RUN_FAILED || run->state == RUN_UNFINISHED
                ? "<td><strong class=\"bad\">$</strong></td></tr>\n"
                : "<td>$</td></tr>\n",
         run_words(run));
}

static void syllabus_head(Text *t, int n, char cell[CELLS][CELL])
{
    html(t, "<thead><tr>");
    for (int i = 0; i < n; i++)
        html(t, "<th scope=\"col\">$</th>", cell[i]);
    html(t, "<th scope=\"col\">this run</th></tr></thead>\n<tbody>\n");
}

/* Whether a later row speaks of the lesson too is not asked: one row a lesson. */
static void syllabus_rest(Text *t, const Page *page, const bool *listed, int n)
{
    char cell[CELLS][CELL] = {{0}};
    for (int i = 0; i < page->lessons; i++)
        if (!listed[i])
            syllabus_row(t, &page->lesson[i], n, cell);
}

void syllabus_html(Text *t, const Page *page)
{
    char cell[CELLS][CELL], *readme = file_read(page->sources, "README.md"), *rest = readme;
    bool listed[PAGE_LESSONS] = {false};
    int  columns = 0;
    html(t, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Syllabus\">\n<table>\n"
            "<caption>The lessons, and what their last runs came to</caption>\n");
    for (char *line; (line = next_line(&rest));) {
        int n = syllabus_cells(line, cell);
        if (n && !columns && strcmp(cell[0], "lesson") == 0)
            syllabus_head(t, columns = n, cell);
        const LessonPage *lesson = n && n == columns ? syllabus_lesson(page, cell[0]) : NULL;
        if (!lesson || listed[lesson - page->lesson])
            continue;
        listed[lesson - page->lesson] = true;
        syllabus_row(t, lesson, n, cell);
    }
    if (!columns) {
        strcpy(cell[0], "lesson");
        syllabus_head(t, columns = 1, cell);
    }
    syllabus_rest(t, page, listed, columns);
    html(t, "</tbody>\n</table>\n</div>\n");
    memory_free(readme);
}
