/* tests/conv_net.h -- the document's ConvNetPReLU, as a program outside the tree would write it.
 *
 *  - conv_net_new(conv_net_full) is the document's network: 3 -> 64 -> 128 channels, 32x32 images.
 *  - conv_net_new(conv_net_small) is the network of tests/golden/make_golden_conv.py.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_TESTS_CONV_NET_H
#define SLOPE_TESTS_CONV_NET_H

#include "nn/layers.h"

/* Channels of the image and of the two convolutions, the image's height and width, the width of the
 * hidden layer, the number of classes. */
typedef struct ConvNetSizes {
    ptrdiff_t in, first, second, size, hidden, classes;
    real      dropout;
} ConvNetSizes;

static const ConvNetSizes conv_net_full = {3, 64, 128, 32, 512, 10, (real)0.5};
static const ConvNetSizes conv_net_small = {2, 4, 6, 8, 8, 3, 0};

static inline Var *conv_net_forward(Module *self, Var *x)
{
    Var *features = module_forward(module_child(self, "features"), x);
    ptrdiff_t n = var_shape(features).dim[0];
    features = var_reshape(features, SHAPE(n, tensor_count(features->value) / n));
    return module_forward(module_child(self, "classifier"), features);
}

static inline Module *conv_net_new(ConvNetSizes s)
{
    static const ModuleType type = {"ConvNetPReLU", conv_net_forward, NULL};
    const real slope = (real)0.25;
    Module *net = module_new(sizeof *net, &type);
    ptrdiff_t flat = s.second * (s.size / 4) * (s.size / 4);
    module_add_child(net, "features", SEQUENTIAL(
        conv2d_new(s.in, s.first, 3, conv2d_padding(1)), prelu_new(s.first, slope),
        batch_norm2d_new(s.first), max_pool2d_new(2),
        conv2d_new(s.first, s.second, 3, conv2d_padding(1)), prelu_new(s.second, slope),
        batch_norm2d_new(s.second), max_pool2d_new(2)));
    module_add_child(net, "classifier", SEQUENTIAL(
        linear_new(flat, s.hidden), prelu_new(s.hidden, slope), dropout_new(s.dropout),
        linear_new(s.hidden, s.classes)));
    return net;
}

#endif
