/* tests/optim/holder.h -- shared by the tests of optimizers: a module of one parameter, and steps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_OPTIM_HOLDER_H
#define SLOPE_TESTS_OPTIM_HOLDER_H

#include "optim/optimizer.h"
#include "tests/net.h"

enum { OPTIM_N = 2 };

/* A module that holds one parameter, "weight" (2), with the values p and q. */
static inline Module *optim_holder(double p, double q)
{
    static const ModuleType type = {"Holder", NULL, NULL};
    Module *m = module_new(sizeof *m, &type);
    module_add_param(m, "weight", tensor_from(SHAPE(OPTIM_N), (const real[]){(real)p, (real)q}));
    return m;
}

/* Sets the first parameter's gradient and takes a step. */
static inline void optim_step(Optimizer *opt, double p, double q)
{
    optimizer_zero_grad(opt);
    opt->state[0].param.var->grad = tensor_from(SHAPE(OPTIM_N), (const real[]){(real)p, (real)q});
    optimizer_step(opt);
}

#define optim_check(m, p, q)                                                                      \
    ck_assert_tensor(module_param((m), "weight")->value, SHAPE(OPTIM_N), net_tolerance, (p), (q))

static inline void optim_free(Optimizer *opt, Module *m)
{
    optimizer_free(opt);
    module_free(m);
}

static inline const Tensor *optim_value(const Optimizer *opt, int i)
{
    return opt->state[i].param.var->value;
}

/* Sets all elements of every parameter's gradient to this value. */
static inline void optim_fill_gradients(Optimizer *opt, real value)
{
    optimizer_zero_grad(opt);
    for (int i = 0; i < opt->n_params; i++) {
        Var *p = opt->state[i].param.var;
        p->grad = tensor_full(var_shape(p), value);
    }
}

/* The holder with a second parameter, "other". */
static inline Module *optim_two(void)
{
    Module *m = optim_holder(1, -2);
    module_add_param(m, "other", tensor_zeros(SHAPE(OPTIM_N)));
    return m;
}

#endif
