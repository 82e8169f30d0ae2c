/* lessons/page/text.c -- growing text, escaping, lines of a file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/page/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/memory.h"

/* --- growing ---------------------------------------------------------------------------------- */

void text_add(Text *t, const char *bytes, size_t count)
{
    if (t->length + count + 1 > t->capacity) {
        t->capacity = 2 * (t->length + count + 1);
        char *grown = memory_new(t->capacity);
        if (t->length)
            memcpy(grown, t->bytes, t->length);
        memory_free(t->bytes);
        t->bytes = grown;
    }
    memcpy(t->bytes + t->length, bytes, count);
    t->length += count;
    t->bytes[t->length] = '\0';
}

void text_free(Text *t)
{
    memory_free(t->bytes);
    *t = (Text){0};
}

/* --- escaping --------------------------------------------------------------------------------- */

/* The length of the UTF-8 character that begins at s, within `left` bytes; 0 if it is invalid. */
static size_t text_letter(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
             : s[0] < 0xf5 ? 4 : 0;
    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool too_long = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool no_letter = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f) ||
                     (s[0] == 0xc2 && s[1] < 0xa0) || /* control characters */
                     (s[0] == 0xef && s[1] == 0xbf && s[2] > 0xbd);
    return too_long || no_letter ? 0 : n;
}

static const char *text_entity(unsigned char c)
{
    return c == '<'    ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '&'  ? "&amp;"
           : c == '"'  ? "&quot;"
           : c == '\'' ? "&#39;"
           : (c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? "\xef\xbf\xbd" : NULL;
}

void text_escape(Text *t, const char *bytes, size_t count)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0; i < count;) {
        size_t n = text_letter(s + i, count - i);
        const char *entity = n == 0 ? "\xef\xbf\xbd" : text_entity(s[i]);
        if (entity)
            text_add(t, entity, strlen(entity));
        else
            text_add(t, bytes + i, n);
        i += n ? n : 1;
    }
}

void html(Text *t, const char *pattern, ...)
{
    va_list args;
    va_start(args, pattern);
    for (const char *at = pattern; *at;) {
        size_t n = strcspn(at, "$");
        text_add(t, at, n);
        at += n;
        if (*at != '$')
            continue;
        const char *word = va_arg(args, const char *);
        text_escape(t, word, strlen(word));
        at++;
    }
    va_end(args);
}

const char *brief(const char *format, ...)
{
    static char buffer[8][512];
    static unsigned turn;
    char *text = buffer[turn++ % 8];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof buffer[0], format, args);
    va_end(args);
    return text;
}

/* --- files and lines -------------------------------------------------------------------------- */

char *file_read(const char *folder, const char *name)
{
    char path[1024], part[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    Text t = {0};
    text_add(&t, "", 0);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) {
        for (size_t i = 0; i < n; i++)
            part[i] = part[i] ? part[i] : '\x01'; /* a 0 would end the text; this becomes U+FFFD */
        text_add(&t, part, n);
    }
    bool failed = ferror(f) != 0; /* for example, because it is a folder */
    fclose(f);
    if (failed)
        text_free(&t);
    return t.bytes;
}

char *next_line(char **rest)
{
    char *line = *rest;
    if (!line || !*line)
        return NULL;
    size_t n = strcspn(line, "\n");
    *rest = line + n + (line[n] == '\n');
    line[n] = '\0';
    if (n > 0 && line[n - 1] == '\r')
        line[n - 1] = '\0';
    return line;
}

bool begins(const char *text, const char *words)
{
    return strncmp(text, words, strlen(words)) == 0;
}

int indent_of(const char *line)
{
    return (int)strspn(line, " ");
}

bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}
