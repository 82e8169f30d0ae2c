/* datasets/csv_text.h -- the cells of a CSV text, one after the other.
 *
 *  - slope_csv_text_next takes the next cell into text->cell, without quotes, and says where it
 *    was.
 *  - slope_csv_text_error is how all errors about a cell begin: line and column.
 *  - For csv.c; programs use datasets/csv.h.
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
    /* of the cell taken last */
    ptrdiff_t      line, column;            /* where it begins; columns count cells, from 1 */
    size_t         offset;
    bool           ends_row;
    char           cell[CSV_MAX_CELL + 1];  /* blanks at its ends are gone; no NUL inside */
} CsvText;

CsvText slope_csv_text_new(const uint8_t *bytes, size_t size, const char *file, char separator,
                           Error *err);

/* False at the end, or with `failed` and *err set. */
bool slope_csv_text_next(CsvText *t);

/* "line 3, column 2: PROBLEM", about the cell taken last. Marks the text as failed; returns
 * false. */
bool slope_csv_text_error(CsvText *t, const char *problem, const char *expected);

#endif
