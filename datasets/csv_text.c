/* datasets/csv_text.c -- splitting a CSV text into cells.
 *
 * Source: RFC 4180, "Common format and MIME type for comma-separated values files".
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv_text.h"

#include <string.h>

bool slope_csv_text_error(CsvText *t, const char *problem, const char *expected)
{
    t->failed = true;
    error_set(t->err, t->file, (int64_t)t->offset, "line %td, column %td: %s", t->line, t->column,
              problem);
    return expected && error_expected(t->err, expected, "'%s'", SHOWN(t->cell));
}

/* --- one cell --------------------------------------------------------------------------------- */

static int csv_text_peek(const CsvText *t)
{
    return t->at < t->size ? t->bytes[t->at] : -1;
}

/* The length of the LF or CRLF that comes next, or 0. */
static size_t csv_text_line_end(const CsvText *t)
{
    int c = csv_text_peek(t);
    bool pair = c == '\r' && t->at + 1 < t->size && t->bytes[t->at + 1] == '\n';
    return c == '\n' ? 1 : pair ? 2 : 0;
}

static bool csv_text_put(CsvText *t, size_t *n, int c)
{
    if (c == 0)
        return slope_csv_text_error(t, "byte 0 is not text", NULL);
    if (*n == CSV_MAX_CELL)
        return slope_csv_text_error(t, "the cell is longer than 1000 bytes", NULL);
    t->cell[(*n)++] = (char)c;
    t->cell[*n] = '\0';
    t->next_line += c == '\n';
    t->at++;
    return true;
}

/* From the opening quote to the closing one; "" inside is one quote. */
static bool csv_text_quoted(CsvText *t, size_t *n)
{
    t->at++;
    for (;;) {
        int c = csv_text_peek(t);
        if (c < 0)
            return slope_csv_text_error(t, "the quote that opens the cell is never closed", NULL);
        if (c == '"') {
            t->at++;
            if (csv_text_peek(t) != '"')
                return true;
        }
        if (!csv_text_put(t, n, c))
            return false;
    }
}

static bool csv_text_plain(CsvText *t, size_t *n)
{
    for (int c = csv_text_peek(t); c >= 0 && c != t->separator && !csv_text_line_end(t);
         c = csv_text_peek(t)) {
        if (c == '"')
            return slope_csv_text_error(t, "a quote within a cell that does not begin with one",
                                        NULL);
        if (c == '\r')
            return slope_csv_text_error(t, "a carriage return without a line feed", NULL);
        if (!csv_text_put(t, n, c))
            return false;
    }
    return true;
}

/* What follows the cell: a separator, the end of the line, or the end of the text. */
static bool csv_text_close(CsvText *t)
{
    size_t end = csv_text_line_end(t);
    int c = csv_text_peek(t);
    t->ends_row = c != t->separator;
    t->at += end ? end : c == t->separator;
    t->next_line += end > 0;
    return end || c < 0 || !t->ends_row ||
           slope_csv_text_error(t, "text follows the quote that closes the cell", NULL);
}

static void csv_text_trim(char *cell, size_t n)
{
    size_t start = strspn(cell, " \t");
    while (n > start && (cell[n - 1] == ' ' || cell[n - 1] == '\t'))
        n--;
    memmove(cell, cell + start, n - start);
    cell[n - start] = '\0';
}

/* --- all cells -------------------------------------------------------------------------------- */

CsvText slope_csv_text_new(const uint8_t *bytes, size_t size, const char *file, char separator,
                           Error *err)
{
    bool mark = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0;
    return (CsvText){.bytes = bytes, .size = size, .at = mark ? 3 : 0, .file = file, .err = err,
                     .separator = (unsigned char)separator, .next_line = 1, .ends_row = true};
}

static void csv_text_skip_empty_lines(CsvText *t)
{
    for (size_t end = csv_text_line_end(t); end; end = csv_text_line_end(t)) {
        t->at += end;
        t->next_line++;
    }
}

/* A separator at the very end of the text is followed by one more cell, an empty one. */
bool slope_csv_text_next(CsvText *t)
{
    size_t n = 0;
    if (t->ends_row)
        csv_text_skip_empty_lines(t);
    if (t->failed || (t->ends_row && t->at == t->size))
        return false;
    t->column = t->ends_row ? 1 : t->column + 1;
    t->line = t->next_line;
    t->offset = t->at;
    t->cell[0] = '\0';
    if (!(csv_text_peek(t) == '"' ? csv_text_quoted(t, &n) : csv_text_plain(t, &n)) ||
        !csv_text_close(t))
        return false;
    csv_text_trim(t->cell, n);
    return true;
}
