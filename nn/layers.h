/* nn/layers.h -- the ready-made modules.
 *
 *  - Layouts, names and default initial values are PyTorch's, so weights move both ways:
 *    linear weight [out, in], bias [out]; PReLU weight [1] or [C], all 0.25.
 *  - Initial values come from random_stream(): call random_seed first for the same ones again.
 *  - Each constructor returns a Module to add to a parent, or to free with module_free.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_NN_LAYERS_H
#define SLOPE_NN_LAYERS_H

#include "nn/module.h"

/* y (...,out) = x (...,in) weight' + bias. */
Module *linear_new(ptrdiff_t in, ptrdiff_t out);
Module *linear_new_without_bias(ptrdiff_t in, ptrdiff_t out);

/* y = x if x > 0, else 0. */
Module *relu_new(void);

/* y = x if x > 0, else slope x, the slope fixed. PyTorch's default is 0.01. */
Module *leaky_relu_new(real slope);

/* y = x if x > 0, else a x, with num_parameters learned slopes a that start at `init` (0.25 in
 * [He15]): one shared by all elements, or one for each of the C channels of axis 1. */
Module *prelu_new(ptrdiff_t num_parameters, real init);
bool module_is_prelu(const Module *m);

/* (N, ...) -> (N, the product of the rest). */
Module *flatten_new(void);

/* The modules one after another, their names "0", "1" ...; takes them over.
 *     sequential_new((Module *[]){linear_new(2, 8), prelu_new(8, 0.25), linear_new(8, 2)}, 3);
 * SEQUENTIAL counts for you: SEQUENTIAL(linear_new(2, 8), prelu_new(8, 0.25), linear_new(8, 2)). */
Module *sequential_new(Module *const *parts, int n);
#define SEQUENTIAL(...)                          \
    sequential_new((Module *const[]){__VA_ARGS__}, \
                   (int)(sizeof((Module *const[]){__VA_ARGS__}) / sizeof(Module *)))

#endif
