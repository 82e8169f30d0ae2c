/* lessons/assignments/a5_layernorm/expected.c -- calls the solver, and computes what is expected of
 * a layer norm, right and with known mistakes. Included by tests.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "lessons/assignments/judge/judge.h"

#define FORWARD_FIRST "first make test 1.1 pass, then 1.2"
#define GRADIENT_FIRST "first make tests 2.1, 2.2 and 2.3 pass"

#define UNSET_HINT "the elements are not set to 0 before rows are added to them: allocate this "  \
                   "gradient with var_full(shape, 0), not with var_empty"

#define TINY 1e-8
enum { WANT_ALL = 7, RULES = 10 };
enum { UNSET = 1000 }; /* an element of a gradient that is not set; see services.c */

static const Tolerance close_y = {1e-9, 1e-9}, close_g = {1e-8, 1e-12};

/* --- calling ---------------------------------------------------------------------------------- */

/* The arguments of var_layer_norm. w and b may be NULL. */
typedef struct Layer {
    Var   *x, *w, *b;
    Shape  normalised;
    double eps;
} Layer;

/* x of this shape, uniform in -1000 ... 1000; weights and biases of both signs. */
static Layer layer_input(Shape x, int normalised_axes)
{
    Layer c = {.eps = TINY, .normalised.ndim = normalised_axes};
    for (int d = 0; d < normalised_axes; d++)
        c.normalised.dim[d] = x.dim[x.ndim - normalised_axes + d];
    c.x = judge_input(x, -1000, 1000);
    c.w = judge_input(c.normalised, -2, 3), c.b = judge_input(c.normalised, -3, 2);
    return c;
}

/* Writes the numbers of a call; returns how many there are. */
static int layer_numbers(const Layer *c, double option, double number[WIRE_NUMBERS])
{
    number[0] = c->eps, number[1] = option;
    for (int d = 0; d < c->normalised.ndim; d++)
        number[2 + d] = (double)c->normalised.dim[d];
    return 2 + c->normalised.ndim;
}

/* Calls with x, gy unless it is NULL, and w and b. */
static Var *layer_ask(const char *service, const Layer *c, Var *gy, int option)
{
    double number[WIRE_NUMBERS];
    int n = layer_numbers(c, option, number), tensors = 0;
    Var *in[4];
    in[tensors++] = c->x;
    if (gy)
        in[tensors++] = gy;
    if (c->w)
        in[tensors++] = c->w, in[tensors++] = c->b;
    return judge_ask(service, in, tensors, number, n);
}

/* y. Fails unless it has x's shape, because its elements are read here. */
static Var *layer_value(const Layer *c)
{
    Var *y = layer_ask("value", c, NULL, 0);
    if (!y || !shape_equal(var_shape(y), var_shape(c->x)))
        judge_fail("", "y has shape %s; expected that of x, %s",
                   y ? SHAPE_TEXT(var_shape(y)) : "none", SHAPE_TEXT(var_shape(c->x)));
    return var_contiguous(y);
}

/* --- the formula ------------------------------------------------------------------------------ */

static const Axes layer_row = {.n = 1, .axis = {1}}, layer_rows = {.n = 1, .axis = {0}};

/* x, or another Var of its shape, as a matrix with a row for each of x's rows. */
static Var *layer_matrix(const Layer *c, Var *x)
{
    ptrdiff_t n = shape_count(c->normalised);
    return var_reshape(var_contiguous(x), SHAPE(tensor_count(x->value) / n, n));
}

/* A Var of the normalised shape as one row. */
static Var *layer_flat(const Layer *c, Var *w)
{
    return var_reshape(var_contiguous(w), SHAPE(shape_count(c->normalised)));
}

/* The rows of a matrix, each minus its mean. */
static Var *layer_centred(Var *x)
{
    return var_sub(x, var_mean(x, layer_row, true));
}

/* x - mean. Subtracting the mean a second time removes the rounding error of the first. */
static Var *layer_deviation(const Layer *c)
{
    return layer_centred(layer_centred(layer_matrix(c, c->x)));
}

static Var *layer_variance(Var *d)
{
    return var_mean(var_square(d), layer_row, true);
}

static Var *layer_rstd(const Layer *c, Var *d)
{
    return var_pow(var_add_scalar(layer_variance(d), (real)c->eps), -(real)0.5);
}

/* xhat w + b, in x's shape. */
static Var *layer_affine(const Layer *c, Var *xhat)
{
    xhat = var_reshape(var_contiguous(xhat), var_shape(c->x));
    return c->w ? var_add(var_mul(xhat, c->w), c->b) : xhat;
}

static Var *layer_expected(const Layer *c)
{
    Var *d = layer_deviation(c);
    return layer_affine(c, var_mul(d, layer_rstd(c, d)));
}

/* xhat over the wrong axes: all of them, or all except the last as in a batch norm. */
static Var *layer_over_all(const Layer *c)
{
    Layer all = {.x = c->x, .normalised = var_shape(c->x), .eps = c->eps};
    return layer_expected(&all);
}

static Var *layer_over_batch(const Layer *c)
{
    Var *x = var_transpose(layer_matrix(c, c->x), 0, 1);
    Layer batch = {.x = x, .normalised = SHAPE(var_shape(x).dim[1]), .eps = c->eps};
    return var_transpose(layer_expected(&batch), 0, 1);
}

/* --- what the submission does ----------------------------------------------------------------- */

/* The submission's layer norm with weight 1 and bias 1, as (rows, n): d is x - mean, rstd is the
 * factor by which the submission multiplies d, and xhat = d rstd. */
typedef struct LayerOwn {
    Var *d, *rstd, *xhat;
} LayerOwn;

/* Fails unless y is x, shifted and scaled row by row, with a variance between 1/4 and 4. A wrong
 * divisor passes, and so does a mean that is not subtracted; noise and x itself do not. */
static LayerOwn layer_own(const Layer *c)
{
    Layer plain = *c;
    plain.w = var_full(c->normalised, 1), plain.b = plain.w;
    Var *y = layer_matrix(c, layer_value(&plain)), *d = layer_deviation(c);
    Var *rstd = var_div(var_mean(var_mul(y, d), layer_row, true), layer_variance(d));
    Var *xhat = var_mul(d, rstd), *rest = var_sub(y, xhat);
    Stats off = tensor_stats(layer_centred(rest)->value);
    Stats variance = tensor_stats(layer_variance(xhat)->value), sign = tensor_stats(rstd->value);
    if (!(off.max < 1e-6 && off.min > -1e-6 && variance.min > 0.25 && variance.max < 4 &&
          sign.min > 0))
        judge_fail(FORWARD_FIRST, "the rows of y do not have a standard deviation of 1");
    return (LayerOwn){d, rstd, xhat};
}

/* --- gradients, right and wrong --------------------------------------------------------------- */

/* The gradients of x, w and b; each list begins with the right value. */
typedef struct LayerRules {
    int     n[3];
    Mistake rule[3][RULES];
} LayerRules;

static void rules_add(LayerRules *r, int input, Var *value, Shape shape, const char *hint)
{
    r->rule[input][r->n[input]++] = (Mistake){var_reshape(var_contiguous(value), shape), hint};
}

static Var *rules_mean(Var *g) { return var_mean(g, layer_row, true); }
static Var *rules_sum(Var *g) { return var_sum(g, layer_row, true); }

/* rstd (g - E[g] - xhat E[g xhat]) */
static Var *rules_gx_of(const LayerOwn *o, Var *g)
{
    Var *shift = rules_mean(g), *stretch = rules_mean(var_mul(g, o->xhat));
    return var_mul(o->rstd, var_sub(var_sub(g, shift), var_mul(o->xhat, stretch)));
}

static void rules_gx(LayerRules *r, const Layer *c, const LayerOwn *o, Var *gy)
{
    Shape s = var_shape(c->x);
    Var *w = c->w ? layer_flat(c, c->w) : var_scalar(1), *g = var_mul(gy, w);
    Var *stretch = var_mul(o->xhat, rules_mean(var_mul(g, o->xhat)));
    rules_add(r, 0, rules_gx_of(o, g), s, "");
    rules_add(r, 0, var_mul(o->rstd, var_sub(g, stretch)), s,
              "the term of the mean is missing: the mean depends on every x of the row, which "
              "subtracts E[gy w]");
    rules_add(r, 0, var_mul(o->rstd, var_sub(g, rules_mean(g))), s,
              "the xhat term is missing: the variance depends on every x of the row, which "
              "subtracts xhat E[gy w xhat]");
    rules_add(r, 0, var_mul(o->rstd, g), s,
              "mean and var are treated as constants, but they depend on every x of the row: two "
              "terms are missing");
    rules_add(r, 0, rules_gx_of(o, gy), s, "the weight is missing: xhat's gradient is gy w");
    rules_add(r, 0, var_mul(w, rules_gx_of(o, gy)), s,
              "the weight is multiplied last, as in a batch norm; here it differs within a row, "
              "so it must be inside the means: E[gy w], E[gy w xhat]");
    rules_add(r, 0, var_div(rules_gx_of(o, g), o->rstd), s, "rstd is missing");
    rules_add(r, 0, var_neg(rules_gx_of(o, g)), s, "the sign is flipped");
    rules_add(r, 0, var_mul(o->rstd, var_sub(var_sub(g, rules_sum(g)), var_mul(o->xhat,
              rules_sum(var_mul(g, o->xhat))))), s,
              "there are sums over the row instead of means: divide by n");
    rules_add(r, 0, var_add_scalar(rules_gx_of(o, g), UNSET), s, UNSET_HINT);
}

static Var *rules_last(Var *g)
{
    ptrdiff_t rows = var_shape(g).dim[0];
    return var_slice(g, 0, rows - 1, rows, 1);
}

/* What the gradients of w and b have in common: both are sums over the rows of some g. */
static void rules_sums(LayerRules *r, int input, const Layer *c, Var *g)
{
    rules_add(r, input, var_sum(g, layer_rows, false), c->normalised, "");
    rules_add(r, input, var_mean(g, layer_rows, false), c->normalised,
              "the mean over the rows is taken; a parameter that all rows share gets the sum");
    rules_add(r, input, rules_last(g), c->normalised,
              "only the last row counts: is += written as = ?");
    rules_add(r, input, var_sum(var_mul(g, layer_flat(c, c->w)), layer_rows, false), c->normalised,
              "the weight is one factor too many: only gx contains it");
    rules_add(r, input, var_add_scalar(var_sum(g, layer_rows, false), UNSET), c->normalised,
              UNSET_HINT);
}

static void rules_gw_gb(LayerRules *r, const Layer *c, const LayerOwn *o, Var *gy)
{
    Var *xhat = o->xhat, *y = var_add(var_mul(xhat, layer_flat(c, c->w)), layer_flat(c, c->b));
    rules_sums(r, 1, c, var_mul(gy, xhat));
    rules_sums(r, 2, c, gy);
    rules_add(r, 1, var_sum(var_mul(gy, layer_matrix(c, c->x)), layer_rows, false), c->normalised,
              "the weight multiplies xhat, not x: dy/dw = xhat");
    rules_add(r, 1, var_sum(var_mul(gy, o->d), layer_rows, false), c->normalised,
              "the weight multiplies xhat = (x - mean) rstd: rstd is missing");
    rules_add(r, 1, var_sum(var_mul(gy, y), layer_rows, false), c->normalised,
              "the weight multiplies xhat, not y: dy/dw = xhat");
}

static LayerRules rules_of(const Layer *c, Var *gy)
{
    LayerRules r = {.n = {0}};
    LayerOwn o = layer_own(c);
    gy = layer_matrix(c, gy);
    rules_gx(&r, c, &o, gy);
    if (c->w)
        rules_gw_gb(&r, c, &o, gy);
    return r;
}

/* The gradients that the submission returned. */
typedef struct LayerGradient {
    Var *g[3];
} LayerGradient;

static LayerGradient layer_gradient(const char *service, const Layer *c, Var *gy, int wanted)
{
    layer_ask(service, c, gy, wanted);
    LayerGradient got = {{judge_answer_var(0), judge_answer_var(1), judge_answer_var(2)}};
    return got;
}

/* Compares roughly, so that results computed in float are recognised, too. */
static bool layer_is_known(const Var *got, const Mistake *rule, int n)
{
    for (int k = 0; k < n && got; k++)
        if (shape_equal(var_shape(got), var_shape(rule[k].value)) &&
            tensor_all_close(got->value, rule[k].value->value, 1e-6, 1e-3))
            return true;
    return false;
}

/* All gradients of the submission. Fails unless each is right or a known mistake. */
static LayerGradient layer_known_gradient(const Layer *c, Var *gy)
{
    LayerRules r = rules_of(c, gy);
    LayerGradient own = layer_gradient("gradient", c, gy, WANT_ALL);
    for (int i = 0; i < (c->w ? 3 : 1); i++)
        if (!layer_is_known(own.g[i], r.rule[i], r.n[i]))
            judge_fail(GRADIENT_FIRST, "the gradients are not those of a layer norm");
    return own;
}

/* Compares two results that must agree; `hint` explains why they may not. */
static void layer_compare(const char *what, Var *got, const Var *expected, Tolerance t,
                          const char *hint)
{
    judge_compare(what, got, expected, t, MISTAKES({got, hint}));
}
