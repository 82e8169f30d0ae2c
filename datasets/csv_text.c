/* datasets/csv_text.c -- splitting a CSV text into cells.
 *
 * Source: RFC 4180, "Common format and MIME type for comma-separated values files".
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tensor/files/decimal.h"

/* --- numbers ---------------------------------------------------------------------------------- */

/* An optional sign, digits with at most one point among them, and an optional exponent. strtod
 * accepts more: "0x10", "inf" and "nan", and text after the number. */
static bool csv_text_is_decimal(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, "0123456789"), part = 0;
    s += whole;
    if (*s == '.') {
        part = strspn(s + 1, "0123456789");
        s += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (*s != 'e' && *s != 'E')
        return *s == '\0';
    s += 1 + (s[1] == '-' || s[1] == '+');
    size_t exponent = strspn(s, "0123456789");
    return exponent > 0 && s[exponent] == '\0';
}

bool slope_csv_text_number(const CsvText *t, double *value)
{
    if (!csv_text_is_decimal(t->cell))
        return false;
    locale_t before = slope_decimal_begin();
    *value = strtod(t->cell, NULL);
    slope_decimal_end(before);
    return true;
}

/* --- errors ----------------------------------------------------------------------------------- */

bool slope_csv_text_error(CsvText *t, const char *problem, const char *expected)
{
    t->failed = true;
    error_set(t->err, t->file, (int64_t)t->offset, "line %td, column %td: %s", t->line, t->column,
              problem);
    return expected && error_expected(t->err, expected, "'%s'", SHOWN(t->cell));
}

/* Is the cell a number with a decimal comma, such as "1,5"? */
static bool csv_text_has_decimal_comma(const CsvText *t)
{
    char number[CSV_MAX_CELL + 1];
    strcpy(number, t->cell);
    char *comma = strchr(number, ',');
    if (comma)
        *comma = '.';
    return comma && csv_text_is_decimal(number);
}

bool slope_csv_text_hint(const CsvText *t)
{
    static const char separators[] = {';', '\t', '|', ','}; /* ',' only if the line is one cell */
    static const char *const shown[] = {";", "\\t", "|", ","};
    bool whole_line = t->column == 1 && t->ends_row;
    if (!whole_line && csv_text_has_decimal_comma(t)) {
        error_hint(t->err, "a number needs a decimal point, not a comma: save the table with "
                           "points or, if commas have no other use in it, run: tr , . <FILE >NEW");
        return true;
    }
    for (int i = 0; i < 3 + whole_line; i++)
        if (separators[i] != t->separator && strchr(t->cell, separators[i])) {
            error_hint(t->err, "if this is more than one cell, set .separator = '%s'", shown[i]);
            return true;
        }
    return false;
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
    if (c == 0) {
        slope_csv_text_error(t, "byte 0 is not text", NULL);
        return error_hint(t->err, "if this is UTF-16, run: iconv -f UTF-16 -t UTF-8 FILE >NEW");
    }
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
        if (c == '\r') {
            slope_csv_text_error(t, "a carriage return without a line feed", NULL);
            return error_hint(t->err, "if it ends the line, run: tr '\\r' '\\n' <FILE >NEW");
        }
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

bool slope_csv_text_is_sep_line(const CsvText *t, char *separator)
{
    const char *line = (const char *)t->bytes + t->at;
    size_t left = t->size - t->at;
    if (left < 5 || strncasecmp(line, "sep=", 4) != 0)
        return false;
    *separator = line[4];
    return left == 5 || line[5] == '\n' || line[5] == '\r';
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

void slope_csv_text_names(const CsvText *t, const char *name, char list[CSV_NAMES],
                          char similar[ERROR_SHOWN])
{
    CsvText all = slope_csv_text_new(t->bytes, t->size, t->file, (char)t->separator, NULL);
    size_t length = 0;
    ptrdiff_t more = 0;
    list[0] = similar[0] = '\0';
    for (bool last = false; !last && slope_csv_text_next(&all); last = all.ends_row) {
        const char *shown = all.cell[0] ? SHOWN(all.cell) : "''";
        if (strcasecmp(all.cell, name) == 0)
            error_shown(all.cell, similar);
        if (more > 0 || length + strlen(shown) + 32 > CSV_NAMES)
            more++;
        else
            length += (size_t)snprintf(list + length, CSV_NAMES - length, "%s%s",
                                       length ? ", " : "", shown);
    }
    if (more > 0)
        snprintf(list + length, CSV_NAMES - length, " and %td more", more);
}
