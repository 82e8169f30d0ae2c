/* datasets/csv_label.h -- which class each label of a table is. Internal: programs call csv_read
 * and csv_parse; csv.h states the rules.
 *
 *  - Every label goes to slope_csv_labels_add, then slope_csv_labels_end decides between numbers
 *    and names, and from then on slope_csv_labels_class answers.
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
} CsvLabels;

/* The label in the cell read last. Returns false, with an error, if it cannot be one. */
bool slope_csv_labels_add(CsvLabels *labels, CsvText *t);

/* After the last label. Returns false, with an error, if the labels together make no sense. */
bool slope_csv_labels_end(CsvLabels *labels);

/* The class of a label that was added. */
int slope_csv_labels_class(const CsvLabels *labels, const CsvText *t);

void slope_csv_labels_free(CsvLabels *labels);

#endif
