/* lessons/kit/networks.h -- the document's networks, for the lessons that train them.
 *
 *  - prelu_network_new returns its PReLUNetwork: Linear, PReLU, Linear, PReLU, Linear. The names
 *    are the document's: fc1, prelu1, fc2, prelu2, fc3.
 *  - conv_net_prelu_new returns its ConvNetPReLU: two blocks of Conv2d, PReLU, BatchNorm2d,
 *    MaxPool2d, then Linear, PReLU, Dropout, Linear. The names are features.0 … features.7 and
 *    classifier.0 … classifier.3.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_NETWORKS_H
#define SLOPE_LESSONS_KIT_NETWORKS_H

#include "slope.h"

SLOPE_C_BEGIN

typedef enum SlopeMode { SLOPES_PER_CHANNEL, SLOPES_SHARED } SlopeMode;

/* (N, input_dim), or images with input_dim pixels -> scores (N, num_classes). */
Module *prelu_network_new(ptrdiff_t input_dim, ptrdiff_t hidden_dim, ptrdiff_t num_classes,
                          SlopeMode mode);

/* Images (N,channels,32,32) -> scores (N,num_classes). */
Module *conv_net_prelu_new(ptrdiff_t channels, ptrdiff_t num_classes);

SLOPE_C_END

#endif
