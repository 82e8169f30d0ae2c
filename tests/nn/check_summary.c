/* tests/nn/check_summary.c -- the printed summary of a network and of its slopes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/summary.h"
#include "tests/net.h"

/* The text that `write` prints, allocated with malloc. */
static char *summary_text(void (*write)(FILE *out, Module *m), Module *m)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    write(out, m);
    fclose(out);
    return text;
}

static void summary_check_text(void (*write)(FILE *out, Module *m), Module *m, const char *expected)
{
    char *text = summary_text(write, m);
    ck_assert_msg(strcmp(text, expected) == 0, "printed\n%s\nexpected\n%s", text, expected);
    free(text);
}

/* --- summaries -------------------------------------------------------------------------------- */

static void summary_write_summary(FILE *out, Module *m)
{
    module_summary(out, m, SHAPE(1, 784));
}

START_TEST(summary_is_this_text)
{
    Net *net = net_new(784, 256, 10);
    summary_check_text(summary_write_summary, &net->base,
"layer                              output              parameters  slopes   overhead\n"
"---------------------------------------------------------------------------------------\n"
"fc1: Linear(784, 256)              (1, 256)               200,960\n"
"prelu1: PReLU(256)                 (1, 256)                   256     256   0.127%\n"
"fc2: Linear(256, 256)              (1, 256)                65,792\n"
"prelu2: PReLU(256)                 (1, 256)                   256     256   0.389%\n"
"fc3: Linear(256, 10)               (1, 10)                  2,570\n"
"---------------------------------------------------------------------------------------\n"
"total                                                     269,834     512   0.190%\n");
    module_free(&net->base);
}
END_TEST

/* A layer of which only some parameters are frozen lists them. */
START_TEST(summary_shows_what_is_frozen)
{
    Net *net = net_new(784, 256, 10);
    module_freeze(net->fc1, NULL);
    module_freeze(net->prelu2, NULL);
    module_param(net->fc3, "bias")->requires_grad = false;
    summary_check_text(summary_write_summary, &net->base,
"layer                              output              parameters  slopes   overhead\n"
"---------------------------------------------------------------------------------------\n"
"fc1: Linear(784, 256)              (1, 256)               200,960                       frozen\n"
"prelu1: PReLU(256)                 (1, 256)                   256     256   0.127%\n"
"fc2: Linear(256, 256)              (1, 256)                65,792\n"
"prelu2: PReLU(256)                 (1, 256)                   256     256   0.389%      frozen\n"
"fc3: Linear(256, 10)               (1, 10)                  2,570                       "
                                                                                 "frozen: bias\n"
"---------------------------------------------------------------------------------------\n"
"total                                                     269,834     512   0.190%\n"
"frozen                                                    201,226\n");
    module_free(&net->base);
}
END_TEST

static void summary_write_wide_summary(FILE *out, Module *m)
{
    module_summary(out, m, SHAPE(1, 2));
}

START_TEST(a_line_may_be_wider_than_the_table)
{
    const char *name = "a_name_of_thirty_one_characters";
    Module *net = linear_new(2, 2);
    for (int i = 0; i < 2; i++) {
        Module *outer = SEQUENTIAL(relu_new());
        module_add_child(outer, name, net);
        net = outer;
    }
    module_freeze(net, NULL);
    char *text = summary_text(summary_write_wide_summary, net);
    ck_assert_ptr_nonnull(strstr(text, "characters: Linear(2, 2) (1, 2)                       6 "
                                       "frozen\n"));
    free(text);
    module_free(net);
}
END_TEST

static void summary_write_small_summary(FILE *out, Module *m)
{
    module_summary(out, m, SHAPE(2, 1, 3));
}

START_TEST(summary_descends_into_nested_modules)
{
    Module *inner = SEQUENTIAL(linear_new_without_bias(3, 2), leaky_relu_new((real)0.01));
    Module *m = SEQUENTIAL(flatten_new(), inner, relu_new(), prelu_new(1, (real)0.25));
    summary_check_text(summary_write_small_summary, m,
"layer                              output              parameters  slopes   overhead\n"
"---------------------------------------------------------------------------------------\n"
"0: Flatten()                       (2, 3)                       0\n"
"1.0: Linear(3, 2, no bias)         (2, 2)                       6\n"
"1.1: LeakyReLU(0.01)               (2, 2)                       0\n"
"2: ReLU()                          (2, 2)                       0\n"
"3: PReLU(1)                        (2, 2)                       1       1   16.667%\n"
"---------------------------------------------------------------------------------------\n"
"total                                                           7       1   16.667%\n");
    module_free(m);
}
END_TEST

START_TEST(summary_leaves_mode_and_tape_alone)
{
    Module *m = SEQUENTIAL(flatten_new(), linear_new(3, 2));
    size_t mark = tape_mark();
    free(summary_text(summary_write_small_summary, m));
    ck_assert(m->training && module_child(m, "1")->training);
    module_eval(m);
    free(summary_text(summary_write_small_summary, m));
    ck_assert(!m->training && !module_child(m, "1")->training);
    ck_assert_uint_eq(tape_mark(), mark);
    ck_assert(grad_enabled());
    ck_assert_fails(module_summary(stdout, m, SHAPE(2, 4)), "Linear: expected an input");
    module_train(m);
    ck_assert_fails(module_summary(stdout, m, SHAPE(2, 4)), "Linear: expected an input");
    ck_assert(m->training && module_child(m, "1")->training);
    ck_assert_fails(module_summary(stdout, NULL, SHAPE(1)), "module_summary: the module is NULL");
    ck_assert_fails(prelu_stats(stdout, NULL), "prelu_stats: the module is NULL");
    ck_assert_fails(prelu_each(NULL, NULL, NULL), "prelu_each: the module is NULL");
    module_free(m);
}
END_TEST

/* mean .25, std sqrt(.125/3) = .2041 (n-1). */
START_TEST(prelu_stats_prints_as_the_document_does)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    Module *prelu = module_add_child(m, "prelu1", prelu_new(4, 0));
    net_set(module_param(prelu, "weight"), (const real[]){0, (real)0.25, (real)0.25, (real)0.5});
    module_add_child(m, "fc", linear_new(2, 2));
    module_add_child(m, "features", SEQUENTIAL(relu_new(), prelu_new(1, -(real)0.125)));
    summary_check_text(prelu_stats, m,
                  "prelu1: mean=0.2500, std=0.2041, min=0.0000, max=0.5000\n"
                  "features.1: mean=-0.1250, std=nan, min=-0.1250, max=-0.1250\n");
    module_free(m);
}
END_TEST

START_TEST(prelu_stats_of_a_prelu_alone_has_a_name_too)
{
    Module *m = prelu_new(2, (real)0.25);
    summary_check_text(prelu_stats, m, "prelu: mean=0.2500, std=0.0000, min=0.2500, max=0.2500\n");
    module_free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("summary");
    testing_add(suite, "summary", 20, (const TTest *const[]){
        summary_is_this_text, summary_shows_what_is_frozen, a_line_may_be_wider_than_the_table,
        summary_descends_into_nested_modules, summary_leaves_mode_and_tape_alone,
        prelu_stats_prints_as_the_document_does,
        prelu_stats_of_a_prelu_alone_has_a_name_too, NULL});
    return testing_main(suite);
}
