/* optim/confusion.h -- the confusion matrix: which classes a network confuses.
 *
 *  - confusion_evaluate runs a network over a loader and counts how often each class was predicted
 *    for the examples of each class; confusion_new counts predictions that you already have.
 *  - confusion_print prints the counts, and the recall and precision of every class.
 *    draw_confusion, in lessons/kit/confusion.h, draws the counts.
 *
 *      Confusion c = confusion_evaluate(net, test);
 *      confusion_print(stdout, &c);
 *      printf("setosa taken for versicolor: %lld\n", (long long)c.count[0 * c.classes + 1]);
 *      confusion_free(&c);
 *
 *      // prints
 *      Accuracy 0.9000: 9 of 10 examples are classified correctly.
 *      Rows: the true class. Columns: the predicted class.
 *      class  recall  precision  0  1  name
 *          0  0.8333     1.0000  5  1  setosa
 *          1  1.0000     0.8000  0  4  versicolor
 *      setosa taken for versicolor: 1
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_OPTIM_CONFUSION_H
#define SLOPE_OPTIM_CONFUSION_H

#include "datasets/loader.h"
#include "nn/module.h"

SLOPE_C_BEGIN

typedef struct Confusion {
    int      classes;   /* K */
    int64_t *count;     /* (K,K): a row per true class, a column per predicted class */
    int64_t  examples;  /* the sum of all counts */
    int64_t  ignored;   /* examples not counted, because their label is ignore_index */
    double   accuracy;  /* the share of examples classified correctly; NaN without examples */
    double  *recall;    /* (K) the accuracy of each class: the share of its examples that were
                         * classified correctly; NaN if it has none */
    double  *precision; /* (K) the share of the examples classified as this class that belong to
                         * it; NaN if there are none */
    const char *const *names; /* (K) borrowed, or NULL */
} Confusion;

/* Counts the examples with these labels (N) and predicted classes (N), which are numbers from 0 to
 * classes - 1. Examples with the label `ignore_index`, such as CROSS_ENTROPY_DEFAULTS.ignore_index,
 * are ignored. Fails if any other number is not a class. The names are NULL; you may set them. Free
 * the result with confusion_free. */
Confusion confusion_new(int classes, const Labels *labels, const int32_t *predicted,
                        int32_t ignore_index);

/* The same for the predictions of a network, in evaluation mode and without gradients, for every
 * example of a loader. The predicted class is the index of the example's largest output. Labels
 * equal to CROSS_ENTROPY_DEFAULTS.ignore_index are ignored. The names are those of the dataset,
 * which must live as long as they are used. The loader restarts at epoch 0, so do not pass the one
 * from which trainer_fit is currently training.
 *
 * Fails if the data have no classes, if any other label is not a class, or if the network has more
 * outputs than the data have classes. */
Confusion confusion_evaluate(Module *net, Loader *loader);

/* Prints one line per class, as above, with "-" for NaN. If the matrix would be too wide, the
 * number of the class's examples and the most frequent mistake are printed instead. */
void confusion_print(FILE *out, const Confusion *confusion);

void confusion_free(Confusion *confusion);

SLOPE_C_END

#endif
