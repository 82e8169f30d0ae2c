/* tests/golden/check_golden_conv.c -- convolution, linear layers, pooling, batch normalisation and
 * ten training steps of a small ConvNetPReLU against PyTorch's, as written by
 * tests/golden/make_golden_conv.py.
 *
 *  - Run it from the repository's root, or name the folder of the files in SLOPE_GOLDEN.
 *  - To add a case of an op, edit make_golden_conv.py only; for a new op, also golden_calls below.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/layers.h"
#include "tests/conv_net.h"
#include "tests/golden/golden_net.h"
#include "tests/golden/golden_ops.h"

/* --- ops -------------------------------------------------------------------------------------- */

static Conv2dOptions golden_conv2d_options(const Golden *g)
{
    return (Conv2dOptions){.stride = {AXIS(0), AXIS(1)}, .padding = {AXIS(2), AXIS(3)},
                           .dilation = {AXIS(4), AXIS(5)}, .groups = AXIS(6)};
}

static Pool2dOptions golden_pool2d_options(const Golden *g)
{
    return (Pool2dOptions){.kernel = {AXIS(0), AXIS(1)}, .stride = {AXIS(2), AXIS(3)},
                           .padding = {AXIS(4), AXIS(5)}};
}

/* The bias of conv2d or linear, if the case has one. */
static Var *golden_bias(Var **x, const Golden *g)
{
    return golden_find(g, "x2") ? x[2] : NULL;
}

static Var *golden_pool_globally(Var *x)
{
    Module *m = global_avg_pool2d_new();
    Var *y = module_forward(m, x);
    module_free(m);
    return y;
}

GOLDEN_CALL(conv2d, var_conv2d(x[0], x[1], golden_bias(x, g), golden_conv2d_options(g)))
GOLDEN_CALL(linear, var_linear(x[0], x[1], golden_bias(x, g)))
GOLDEN_CALL(max_pool2d, var_max_pool2d(x[0], golden_pool2d_options(g)))
GOLDEN_CALL(global_avg_pool2d, golden_pool_globally(x[0]))
GOLDEN_CALL(prelu, var_prelu(x[0], x[1]))
GOLDEN_CALL(batch_norm, var_batch_norm(x[0], x[1], x[2], (real)ATTR(0)))

static GoldenEntry golden_calls[] = {
    GOLDEN_ENTRY(conv2d), GOLDEN_ENTRY(linear), GOLDEN_ENTRY(max_pool2d), GOLDEN_ENTRY(prelu),
    GOLDEN_ENTRY(batch_norm), GOLDEN_ENTRY(global_avg_pool2d), GOLDEN_END,
};

START_TEST(ops_agree_with_pytorch)
{
    ck_assert_int_ge(golden_each("conv.txt", golden_check_op), 45);
}
END_TEST

START_TEST(every_call_has_a_case)
{
    golden_assert_all_seen("conv.txt");
}
END_TEST

/* --- batch normalisation: three steps and an evaluation --------------------------------------- */

static Module *golden_norm(const Golden *g)
{
    BatchNormOptions o = BATCH_NORM_DEFAULTS;
    o.momentum = (real)ATTR(0), o.eps = (real)ATTR(1), o.affine = ATTR(2) != 0;
    ptrdiff_t channels = golden_get(g, "x0")->shape.dim[1];
    bool is_1d = strcmp(g->call, "BatchNorm1d") == 0;
    Module *m = is_1d ? batch_norm1d_new_with(channels, o) : batch_norm2d_new_with(channels, o);
    ck_assert_str_eq(m->type->name, g->call);
    ck_assert_int_eq(m->n_parts, o.affine ? 5 : 3);
    for (int i = 0; m->part[i].kind == PART_PARAM; i++) {
        Tensor *start = golden_tensor(golden_get(g, m->part[i].name));
        tensor_copy(m->part[i].param->value, start);
        tensor_free(start);
    }
    return m;
}

/* Compares x with the tensor named stem + label, such as "gx" + "e". */
static void golden_compare_step(Golden *g, const char *stem, const char *label, const Tensor *x)
{
    char name[16];
    snprintf(name, sizeof name, "%s%s", stem, label);
    golden_compare(g, name, x, golden_tolerance);
}

static Var *golden_step_leaf(const Golden *g, const char *stem, const char *label)
{
    char name[16];
    snprintf(name, sizeof name, "%s%s", stem, label);
    return golden_leaf(golden_get(g, name));
}

static void golden_norm_step(Golden *g, Module *m, const char *label)
{
    static const char *const gradients[] = {"gw", "gb"};
    size_t mark = tape_mark();
    Var *x = golden_step_leaf(g, "x", label), *y = module_forward(m, x);
    golden_compare_step(g, "y", label, y->value);
    var_backward_with(y, golden_step_leaf(g, "gy", label));
    golden_compare_step(g, "gx", label, x->grad);
    for (int i = 0; m->part[i].kind == PART_PARAM; i++) {
        golden_compare_step(g, gradients[i], label, m->part[i].param->grad);
        var_zero_grad(m->part[i].param);
    }
    tape_rewind(mark);
}

static void golden_check_norm(Golden *g)
{
    Module *m = golden_norm(g);
    const Tensor *mean = module_part(m, PART_BUFFER, "running_mean")->buffer;
    const Tensor *var = module_part(m, PART_BUFFER, "running_var")->buffer;
    for (int step = 0; step < 3; step++) {
        golden_norm_step(g, m, golden_name("", step));
        golden_compare(g, golden_name("mean", step), mean, golden_tolerance);
        golden_compare(g, golden_name("var", step), var, golden_tolerance);
    }
    module_eval(m);
    golden_norm_step(g, m, "e");
    ck_assert_int_eq(*module_part(m, PART_COUNTER, "num_batches_tracked")->counter,
                     (int64_t)golden_get(g, "batches")->value[0]);
    module_free(m);
}

START_TEST(batch_norm_modules_agree_with_pytorch)
{
    ck_assert_int_eq(golden_each("norm.txt", golden_check_norm), 9);
}
END_TEST

/* --- training --------------------------------------------------------------------------------- */

static void golden_check_conv_training(Golden *g)
{
    size_t mark = tape_mark();
    Module *net = conv_net_new(conv_net_small);
    golden_start(g, net);
    Optimizer *opt = adam_new(net, (real)0.015625);
    golden_train(g, net, opt);
    module_eval(net);
    Var *y = module_forward(net, golden_const(golden_get(g, "x0")));
    golden_compare_var(g, "y", y, golden_training_tolerance);
    tape_rewind(mark);
    optimizer_free(opt);
    module_free(net);
}

START_TEST(ten_adam_steps_of_a_conv_net_agree_with_pytorch)
{
    ck_assert_int_eq(golden_each("conv_training.txt", golden_check_conv_training), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden_conv");
    golden_table = golden_calls;
    testing_add(suite, "ops", 60, (const TTest *const[]){
        ops_agree_with_pytorch, every_call_has_a_case, NULL});
    testing_add(suite, "batch norm", 60, (const TTest *const[]){
        batch_norm_modules_agree_with_pytorch, NULL});
    testing_add(suite, "training", 60, (const TTest *const[]){
        ten_adam_steps_of_a_conv_net_agree_with_pytorch, NULL});
    return testing_main(suite);
}
