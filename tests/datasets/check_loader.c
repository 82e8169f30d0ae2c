/* tests/datasets/check_loader.c -- every example once per epoch, in a reproducible order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/loader.h"

#include <string.h>

#include "tensor/memory.h"
#include "tests/datasets/threads.h"
#include "tests/testing.h"

enum { COUNT = 23, BATCH = 5 };

/* Example i is the image (1,1,2) with pixels i and 2i, and has the label i: a batch shows its
 * order, and whether images and labels stay together. */
static Dataset *numbered(void)
{
    Dataset *data = dataset_new("numbered", DATASET_BYTES, COUNT, SHAPE(1, 1, 2), COUNT);
    for (int i = 0; i < COUNT; i++) {
        data->bytes[2 * i] = (uint8_t)i;
        data->bytes[2 * i + 1] = (uint8_t)(2 * i);
        data->labels.data[i] = i;
    }
    data->mean = (real)0.125;
    data->std = (real)0.75;
    return data;
}

static real normalised(int byte)
{
    return ((real)byte / 255 - (real)0.125) / (real)0.75;
}

/* Runs an epoch, checks its batches, and stores the labels in the order in which they come.
 * Returns their number. */
static int run_epoch(Loader *loader, int epoch, int32_t *order)
{
    int seen = 0, number = 0;
    loader_start(loader, epoch);
    for (Batch batch; loader_next(loader, &batch); number++) {
        ck_assert_int_eq(batch.number, number);
        ck_assert_int_eq(batch.labels.count, batch.count);
        ck_assert(shape_equal(batch.x->shape, SHAPE(batch.count, 1, 1, 2)));
        ck_assert(tensor_is_contiguous(batch.x));
        for (ptrdiff_t i = 0; i < batch.count; i++) {
            int32_t label = order[seen++] = batch.labels.data[i];
            ck_assert_int_eq(loader_example(loader, &batch, i), label); /* as in numbered() */
            ck_assert(tensor_read(batch.x)[2 * i] == normalised(label));
            ck_assert(tensor_read(batch.x)[2 * i + 1] == normalised(2 * label));
        }
    }
    ck_assert_int_eq(number, loader_batches(loader));
    return seen;
}

static void assert_each_once(const int32_t order[COUNT])
{
    int seen[COUNT] = {0};
    for (int i = 0; i < COUNT; i++)
        seen[order[i]]++;
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(seen[i], 1);
}

static Dataset *data;

static void make_data(void)
{
    data = numbered();
}

static void drop_data(void)
{
    dataset_free(data);
}

/* ------------------------------------------------------------------------------------------ */

START_TEST(after_a_skip_come_the_batches_that_would_have)
{
    int32_t order[COUNT];
    LoaderOptions options = {.batch = BATCH, .shuffle = true, .seed = 4};
    Loader *loader = loader_new(data, options);
    run_epoch(loader, 2, order);
    for (int skip = 0; skip <= loader_batches(loader); skip++) {
        Batch batch;
        loader_start(loader, 2);
        loader_skip(loader, skip);
        for (int number = skip; loader_next(loader, &batch); number++) {
            ck_assert_int_eq(batch.number, number);
            ck_assert_mem_eq(batch.labels.data, order + number * BATCH,
                             (size_t)batch.count * sizeof *order);
        }
    }
    ck_assert_int_eq(loader_options(loader).seed, 4);
    loader_free(loader);
}
END_TEST

START_TEST(without_shuffling_the_order_is_the_dataset_s)
{
    int32_t order[COUNT];
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    ck_assert_ptr_eq(loader_dataset(loader), data);
    for (int epoch = 0; epoch < 2; epoch++) {
        ck_assert_int_eq(run_epoch(loader, epoch, order), COUNT);
        for (int i = 0; i < COUNT; i++)
            ck_assert_int_eq(order[i], i);
    }
    loader_free(loader);
    loader_free(NULL);
}
END_TEST

START_TEST(a_shuffled_epoch_has_every_example_once)
{
    int32_t order[3][COUNT], in_order[COUNT];
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH, .shuffle = true, .seed = 4});
    for (int i = 0; i < COUNT; i++)
        in_order[i] = i;
    for (int epoch = 0; epoch < 3; epoch++) {
        ck_assert_int_eq(run_epoch(loader, epoch, order[epoch]), COUNT);
        assert_each_once(order[epoch]);
        ck_assert_mem_ne(order[epoch], in_order, sizeof in_order);
    }
    ck_assert_mem_ne(order[0], order[1], sizeof order[0]);
    ck_assert_mem_ne(order[1], order[2], sizeof order[0]);
    loader_free(loader);
}
END_TEST

/* Training resumed at epoch 3 sees the same order as an uninterrupted run, whatever came before. */
START_TEST(an_order_depends_on_seed_and_epoch_alone)
{
    int32_t a[COUNT], b[COUNT];
    LoaderOptions options = {.batch = BATCH, .shuffle = true, .seed = 4};
    Loader *first = loader_new(data, options), *second = loader_new(data, options);
    for (int epoch = 0; epoch <= 3; epoch++)
        run_epoch(first, epoch, a);
    Batch batch;
    loader_next(second, &batch); /* part of epoch 0, left unfinished */
    run_epoch(second, 3, b);
    ck_assert_mem_eq(a, b, sizeof a);

    options.seed = 5;
    Loader *other = loader_new(data, options);
    run_epoch(other, 3, b);
    ck_assert_mem_ne(a, b, sizeof a);
    loader_free(first), loader_free(second), loader_free(other);
}
END_TEST

START_TEST(a_new_loader_stands_at_epoch_0)
{
    int32_t order[COUNT];
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH, .shuffle = true, .seed = 4});
    Batch batch;
    ck_assert(loader_next(loader, &batch));
    int32_t first = batch.labels.data[0], second = batch.labels.data[1];
    run_epoch(loader, 0, order);
    ck_assert_int_eq(order[0], first);
    ck_assert_int_eq(order[1], second);
    loader_free(loader);
}
END_TEST

START_TEST(the_last_batch_is_short_or_dropped)
{
    int32_t order[COUNT];
    Batch batch;
    Loader *keep = loader_new(data, (LoaderOptions){.batch = BATCH});
    Loader *drop = loader_new(data, (LoaderOptions){.batch = BATCH, .drop_last = true});
    ck_assert_int_eq(loader_batches(keep), 5);
    ck_assert_int_eq(loader_batches(drop), 4);
    while (loader_next(keep, &batch))
        ck_assert_int_eq(batch.count, batch.number == 4 ? 3 : 5);
    ck_assert_int_eq(run_epoch(drop, 0, order), 20);
    loader_free(keep), loader_free(drop);
}
END_TEST

/* Otherwise a loop over epochs that forgets loader_start would get no batch after the first one. */
START_TEST(after_an_epoch_ends_loader_start_must_be_called)
{
    int32_t order[COUNT];
    Batch batch;
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    for (int epoch = 0; epoch < 2; epoch++) {
        run_epoch(loader, epoch, order);
        ck_assert_fails(loader_next(loader, &batch), "loader_next: epoch");
    }
    ck_assert_fails(loader_next(loader, &batch), "epoch 1 has ended; call loader_start");
    loader_start(loader, 0);
    loader_skip(loader, loader_batches(loader));
    ck_assert(!loader_next(loader, &batch)); /* skipping to the end ends the epoch, too */
    ck_assert_fails(loader_next(loader, &batch), "epoch 0 has ended; call loader_start");
    loader_free(loader);
}
END_TEST

START_TEST(any_batch_size_will_do)
{
    int32_t order[COUNT];
    for (ptrdiff_t size = 0; size <= COUNT + 2; size++) {
        Loader *loader = loader_new(data, (LoaderOptions){.batch = size, .shuffle = true});
        ck_assert_int_eq(run_epoch(loader, 1, order), COUNT);
        assert_each_once(order);
        loader_free(loader);
    }
    Loader *huge = loader_new(data, (LoaderOptions){.batch = PTRDIFF_MAX});
    ck_assert_int_eq(run_epoch(huge, 0, order), COUNT);
    loader_free(huge);
    Loader *one = loader_new(data, (LoaderOptions){.batch = COUNT, .drop_last = true});
    ck_assert_int_eq(run_epoch(one, 0, order), COUNT);
    loader_free(one);
}
END_TEST

/* A batch stays unchanged while the next one is prepared, even across the end of an epoch. */
START_TEST(a_batch_is_valid_until_the_call_after_next)
{
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH, .shuffle = true});
    Batch held, next;
    ck_assert(loader_next(loader, &held));
    for (int turn = 0, epoch = 0; turn < 20; turn++) {
        real x[2 * BATCH];
        int32_t labels[BATCH];
        memcpy(x, tensor_read(held.x), (size_t)held.count * 2 * sizeof(real));
        memcpy(labels, held.labels.data, (size_t)held.count * sizeof(int32_t));
        if (!loader_next(loader, &next)) {
            loader_start(loader, ++epoch);
            ck_assert(loader_next(loader, &next));
        }
        ck_assert_mem_eq(tensor_read(held.x), x, (size_t)held.count * 2 * sizeof(real));
        ck_assert_mem_eq(held.labels.data, labels, (size_t)held.count * sizeof(int32_t));
        ck_assert_ptr_ne(held.labels.data, next.labels.data);
        held = next;
    }
    loader_free(loader);
}
END_TEST

START_TEST(a_batch_bumps_the_version_of_its_storage)
{
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    Batch first, third;
    loader_next(loader, &first);
    unsigned version = atomic_load(&first.x->storage->version);
    loader_next(loader, &third);
    ck_assert_uint_eq(atomic_load(&first.x->storage->version), version);
    loader_next(loader, &third); /* into the first one's buffer */
    ck_assert_uint_ne(atomic_load(&first.x->storage->version), version);
    loader_free(loader);
}
END_TEST

START_TEST(nothing_is_allocated_after_loader_new)
{
    int32_t order[COUNT];
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH, .shuffle = true});
    uint64_t before = memory_counts().allocations;
    for (int epoch = 0; epoch < 3; epoch++)
        run_epoch(loader, epoch, order);
    ck_assert_uint_eq(memory_counts().allocations, before);
    loader_free(loader);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    threads_agree(200, SHAPE(1, 40, 40), (LoaderOptions){.shuffle = true});
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

START_TEST(misuse_stops_with_a_sentence)
{
    Dataset *empty = dataset_new("empty", DATASET_BYTES, 0, SHAPE(2), 1);
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    ck_assert_fails(loader_new(empty, (LoaderOptions){.batch = BATCH}), "loader_");
    ck_assert_fails(loader_new(data, (LoaderOptions){.batch = -1}), "loader_");
    ck_assert_fails(loader_start(loader, -1), "loader_");
    ck_assert_fails(loader_skip(loader, -1), "loader_");
    ck_assert_fails(loader_skip(loader, loader_batches(loader) + 1), "loader_");
    Batch batch;
    ck_assert(loader_next(loader, &batch));
    ck_assert_fails(loader_example(loader, &batch, -1), "loader_example: row -1 is outside");
    ck_assert_fails(loader_example(loader, &batch, 5), "row 5 is outside a batch of 5 examples");
    data->std = 0;
    ck_assert_fails(loader_new(data, (LoaderOptions){.batch = 1}), "loader_");
    loader_free(loader);
    dataset_free(empty);
}
END_TEST

START_TEST(null_is_refused_by_name)
{
    Batch batch;
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    ck_assert_fails(loader_start(NULL, 0), "loader_start: the loader is NULL");
    ck_assert_fails(loader_next(NULL, &batch), "loader_next: the loader is NULL");
    ck_assert_fails(loader_next(loader, NULL), "loader_next: the batch is NULL");
    ck_assert_fails(loader_example(NULL, &batch, 0), "loader_example: the loader is NULL");
    ck_assert_fails(loader_example(loader, NULL, 0), "loader_example: the batch is NULL");
    ck_assert_fails(loader_skip(NULL, 1), "loader_skip: the loader is NULL");
    ck_assert_fails(loader_batches(NULL), "loader_batches: the loader is NULL");
    ck_assert_fails(loader_dataset(NULL), "loader_dataset: the loader is NULL");
    ck_assert_fails(loader_options(NULL), "loader_options: the loader is NULL");
    loader_free(loader);
    loader_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *epochs = testing_add(suite, "epochs", 10, (const TTest *const[]){
        without_shuffling_the_order_is_the_dataset_s, a_shuffled_epoch_has_every_example_once,
        an_order_depends_on_seed_and_epoch_alone, after_a_skip_come_the_batches_that_would_have,
        a_new_loader_stands_at_epoch_0, the_last_batch_is_short_or_dropped,
        after_an_epoch_ends_loader_start_must_be_called, any_batch_size_will_do,
        a_batch_is_valid_until_the_call_after_next, a_batch_bumps_the_version_of_its_storage,
        nothing_is_allocated_after_loader_new, threads_do_not_change_a_bit,
        misuse_stops_with_a_sentence, null_is_refused_by_name, NULL});
    tcase_add_checked_fixture(epochs, make_data, drop_data);
    return testing_main(suite);
}
