/* lessons/page/syllabus.c -- the tables of lessons/README.md.
 *
 *  - The table of lessons, with the result of each run added to its row, "| [01_prelu_forward](...)
 *    | what it teaches | needs | time |". A lesson without a row gets one, so that none is missing.
 *  - Any other table, unchanged; lesson numbers in it, such as "05, 06", become links.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "lessons/page/page.h"
#include "tensor/memory.h"

enum { CELLS = 8, CELL = 400 };

/* Splits "| a | b |" into its cells; returns their number. */
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

/* The lesson named by a row's first cell, or NULL. */
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
                ? "<td><strong class=\"bad\">$</strong>"
                : "<td>$", run_words(run));
    if (run->options[0])
        html(t, " with <code>$</code>", run->options);
    html(t, "</td></tr>\n");
}

static void table_begin(Text *t, const char *name, const char *caption)
{
    html(t, "<p class=\"hint\">This table is wide: scroll it sideways.</p>\n"
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"$\">\n<table>\n"
            "<caption>$</caption>\n", name, caption);
}

static void table_head(Text *t, int n, char cell[CELLS][CELL])
{
    html(t, "<thead><tr>");
    for (int i = 0; i < n; i++)
        html(t, "<th scope=\"col\">$</th>", cell[i]);
    html(t, "</tr></thead>\n<tbody>\n");
}

static void table_end(Text *t)
{
    html(t, "</tbody>\n</table>\n</div>\n");
}

static void syllabus_head(Text *t, int n, char cell[CELLS][CELL])
{
    strcpy(cell[n], "last run");
    table_head(t, n + 1, cell);
}

/* Adds a row for every lesson that the table does not list. */
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
    table_begin(t, "Syllabus", "The lessons, and the results of their last runs");
    for (char *line; (line = next_line(&rest));) {
        int n = syllabus_cells(line, cell);
        if (n && n < CELLS && !columns && strcmp(cell[0], "lesson") == 0)
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
    table_end(t);
    memory_free(readme);
}

/* --- any other table -------------------------------------------------------------------------- */

/* The lesson with whose number the text begins, or NULL, also if more digits follow. */
static const LessonPage *numbered_lesson(const Page *page, const char *text)
{
    for (int i = 0; i < page->lessons; i++)
        if (begins(text, page->lesson[i].number) &&
            strspn(text, "0123456789") == strlen(page->lesson[i].number))
            return &page->lesson[i];
    return NULL;
}

/* Does the cell consist of lesson numbers, such as "05" or "01, 06"? */
static bool cell_is_numbers(const char *cell)
{
    return cell[0] && strspn(cell, "0123456789, ") == strlen(cell);
}

static void table_cell(Text *t, const Page *page, const char *cell)
{
    if (!cell_is_numbers(cell)) {
        html(t, "<td>$</td>", cell);
        return;
    }
    html(t, "<td>");
    while (*cell) {
        const LessonPage *lesson = numbered_lesson(page, cell);
        size_t digits = strspn(cell, "0123456789"), length = digits ? digits : 1;
        if (lesson)
            html(t, "<a href=\"#lesson-$\">$</a>", lesson->number, lesson->number);
        else
            text_escape(t, cell, length);
        cell += length;
    }
    html(t, "</td>");
}

/* Is this a cell of the row of dashes below a table's head? */
static bool cell_is_rule(const char *cell)
{
    return cell[0] && strspn(cell, "-:") == strlen(cell);
}

void table_html(Text *t, const Page *page, const char *head, const char *name, const char *caption)
{
    char cell[CELLS][CELL], *readme = file_read(page->sources, "README.md"), *rest = readme;
    int  columns = 0, n;
    for (char *line; (line = next_line(&rest));) {
        n = syllabus_cells(line, cell);
        if (columns && n != columns)
            break;
        if (columns && !cell_is_rule(cell[0])) {
            html(t, "<tr><th scope=\"row\">$</th>", cell[0]);
            for (int i = 1; i < n; i++)
                table_cell(t, page, cell[i]);
            html(t, "</tr>\n");
        } else if (n && !columns && strcmp(cell[0], head) == 0) {
            table_begin(t, name, caption);
            table_head(t, columns = n, cell);
        }
    }
    if (columns)
        table_end(t);
    memory_free(readme);
}
