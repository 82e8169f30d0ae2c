/* datasets/csv.c -- from cells to a dataset, in two passes over the text.
 *
 * The first pass counts rows and columns, finds the label's column and collects the labels. So all
 * sizes come from cells that really exist, and are known before the dataset is allocated. The
 * second pass fills it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/csv_text.h"
#include "tensor/files/stream.h"
#include "tensor/memory.h"

/* What the first pass finds. */
typedef struct CsvTable {
    CsvOptions options;
    ptrdiff_t  rows, columns;         /* without the header; with the label */
    ptrdiff_t  label;                 /* its column, from 1 as in a CsvText; 0: not known yet */
    bool       numbered;              /* all labels so far are class numbers */
    int        largest;               /* class number so far */
    int        count;                 /* of distinct labels */
    char      *name[CSV_MAX_CLASSES]; /* the distinct labels, in order of first appearance */
} CsvTable;

/* --- labels ----------------------------------------------------------------------------------- */

/* The class number that a label represents, or -1: "0" to "999", but not "007". */
static int csv_class_number(const char *label)
{
    size_t digits = strspn(label, "0123456789");
    if (digits < 1 || digits > 3 || label[digits] || (digits > 1 && label[0] == '0'))
        return -1;
    return atoi(label);
}

/* The index of a label in a list, or -1. */
static int csv_find(const char *const *names, int count, const char *label)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], label) == 0)
            return i;
    return -1;
}

/* Adds a label to the list if it is new. */
static bool csv_collect(CsvTable *table, CsvText *t)
{
    size_t size = strlen(t->cell) + 1;
    if (csv_find((const char *const *)table->name, table->count, t->cell) >= 0)
        return true;
    if (table->count == CSV_MAX_CLASSES) {
        slope_csv_text_error(t, "there are more than 1000 different labels", NULL);
        return error_hint(t->err, "is this the label column?");
    }
    char *copy = memory_try_new(size);
    if (!copy)
        return slope_csv_text_error(t, "out of memory for the labels", NULL);
    table->name[table->count++] = memcpy(copy, t->cell, size);
    return true;
}

/* The first pass over a label: is it valid? */
static bool csv_survey_label(CsvTable *table, CsvText *t)
{
    const CsvOptions *o = &table->options;
    int number = csv_class_number(t->cell);
    char expected[64];
    if (t->cell[0] == '\0')
        return slope_csv_text_error(t, "the label is missing", "a label");
    if (o->class_names)
        return csv_find(o->class_names, o->classes, t->cell) >= 0 ||
               slope_csv_text_error(t, "the label is not one of the classes",
                                    "one of the given names");
    if (o->classes > 0 && (number < 0 || number >= o->classes)) {
        snprintf(expected, sizeof expected, "0 to %d", o->classes - 1);
        return slope_csv_text_error(t, "the label is not a class", expected);
    }
    table->numbered = table->numbered && number >= 0;
    table->largest = number > table->largest ? number : table->largest;
    return csv_collect(table, t);
}

/* The second pass: every label is known to be a class. */
static int csv_class(const CsvTable *table, const char *label)
{
    if (table->options.class_names)
        return csv_find(table->options.class_names, table->options.classes, label);
    if (table->numbered)
        return csv_class_number(label);
    return csv_find((const char *const *)table->name, table->count, label);
}

/* --- the first pass: rows, columns and labels ------------------------------------------------- */

/* The last cell of the first line determines the number of columns. */
static bool csv_end_first_row(CsvTable *table, CsvText *t)
{
    int wanted = table->options.label_column;
    char problem[128];
    table->columns = t->column;
    if (table->columns < 2)
        return slope_csv_text_error(t, "a table needs two columns or more, one of them of labels",
                                    NULL);
    if (table->options.label && table->label > 0)
        return true;
    if (table->options.label) {
        slope_csv_text_error(t, "no column of the header has the label's name", NULL);
        return error_expected(t->err, table->options.label, "%td other names", table->columns);
    }
    table->label = wanted < 0 ? wanted + table->columns + 1 : wanted;
    if (table->label >= 1 && table->label <= table->columns)
        return true;
    snprintf(problem, sizeof problem, "the label should be in column number %d, but there are %td",
             wanted, table->columns);
    return slope_csv_text_error(t, problem, NULL);
}

static bool csv_survey_header(CsvTable *table, CsvText *t)
{
    while (slope_csv_text_next(t)) {
        if (table->options.label && strcmp(t->cell, table->options.label) == 0) {
            if (table->label > 0)
                return slope_csv_text_error(t, "two columns have the label's name", NULL);
            table->label = t->column;
        }
        if (t->ends_row)
            return csv_end_first_row(table, t);
    }
    return !t->failed;
}

/* Counts the columns of a table without a header, before any label is read. */
static bool csv_survey_columns(CsvTable *table, const CsvText *start)
{
    CsvText t = *start;
    while (slope_csv_text_next(&t))
        if (t.ends_row)
            return csv_end_first_row(table, &t);
    return !t.failed;
}

static bool csv_survey_cell(CsvTable *table, CsvText *t)
{
    char expected[64];
    bool last = t->column == table->columns;
    if (t->ends_row != last) {
        snprintf(expected, sizeof expected, "%td cells", table->columns);
        slope_csv_text_error(t,
                             last ? "the line has more cells than the first"
                                  : "the line has fewer cells than the first",
                             NULL);
        return error_expected(t->err, expected, last ? "more" : "%td", t->column);
    }
    table->rows += t->ends_row;
    return t->column != table->label || csv_survey_label(table, t);
}

static bool csv_survey(CsvTable *table, CsvText *t)
{
    if (!(table->options.header ? csv_survey_header(table, t) : csv_survey_columns(table, t)))
        return false;
    while (slope_csv_text_next(t))
        if (!csv_survey_cell(table, t))
            return false;
    if (!t->failed && table->rows == 0)
        return error_set(t->err, t->file, (int64_t)t->size, "the file holds no examples");
    return !t->failed;
}

/* --- the second pass: numbers ----------------------------------------------------------------- */

/* An optional sign, digits with at most one point among them, and an optional exponent. strtod
 * accepts more: "0x10", "inf" and "nan", and text after the number. */
static bool csv_is_decimal(const char *s)
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

/* strtod expects the locale's decimal point. */
static bool csv_number(CsvText *t, real *value)
{
    if (t->cell[0] == '\0')
        return slope_csv_text_error(t, "the number is missing", "a number");
    if (!csv_is_decimal(t->cell))
        return slope_csv_text_error(t, "this is not a number", "a decimal number");
    char *point = strchr(t->cell, '.');
    if (point)
        *point = localeconv()->decimal_point[0];
    *value = (real)strtod(t->cell, NULL);
    if (point)
        *point = '.';
    return isfinite(*value) ||
           slope_csv_text_error(t, "the number is too large for a " REAL_NAME, "a smaller number");
}

static bool csv_fill(const CsvTable *table, CsvText *t, Dataset *data)
{
    real *x = data->features;
    int32_t *label = data->labels.data;
    if (table->options.header)
        while (slope_csv_text_next(t) && !t->ends_row)
            continue;
    while (slope_csv_text_next(t)) {
        if (t->column == table->label)
            *label++ = csv_class(table, t->cell);
        else if (!csv_number(t, x++))
            return false;
    }
    return true;
}

/* --- the dataset ------------------------------------------------------------------------------ */

static Dataset *csv_no_memory(const CsvText *t, Dataset *data)
{
    error_set(t->err, t->file, -1, "out of memory for its examples");
    dataset_free(data);
    return NULL;
}

/* The number of classes and their names come from the options, from the largest class number, or
 * from the labels found. */
static Dataset *csv_dataset(const CsvTable *table, CsvText *t)
{
    const CsvOptions *o = &table->options;
    bool found = !o->class_names && !table->numbered;
    int classes = o->classes > 0 ? o->classes : found ? table->count : table->largest + 1;
    Dataset *data = dataset_try_new(t->file, DATASET_FEATURES, table->rows,
                                    SHAPE(table->columns - 1), classes);
    if (!data)
        return csv_no_memory(t, NULL);
    const char *const *names = found ? (const char *const *)table->name : o->class_names;
    if (names && !dataset_try_name_classes(data, names))
        return csv_no_memory(t, data);
    if (csv_fill(table, t, data))
        return data;
    dataset_free(data);
    return NULL;
}

static void csv_check(const CsvOptions *o)
{
    if (o->label && !o->header)
        slope_fail("csv_parse", "the label's column is named '%s', and names need a header: set "
                   ".header, or use .label_column", o->label);
    if (strchr("\"\r\n", o->separator) && o->separator)
        slope_fail("csv_parse", "the separator cannot be byte %d", o->separator);
    if (o->classes < 0 || (o->class_names && o->classes == 0))
        slope_fail("csv_parse", "%d classes; expected 0 or more, at least 1 with class_names",
                   o->classes);
    if (!o->label && o->label_column == 0)
        slope_fail("csv_parse", "no column is chosen for the labels; set .label to its name or "
                   ".label_column to its number: 1 is the first, -1 the last");
}

Dataset *csv_parse(const uint8_t *data, size_t size, const char *name, CsvOptions options,
                   Error *err)
{
    csv_check(&options);
    char separator = options.separator ? options.separator : ',';
    CsvTable *table = memory_try_new(sizeof *table);
    if (!table) {
        error_set(err, name, -1, "out of memory for its labels");
        return NULL;
    }
    table->options = options;
    table->numbered = true;
    CsvText t = slope_csv_text_new(data, size, name, separator, err);
    Dataset *set = NULL;
    if (csv_survey(table, &t)) {
        t = slope_csv_text_new(data, size, name, separator, err);
        set = csv_dataset(table, &t);
    }
    for (int i = 0; i < table->count; i++)
        memory_free(table->name[i]);
    memory_free(table);
    return set;
}

Dataset *csv_read(const char *path, CsvOptions options, Error *err)
{
    ByteStream stream;
    csv_check(&options);
    if (!slope_stream_open(&stream, path, GZIP_REFUSE, err))
        return NULL;
    size_t size = (size_t)stream.size;
    uint8_t *bytes = slope_stream_take(&stream, size, err);
    Dataset *data = NULL;
    if (bytes && slope_stream_expect_end(&stream, err))
        data = csv_parse(bytes, size, path, options, err);
    slope_stream_close(&stream);
    memory_free(bytes);
    return data;
}
