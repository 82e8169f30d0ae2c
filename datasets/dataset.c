/* datasets/dataset.c -- creating, copying and normalising datasets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/dataset.h"

#include <string.h>

#include "datasets/select.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

static void dataset_require(const Dataset *data, const char *function)
{
    if (!data)
        slope_fail(function, "the dataset is NULL; did its reader report an Error?");
}

/* --- creating and freeing --------------------------------------------------------------------- */

/* Zeroed memory for count rows of `each` values, or NULL if the size
 * overflows or memory is short. */
static void *dataset_try_rows(ptrdiff_t count, ptrdiff_t each, size_t value_size)
{
    size_t row = (size_t)each;
    if (row > PTRDIFF_MAX / value_size)
        return NULL;
    row *= value_size;
    if (row > 0 && (size_t)count > PTRDIFF_MAX / row)
        return NULL;
    return memory_try_new((size_t)count * row);
}

/* What a new dataset is to hold. */
typedef struct DatasetPlan {
    const char *name;
    DatasetKind kind;
    ptrdiff_t   count;
    Shape       sample;
    int         classes;
    bool        has_targets;
    Shape       target;
} DatasetPlan;

/* These are the caller's mistakes, not the environment's, so the _try_ form fails for them, too. */
static void dataset_check(const char *function, const DatasetPlan *plan)
{
    if (!plan->name)
        slope_fail(function, "a dataset needs a name");
    if (plan->count < 0)
        slope_fail(function, "dataset %s: the count is %td; expected 0 or more", plan->name,
                   plan->count);
    if (plan->classes < 0)
        slope_fail(function, "dataset %s: %d classes; expected 1 or more, or 0 for none",
                   plan->name, plan->classes);
    shape_check(plan->target, function);
    if (shape_count(plan->target) < 1)
        slope_fail(function, "dataset %s: the targets have shape %s; expected at least one number "
                   "per example", plan->name, SHAPE_TEXT(plan->target));
}

/* All parts are allocated before any is checked, so that one exit frees those that were. */
static Dataset *dataset_try_make(const char *function, const DatasetPlan *plan)
{
    dataset_check(function, plan);
    ptrdiff_t count = plan->count, each = shape_count(plan->sample);
    Dataset *data = memory_try_new(sizeof *data);
    if (!data)
        return NULL;
    *data = (Dataset){.count = count, .sample = plan->sample, .classes = plan->classes, .std = 1};
    snprintf(data->name, sizeof data->name, "%s", plan->name);
    if (plan->kind == DATASET_BYTES)
        data->bytes = dataset_try_rows(count, each, 1);
    else
        data->features = dataset_try_rows(count, each, sizeof(real));
    if (plan->classes > 0)
        data->labels = (Labels){dataset_try_rows(count, 1, sizeof(int32_t)), count};
    if (plan->has_targets) {
        data->target = plan->target;
        data->targets = dataset_try_rows(count, shape_count(plan->target), sizeof(real));
    }
    if ((data->bytes || data->features) && (plan->classes == 0 || data->labels.data) &&
        (!plan->has_targets || data->targets))
        return data;
    dataset_free(data);
    return NULL;
}

static Dataset *dataset_make(const char *function, const DatasetPlan *plan)
{
    Dataset *data = dataset_try_make(function, plan);
    if (!data)
        slope_fail(function, "out of memory for %td examples of shape %s", plan->count,
                   SHAPE_TEXT(plan->sample));
    return data;
}

Dataset *dataset_new(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                     int classes)
{
    DatasetPlan plan = {name, kind, count, sample, classes, false, SHAPE_SCALAR};
    return dataset_make("dataset_new", &plan);
}

Dataset *dataset_try_new(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                         int classes)
{
    DatasetPlan plan = {name, kind, count, sample, classes, false, SHAPE_SCALAR};
    return dataset_try_make("dataset_try_new", &plan);
}

Dataset *dataset_new_with_targets(const char *name, DatasetKind kind, ptrdiff_t count, Shape sample,
                                  Shape target)
{
    DatasetPlan plan = {name, kind, count, sample, 0, true, target};
    return dataset_make("dataset_new_with_targets", &plan);
}

Dataset *dataset_try_new_with_targets(const char *name, DatasetKind kind, ptrdiff_t count,
                                      Shape sample, Shape target)
{
    DatasetPlan plan = {name, kind, count, sample, 0, true, target};
    return dataset_try_make("dataset_try_new_with_targets", &plan);
}

void dataset_free(Dataset *data)
{
    if (!data)
        return;
    memory_free(data->bytes);
    memory_free(data->features);
    memory_free(data->labels.data);
    memory_free(data->targets);
    memory_free(data->owned_names);
    memory_free(data);
}

void dataset_print(FILE *out, const Dataset *data)
{
    enum { SHOW = 10 };
    dataset_require(data, "dataset_print");
    fprintf(out, "%s: %td examples %s, ", data->name, data->count, SHAPE_TEXT(data->sample));
    if (data->targets)
        fprintf(out, "real-valued targets %s", SHAPE_TEXT(data->target));
    else if (data->classes > 0)
        fprintf(out, "%d classes", data->classes);
    else
        fprintf(out, "no classes");
    for (int i = 0; data->class_names && i < data->classes && i < SHOW; i++)
        fprintf(out, "%s %s", i ? "," : ":", SHOWN(data->class_names[i]));
    fprintf(out, data->class_names && data->classes > SHOW ? ", ...\n" : "\n");
    if (data->note[0])
        fprintf(out, "  %s\n", data->note);
}

/* One block: the pointers, then the strings that they point to. */
bool dataset_try_name_classes(Dataset *data, const char *const *names)
{
    size_t table = (size_t)data->classes * sizeof(char *), bytes = table;
    for (int i = 0; i < data->classes; i++)
        bytes += strlen(names[i]) + 1;
    char *block = memory_try_new(bytes);
    if (!block)
        return false;
    char **name = (char **)(void *)block, *text = block + table;
    for (int i = 0; i < data->classes; i++) {
        size_t size = strlen(names[i]) + 1;
        name[i] = memcpy(text, names[i], size);
        text += size;
    }
    memory_free(data->owned_names);
    data->owned_names = block;
    data->class_names = (const char *const *)name;
    return true;
}

/* Copies rows which[0], … which[count-1] (NULL: 0 … count-1) of `bytes` bytes each. */
static void dataset_copy_rows(void *out, const void *in, size_t bytes, const int32_t *which,
                              ptrdiff_t count)
{
    if (!which)
        memcpy(out, in, (size_t)count * bytes);
    for (ptrdiff_t i = 0; which && i < count; i++)
        memcpy((char *)out + (size_t)i * bytes, (const char *)in + (size_t)which[i] * bytes, bytes);
}

static void dataset_copy_examples(Dataset *part, const Dataset *data, const int32_t *which)
{
    size_t each = (size_t)shape_count(data->sample), target = (size_t)shape_count(data->target);
    if (data->bytes)
        dataset_copy_rows(part->bytes, data->bytes, each, which, part->count);
    else
        dataset_copy_rows(part->features, data->features, each * sizeof(real), which, part->count);
    if (data->classes > 0)
        dataset_copy_rows(part->labels.data, data->labels.data, sizeof(int32_t), which,
                          part->count);
    if (data->targets)
        dataset_copy_rows(part->targets, data->targets, target * sizeof(real), which, part->count);
}

Dataset *slope_dataset_try_select(const Dataset *data, const int32_t *which, ptrdiff_t count)
{
    DatasetPlan plan = {data->name, data->bytes ? DATASET_BYTES : DATASET_FEATURES, count,
                        data->sample, data->classes, data->targets != NULL, data->target};
    Dataset *part = dataset_try_make("dataset_take", &plan);
    if (!part)
        return NULL;
    dataset_copy_examples(part, data, which);
    part->class_names = data->classes > 0 ? data->class_names : NULL;
    if (part->class_names && data->owned_names &&
        !dataset_try_name_classes(part, data->class_names)) {
        dataset_free(part);
        return NULL;
    }
    memcpy(part->note, data->note, sizeof part->note);
    part->mean = data->mean;
    part->std = data->std;
    return part;
}

Dataset *dataset_take(const Dataset *data, ptrdiff_t count)
{
    dataset_require(data, "dataset_take");
    if (count < 0 || count > data->count)
        slope_fail("dataset_take", "%td examples requested from %s, which has %td", count,
                   data->name, data->count);
    Dataset *part = slope_dataset_try_select(data, NULL, count);
    if (!part)
        slope_fail("dataset_take", "out of memory for %td examples of %s", count, data->name);
    return part;
}

/* --- normalising ------------------------------------------------------------------------------ */

typedef struct DatasetRead {
    DatasetValues  values;
    const int32_t *which; /* (count), or NULL */
    ptrdiff_t      each;  /* values of one example */
    real          *x;     /* (count, each) */
} DatasetRead;

/* A byte has only 256 values, so each is normalised once, by the exact
 * formula, and then looked up. */
DatasetValues dataset_values(const Dataset *data)
{
    DatasetValues values = {.data = data};
    dataset_require(data, "dataset_read");
    if (!(data->std > 0))
        slope_fail("dataset_read", "%s has standard deviation %g; it must be above 0", data->name,
                   (double)data->std);
    for (int byte = 0; byte < 256; byte++)
        values.of_byte[byte] = ((real)byte / 255 - data->mean) / data->std;
    return values;
}

void dataset_values_copy(const DatasetValues *values, ptrdiff_t first, ptrdiff_t count, real *x)
{
    const Dataset *data = values->data;
    if (data->bytes)
        for (ptrdiff_t i = 0; i < count; i++)
            x[i] = values->of_byte[data->bytes[first + i]];
    else
        for (ptrdiff_t i = 0; i < count; i++)
            x[i] = (data->features[first + i] - data->mean) / data->std;
}

/* Rows begin … end-1 of the job: x[row] = (example which[row] - mean) / std. */
static void dataset_read_rows(ptrdiff_t begin, ptrdiff_t end, void *ctx)
{
    const DatasetRead *job = ctx;
    for (ptrdiff_t row = begin; row < end; row++) {
        ptrdiff_t from = job->which ? job->which[row] : row;
        dataset_values_copy(&job->values, from * job->each, job->each, job->x + row * job->each);
    }
}

/* The number of the example that belongs in this row. */
static ptrdiff_t dataset_example(const Dataset *data, const int32_t *which, ptrdiff_t row,
                                 const char *function)
{
    ptrdiff_t from = which ? which[row] : row;
    if (from < 0 || from >= data->count)
        slope_fail(function, "example %td requested from %s, which has %td", from, data->name,
                   data->count);
    return from;
}

/* Workers must not fail, so every index is checked here, where the classes are copied. */
void dataset_read_labels(const Dataset *data, const int32_t *which, ptrdiff_t count,
                         int32_t *labels)
{
    dataset_require(data, "dataset_read");
    if (labels && data->classes < 1)
        slope_fail("dataset_read", "%s has no classes; pass NULL for the labels", data->name);
    for (ptrdiff_t row = 0; row < count; row++) {
        ptrdiff_t from = dataset_example(data, which, row, "dataset_read");
        if (labels)
            labels[row] = data->labels.data[from];
    }
}

void dataset_read_targets(const Dataset *data, const int32_t *which, ptrdiff_t count, real *y)
{
    dataset_require(data, "dataset_read_targets");
    if (!data->targets)
        slope_fail("dataset_read_targets", "%s has no real-valued targets", data->name);
    if (!y)
        slope_fail("dataset_read_targets", "y is NULL; expected memory for the targets of %td "
                   "examples", count);
    size_t each = (size_t)shape_count(data->target);
    for (ptrdiff_t row = 0; row < count; row++) {
        size_t from = (size_t)dataset_example(data, which, row, "dataset_read_targets");
        memcpy(y + (size_t)row * each, data->targets + from * each, each * sizeof *y);
    }
}

/* A block is a few rows, about 16,000 values in all: some microseconds of work. */
void dataset_read(const Dataset *data, const int32_t *which, ptrdiff_t count, real *x,
                  int32_t *labels)
{
    enum { VALUES_A_BLOCK = 1 << 14 };
    DatasetRead job = {.values = dataset_values(data), .which = which,
                       .each = shape_count(data->sample), .x = x};
    dataset_read_labels(data, which, count, labels);
    parallel_for(count, 1 + VALUES_A_BLOCK / (job.each + 1), dataset_read_rows, &job);
}

Tensor *dataset_tensor(const Dataset *data)
{
    dataset_require(data, "dataset_tensor");
    ptrdiff_t dim[1 + MAX_DIMS] = {data->count};
    memcpy(dim + 1, data->sample.dim, sizeof data->sample.dim);
    Tensor *x = tensor_new(shape_new(1 + data->sample.ndim, dim));
    dataset_read(data, NULL, data->count, tensor_write(x), NULL);
    return x;
}
