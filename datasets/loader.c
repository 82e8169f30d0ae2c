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

typedef struct LoaderBuffer {
    Tensor  *full;   /* (batch, sample) */
    Tensor  *last;   /* (rest, sample): the first rows of full, or NULL if there is no rest */
    int32_t *labels; /* (batch) */
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

/* Both Tensors over the same storage are created here, so that loader_next allocates nothing. */
static LoaderBuffer loader_buffer_new(const Dataset *data, Transform transform, ptrdiff_t batch)
{
    Shape sample = transform_shape(transform, data->sample);
    ptrdiff_t rows = batch < data->count ? batch : data->count, rest = data->count % batch;
    ptrdiff_t dim[1 + MAX_DIMS] = {rows};
    memcpy(dim + 1, sample.dim, sizeof sample.dim);
    LoaderBuffer buffer = {.full = tensor_new(shape_new(1 + sample.ndim, dim)),
                           .labels = memory_new_array((size_t)rows, sizeof(int32_t))};
    if (rest > 0)
        buffer.last = tensor_slice(buffer.full, 0, 0, rest, 1);
    return buffer;
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
        tensor_free(loader->buffer[i].last);
        tensor_free(loader->buffer[i].full);
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
    *batch = (Batch){.x = full ? buffer->full : buffer->last,
                     .count = full ? loader->options.batch : left,
                     .number = loader->next};
    batch->labels = (Labels){buffer->labels, batch->count};
    transform_read(loader->data, loader->options.transform, loader->options.seed, loader->epoch,
                   loader->order + first, batch->count, tensor_write(batch->x), buffer->labels);
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
