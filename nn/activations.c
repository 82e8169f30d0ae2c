/* nn/activations.c -- activations as modules: any op of one Var, LeakyReLU, PReLU; and Flatten.
 *
 * SPDX-License-Identifier: MIT
 */
#include "autograd/named.h"
#include "nn/check.h"
#include "nn/layers.h"

/* --- any function of one Var ------------------------------------------------------------------ */

typedef struct Activation {
    Module     base;
    ModuleType type; /* one per module, because it holds the name */
    Var *(*f)(Var *);
} Activation;

static Var *activation_forward(Module *self, Var *x)
{
    return ((const Activation *)self)->f(x);
}

Module *activation_new(const char *name, Var *(*f)(Var *))
{
    if (!name || !f)
        slope_fail("activation_new", "the %s is NULL", name ? "function" : "name");
    Activation *a = module_new(sizeof *a, NULL);
    a->type = (ModuleType){name, activation_forward, NULL};
    a->f = f;
    a->base.type = &a->type;
    return &a->base;
}

Module *relu_new(void)
{
    return activation_new("ReLU", var_relu);
}

/* --- LeakyReLU -------------------------------------------------------------------------------- */

typedef struct LeakyRelu {
    Module base;
    real   slope;
} LeakyRelu;

static Var *leaky_relu_module_forward(Module *self, Var *x)
{
    return var_leaky_relu(x, ((const LeakyRelu *)self)->slope);
}

static void leaky_relu_describe(const Module *self, char *text, size_t size)
{
    snprintf(text, size, "%g", (double)((const LeakyRelu *)self)->slope);
}

Module *leaky_relu_new(real slope)
{
    static const ModuleType type = {"LeakyReLU", leaky_relu_module_forward, leaky_relu_describe};
    LeakyRelu *l = module_new(sizeof *l, &type);
    l->slope = slope;
    return &l->base;
}

/* --- PReLU ------------------------------------------------------------------------------------ */

typedef struct PreluModule {
    Module base;
    Var   *weight; /* the slopes (1) or (C) */
} PreluModule;

static Var *prelu_module_forward(Module *self, Var *x)
{
    return var_prelu_named(x, ((const PreluModule *)self)->weight, "PReLU");
}

static void prelu_describe(const Module *self, char *text, size_t size)
{
    snprintf(text, size, "%td", tensor_count(((const PreluModule *)self)->weight->value));
}

static const ModuleType prelu_type = {"PReLU", prelu_module_forward, prelu_describe};

Module *prelu_new(ptrdiff_t num_parameters, real init)
{
    if (num_parameters < 1)
        slope_fail("prelu_new",
                   "num_parameters is %td; expected 1 (shared) or the number of channels",
                   num_parameters);
    const Shape weight = {1, {num_parameters}};
    shape_check(weight, "prelu_new");
    PreluModule *p = module_new(sizeof *p, &prelu_type);
    p->weight = module_add_param(&p->base, "weight", tensor_full(weight, init));
    return &p->base;
}

bool module_is_prelu(const Module *m)
{
    slope_module_check(m, "module_is_prelu");
    return m->type == &prelu_type;
}

/* --- Flatten ---------------------------------------------------------------------------------- */

static Var *flatten_forward(Module *self, Var *x)
{
    (void)self;
    Shape s = var_shape(x);
    if (s.ndim < 1)
        slope_fail("Flatten", "expected an input (N,...), found a scalar");
    ptrdiff_t rest = 1;
    for (int i = 1; i < s.ndim; i++)
        rest *= s.dim[i];
    return var_reshape(x, SHAPE(s.dim[0], rest));
}

Module *flatten_new(void)
{
    static const ModuleType type = {"Flatten", flatten_forward, NULL};
    return module_new(sizeof(Module), &type);
}
