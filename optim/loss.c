/* optim/loss.c -- losses over a batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/loss.h"

Var *loss_cross_entropy(Var *logits, const Batch *batch)
{
    if (!batch)
        slope_fail("loss_cross_entropy", "the batch is NULL");
    return var_cross_entropy(logits, &batch->labels);
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
