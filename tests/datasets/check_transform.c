/* tests/datasets/check_transform.c -- padded, cropped and flipped images, against a simple, slow
 * implementation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datasets/transform.h"

#include <math.h>
#include <string.h>

#include "datasets/loader.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/datasets/threads.h"
#include "tests/testing.h"

enum { COUNT = 60, C = 2, H = 5, W = 7 };

/* Every pixel differs from its neighbours and none is 0, so black can only come from padding. */
static Dataset *make_images(DatasetKind kind)
{
    Dataset *data = dataset_new("images", kind, COUNT, SHAPE(C, H, W), COUNT);
    for (int i = 0; i < COUNT * C * H * W; i++) {
        int value = 1 + i * 37 % 255;
        if (kind == DATASET_BYTES)
            data->bytes[i] = (uint8_t)value;
        else
            data->features[i] = (real)value / 255;
    }
    for (int i = 0; i < COUNT; i++)
        data->labels.data[i] = i;
    data->mean = (real)0.25;
    data->std = (real)0.5;
    return data;
}

/* All of x (COUNT, sample) after a transform; free it. */
static real *read_all(const Dataset *data, Transform t, uint64_t seed, int epoch)
{
    size_t each = (size_t)shape_count(transform_shape(t, data->sample));
    real *x = malloc(COUNT * each * sizeof *x);
    ck_assert_ptr_nonnull(x);
    transform_read(data, t, seed, epoch, NULL, COUNT, x, NULL);
    return x;
}

/* Pixel (c, y, x) of image i, normalised; black outside. */
static real pixel(const Dataset *data, int i, int c, int y, int x)
{
    bool inside = y >= 0 && y < H && x >= 0 && x < W;
    int at = ((i * C + c) * H + y) * W + x;
    real value = !inside ? 0 : data->bytes ? (real)data->bytes[at] / 255 : data->features[at];
    return (value - data->mean) / data->std;
}

/* Is this window (C,h,w) the part of image i that begins at (top, left)? */
static bool is_window(const Dataset *data, int i, const real *window, int h, int w, int top,
                      int left, bool flip)
{
    for (int c = 0; c < C; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                if (*window++ != pixel(data, i, c, y + top, left + (flip ? w - 1 - x : x)))
                    return false;
    return true;
}

/* --- shapes ----------------------------------------------------------------------------------- */

START_TEST(shapes_follow_pad_and_crop)
{
    Shape s = SHAPE(1, 28, 28);
    ck_assert(shape_equal(transform_shape((Transform){0}, s), s));
    ck_assert(shape_equal(transform_shape((Transform){.flip_probability = 0.25}, s), s));
    ck_assert(shape_equal(transform_shape((Transform){.pad = 2}, s), SHAPE(1, 32, 32)));
    ck_assert(shape_equal(transform_shape((Transform){.pad = 2, .crop = {28, 28}}, s), s));
    ck_assert(shape_equal(transform_shape((Transform){.pad = 2, .crop = {32, 28}}, s),
                          SHAPE(1, 32, 28)));
    ck_assert(shape_equal(transform_shape((Transform){.crop = {3, 6}}, SHAPE(5, 7)), SHAPE(3, 6)));
    ck_assert(shape_equal(transform_shape((Transform){0}, SHAPE(2)), SHAPE(2)));
}
END_TEST

START_TEST(misuse_stops_with_a_sentence)
{
    Shape s = SHAPE(3, 5, 7);
    ck_assert_fails(transform_shape((Transform){.pad = 1}, SHAPE(2)), "not images");
    ck_assert_fails(transform_shape((Transform){.flip_probability = 1}, SHAPE(1, 2, 3, 4)),
                    "not images");
    ck_assert_fails(transform_shape((Transform){.pad = -1}, s), "pad is -1; expected 0 to");
    ck_assert_fails(transform_shape((Transform){.pad = 1 << 21}, s), "pad is 2097152; expected");
    ck_assert_fails(transform_shape((Transform){.crop = {-1, -1}}, s), "crop is {-1, -1}");
    ck_assert_fails(transform_shape((Transform){.crop = {2, -1}}, s), "crop is {2, -1}");
    ck_assert_fails(transform_shape((Transform){.crop = {0, 2}}, s), "no cropping");
    ck_assert_fails(transform_shape((Transform){.crop = {6, 7}}, s),
                    "a window of {6, 7} does not fit");
    ck_assert_fails(transform_shape((Transform){.crop = {5, 8}}, s), "does not fit");
    ck_assert_fails(transform_shape((Transform){.pad = 1, .crop = {8, 8}}, s), "does not fit");
    Dataset *data = make_images(DATASET_BYTES);
    ck_assert_fails(loader_new(data, (LoaderOptions){.transform = {.crop = {6, 6}}}),
                    "does not fit");
    real x[1];
    int32_t which[] = {COUNT};
    ck_assert_fails((transform_read(data, (Transform){.crop = {1, 1}}, 0, 0, which, 1, x, NULL), 0),
                    "example 60");
    dataset_free(data);
}
END_TEST

/* --- deterministic transforms ----------------------------------------------------------------- */

START_TEST(padding_is_black_and_the_image_in_its_middle)
{
    for (int kind = 0; kind < 2; kind++) {
        Dataset *data = make_images(kind ? DATASET_FEATURES : DATASET_BYTES);
        real *x = read_all(data, (Transform){.pad = 3}, 1, 0);
        for (int i = 0; i < COUNT; i++)
            ck_assert(is_window(data, i, x + i * C * (H + 6) * (W + 6), H + 6, W + 6, -3, -3,
                                false));
        ck_assert(x[0] == (real)-0.5);
        free(x);
        dataset_free(data);
    }
}
END_TEST

START_TEST(without_a_transform_it_is_dataset_read)
{
    Dataset *data = make_images(DATASET_BYTES);
    real *x = read_all(data, (Transform){.center = true}, 1, 0);
    Tensor *plain = dataset_tensor(data);
    ck_assert_mem_eq(x, tensor_read(plain), COUNT * C * H * W * sizeof(real));
    tensor_free(plain);
    free(x);
    dataset_free(data);
}
END_TEST

START_TEST(a_centered_window_is_in_the_middle)
{
    Dataset *data = make_images(DATASET_BYTES);
    real *x = read_all(data, (Transform){.crop = {4, 4}, .center = true}, 1, 0);
    for (int i = 0; i < COUNT; i++) /* (5-4)/2 and (7-4)/2 */
        ck_assert(is_window(data, i, x + i * C * 16, 4, 4, 0, 1, false));
    free(x);
    x = read_all(data, (Transform){.pad = 4, .crop = {11, 11}, .center = true}, 1, 0);
    for (int i = 0; i < COUNT; i++) /* 5 of 13 rows, 11 of 15 columns */
        ck_assert(is_window(data, i, x + i * C * 121, 11, 11, -3, -2, false));
    free(x);
    x = read_all(data, (Transform){.pad = 1, .crop = {7, 3}, .center = true}, 1, 0);
    for (int i = 0; i < COUNT; i++) /* all rows, 3 of 9 columns */
        ck_assert(is_window(data, i, x + i * C * 21, 7, 3, -1, 2, false));
    free(x);
    dataset_free(data);
}
END_TEST

/* --- random transforms ------------------------------------------------------------------------ */

/* Every window of every epoch is a part of its image; all positions occur, flipped and not. */
START_TEST(windows_are_where_they_may_be_and_everywhere_there)
{
    enum { PAD = 2, HIGH = 6, WIDE = 5, DOWN = H + 2 * PAD - HIGH + 1,
           ACROSS = W + 2 * PAD - WIDE + 1 };
    static int seen[DOWN][ACROSS][2];
    const Transform t = {.pad = PAD, .crop = {HIGH, WIDE}, .flip_probability = 0.5};
    Dataset *data = make_images(DATASET_BYTES);
    for (int epoch = 0; epoch < 24; epoch++) {
        real *x = read_all(data, t, 7, epoch);
        for (int i = 0; i < COUNT; i++) {
            int found = 0;
            for (int place = 0; place < DOWN * ACROSS * 2; place++) {
                int top = place / 2 / ACROSS, left = place / 2 % ACROSS, flip = place % 2;
                if (is_window(data, i, x + i * C * HIGH * WIDE, HIGH, WIDE, top - PAD, left - PAD,
                              flip)) {
                    seen[top][left][flip]++;
                    found++;
                }
            }
            ck_assert_int_eq(found, 1);
        }
        free(x);
    }
    for (int place = 0; place < DOWN * ACROSS * 2; place++) /* mean 26, standard deviation 5 */
        ck_assert_msg((&seen[0][0][0])[place] > 5, "place %d: %d", place, (&seen[0][0][0])[place]);
    dataset_free(data);
}
END_TEST

/* A seed always gives the same windows and flips, on every machine and in later versions. */
START_TEST(a_seed_gives_the_windows_that_it_always_gave)
{
    static const int drawn[8][3] = {{0, 5, 1}, {-2, 3, 1}, {3, -1, 1}, {-2, 3, 0},
                                    {-1, 1, 0}, {1, -2, 1}, {1, 4, 0}, {-1, -1, 1}};
    Dataset *data = make_images(DATASET_BYTES);
    real *x = read_all(data, (Transform){.pad = 2, .crop = {4, 4}, .flip_probability = 0.5}, 7, 3);
    for (int i = 0; i < 8; i++)
        ck_assert_msg(is_window(data, i, x + i * C * 16, 4, 4, drawn[i][0], drawn[i][1],
                                drawn[i][2]), "image %d", i);
    free(x);
    dataset_free(data);
}
END_TEST

/* Sets which[i] for each of the COUNT images that is flipped in an epoch; returns their number. */
static int count_flips(const Dataset *data, double probability, int epoch, bool which[COUNT])
{
    int flipped = 0;
    real *x = read_all(data, (Transform){.flip_probability = probability}, 3, epoch);
    for (int i = 0; i < COUNT; i++) {
        which[i] = is_window(data, i, x + i * C * H * W, H, W, 0, 0, true);
        ck_assert(which[i] || is_window(data, i, x + i * C * H * W, H, W, 0, 0, false));
        flipped += which[i];
    }
    free(x);
    return flipped;
}

/* n times the probability, within four standard deviations of the binomial distribution. */
static void assert_share(double count, double n, double probability)
{
    ck_assert_close(count, n * probability, 0.5 + 4 * sqrt(n * probability * (1 - probability)));
}

/* This holds in each epoch and over all of them. An image that is flipped with one probability is
 * also flipped with every higher one. */
START_TEST(images_are_flipped_with_the_given_probability)
{
    static const double probability[] = {0, 1e-9, 0.1, 0.5, 0.75, 1};
    bool which[20][COUNT] = {{false}};
    Dataset *data = make_images(DATASET_BYTES);
    for (size_t k = 0; k < sizeof probability / sizeof *probability; k++) {
        int sum = 0;
        for (int epoch = 0; epoch < 20; epoch++) {
            bool now[COUNT];
            int flipped = count_flips(data, probability[k], epoch, now);
            assert_share(flipped, COUNT, probability[k]);
            sum += flipped;
            for (int i = 0; i < COUNT; i++)
                ck_assert(now[i] || !which[epoch][i]);
            memcpy(which[epoch], now, sizeof now);
        }
        assert_share(sum, 20 * COUNT, probability[k]);
    }
    dataset_free(data);
}
END_TEST

static void assert_refused(double probability)
{
    Transform t = {.flip_probability = probability};
    ck_assert_fails(transform_shape(t, SHAPE(5, 7)), "expected a number from 0 to 1");
}

START_TEST(a_probability_is_from_0_to_1)
{
    assert_refused(-0.001);
    assert_refused(1.001);
    assert_refused((double)NAN);
    assert_refused((double)INFINITY);
}
END_TEST

/* As when {32} is written in C: the second number of the pair is 0. */
START_TEST(half_a_pair_is_refused)
{
    ck_assert_fails(transform_shape((Transform){.crop = {32}}, SHAPE(40, 40)),
                    "transform_shape: crop is {32, 0}; expected a window of at least {1, 1}, or "
                    "{0, 0} for no cropping; in C, {2} means {2, 0}: give the height and the "
                    "width");
}
END_TEST

START_TEST(chance_depends_on_seed_and_epoch)
{
    enum { SIZE = COUNT * C * 5 * 5 * sizeof(real) };
    Dataset *data = make_images(DATASET_BYTES);
    Transform t = {.pad = 1, .crop = {5, 5}, .flip_probability = 0.5};
    real *a = read_all(data, t, 1, 4), *b = read_all(data, t, 1, 4);
    real *seed = read_all(data, t, 2, 4), *epoch = read_all(data, t, 1, 5);
    ck_assert_mem_eq(a, b, SIZE);
    ck_assert_mem_ne(a, seed, SIZE);
    ck_assert_mem_ne(a, epoch, SIZE);
    ck_assert_mem_ne(seed, epoch, SIZE);
    free(a), free(b), free(seed), free(epoch);
    dataset_free(data);
}
END_TEST

/* --- through a loader ------------------------------------------------------------------------- */

/* In one epoch an image looks the same for every batch size, order and number of threads. */
START_TEST(a_loader_gives_each_image_as_it_is_in_that_epoch)
{
    enum { EACH = C * 6 * 4 };
    Dataset *data = make_images(DATASET_BYTES);
    Transform t = {.pad = 2, .crop = {6, 4}, .flip_probability = 0.25};
    for (int run = 0; run < 4; run++) {
        LoaderOptions options = {.batch = run == 1 ? 7 : 16, .shuffle = run > 0, .seed = 9,
                                 .transform = t};
        Loader *loader = loader_new(data, options);
        parallel_set_threads(run == 2 ? 1 : 3);
        for (int epoch = 0; epoch < 3; epoch++) {
            real *want = read_all(data, t, 9, epoch);
            int seen = 0;
            loader_start(loader, epoch);
            for (Batch batch; loader_next(loader, &batch); seen += (int)batch.count) {
                ck_assert(shape_equal(batch.x->shape, SHAPE(batch.count, C, 6, 4)));
                for (ptrdiff_t i = 0; i < batch.count; i++)
                    ck_assert_mem_eq(tensor_read(batch.x) + i * EACH,
                                     want + batch.labels.data[i] * EACH, EACH * sizeof(real));
            }
            ck_assert_int_eq(seen, COUNT);
            free(want);
        }
        loader_free(loader);
    }
    dataset_free(data);
}
END_TEST

START_TEST(threads_do_not_change_a_bit_of_a_large_batch)
{
    threads_agree(300, SHAPE(3, 32, 32),
                  (LoaderOptions){.transform = {.pad = 4, .crop = {32, 24},
                                                .flip_probability = 0.25}});
}
END_TEST

START_TEST(nothing_is_allocated_after_loader_new)
{
    Dataset *data = make_images(DATASET_FEATURES);
    Loader *loader = loader_new(data, (LoaderOptions){.batch = 7, .shuffle = true, .transform =
                                {.pad = 1, .crop = {5, 5}, .flip_probability = 0.5}});
    uint64_t before = memory_counts().allocations;
    for (int epoch = 0; epoch < 3; epoch++) {
        loader_start(loader, epoch);
        for (Batch batch; loader_next(loader, &batch);)
            continue;
    }
    ck_assert_uint_eq(memory_counts().allocations, before);
    loader_free(loader);
    dataset_free(data);
}
END_TEST

/* ------------------------------------------------------------------------------------------ */

static Suite *transform_suite(void)
{
    Suite *suite = suite_create("transform");
    testing_add(suite, "certain", 10, (const TTest *const[]){
        shapes_follow_pad_and_crop, misuse_stops_with_a_sentence,
        half_a_pair_is_refused, a_probability_is_from_0_to_1,
        padding_is_black_and_the_image_in_its_middle, without_a_transform_it_is_dataset_read,
        a_centered_window_is_in_the_middle, NULL});
    testing_add(suite, "chance", 30, (const TTest *const[]){
        windows_are_where_they_may_be_and_everywhere_there,
        a_seed_gives_the_windows_that_it_always_gave, images_are_flipped_with_the_given_probability,
        chance_depends_on_seed_and_epoch, NULL});
    testing_add(suite, "loader", 20, (const TTest *const[]){
        a_loader_gives_each_image_as_it_is_in_that_epoch,
        threads_do_not_change_a_bit_of_a_large_batch, nothing_is_allocated_after_loader_new, NULL});
    return suite;
}

int main(void)
{
    return testing_main(transform_suite());
}
