/* datasets/csv_text.h -- the cells of a CSV text, one after another. Internal: programs call
 * csv_read and csv_parse.
 *
 *  - slope_csv_text_next reads the next cell into text->cell, without its quotes, and its position
 *    into the other fields.
 *  - slope_csv_text_number reads that cell as a number.
 *  - slope_csv_text_names lists the names in the header.
 *  - slope_csv_text_error starts an error about that cell with its line and column.
 *
 *      CsvText t = slope_csv_text_new(bytes, size, "iris.csv", ',', err);
 *      while (slope_csv_text_next(&t))
 *          use(t.line, t.column, t.cell, t.ends_row);
 *      return !t.failed;
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_CSV_TEXT_H
#define SLOPE_DATASETS_CSV_TEXT_H

#include <stddef.h>

#include "datasets/csv.h"

typedef struct CsvText {
    const uint8_t *bytes;
    size_t         size, at;
    const char    *file;
    Error         *err;
    unsigned char  separator;
    bool           failed;
    ptrdiff_t      next_line;               /* the line that `at` is on, from 1 */
    /* of the cell read last */
    ptrdiff_t      line, column;            /* where it begins, from 1; columns count cells */
    size_t         offset;
    bool           ends_row;
    char           cell[CSV_MAX_CELL + 1];  /* without blanks at its ends; no NUL inside */
} CsvText;

CsvText slope_csv_text_new(const uint8_t *bytes, size_t size, const char *file, char separator,
                           Error *err);

/* Returns false at the end, and on an error, with `failed` and *err set. */
bool slope_csv_text_next(CsvText *t);

/* Is the cell read last a decimal number, with a point whatever the locale? If so, sets *value. */
bool slope_csv_text_number(const CsvText *t, double *value);

/* Does the text begin with a line such as "sep=;"? If so, sets *separator to the byte after "=". */
bool slope_csv_text_is_sep_line(const CsvText *t, char *separator);

/* Lists the cells of the first line, "x, y, z", or the first of them and how many more there are.
 * `similar` becomes the one that differs from `name` only in the case of letters, or "". */
enum { CSV_NAMES = 144 };
void slope_csv_text_names(const CsvText *t, const char *name, char list[CSV_NAMES],
                          char similar[ERROR_SHOWN]);

/* "line 3, column 2: PROBLEM", about the cell read last. Marks the text as failed; returns
 * false. */
bool slope_csv_text_error(CsvText *t, const char *problem, const char *expected);

/* Adds a hint to that error if the cell seems to be split at the wrong byte or to be a number with
 * a decimal comma. Returns whether it added one. */
bool slope_csv_text_hint(const CsvText *t);

#endif
