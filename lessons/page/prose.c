/* lessons/page/prose.c -- the text of a comment as HTML.
 *
 *  - Lines near the left margin form a paragraph; lines indented by four spaces or more are a
 *    preformatted block.
 *  - "You need   C, and ...", with continuation lines aligned to its text, is a term and its
 *    description.
 *  - "3. Show that ..." is a list item; lines that follow, indented by three spaces, belong to it.
 *  - `code` is code.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lessons/page/page.h"

typedef enum Block { NOTHING, PARAGRAPH, AS_IT_IS, TERM, ITEM } Block;

typedef struct Prose {
    Text *out;
    Block block;      /* what is open */
    bool  in_list, in_terms;
    bool  in_code;    /* between two backquotes */
    int   column;     /* where the description of the open term begins */
    Text  lines;      /* the lines of an open preformatted block */
    int   least;      /* the smallest indent of those lines */
} Prose;

/* --- closing ---------------------------------------------------------------------------------- */

/* The position of an equation's number, such as "(3)", far to its right; 0 for other lines. */
static size_t prose_number(const char *line, size_t n)
{
    size_t at = n;
    while (at > 0 && line[n - 1] == ')' && line[at - 1] != ' ')
        at--;
    bool far = at > 5 && memcmp(line + at - 5, "     ", 5) == 0;
    return far && line[at] == '(' && isdigit((unsigned char)line[at + 1]) ? at : 0;
}

/* The length of the longest line, not counting equation numbers. */
static size_t prose_width(const char *lines)
{
    size_t widest = 0;
    for (const char *line = lines; *line;) {
        size_t n = strcspn(line, "\n"), number = prose_number(line, n), end = number ? number : n;
        while (end > 0 && line[end - 1] == ' ')
            end--;
        widest = end > widest ? end : widest;
        line += n + (line[n] == '\n');
    }
    return widest;
}

/* Moves the number closer to its equation: on a phone it would be out of sight. */
static void prose_pull_number(char *line, size_t width)
{
    size_t number = prose_number(line, strlen(line));
    if (number > width + 4)
        memmove(line + width + 4, line + number, strlen(line + number) + 1);
}

static void prose_end_as_it_is(Prose *p)
{
    html(p->out, "<pre tabindex=\"0\">");
    size_t width = prose_width(p->lines.bytes);
    char *rest = p->lines.bytes;
    bool first = true;
    for (char *line; (line = next_line(&rest)); first = false) {
        prose_pull_number(line, width);
        html(p->out, first ? "$" : "\n$", strlen(line) > (size_t)p->least ? line + p->least : "");
    }
    html(p->out, "</pre>\n");
    text_free(&p->lines);
}

static void prose_end_block(Prose *p)
{
    if (p->in_code)
        html(p->out, "</code>");
    p->in_code = false;
    if (p->block == AS_IT_IS)
        prose_end_as_it_is(p);
    else if (p->block == PARAGRAPH || p->block == ITEM)
        html(p->out, "</p>\n");
    else if (p->block == TERM)
        html(p->out, "</dd>\n");
    p->block = NOTHING;
}

static void prose_end_list(Prose *p)
{
    prose_end_block(p);
    if (p->in_list)
        html(p->out, "</li>\n</ol>\n");
    if (p->in_terms)
        html(p->out, "</dl>\n");
    p->in_list = p->in_terms = false;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void prose_words(Prose *p, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, "`");
        text_escape(p->out, words, n);
        words += n;
        if (*words != '`')
            break;
        html(p->out, p->in_code ? "</code>" : "<code>");
        p->in_code = !p->in_code;
        words++;
    }
}

static void prose_as_it_is(Prose *p, const char *line)
{
    if (p->block != AS_IT_IS) {
        prose_end_block(p);
        p->block = AS_IT_IS;
        p->least = indent_of(line);
    }
    p->least = indent_of(line) < p->least ? indent_of(line) : p->least;
    text_add(&p->lines, line, strlen(line));
    text_add(&p->lines, "\n", 1);
}

/* The column of the description in "You need   C"; 0 for any other line. */
static int prose_term_column(const char *line)
{
    const char *gap = strstr(line, "  ");
    if (!begins(line, "You ") || !gap || gap - line > 20)
        return 0;
    return (int)(gap - line) + indent_of(gap);
}

static void prose_term(Prose *p, const char *line)
{
    if (p->in_terms)
        prose_end_block(p);
    else
        prose_end_list(p), html(p->out, "<dl>\n");
    p->in_terms = true, p->block = TERM;
    p->column = prose_term_column(line);
    html(p->out, "<dt>");
    text_escape(p->out, line, (size_t)(strstr(line, "  ") - line));
    html(p->out, "</dt><dd>");
    prose_words(p, line + p->column);
}

/* The length of a list item's "3. " with its indent; 0 for any other line. */
static int prose_item_length(const char *line)
{
    int n = indent_of(line), digits = n;
    while (isdigit((unsigned char)line[digits]))
        digits++;
    return n < 3 && digits > n && line[digits] == '.' && line[digits + 1] == ' ' ? digits + 2 : 0;
}

static void prose_item(Prose *p, const char *line)
{
    prose_end_block(p);
    if (p->in_terms)
        prose_end_list(p);
    html(p->out, p->in_list ? "</li>\n<li><p>" : "<ol>\n<li><p>");
    p->in_list = true, p->block = ITEM;
    prose_words(p, line + prose_item_length(line));
}

static void prose_paragraph(Prose *p, const char *line)
{
    if (p->block == PARAGRAPH || p->block == ITEM || p->block == TERM) {
        html(p->out, "\n");
    } else {
        if (p->in_terms || (p->in_list && indent_of(line) < 2))
            prose_end_list(p);
        prose_end_block(p);
        html(p->out, "<p>");
        p->block = PARAGRAPH;
    }
    prose_words(p, line + indent_of(line));
}

static void prose_line(Prose *p, const char *line)
{
    int indent = indent_of(line);
    if (is_blank(line))
        prose_end_block(p);
    else if (p->block == TERM && indent >= p->column - 1)
        prose_paragraph(p, line);
    else if (prose_term_column(line))
        prose_term(p, line);
    else if (prose_item_length(line))
        prose_item(p, line);
    else if (indent >= (p->in_list ? 6 : 4))
        prose_as_it_is(p, line);
    else if (p->block == TERM)
        prose_end_list(p), prose_paragraph(p, line);
    else
        prose_paragraph(p, line);
}

void prose_html(Text *t, const char *prose)
{
    Prose p = {.out = t};
    Text copy = {0};
    text_add(&copy, prose, strlen(prose));
    char *rest = copy.bytes;
    for (char *line; (line = next_line(&rest));)
        prose_line(&p, line);
    prose_end_list(&p);
    text_free(&copy);
}
