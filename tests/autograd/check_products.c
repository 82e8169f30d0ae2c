/* tests/autograd/check_products.c -- var_hvp and var_jvp: compared with values computed by hand,
 * full matrices and finite differences; for every op; and what they leave on the tape.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "autograd/products.h"
#include "tests/testing.h"

#define LEAF(...)                                                             \
    var_leaf_from(SHAPE(sizeof((real[]){__VA_ARGS__}) / sizeof(real)),        \
                  (const real[]){__VA_ARGS__})
#define PARTS(...) ((Var *const[]){__VA_ARGS__})

static Var *products_total(Var *x) { return var_sum(x, ALL_AXES, false); }

static Var *products_normal(Shape shape, uint64_t stream)
{
    Rng rng = rng_new(3, stream);
    Var *x = var_empty(shape);
    tensor_fill_normal(x->value, &rng, 0, 1);
    return x;
}

static Var *products_normal_leaf(Shape shape, uint64_t stream)
{
    return var_leaf(products_normal(shape, stream)->value);
}

/* --- by hand ---------------------------------------------------------------------------------- */

/* y = sum a^2 b: H = (2b, 2a; 2a, 0), a diagonal matrix in each block. */
START_TEST(the_hessian_of_a_square_times_b)
{
    Var *a = LEAF(1, 2), *b = LEAF(3, 5), *Hv[2];
    Var *y = products_total(var_mul(var_square(a), b));
    Var *va = LEAF(1, 10), *vb = LEAF(7, -1);
    var_hvp(y, VARS(a, b), PARTS(va, vb), Hv);
    ck_assert_tensor(Hv[0]->value, SHAPE(2), 100 * NEAR, 6 + 14, 100 - 4);
    ck_assert_tensor(Hv[1]->value, SHAPE(2), 100 * NEAR, 2, 40);
    var_hvp(y, VARS(b), PARTS(vb), Hv); /* y is linear in b alone */
    ck_assert_tensor(Hv[0]->value, SHAPE(2), 0, 0, 0);
    var_hvp(products_total(var_add(a, b)), VARS(a, b), PARTS(va, vb), Hv);
    ck_assert_tensor(Hv[1]->value, SHAPE(2), 0, 0, 0);
}
END_TEST

/* y = (a0^2 b, a0 a1): J = (2 a0 b, 0, a0^2; a1, a0, 0). */
START_TEST(the_jacobian_of_two_products)
{
    Var *a = LEAF(3, 5), *b = LEAF(2);
    Var *a0 = var_slice(a, 0, 0, 1, 1), *a1 = var_slice(a, 0, 1, 2, 1);
    Var *y = var_concat(PARTS(var_mul(var_square(a0), b), var_mul(a0, a1)), 2, 0);
    Var *Jv = var_jvp(y, VARS(a, b), PARTS(LEAF(1, 10), LEAF(100)));
    ck_assert_tensor(Jv->value, SHAPE(2), 1000 * NEAR, 12 + 900, 5 + 30);
    ck_assert_tensor(var_jvp(y, VARS(b), PARTS(LEAF(100)))->value, SHAPE(2), 1000 * NEAR, 900, 0);
    ck_assert_tensor(var_jvp(a, VARS(a), PARTS(LEAF(4, 7)))->value, SHAPE(2), 0, 4, 7);
}
END_TEST

/* y = a^4 and v = a. If v were not treated as a constant, its derivative would add 4 a^3. */
START_TEST(v_may_depend_on_the_inputs_and_share_the_array_of_results)
{
    Var *a = LEAF(1, 2), *y = products_total(var_square(var_square(a))), *v[] = {a};
    var_hvp(y, VARS(a), v, v);
    ck_assert_tensor(v[0]->value, SHAPE(2), 100 * NEAR, 12, 96);
    ck_assert(!v[0]->requires_grad);
    ck_assert_tensor(var_jvp(y, VARS(a), PARTS(a))->value, SHAPE_SCALAR, 100 * NEAR, 4 + 64);
}
END_TEST

START_TEST(inputs_may_be_parameters_interiors_and_named_twice)
{
    Var *p = var_param_new(tensor_full(SHAPE(2), 3), "p"), *x = LEAF(1, 2), *m = var_mul(p, x);
    Var *y = products_total(var_mul(var_square(m), m)), *one = LEAF(1, 1), *Hv[2]; /* m^3 */
    var_hvp(y, VARS(m, p), PARTS(one, LEAF(0, 0)), Hv);
    ck_assert_tensor(Hv[0]->value, SHAPE(2), 100 * NEAR, 18, 36); /* 6 m */
    var_hvp(y, VARS(p, p), PARTS(one, one), Hv);
    ck_assert_tensor(Hv[1]->value, SHAPE(2), 1000 * NEAR, 2 * 18, 2 * 144); /* 6 p x^3, twice */
    ck_assert_tensor(var_jvp(y, VARS(m), PARTS(LEAF(1, 10)))->value, SHAPE_SCALAR, 2000 * NEAR,
                     27 + 1080);
    tape_rewind(0);
    var_param_free(p);
}
END_TEST

/* --- a network -------------------------------------------------------------------------------- */

enum { PRODUCTS_N = 6, PRODUCTS_INPUTS = 3 };

typedef struct ProductsNet {
    Var *x, *in[PRODUCTS_INPUTS]; /* a weight (4,3), slopes (4), a weight (2,4) */
} ProductsNet;

static ProductsNet products_net(void)
{
    return (ProductsNet){products_normal(SHAPE(PRODUCTS_N, 3), 0),
                         {products_normal_leaf(SHAPE(4, 3), 1), products_normal_leaf(SHAPE(4), 2),
                          products_normal_leaf(SHAPE(2, 4), 3)}};
}

static Var *products_scores(const ProductsNet *net, Var *const *in)
{
    return var_linear(var_prelu(var_linear(net->x, in[0], NULL), in[1]), in[2], NULL);
}

static Var *products_loss(const ProductsNet *net, Var *const *in)
{
    Labels labels = {.data = (int32_t[]){0, 1, 1, 0, 1, 0}, .count = PRODUCTS_N};
    return var_cross_entropy(products_scores(net, in), &labels);
}

static void products_directions(uint64_t stream, Var **v)
{
    v[0] = products_normal(SHAPE(4, 3), stream), v[1] = products_normal(SHAPE(4), stream + 1);
    v[2] = products_normal(SHAPE(2, 4), stream + 2);
}

/* The inputs moved by h v, as leaves. */
static void products_move(const ProductsNet *net, Var *const *v, double h, Var **moved)
{
    for (int i = 0; i < PRODUCTS_INPUTS; i++)
        moved[i] = var_leaf(var_add(net->in[i], var_scale(v[i], (real)h))->value);
}

/* The gradient of the loss with respect to the inputs moved by h v. */
static void products_gradient_at(const ProductsNet *net, Var *const *v, double h, Var **g)
{
    Var *moved[PRODUCTS_INPUTS];
    products_move(net, v, h, moved);
    var_grad(products_loss(net, moved), moved, PRODUCTS_INPUTS, GRAD_ONLY, g);
}

static void products_near(const Var *found, const Var *expected, double tolerance)
{
    double worst = tensor_max_difference(found->value, expected->value);
    ck_assert_msg(worst <= tolerance, "the difference is %g, expected at most %g", worst,
                  tolerance);
}

#ifdef SLOPE_DOUBLE
static const double products_h = 1e-5, products_tolerance = 1e-8;
#else
static const double products_h = 1e-2, products_tolerance = 5e-3;
#endif

START_TEST(hvp_is_the_difference_of_two_gradients)
{
    ProductsNet net = products_net();
    Var *v[PRODUCTS_INPUTS], *Hv[PRODUCTS_INPUTS], *up[PRODUCTS_INPUTS], *down[PRODUCTS_INPUTS];
    products_directions(10, v);
    var_hvp(products_loss(&net, net.in), net.in, PRODUCTS_INPUTS, v, Hv);
    products_gradient_at(&net, v, products_h, up);
    products_gradient_at(&net, v, -products_h, down);
    for (int i = 0; i < PRODUCTS_INPUTS; i++) {
        Var *slope = var_scale(var_sub(up[i], down[i]), (real)(1 / (2 * products_h)));
        products_near(Hv[i], slope, products_tolerance);
        ck_assert_double_gt((double)var_item(var_dot(Hv[i], Hv[i])), 1e-6);
    }
}
END_TEST

START_TEST(jvp_is_the_difference_of_two_values)
{
    ProductsNet net = products_net();
    Var *v[PRODUCTS_INPUTS], *up[PRODUCTS_INPUTS], *down[PRODUCTS_INPUTS];
    products_directions(10, v);
    Var *Jv = var_jvp(products_scores(&net, net.in), net.in, PRODUCTS_INPUTS, v);
    products_move(&net, v, products_h, up), products_move(&net, v, -products_h, down);
    Var *difference = var_sub(products_scores(&net, up), products_scores(&net, down));
    products_near(Jv, var_scale(difference, (real)(1 / (2 * products_h))), products_tolerance);
}
END_TEST

/* --- a full Hessian --------------------------------------------------------------------------- */

enum { PRODUCTS_D = 5 };

/* A function of one vector in which every pair of elements interacts. */
static Var *products_mixed(Var *x)
{
    Var *row = var_unsqueeze(x, 0), *outer = var_matmul(var_unsqueeze(x, 1), row);
    return products_total(var_mul(var_sin(outer), var_exp(row)));
}

/* Row i, as the gradient of element i of the recorded gradient. */
static void products_hessian(Var *x, double H[PRODUCTS_D][PRODUCTS_D])
{
    Var *g[1], *row[1];
    var_grad(products_mixed(x), VARS(x), CREATE_GRAPH, g);
    for (int i = 0; i < PRODUCTS_D; i++) {
        var_grad(var_select(g[0], 0, i), VARS(x), GRAD_ONLY, row);
        for (int j = 0; j < PRODUCTS_D; j++)
            H[i][j] = (double)tensor_read(row[0]->value)[j];
    }
}

START_TEST(hvp_is_the_full_matrix_times_v)
{
    Var *x = products_normal_leaf(SHAPE(PRODUCTS_D), 20), *v = products_normal(var_shape(x), 21);
    Var *Hv[1];
    double H[PRODUCTS_D][PRODUCTS_D];
    products_hessian(x, H);
    var_hvp(products_mixed(x), VARS(x), PARTS(v), Hv);
    for (int i = 0; i < PRODUCTS_D; i++) {
        double sum = 0;
        for (int j = 0; j < PRODUCTS_D; j++)
            sum += H[i][j] * (double)tensor_read(v->value)[j];
        ck_assert_close(tensor_read(Hv[0]->value)[i], sum, 500 * NEAR);
    }
}
END_TEST

/* --- every op --------------------------------------------------------------------------------- */

/* u . (J v) = (J' u) . v, with J v from var_jvp and J' u from a plain backward pass. */
static void products_check_op(const Op *op)
{
    Var *in[OP_SAMPLE_INPUTS], *v[OP_SAMPLE_INPUTS], *g[OP_SAMPLE_INPUTS];
    int n = op->sample.n_in;
    double forward, backward = 0;
    op_sample_inputs(&op->sample, 4, in);
    Var *y = op->sample.call(in), *u = products_normal(var_shape(y), 30);
    for (int i = 0; i < n; i++)
        v[i] = products_normal(var_shape(in[i]), 31 + (uint64_t)i);
    forward = (double)var_item(var_dot(u, var_jvp(y, in, n, v)));
    var_grad_with(y, u, in, n, GRAD_ONLY, g);
    for (int i = 0; i < n; i++)
        backward += (double)var_item(var_dot(g[i], v[i]));
    ck_assert_msg(fabs(forward - backward) <= 1000 * NEAR && fabs(forward) > 0,
                  "%s: forward %g, backward %g", op->name, forward, backward);
}

START_TEST(jvp_is_the_adjoint_of_backward_for_every_op)
{
    for (const OpEntry *e = op_table; e->op; e++) {
        size_t mark = tape_mark();
        if (!e->op->once)
            products_check_op(e->op);
        tape_rewind(mark);
    }
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

START_TEST(only_the_results_stay_on_the_tape)
{
    ProductsNet net = products_net();
    Var *v[PRODUCTS_INPUTS], *Hv[PRODUCTS_INPUTS], *y = products_loss(&net, net.in);
    products_directions(10, v);
    for (int call = 0; call < 2; call++) {
        size_t mark = tape_mark();
        var_hvp(y, net.in, PRODUCTS_INPUTS, v, Hv);
        ck_assert_uint_eq(tape_mark(), mark + PRODUCTS_INPUTS);
        Var *Jv = var_jvp(y, net.in, PRODUCTS_INPUTS, v);
        ck_assert_uint_eq(tape_mark(), mark + PRODUCTS_INPUTS + 1);
        ck_assert(!Hv[0]->requires_grad && !Jv->requires_grad && grad_enabled());
        for (int i = 0; i < PRODUCTS_INPUTS; i++)
            ck_assert_ptr_null(net.in[i]->grad);
        tape_rewind(mark);
    }
    size_t mark = tape_mark();
    ck_assert_allocates_nothing(var_hvp(y, net.in, PRODUCTS_INPUTS, v, Hv));
    tape_rewind(mark);
    ck_assert_allocates_nothing(var_jvp(y, net.in, PRODUCTS_INPUTS, v));
    var_backward(y); /* y's own record is intact */
    ck_assert_ptr_nonnull(net.in[0]->grad);
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */

START_TEST(inputs_that_do_not_fit_are_refused)
{
    Var *a = LEAF(1, 2), *b = LEAF(3), *y = products_total(var_square(a)), *c = var_scalar(1);
    Var *v = LEAF(1, 1), *Hv[2];
    ck_assert_fails(var_hvp(NULL, VARS(a), PARTS(v), Hv), "var_hvp: an input is NULL");
    ck_assert_fails(var_hvp(y, NULL, 1, PARTS(v), Hv), "var_hvp: x is NULL; expected an "
                    "array of 1 Var");
    ck_assert_fails(var_hvp(y, PARTS(a), 0, PARTS(v), Hv), "var_hvp: 0 inputs; expected");
    ck_assert_fails(var_hvp(y, VARS(a), NULL, Hv), "var_hvp: v is NULL; expected an "
                    "array of 1 Var");
    ck_assert_fails(var_hvp(y, VARS(a), PARTS(v), NULL), "the 1 products is NULL");
    ck_assert_fails(var_hvp(y, VARS(NULL), PARTS(v), Hv), "var_hvp: an input is NULL");
    ck_assert_fails(var_hvp(y, VARS(a), PARTS(NULL), Hv), "var_hvp: an input is NULL");
    ck_assert_fails(var_hvp(y, VARS(a), PARTS(b), Hv),
                    "the part of v for input 0 has shape (1,); expected that of the input, leaf");
    ck_assert_fails(var_hvp(y, VARS(a, b), PARTS(v, b), Hv), "does not depend on input 1, leaf");
    ck_assert_fails(var_hvp(y, VARS(c), PARTS(c), Hv), "does not require a gradient");
    ck_assert_fails(var_hvp(c, VARS(a), PARTS(v), Hv), "depends on nothing that requires");
    ck_assert_fails(var_hvp(var_square(a), VARS(a), PARTS(v), Hv),
                    "has 2 elements; a Hessian belongs to one number");
    ck_assert_fails(var_jvp(NULL, VARS(a), PARTS(v)), "var_jvp: an input is NULL");
    ck_assert_fails(var_jvp(y, VARS(a), PARTS(b)), "var_jvp: the part of v for input 0");
    ck_assert_fails(var_jvp(y, VARS(a, b), PARTS(v, b)), "var_jvp: sum #");
    ck_assert_fails(var_jvp(c, VARS(a), PARTS(v)), "var_jvp: constant #");
}
END_TEST

START_TEST(nothing_can_be_recorded_between_no_grad_begin_and_end)
{
    Var *a = LEAF(1, 2), *y = products_total(var_square(a)), *v = LEAF(1, 1), *Hv[1];
    no_grad_begin();
    ck_assert_fails(var_hvp(y, VARS(a), PARTS(v), Hv), "var_hvp: called between no_grad_begin");
    ck_assert_fails(var_jvp(y, VARS(a), PARTS(v)), "var_jvp: called between no_grad_begin");
    no_grad_end();
}
END_TEST

static void products_forward(Var *y) { tensor_copy(y->value, y->in[0]->value); }
static void products_backward(Var *y, Var *gy) { SEND(y->in[0], gy); }

START_TEST(an_op_that_cannot_be_differentiated_twice_is_named)
{
    const Op plain = {.name = "plain_copy", .forward = products_forward,
                      .backward = products_backward, .once = true};
    Var *a = LEAF(1, 2), *v = LEAF(1, 1), *Hv[1];
    size_t mark = tape_mark();
    Var *y = products_total(var_apply_like(&plain, a));
    ck_assert_fails(var_hvp(y, VARS(a), PARTS(v), Hv), "plain_copy");
    ck_assert_ptr_nonnull(strstr(testing_sentence, "cannot be differentiated twice"));
    ck_assert_fails(var_jvp(y, VARS(a), PARTS(v)), "plain_copy");
    tape_rewind(mark);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("products");
    testing_add(suite, "values", 30, (const TTest *const[]){
        the_hessian_of_a_square_times_b, the_jacobian_of_two_products,
        v_may_depend_on_the_inputs_and_share_the_array_of_results,
        inputs_may_be_parameters_interiors_and_named_twice,
        hvp_is_the_difference_of_two_gradients, jvp_is_the_difference_of_two_values,
        hvp_is_the_full_matrix_times_v, jvp_is_the_adjoint_of_backward_for_every_op, NULL});
    testing_add(suite, "memory", 10, (const TTest *const[]){
        only_the_results_stay_on_the_tape, NULL});
    testing_add(suite, "refusals", 10, (const TTest *const[]){
        inputs_that_do_not_fit_are_refused, nothing_can_be_recorded_between_no_grad_begin_and_end,
        an_op_that_cannot_be_differentiated_twice_is_named, NULL});
    return testing_main(suite);
}
