/* lessons/assignments/a8_slopes/services.c -- what the judge can call in a submission.
 *
 * The tensors of a call are the examples and the labels to train on, and the examples to classify;
 * its numbers are the number of classes and the seed. The answer is one tensor: the bytes that the
 * submission has written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "slopes.h"

#include <stdlib.h>
#include <string.h>

#include "lessons/assignments/solver/solver.h"

enum { SLOPES_BYTES = 1000000 };

/* A data set with the examples x (count, sample); labels is NULL if they are not known. */
static Dataset *slopes_data(const char *name, const Tensor *x, const Tensor *labels, int classes)
{
    Shape sample = {.ndim = x->shape.ndim - 1};
    for (int d = 0; d < sample.ndim; d++)
        sample.dim[d] = x->shape.dim[1 + d];
    Dataset *data = dataset_new(name, DATASET_FEATURES, x->shape.dim[0], sample, classes);
    memcpy(data->features, tensor_read(x), (size_t)tensor_count(x) * sizeof(real));
    for (ptrdiff_t i = 0; labels && i < data->count; i++)
        data->labels.data[i] = (int32_t)tensor_read(labels)[i];
    return data;
}

static Tensor *slopes_bytes(const char *text, size_t n)
{
    if (n > SLOPES_BYTES)
        slope_fail("experiment", "wrote %zu bytes: expected at most %d; record fewer steps", n,
                   SLOPES_BYTES);
    Tensor *bytes = tensor_new(SHAPE((ptrdiff_t)n));
    real *to = n > 0 ? tensor_write(bytes) : NULL;
    for (size_t i = 0; i < n; i++)
        to[i] = (real)(unsigned char)text[i];
    return bytes;
}

static void slopes_experiment(const Message *call, Message *answer)
{
    int classes = (int)call->number[0];
    Dataset *train = slopes_data("train", call->tensor[0], call->tensor[1], classes);
    Dataset *test = slopes_data("test", call->tensor[2], NULL, classes);
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        slope_fail("experiment", "there is no memory for its output");
    experiment(train, test, out, (uint64_t)call->number[1]);
    if (fclose(out) != 0)
        slope_fail("experiment", "there is no memory for its output");
    Tensor *bytes = slopes_bytes(text, n);
    message_add_tensor(answer, bytes);
    tensor_free(bytes);
    free(text);
    dataset_free(train);
    dataset_free(test);
}

const Service solver_services[] = {{"experiment", slopes_experiment}, {NULL, NULL}};
