/* Layer normalisation: the solution that scores all points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "layernorm.h"

#include <tgmath.h>

/* layer_norm ---- y = (x - mean) rstd w + b, rstd = 1/sqrt(var + eps), for each row
 *   shape     y (...,D) = x (...,D), w and b (D) or both absent; D may be several axes
 *   backward  with xhat = (x - mean) rstd, gh = gy w and E the mean over a row:
 *             gx = rstd (gh - E[gh] - xhat E[gh xhat]); over all rows, gw = sum of gy xhat and
 *             gb = sum of gy
 *   care      E[x^2] - E[x]^2 would cancel if the mean is large in comparison with the deviation,
 *             so the deviations are squared; mean and rstd are computed again in backward, which
 *             reads the row anyway
 *   source    Ba, Kiros, Hinton, arXiv:1607.06450, 2016
 */
typedef struct LayerNormAttr {
    ptrdiff_t n; /* elements in a row */
    real      eps;
} LayerNormAttr;

typedef struct LayerNormRow {
    real mean, rstd;
} LayerNormRow;

static LayerNormRow layer_norm_row(const real *x, LayerNormAttr a)
{
    real sum = 0, squares = 0;
    for (ptrdiff_t i = 0; i < a.n; i++)
        sum += x[i];
    real mean = sum / (real)a.n;
    for (ptrdiff_t i = 0; i < a.n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (LayerNormRow){mean, 1 / sqrt(squares / (real)a.n + a.eps)};
}

static LayerNormAttr layer_norm_attr(const Var *y)
{
    return *(const LayerNormAttr *)y->attr;
}

static void layer_norm_forward(Var *y)
{
    LayerNormAttr a = layer_norm_attr(y);
    const real *x = tensor_read(y->in[0]->value);
    const real *w = y->n_in > 1 ? tensor_read(y->in[1]->value) : NULL;
    const real *b = y->n_in > 1 ? tensor_read(y->in[2]->value) : NULL;
    real *to = tensor_write(y->value), *end = to + tensor_count(y->value);
    for (; to < end; to += a.n, x += a.n) {
        LayerNormRow r = layer_norm_row(x, a);
        for (ptrdiff_t i = 0; i < a.n; i++) {
            real xhat = (x[i] - r.mean) * r.rstd;
            to[i] = w ? xhat * w[i] + b[i] : xhat;
        }
    }
}

/* --- the rule --------------------------------------------------------------------------------- */

/* gx of one row; w may be NULL. */
static void layer_norm_gx(real *gx, const real *gy, const real *x, const real *w, LayerNormRow r,
                          ptrdiff_t n)
{
    real mean_gh = 0, mean_gh_xhat = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        real gh = w ? gy[i] * w[i] : gy[i];
        mean_gh += gh / (real)n;
        mean_gh_xhat += gh * (x[i] - r.mean) * r.rstd / (real)n;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        real gh = w ? gy[i] * w[i] : gy[i], xhat = (x[i] - r.mean) * r.rstd;
        gx[i] = r.rstd * (gh - mean_gh - xhat * mean_gh_xhat);
    }
}

/* The gradient of input i, still 0; NULL if it is not wanted. */
static Var *layer_norm_slot(const Var *y, int i)
{
    return i < y->n_in && var_needs_grad(y->in[i]) ? var_full(var_shape(y->in[i]), 0) : NULL;
}

static real *layer_norm_write(const Var *g)
{
    return g ? tensor_write(g->value) : NULL;
}

/* Each row is visited once: it yields its own gx, and adds to gw and gb. */
static void layer_norm_backward(Var *y, Var *gy)
{
    LayerNormAttr a = layer_norm_attr(y);
    gy = var_contiguous(gy);
    Var *g[3] = {layer_norm_slot(y, 0), layer_norm_slot(y, 1), layer_norm_slot(y, 2)};
    real *gx = layer_norm_write(g[0]), *gw = layer_norm_write(g[1]), *gb = layer_norm_write(g[2]);
    const real *x = tensor_read(y->in[0]->value), *from = tensor_read(gy->value);
    const real *w = y->n_in > 1 ? tensor_read(y->in[1]->value) : NULL;
    for (ptrdiff_t at = 0; at < tensor_count(y->value); at += a.n) {
        LayerNormRow r = layer_norm_row(x + at, a);
        if (gx)
            layer_norm_gx(gx + at, from + at, x + at, w, r, a.n);
        for (ptrdiff_t i = 0; gw && i < a.n; i++)
            gw[i] += from[at + i] * (x[at + i] - r.mean) * r.rstd;
        for (ptrdiff_t i = 0; gb && i < a.n; i++)
            gb[i] += from[at + i];
    }
    for (int i = 0; i < 3; i++)
        if (g[i])
            var_send(y->in[i], g[i]);
}

/* --- the op ----------------------------------------------------------------------------------- */

static Var *layer_norm_sample(Var **in)
{
    return var_layer_norm(in[0], SHAPE(2, 3), in[1], in[2], (real)0.1);
}

const Op op_layer_norm = {
    .name = "layer_norm",
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    .once = true,
    .sample = {.call = layer_norm_sample, .n_in = 3,
               .in = {{.shape = {3, {4, 2, 3}}, .low = -2, .high = 2},
                      {.shape = {2, {2, 3}}, .low = (real)0.5, .high = 2},
                      {.shape = {2, {2, 3}}, .low = -2, .high = 2}}},
};

static bool layer_norm_ends_with(Shape x, Shape normalised)
{
    int skip = x.ndim - normalised.ndim;
    for (int d = 0; d < normalised.ndim; d++)
        if (skip < 0 || x.dim[skip + d] != normalised.dim[d])
            return false;
    return true;
}

static void layer_norm_check_parameter(const Var *p, const char *name, Shape normalised)
{
    if (!shape_equal(var_shape(p), normalised))
        slope_fail("var_layer_norm", "the %s has shape %s; expected the normalised shape %s", name,
                   SHAPE_TEXT(var_shape(p)), SHAPE_TEXT(normalised));
}

Var *var_layer_norm(Var *x, Shape normalised, Var *weight, Var *bias, real eps)
{
    if (!layer_norm_ends_with(var_shape(x), normalised))
        slope_fail("var_layer_norm", "the input has shape %s, but its last axes must be the "
                   "normalised shape %s", SHAPE_TEXT(var_shape(x)), SHAPE_TEXT(normalised));
    if (!weight != !bias)
        slope_fail("var_layer_norm", "a weight needs a bias and vice versa");
    LayerNormAttr attr = {shape_count(normalised), eps};
    Var *in[3] = {var_contiguous(x)};
    if (weight) {
        layer_norm_check_parameter(weight, "weight", normalised);
        layer_norm_check_parameter(bias, "bias", normalised);
        in[1] = var_contiguous(weight), in[2] = var_contiguous(bias);
    }
    return var_apply_with(&op_layer_norm, var_shape(x), in, weight ? 3 : 1, &attr, sizeof attr);
}

/* --- the module ------------------------------------------------------------------------------- */

typedef struct LayerNorm {
    Module base;
    Shape  normalised;
    real   eps;
    Var   *weight, *bias; /* of the shape `normalised`, or NULL */
} LayerNorm;

static Var *layer_norm_forward_module(Module *self, Var *x)
{
    const LayerNorm *m = (const LayerNorm *)self;
    return var_layer_norm(x, m->normalised, m->weight, m->bias, m->eps);
}

static void layer_norm_describe(const Module *self, char *text, size_t size)
{
    const LayerNorm *m = (const LayerNorm *)self;
    snprintf(text, size, "%s, eps %g", SHAPE_TEXT(m->normalised), (double)m->eps);
}

Module *layer_norm_new(Shape normalised, real eps, bool affine)
{
    static const ModuleType type = {"LayerNorm", layer_norm_forward_module, layer_norm_describe};
    if (normalised.ndim < 1 || shape_count(normalised) == 0)
        slope_fail("layer_norm_new", "the normalised shape is %s; expected at least one axis and "
                   "one element", SHAPE_TEXT(normalised));
    if (!(eps >= 0))
        slope_fail("layer_norm_new", "eps is %g; expected a number of 0 or more", (double)eps);
    LayerNorm *m = module_new(sizeof *m, &type);
    m->normalised = normalised, m->eps = eps;
    if (affine) {
        m->weight = module_add_param(&m->base, "weight", tensor_full(normalised, 1));
        m->bias = module_add_param(&m->base, "bias", tensor_zeros(normalised));
    }
    return &m->base;
}
