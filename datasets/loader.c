/* datasets/loader.c -- dividing an epoch's order into batches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/loader.h"

#include <string.h>

#include "tensor/memory.h"
#include "tensor/random.h"

/* Orders are drawn from streams of their own ("loader" in ASCII, then the epoch), so that they
 * share no random numbers with weights or dropout masks drawn from the same seed. */
#define LOADER_STREAM ((uint64_t)0x6c6f61646572 << 16)

/* Two tensors over the same storage, so that loader_next allocates nothing. */
typedef struct LoaderRows {
    Tensor *full; /* (batch, one example's values) */
    Tensor *last; /* (rest, the same): the first rows of full, or NULL if there is no rest */
} LoaderRows;

typedef struct LoaderBuffer {
    LoaderRows x, y;   /* y is NULL if there are no targets */
    int32_t   *labels; /* (batch), or NULL if the dataset has none */
} LoaderBuffer;

struct Loader {
    const Dataset *data;
    LoaderOptions  options;
    LoaderBuffer   buffer[2];
    int            turn;  /* the buffer to fill next; an epoch does not reset it */
    int32_t       *order; /* (count): this epoch's examples */
    int            epoch;
    ptrdiff_t      next;  /* number of the next batch */
    bool           ended; /* has loader_next reported the epoch's end? */
};

static void loader_check(const Loader *loader, const char *function)
{
    if (!loader)
        slope_fail(function, "the loader is NULL");
}

/* --- creating and freeing --------------------------------------------------------------------- */

static void loader_check_data(const Dataset *data, LoaderOptions options)
{
    if (!data)
        slope_fail("loader_new", "the dataset is NULL; did its reader report an Error?");
    transform_shape(options.transform, data->sample);
    if (data->count < 1 || data->count > INT32_MAX)
        slope_fail("loader_new", "%s has %td examples; expected 1 to %d", data->name,
                   data->count, INT32_MAX);
    if (options.batch < 0)
        slope_fail("loader_new", "the batch size is %td; expected 1 or more, or 0 for 128",
                   options.batch);
    if (options.drop_last && data->count < (options.batch ? options.batch : 128))
        slope_fail("loader_new",
                   "%s has %td examples, fewer than one full batch, and drop_last would "
                   "drop them all",
                   data->name, data->count);
    if (!(data->std > 0))
        slope_fail("loader_new", "%s has standard deviation %g; it must be above 0", data->name,
                   (double)data->std);
}

static LoaderRows loader_rows_new(ptrdiff_t count, ptrdiff_t batch, Shape each)
{
    ptrdiff_t dim[1 + MAX_DIMS] = {batch < count ? batch : count}, rest = count % batch;
    memcpy(dim + 1, each.dim, sizeof each.dim);
    LoaderRows rows = {.full = tensor_new(shape_new(1 + each.ndim, dim))};
    if (rest > 0)
        rows.last = tensor_slice(rows.full, 0, 0, rest, 1);
    return rows;
}

static LoaderBuffer loader_buffer_new(const Dataset *data, Transform transform, ptrdiff_t batch)
{
    Shape sample = transform_shape(transform, data->sample);
    LoaderBuffer buffer = {.x = loader_rows_new(data->count, batch, sample)};
    size_t rows = (size_t)buffer.x.full->shape.dim[0];
    if (data->targets)
        buffer.y = loader_rows_new(data->count, batch, data->target);
    if (data->labels.data) /* even while .classes is 0, which a program may change */
        buffer.labels = memory_new_array(rows, sizeof(int32_t));
    return buffer;
}

static void loader_rows_free(LoaderRows rows)
{
    tensor_free(rows.last);
    tensor_free(rows.full);
}

Loader *loader_new(const Dataset *data, LoaderOptions options)
{
    loader_check_data(data, options);
    if (options.batch == 0)
        options.batch = 128;
    Loader *loader = memory_new(sizeof *loader);
    loader->data = data;
    loader->options = options;
    loader->order = memory_new_array((size_t)data->count, sizeof(int32_t));
    for (int i = 0; i < 2; i++)
        loader->buffer[i] = loader_buffer_new(data, options.transform, options.batch);
    loader_start(loader, 0);
    return loader;
}

void loader_free(Loader *loader)
{
    if (!loader)
        return;
    for (int i = 0; i < 2; i++) {
        loader_rows_free(loader->buffer[i].x);
        loader_rows_free(loader->buffer[i].y);
        memory_free(loader->buffer[i].labels);
    }
    memory_free(loader->order);
    memory_free(loader);
}

/* --- an epoch --------------------------------------------------------------------------------- */

void loader_start(Loader *loader, int epoch)
{
    loader_check(loader, "loader_start");
    if (epoch < 0)
        slope_fail("loader_start", "the epoch is %d; expected 0 or more", epoch);
    loader->epoch = epoch;
    loader->next = 0;
    loader->ended = false;
    if (loader->options.shuffle) {
        Rng rng = rng_new(loader->options.seed, LOADER_STREAM + (uint64_t)epoch);
        rng_permutation(&rng, loader->data->count, loader->order);
        return;
    }
    for (ptrdiff_t i = 0; i < loader->data->count; i++)
        loader->order[i] = (int32_t)i;
}

/* count / batch, rounded up unless the last, short batch is dropped */
ptrdiff_t loader_batches(const Loader *loader)
{
    loader_check(loader, "loader_batches");
    ptrdiff_t count = loader->data->count, batch = loader->options.batch;
    bool short_one = count % batch > 0 && !loader->options.drop_last;
    return count / batch + short_one;
}

/* Reads the examples of a batch, whose numbers are in `which`, into a buffer. */
static void loader_fill(const Loader *loader, const int32_t *which, const LoaderBuffer *buffer,
                        Batch *batch)
{
    int32_t *labels = loader->data->classes > 0 ? buffer->labels : NULL;
    transform_read(loader->data, loader->options.transform, loader->options.seed, loader->epoch,
                   which, batch->count, tensor_write(batch->x), labels);
    if (labels)
        batch->labels = (Labels){labels, batch->count};
    if (batch->y)
        dataset_read_targets(loader->data, which, batch->count, tensor_write(batch->y));
}

bool loader_next(Loader *loader, Batch *batch)
{
    loader_check(loader, "loader_next");
    if (!batch)
        slope_fail("loader_next", "the batch is NULL");
    if (loader->ended)
        slope_fail("loader_next", "epoch %d has ended; call loader_start before the next epoch",
                   loader->epoch);
    loader->ended = loader->next >= loader_batches(loader);
    if (loader->ended)
        return false;
    ptrdiff_t first = loader->next * loader->options.batch, left = loader->data->count - first;
    bool full = left >= loader->options.batch;
    LoaderBuffer *buffer = &loader->buffer[loader->turn];
    *batch = (Batch){.x = full ? buffer->x.full : buffer->x.last,
                     .y = full ? buffer->y.full : buffer->y.last,
                     .count = full ? loader->options.batch : left,
                     .number = loader->next};
    loader_fill(loader, loader->order + first, buffer, batch);
    loader->turn = 1 - loader->turn;
    loader->next++;
    return true;
}

void loader_skip(Loader *loader, ptrdiff_t batches)
{
    loader_check(loader, "loader_skip");
    ptrdiff_t left = loader_batches(loader) - loader->next;
    if (batches < 0 || batches > left)
        slope_fail("loader_skip", "%td batches cannot be skipped; the epoch has %td left", batches,
                   left);
    loader->next += batches;
}

ptrdiff_t loader_example(const Loader *loader, const Batch *batch, ptrdiff_t row)
{
    loader_check(loader, "loader_example");
    if (!batch)
        slope_fail("loader_example", "the batch is NULL");
    if (row < 0 || row >= batch->count)
        slope_fail("loader_example", "row %td is outside a batch of %td examples", row,
                   batch->count);
    return loader->order[batch->number * loader->options.batch + row];
}

const Dataset *loader_dataset(const Loader *loader)
{
    loader_check(loader, "loader_dataset");
    return loader->data;
}

LoaderOptions loader_options(const Loader *loader)
{
    loader_check(loader, "loader_options");
    return loader->options;
}
