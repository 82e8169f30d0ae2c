/* RReLU: the solution that scores all points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rrelu.h"

#include <math.h>

/* rrelu ------------------------------ y = x if x > 0, else a x; a uniform in lower ... upper
 *   shape     y (...) = x (...), with one slope per element
 *   backward  gx = gy where x > 0, else a gy, with the same slopes
 *   care      the slopes are a function of rng and the position, so backward draws them again
 *             instead of storing them, and they are the same on any number of threads. The side is
 *             that of x, not of y: a may be negative
 *   source    Xu, Wang, Chen, Li, arXiv:1505.00853, 2015
 */
typedef struct RReLUAttr {
    real lower, upper;
    Rng  rng; /* a copy: the stream of a module has advanced before backward runs */
} RReLUAttr;

static inline real rrelu_value(real x, real a) { return x > 0 ? x : a * x; }
MAP2(rrelu_map, rrelu_value)

/* The slope of every element, in row-major order. The caller frees it. */
static Tensor *rrelu_slopes(const Var *y)
{
    RReLUAttr draw = *(const RReLUAttr *)y->attr;
    Tensor *slope = tensor_new(var_shape(y));
    tensor_fill_uniform(slope, &draw.rng, draw.lower, draw.upper);
    return slope;
}

static void rrelu_forward(Var *y)
{
    Tensor *slope = rrelu_slopes(y);
    rrelu_map(y->value, y->in[0]->value, slope);
    tensor_free(slope);
}

/* gy times the slope: 1 where x > 0, else a. */
static Var *rrelu_times_slope(const Var *y, Var *gy)
{
    Tensor *slope = rrelu_slopes(y);
    Var *left = var_mul(gy, var_const(slope));
    tensor_free(slope);
    return var_where(var_is_positive(y->in[0]), gy, left);
}

static void rrelu_backward(Var *y, Var *gy)
{
    Var *x = y->in[0];
    SEND(x, rrelu_times_slope(y, gy));
}

/* The stream is fixed: the checker calls this repeatedly, and the slopes must not change. */
static Var *rrelu_sample(Var **in)
{
    return var_rrelu(in[0], RRELU_LOWER, RRELU_UPPER, rng_new(3, 0));
}

const Op op_rrelu = {
    .name = "rrelu",
    .forward = rrelu_forward,
    .backward = rrelu_backward,
    .branch_hash = op_branch_by_sign,
    .sample = {.call = rrelu_sample, .n_in = 1, .any_shape = true,
               .in = {{.shape = {2, {2, 3}}, .low = (real)0.1, .high = 2, .both_signs = true}}},
};

Var *var_rrelu(Var *x, real lower, real upper, Rng rng)
{
    RReLUAttr attr = {lower, upper, rng};
    return var_apply_with(&op_rrelu, var_shape(x), VARS(x), &attr, sizeof attr);
}

/* --- the module ------------------------------------------------------------------------------- */

typedef struct RReLU {
    Module base;
    real   lower, upper;
    Rng   *rng;
} RReLU;

/* In evaluation both limits are the mean, so the slope is the mean, whatever is drawn. */
static Var *rrelu_forward_module(Module *self, Var *x)
{
    RReLU *r = (RReLU *)self;
    real mean = (r->lower + r->upper) / 2;
    if (!self->training)
        return var_rrelu(x, mean, mean, *r->rng);
    Var *y = var_rrelu(x, r->lower, r->upper, *r->rng);
    r->rng->position += (uint64_t)tensor_count(x->value);
    return y;
}

static void rrelu_describe(const Module *self, char *text, size_t size)
{
    const RReLU *r = (const RReLU *)self;
    snprintf(text, size, "%g, %g", (double)r->lower, (double)r->upper);
}

Module *rrelu_new(real lower, real upper)
{
    static const ModuleType type = {"RReLU", rrelu_forward_module, rrelu_describe};
    if (!(lower <= upper && isfinite(lower) && isfinite(upper)))
        slope_fail("rrelu_new", "the limits are %g and %g; expected lower <= upper, both finite",
                   (double)lower, (double)upper);
    RReLU *r = module_new(sizeof *r, &type);
    r->lower = lower, r->upper = upper;
    r->rng = module_add_rng(&r->base, "rng", random_stream());
    return &r->base;
}
