/* lessons/kit/networks.h -- the document's networks, for the lessons that train them.
 *
 *  - prelu_network_new is its PReLUNetwork: Linear, PReLU, Linear, PReLU, Linear.
 *    Names are the document's: fc1, prelu1, fc2, prelu2, fc3.
 *  - conv_net_prelu_new is its ConvNetPReLU: two blocks of Conv2d, PReLU, BatchNorm2d, MaxPool2d,
 *    then Linear, PReLU, Dropout, Linear. Names: features.0 … features.7, classifier.0 … 3.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_KIT_NETWORKS_H
#define SLOPE_LESSONS_KIT_NETWORKS_H

#include "slope.h"

typedef enum SlopeMode { SLOPES_PER_CHANNEL, SLOPES_SHARED } SlopeMode;

/* (N, input_dim) or images with so many pixels -> scores (N, num_classes). */
Module *prelu_network_new(ptrdiff_t input_dim, ptrdiff_t hidden_dim, ptrdiff_t num_classes,
                          SlopeMode mode);

/* Images (N,channels,32,32) -> scores (N,num_classes). */
Module *conv_net_prelu_new(ptrdiff_t channels, ptrdiff_t num_classes);

#endif
