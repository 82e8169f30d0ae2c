/* tests/net.h -- shared by the tests of networks: a network, inputs for it, a tolerance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_NET_H
#define SLOPE_TESTS_NET_H

#include <math.h>

#include "nn/layers.h"
#include "tensor/random.h"
#include "tests/testing.h"

/* For sums of a few values near 1. */
#ifdef SLOPE_DOUBLE
static const double net_tolerance = 1e-12;
#else
static const double net_tolerance = 1e-5;
#endif

/* The document's PReLUNetwork with a buffer added, as a program outside the tree would write it. */
typedef struct Net {
    Module  base;
    Module *fc1, *prelu1, *fc2, *prelu2, *fc3;
    Tensor *calls; /* (1): forward passes so far */
} Net;

static inline Var *net_forward(Module *self, Var *x)
{
    Net *net = (Net *)self;
    *tensor_write(net->calls) += 1;
    x = module_forward(net->prelu1, module_forward(net->fc1, x));
    x = module_forward(net->prelu2, module_forward(net->fc2, x));
    return module_forward(net->fc3, x);
}

static inline Net *net_new(ptrdiff_t in, ptrdiff_t hidden, ptrdiff_t classes)
{
    static const ModuleType type = {"Net", net_forward, NULL};
    Net *net = module_new(sizeof *net, &type);
    net->calls = module_add_buffer(&net->base, "calls", tensor_zeros(SHAPE(1)));
    net->fc1 = module_add_child(&net->base, "fc1", linear_new(in, hidden));
    net->prelu1 = module_add_child(&net->base, "prelu1", prelu_new(hidden, (real)0.25));
    net->fc2 = module_add_child(&net->base, "fc2", linear_new(hidden, hidden));
    net->prelu2 = module_add_child(&net->base, "prelu2", prelu_new(hidden, (real)0.25));
    net->fc3 = module_add_child(&net->base, "fc3", linear_new(hidden, classes));
    return net;
}

/* A leaf on the tape with random values of both signs. */
static inline Var *net_random(Shape shape, uint64_t stream)
{
    Rng rng = rng_new(7, stream);
    Tensor *t = tensor_new(shape);
    tensor_fill_normal(t, &rng, 0, 1);
    Var *x = var_leaf(t);
    tensor_free(t);
    return x;
}

/* Asserts that x is uniform in +-bound: no value outside, some near both ends and, if there are at
 * least 200, mean 0 and variance bound^2 / 3. */
static inline void net_check_uniform(const Tensor *x, double bound)
{
    Stats s = tensor_stats(x);
    ck_assert(s.min >= -bound * (1 + 1e-6) && s.max <= bound * (1 + 1e-6));
    ck_assert(s.min < -0.9 * bound && s.max > 0.9 * bound);
    if (s.count < 200)
        return;
    ck_assert_close(s.mean, 0, 0.1 * bound);
    ck_assert_close(s.std, bound / sqrt(3), 0.05 * bound);
}

/* Sets the values of a parameter. */
static inline void net_set(Var *param, const real *values)
{
    Tensor *t = tensor_from(var_shape(param), values);
    tensor_copy(param->value, t);
    tensor_free(t);
}

#endif
