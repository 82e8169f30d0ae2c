/* tests/datasets/check_targets.c -- examples with real numbers to predict: in memory, in batches,
 * generated.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "datasets/generate.h"
#include "datasets/loader.h"
#include "tensor/parallel.h"
#include "tests/allocator.h"
#include "tests/datasets/parsed.h"

enum { COUNT = 23, BATCH = 5 };

/* Example i has the input (i) and the targets (i + .5, -i). */
static Dataset *numbered(void)
{
    Dataset *data = dataset_new_with_targets("numbered", DATASET_FEATURES, COUNT, SHAPE(1),
                                             SHAPE(2));
    for (int i = 0; i < COUNT; i++) {
        data->features[i] = (real)i;
        data->targets[2 * i] = (real)i + (real)0.5;
        data->targets[2 * i + 1] = (real)-i;
    }
    data->mean = 3, data->std = 2; /* of the inputs alone */
    return data;
}

/* --- in memory -------------------------------------------------------------------------------- */

START_TEST(targets_take_the_place_of_labels)
{
    Dataset *data = dataset_new_with_targets("t", DATASET_BYTES, 3, SHAPE(1, 2, 2), SHAPE(2));
    ck_assert(data->classes == 0 && !data->labels.data && data->labels.count == 0);
    ck_assert(data->bytes && !data->features && data->mean == 0 && data->std == 1);
    ck_assert(shape_equal(data->target, SHAPE(2)));
    for (int i = 0; i < 6; i++)
        ck_assert(data->targets[i] == 0);
    dataset_free(data);
    data = dataset_new("classes", DATASET_FEATURES, 3, SHAPE(2), 4);
    ck_assert_ptr_null(data->targets);
    dataset_free(data);
}
END_TEST

START_TEST(targets_that_cannot_be_are_refused)
{
    const DatasetKind kind = DATASET_FEATURES;
    ck_assert_fails(dataset_new_with_targets("t", kind, 3, SHAPE(1), SHAPE(0)),
                    "dataset_new_with_targets: dataset t: the targets have shape (0,); expected at "
                    "least one number per example");
    ck_assert_fails(dataset_new_with_targets("t", kind, 3, SHAPE(1), SHAPE(2, 0)), "shape (2, 0)");
    ck_assert_fails(dataset_new_with_targets("t", kind, 3, SHAPE(1), (Shape){1, {-1}}),
                    "dataset_new_with_targets: ");
    ck_assert_fails(dataset_new_with_targets("t", kind, -1, SHAPE(1), SHAPE(1)), "count is -1");
    ck_assert_fails(dataset_new_with_targets(NULL, kind, 3, SHAPE(1), SHAPE(1)), "needs a name");
    ck_assert_fails(dataset_try_new_with_targets("t", kind, 3, SHAPE(1), SHAPE(0)),
                    "dataset_try_new_with_targets: ");
    ck_assert_fails(dataset_new_with_targets("t", kind, 4, SHAPE(1), SHAPE(PTRDIFF_MAX / 16)),
                    "dataset_new_with_targets: out of memory");
}
END_TEST

START_TEST(try_new_returns_null_without_memory)
{
    watch_begin();
    watch.limit = 1 << 20;
    uint64_t before = testing_blocks();
    ck_assert_ptr_null(dataset_try_new_with_targets("t", DATASET_FEATURES, 4, SHAPE(1),
                                                    SHAPE(1 << 20)));
    ck_assert_uint_eq(testing_blocks(), before);
    watch_end();
}
END_TEST

START_TEST(take_copies_targets)
{
    Dataset *data = numbered(), *part = dataset_take(data, 7);
    ck_assert_mem_eq(part->targets, data->targets, 14 * sizeof(real));
    ck_assert_mem_eq(part->features, data->features, 7 * sizeof(real));
    ck_assert(shape_equal(part->target, SHAPE(2)) && part->std == 2 && part->classes == 0);
    dataset_free(data);
    ck_assert(part->targets[13] == -6); /* its own copy */
    dataset_free(part);
}
END_TEST

START_TEST(print_says_what_is_to_be_predicted)
{
    ck_assert_str_eq(printed(numbered()), "numbered: 23 examples (1,), real-valued targets (2,)\n");
    ck_assert_str_eq(printed(dataset_new("none", DATASET_FEATURES, 2, SHAPE(3), 0)),
                     "none: 2 examples (3,), no classes\n");
}
END_TEST

START_TEST(read_gathers_the_targets_asked_for)
{
    static const int32_t which[] = {4, 0, 4}, beyond[] = {0, COUNT}, below[] = {-1};
    Dataset *data = numbered(), *moons = moons_new(4, 0, 1);
    real x[3], y[2 * (COUNT + 1)];
    int32_t labels[3];
    dataset_read_targets(data, which, 3, y);
    ck_assert_mem_eq(y, ((real[]){4.5, -4, 0.5, 0, 4.5, -4}), 6 * sizeof *y);
    dataset_read_targets(data, NULL, 2, y);
    ck_assert(y[2] == (real)1.5 && y[3] == -1);
    dataset_read(data, which, 3, x, NULL);
    ck_assert(x[0] == (real)0.5 && x[1] == (real)-1.5);
    ck_assert_fails(dataset_read_targets(data, beyond, 2, y), "dataset_read_targets: example 23 ");
    ck_assert_fails(dataset_read_targets(data, below, 1, y), "dataset_read_targets: example -1 ");
    ck_assert_fails(dataset_read_targets(data, NULL, COUNT + 1, y), "numbered, which has 23");
    ck_assert_fails(dataset_read(data, which, 3, x, labels), "numbered has no classes; pass NULL");
    ck_assert_fails(dataset_read_targets(moons, which, 1, y), "moons has no real-valued targets");
    ck_assert_fails(dataset_read_targets(data, which, 1, NULL), "y is NULL; expected memory for ");
    ck_assert_fails(dataset_read_targets(NULL, which, 1, y), "dataset_read_targets: the dataset is "
                    "NULL");
    ck_assert_fails(dataset_read(NULL, which, 1, y, NULL), "dataset_read: the dataset is NULL");
    ck_assert_fails(dataset_read_labels(NULL, which, 1, NULL), "dataset_read: the dataset is NULL");
    ck_assert_fails(dataset_tensor(NULL), "dataset_tensor: the dataset is NULL");
    dataset_free(data), dataset_free(moons);
}
END_TEST

/* --- batches ---------------------------------------------------------------------------------- */

/* Checks that each row of the batch has its example's targets. */
static void check_batch(const Loader *loader, const Batch *batch)
{
    ck_assert(!batch->labels.data && batch->labels.count == 0);
    ck_assert(shape_equal(batch->y->shape, SHAPE(batch->count, 2)));
    ck_assert(tensor_is_contiguous(batch->y));
    for (ptrdiff_t i = 0; i < batch->count; i++) {
        real example = (real)loader_example(loader, batch, i);
        ck_assert(tensor_read(batch->x)[i] == (example - 3) / 2);
        ck_assert(tensor_read(batch->y)[2 * i] == example + (real)0.5);
        ck_assert(tensor_read(batch->y)[2 * i + 1] == -example);
    }
}

START_TEST(batches_hold_the_targets_of_their_examples)
{
    Dataset *data = numbered();
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH, .shuffle = true, .seed = 4});
    uint64_t before = memory_counts().allocations;
    Batch batch;
    for (int epoch = 0; epoch < 3; epoch++) {
        loader_start(loader, epoch);
        while (loader_next(loader, &batch))
            check_batch(loader, &batch);
        ck_assert_int_eq(batch.count, COUNT % BATCH);
    }
    ck_assert_uint_eq(memory_counts().allocations, before);
    loader_free(loader);
    dataset_free(data);
}
END_TEST

START_TEST(targets_are_valid_until_the_call_after_next)
{
    Dataset *data = numbered();
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    Batch held, next;
    loader_next(loader, &held);
    unsigned version = atomic_load(&held.y->storage->version);
    loader_next(loader, &next);
    check_batch(loader, &held);
    ck_assert_uint_eq(atomic_load(&held.y->storage->version), version);
    loader_next(loader, &next); /* into the first one's buffer */
    ck_assert(tensor_read(held.y)[0] == (real)10.5);
    ck_assert_uint_ne(atomic_load(&held.y->storage->version), version);
    loader_free(loader);
    dataset_free(data);
}
END_TEST

/* One number without an axis of its own, and images whose targets are images. */
START_TEST(targets_may_have_any_shape)
{
    Dataset *flat = dataset_new_with_targets("flat", DATASET_FEATURES, 3, SHAPE(4), SHAPE_SCALAR);
    Dataset *images = dataset_new_with_targets("images", DATASET_BYTES, 3, SHAPE(1, 4, 4),
                                               SHAPE(1, 4, 4));
    Loader *a = loader_new(flat, (LoaderOptions){.batch = 2});
    Loader *b = loader_new(images, (LoaderOptions){.transform = {.crop = {2, 2}}});
    Batch batch;
    loader_next(a, &batch);
    ck_assert(shape_equal(batch.y->shape, SHAPE(2)));
    loader_next(b, &batch);
    ck_assert(shape_equal(batch.x->shape, SHAPE(3, 1, 2, 2)));
    ck_assert(shape_equal(batch.y->shape, SHAPE(3, 1, 4, 4)));
    loader_free(a), loader_free(b);
    dataset_free(flat), dataset_free(images);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    Dataset *data = sine_new(40000, (real)0.1, 3);
    Loader *a = loader_new(data, (LoaderOptions){.batch = 40000, .shuffle = true});
    Loader *b = loader_new(data, (LoaderOptions){.batch = 40000, .shuffle = true});
    Batch one, two;
    parallel_set_threads(1);
    loader_next(a, &one);
    parallel_set_threads(3);
    loader_next(b, &two);
    ck_assert(tensor_same_bits(one.x, two.x) && tensor_same_bits(one.y, two.y));
    loader_free(a), loader_free(b);
    dataset_free(data);
}
END_TEST

/* The labels of a set can be ignored, even while it has a loader. */
START_TEST(without_classes_batches_have_no_labels)
{
    Dataset *data = moons_new(10, 0, 1), *none = dataset_new("n", DATASET_BYTES, 2, SHAPE(1), 0);
    Loader *loader = loader_new(data, (LoaderOptions){0}), *bare = loader_new(none,
                                                                             (LoaderOptions){0});
    Batch batch;
    loader_next(loader, &batch);
    ck_assert(batch.labels.count == 10 && batch.labels.data && !batch.y);
    data->classes = 0;
    loader_start(loader, 1);
    loader_next(loader, &batch);
    ck_assert(batch.labels.count == 0 && !batch.labels.data && !batch.y);
    Loader *early = loader_new(data, (LoaderOptions){0});
    data->classes = 2; /* as after the training of an autoencoder, to train a classifier */
    loader_next(early, &batch);
    ck_assert(batch.labels.count == 10 && batch.labels.data[0] == 0 && batch.labels.data[1] == 1);
    data->classes = 0;
    loader_next(bare, &batch);
    ck_assert(batch.count == 2 && batch.labels.count == 0 && !batch.labels.data && !batch.y);
    data->class_names = (const char *const[]){"upper", "lower"};
    Dataset *part = dataset_take(data, 5);
    ck_assert(part->classes == 0 && !part->labels.data && !part->class_names);
    dataset_free(part);
    loader_free(loader), loader_free(bare), loader_free(early);
    dataset_free(data), dataset_free(none);
}
END_TEST

/* --- generated -------------------------------------------------------------------------------- */

START_TEST(sines_lie_on_the_curve)
{
    enum { POINTS = 1000 };
    Dataset *data = sine_new(POINTS, 0, 5), *same = sine_new(POINTS, 0, 5);
    Dataset *other = sine_new(POINTS, 0, 6), *fewer = sine_new(10, 0, 5);
    double squares = 0, low = 0, high = 0;
    for (int i = 0; i < POINTS; i++) {
        double x = (double)data->features[i];
        ck_assert_double_eq_tol((double)data->targets[i], sin(x), 1e-6);
        squares += x * x, low = fmin(low, x), high = fmax(high, x);
    }
    ck_assert(low >= -M_PI && low < -3.1 && high <= M_PI && high > 3.1);
    ck_assert_double_eq_tol(squares / POINTS, M_PI * M_PI / 3, 0.3); /* of a uniform x */
    ck_assert_mem_eq(data->features, same->features, POINTS * sizeof(real));
    ck_assert_mem_eq(data->targets, same->targets, POINTS * sizeof(real));
    ck_assert_mem_eq(data->features, fewer->features, 10 * sizeof(real));
    ck_assert_mem_ne(data->features, other->features, POINTS * sizeof(real));
    dataset_free(data), dataset_free(same), dataset_free(other), dataset_free(fewer);
}
END_TEST

START_TEST(noise_changes_the_targets_alone)
{
    enum { POINTS = 4000 };
    Dataset *clean = sine_new(POINTS, 0, 5), *noisy = sine_new(POINTS, (real)0.2, 5);
    double sum = 0, squares = 0;
    ck_assert_mem_eq(clean->features, noisy->features, POINTS * sizeof(real));
    for (int i = 0; i < POINTS; i++) {
        double noise = (double)noisy->targets[i] - (double)clean->targets[i];
        sum += noise, squares += noise * noise;
    }
    ck_assert_double_eq_tol(sum / POINTS, 0, 0.015);
    ck_assert_double_eq_tol(sqrt(squares / POINTS), 0.2, 0.01);
    ck_assert_fails(sine_new(10, -1, 1), "sine_new: noise is -1");
    ck_assert_fails(sine_new(-1, 0, 1), "dataset_new_with_targets: ");
    dataset_free(clean), dataset_free(noisy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("targets");
    testing_add(suite, "in memory", 10, (const TTest *const[]){
        targets_take_the_place_of_labels, targets_that_cannot_be_are_refused, take_copies_targets,
        print_says_what_is_to_be_predicted, read_gathers_the_targets_asked_for, NULL});
    testing_add(suite, "scarce memory", 10, (const TTest *const[]){
        try_new_returns_null_without_memory, NULL});
    testing_add(suite, "batches", 10, (const TTest *const[]){
        batches_hold_the_targets_of_their_examples, targets_are_valid_until_the_call_after_next,
        targets_may_have_any_shape, threads_do_not_change_a_bit,
        without_classes_batches_have_no_labels, NULL});
    testing_add(suite, "generated", 10, (const TTest *const[]){
        sines_lie_on_the_curve, noise_changes_the_targets_alone, NULL});
    return testing_main(suite);
}
