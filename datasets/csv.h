/* datasets/csv.h -- a table of numbers with a column of classes, or with columns of numbers to
 * predict, as spreadsheets save it.
 *
 *  - csv_read and csv_parse create a dataset with one example per line: one column is the class,
 *    and every other is a feature, a number. With .targets = 1, that column instead holds a real
 *    number to predict (regression); with .targets = 3, it and the next two columns do.
 *  - A cell that cannot be used is reported with its line and column. A missing number is an
 *    error, not a 0.
 *  - A label has the same class whatever the order of the lines. A test set may lack a class, but
 *    must number its classes as the training set does: pass it the names of the training set.
 *  - dataset_print prints what the reader decided: header, label or target columns, classes. The
 *    reader itself prints this on stderr if the options do not specify the classes.
 *
 *      // sepal,petal,species
 *      // 5.1,1.4,setosa
 *      // 6.2,4.5,versicolor
 *      Dataset *train = csv_read("train.csv", (CsvOptions){.header = true, .label = "species"},
 *                                &err); // prints on stderr:
 *      // slope: train.csv: 2 examples (2,), 2 classes: setosa, versicolor
 *      //   a header; label: column 3 of 3, 'species'; classes: the names found, in byte order
 *      Dataset *test = csv_read("test.csv", (CsvOptions){.header = true, .label = "species",
 *                               .classes = train->classes, .class_names = train->class_names},
 *                               &err); // prints nothing
 *
 *      // rooms,age,price
 *      // 6.5,65.2,24.0
 *      // 6.4,78.9,21.6
 *      Dataset *houses = csv_read("houses.csv", (CsvOptions){.header = true, .label = "price",
 *                                 .targets = 1}, &err); // prints on stderr:
 *      // slope: houses.csv: 2 examples (2,), real-valued targets (1,)
 *      //   a header; target: column 3 of 3, 'price'
 *
 * Format (RFC 4180): cells separated by commas, lines ended by LF or CRLF. A cell in double quotes
 * may hold commas, line ends, and quotes written twice. Every line has the same number of cells.
 * Beyond the RFC, a byte-order mark at the start, empty lines, and blanks around a number, a label
 * or a column's name are ignored. Spreadsheets also save other formats: other separators are an
 * option; decimal commas, UTF-16, a first line "sep=;" and a separator at the end of every line are
 * refused with a hint that says what to do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_CSV_H
#define SLOPE_DATASETS_CSV_H

#include "datasets/dataset.h"

SLOPE_C_BEGIN

enum {
    CSV_MAX_CLASSES = 1000, /* a column with more distinct values is not a label column */
    CSV_MAX_CELL = 1000,    /* bytes in a cell */
};

/* A field that is left out is 0 and has its usual value; only the column of the labels must be
 * chosen, by .label or by .label_column. */
typedef struct CsvOptions {
    bool        header;       /* the first line holds the columns' names */
    const char *label;        /* name of the label's column (needs a header); NULL: by number */
    int         label_column; /* 1 is the first, 2 the second; -1 is the last, -2 the one before */
    char        separator;    /* 0 means ','; ';' and a tab are also common */
    /* The classes, if known beforehand (a test set); 0 and NULL: taken from the file, which is
     * reported on stderr. */
    int                classes;
    const char *const *class_names;
    /* 0: the label's column holds classes. Otherwise, the number of columns, beginning with the
     * label's, that hold real numbers to predict, and there are no classes. */
    int targets;
} CsvOptions;

/* Features (D) in the order of their columns, mean 0 and std 1. A feature is a decimal number, with
 * a point in any locale, finite as a `real`; "nan", "inf" and hexadecimal numbers are refused.
 * Labels:
 *  - If class_names is given, each label is one of them, compared as texts.
 *  - Otherwise, if all labels are decimal numbers, their values must be whole, from 0 to 999 ("1",
 *    "1.0" and "+01" are the same class), and are the classes themselves; there are `classes` of
 *    them or, if that is 0, the largest label plus one.
 *  - Otherwise, and only if `classes` is 0, they are names, numbered in the order of their bytes,
 *    so that files with the same names agree; the dataset owns them.
 * What looks like a mistake is refused: one name among labels that are otherwise numbers (a header,
 * or "nan"), unless class_names lists it; a header whose names are all numbers, unless .label is
 * one of them; a feature without a name in the header, because it often holds row numbers.
 * If .targets is not 0, the columns of targets hold numbers in the same format as features. They
 * become the dataset's targets, of shape (targets), and are not scaled: dataset_new_with_targets
 * says when you should do so.
 * There must be at least one example and one feature. A gzipped file is refused. You free the
 * dataset. */
Dataset *csv_read(const char *path, CsvOptions options, Error *err);

/* The same from memory; `name` names the dataset, and the file in errors. */
Dataset *csv_parse(const uint8_t *data, size_t size, const char *name, CsvOptions options,
                   Error *err);

SLOPE_C_END

#endif
