/* optim/loss.c -- losses over a batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/loss.h"

static void loss_check(const Batch *batch, const char *function)
{
    if (!batch)
        slope_fail(function, "the batch is NULL");
}

Var *loss_cross_entropy(Var *logits, const Batch *batch)
{
    loss_check(batch, "loss_cross_entropy");
    if (!batch->labels.data)
        slope_fail("loss_cross_entropy", "the batch has no classes%s",
                   batch->y ? "; it has real-valued targets, so use loss_mse" : "");
    return var_cross_entropy(logits, &batch->labels);
}

/* The shape of one row. */
static Shape loss_row(Shape s)
{
    return shape_new(s.ndim - 1, s.dim + 1);
}

enum { LOSS_ADVICE = 320 };

/* Two shapes that differ: the network may be wrong or, because a column of targets is easily read
 * as (N) rather than (N,1), the dataset. */
static const char *loss_advice(Shape output, Shape y, char text[LOSS_ADVICE])
{
    char net[192] = "";
    text[0] = '\0';
    if (output.ndim == 0 || output.dim[0] != y.dim[0])
        return text;
    if (y.ndim == 2)
        snprintf(net, sizeof net, "for these targets the network should end with %td output%s, "
                 "shape (N,%td); ", y.dim[1], y.dim[1] == 1 ? "" : "s", y.dim[1]);
    else if (y.ndim > 2)
        snprintf(net, sizeof net, "for these targets the network's output for one example should "
                 "have shape %s; ", SHAPE_TEXT(loss_row(y)));
    snprintf(text, LOSS_ADVICE, "; %sfor this output the dataset needs targets of shape %s", net,
             SHAPE_TEXT(loss_row(output)));
    return text;
}

/* Fails unless each element of the output has its target. */
static void loss_check_targets(const Var *output, const Batch *batch, const char *function)
{
    loss_check(batch, function);
    if (!batch->y)
        slope_fail(function, "the batch has no real-valued targets%s",
                   batch->labels.data ? "; it has classes, so use loss_cross_entropy" : "");
    var_check(output, function);
    Shape s = var_shape(output), y = batch->y->shape;
    if (!shape_equal(s, y))
        slope_fail(function, "the output has shape %s, but the batch's targets have shape %s; they "
                   "must be equal, or broadcasting would pair each output with every target%s",
                   SHAPE_TEXT(s), SHAPE_TEXT(y), loss_advice(s, y, (char[LOSS_ADVICE]){0}));
}

Var *loss_mse(Var *output, const Batch *batch)
{
    loss_check_targets(output, batch, "loss_mse");
    return var_mse(output, var_const(batch->y));
}

Var *loss_bce(Var *logits, const Batch *batch)
{
    loss_check_targets(logits, batch, "loss_bce");
    return var_bce_with_logits(logits, var_const(batch->y));
}

ptrdiff_t labels_correct(const Tensor *logits, const Labels *labels)
{
    if (!logits || !labels)
        slope_fail("labels_correct", "the %s are NULL", logits ? "labels" : "logits");
    Shape s = logits->shape;
    if (s.ndim != 2 || s.dim[0] != labels->count || s.dim[1] < 1)
        slope_fail("labels_correct", "%td labels for logits %s: expected (%td,K)", labels->count,
                   SHAPE_TEXT(s), labels->count);
    ptrdiff_t correct = 0;
    for (ptrdiff_t i = 0; i < s.dim[0]; i++) {
        Tensor row = *logits;
        row.shape.dim[0] = 1;
        row.offset += i * logits->stride[0];
        int32_t place;
        tensor_argmax_rows(&place, &row);
        correct += place == labels->data[i];
    }
    return correct;
}
