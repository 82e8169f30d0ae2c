/* datasets/csv.c -- from cells to a dataset, in two passes over the text.
 *
 * The first pass counts rows and columns, finds the label's column and, if the labels are classes,
 * collects them. So all sizes come from cells that really exist, and are known before the dataset
 * is allocated. The second pass fills it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv.h"

#include <math.h>
#include <string.h>

#include "datasets/csv_label.h"
#include "tensor/files/kind.h"
#include "tensor/files/stream.h"
#include "tensor/memory.h"

/* What the first pass finds. */
typedef struct CsvTable {
    CsvOptions options;
    ptrdiff_t  rows, columns;      /* without the header; with the label */
    ptrdiff_t  first_line;         /* of the text; the header's, if there is one */
    ptrdiff_t  label;              /* its column, from 1 as in a CsvText; 0: not known yet */
    ptrdiff_t  labels_end;         /* the column after the label, or after the last target */
    char       name[ERROR_SHOWN];  /* of the label's column; "" without a header */
    CsvLabels  labels;
} CsvTable;

/* --- the first pass: rows, columns and labels ------------------------------------------------- */

/* It is the fault of no cell, so the error has no position. */
static bool csv_no_such_column(const CsvTable *table, CsvText *t)
{
    char list[CSV_NAMES] = "", similar[ERROR_SHOWN];
    t->failed = true;
    slope_csv_text_names(t, table->options.label, list, similar);
    error_set(t->err, t->file, -1, "no column is named '%s'; the columns are %s",
              SHOWN(table->options.label), list);
    return similar[0] && error_hint(t->err, "there is a column '%s': upper-case and lower-case "
                                    "letters differ", similar);
}

/* Finds the label's column once the number of columns is known. */
static bool csv_find_label(CsvTable *table, CsvText *t)
{
    int wanted = table->options.label_column;
    char problem[128];
    if (table->options.label && table->label > 0)
        return true;
    if (table->options.label)
        return csv_no_such_column(table, t);
    table->label = wanted < 0 ? wanted + table->columns + 1 : wanted;
    if (table->label >= 1 && table->label <= table->columns)
        return true;
    snprintf(problem, sizeof problem, "the %s should be in column number %d, but there are %td",
             table->options.targets ? "first target" : "label", wanted, table->columns);
    return slope_csv_text_error(t, problem, NULL);
}

/* The targets must be columns of the table, and leave at least one feature. */
static bool csv_find_targets(CsvTable *table, CsvText *t)
{
    char problem[128];
    ptrdiff_t targets = table->options.targets ? table->options.targets : 1;
    if (targets < table->columns && table->label <= table->columns - targets + 1) {
        table->labels_end = table->label + targets;
        return true;
    }
    snprintf(problem, sizeof problem, "the targets should be %td columns, starting with column "
             "%td, but there are %td columns", targets, table->label, table->columns);
    slope_csv_text_error(t, problem, NULL);
    if (targets >= table->columns)
        return error_hint(t->err, "at least one column must be left for a feature");
    return error_hint(t->err, "for the last %td columns, set .label_column = -%td", targets,
                      targets);
}

/* The last cell of the first line determines the number of columns. */
static bool csv_end_first_row(CsvTable *table, CsvText *t)
{
    table->columns = t->column;
    table->first_line = t->line;
    if (table->columns < 2) {
        slope_csv_text_error(t,
                             table->options.targets
                                 ? "a table needs two columns or more, one of them for a target"
                                 : "a table needs two columns or more, one of them for labels",
                             NULL);
        return slope_csv_text_hint(t) && false;
    }
    return csv_find_label(table, t) && csv_find_targets(table, t);
}

/* Adds a hint if every line ends with a separator, as if there were one more column. Returns
 * whether the hint was added. */
static bool csv_hint_empty_last(const CsvTable *table, const CsvText *t)
{
    CsvText all = slope_csv_text_new(t->bytes, t->size, t->file, (char)t->separator, NULL);
    bool empty = t->column == table->columns;
    while (empty && slope_csv_text_next(&all))
        empty = !all.ends_row || all.cell[0] == '\0';
    if (empty && !all.failed)
        error_hint(t->err, "the last column is empty in every line: delete the separator at the "
                           "end of each line");
    return empty && !all.failed;
}

/* A header of numbers is most likely a row of data; pandas writes row numbers below an empty name.
 * Both would be misread without a warning. */
static bool csv_check_header(CsvTable *table, const CsvText *start)
{
    CsvText t = *start;
    ptrdiff_t numbers = 0;
    double value;
    do {
        slope_csv_text_next(&t);
        numbers += slope_csv_text_number(&t, &value);
        if (t.column == table->label)
            error_shown(t.cell, table->name);
        else if (t.cell[0] == '\0') {
            slope_csv_text_error(&t, "the column has no name", NULL);
            if (csv_hint_empty_last(table, &t))
                return false;
            return error_hint(t.err, "name it if it is a feature; if it holds row numbers, "
                                     "delete it (in pandas: to_csv(..., index=False))");
        }
    } while (!t.ends_row);
    if (numbers < table->columns || table->options.label)
        return true;
    slope_csv_text_error(&t, "all names in the header are numbers", NULL);
    return error_hint(t.err, "if this line is an example, do not set .header; otherwise choose the "
                             "label column by name, with .label");
}

static bool csv_two_columns(const CsvTable *table, CsvText *t)
{
    char problem[128];
    snprintf(problem, sizeof problem, "columns %td and %td are both named '%s'", table->label,
             t->column, SHOWN(table->options.label));
    slope_csv_text_error(t, problem, NULL);
    return error_hint(t->err, "choose one by its number, with .label_column, or rename the other");
}

static bool csv_survey_header(CsvTable *table, CsvText *t)
{
    const CsvText start = *t;
    while (slope_csv_text_next(t)) {
        if (table->options.label && strcmp(t->cell, table->options.label) == 0) {
            if (table->label > 0)
                return csv_two_columns(table, t);
            table->label = t->column;
        }
        if (t->ends_row)
            return csv_end_first_row(table, t) && csv_check_header(table, &start);
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
        error_expected(t->err, expected, last ? "more" : "%td", t->column);
        return last && error_hint(t->err, "is a cell that contains the separator not quoted, or "
                                          "does the line end with a separator?");
    }
    table->rows += t->ends_row;
    bool class = t->column == table->label && !table->options.targets;
    if (!class || slope_csv_labels_add(&table->labels, t))
        return true;
    return csv_hint_empty_last(table, t) && false;
}

static bool csv_sep_line(CsvText *t, char separator)
{
    error_set(t->err, t->file, (int64_t)t->at, "the line \"sep=%s\" is a note to Excel, not a row",
              SHOWN(((char[]){separator, '\0'})));
    return error_hint(t->err, "delete that line, and set .separator to the byte after \"sep=\"");
}

static bool csv_survey(CsvTable *table, CsvText *t)
{
    char separator;
    if (slope_csv_text_is_sep_line(t, &separator))
        return csv_sep_line(t, separator);
    if (!(table->options.header ? csv_survey_header(table, t) : csv_survey_columns(table, t)))
        return false;
    while (slope_csv_text_next(t))
        if (!csv_survey_cell(table, t))
            return false;
    if (!t->failed && table->rows == 0)
        return error_set(t->err, t->file, (int64_t)t->size, "the file holds no examples");
    return !t->failed && (table->options.targets || slope_csv_labels_end(&table->labels));
}

/* --- the second pass: numbers ----------------------------------------------------------------- */

static bool csv_is_label(const CsvTable *table, const CsvText *t)
{
    return t->column >= table->label && t->column < table->labels_end;
}

static bool csv_not_a_number(const CsvTable *table, CsvText *t)
{
    slope_csv_text_error(t, "this is not a number", "a decimal number");
    if (slope_csv_text_hint(t))
        return false;
    if (!table->options.header && t->line == table->first_line)
        return error_hint(t->err, "if the first line holds the column names, set .header");
    if (csv_is_label(table, t))
        return error_hint(t->err, "the column should hold numbers to predict; if it holds classes, "
                                  "leave .targets out");
    return false;
}

static bool csv_number(const CsvTable *table, CsvText *t, real *value)
{
    double number;
    if (t->cell[0] == '\0') {
        slope_csv_text_error(t, "the number is missing", "a number");
        return csv_hint_empty_last(table, t) && false;
    }
    if (!slope_csv_text_number(t, &number))
        return csv_not_a_number(table, t);
    *value = (real)number;
    return isfinite(*value) ||
           slope_csv_text_error(t, "the number is too large for a " REAL_NAME, "a smaller number");
}

static bool csv_fill(const CsvTable *table, CsvText *t, Dataset *data)
{
    real *x = data->features, *y = data->targets;
    int32_t *label = data->labels.data;
    if (table->options.header)
        while (slope_csv_text_next(t) && !t->ends_row)
            continue;
    while (slope_csv_text_next(t)) {
        bool is_label = csv_is_label(table, t);
        if (is_label && label)
            *label++ = slope_csv_labels_class(&table->labels, t);
        else if (!csv_number(table, t, is_label ? y++ : x++))
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

/* What the table itself does not say, but the options or this reader decided. */
static void csv_write_note(const CsvTable *table, Dataset *data)
{
    const char *quote = table->name[0] ? "'" : "", *header = table->options.header ? "a" : "no";
    const char *classes = data->targets                ? ""
                          : table->options.class_names ? "; classes: the names given"
                          : data->class_names ? "; classes: the names found, in byte order"
                                              : "; classes: the labels' values";
    char columns[96];
    if (table->options.targets > 1)
        snprintf(columns, sizeof columns, "targets: columns %td to %td of %td%s", table->label,
                 table->labels_end - 1, table->columns, quote[0] ? ", from " : "");
    else
        snprintf(columns, sizeof columns, "%s: column %td of %td%s",
                 data->targets ? "target" : "label", table->label, table->columns,
                 quote[0] ? ", " : "");
    snprintf(data->note, sizeof data->note, "%s header; %s%s%s%s%s", header, columns, quote,
             table->name, quote, classes);
}

static Dataset *csv_try_new(const CsvTable *table, const char *name)
{
    ptrdiff_t targets = table->options.targets;
    if (targets)
        return dataset_try_new_with_targets(name, DATASET_FEATURES, table->rows,
                                            SHAPE(table->columns - targets), SHAPE(targets));
    return dataset_try_new(name, DATASET_FEATURES, table->rows, SHAPE(table->columns - 1),
                           table->labels.classes);
}

static Dataset *csv_dataset(const CsvTable *table, CsvText *t)
{
    const CsvLabels *labels = &table->labels;
    Dataset *data = csv_try_new(table, t->file);
    if (!data)
        return csv_no_memory(t, NULL);
    if (labels->class_names && !dataset_try_name_classes(data, labels->class_names))
        return csv_no_memory(t, data);
    csv_write_note(table, data);
    if (!csv_fill(table, t, data)) {
        dataset_free(data);
        return NULL;
    }
    if (!table->options.classes) { /* the reader chose them */
        fprintf(stderr, "slope: ");
        dataset_print(stderr, data);
    }
    return data;
}

static void csv_check(const CsvOptions *o, const char *function)
{
    if (o->label && !o->header)
        slope_fail(function, "the %s's column is named '%s', and names need a header: set "
                   ".header, or use .label_column", o->targets ? "target" : "label", o->label);
    if (strchr("\"\r\n", o->separator) && o->separator)
        slope_fail(function, "the separator cannot be byte %d", o->separator);
    if (o->classes < 0 || (o->class_names && o->classes == 0))
        slope_fail(function, "%d classes; expected 0 or more, at least 1 with class_names",
                   o->classes);
    if (o->targets < 0 || (o->targets > 0 && (o->classes || o->class_names)))
        slope_fail(function, "%d columns of real-valued targets and %d classes; a table has either "
                   "classes or 1 or more columns of targets", o->targets, o->classes);
    if (!o->label && o->label_column == 0)
        slope_fail(function, "no column is chosen for the %s; set .label to its name or "
                   ".label_column to its number: 1 is the first, -1 the last",
                   o->targets ? "targets" : "labels");
}

Dataset *csv_parse(const uint8_t *data, size_t size, const char *name, CsvOptions options,
                   Error *err)
{
    csv_check(&options, "csv_parse");
    char separator = options.separator ? options.separator : ',';
    CsvTable *table = memory_try_new(sizeof *table);
    if (!table || !slope_csv_labels_begin(&table->labels, options.classes, options.class_names)) {
        memory_free(table);
        error_set(err, name, -1, "out of memory for its labels");
        return NULL;
    }
    table->options = options;
    CsvText t = slope_csv_text_new(data, size, name, separator, err);
    Dataset *set = NULL;
    if (csv_survey(table, &t)) {
        t = slope_csv_text_new(data, size, name, separator, err);
        set = csv_dataset(table, &t);
    }
    if (!set)
        slope_kind_hint(err, data, size);
    slope_csv_labels_free(&table->labels);
    memory_free(table);
    return set;
}

Dataset *csv_read(const char *path, CsvOptions options, Error *err)
{
    ByteStream stream;
    csv_check(&options, "csv_read");
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
