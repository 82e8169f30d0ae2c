/* lessons/kit/networks.c -- the document's two networks, each in PyTorch and then in Slope.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/kit/networks.h"

/* --- PReLUNetwork ----------------------------------------------------------------------------- */

/*      class PReLUNetwork(nn.Module):
 *          def __init__(self, input_dim=784, hidden_dim=256, num_classes=10):
 *              super().__init__()
 *              self.fc1 = nn.Linear(input_dim, hidden_dim)
 *              self.prelu1 = nn.PReLU(num_parameters=hidden_dim)
 *              self.fc2 = nn.Linear(hidden_dim, hidden_dim)
 *              self.prelu2 = nn.PReLU(num_parameters=hidden_dim)
 *              self.fc3 = nn.Linear(hidden_dim, num_classes)
 *
 *          def forward(self, x):
 *              x = self.prelu1(self.fc1(x))
 *              x = self.prelu2(self.fc2(x))
 *              return self.fc3(x)
 */
typedef struct PReLUNetwork {
    Module  base;
    Module *flatten, *fc1, *prelu1, *fc2, *prelu2, *fc3;
} PReLUNetwork;

static Var *prelu_network_forward(Module *self, Var *x)
{
    PReLUNetwork *net = (PReLUNetwork *)self;
    x = module_forward(net->flatten, x); /* images (N,1,28,28) -> (N,784) */
    x = module_forward(net->prelu1, module_forward(net->fc1, x));
    x = module_forward(net->prelu2, module_forward(net->fc2, x));
    return module_forward(net->fc3, x);
}

Module *prelu_network_new(ptrdiff_t input_dim, ptrdiff_t hidden_dim, ptrdiff_t num_classes,
                          SlopeMode mode)
{
    static const ModuleType type = {"PReLUNetwork", prelu_network_forward, NULL};
    ptrdiff_t slopes = mode == SLOPES_SHARED ? 1 : hidden_dim;
    PReLUNetwork *net = module_new(sizeof *net, &type);
    net->flatten = module_add_child(&net->base, "flatten", flatten_new());
    net->fc1 = module_add_child(&net->base, "fc1", linear_new(input_dim, hidden_dim));
    net->prelu1 = module_add_child(&net->base, "prelu1", prelu_new(slopes, (real)0.25));
    net->fc2 = module_add_child(&net->base, "fc2", linear_new(hidden_dim, hidden_dim));
    net->prelu2 = module_add_child(&net->base, "prelu2", prelu_new(slopes, (real)0.25));
    net->fc3 = module_add_child(&net->base, "fc3", linear_new(hidden_dim, num_classes));
    return &net->base;
}

/* --- ConvNetPReLU ----------------------------------------------------------------------------- */

/*      class ConvNetPReLU(nn.Module):
 *          def __init__(self, num_classes=10):
 *              super().__init__()
 *              self.features = nn.Sequential(
 *                  nn.Conv2d(3, 64, 3, padding=1),
 *                  nn.PReLU(num_parameters=64),
 *                  nn.BatchNorm2d(64),
 *                  nn.MaxPool2d(2),
 *
 *                  nn.Conv2d(64, 128, 3, padding=1),
 *                  nn.PReLU(num_parameters=128),
 *                  nn.BatchNorm2d(128),
 *                  nn.MaxPool2d(2),
 *              )
 *              self.classifier = nn.Sequential(
 *                  nn.Linear(128 * 8 * 8, 512),
 *                  nn.PReLU(num_parameters=512),
 *                  nn.Dropout(0.5),
 *                  nn.Linear(512, num_classes),
 *              )
 *
 *          def forward(self, x):
 *              x = self.features(x)
 *              x = x.view(x.size(0), -1)
 *              x = self.classifier(x)
 *              return x
 */
typedef struct ConvNetPReLU {
    Module  base;
    Module *features, *flatten, *classifier;
} ConvNetPReLU;

static Var *conv_net_prelu_forward(Module *self, Var *x)
{
    ConvNetPReLU *net = (ConvNetPReLU *)self;
    x = module_forward(net->features, x);
    x = module_forward(net->flatten, x);
    x = module_forward(net->classifier, x);
    return x;
}

Module *conv_net_prelu_new(ptrdiff_t channels, ptrdiff_t num_classes)
{
    static const ModuleType type = {"ConvNetPReLU", conv_net_prelu_forward, NULL};
    const real a = (real)0.25;
    ConvNetPReLU *net = module_new(sizeof *net, &type);
    net->features = module_add_child(&net->base, "features", SEQUENTIAL(
        conv2d_new(channels, 64, 3, conv2d_padding(1)),
        prelu_new(64, a),
        batch_norm2d_new(64),
        max_pool2d_new(2),

        conv2d_new(64, 128, 3, conv2d_padding(1)),
        prelu_new(128, a),
        batch_norm2d_new(128),
        max_pool2d_new(2)));
    net->flatten = module_add_child(&net->base, "flatten", flatten_new());
    net->classifier = module_add_child(&net->base, "classifier", SEQUENTIAL(
        linear_new(128 * 8 * 8, 512),
        prelu_new(512, a),
        dropout_new((real)0.5),
        linear_new(512, num_classes)));
    return &net->base;
}
