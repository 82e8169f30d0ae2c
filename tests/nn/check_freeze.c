/* tests/nn/check_freeze.c -- which parameters are frozen, and what is no longer computed then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "autograd/op.h"
#include "autograd/products.h"
#include "nn/checkpoint.h"
#include "tests/net.h"
#include "tests/scratch.h"

/* --- a module that counts the gradients that it passes down ----------------------------------- */

static int freeze_passed;

static void freeze_count_forward(Var *y)
{
    tensor_copy(y->value, y->in[0]->value);
}

static void freeze_count_backward(Var *y, Var *gy)
{
    freeze_passed++;
    var_send(y->in[0], gy);
}

static const Op freeze_count = {
    .name = "count", .forward = freeze_count_forward, .backward = freeze_count_backward};

static Var *freeze_forward_count(Module *self, Var *x)
{
    (void)self;
    return var_apply_like(&freeze_count, x);
}

static Module *freeze_counter_new(void)
{
    static const ModuleType type = {"Count", freeze_forward_count, NULL};
    return module_new(sizeof(Module), &type);
}

/* Linear, PReLU, a counter, Linear, PReLU: "0" to "4". */
static Module *freeze_net(void)
{
    random_seed(1);
    return SEQUENTIAL(linear_new(3, 4), prelu_new(4, (real)0.25), freeze_counter_new(),
                      linear_new(4, 2), prelu_new(2, (real)-0.5));
}

/* The sum of squares of the outputs for a constant input. */
static Var *freeze_loss(Module *net)
{
    Var *y = module_forward(net, var_detach(net_random(SHAPE(5, 3), 2)));
    return var_sum(var_square(y), ALL_AXES, false);
}

static void freeze_zero_grad(Module *net)
{
    Parameters list = module_parameters(net);
    for (int i = 0; i < list.count; i++)
        var_zero_grad(list.item[i].var);
    parameters_free(&list);
}

/* Runs forward and backward; returns how many gradients the counter has passed down. */
static int freeze_backward(Module *net)
{
    size_t mark = tape_mark();
    freeze_zero_grad(net);
    freeze_passed = 0;
    var_backward(freeze_loss(net));
    tape_rewind(mark);
    return freeze_passed;
}

static bool freeze_is_bias(const Parameter *p)
{
    return strstr(p->name, "bias") != NULL;
}

static bool freeze_is_none(const Parameter *p)
{
    (void)p;
    return false;
}

/* Writes 1 for each parameter that has a gradient and 0 for each that has none. */
static const char *freeze_pattern(Module *net)
{
    static char text[16];
    Parameters list = module_parameters(net);
    for (int i = 0; i < list.count; i++)
        text[i] = list.item[i].var->grad ? '1' : '0';
    text[list.count] = '\0';
    parameters_free(&list);
    return text;
}

/* --- which ones ------------------------------------------------------------------------------- */

START_TEST(a_predicate_freezes_some_of_a_network)
{
    Module *net = freeze_net();
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "111111");
    module_freeze(net, parameter_is_slope);
    ck_assert_str_eq(freeze_pattern(net), "110110"); /* their gradients are freed */
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "110110");
    module_freeze(net, freeze_is_bias);
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "100100");
    module_unfreeze(net, parameter_is_slope);
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "101101");
    module_unfreeze(net, NULL);
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "111111");
    module_free(net);
}
END_TEST

START_TEST(a_part_of_a_network_is_frozen_by_itself)
{
    Module *net = freeze_net();
    module_freeze(module_child(net, "3"), NULL);
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "111001");
    module_free(net);
}
END_TEST

START_TEST(a_predicate_that_holds_for_none_is_refused)
{
    Module *net = freeze_net(), *bare = relu_new();
    uint64_t before = testing_blocks();
    ck_assert_fails(module_freeze(net, freeze_is_none), "module_freeze: the predicate holds for "
                    "no parameter of Sequential, which has 6; module_parameters lists their names");
    ck_assert_fails(module_unfreeze(net, freeze_is_none), "module_unfreeze: the predicate holds");
    ck_assert_fails(module_freeze(bare, NULL), "module_freeze: ReLU has no parameters");
    ck_assert_fails(module_freeze(NULL, NULL), "module_freeze: the module is NULL");
    ck_assert_fails(module_unfreeze(NULL, NULL), "module_unfreeze: the module is NULL");
    ck_assert_uint_eq(testing_blocks(), before);
    module_free(net), module_free(bare);
}
END_TEST

/* --- what is not computed --------------------------------------------------------------------- */

/* The rules of the ops below the first parameter that is not frozen are not called. */
START_TEST(what_is_below_frozen_parameters_is_not_differentiated)
{
    Module *net = freeze_net();
    ck_assert_int_eq(freeze_backward(net), 1);
    module_freeze(module_child(net, "0"), NULL);
    ck_assert_int_eq(freeze_backward(net), 1); /* for the slopes of "1" */
    module_freeze(module_child(net, "1"), NULL);
    ck_assert_int_eq(freeze_backward(net), 0);
    ck_assert_str_eq(freeze_pattern(net), "000111");
    module_free(net);
}
END_TEST

/* The gradients of the others have the same bits as without freezing. */
START_TEST(gradients_flow_through_frozen_parameters)
{
    Module *net = freeze_net();
    freeze_backward(net);
    Tensor *expected = tensor_clone(module_param(net, "0.weight")->grad);
    module_freeze(module_child(net, "1"), NULL);
    module_freeze(module_child(net, "3"), NULL);
    module_freeze(module_child(net, "4"), NULL);
    ck_assert_int_eq(freeze_backward(net), 1);
    ck_assert_str_eq(freeze_pattern(net), "110000");
    ck_assert(tensor_same_bits(module_param(net, "0.weight")->grad, expected));
    tensor_free(expected);
    module_free(net);
}
END_TEST

/* The blocks that a backward pass through the module takes from an empty pool. If `owned`, the pass
 * owns the gradient of the module's output, so that PReLU's rule overwrites it. */
static int freeze_cost(Module *m, bool owned, Tensor **gx)
{
    Var *x = net_random(SHAPE(6, 1024), 3), *gy = net_random(SHAPE(6, 1024), 4);
    Var *y = module_forward(m, x);
    if (owned)
        y = var_neg(y);
    testing_blocks();
    uint64_t before = memory_counts().allocations;
    var_backward_with(y, gy);
    int cost = (int)(memory_counts().allocations - before);
    *gx = tensor_clone(x->grad);
    return cost;
}

/* The gradient of the input has the same bits, and the memory for that of the slopes is saved. */
START_TEST(frozen_slopes_cost_no_gradient)
{
    const int saved[2] = {4, 2}; /* if owned, some blocks are reused */
    for (int owned = 0; owned < 2; owned++) {
        Tensor *gx, *gx_frozen;
        Module *prelu = prelu_new(1024, (real)-0.375);
        int cost = freeze_cost(prelu, owned, &gx);
        ck_assert_ptr_nonnull(module_param(prelu, "weight")->grad);
        module_freeze(prelu, NULL);
        int cost_frozen = freeze_cost(prelu, owned, &gx_frozen);
        ck_assert_ptr_null(module_param(prelu, "weight")->grad);
        ck_assert(tensor_same_bits(gx, gx_frozen));
        if (TESTING_POOL)
            ck_assert_int_eq(cost - cost_frozen, saved[owned]);
        tensor_free(gx), tensor_free(gx_frozen);
        module_free(prelu);
    }
}
END_TEST

/* The same for a gradient that is differentiated again: d(gx)/dx of the same network. */
START_TEST(frozen_slopes_can_be_differentiated_twice)
{
    Module *prelu = prelu_new(3, (real)0.25);
    module_freeze(prelu, NULL);
    Var *x = net_random(SHAPE(6, 3), 3), *g, *h;
    Var *y = var_sum(var_square(module_forward(prelu, x)), ALL_AXES, false);
    var_grad(y, &x, 1, CREATE_GRAPH, &g);
    var_grad(var_sum(g, ALL_AXES, false), &x, 1, GRAD_ONLY, &h);
    for (ptrdiff_t i = 0; i < 18; i++) /* y'' = 2 a^2 */
        ck_assert_close(tensor_read(h->value)[i], tensor_read(x->value)[i] > 0 ? 2 : 0.125, NEAR);
    module_free(prelu);
}
END_TEST

/* A parameter that is frozen between the forward and the backward pass gets no gradient. */
START_TEST(freezing_between_forward_and_backward_takes_effect)
{
    Module *net = freeze_net();
    Var *loss = freeze_loss(net);
    module_freeze(module_child(net, "0"), NULL);
    var_backward(loss);
    ck_assert_str_eq(freeze_pattern(net), "001111");
    module_free(net);
}
END_TEST

START_TEST(a_network_that_is_frozen_completely_says_so)
{
    Module *net = freeze_net();
    Var *weight = module_param(net, "3.weight"), *g;
    module_freeze(net, NULL);
    ck_assert_fails(var_backward(freeze_loss(net)), "depends on nothing that requires a gradient; "
                    "was it computed between no_grad_begin and no_grad_end, or only from constants "
                    "and frozen parameters (see module_unfreeze)?");
    ck_assert_fails(var_grad(freeze_loss(net), &weight, 1, GRAD_ONLY, &g),
                    "'3.weight' (2, 4), does not require a gradient; it is frozen: unfreeze it "
                    "with module_unfreeze");
    module_free(net);
}
END_TEST

START_TEST(a_product_with_a_frozen_parameter_says_so)
{
    Module *net = freeze_net();
    Var *weight = module_param(net, "3.weight"), *v = var_full(var_shape(weight), 1), *Hv;
    module_freeze(net, NULL);
    module_unfreeze(net, parameter_is_slope);
    ck_assert_fails(var_hvp(freeze_loss(net), &weight, 1, &v, &Hv), "var_hvp: input 0, "
                    "'3.weight' (2, 4), does not require a gradient; it is frozen: unfreeze it");
    module_free(net);
}
END_TEST

/* The input of a frozen network may still require a gradient. */
START_TEST(a_frozen_network_has_an_input_gradient)
{
    Module *net = freeze_net();
    Var *x = net_random(SHAPE(5, 3), 2);
    module_freeze(net, NULL);
    var_backward(var_sum(module_forward(net, x), ALL_AXES, false));
    ck_assert_ptr_nonnull(x->grad);
    ck_assert_str_eq(freeze_pattern(net), "000000");
    module_free(net);
}
END_TEST

/* Only module_eval stops the statistics of a batch norm. */
START_TEST(a_frozen_batch_norm_updates_its_statistics)
{
    Module *norm = batch_norm1d_new(3);
    const Tensor *mean = module_part_tensor(module_part(norm, PART_BUFFER, "running_mean"));
    module_freeze(norm, NULL);
    module_forward(norm, var_full(SHAPE(4, 3), 2));
    ck_assert_tensor(mean, SHAPE(3), net_tolerance, 0.2, 0.2, 0.2);
    module_eval(norm);
    module_forward(norm, var_full(SHAPE(4, 3), 2));
    ck_assert_tensor(mean, SHAPE(3), net_tolerance, 0.2, 0.2, 0.2);
    module_free(norm);
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

/* A file of weights does not say what is frozen, so loading it does not change that. */
START_TEST(a_file_of_weights_freezes_nothing)
{
    Error err;
    Module *net = freeze_net(), *other = freeze_net();
    module_freeze(net, parameter_is_slope);
    ck_assert(module_save(net, scratch_path("net"), &err));
    ck_assert(module_load(other, scratch_path("net"), &err));
    freeze_backward(other);
    ck_assert_str_eq(freeze_pattern(other), "111111");
    ck_assert(module_load(net, scratch_path("net"), &err));
    freeze_backward(net);
    ck_assert_str_eq(freeze_pattern(net), "110110");
    module_free(net), module_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("freeze");
    testing_add(suite, "which", 20, (const TTest *const[]){
        a_predicate_freezes_some_of_a_network, a_part_of_a_network_is_frozen_by_itself,
        a_predicate_that_holds_for_none_is_refused, a_file_of_weights_freezes_nothing, NULL});
    testing_add(suite, "cost", 20, (const TTest *const[]){
        what_is_below_frozen_parameters_is_not_differentiated,
        gradients_flow_through_frozen_parameters, frozen_slopes_cost_no_gradient,
        frozen_slopes_can_be_differentiated_twice,
        freezing_between_forward_and_backward_takes_effect,
        a_network_that_is_frozen_completely_says_so, a_product_with_a_frozen_parameter_says_so,
        a_frozen_network_has_an_input_gradient, a_frozen_batch_norm_updates_its_statistics, NULL});
    return scratch_main(suite);
}
