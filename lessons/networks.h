/* lessons/networks.h -- the document's networks, for the lessons that train them.
 *
 *  - prelu_network_new is its PReLUNetwork: Linear, PReLU, Linear, PReLU, Linear.
 *  - Names are the document's: fc1, prelu1, fc2, prelu2, fc3.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SLOPE_LESSONS_NETWORKS_H
#define SLOPE_LESSONS_NETWORKS_H

#include "slope.h"

typedef enum SlopeMode { SLOPES_PER_CHANNEL, SLOPES_SHARED } SlopeMode;

/* (N, input_dim) or images with so many pixels -> scores (N, num_classes). */
Module *prelu_network_new(ptrdiff_t input_dim, ptrdiff_t hidden_dim, ptrdiff_t num_classes,
                          SlopeMode mode);

#endif
