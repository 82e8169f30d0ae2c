/* optim/confusion.c -- the confusion matrix: counting, evaluating, printing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/confusion.h"

#include <math.h>
#include <string.h>

#include "autograd/record.h"
#include "optim/rehearsal.h"
#include "tensor/memory.h"

/* --- counting --------------------------------------------------------------------------------- */

/* The labels and the predicted classes of the same examples. */
typedef struct ConfusionPairs {
    Labels         labels;
    const int32_t *predicted;
    int32_t        ignore_index;
} ConfusionPairs;

static void confusion_check_class(const char *function, const char *what, ptrdiff_t i, int32_t k,
                                  int classes)
{
    if (k < 0 || k >= classes)
        slope_fail(function, "the %s %td is %d; expected 0 to %d", what, i, (int)k, classes - 1);
}

static void confusion_check_pairs(const char *function, int classes, const ConfusionPairs *pairs)
{
    for (ptrdiff_t i = 0; i < pairs->labels.count; i++) {
        if (pairs->labels.data[i] == pairs->ignore_index)
            continue;
        confusion_check_class(function, "label of example", i, pairs->labels.data[i], classes);
        confusion_check_class(function, "class predicted for example", i, pairs->predicted[i],
                              classes);
    }
}

static double confusion_share(int64_t part, int64_t all)
{
    return all > 0 ? (double)part / (double)all : (double)NAN;
}

static void confusion_set_shares(Confusion *c)
{
    int K = c->classes;
    int64_t correct = 0;
    for (int k = 0; k < K; k++) {
        int64_t row = 0, column = 0, both = c->count[(size_t)k * K + k];
        for (int j = 0; j < K; j++) {
            row += c->count[(size_t)k * K + j];
            column += c->count[(size_t)j * K + k];
        }
        c->recall[k] = confusion_share(both, row);
        c->precision[k] = confusion_share(both, column);
        correct += both;
        c->examples += row;
    }
    c->accuracy = confusion_share(correct, c->examples);
}

/* All arrays are in one block, and nothing fails after its allocation. */
static Confusion confusion_count(const char *function, int classes, const ConfusionPairs *pairs)
{
    confusion_check_pairs(function, classes, pairs);
    size_t K = (size_t)classes;
    Confusion c = {.classes = classes, .count = memory_new_array(K, (K + 2) * sizeof(int64_t))};
    c.recall = (double *)(c.count + K * K);
    c.precision = c.recall + K;
    for (ptrdiff_t i = 0; i < pairs->labels.count; i++) {
        int32_t label = pairs->labels.data[i];
        if (label == pairs->ignore_index)
            c.ignored++;
        else
            c.count[(size_t)label * K + (size_t)pairs->predicted[i]]++;
    }
    confusion_set_shares(&c);
    return c;
}

Confusion confusion_new(int classes, const Labels *labels, const int32_t *predicted,
                        int32_t ignore_index)
{
    if (classes < 1)
        slope_fail("confusion_new", "%d classes; expected 1 or more", classes);
    if (!labels || (labels->count > 0 && (!labels->data || !predicted)))
        slope_fail("confusion_new", "the %s are NULL",
                   labels && labels->data ? "predicted classes" : "labels");
    ConfusionPairs pairs = {*labels, predicted, ignore_index};
    return confusion_count("confusion_new", classes, &pairs);
}

void confusion_free(Confusion *c)
{
    if (!c)
        slope_fail("confusion_free", "the confusion matrix is NULL");
    memory_free(c->count);
    *c = (Confusion){0};
}

/* --- a network -------------------------------------------------------------------------------- */

static const Dataset *confusion_check_parts(const Module *net, const Loader *loader)
{
    if (!net || !loader)
        slope_fail("confusion_evaluate", "the %s is NULL", net ? "loader" : "network");
    const Dataset *data = loader_dataset(loader);
    if (data->classes < 1)
        slope_fail("confusion_evaluate", "%s has %s; a confusion matrix needs classes", data->name,
                   data->targets ? "real-valued targets" : "no classes");
    return data;
}

static void confusion_check_output(const Var *output, const Batch *batch, const Dataset *data)
{
    slope_check_scores(output, batch, "confusion_evaluate");
    ptrdiff_t K = var_shape(output).dim[1];
    if (K > data->classes)
        slope_fail("confusion_evaluate", "the network has %td outputs per example, but %s has "
                   "only %d classes; its .classes must include every class that the network can "
                   "predict", K, data->name, data->classes);
}

/* The arrays are the block of a Var, so that a rewind after a failure frees them. */
static Confusion confusion_run(Module *net, Loader *loader, const Dataset *data)
{
    size_t most = (size_t)data->count;
    Var *owner = tape_append();
    var_alloc_block(owner, 0, 2 * most * sizeof(int32_t));
    int32_t *labels = owner->block, *predicted = labels + most;
    ptrdiff_t n = 0;
    loader_start(loader, 0);
    for (Batch batch; loader_next(loader, &batch); n += batch.count) {
        size_t mark = tape_mark();
        Var *output = module_forward(net, var_const(batch.x));
        confusion_check_output(output, &batch, data);
        tensor_argmax_rows(predicted + n, output->value);
        memcpy(labels + n, batch.labels.data, (size_t)batch.count * sizeof *labels);
        tape_rewind(mark);
    }
    ConfusionPairs pairs = {{labels, n}, predicted, CROSS_ENTROPY_DEFAULTS.ignore_index};
    return confusion_count("confusion_evaluate", data->classes, &pairs);
}

Confusion confusion_evaluate(Module *net, Loader *loader)
{
    const Dataset *data = confusion_check_parts(net, loader);
    size_t mark = tape_mark();
    module_eval_begin(net);
    no_grad_begin();
    Confusion c = confusion_run(net, loader, data);
    no_grad_end();
    module_eval_end(net);
    tape_rewind(mark);
    c.names = data->class_names;
    return c;
}

/* --- printing --------------------------------------------------------------------------------- */

enum { CONFUSION_WIDTH = 72, CONFUSION_SHARE = 16 };

/* "0.8333", or "-" for NaN. */
static const char *confusion_text(double share, char text[CONFUSION_SHARE])
{
    snprintf(text, CONFUSION_SHARE, isnan(share) ? "-" : "%.4f", share);
    return text;
}

static int confusion_digits(int64_t n)
{
    int digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* The number of digits of the largest count, or of the largest class number above the columns. */
static int confusion_digits_of_all(const Confusion *c)
{
    int digits = confusion_digits(c->classes - 1);
    for (size_t i = 0; i < (size_t)c->classes * c->classes; i++) {
        int more = confusion_digits(c->count[i]);
        digits = more > digits ? more : digits;
    }
    return digits;
}

/* "tulip, taken 4 times for 33 (rose)": the mistake after the name. */
static void confusion_print_mistake(FILE *out, const Confusion *c, int k)
{
    const int64_t *row = c->count + (size_t)k * c->classes;
    int worst = k;
    for (int j = 0; j < c->classes; j++)
        if (j != k && row[j] > (worst == k ? 0 : row[worst]))
            worst = j;
    if (worst == k)
        return;
    fprintf(out, "%staken %lld times for %d", c->names ? ", " : "  ", (long long)row[worst], worst);
    if (c->names)
        fprintf(out, " (%s)", SHOWN(c->names[worst]));
}

/* The name is last, because its width on a terminal is unknown. */
static void confusion_print_class(FILE *out, const Confusion *c, int k, int digits)
{
    const int64_t *row = c->count + (size_t)k * c->classes;
    int64_t examples = 0;
    char recall[CONFUSION_SHARE], precision[CONFUSION_SHARE];
    fprintf(out, "%5d  %6s  %9s", k, confusion_text(c->recall[k], recall),
            confusion_text(c->precision[k], precision));
    for (int j = 0; j < c->classes; j++) {
        examples += row[j];
        if (digits > 0)
            fprintf(out, "  %*lld", digits, (long long)row[j]);
    }
    if (digits == 0)
        fprintf(out, "  %8lld", (long long)examples);
    if (c->names)
        fprintf(out, "  %s", SHOWN(c->names[k]));
    if (digits == 0)
        confusion_print_mistake(out, c, k);
    fprintf(out, "\n");
}

static void confusion_print_head(FILE *out, const Confusion *c, int digits)
{
    int64_t correct = 0;
    char text[CONFUSION_SHARE];
    for (int k = 0; k < c->classes; k++)
        correct += c->count[(size_t)k * c->classes + k];
    fprintf(out, "Accuracy %s: %lld of %lld examples are classified correctly.\n",
            confusion_text(c->accuracy, text), (long long)correct, (long long)c->examples);
    if (c->ignored > 0)
        fprintf(out, "Examples ignored because of their label: %lld.\n", (long long)c->ignored);
    if (digits > 0)
        fprintf(out, "Rows: the true class. Columns: the predicted class.\n");
    fprintf(out, "class  recall  precision");
    for (int k = 0; k < c->classes && digits > 0; k++)
        fprintf(out, "  %*d", digits, k);
    fprintf(out, "%s%s%s\n", digits > 0 ? "" : "  examples", c->names ? "  name" : "",
            digits > 0 ? "" : c->names ? ", most frequent mistake" : "  most frequent mistake");
}

void confusion_print(FILE *out, const Confusion *c)
{
    if (!out || !c || !c->count)
        slope_fail("confusion_print", !out ? "the file is NULL" : "there is no confusion matrix; "
                   "was it freed?");
    int digits = confusion_digits_of_all(c);
    if (c->classes > CONFUSION_WIDTH / (2 + digits))
        digits = 0; /* without the matrix */
    confusion_print_head(out, c, digits);
    for (int k = 0; k < c->classes; k++)
        confusion_print_class(out, c, k, digits);
}
