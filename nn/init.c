/* nn/init.c -- initial values of weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/init.h"

#include <string.h>
#include <tgmath.h>

#include "nn/check.h"
#include "nn/layers.h"

static Shape init_weight_shape(const Var *weight, const char *function)
{
    Shape s = var_shape(weight);
    if (s.ndim < 2)
        slope_fail(function, "%s has fewer than two axes, so it has no fan-in", VAR_TEXT(weight));
    if (shape_count(s) == 0)
        slope_fail(function, "%s has no elements, so it has no fan-in", VAR_TEXT(weight));
    return s;
}

ptrdiff_t init_fan_in(const Var *weight)
{
    Shape s = init_weight_shape(weight, "init_fan_in");
    return shape_count(s) / s.dim[0];
}

ptrdiff_t init_fan_out(const Var *weight)
{
    Shape s = init_weight_shape(weight, "init_fan_out");
    return shape_count(s) / s.dim[1];
}

real init_gain(real slope)
{
    return sqrt(2 / (1 + slope * slope));
}

void init_default(Var *weight, Var *bias, Rng *rng)
{
    real bound = 1 / sqrt((real)init_fan_in(weight));
    tensor_fill_uniform(weight->value, rng, -bound, bound);
    if (bias)
        tensor_fill_uniform(bias->value, rng, -bound, bound);
}

void init_he_normal(Var *weight, real slope, Rng *rng)
{
    tensor_fill_normal(weight->value, rng, 0, init_gain(slope) / sqrt((real)init_fan_in(weight)));
}

/* A uniform number in +-b has variance b^2/3. */
static void init_uniform_std(Var *weight, Rng *rng, real std)
{
    real bound = std * sqrt((real)3);
    tensor_fill_uniform(weight->value, rng, -bound, bound);
}

void init_he_uniform(Var *weight, real slope, Rng *rng)
{
    init_uniform_std(weight, rng, init_gain(slope) / sqrt((real)init_fan_in(weight)));
}

void init_xavier_uniform(Var *weight, Rng *rng)
{
    init_uniform_std(weight, rng,
                     sqrt((real)2 / (real)(init_fan_in(weight) + init_fan_out(weight))));
}

/* Is its name "bias", or a descendant's such as "1.bias"? */
static bool init_is_bias(const Parameter *p)
{
    const char *dot = strrchr(p->name, '.');
    return strcmp(dot ? dot + 1 : p->name, "bias") == 0;
}

void module_init_he(Module *m, real slope)
{
    slope_module_check(m, "module_init_he");
    Parameters list = module_parameters(m);
    for (int i = 0; i < list.count; i++) {
        Parameter *p = &list.item[i];
        Rng rng = random_stream();
        if (parameter_is_slope(p))
            tensor_fill(p->var->value, slope);
        else if (init_is_bias(p))
            tensor_fill(p->var->value, 0);
        else if (var_shape(p->var).ndim >= 2)
            init_he_normal(p->var, slope, &rng);
    }
    parameters_free(&list);
}
