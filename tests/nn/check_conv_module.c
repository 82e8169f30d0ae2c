/* tests/nn/check_conv_module.c -- Conv2d, MaxPool2d and a whole ConvNetPReLU as modules: names,
 * initial values, summary, misuse, memory. check_golden_conv.c compares them with PyTorch.
 *
 * With a folder as its argument it exchanges networks with PyTorch there; see
 * tests/nn/torch_exchange.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "nn/checkpoint.h"
#include "nn/summary.h"
#include "optim/optimizer.h"
#include "tensor/parallel.h"
#include "tests/capture.h"
#include "tests/conv_net.h"
#include "tests/net.h"

/* --- layouts and names ------------------------------------------------------------------------ */

static void conv_list_part(const char *name, const ModulePart *part, void *ctx)
{
    const Tensor *x = module_part_tensor(part);
    if (x)
        fprintf(ctx, "%s %s\n", name, SHAPE_TEXT(x->shape));
    else if (part->kind == PART_COUNTER)
        fprintf(ctx, "%s = %d\n", name, (int)*part->counter);
}

START_TEST(names_and_layouts_are_those_of_a_state_dict)
{
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    Module *net = conv_net_new(conv_net_small);
    module_visit(net, conv_list_part, out);
    fclose(out);
    ck_assert_str_eq(text,
        "features.0.weight (4, 2, 3, 3)\nfeatures.0.bias (4,)\nfeatures.1.weight (4,)\n"
        "features.2.weight (4,)\nfeatures.2.bias (4,)\nfeatures.2.running_mean (4,)\n"
        "features.2.running_var (4,)\nfeatures.2.num_batches_tracked = 0\n"
        "features.4.weight (6, 4, 3, 3)\nfeatures.4.bias (6,)\nfeatures.5.weight (6,)\n"
        "features.6.weight (6,)\nfeatures.6.bias (6,)\nfeatures.6.running_mean (6,)\n"
        "features.6.running_var (6,)\nfeatures.6.num_batches_tracked = 0\n"
        "classifier.0.weight (8, 24)\nclassifier.0.bias (8,)\nclassifier.1.weight (8,)\n"
        "classifier.3.weight (3, 8)\nclassifier.3.bias (3,)\n");
    module_free(net);
}
END_TEST

START_TEST(groups_divide_the_weight_s_axis_1)
{
    Conv2dOptions o = CONV2D_DEFAULTS;
    o.groups = 4;
    Module *m = conv2d_new_with(8, 12, 3, 5, o, false);
    ck_assert_int_eq(m->n_parts, 1);
    ck_assert(shape_equal(var_shape(module_param(m, "weight")), SHAPE(12, 2, 3, 5)));
    Var *y = module_forward(m, net_random(SHAPE(2, 8, 6, 7), 0));
    ck_assert(shape_equal(var_shape(y), SHAPE(2, 12, 4, 3)));
    module_free(m);
}
END_TEST

/* A cross of ones sums a pixel and its four neighbours. */
START_TEST(conv2d_computes_what_its_weight_says)
{
    Module *m = conv2d_new(1, 1, 3, conv2d_padding(1));
    net_set(module_param(m, "weight"), (const real[]){0, 1, 0, 1, 1, 1, 0, 1, 0});
    net_set(module_param(m, "bias"), (const real[]){10});
    Var *x = var_leaf_from(SHAPE(1, 1, 2, 3), (const real[]){1, 2, 3, 4, 5, 6});
    ck_assert_tensor(module_forward(m, x)->value, SHAPE(1, 1, 2, 3), net_tolerance,
                     17, 21, 21, 20, 27, 24);
    module_free(m);
}
END_TEST

START_TEST(max_pool2d_takes_windows_side_by_side_or_as_told)
{
    Module *plain = max_pool2d_new(2);
    Module *other = max_pool2d_new_with((Pool2dOptions){.kernel = {1, 2}, .stride = {1, 1}});
    Var *x = var_leaf_from(SHAPE(1, 1, 2, 5), (const real[]){1, 9, 3, 4, 8, 2, 5, 7, 6, 0});
    ck_assert_tensor(module_forward(plain, x)->value, SHAPE(1, 1, 1, 2), 0, 9, 7);
    ck_assert_tensor(module_forward(other, x)->value, SHAPE(1, 1, 2, 4), 0, 9, 9, 4, 8, 5, 7, 7, 6);
    module_free(plain), module_free(other);
}
END_TEST

START_TEST(options_left_out_have_their_usual_values)
{
    char whole[64], part[64];
    Conv2dOptions padded = CONV2D_DEFAULTS;
    padded.padding[0] = padded.padding[1] = 1;
    random_seed(1);
    Module *a = conv2d_new(2, 4, 3, padded);
    random_seed(1);
    Module *b = conv2d_new(2, 4, 3, (Conv2dOptions){.padding = {1, 1}});
    Var *x = net_random(SHAPE(1, 2, 5, 5), 0);
    ck_assert(tensor_same_bits(module_forward(a, x)->value, module_forward(b, x)->value));
    a->type->describe(a, whole, sizeof whole), b->type->describe(b, part, sizeof part);
    ck_assert_str_eq(whole, "2, 4, 3x3");
    ck_assert_str_eq(part, whole);
    module_free(a), module_free(b);
}
END_TEST

/* --- initial values --------------------------------------------------------------------------- */

/* Within +-1/sqrt(fan_in), where fan_in = in / groups x kernel height x kernel width. */
START_TEST(first_values_are_pytorch_s)
{
    Conv2dOptions o = CONV2D_DEFAULTS;
    random_seed(3);
    Module *plain = conv2d_new(8, 64, 3, o);
    o.groups = 4;
    Module *grouped = conv2d_new_with(16, 64, 5, 3, o, true);
    net_check_uniform(module_param(plain, "weight")->value, 1 / sqrt(8 * 3 * 3));
    net_check_uniform(module_param(plain, "bias")->value, 1 / sqrt(8 * 3 * 3));
    net_check_uniform(module_param(grouped, "weight")->value, 1 / sqrt(4 * 5 * 3));
    net_check_uniform(module_param(grouped, "bias")->value, 1 / sqrt(4 * 5 * 3));
    module_free(plain), module_free(grouped);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_weights)
{
    Tensor *first = NULL;
    for (int i = 0; i < 3; i++) {
        random_seed(i < 2 ? 5 : 6);
        Module *m = conv2d_new(2, 3, 3, CONV2D_DEFAULTS);
        ck_assert(!first || tensor_same_bits(first, module_param(m, "weight")->value) == (i < 2));
        tensor_free(first);
        first = tensor_clone(module_param(m, "weight")->value);
        module_free(m);
    }
    tensor_free(first);
}
END_TEST

/* --- misuse ----------------------------------------------------------------------------------- */

START_TEST(a_convolution_that_cannot_be_is_not_made)
{
    Conv2dOptions o = CONV2D_DEFAULTS;
    ck_assert_fails(conv2d_new(0, 4, 3, o),
                    "conv2d_new: 0 channels in, 4 out, kernel 3 x 3; expected");
    ck_assert_fails(conv2d_new_with(3, 4, 2, 0, o, true),
                    "conv2d_new_with: 3 channels in, 4 out, kernel 2 x 0");
    ck_assert_fails(conv2d_new(3, 4, 0, o), "kernel 0 x 0");
    ck_assert_fails(conv2d_new(PTRDIFF_MAX, 4, 3, o), "conv2d_new: the sizes multiply to more");
    o.groups = 2;
    ck_assert_fails(conv2d_new(3, 4, 3, o), "3 channels in and 4 out do not divide into 2 groups");
    ck_assert_fails(conv2d_new(4, 3, 3, o), "4 channels in and 3 out do not divide into 2 groups");
    o.groups = -1;
    ck_assert_fails(conv2d_new(3, 4, 3, o), "-1 groups");
}
END_TEST

/* The message has both shapes, and the formula with its values. */
START_TEST(an_input_that_does_not_fit_is_told_with_both_shapes)
{
    Module *m = conv2d_new(3, 4, 5, conv2d_padding(1));
    ck_assert_fails(module_forward(m, var_full(SHAPE(2, 1, 8, 8), 0)),
                    "Conv2d: input (2, 1, 8, 8) and "
                    "weight 'weight' (4, 3, 5, 5) in 1 group(s): the weight's axis 1 should be "
                    "channels / groups = 1 / 1 = 1");
    ck_assert_fails(module_forward(m, var_full(SHAPE(3, 8, 8), 0)), "input (3, 8, 8) and weight "
                    "'weight' (4, 3, 5, 5): expected (N,C,H,W) and (O,C/groups,R,S)");
    ck_assert_fails(module_forward(m, var_full(SHAPE(2, 3, 2, 8), 0)), "along the height the "
                    "kernel extends over dilation (kernel-1) + 1 = 5, but the padded input has "
                    "only 2 + 2 x 1 = 4");
    ck_assert_fails(module_forward(m, var_full(SHAPE(2, 3, 8, 2), 0)), "along the width");
    module_free(m);
}
END_TEST

static Var *conv_with(Conv2dOptions o)
{
    return var_conv2d(var_full(SHAPE(1, 4, 6, 6), 0), var_full(SHAPE(4, 4, 3, 3), 0), NULL, o);
}

START_TEST(options_out_of_range_are_refused)
{
    Conv2dOptions o = {.stride = {0, 1}, .dilation = {1, 1}, .groups = 1};
    ck_assert_fails(conv_with(o), "stride (0, 1), padding (0, 0), dilation (1, 1): expected");
    o = (Conv2dOptions){.stride = {1, 1}, .padding = {0, -1}, .dilation = {1, 1}, .groups = 1};
    ck_assert_fails(conv_with(o), "padding (0, -1)");
    o = (Conv2dOptions){.stride = {1, 1}, .dilation = {1, 0}, .groups = 1};
    ck_assert_fails(conv_with(o), "dilation (1, 0)");
    o = (Conv2dOptions){.stride = {1, 1}, .dilation = {3, 1}, .groups = 1};
    ck_assert_fails(conv_with(o), "dilation (kernel-1) + 1 = 7, but the padded input has only");
    o = (Conv2dOptions){.stride = {1, 1}, .dilation = {1, 1}, .groups = 2};
    ck_assert_fails(conv_with(o),
                    "in 2 group(s): the weight's axis 1 should be channels / groups = 4 / 2 = 2");
    o.groups = 3;
    ck_assert_fails(conv_with(o), "4 channels in and 4 out do not divide into 3 groups");
    o.groups = -1;
    ck_assert_fails(conv_with(o), "-1 groups; expected 1 or more");
}
END_TEST

START_TEST(a_bias_has_one_number_a_channel)
{
    Var *x = var_full(SHAPE(1, 2, 4, 4), 0), *w = var_full(SHAPE(3, 2, 3, 3), 0);
    ck_assert_fails(var_conv2d(x, w, var_full(SHAPE(2), 0), CONV2D_DEFAULTS), "the bias has shape "
                    "(2,); expected one element for each of the 3 output channels");
}
END_TEST

START_TEST(a_refusal_names_the_layer_and_its_weight)
{
    Module *m = SEQUENTIAL(conv2d_new(3, 4, 3, CONV2D_DEFAULTS), max_pool2d_new(2));
    ck_assert_fails(module_forward(m, var_full(SHAPE(3, 8, 8), 0)),
                    "slope: Conv2d: input (3, 8, 8) and weight '0.weight' (4, 3, 3, 3)");
    ck_assert_fails(module_forward(m, var_full(SHAPE(1, 3, 2, 8), 0)),
                    "slope: Conv2d: input (1, 3, 2, 8) and weight '0.weight' (4, 3, 3, 3): along");
    ck_assert_fails(module_forward(m, var_full(SHAPE(1, 3, 3, 8), 0)),
                    "slope: MaxPool2d: input (1, 4, 1, 6): along the height the kernel 2");
    module_free(m);
}
END_TEST

START_TEST(impossible_options_are_refused_at_construction)
{
    ck_assert_fails(conv2d_new(3, 4, 3, (Conv2dOptions){.stride = {1, -1}}),
                    "conv2d_new: stride (1, -1), padding (0, 0), dilation (1, 1): expected");
    ck_assert_fails(conv2d_new_with(3, 4, 3, 3, conv2d_padding(-1), true),
                    "conv2d_new_with: stride (1, 1), padding (-1, -1)");
    ck_assert_fails(conv2d_new(3, 4, 3, (Conv2dOptions){.dilation = {PTRDIFF_MAX, 1}}),
                    "too large; expected at most 1048576");
    ck_assert_fails(max_pool2d_new(0), "max_pool2d_new: kernel (0, 0), stride (0, 0), padding "
                                       "(0, 0): expected");
    ck_assert_fails(max_pool2d_new_with((Pool2dOptions){.kernel = {2, 2}, .padding = {2, 0}}),
                    "max_pool2d_new_with: kernel (2, 2), stride (2, 2), padding (2, 0): expected");
}
END_TEST

/* In C, {2} is {2, 0}. */
START_TEST(a_pair_of_which_only_the_height_is_given_is_refused)
{
    static const char hint[] = "; in C, {2} means {2, 0}: give the height and the width";
    ck_assert_fails(conv2d_new(1, 1, 3, (Conv2dOptions){.stride = {2}}),
                    "conv2d_new: stride (2, 0), padding (0, 0), dilation (1, 1): expected");
    ck_assert_ptr_nonnull(strstr(testing_sentence, hint));
    ck_assert_fails(conv2d_new(1, 1, 3, (Conv2dOptions){.dilation = {2}}), hint);
    ck_assert_fails(max_pool2d_new_with((Pool2dOptions){.kernel = {2}}), hint);
    ck_assert_fails(max_pool2d_new_with((Pool2dOptions){.kernel = {2, 2}, .stride = {2}}), hint);
    ck_assert_fails(conv2d_new(1, 1, 3, conv2d_padding(-1)), "expected");
    ck_assert_ptr_null(strstr(testing_sentence, hint));
}
END_TEST

/* Makes the module and runs it on one 6x6 image; returns what its constructor printed. */
static const char *conv_said(Module *(*make)(const ptrdiff_t padding[2]), ptrdiff_t height,
                             ptrdiff_t width, Shape output)
{
    capture_begin();
    Module *m = make((const ptrdiff_t[]){height, width});
    const char *text = capture_end();
    ck_assert(shape_equal(var_shape(module_forward(m, var_full(SHAPE(1, 1, 6, 6), 0))), output));
    tape_rewind(0);
    module_free(m);
    return text;
}

static Module *conv_padded(const ptrdiff_t p[2])
{
    return conv2d_new(1, 1, 3, (Conv2dOptions){.padding = {p[0], p[1]}});
}

static Module *conv_padded_tall(const ptrdiff_t p[2])
{
    return conv2d_new_with(1, 1, 3, 1, (Conv2dOptions){.padding = {p[0], p[1]}}, false);
}

static Module *pool_padded(const ptrdiff_t p[2])
{
    return max_pool2d_new_with((Pool2dOptions){.kernel = {3, 3}, .padding = {p[0], p[1]}});
}

/* It is valid, but causes one warning, because it is hardly ever what was meant. */
START_TEST(a_padding_of_which_only_the_height_is_given_pads_the_height)
{
    ck_assert_str_eq(conv_said(conv_padded, 1, 1, SHAPE(1, 1, 6, 6)), "");
    ck_assert_str_eq(conv_said(conv_padded, 0, 1, SHAPE(1, 1, 4, 6)), "");
    ck_assert_str_eq(conv_said(conv_padded_tall, 1, 0, SHAPE(1, 1, 6, 6)), "");
    ck_assert_str_eq(conv_said(conv_padded, 1, 0, SHAPE(1, 1, 6, 4)),
                     "slope: conv2d_new: warning: padding (1, 0) for a 3x3 kernel pads the height "
                     "only; in C, {2} means {2, 0}: give the height and the width\n");
    ck_assert_str_eq(conv_said(conv_padded, 1, 0, SHAPE(1, 1, 6, 4)), "");
    ck_assert_str_eq(conv_said(pool_padded, 1, 1, SHAPE(1, 1, 2, 2)), "");
    ck_assert_ptr_nonnull(strstr(conv_said(pool_padded, 1, 0, SHAPE(1, 1, 2, 2)),
                                 "max_pool2d_new_with: warning: padding (1, 0) for a 3x3 kernel"));
}
END_TEST

static Var *conv_pool_with(Shape x, Pool2dOptions o) { return var_max_pool2d(var_full(x, 0), o); }

START_TEST(a_pooling_that_does_not_fit_is_refused)
{
    Pool2dOptions o = {.kernel = {3, 2}};
    ck_assert_fails(conv_pool_with(SHAPE(1, 2, 2, 4), o), "input (1, 2, 2, 4): along the height "
                    "the kernel 3 is larger than the padded input 2 + 2 x 0");
    ck_assert_fails(conv_pool_with(SHAPE(2, 4, 4), o), "input (2, 4, 4): expected (N,C,H,W)");
    o.padding[0] = 2;
    ck_assert_fails(conv_pool_with(SHAPE(1, 2, 4, 4), o), "padding (2, 0):");
    o = (Pool2dOptions){.kernel = {0, 2}};
    ck_assert_fails(conv_pool_with(SHAPE(1, 2, 4, 4), o), "kernel (0, 2)");
    o = (Pool2dOptions){.kernel = {2, 2}, .stride = {1, -1}};
    ck_assert_fails(conv_pool_with(SHAPE(1, 2, 4, 4), o), "stride (1, -1)");
}
END_TEST

/* --- the document's network ------------------------------------------------------------------- */

START_TEST(the_summary_is_this_text)
{
    static const char expected[] =
"layer                              output              parameters  slopes   overhead\n"
"---------------------------------------------------------------------------------------\n"
"features.0: Conv2d(3, 64, 3x3)     (1, 64, 32, 32)          1,792\n"
"features.1: PReLU(64)              (1, 64, 32, 32)             64      64   3.571%\n"
"features.2: BatchNorm2d(64)        (1, 64, 32, 32)            128\n"
"features.3: MaxPool2d(2x2)         (1, 64, 16, 16)              0\n"
"features.4: Conv2d(64, 128, 3x3)   (1, 128, 16, 16)        73,856\n"
"features.5: PReLU(128)             (1, 128, 16, 16)           128     128   0.173%\n"
"features.6: BatchNorm2d(128)       (1, 128, 16, 16)           256\n"
"features.7: MaxPool2d(2x2)         (1, 128, 8, 8)               0\n"
"classifier.0: Linear(8192, 512)    (1, 512)             4,194,816\n"
"classifier.1: PReLU(512)           (1, 512)                   512     512   0.012%\n"
"classifier.2: Dropout(0.5)         (1, 512)                     0\n"
"classifier.3: Linear(512, 10)      (1, 10)                  5,130\n"
"---------------------------------------------------------------------------------------\n"
"total                                                   4,276,682     704   0.016%\n";
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    Module *net = conv_net_new(conv_net_full);
    module_summary(out, net, SHAPE(1, 3, 32, 32));
    fclose(out);
    ck_assert_msg(strcmp(text, expected) == 0, "printed\n%s\nexpected\n%s", text, expected);
    ck_assert_int_eq(module_count(net), 4276682);
    ck_assert_int_eq(module_count_slopes(net), 704);
    module_free(net);
}
END_TEST

/* It runs the network once, in evaluation mode: no statistics change, no random word is used. */
START_TEST(a_summary_leaves_statistics_and_streams_alone)
{
    ConvNetSizes sizes = conv_net_small;
    sizes.dropout = (real)0.5;
    char text[2048];
    FILE *out = fmemopen(text, sizeof text, "w");
    Module *net = conv_net_new(sizes);
    module_summary(out, net, SHAPE(2, 2, 8, 8));
    fclose(out);
    const Module *norm = module_child(net, "features.2");
    const Module *dropout = module_child(net, "classifier.2");
    ck_assert_int_eq(*module_part(norm, PART_COUNTER, "num_batches_tracked")->counter, 0);
    ck_assert_uint_eq(module_part(dropout, PART_RNG, "rng")->rng->position, 0);
    ck_assert(net->training && norm->training && dropout->training);
    module_free(net);
}
END_TEST

/* A network large enough for every kernel to divide its work into blocks. */
static const ConvNetSizes conv_net_middle = {3, 16, 32, 16, 64, 10, (real)0.5};

static double conv_train_step(Module *net, Optimizer *opt)
{
    int32_t classes[8] = {0, 1, 2, 3, 9, 8, 7, 6};
    Labels labels = {classes, 8};
    size_t mark = tape_mark();
    optimizer_zero_grad(opt);
    Var *x = net_random(SHAPE(8, 3, 16, 16), 9);
    Var *loss = var_cross_entropy(module_forward(net, x), &labels);
    var_backward(loss);
    optimizer_step(opt);
    double value = (double)var_item(loss);
    tape_rewind(mark);
    return value;
}

START_TEST(a_training_step_from_the_second_on_allocates_nothing)
{
    parallel_set_threads(_i + 1);
    Module *net = conv_net_new(conv_net_middle);
    Optimizer *opt = adam_new(net, (real)1e-3);
    conv_train_step(net, opt);
    for (int step = 2; step <= 6; step++)
        ck_assert_allocates_nothing(conv_train_step(net, opt));
    optimizer_free(opt);
    module_free(net);
    parallel_set_threads(0);
}
END_TEST

START_TEST(training_lowers_the_loss_and_takes_the_same_way_on_any_threads)
{
    double first = 0, last = 0, before = 0;
    for (int threads = 1; threads <= 3; threads++) {
        parallel_set_threads(threads);
        random_seed(8);
        Module *net = conv_net_new(conv_net_middle);
        Optimizer *opt = adam_new(net, (real)1e-2);
        first = conv_train_step(net, opt);
        for (int step = 0; step < 20; step++)
            last = conv_train_step(net, opt);
        ck_assert(last < first / 2);
        ck_assert(threads == 1 || last == before);
        before = last;
        optimizer_free(opt);
        module_free(net);
    }
    parallel_set_threads(0);
}
END_TEST

/* --- exchange with PyTorch -------------------------------------------------------------------- */

static const char *conv_exchange_path(const char *folder, const char *name)
{
    static char path[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s.safetensors", folder, name);
    return path[turn];
}

/* Adds the network's output for x in evaluation mode. */
static void conv_exchange_run(Safetensors *out, const char *name, Module *net, const Tensor *x)
{
    size_t mark = tape_mark();
    module_eval(net);
    safetensors_add_tensor(out, name, module_forward(net, var_const(x))->value);
    tape_rewind(mark);
}

/* Runs forward passes in training mode, so that the running statistics move. */
static void conv_exchange_warm(Module *net, const Tensor *x)
{
    size_t mark = tape_mark();
    module_train(net);
    for (int i = 0; i < 3; i++)
        module_forward(net, var_scale(var_const(x), (real)(i + 1)));
    tape_rewind(mark);
}

static bool conv_exchange_all(const char *folder, Module *net, Tensor *x, Safetensors *out,
                              Error *err)
{
    const char *input = conv_exchange_path(folder, "input");
    Safetensors *in = safetensors_read(input, SAFETENSORS_HEADER, err);
    bool ok = in && safetensors_get(in, "x", x, err)
              && module_load(net, conv_exchange_path(folder, "theirs"), err);
    safetensors_free(in);
    if (!ok)
        return false;
    conv_exchange_run(out, "theirs", net, x);
    conv_exchange_warm(net, x);
    conv_exchange_run(out, "ours", net, x);
    return module_save(net, conv_exchange_path(folder, "ours"), err)
           && safetensors_write(out, conv_exchange_path(folder, "output"), err);
}

/* Reads the files theirs and input; writes ours, and output with both networks' outputs. */
static int conv_exchange(const char *folder)
{
    Error err;
    Module *net = conv_net_new(conv_net_small);
    Tensor *x = tensor_zeros(SHAPE(6, 2, 8, 8));
    Safetensors *out = safetensors_new();
    bool ok = conv_exchange_all(folder, net, x, out, &err);
    if (!ok)
        error_print(stderr, &err);
    safetensors_free(out);
    tensor_free(x);
    module_free(net);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return conv_exchange(argv[1]);
    Suite *suite = suite_create("conv module");
    testing_add(suite, "modules", 20, (const TTest *const[]){
        names_and_layouts_are_those_of_a_state_dict, groups_divide_the_weight_s_axis_1,
        conv2d_computes_what_its_weight_says, max_pool2d_takes_windows_side_by_side_or_as_told,
        options_left_out_have_their_usual_values, first_values_are_pytorch_s,
        the_same_seed_gives_the_same_weights, NULL});
    testing_add(suite, "refusing", 20, (const TTest *const[]){
        a_convolution_that_cannot_be_is_not_made,
        an_input_that_does_not_fit_is_told_with_both_shapes, options_out_of_range_are_refused,
        a_bias_has_one_number_a_channel, impossible_options_are_refused_at_construction,
        a_pair_of_which_only_the_height_is_given_is_refused,
        a_padding_of_which_only_the_height_is_given_pads_the_height,
        a_refusal_names_the_layer_and_its_weight,
        a_pooling_that_does_not_fit_is_refused, NULL});
    testing_add(suite, "networks", 60, (const TTest *const[]){
        the_summary_is_this_text, a_summary_leaves_statistics_and_streams_alone,
        training_lowers_the_loss_and_takes_the_same_way_on_any_threads, NULL});
    TCase *memory = testing_add(suite, "memory", 60, (const TTest *const[]){NULL});
    tcase_add_loop_test(memory, a_training_step_from_the_second_on_allocates_nothing, 0, 3);
    return testing_main(suite);
}
