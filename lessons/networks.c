/* lessons/networks.c -- the document's PReLUNetwork, PyTorch above and Slope below.
 *
 *      class PReLUNetwork(nn.Module):
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
 *
 * SPDX-License-Identifier: MIT
 */
#include "lessons/networks.h"

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
