/* tests/autograd/check_guards.c -- the traps around a graph: values changed behind its back,
 * parameters that are views or are freed too early, infinities that must not become NaN, missing
 * arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/op.h"
#include "nn/layers.h"
#include "optim/trainer.h"
#include "tensor/files/safetensors.h"
#include "tests/testing.h"

/* --- values changed behind the graph's back --------------------------------------------------- */

START_TEST(a_result_written_to_is_named)
{
    Var *x = var_leaf_from(SHAPE(2), (const real[]){0, 1});
    Var *y = var_exp(x), *loss = var_sum(y, ALL_AXES, false);
    tensor_fill(y->value, 100); /* exp's rule reads its own result */
    ck_assert_fails(var_backward(loss), "exp #");
    ck_assert_ptr_null(x->grad);
    Var *z = var_tanh(x);
    tensor_fill(z->value, 3); /* before anything used it */
    ck_assert_fails(var_backward(var_sum(z, ALL_AXES, false)), "was written to");
    tape_rewind(0);
}
END_TEST

/* --- parameters ------------------------------------------------------------------------------- */

START_TEST(a_parameter_given_as_a_view_becomes_a_tensor_of_its_own)
{
    Tensor *base = tensor_from(SHAPE(2, 3), (const real[]){1, 2, 3, 4, 5, 6});
    Tensor *one = tensor_scalar(7);
    Var *turned = var_param_new(tensor_transpose(base, 0, 1), "turned");
    Var *stretched = var_param_new(tensor_expand(one, SHAPE(4)), "stretched");
    ck_assert(tensor_is_contiguous(turned->value) && tensor_is_contiguous(stretched->value));
    ck_assert_tensor(turned->value, SHAPE(3, 2), 0, 1, 4, 2, 5, 3, 6);
    ck_assert_tensor(stretched->value, SHAPE(4), 0, 7, 7, 7, 7);
    var_param_free(turned), var_param_free(stretched);
    tensor_free(base), tensor_free(one);
}
END_TEST

static void guards_rule_fails(Var *y, Var *gy)
{
    SEND(y->in[0], gy);
    slope_fail("guards", "the rule failed");
}

static void guards_copy(Var *y) { tensor_copy(y->value, y->in[0]->value); }

static const Op guards_op = {
    .name = "guards", .forward = guards_copy, .backward = guards_rule_fails};

/* When the pass fails, the parameter has an unfinished gradient; it is freed before the rewind. */
START_TEST(a_parameter_may_be_freed_between_a_failed_backward_and_the_rewind)
{
    Var *volatile p = var_param_new(tensor_full(SHAPE(2), 1), "p");
    size_t mark = tape_mark();
    if (setjmp(testing_jump) == 0) {
        testing_catch();
        var_backward(var_sum(var_apply_like(&guards_op, p), ALL_AXES, false));
        ck_abort_msg("the rule did not fail");
    }
    testing_release();
    var_param_free(p);
    tape_rewind(mark);
    ck_assert(grad_enabled());
}
END_TEST

static Var *guards_other; /* something with a gradient, for the rule to misuse */

static void guards_rule_sweeps(Var *y, Var *gy)
{
    (void)y, (void)gy;
    var_backward(guards_other);
}

static const Op guards_sweeping_op = {
    .name = "sweeping", .forward = guards_copy, .backward = guards_rule_sweeps};

START_TEST(a_backward_inside_a_rule_is_refused)
{
    Var *x = var_leaf_from(SHAPE(1), (const real[]){2});
    guards_other = var_exp(x);
    Var *y = var_apply_like(&guards_sweeping_op, x);
    ck_assert_fails(var_backward(y), "inside the backward rule of sweeping");
    tape_rewind(0);
}
END_TEST

/* --- infinities and NaN ----------------------------------------------------------------------- */

START_TEST(a_class_ruled_out_by_minus_infinity_costs_nothing)
{
    Labels label = {.data = (int32_t[]){0}, .count = 1};
    Var *x = var_leaf_from(SHAPE(1, 2), (const real[]){0, -(real)INFINITY});
    Var *loss = var_cross_entropy(x, &label);
    ck_assert_close(var_item(loss), 0, 0);
    var_backward(loss);
    ck_assert_tensor(x->grad, SHAPE(1, 2), 0, 0, 0);
    tape_rewind(0);
}
END_TEST

START_TEST(the_mean_of_equal_numbers_is_that_number)
{
    for (ptrdiff_t n = 1; n < 100; n++)
        ck_assert_close(var_item(var_mean(var_full(SHAPE(n), 1), ALL_AXES, false)), 1, 0);
    tape_rewind(0);
}
END_TEST

START_TEST(the_loser_of_an_infinite_gradient_gets_zero)
{
    const real inf = (real)INFINITY;
    Var *a = var_leaf_from(SHAPE(2), (const real[]){1, 2});
    Var *b = var_leaf_from(SHAPE(2), (const real[]){0, 3});
    var_backward_with(var_maximum(a, b), var_const_from(SHAPE(2), (const real[]){inf, inf}));
    ck_assert_tensor(a->grad, SHAPE(2), 0, (double)inf, 0);
    ck_assert_tensor(b->grad, SHAPE(2), 0, 0, (double)inf);
    tape_rewind(0);
}
END_TEST

START_TEST(gradients_returned_by_var_grad_can_be_written_to)
{
    Var *x = var_leaf_from(SHAPE(2, 2), (const real[]){1, 2, 3, 4}), *g[1];
    var_grad(var_sum(x, ALL_AXES, false), VARS(x), GRAD_ONLY, g);
    ck_assert(tensor_is_contiguous(g[0]->value)); /* not the stretched one that sum sends */
    tape_rewind(0);
}
END_TEST

static void guards_prelu_overflows(void)
{
    Var *x = var_leaf_from(SHAPE(1), (const real[]){-REAL_MAX / 2});
    Var *a = var_leaf_from(SHAPE(1), (const real[]){(real)0.25});
    var_backward_with(var_prelu(x, a), var_const_from(SHAPE(1), (const real[]){(real)1e20}));
}

static void guards_batch_norm_overflows(void)
{
    Var *x = var_leaf_from(SHAPE(2, 1), (const real[]){0, 1});
    Var *w = var_leaf_from(SHAPE(1), (const real[]){1}),
        *b = var_leaf_from(SHAPE(1), (const real[]){0});
    Var *y = var_batch_norm(x, w, b, (real)1e-5);
    var_backward_with(
        y, var_const_from(SHAPE(2, 1), (const real[]){(real)0.9 * REAL_MAX, (real)0.9 * REAL_MAX}));
}

/* These rules are fused kernels, whose intermediate values are not checked; in anomaly mode, ops
 * are used instead. */
START_TEST(anomaly_mode_sees_into_the_fused_rules)
{
    anomaly_mode(true);
    ck_assert_fails(guards_prelu_overflows(), "in the backward rule of prelu");
    ck_assert_fails(guards_batch_norm_overflows(), "in the backward rule of batch_norm");
    anomaly_mode(false);
}
END_TEST

/* --- missing arguments ------------------------------------------------------------------------ */

START_TEST(a_missing_tensor_is_reported)
{
    Labels label = {.data = (int32_t[]){0}, .count = 1};
    Module *m = relu_new();
    Safetensors *list = safetensors_new();
    ck_assert_fails(var_const(NULL), "slope: var_const: the tensor is NULL");
    ck_assert_fails(var_leaf(NULL), "slope: var_leaf: the tensor is NULL");
    ck_assert_fails(var_param_new(NULL, "w"), "slope: var_param_new: the tensor is NULL");
    ck_assert_fails(var_zero_grad(NULL), "slope: var_zero_grad: an input is NULL");
    ck_assert_fails(var_const_from(SHAPE(2), NULL), "slope: var_const_from: the values");
    ck_assert_fails(var_leaf_from(SHAPE(2), NULL), "slope: var_leaf_from: the values");
    ck_assert_fails(module_add_param(m, "w", NULL), "slope: module_add_param: 'w' is NULL");
    ck_assert_fails(module_add_buffer(m, "b", NULL), "slope: module_add_buffer: 'b' is NULL");
    ck_assert_fails(labels_correct(NULL, &label), "slope: labels_correct: the ");
    ck_assert_fails(safetensors_add_tensor(list, "x", NULL), "slope: safetensors_add_tensor: the");
    ck_assert_fails(safetensors_get(list, "x", NULL, NULL), "slope: safetensors_get: the tensor");
    ck_assert_fails(safetensors_check(list, "x", NULL, NULL), "slope: safetensors_check: the ");
    safetensors_free(list);
    module_free(m);
}
END_TEST

START_TEST(missing_things_are_named)
{
    Var *x = var_const_from(SHAPE(1, 2), (const real[]){0, 1});
    ck_assert_fails(tensor_print(x->grad), "NULL");
    ck_assert_fails(tensor_item(x->grad), "var_backward");
    ck_assert_fails(var_cross_entropy(x, NULL), "labels");
    ck_assert_fails(module_forward(NULL, x), "module is NULL");
    ck_assert_fails(adam_new(NULL, 1), "module is NULL");
    ck_assert_fails(loader_new(NULL, (LoaderOptions){0}), "dataset is NULL");
    Trainer t = {.epochs = 1};
    ck_assert_fails(trainer_fit(&t), ".net");
    Module *part = relu_new(), *whole = SEQUENTIAL(part);
    ck_assert_fails(module_add_child(whole, "again", part), "already belongs");
    module_free(whole);
    tape_rewind(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guards");
    const TTest *const graph[] = {
        a_result_written_to_is_named,
        a_parameter_given_as_a_view_becomes_a_tensor_of_its_own,
        a_parameter_may_be_freed_between_a_failed_backward_and_the_rewind,
        a_backward_inside_a_rule_is_refused,
        NULL,
    };
    const TTest *const values[] = {
        a_class_ruled_out_by_minus_infinity_costs_nothing,
        the_mean_of_equal_numbers_is_that_number,
        the_loser_of_an_infinite_gradient_gets_zero,
        gradients_returned_by_var_grad_can_be_written_to,
        anomaly_mode_sees_into_the_fused_rules,
        a_missing_tensor_is_reported,
        missing_things_are_named,
        NULL,
    };
    testing_add(suite, "graph", 20, graph);
    testing_add(suite, "values", 20, values);
    return testing_main(suite);
}
