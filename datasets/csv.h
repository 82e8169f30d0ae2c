/* datasets/csv.h -- a table of numbers with a column of classes, as spreadsheets write it.
 *
 *  - csv_read and csv_parse make a dataset of one example a line: every column but one is a
 *    feature, a number; the one left is the class.
 *  - A cell that cannot be used is reported with its line and column. Nothing is guessed: a
 *    missing number is an error, not a 0.
 *  - A test set must number its classes as the training set does: hand on its names.
 *
 *      // sepal,petal,species
 *      // 5.1,1.4,setosa
 *      // 6.2,4.5,versicolor
 *      Dataset *train = csv_read("train.csv", (CsvOptions){.header = true, .label = "species"},
 *                                &err);
 *      Dataset *test = csv_read("test.csv", (CsvOptions){.header = true, .label = "species",
 *                               .classes = train->classes, .class_names = train->class_names},
 *                               &err);
 *
 * Format (RFC 4180): cells between commas, lines ended by LF or CRLF. A cell in double quotes may
 * hold commas, line ends, and quotes written twice. Every line has the same number of cells.
 * Beyond the RFC: a byte-order mark at the start and empty lines are skipped, and blanks around a
 * number, a label or a column's name do not count.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_CSV_H
#define SLOPE_DATASETS_CSV_H

#include "datasets/dataset.h"

enum {
    CSV_MAX_CLASSES = 1000, /* more different labels mean that the column is none of labels */
    CSV_MAX_CELL = 1000,    /* bytes of a cell */
};

typedef struct CsvOptions {
    bool        header;       /* the first line holds the columns' names */
    const char *label;        /* name of the label's column; it takes a header. NULL: by number */
    int         label_column; /* from 0; -1 is the last, -2 the one before */
    char        separator;    /* 0 means ','; a tab or ';' are others */
    /* The classes, where they are known before (a test set); 0 and NULL: from the file. */
    int                classes;
    const char *const *class_names;
} CsvOptions;

/* Features (D) in the order of their columns, mean 0 and std 1. A feature is a decimal number, with
 * a point in any locale, finite as a `real`; "nan", "inf" and hexadecimal are none. Labels:
 *  - With class_names given, each is one of them.
 *  - Else, if all are whole numbers 0 … 999 without leading zeros, they are the classes
 *    themselves: as many as `classes` says, or the largest and one.
 *  - Else (and `classes` is 0) they are names, numbered in the order in which they first appear;
 *    the dataset owns them.
 * At least one example and one feature. A gzipped file is refused. You free the dataset. */
Dataset *csv_read(const char *path, CsvOptions options, Error *err);

/* The same from memory; `name` stands for the file in errors. */
Dataset *csv_parse(const uint8_t *data, size_t size, const char *name, CsvOptions options,
                   Error *err);

#endif
