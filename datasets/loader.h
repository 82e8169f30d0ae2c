/* datasets/loader.h -- batches of a dataset, shuffled, normalised, ready for a network.
 *
 *  - The order of an epoch depends on the seed and the epoch's number alone, so training that is
 *    resumed at epoch 3 sees what an uninterrupted run sees; loader_skip resumes within an epoch.
 *  - A batch is stored in one of the loader's two buffers and is valid until loader_next has been
 *    called twice more. Copy what must live longer.
 *  - A batch has the classes or the real-valued targets of its examples, whichever the dataset has.
 *  - Nothing is allocated after loader_new.
 *
 *      Loader *loader = loader_new(data, (LoaderOptions){.batch = 128, .shuffle = true});
 *      for (int epoch = 0; epoch < 5; epoch++) {
 *          loader_start(loader, epoch);
 *          for (Batch batch; loader_next(loader, &batch);)
 *              step(batch.x, &batch.labels);
 *      }
 *      loader_free(loader);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_DATASETS_LOADER_H
#define SLOPE_DATASETS_LOADER_H

#include "datasets/transform.h"

SLOPE_C_BEGIN

/* A field that is left out is 0 and has its usual value. */
typedef struct LoaderOptions {
    ptrdiff_t batch;     /* examples per batch; 0 means 128 */
    bool      shuffle;   /* a new order each epoch */
    bool      drop_last; /* leave out a last batch that is not full */
    uint64_t  seed;      /* of the orders and transforms */
    Transform transform; /* pad, crop, flip (transform.h); all 0: the examples as they are */
} LoaderOptions;

typedef struct Loader Loader;

typedef struct Batch {
    Tensor   *x;      /* (B, sample), transformed, normalised; the loader's, do not free */
    Tensor   *y;      /* (B, target), as in the dataset; NULL if it has no targets; the loader's */
    Labels    labels; /* (B); empty if the dataset has no classes */
    ptrdiff_t count;  /* B */
    ptrdiff_t number; /* of the batch in this epoch, from 0 */
} Batch;

/* Borrows the dataset: free it after the loader. Fails if the dataset has no examples. */
Loader *loader_new(const Dataset *data, LoaderOptions options);
void loader_free(Loader *loader);

/* Begins epoch number `epoch` (from 0). A new loader is at the start of epoch 0. */
void loader_start(Loader *loader, int epoch);

/* Reads the next batch; returns false at the epoch's end. After that it fails until loader_start is
 * called: a loop over epochs that forgot to call it would otherwise train in the first one only. */
bool loader_next(Loader *loader, Batch *batch);

/* The index in the dataset of the example in this row of a batch of the current epoch. */
ptrdiff_t loader_example(const Loader *loader, const Batch *batch, ptrdiff_t row);

/* Skips the next batches without reading them; those after them are not affected. Fails if
 * fewer are left in the epoch. */
void loader_skip(Loader *loader, ptrdiff_t batches);

/* The number of batches per epoch, the loader's dataset, and its options (with batch never 0). */
ptrdiff_t loader_batches(const Loader *loader);
const Dataset *loader_dataset(const Loader *loader);
LoaderOptions loader_options(const Loader *loader);

SLOPE_C_END

#endif
