/* datasets/csv_label.h -- which class each label of a table is. Internal: programs call csv_read
 * and csv_parse; csv.h states the rules.
 *
 *  - After slope_csv_labels_begin, pass every label to slope_csv_labels_add. Then
 *    slope_csv_labels_end decides whether labels are numbers or names; after that,
 *    slope_csv_labels_class returns the class of a label.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_CSV_LABEL_H
#define SLOPE_DATASETS_CSV_LABEL_H

#include "datasets/csv_text.h"

typedef struct CsvLabels {
    int                classes;       /* those given in the options, or 0 and NULL; afterwards */
    const char *const *class_names;   /* those found; names are NULL if labels are numbers */
    int                largest;       /* class number so far */
    CsvText            name, odd;     /* the first label that is not a number, or not a class */
    int                names, count;  /* of distinct labels: those that are not numbers, and all */
    char *distinct[CSV_MAX_CLASSES];  /* in order of first appearance, and sorted at the end */
    int               *slot;          /* a hash table: 1 + the index in class_names or distinct, */
    size_t             slots;         /* or 0 if empty; their number is a power of two */
} CsvLabels;

/* Call it first, with the options' classes and class_names. Returns false if memory is short. */
bool slope_csv_labels_begin(CsvLabels *labels, int classes, const char *const *class_names);

/* Adds the label in the cell read last. Returns false, with an error, if it cannot be a label. */
bool slope_csv_labels_add(CsvLabels *labels, CsvText *t);

/* Call it after the last label. Returns false, with an error, if the labels do not fit together. */
bool slope_csv_labels_end(CsvLabels *labels);

/* The class of a label that was added. */
int slope_csv_labels_class(const CsvLabels *labels, const CsvText *t);

void slope_csv_labels_free(CsvLabels *labels);

#endif
