/* tests/optim/check_confusion.c -- the confusion matrix: counts, shares, a network, the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "optim/confusion.h"

#include <math.h>
#include <string.h>

#include "nn/layers.h"
#include "optim/trainer.h"
#include "tests/testing.h"

/* Counts these labels and predictions; the label -1 is ignored. */
#define CONFUSION(classes, labels, ...)                                                       \
    confusion_new((classes), &(Labels){labels, sizeof(labels) / sizeof *(labels)},            \
                  (const int32_t[]){__VA_ARGS__}, -1)

static int32_t six[] = {0, 0, 0, 1, 1, 2};

/* What confusion_print writes; frees the matrix. */
static const char *printed(Confusion c)
{
    static char text[16384];
    FILE *file = tmpfile();
    confusion_print(file, &c);
    confusion_free(&c);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* --- counting --------------------------------------------------------------------------------- */

START_TEST(counts_and_shares)
{
    Confusion c = CONFUSION(3, six, 0, 1, 0, 1, 0, 0);
    ck_assert_mem_eq(c.count, ((int64_t[]){2, 1, 0, 1, 1, 0, 1, 0, 0}), 9 * sizeof(int64_t));
    ck_assert(c.classes == 3 && c.examples == 6 && c.ignored == 0 && !c.names);
    ck_assert(c.accuracy == 0.5);
    ck_assert(c.recall[0] == 2 / 3.0 && c.recall[1] == 0.5 && c.recall[2] == 0);
    ck_assert(c.precision[0] == 0.5 && c.precision[1] == 0.5 && isnan(c.precision[2]));
    confusion_free(&c);
    ck_assert(!c.count && c.classes == 0);
}
END_TEST

START_TEST(without_examples_there_are_no_shares)
{
    Confusion c = CONFUSION(4, six, 0, 0, 0, 1, 1, 2);
    ck_assert(c.accuracy == 1 && isnan(c.recall[3]) && isnan(c.precision[3]));
    confusion_free(&c);
    c = confusion_new(2, &(Labels){NULL, 0}, NULL, -1);
    ck_assert(c.examples == 0 && isnan(c.accuracy) && isnan(c.recall[0]));
    confusion_free(&c);
    static int32_t zero[] = {0, 0};
    c = CONFUSION(1, zero, 0, 0);
    ck_assert(c.count[0] == 2 && c.accuracy == 1 && c.recall[0] == 1 && c.precision[0] == 1);
    confusion_free(&c);
}
END_TEST

/* A class may be the ignored label; what was predicted for an ignored example does not matter. */
START_TEST(ignored_labels_are_not_counted)
{
    static int32_t some[] = {0, -1, 1, -1};
    Confusion c = CONFUSION(2, some, 0, 1, 0, 99);
    ck_assert(c.examples == 2 && c.ignored == 2 && c.accuracy == 0.5);
    ck_assert_mem_eq(c.count, ((int64_t[]){1, 0, 1, 0}), 4 * sizeof(int64_t));
    confusion_free(&c);
    c = confusion_new(2, &(Labels){six, 5}, (const int32_t[]){0, 0, 0, 1, 0}, 0);
    ck_assert(c.examples == 2 && c.ignored == 3 && c.recall[1] == 0.5 && isnan(c.recall[0]));
    confusion_free(&c);
}
END_TEST

START_TEST(misuse_stops_with_a_sentence)
{
    uint64_t before = testing_blocks();
    const int32_t zeros[6] = {0};
    Labels labels = {six, 6};
    ck_assert_fails(confusion_new(0, &labels, zeros, -1).classes, "0 classes; expected 1 or more");
    ck_assert_fails(confusion_new(3, NULL, zeros, -1).classes, "the labels are NULL");
    ck_assert_fails(confusion_new(3, &(Labels){NULL, 6}, zeros, -1).classes, "labels are NULL");
    ck_assert_fails(confusion_new(3, &labels, NULL, -1).classes, "predicted classes are NULL");
    ck_assert_fails(confusion_new(2, &labels, zeros, -1).classes,
                    "confusion_new: the label of example 5 is 2; expected 0 to 1");
    ck_assert_fails(CONFUSION(3, six, 0, 0, 3, 0, 0, 0).classes,
                    "the class predicted for example 2 is 3; expected 0 to 2");
    ck_assert_fails(CONFUSION(3, six, 0, -1, 0, 0, 0, 0).classes, "example 1 is -1");
    static int32_t negative[] = {0, -100};
    ck_assert_fails(CONFUSION(3, negative, 0, 0).classes, "label of example 1 is -100");
    ck_assert_fails((confusion_free(NULL), 0), "the confusion matrix is NULL");
    ck_assert_fails((confusion_print(stdout, NULL), 0), "there is no confusion matrix");
    ck_assert_fails((confusion_print(stdout, &(Confusion){0}), 0), "was it freed?");
    Confusion c = CONFUSION(3, six, 0, 0, 0, 0, 0, 0);
    ck_assert_fails((confusion_print(NULL, &c), 0), "the file is NULL");
    confusion_free(&c);
    ck_assert_uint_eq(testing_blocks(), before);
}
END_TEST

/* --- a network -------------------------------------------------------------------------------- */

enum { EXAMPLES = 47, BATCH = 10, K = 3 };

/* Random points in three classes, and a random network. */
static Dataset *points(int classes)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    Dataset *data = dataset_new("points", DATASET_FEATURES, EXAMPLES, SHAPE(2), classes);
    Rng rng = rng_new(1, 2);
    for (int i = 0; i < EXAMPLES; i++) {
        data->features[2 * i] = rng_normal(&rng), data->features[2 * i + 1] = rng_normal(&rng);
        data->labels.data[i] = (int32_t)rng_below(&rng, (uint64_t)classes);
    }
    data->class_names = names;
    return data;
}

/* Dropout shows whether the network is in evaluation mode. */
static Module *network(int outputs)
{
    random_seed(5);
    return SEQUENTIAL(linear_new(2, 8), relu_new(), dropout_new((real)0.5), linear_new(8, outputs));
}

/* Asserts that it agrees with trainer_evaluate, for a loader with these options. */
static void assert_evaluated(LoaderOptions options, int64_t examples)
{
    int32_t labels[EXAMPLES], predicted[EXAMPLES];
    Dataset *data = points(K);
    Loader *loader = loader_new(data, options);
    Module *net = network(K);
    Batch first;
    loader_next(loader, &first);
    Confusion c = confusion_evaluate(net, loader);
    Evaluation e = trainer_evaluate(net, loss_cross_entropy, loader, predicted);
    Labels all = {labels, 0};
    loader_start(loader, 0);
    for (Batch batch; loader_next(loader, &batch); all.count += batch.count)
        memcpy(labels + all.count, batch.labels.data, (size_t)batch.count * sizeof *labels);
    Confusion expected = confusion_new(K, &all, predicted, -100);
    ck_assert_int_eq(c.examples, examples);
    ck_assert_mem_eq(c.count, expected.count, K * K * sizeof(int64_t));
    ck_assert_close(c.accuracy, e.accuracy, 1e-12);
    ck_assert(c.names == data->class_names && c.recall[1] == expected.recall[1]);
    ck_assert(c.accuracy > 0 && c.accuracy < 1 && net->training);
    confusion_free(&c), confusion_free(&expected);
    module_free(net);
    loader_free(loader);
    dataset_free(data);
}

START_TEST(a_network_is_evaluated_as_the_trainer_does)
{
    assert_evaluated((LoaderOptions){.batch = BATCH}, EXAMPLES);
    assert_evaluated((LoaderOptions){.batch = BATCH, .shuffle = true, .seed = 4}, EXAMPLES);
    assert_evaluated((LoaderOptions){.batch = BATCH, .drop_last = true}, EXAMPLES / BATCH * BATCH);
    assert_evaluated((LoaderOptions){.batch = EXAMPLES}, EXAMPLES);
}
END_TEST

/* A test set may number more classes than the network predicts; some of its labels may be
 * ignored. */
START_TEST(fewer_outputs_and_ignored_labels)
{
    Dataset *data = points(4);
    data->labels.data[7] = data->labels.data[30] = CROSS_ENTROPY_DEFAULTS.ignore_index;
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    Module *net = network(2);
    Confusion c = confusion_evaluate(net, loader);
    ck_assert(c.classes == 4 && c.examples == EXAMPLES - 2 && c.ignored == 2);
    ck_assert(isnan(c.precision[2]) && isnan(c.precision[3]) && c.recall[3] == 0);
    confusion_free(&c);
    module_free(net);
    loader_free(loader);
    dataset_free(data);
}
END_TEST

static void assert_refused(Module *net, Dataset *data, const char *text)
{
    Loader *loader = loader_new(data, (LoaderOptions){.batch = BATCH});
    size_t mark = tape_mark();
    var_full(SHAPE(1), 0), tape_rewind(mark); /* the tape's first block stays */
    module_train(net);
    uint64_t before = testing_blocks();
    ck_assert_fails(confusion_evaluate(net, loader).classes, text);
    ck_assert_uint_eq(testing_blocks(), before);
    ck_assert(net->training && grad_enabled());
    module_free(net);
    loader_free(loader);
    dataset_free(data);
}

static Var *transposed(Var *x)
{
    return var_transpose(x, 0, 1);
}

START_TEST(what_cannot_be_evaluated_is_refused)
{
    Dataset *wrong = points(K);
    wrong->labels.data[EXAMPLES - 1] = -1;
    assert_refused(network(K), wrong, "confusion_evaluate: the label of example 46 is -1; expected "
                   "0 to 2");
    assert_refused(network(4), points(K), "the network has 4 outputs per example, but points has "
                   "only 3 classes; its .classes must include every class");
    assert_refused(activation_new("Transposed", transposed), points(K),
                   "for a batch of shape (10, 2) the network's output has shape (2, 10); expected "
                   "(10,K), one row per example");
    assert_refused(SEQUENTIAL(linear_new(3, 3)), points(K), "Linear: ");
    Dataset *targets = dataset_new_with_targets("t", DATASET_FEATURES, 4, SHAPE(2), SHAPE(1));
    assert_refused(network(1), targets, "t has real-valued targets; a confusion matrix needs");
    assert_refused(network(1), dataset_new("bare", DATASET_FEATURES, 4, SHAPE(2), 0),
                   "bare has no classes; a confusion matrix needs classes");
    Module *net = network(1);
    ck_assert_fails(confusion_evaluate(NULL, NULL).classes, "the network is NULL");
    ck_assert_fails(confusion_evaluate(net, NULL).classes, "the loader is NULL");
    module_free(net);
}
END_TEST

/* --- the table -------------------------------------------------------------------------------- */

START_TEST(the_table_has_a_line_per_class)
{
    static int32_t ten[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1};
    static const char *const names[] = {"setosa", "versicolor"};
    Confusion c = CONFUSION(2, ten, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1);
    c.names = names;
    ck_assert_str_eq(printed(c),
                     "Accuracy 0.9000: 9 of 10 examples are classified correctly.\n"
                     "Rows: the true class. Columns: the predicted class.\n"
                     "class  recall  precision  0  1  name\n"
                     "    0  0.8333     1.0000  5  1  setosa\n"
                     "    1  1.0000     0.8000  0  4  versicolor\n");
}
END_TEST

START_TEST(the_table_says_what_is_undefined_or_ignored)
{
    static int32_t labels[] = {0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    Confusion c = CONFUSION(2, labels, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_str_eq(printed(c),
                     "Accuracy 1.0000: 11 of 11 examples are classified correctly.\n"
                     "Examples ignored because of their label: 1.\n"
                     "Rows: the true class. Columns: the predicted class.\n"
                     "class  recall  precision   0   1\n"
                     "    0  1.0000     1.0000  11   0\n"
                     "    1       -          -   0   0\n");
    static int32_t none[] = {-1};
    ck_assert_ptr_nonnull(strstr(printed(CONFUSION(1, none, 0)), "Accuracy -: 0 of 0 examples"));
}
END_TEST

/* Names are last, so that they need no alignment. Long ones are shortened, and control characters
 * are replaced. */
START_TEST(names_may_be_long_or_in_any_script)
{
    static const char *const names[] = {
        "Löwenzahn", "蒲公英", "a\033[31mred",
        "a name of far more than sixty-four bytes, which would make the line too long"};
    static int32_t labels[] = {0, 1, 2, 3};
    Confusion c = CONFUSION(4, labels, 0, 1, 2, 3);
    c.names = names;
    const char *text = printed(c);
    ck_assert_ptr_nonnull(strstr(text, "1  0  0  0  Löwenzahn\n"));
    ck_assert_ptr_nonnull(strstr(text, "0  1  0  0  蒲公英\n"));
    ck_assert_ptr_nonnull(strstr(text, "0  0  0  1  a name of far more than sixty-four bytes, "
                                       "which would make t...\n"));
    ck_assert_ptr_nonnull(strstr(text, "0  0  1  0  a?[31mred\n"));
}
END_TEST

/* 25 columns of one or two digits are too wide, so each line summarises its row instead. */
START_TEST(many_classes_get_no_matrix)
{
    enum { MANY = 25 };
    int32_t labels[4 * MANY], predicted[4 * MANY];
    char text[MANY][16];
    const char *names[MANY];
    for (int i = 0; i < 4 * MANY; i++)
        labels[i] = predicted[i] = i % MANY;
    predicted[3] = 7, predicted[3 + MANY] = 5, predicted[3 + 2 * MANY] = 5;
    for (int k = 0; k < MANY; k++) {
        snprintf(text[k], sizeof text[k], "class %c", 'A' + k);
        names[k] = text[k];
    }
    Labels all = {labels, 4 * MANY};
    Confusion c = confusion_new(MANY, &all, predicted, -1);
    const char *table = printed(c);
    ck_assert_ptr_nonnull(strstr(table, "correctly.\nclass  recall  precision  examples  most "
                                        "frequent mistake\n"));
    ck_assert_ptr_nonnull(strstr(table, "    2  1.0000     1.0000         4\n"));
    ck_assert_ptr_nonnull(strstr(table, "    3  0.2500     1.0000         4  taken 2 times for 5"
                                        "\n"));
    c = confusion_new(MANY, &all, predicted, -1);
    c.names = names;
    table = printed(c);
    ck_assert_ptr_nonnull(strstr(table, "  examples  name, most frequent mistake\n    0  "));
    ck_assert_ptr_nonnull(strstr(table, "         4  class C\n"));
    ck_assert_ptr_nonnull(strstr(table, "         4  class D, taken 2 times for 5 (class F)\n"));
    ck_assert_ptr_nonnull(strstr(table, "    5  1.0000     0.6667         4  class F\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confusion");
    testing_add(suite, "counting", 10, (const TTest *const[]){
        counts_and_shares, without_examples_there_are_no_shares, ignored_labels_are_not_counted,
        misuse_stops_with_a_sentence, NULL});
    testing_add(suite, "network", 10, (const TTest *const[]){
        a_network_is_evaluated_as_the_trainer_does, fewer_outputs_and_ignored_labels,
        what_cannot_be_evaluated_is_refused, NULL});
    testing_add(suite, "table", 10, (const TTest *const[]){
        the_table_has_a_line_per_class, the_table_says_what_is_undefined_or_ignored,
        names_may_be_long_or_in_any_script, many_classes_get_no_matrix, NULL});
    return testing_main(suite);
}
