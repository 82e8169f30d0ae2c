/* tests/golden/check_golden.c -- values, gradients, second gradients, optimizers and a training run
 * against PyTorch's, as written by tests/golden/make_golden.py.
 *
 *  - Run it from the repository's root, or name the folder of the files in SLOPE_GOLDEN.
 *  - To add a case of an op, edit make_golden.py only; for a new op, also golden_calls below.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/layers.h"
#include "tests/golden/golden_net.h"
#include "tests/golden/golden_ops.h"

/* --- ops -------------------------------------------------------------------------------------- */

/* The options first, first+1 … to the last one: the sizes of a shape, or axes. */
static Shape golden_attr_shape(const Golden *g, int first)
{
    Shape s = {.ndim = (int)shape_count(golden_get(g, "attr")->shape) - first};
    for (int i = 0; i < s.ndim; i++)
        s.dim[i] = (ptrdiff_t)golden_attr(g, first + i);
    return s;
}

/* Options: keepdim, then the axes. */
static Axes golden_attr_axes(const Golden *g)
{
    Shape s = golden_attr_shape(g, 1);
    Axes axes = {.n = s.ndim};
    for (int i = 0; i < s.ndim; i++)
        axes.axis[i] = (int)s.dim[i];
    return axes;
}

GOLDEN_CALL(add, var_add(x[0], x[1]))
GOLDEN_CALL(sub, var_sub(x[0], x[1]))
GOLDEN_CALL(mul, var_mul(x[0], x[1]))
GOLDEN_CALL(div, var_div(x[0], x[1]))
GOLDEN_CALL(maximum, var_maximum(x[0], x[1]))
GOLDEN_CALL(minimum, var_minimum(x[0], x[1]))
GOLDEN_CALL(where, var_where(golden_const(golden_get(g, "c0")), x[0], x[1]))
GOLDEN_CALL(neg, var_neg(x[0]))
GOLDEN_CALL(exp, var_exp(x[0]))
GOLDEN_CALL(log, var_log(x[0]))
GOLDEN_CALL(sqrt, var_sqrt(x[0]))
GOLDEN_CALL(pow, var_pow(x[0], (real)ATTR(0)))
GOLDEN_CALL(tanh, var_tanh(x[0]))
GOLDEN_CALL(sigmoid, var_sigmoid(x[0]))
GOLDEN_CALL(abs, var_abs(x[0]))
GOLDEN_CALL(sin, var_sin(x[0]))
GOLDEN_CALL(cos, var_cos(x[0]))
GOLDEN_CALL(erf, var_erf(x[0]))
GOLDEN_CALL(expm1, var_expm1(x[0]))
GOLDEN_CALL(log1p, var_log1p(x[0]))
GOLDEN_CALL(softplus, var_softplus(x[0]))
GOLDEN_CALL(relu, var_relu(x[0]))
GOLDEN_CALL(leaky_relu, var_leaky_relu(x[0], (real)ATTR(0)))
GOLDEN_CALL(prelu, var_prelu(x[0], x[1]))
GOLDEN_CALL(prelu_backward, op_prelu_backward.sample.call(x))
GOLDEN_CALL(softmax, var_softmax(x[0], AXIS(0)))
GOLDEN_CALL(log_softmax, var_log_softmax(x[0], AXIS(0)))
GOLDEN_CALL(sum, var_sum(x[0], golden_attr_axes(g), ATTR(0) != 0))
GOLDEN_CALL(mean, var_mean(x[0], golden_attr_axes(g), ATTR(0) != 0))
GOLDEN_CALL(max, var_max(x[0], golden_attr_axes(g), ATTR(0) != 0))
GOLDEN_CALL(sum_to, var_sum_to(x[0], golden_attr_shape(g, 0)))
GOLDEN_CALL(reshape, var_reshape(x[0], golden_attr_shape(g, 0)))
GOLDEN_CALL(transpose, var_transpose(x[0], AXIS(0), AXIS(1)))
GOLDEN_CALL(permute, var_permute(x[0], (const int[]){AXIS(0), AXIS(1), AXIS(2)}))
GOLDEN_CALL(slice, var_slice(x[0], AXIS(0), AXIS(1), AXIS(2), AXIS(3)))
GOLDEN_CALL(slice_scatter,
            var_slice_scatter(x[0], SHAPE(AXIS(0), AXIS(1)), AXIS(2), AXIS(3), AXIS(4)))
GOLDEN_CALL(select, var_select(x[0], AXIS(0), AXIS(1)))
GOLDEN_CALL(expand, var_expand(x[0], golden_attr_shape(g, 0)))
GOLDEN_CALL(concat, var_concat((Var *const[]){x[0], x[1]}, 2, AXIS(0)))
GOLDEN_CALL(contiguous, var_contiguous(var_transpose(x[0], 0, 1)))
GOLDEN_CALL(logistic_loss, var_logistic_loss(x[0], x[1]))
GOLDEN_CALL(bce_with_logits, var_bce_with_logits(x[0], x[1]))
GOLDEN_CALL(scalar_sub, var_scalar_sub((real)ATTR(0), x[0]))
GOLDEN_CALL(scalar_div, var_scalar_div((real)ATTR(0), x[0]))
GOLDEN_CALL(squeeze, var_squeeze(x[0], AXIS(0)))
GOLDEN_CALL(unsqueeze, var_unsqueeze(x[0], AXIS(0)))
GOLDEN_CALL(matmul, var_matmul(x[0], x[1]))

/* The options after the first three; NULL if there are none. */
static Tensor *golden_class_weights(const Golden *g)
{
    Shape s = golden_attr_shape(g, 3);
    if (s.ndim == 0)
        return NULL;
    Tensor *weight = tensor_new(SHAPE(s.ndim));
    for (int k = 0; k < s.ndim; k++)
        tensor_write(weight)[k] = (real)ATTR(3 + k);
    return weight;
}

static Var *golden_call_cross_entropy(Var **x, const Golden *g)
{
    static const LossReduction reductions[] = {LOSS_MEAN, LOSS_SUM, LOSS_NONE};
    Labels labels = golden_labels(g);
    CrossEntropyOptions o = CROSS_ENTROPY_DEFAULTS;
    o.ignore_index = (int32_t)ATTR(0), o.smoothing = (real)ATTR(1);
    o.reduction = reductions[AXIS(2)];
    Tensor *weight = golden_class_weights(g);
    o.weight = weight;
    Var *loss = var_cross_entropy_with(x[0], &labels, o);
    tensor_free(weight);
    free(labels.data);
    return loss;
}

static GoldenEntry golden_calls[] = {
    GOLDEN_ENTRY(add), GOLDEN_ENTRY(sub), GOLDEN_ENTRY(mul), GOLDEN_ENTRY(div),
    GOLDEN_ENTRY(maximum), GOLDEN_ENTRY(minimum), GOLDEN_ENTRY(where), GOLDEN_ENTRY(neg),
    GOLDEN_ENTRY(exp), GOLDEN_ENTRY(log), GOLDEN_ENTRY(sqrt), GOLDEN_ENTRY(pow), GOLDEN_ENTRY(tanh),
    GOLDEN_ENTRY(sigmoid), GOLDEN_ENTRY(abs), GOLDEN_ENTRY(relu), GOLDEN_ENTRY(leaky_relu),
    GOLDEN_ENTRY(prelu), GOLDEN_ENTRY(prelu_backward), GOLDEN_ENTRY(softmax),
    GOLDEN_ENTRY(log_softmax), GOLDEN_ENTRY(sum), GOLDEN_ENTRY(mean), GOLDEN_ENTRY(max),
    GOLDEN_ENTRY(sum_to), GOLDEN_ENTRY(reshape), GOLDEN_ENTRY(transpose), GOLDEN_ENTRY(permute),
    GOLDEN_ENTRY(slice), GOLDEN_ENTRY(slice_scatter), GOLDEN_ENTRY(select), GOLDEN_ENTRY(expand),
    GOLDEN_ENTRY(concat), GOLDEN_ENTRY(contiguous), GOLDEN_ENTRY(matmul),
    GOLDEN_ENTRY(cross_entropy), GOLDEN_ENTRY(sin), GOLDEN_ENTRY(cos), GOLDEN_ENTRY(erf),
    GOLDEN_ENTRY(expm1), GOLDEN_ENTRY(log1p), GOLDEN_ENTRY(softplus), GOLDEN_ENTRY(logistic_loss),
    GOLDEN_ENTRY(bce_with_logits), GOLDEN_ENTRY(scalar_sub), GOLDEN_ENTRY(scalar_div),
    GOLDEN_ENTRY(squeeze), GOLDEN_ENTRY(unsqueeze), GOLDEN_END,
};

START_TEST(ops_agree_with_pytorch)
{
    ck_assert_int_ge(golden_each("ops.txt", golden_check_op), 100);
}
END_TEST

START_TEST(every_call_has_a_case)
{
    golden_assert_all_seen("ops.txt");
}
END_TEST

/* --- optimizers ------------------------------------------------------------------------------- */

/* A module that only holds parameters, the case's x0, x1 … */
static Module *golden_holder(const Golden *g)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    for (int i = 0; golden_find(g, golden_name("x", i)); i++)
        module_add_param(m, golden_name("x", i), golden_tensor(golden_get(g, golden_name("x", i))));
    return m;
}

static Optimizer *golden_optimizer(const Golden *g, Module *m)
{
    bool sgd = strcmp(g->call, "SGD") == 0, adam = strcmp(g->call, "Adam") == 0;
    ParamGroup o = sgd ? SGD_DEFAULTS : adam ? ADAM_DEFAULTS : ADAMW_DEFAULTS;
    o.lr = (real)ATTR(0);
    if (!strstr(g->variant, "plain")) { /* Slope's defaults are the same as PyTorch's */
        o.weight_decay = (real)ATTR(1);
        o.momentum = (real)ATTR(2), o.dampening = (real)ATTR(3), o.nesterov = ATTR(4) != 0;
        o.beta1 = (real)ATTR(5), o.beta2 = (real)ATTR(6), o.eps = (real)ATTR(7);
        o.amsgrad = ATTR(8) != 0;
    }
    return sgd ? sgd_new_with(m, o) : adam ? adam_new_with(m, o) : adamw_new_with(m, o);
}

/* Sets every parameter's gradient for this step; one that has none keeps NULL. */
static void golden_set_gradients(const Golden *g, Module *m, int step)
{
    for (int i = 0; i < m->n_parts; i++) {
        char name[32];
        snprintf(name, sizeof name, "grad%d_%d", step, i);
        var_zero_grad(m->part[i].param);
        if (golden_find(g, name))
            m->part[i].param->grad = golden_tensor(golden_get(g, name));
    }
}

static void golden_check_optimizer(Golden *g)
{
    Module *m = golden_holder(g);
    Optimizer *opt = golden_optimizer(g, m);
    for (int step = 0; step < GOLDEN_STEPS; step++) {
        golden_set_gradients(g, m, step);
        optimizer_step(opt);
        for (int i = 0; i < m->n_parts; i++) {
            char name[32];
            snprintf(name, sizeof name, "after%d_%d", step, i);
            golden_compare(g, name, m->part[i].param->value, golden_tolerance);
        }
    }
    optimizer_free(opt);
    module_free(m);
}

START_TEST(optimizers_agree_with_pytorch)
{
    ck_assert_int_eq(golden_each("optim.txt", golden_check_optimizer), 12);
}
END_TEST

/* --- training --------------------------------------------------------------------------------- */

static void golden_check_training(Golden *g)
{
    Module *net = SEQUENTIAL(linear_new(12, 8), prelu_new(8, (real)0.25), linear_new(8, 8),
                             prelu_new(8, (real)0.25), linear_new(8, 4));
    golden_start(g, net);
    Optimizer *opt = adam_new(net, (real)0.015625);
    golden_train(g, net, opt);
    optimizer_free(opt);
    module_free(net);
}

START_TEST(ten_adam_steps_agree_with_pytorch)
{
    ck_assert_int_eq(golden_each("training.txt", golden_check_training), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("golden");
    golden_table = golden_calls;
    testing_add(suite, "ops", 60, (const TTest *const[]){
        ops_agree_with_pytorch, every_call_has_a_case, NULL});
    testing_add(suite, "optimizers", 60, (const TTest *const[]){
        optimizers_agree_with_pytorch, NULL});
    testing_add(suite, "training", 60, (const TTest *const[]){
        ten_adam_steps_agree_with_pytorch, NULL});
    return testing_main(suite);
}
