/* tests/autograd/check_autograd.c -- what var_backward and var_grad promise.
 *
 * Values here are small enough to differentiate by hand. check_ops.c tests the rules of the ops,
 * check_tape.c the use of memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/backward.h"
#include "tests/testing.h"

/* A one-dimensional leaf with these values. */
#define LEAF(...)                                                             \
    var_leaf_from(SHAPE(sizeof((real[]){__VA_ARGS__}) / sizeof(real)),        \
                  (const real[]){__VA_ARGS__})

static Var *grad_leaf_scalar(real value)
{
    return var_leaf(var_scalar(value)->value);
}

static Var *grad_param(const char *name, real value)
{
    return var_param_new(tensor_full(SHAPE(2), value), name);
}

static Var *grad_total(Var *x)
{
    return var_sum(x, ALL_AXES, false);
}

static void grad_rewind(void)
{
    tape_rewind(0);
}

/* --- var_backward ----------------------------------------------------------------------------- */

START_TEST(leaves_accumulate_over_calls)
{
    Var *x = LEAF(1, 2, 3);
    ck_assert_ptr_null(x->grad);
    for (int call = 1; call <= 3; call++) {
        var_backward(grad_total(var_square(x)));
        ck_assert_tensor(x->grad, SHAPE(3), NEAR, 2 * call, 4 * call, 6 * call);
    }
    var_zero_grad(x);
    ck_assert_ptr_null(x->grad); /* no gradient, rather than zeros */
    var_backward(grad_total(x));
    ck_assert_tensor(x->grad, SHAPE(3), NEAR, 1, 1, 1);
}
END_TEST

/* If interior Vars kept their gradients, the second call would add 3 times as much as the first. */
START_TEST(backward_twice_over_one_graph_doubles)
{
    Var *x = LEAF(2, 3), *y = var_square(x), *loss = grad_total(var_square(y));
    var_backward(loss);
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 32, 108);
    var_backward(loss);
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 64, 216);
    ck_assert_ptr_null(y->grad);
    ck_assert_ptr_null(loss->grad);
}
END_TEST

/* The gradients 1, 2^60 and -2^60 arrive in the order opposite to that of the uses: the large two
 * cancel first. In any other order the 1 would be lost. */
START_TEST(gradients_are_added_from_the_last_use_to_the_first)
{
    const real big = (real)((int64_t)1 << 60);
    Var *x = LEAF(1), *a = var_scale(x, 1), *b = var_scale(x, big), *c = var_scale(x, -big);
    var_backward(grad_total(var_add(var_add(a, b), c)));
    ck_assert_tensor(x->grad, SHAPE(1), 0, 1);
}
END_TEST

/* A chain of 60 results: the forward keeps them all, the backward a few at a time. */
START_TEST(backward_needs_a_few_buffers_only)
{
    Var *x = LEAF(0), *y = var_expand(x, SHAPE(10000));
    memory_trim();
    uint64_t before = memory_counts().allocations;
    for (int i = 0; i < 60; i++)
        y = var_tanh(y);
    Var *loss = grad_total(y);
    uint64_t forward = memory_counts().allocations - before;
    var_backward(loss);
    uint64_t backward = memory_counts().allocations - before - forward;
    ck_assert_tensor(x->grad, SHAPE(1), 0, 10000);
    ck_assert_uint_ge(forward, 60);
    if (TESTING_POOL)
        ck_assert_uint_le(backward, 30);
}
END_TEST

static void grad_copy_forward(Var *y)
{
    tensor_copy(y->value, y->in[0]->value);
}

static void grad_rewinding_backward(Var *y, Var *gy)
{
    (void)y, (void)gy;
    tape_rewind(0);
}

static void grad_scope_backward(Var *y, Var *gy)
{
    (void)y, (void)gy;
    no_grad_begin();
}

START_TEST(a_rule_that_rewinds_or_leaves_a_scope_open_is_reported)
{
    const Op rewinds = {.name = "rewinds", .forward = grad_copy_forward,
                        .backward = grad_rewinding_backward};
    const Op opens = {.name = "opens", .forward = grad_copy_forward,
                      .backward = grad_scope_backward};
    ck_assert_fails(var_backward(var_apply_like(&opens, LEAF(1))),
                    "var_backward: the rule of opens rewound the tape or left a scope open");
    testing_sentence[0] = '\0';
    if (setjmp(testing_jump) == 0) { /* ck_assert_fails would rewind to a mark that is gone */
        testing_catch();
        var_backward(var_apply_like(&rewinds, LEAF(1)));
    }
    testing_release();
    ck_assert_ptr_nonnull(strstr(testing_sentence, "the rule of rewinds rewound the tape"));
}
END_TEST

START_TEST(one_var_may_be_used_many_times)
{
    Var *x = LEAF(2, -3);
    var_backward(grad_total(var_mul(x, x)));
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 4, -6);
    var_zero_grad(x);
    var_backward(grad_total(var_add(x, var_add(x, x))));
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 3, 3);
    var_zero_grad(x);
    Var *y = var_scale(x, 2); /* a diamond: y^2 + 3y */
    var_backward(grad_total(var_add(var_square(y), var_scale(y, 3))));
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 22, -18);
}
END_TEST

START_TEST(only_what_wants_a_gradient_gets_one)
{
    Var *x = LEAF(1, 2), *c = var_full(SHAPE(2), 5);
    Var *y = var_mul(x, c), *other = var_exp(x);
    var_backward(grad_total(y));
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 5, 5);
    ck_assert_ptr_null(c->grad);
    ck_assert_ptr_null(other->grad);
    ck_assert(!var_square(c)->requires_grad);
}
END_TEST

START_TEST(backward_starts_anywhere)
{
    Var *x = LEAF(3), *y = var_square(x), *z = var_exp(y);
    (void)z; /* later on the tape than y, so it is not visited */
    var_backward(y);
    ck_assert_tensor(x->grad, SHAPE(1), NEAR, 6);
    Var *leaf = grad_leaf_scalar(7);
    var_backward(leaf); /* d leaf / d leaf */
    ck_assert_tensor(leaf->grad, SHAPE_SCALAR, 0, 1);
    Var *p = var_param_new(tensor_scalar(2), "p");
    var_backward(p);
    ck_assert_tensor(p->grad, SHAPE_SCALAR, 0, 1);
    var_param_free(p);
}
END_TEST

START_TEST(backward_wants_one_element_or_a_gradient)
{
    Var *x = LEAF(1, 2, 3), *y = var_square(x);
    ck_assert_fails(var_backward(y), "has 3 elements");
    ck_assert_fails(var_backward(y), "var_backward_with");
    ck_assert_fails(var_backward_with(y, var_full(SHAPE(2), 1)), "the gradient has shape (2,)");
    var_backward_with(y, LEAF(1, 10, 100));
    ck_assert_tensor(x->grad, SHAPE(3), NEAR, 2, 40, 600);
    ck_assert_fails(var_backward(var_scalar(1)), "depends on nothing that requires a gradient");
    ck_assert_fails(var_backward(NULL), "NULL");
}
END_TEST

START_TEST(detach_cuts_the_gradient_and_shares_the_value)
{
    Var *x = LEAF(2, 3), *y = var_square(x), *cut = var_detach(y);
    ck_assert(!cut->requires_grad);
    ck_assert_ptr_eq(cut->value->storage, y->value->storage);
    var_backward(grad_total(var_mul(x, cut)));
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 4, 9); /* not 3x^2 */
}
END_TEST

START_TEST(an_interior_can_retain_its_gradient)
{
    Var *x = LEAF(2, 3), *y = var_square(x);
    var_retain_grad(y);
    Var *loss = grad_total(var_mul(y, y));
    for (int call = 1; call <= 2; call++) { /* y's gradient is replaced, the leaf's added to */
        var_backward(loss);
        ck_assert_tensor(y->grad, SHAPE(2), NEAR, 8, 18);
        ck_assert_tensor(x->grad, SHAPE(2), NEAR, 32 * call, 108 * call);
    }
    tensor_scale(y->grad, y->grad, 0);
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 64, 216);
}
END_TEST

/* --- aliases: gradients that share a tensor --------------------------------------------------- */

/* a + b sends the same tensor to both, and then the tape adds more to a's gradient. */
START_TEST(adding_to_one_summand_leaves_the_other_alone)
{
    Var *a = LEAF(1, 2), *b = LEAF(3, 4), *c = LEAF(5, 6);
    Var *product = var_mul(a, c); /* played after the sum, so it is added to a's slot */
    Var *sum = var_add(a, b);
    var_backward_with(var_add(sum, product), LEAF(1, 10));
    ck_assert_tensor(a->grad, SHAPE(2), NEAR, 6, 70);
    ck_assert_tensor(b->grad, SHAPE(2), NEAR, 1, 10);
    ck_assert_tensor(c->grad, SHAPE(2), NEAR, 1, 20);
}
END_TEST

/* The same with interior Vars, whose slots are still in use when the shared tensor is added to. */
START_TEST(adding_to_one_interior_leaves_the_other_alone)
{
    Var *x = LEAF(1, 2), *a = var_scale(x, 2), *b = var_scale(x, 3);
    Var *product = var_mul(a, a), *sum = var_add(a, b);
    var_retain_grad(a), var_retain_grad(b), var_retain_grad(sum);
    var_backward(grad_total(var_add(sum, product)));
    ck_assert_tensor(sum->grad, SHAPE(2), NEAR, 1, 1);
    ck_assert_tensor(b->grad, SHAPE(2), NEAR, 1, 1);
    ck_assert_tensor(a->grad, SHAPE(2), NEAR, 5, 9);
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 13, 21);
}
END_TEST

START_TEST(two_leaves_never_share_a_gradient)
{
    Var *a = LEAF(1, 2), *b = LEAF(3, 4), *y = var_add(a, b), *gy = LEAF(1, 1);
    var_backward_with(y, gy);
    ck_assert_ptr_ne(a->grad->storage, b->grad->storage);
    ck_assert_ptr_ne(a->grad->storage, gy->value->storage);
    ck_assert_ptr_ne(b->grad->storage, gy->value->storage);
    tensor_scale(a->grad, a->grad, 10); /* as clipping would */
    ck_assert_tensor(a->grad, SHAPE(2), NEAR, 10, 10);
    ck_assert_tensor(b->grad, SHAPE(2), NEAR, 1, 1);
    ck_assert_tensor(gy->value, SHAPE(2), NEAR, 1, 1);
    var_backward(grad_total(y)); /* from a stretched gradient */
    tensor_scale(a->grad, a->grad, 10);
    ck_assert_tensor(b->grad, SHAPE(2), NEAR, 2, 2);
}
END_TEST

/* sum sends a view with stride 0: adding to it would add to one element n times. */
START_TEST(a_sum_s_stretched_gradient_is_not_added_into)
{
    Var *x = LEAF(1, 2, 3);
    var_backward(var_add(grad_total(x), grad_total(x)));
    ck_assert_tensor(x->grad, SHAPE(3), NEAR, 2, 2, 2);
    ck_assert(tensor_is_contiguous(x->grad));
    tensor_write(x->grad)[0] = 5; /* the elements are separate */
    ck_assert_tensor(x->grad, SHAPE(3), NEAR, 5, 2, 2);
}
END_TEST

START_TEST(a_leaf_s_gradient_is_contiguous_and_its_own)
{
    Var *x = var_leaf(var_full(SHAPE(2, 3), 2)->value);
    Var *g = var_full(SHAPE(3, 2), 1);
    var_backward_with(var_transpose(x, 0, 1), g);
    ck_assert(tensor_is_contiguous(x->grad) && tensor_owns_storage(x->grad));
    var_zero_grad(x);
    var_backward(grad_total(x));
    ck_assert(tensor_is_contiguous(x->grad) && tensor_owns_storage(x->grad));
}
END_TEST

/* --- var_grad --------------------------------------------------------------------------------- */

START_TEST(var_grad_leaves_grad_alone)
{
    Var *p = grad_param("p", 3), *q = grad_param("q", 5), *g[1];
    p->grad = tensor_full(SHAPE(2), 7);
    Var *y = grad_total(var_mul(var_square(p), q));
    for (GradMode mode = GRAD_ONLY; mode <= CREATE_GRAPH; mode++) {
        var_grad(y, VARS(p), mode, g);
        ck_assert_tensor(g[0]->value, SHAPE(2), NEAR, 30, 30);
        ck_assert_int_eq(g[0]->requires_grad, mode == CREATE_GRAPH);
        ck_assert_tensor(p->grad, SHAPE(2), 0, 7, 7);
        ck_assert_ptr_null(q->grad);
    }
    var_backward(y); /* and nothing is left over for a later pass */
    ck_assert_tensor(p->grad, SHAPE(2), NEAR, 37, 37);
    ck_assert_tensor(q->grad, SHAPE(2), NEAR, 9, 9);
    grad_rewind();
    var_param_free(p), var_param_free(q);
}
END_TEST

START_TEST(var_grad_takes_leaves_interiors_params_and_repeats)
{
    Var *p = grad_param("p", 3), *x = LEAF(1, 2), *y = var_mul(p, x),
        *z = grad_total(var_square(y));
    for (GradMode mode = GRAD_ONLY; mode <= CREATE_GRAPH; mode++) {
        Var *g[5];
        var_grad(z, VARS(y, p, x, y, z), mode, g);
        ck_assert_tensor(g[0]->value, SHAPE(2), NEAR, 6, 12);
        ck_assert_tensor(g[1]->value, SHAPE(2), NEAR, 6, 24);
        ck_assert_tensor(g[2]->value, SHAPE(2), NEAR, 18, 36);
        ck_assert_tensor(g[3]->value, SHAPE(2), NEAR, 6, 12);
        ck_assert_tensor(g[4]->value, SHAPE_SCALAR, NEAR, 1);
        ck_assert_ptr_null(y->grad);
    }
    grad_rewind();
    var_param_free(p);
}
END_TEST

START_TEST(var_grad_of_an_independent_input_is_none)
{
    Var *x = LEAF(1, 2), *other = LEAF(3, 4), *later, *g[3];
    Var *y = grad_total(var_square(x));
    later = var_exp(x);
    var_grad(y, VARS(other, x, later), GRAD_ONLY, g);
    ck_assert_ptr_null(g[0]);
    ck_assert_tensor(g[1]->value, SHAPE(2), NEAR, 2, 4);
    ck_assert_ptr_null(g[2]);
    var_grad(y, VARS(other, x, later), CREATE_GRAPH, g);
    ck_assert_ptr_null(g[0]);
    ck_assert_ptr_null(g[2]);
    ck_assert_fails(var_grad(y, VARS(x, var_scalar(1)), GRAD_ONLY, g), "input 1");
}
END_TEST

START_TEST(var_grad_with_weighs_the_elements)
{
    Var *x = LEAF(1, 2), *g[1];
    var_grad_with(var_square(x), LEAF(10, 100), VARS(x), GRAD_ONLY, g);
    ck_assert_tensor(g[0]->value, SHAPE(2), NEAR, 20, 400);
    ck_assert_fails(var_grad(var_square(x), VARS(x), GRAD_ONLY, g), "has 2 elements");
}
END_TEST

/* The pass computes only what the gradients of the requested inputs need. */
START_TEST(var_grad_plays_only_the_rules_it_needs)
{
    Var *x = LEAF(1, 2), *unused = LEAF(3, 4), *g[1];
    Var *y = var_add(grad_total(var_square(x)), grad_total(var_tanh(unused)));
    size_t mark = tape_mark();
    var_grad(y, VARS(x), CREATE_GRAPH, g);
    for (size_t i = mark; i < tape_mark(); i++) /* the rule of tanh begins with a square of y */
        for (int k = 0; k < tape_at(i)->n_in; k++)
            ck_assert_str_ne(tape_at(i)->in[k]->op ? tape_at(i)->in[k]->op->name : "", "tanh");
}
END_TEST

/* x^4 at 1.5: 4x^3, 12x^2, 24x, 24, 0. */
START_TEST(derivatives_of_x_to_the_fourth)
{
    const double expected[] = {13.5, 27, 36, 24};
    Var *x = grad_leaf_scalar((real)1.5), *y = var_square(var_square(x)), *g[1];
    for (int order = 0; order < 4; order++) {
        var_grad(y, VARS(x), CREATE_GRAPH, g);
        ck_assert_close(var_item(g[0]), expected[order], 100 * NEAR);
        y = g[0];
    }
    if (y->requires_grad)
        var_grad(y, VARS(x), CREATE_GRAPH, g);
    ck_assert(!y->requires_grad || !g[0] || var_item(g[0]) == 0);
}
END_TEST

/* d/dp of |d(p x^2)/dx|^2 = d/dp 4 p^2 x^2 = 8 p x^2: backward through a recorded gradient. */
START_TEST(a_gradient_penalty_reaches_the_parameters)
{
    Var *p = grad_param("p", 3), *x = LEAF(1, 2), *g[1];
    var_grad(grad_total(var_mul(p, var_square(x))), VARS(x), CREATE_GRAPH, g);
    var_backward(grad_total(var_square(g[0])));
    ck_assert_tensor(p->grad, SHAPE(2), 10 * NEAR, 24, 96);
    grad_rewind();
    var_param_free(p);
}
END_TEST

/* --- detecting changed values ----------------------------------------------------------------- */

START_TEST(a_parameter_changed_before_backward_is_named)
{
    Var *p = grad_param("fc1.weight", 3), *y = grad_total(var_square(p)), *g[1];
    tensor_write(p->value)[0] = 1;
    ck_assert_fails(var_backward(y), "'fc1.weight' (2,) was written to after");
    ck_assert_fails(var_grad(y, VARS(p), GRAD_ONLY, g), "'fc1.weight'");
    ck_assert_ptr_null(p->grad);
    var_backward(grad_total(var_square(p))); /* a new forward is fine */
    ck_assert_tensor(p->grad, SHAPE(2), NEAR, 2, 6);
    grad_rewind();
    var_param_free(p);
}
END_TEST

START_TEST(a_write_through_a_view_is_detected_too)
{
    Var *x = LEAF(1, 2, 3, 4), *y = var_exp(x), *z = var_square(y);
    Tensor *view = tensor_slice(y->value, 0, 3, 4, 1);
    tensor_fill(view, 0);
    tensor_free(view);
    ck_assert_fails(var_backward(grad_total(z)), "exp #");
}
END_TEST

/* --- NaN and Inf ------------------------------------------------------------------------------ */

static void grad_anomaly_log(void)
{
    var_add_scalar(var_log(var_scalar(-1)), 1);
}

static void grad_anomaly_sqrt(void)
{
    var_backward(var_sqrt(grad_leaf_scalar(0)));
}

START_TEST(anomaly_mode_names_the_op)
{
    var_log(var_scalar(-1)); /* off: NaN is a value like any other */
    anomaly_mode(true);
    ck_assert_fails(grad_anomaly_log(), "log #");
    ck_assert_fails(grad_anomaly_log(), "nan");
    ck_assert_fails(var_exp(var_scalar(REAL_MAX)), "exp #");
    ck_assert_fails(var_exp(var_scalar(REAL_MAX)), "inf");
    var_exp(var_scalar((real)NAN)); /* the input is NaN already: exp is not the first */
    ck_assert_fails(grad_anomaly_sqrt(), "in the backward rule of sqrt #");
    ck_assert_fails(grad_anomaly_sqrt(), "div #");
    ck_assert_fails(grad_anomaly_log(), "element 0"); /* and a rule is no longer named */
    ck_assert_ptr_null(strstr(testing_sentence, "backward rule"));
    anomaly_mode(false);
    var_log(var_scalar(-1));
}
END_TEST

/* --- custom ops ------------------------------------------------------------------------------- */

static void sealed_forward(Var *y)
{
    tensor_copy(y->value, y->in[0]->value);
}

static void sealed_backward(Var *y, Var *gy)
{
    SEND(y->in[0], gy);
}

static const Op sealed = {.name = "sealed", .forward = sealed_forward, .backward = sealed_backward,
                          .once = true};

START_TEST(an_op_that_goes_once_says_so)
{
    Var *x = LEAF(1, 2), *y = grad_total(var_apply(&sealed, SHAPE(2), VARS(x))), *g[1];
    ck_assert_fails(var_grad(y, VARS(x), CREATE_GRAPH, g), "sealed");
    ck_assert_fails(var_grad(y, VARS(x), CREATE_GRAPH, g), "cannot be differentiated twice");
    var_grad(y, VARS(x), GRAD_ONLY, g);
    ck_assert_tensor(g[0]->value, SHAPE(2), 0, 1, 1);
    var_backward(y);
}
END_TEST

/* Two outputs, 2x and 3x; the rule records which gradients it received and how often it ran. */
static int twins_calls, twins_given;

static void twins_forward(Var *y)
{
    for (int k = 0; k < 2; k++)
        if (var_output(y, k)->value)
            tensor_scale(var_output(y, k)->value, y->in[0]->value, (real)(2 + k));
}

static void twins_backward(Var *y, Var *const *gy)
{
    twins_calls++;
    twins_given = (gy[0] ? 1 : 0) + (gy[1] ? 2 : 0);
    for (int k = 0; k < 2; k++)
        if (gy[k])
            SEND(y->in[0], var_scale(gy[k], (real)(2 + k)));
}

static const Op twins = {.name = "twins", .forward = twins_forward, .backward_all = twins_backward};

static Var *grad_twins(Var *x, bool want0, bool want1)
{
    Shape s = var_shape(x);
    const Shape *out[] = {want0 ? &s : NULL, want1 ? &s : NULL};
    twins_calls = 0;
    return var_apply_all(&twins, out, 2, VARS(x), NULL, 0);
}

START_TEST(an_op_of_two_outputs_plays_once_with_what_it_has)
{
    Var *x = LEAF(1, 2), *y = grad_twins(x, true, true);
    ck_assert_tensor(var_output(y, 1)->value, SHAPE(2), 0, 3, 6);
    var_backward(grad_total(y));
    ck_assert_int_eq(twins_given, 1);
    var_backward(grad_total(var_output(y, 1)));
    ck_assert_int_eq(twins_given, 2);
    var_backward(grad_total(var_mul(y, var_output(y, 1)))); /* 6x^2 */
    ck_assert_int_eq(twins_given, 3);
    ck_assert_int_eq(twins_calls, 3);
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 2 + 3 + 12, 2 + 3 + 24);
    ck_assert_fails(var_output(y, 2), "has 2 outputs");
}
END_TEST

START_TEST(backward_may_start_at_a_later_output)
{
    Var *x = LEAF(5), *y = grad_twins(x, true, true), *g[2];
    var_backward(var_output(y, 1));
    ck_assert_tensor(x->grad, SHAPE(1), 0, 3);
    var_grad(var_mul(y, var_output(y, 1)), VARS(var_output(y, 1), x), CREATE_GRAPH, g);
    ck_assert_tensor(g[0]->value, SHAPE(1), NEAR, 10);
    ck_assert_tensor(g[1]->value, SHAPE(1), NEAR, 60);
}
END_TEST

START_TEST(an_output_not_asked_for_is_not_there)
{
    Var *x = LEAF(1, 2), *y = grad_twins(x, false, true);
    ck_assert_ptr_null(y->value);
    var_backward(grad_total(var_output(y, 1)));
    ck_assert_tensor(x->grad, SHAPE(2), NEAR, 3, 3);
    ck_assert_fails(var_exp(y), "an output of twins that was not requested");
}
END_TEST

START_TEST(var_send_belongs_in_a_rule)
{
    Var *x = LEAF(1, 2);
    ck_assert_fails(var_send(x, x), "backward rule");
}
END_TEST

/* --- depth ------------------------------------------------------------------------------------ */

START_TEST(a_chain_of_100000_ops_needs_no_recursion)
{
    enum { LINKS = 100000 };
    size_t mark = tape_mark();
    Var *x = grad_leaf_scalar(1), *y = x, *one = var_scalar(1);
    for (int i = 0; i < LINKS; i++)
        y = var_add(y, one);
    ck_assert_close(var_item(y), 1 + LINKS, 0);
    var_backward(y);
    ck_assert_close(tensor_item(x->grad), 1, 0);
    tape_rewind(mark);
}
END_TEST

int main(void)
{
    const TTest *const backward[] = {leaves_accumulate_over_calls,
                                     backward_twice_over_one_graph_doubles,
                                     gradients_are_added_from_the_last_use_to_the_first,
                                     backward_needs_a_few_buffers_only,
                                     a_rule_that_rewinds_or_leaves_a_scope_open_is_reported,
                                     one_var_may_be_used_many_times,
                                     only_what_wants_a_gradient_gets_one,
                                     backward_starts_anywhere,
                                     backward_wants_one_element_or_a_gradient,
                                     detach_cuts_the_gradient_and_shares_the_value,
                                     an_interior_can_retain_its_gradient,
                                     a_chain_of_100000_ops_needs_no_recursion,
                                     NULL};
    const TTest *const aliases[] = {
        adding_to_one_summand_leaves_the_other_alone, adding_to_one_interior_leaves_the_other_alone,
        two_leaves_never_share_a_gradient, a_sum_s_stretched_gradient_is_not_added_into,
        a_leaf_s_gradient_is_contiguous_and_its_own, NULL};
    const TTest *const grad[] = {
        var_grad_leaves_grad_alone, var_grad_takes_leaves_interiors_params_and_repeats,
        var_grad_of_an_independent_input_is_none, var_grad_with_weighs_the_elements,
        var_grad_plays_only_the_rules_it_needs, derivatives_of_x_to_the_fourth,
        a_gradient_penalty_reaches_the_parameters, NULL};
    const TTest *const guards[] = {
        a_parameter_changed_before_backward_is_named, a_write_through_a_view_is_detected_too,
        anomaly_mode_names_the_op, an_op_that_goes_once_says_so, NULL};
    const TTest *const own[] = {
        an_op_of_two_outputs_plays_once_with_what_it_has, backward_may_start_at_a_later_output,
        an_output_not_asked_for_is_not_there, var_send_belongs_in_a_rule, NULL};

    Suite *suite = suite_create("autograd");
    testing_add(suite, "backward", 30, backward);
    testing_add(suite, "aliases", 10, aliases);
    testing_add(suite, "var_grad", 10, grad);
    testing_add(suite, "guards", 10, guards);
    testing_add(suite, "custom ops", 10, own);
    return testing_main(suite);
}
