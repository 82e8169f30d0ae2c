/* lessons/assignments/a8_slopes/tests.c -- what an experiment must write; points.txt assigns the
 * points.
 *
 *  - Every test runs the experiment on data of its own (data.c), whose test labels are known here
 *    only, and reads the rows (rows.c).
 *  - Slopes can be invented, correct classes cannot. So each test also requires an accuracy on data
 *    that is easy for a small network, unless the accuracy itself is tested.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.c"

/* The accuracy that every test requires. The reference reaches 0.99; a linear classifier, less
 * than 0.8. */
#define LEARNED 0.85
#define NOT_LEARNED                                                                    \
    "a network that has not learned this much earns no points: does the loss fall? If so, train " \
    "longer"
#define FIT                                                                                 \
    "look at the loss on the training set: a network that fits it too little needs more updates " \
    "or units, one that fits it perfectly needs fewer"

static Task easy(ptrdiff_t n, ptrdiff_t m, Shape sample, int classes)
{
    return mixture(n, m, sample, classes, 8);
}

static void check_run(Task t, const char *hint)
{
    run(&first, &t, rng_next(judge_rng()) >> 32);
    check_accuracy(&first, &t, LEARNED, hint);
}

/* One run on easy data, for tests that look at something else. */
static Task usual_run(uint64_t seed)
{
    Task t = easy(400, 200, SHAPE(3), 3);
    run(&first, &t, seed);
    check_accuracy(&first, &t, LEARNED, NOT_LEARNED);
    return t;
}

/* --- 1: it runs on any data ------------------------------------------------------------------- */

START_TEST(predictions)
{
    Task t = easy(400, 203, SHAPE(2), 3);
    check_run(t, NOT_LEARNED);
    check_predictions(&first, &t);
}
END_TEST

START_TEST(class_counts)
{
    check_run(easy(300, 200, SHAPE(4), 2), NOT_LEARNED);
    check_run(easy(600, 200, SHAPE(4), 6), NOT_LEARNED);
}
END_TEST

START_TEST(features)
{
    check_run(easy(300, 200, SHAPE(1), 2), NOT_LEARNED);
    check_run(easy(400, 200, SHAPE(20), 3), NOT_LEARNED);
}
END_TEST

START_TEST(images)
{
    check_run(easy(400, 150, SHAPE(1, 8, 8), 3), "in which order are the pixels read?");
}
END_TEST

START_TEST(counts)
{
    Task few = easy(65, 257, SHAPE(2), 2), more = easy(513, 33, SHAPE(2), 2);
    check_run(few, "with few examples per epoch, more epochs are needed");
    check_predictions(&first, &few);
    check_run(more, NOT_LEARNED);
    check_predictions(&first, &more);
}
END_TEST

START_TEST(class_order)
{
    Task t = spirals_task(1200, 300, 3, 0.03);
    sort_classes(&t);
    run(&first, &t, rng_next(judge_rng()) >> 32);
    check_accuracy(&first, &t, 0.7, "the examples come sorted by class: are they shuffled in each "
                   "epoch, and are there enough updates?");
}
END_TEST

START_TEST(scales)
{
    Task t = easy(400, 200, SHAPE(6), 3);
    rescale(&t);
    check_run(t, "the features have different scales: subtract each one's mean and divide by its "
                 "standard deviation, both of the training set");
}
END_TEST

/* --- 2: accuracy ------------------------------------------------------------------------------ */

/* A run on three spirals; a linear classifier reaches an accuracy of 0.4. */
static Task spirals_run(void)
{
    Task t = spirals_task(600, 600, 3, 0.03);
    run(&first, &t, rng_next(judge_rng()) >> 32);
    return t;
}

START_TEST(accuracy_70)
{
    Task t = spirals_run();
    check_accuracy(&first, &t, 0.7, FIT);
}
END_TEST

START_TEST(accuracy_80)
{
    Task t = spirals_run();
    check_accuracy(&first, &t, 0.8, FIT);
}
END_TEST

/* --- 3: slopes -------------------------------------------------------------------------------- */

START_TEST(layers)
{
    usual_run(1);
    check_layers(&first);
}
END_TEST

START_TEST(start)
{
    usual_run(2);
    check_start(&first);
}
END_TEST

START_TEST(moments)
{
    usual_run(3);
    check_moments(&first, 10);
}
END_TEST

START_TEST(learned)
{
    usual_run(4);
    check_learned(&first);
}
END_TEST

/* --- 4: a fair experiment --------------------------------------------------------------------- */

/* The number of the first line in which the outputs differ, or 0. */
static int first_difference(const Var *a, const Var *b)
{
    int line = 1;
    ptrdiff_t n = tensor_count(a->value), m = tensor_count(b->value);
    for (ptrdiff_t i = 0; i < n && i < m; i++) {
        real x = tensor_read(a->value)[tensor_locate(a->value, i)];
        if (x != tensor_read(b->value)[tensor_locate(b->value, i)])
            return line;
        line += x == '\n';
    }
    return n == m ? 0 : line;
}

START_TEST(same_seed)
{
    Task t = usual_run(5);
    run(&second, &t, 5);
    int line = first_difference(first.bytes, second.bytes);
    if (line > 0)
        judge_fail("all random numbers must come from `seed`, and nothing may remain from the run "
                   "before", "a second run with the same seed differs in line %d", line);
}
END_TEST

static bool same_slopes(const Output *a, const Output *b)
{
    return a->slopes == b->slopes &&
           memcmp(a->slope, b->slope, (size_t)a->slopes * sizeof *a->slope) == 0;
}

START_TEST(other_seed)
{
    Task t = usual_run(6);
    run(&second, &t, 7);
    check_accuracy(&second, &t, LEARNED, NOT_LEARNED);
    if (first.slopes == 0)
        judge_fail("", "no slopes are recorded");
    if (same_slopes(&first, &second))
        judge_fail("call random_seed(seed), and use seed for the order of the examples",
                   "another seed learns the same slopes");
}
END_TEST

START_TEST(unseen)
{
    ptrdiff_t from[ROWS_TESTS];
    Task t = usual_run(8), b = biased(&t, from);
    run(&second, &b, 8);
    if (first.slopes == 0)
        judge_fail("", "no slopes are recorded");
    if (!same_slopes(&first, &second))
        judge_fail("nothing of the test set, not even its mean, may be used in training; if 4.1 "
                   "fails too, the cause is there",
                   "another test set changes the slopes");
}
END_TEST

START_TEST(alone)
{
    ptrdiff_t from[ROWS_TESTS];
    Task t = usual_run(9), b = biased(&t, from);
    run(&second, &b, 9);
    for (ptrdiff_t i = 0; i < b.m; i++) {
        ptrdiff_t j = from[i];
        if (second.predictions[i] == 1 && first.predictions[j] == 1 &&
            second.predicted[i] != first.predicted[j])
            judge_fail("predict in evaluation mode (trainer_evaluate, module_eval_begin), and "
                       "normalise with the statistics of the training set",
                       "example %td gets class %d; among other examples, class %d", j,
                       first.predicted[j], second.predicted[i]);
    }
    check_accuracy(&second, &b, LEARNED, NOT_LEARNED);
}
END_TEST

/* --- the list --------------------------------------------------------------------------------- */

#if __has_include("hidden.c")
#include "hidden.c"
#else
static void hidden_tests(void) {}
#endif

void judge_tests(void)
{
    JUDGE_TEST(predictions);
    JUDGE_TEST(class_counts);
    JUDGE_TEST(features);
    JUDGE_TEST(images);
    JUDGE_TEST(counts);
    JUDGE_TEST(class_order);
    JUDGE_TEST(scales);
    JUDGE_TEST(accuracy_70);
    JUDGE_TEST(accuracy_80);
    JUDGE_TEST(layers);
    JUDGE_TEST(start);
    JUDGE_TEST(moments);
    JUDGE_TEST(learned);
    JUDGE_TEST(same_seed);
    JUDGE_TEST(other_seed);
    JUDGE_TEST(unseen);
    JUDGE_TEST(alone);
    hidden_tests();
}
