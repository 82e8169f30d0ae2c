/* lessons/page/text.h -- growing text, and HTML whose arguments are always escaped.
 *
 *  - html(t, "<b>$</b>", word) adds HTML; each $ is replaced by the next argument, escaped.
 *  - Escaped text is valid UTF-8 without control characters; any other byte becomes U+FFFD.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_PAGE_TEXT_H
#define SLOPE_LESSONS_PAGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Text {
    char  *bytes; /* ends with a 0 that `length` does not count; NULL while empty */
    size_t length, capacity;
} Text;

void text_add(Text *t, const char *bytes, size_t count);
void text_free(Text *t);

/* Adds `count` bytes of plain text, escaped. */
void text_escape(Text *t, const char *bytes, size_t count);

/* Each $ in the pattern takes an argument of type const char *. */
void html(Text *t, const char *pattern, ...);

/* Formats into one of eight buffers that are reused in turn: for numbers in html's arguments. */
const char *brief(const char *format, ...);

/* The whole file, ended by a 0, to be freed with memory_free; NULL if it cannot be read. */
char *file_read(const char *folder, const char *name);

/* Cuts the next line, without its line break, off *rest; NULL at the end. Modifies the text. */
char *next_line(char **rest);

bool begins(const char *text, const char *words);
int  indent_of(const char *line); /* the number of spaces before the first word */
bool is_blank(const char *line);

#endif
