/* autograd/products.c -- products with a Hessian or a Jacobian, by two backward passes each.
 *
 * Both functions follow the same plan:
 *
 *      results    <-  Vars for the results
 *      mark           the point to which the tape will be rewound
 *      g          <-  a recorded gradient, a function of x (hvp) or of the cotangent u (jvp)
 *      s          <-  g . v, one number
 *      results    <-  the gradient of s
 *      rewind         to the mark, which frees everything but the results
 *
 * The tape owns everything, including the array of the gradients g, so a failure on the way leaks
 * nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/products.h"

#include "autograd/record.h"

/* --- checks ----------------------------------------------------------------------------------- */

static void products_check_input(Var *x, Var *v, int i, const char *function)
{
    var_check_input(x, i, function), var_check(v, function);
    if (!shape_equal(var_shape(x), var_shape(v)))
        slope_fail(function, "the part of v for input %d has shape %s; expected that of the input, "
                   "%s", i, SHAPE_TEXT(var_shape(v)), VAR_TEXT(x));
}

static void products_check(const Var *y, Var *const *x, int n, Var *const *v, const char *function)
{
    var_check(y, function);
    if (n < 1)
        slope_fail(function, "%d inputs; expected at least one", n);
    if (!x || !v)
        slope_fail(function, "%s is NULL; expected an array of %d Var%s", x ? "v" : "x", n,
                   n == 1 ? "" : "s");
    if (!grad_enabled())
        slope_fail(function, "called between no_grad_begin and no_grad_end: a gradient computed "
                   "there cannot be differentiated again");
    if (!y->requires_grad)
        slope_fail(function, "%s depends on nothing that requires a gradient", VAR_TEXT(y));
    for (int i = 0; i < n; i++)
        products_check_input(x[i], v[i], i, function);
}

static void products_check_paths(const Var *y, Var *const *x, int n, Var *const *g,
                                 const char *function)
{
    for (int i = 0; i < n; i++)
        if (!g[i])
            slope_fail(function, "%s does not depend on input %d, %s", VAR_TEXT(y), i,
                       VAR_TEXT(x[i]));
}

/* --- the two passes --------------------------------------------------------------------------- */

/* An array of n Vars, owned by the tape. */
static Var **products_list(int n)
{
    Var *owner = tape_append();
    var_alloc_block(owner, 0, (size_t)n * sizeof(Var *));
    return owner->block;
}

/* g . v. Even if v depends on x, it is treated as a constant. */
static Var *products_dot(Var *const *g, Var *const *v, int n)
{
    Var *sum = NULL;
    for (int i = 0; i < n; i++) {
        Var *part = var_dot(g[i], var_detach(v[i]));
        sum = sum ? var_add(sum, part) : part;
    }
    return sum;
}

/* The gradients of s; NULL where s does not depend on the input, which then has gradient 0. */
static void products_gradients(Var *s, Var *const *x, int n, Var **gradients)
{
    for (int i = 0; i < n; i++)
        gradients[i] = NULL;
    if (s->requires_grad)
        var_grad(s, x, n, GRAD_ONLY, gradients);
}

static void products_deliver(Var *result, const Var *gradient)
{
    if (gradient)
        tensor_copy(result->value, gradient->value);
    else
        tensor_fill(result->value, 0);
}

/* --- the products ----------------------------------------------------------------------------- */

void var_hvp(Var *y, Var *const *x, int n, Var *const *v, Var **products)
{
    products_check(y, x, n, v, "var_hvp");
    if (!products)
        slope_fail("var_hvp", "the array for the %d products is NULL", n);
    if (tensor_count(y->value) != 1)
        slope_fail("var_hvp", "%s has %td elements; a Hessian belongs to one number, such as a "
                   "loss", VAR_TEXT(y), tensor_count(y->value));
    size_t results = tape_mark();
    for (int i = 0; i < n; i++)
        var_empty(var_shape(x[i]));
    size_t mark = tape_mark();
    Var **g = products_list(n);
    var_grad(y, x, n, CREATE_GRAPH, g);
    products_check_paths(y, x, n, g, "var_hvp");
    products_gradients(products_dot(g, v, n), x, n, g);
    for (int i = 0; i < n; i++)
        products_deliver(tape_at(results + (size_t)i), g[i]);
    tape_rewind(mark);
    for (int i = 0; i < n; i++) /* last, because the array may be v itself */
        products[i] = tape_at(results + (size_t)i);
}

Var *var_jvp(Var *y, Var *const *x, int n, Var *const *v)
{
    products_check(y, x, n, v, "var_jvp");
    Var *result = var_empty(var_shape(y)), *u_gradient;
    size_t mark = tape_mark();
    Var *u = var_full(var_shape(y), 1), **g = products_list(n);
    u->requires_grad = true;
    var_grad_with(y, u, x, n, CREATE_GRAPH, g);
    products_check_paths(y, x, n, g, "var_jvp");
    products_gradients(products_dot(g, v, n), &u, 1, &u_gradient);
    products_deliver(result, u_gradient);
    tape_rewind(mark);
    return result;
}
