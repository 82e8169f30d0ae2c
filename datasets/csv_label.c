/* datasets/csv_label.c -- numbers are classes by value, names in byte order, so that the class of a
 * label does not depend on the order of the lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/csv_label.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/memory.h"

/* --- finding a label -------------------------------------------------------------------------- */

/* The slot of a label, or the empty one that it would take; more than half of them are empty. The
 * hash is FNV-1a. Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm". */
static int *csv_label_slot(const CsvLabels *labels, const char *label)
{
    const char *const *names = labels->class_names ? labels->class_names
                                                   : (const char *const *)labels->distinct;
    uint32_t hash = 2166136261u;
    for (const char *c = label; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    size_t i = hash & (labels->slots - 1);
    while (labels->slot[i] && strcmp(names[labels->slot[i] - 1], label) != 0)
        i = (i + 1) & (labels->slots - 1);
    return &labels->slot[i];
}

/* Fills the table with class_names. A name that is given twice means the first of its classes. */
static void csv_label_enter_names(CsvLabels *labels)
{
    memset(labels->slot, 0, labels->slots * sizeof *labels->slot);
    for (int i = 0; i < labels->classes; i++) {
        int *slot = csv_label_slot(labels, labels->class_names[i]);
        *slot = *slot ? *slot : i + 1;
    }
}

bool slope_csv_labels_begin(CsvLabels *labels, int classes, const char *const *class_names)
{
    size_t most = class_names && classes > CSV_MAX_CLASSES ? (size_t)classes : CSV_MAX_CLASSES;
    *labels = (CsvLabels){.classes = classes, .class_names = class_names, .slots = 1};
    while (labels->slots <= 2 * most)
        labels->slots *= 2;
    labels->slot = memory_try_new(labels->slots * sizeof *labels->slot);
    if (labels->slot && class_names)
        csv_label_enter_names(labels);
    return labels->slot != NULL;
}

/* --- one label -------------------------------------------------------------------------------- */

/* Is it a decimal number? Sets *class to its value if that is a whole number from 0 to 999 ("7",
 * "7.0" or "+07"), otherwise to -1. */
static bool csv_label_number(const CsvText *t, int *class)
{
    double value;
    *class = -1;
    if (!slope_csv_text_number(t, &value))
        return false;
    if (value >= 0 && value < CSV_MAX_CLASSES && value == (int)value)
        *class = (int)value;
    return true;
}

/* Adds a label to the list if it is new. */
static bool csv_label_collect(CsvLabels *labels, CsvText *t, bool number)
{
    size_t size = strlen(t->cell) + 1;
    int *slot = csv_label_slot(labels, t->cell);
    if (*slot)
        return true;
    if (labels->count == CSV_MAX_CLASSES) {
        slope_csv_text_error(t, "there are more than 1000 different labels", NULL);
        return error_hint(t->err, "is this the label column? If it holds numbers to predict, set "
                                  ".targets = 1");
    }
    char *copy = memory_try_new(size);
    if (!copy)
        return slope_csv_text_error(t, "out of memory for the labels", NULL);
    labels->names += !number;
    labels->distinct[labels->count++] = memcpy(copy, t->cell, size);
    *slot = labels->count;
    return true;
}

bool slope_csv_labels_add(CsvLabels *labels, CsvText *t)
{
    int class;
    char expected[64];
    if (t->cell[0] == '\0')
        return slope_csv_text_error(t, "the label is missing", "a label");
    if (labels->class_names)
        return *csv_label_slot(labels, t->cell) ||
               slope_csv_text_error(t, "the label is not one of the classes",
                                    "one of the given names");
    bool number = csv_label_number(t, &class);
    if (labels->classes > 0 && (class < 0 || class >= labels->classes)) {
        snprintf(expected, sizeof expected, "0 to %d", labels->classes - 1);
        return slope_csv_text_error(t, "the label is not a class", expected);
    }
    CsvText *first = number ? &labels->odd : &labels->name;
    if (class < 0 && first->line == 0)
        *first = *t;
    labels->largest = class > labels->largest ? class : labels->largest;
    return csv_label_collect(labels, t, number);
}

/* --- all labels ------------------------------------------------------------------------------- */

static int csv_label_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool csv_label_odd(CsvText *odd)
{
    slope_csv_text_error(odd, "the label is a number, but not a class",
                         "a whole number from 0 to 999");
    return error_hint(odd->err, "is this the label column? .label and .label_column choose it; "
                                "to predict such numbers, set .targets = 1; to read them as "
                                "names, list them in .class_names");
}

/* A header, or a cell such as "nan", would turn all numbers into names. */
static bool csv_label_only_name(CsvText *name)
{
    slope_csv_text_error(name, "all labels but this one are numbers", "a number");
    return error_hint(name->err, "if the line holds the column names, set .header; if the label "
                                 "is unknown, delete the line; if it is a name, list all labels "
                                 "in .class_names");
}

bool slope_csv_labels_end(CsvLabels *labels)
{
    if (labels->class_names)
        return true;
    if (labels->names == 0 && labels->odd.line > 0)
        return csv_label_odd(&labels->odd);
    if (labels->names == 1 && labels->count > 1)
        return csv_label_only_name(&labels->name);
    if (labels->names == 0) {
        labels->classes = labels->classes ? labels->classes : labels->largest + 1;
        return true;
    }
    qsort(labels->distinct, (size_t)labels->count, sizeof *labels->distinct, csv_label_compare);
    labels->class_names = (const char *const *)labels->distinct;
    labels->classes = labels->count;
    csv_label_enter_names(labels);
    return true;
}

int slope_csv_labels_class(const CsvLabels *labels, const CsvText *t)
{
    int class;
    if (labels->class_names)
        return *csv_label_slot(labels, t->cell) - 1;
    csv_label_number(t, &class);
    return class;
}

void slope_csv_labels_free(CsvLabels *labels)
{
    for (int i = 0; i < labels->count; i++)
        memory_free(labels->distinct[i]);
    memory_free(labels->slot);
}
