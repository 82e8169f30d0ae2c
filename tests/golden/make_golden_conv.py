# tests/golden/make_golden_conv.py -- convolution, pooling, batch normalisation and a small ConvNet,
# for tests/golden/check_golden_conv.c to compare with.
#
#  - make_golden.py runs this and describes the format.
#  - conv.txt     cases of ops; attr holds the options in the order of Slope's structs.
#  - norm.txt     three training steps of a BatchNorm module (x0 gy0 y0 gx0 gw0 gb0, then the
#                 statistics mean0 var0; x1 ...) and one evaluation (xe gye ye gxe gwe gbe); attr
#                 is momentum, eps, affine. weight and bias are present if the module is affine.
#  - conv_training.txt  ten Adam steps of a small version of the document's ConvNetPReLU.
#
# SPDX-License-Identifier: MIT
import os
import torch
from torch import nn
import torch.nn.functional as F

from common import (FLOAT_TOLERANCE, HERE, TRAINING_TOLERANCE, check_float, op, random, tensor,
                    train, uniform, write_case)

NORM_STEPS = 3


# --- ops ------------------------------------------------------------------------------------------

def conv(out, variant, x, w, bias=True, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1,
         second=False):
    def f(x, w, b=None):
        return F.conv2d(x, w, b, stride, padding, dilation, groups)

    b = [uniform(w[0])] if bias else []
    op(out, 'conv2d', variant, f, uniform(*x), uniform(*w), *b, second=second,
       attr=[*stride, *padding, *dilation, groups])


def convolutions(out):
    conv(out, 'plain', (2, 3, 5, 6), (4, 3, 3, 3))
    conv(out, 'padded', (2, 3, 5, 4), (2, 3, 3, 3), padding=(1, 1))
    conv(out, 'one_channel', (2, 1, 6, 5), (3, 1, 3, 3), padding=(1, 1))
    conv(out, 'no_bias', (2, 3, 5, 4), (2, 3, 2, 3), bias=False)
    conv(out, 'kernel_1x1', (2, 3, 4, 5), (5, 3, 1, 1))
    conv(out, 'kernel_1x1_strided', (1, 3, 5, 6), (2, 3, 1, 1), stride=(2, 3), bias=False)
    conv(out, 'stride_2x1', (2, 2, 7, 4), (3, 2, 3, 2), stride=(2, 1))
    conv(out, 'stride_1x3', (1, 2, 4, 9), (2, 2, 2, 2), stride=(1, 3))
    conv(out, 'padding_0x2', (2, 2, 4, 3), (3, 2, 3, 3), padding=(0, 2))
    conv(out, 'padding_3x1', (1, 2, 3, 5), (2, 2, 2, 3), padding=(3, 1))
    conv(out, 'dilation_2x1', (2, 2, 6, 4), (2, 2, 3, 2), dilation=(2, 1))
    conv(out, 'dilation_1x3', (1, 2, 3, 9), (3, 2, 2, 3), dilation=(1, 3))
    conv(out, 'all_uneven', (2, 3, 7, 8), (4, 3, 3, 2), stride=(2, 3), padding=(1, 2),
         dilation=(1, 2))
    conv(out, 'rows_left_over', (1, 2, 8, 8), (2, 2, 3, 3), stride=(3, 4), padding=(0, 1))
    conv(out, 'groups_2', (2, 4, 5, 4), (6, 2, 3, 3), padding=(1, 0), groups=2)
    conv(out, 'groups_4_depthwise', (2, 4, 4, 5), (4, 1, 3, 2), stride=(1, 2), groups=4)
    conv(out, 'groups_4_of_8', (1, 8, 4, 4), (4, 2, 2, 2), dilation=(2, 1), groups=4, bias=False)
    conv(out, 'kernel_as_wide_as_padded', (2, 2, 4, 3), (3, 2, 2, 5), padding=(0, 1))
    conv(out, 'kernel_as_large_as_image', (3, 2, 4, 3), (2, 2, 4, 3))
    conv(out, 'wide_row', (1, 2, 2, 37), (2, 2, 2, 3), padding=(1, 1))
    conv(out, 'many_channels', (1, 17, 3, 3), (9, 17, 2, 2))
    conv(out, 'second', (2, 2, 4, 4), (3, 2, 3, 2), padding=(1, 0), second=True)
    conv(out, 'second_uneven', (1, 4, 5, 4), (2, 2, 2, 2), stride=(2, 1), padding=(1, 2),
         dilation=(1, 2), groups=2, second=True)
    conv(out, 'second_no_bias', (2, 1, 3, 3), (2, 1, 2, 2), bias=False, second=True)


def linears(out):
    op(out, 'linear', 'bias_2d', F.linear, uniform(4, 5), uniform(3, 5), uniform(3))
    op(out, 'linear', 'bias_3d', F.linear, uniform(2, 3, 4), uniform(5, 4), uniform(5))
    op(out, 'linear', 'no_bias_2d', F.linear, uniform(3, 4), uniform(6, 4))
    op(out, 'linear', 'no_bias_3d', F.linear, uniform(2, 3, 4), uniform(2, 4))
    op(out, 'linear', 'second', F.linear, uniform(2, 2, 3), uniform(2, 3), uniform(2), second=True)


def pool(out, variant, x, kernel, stride=None, padding=(0, 0), second=False):
    stride = stride or kernel
    op(out, 'max_pool2d', variant, lambda x: F.max_pool2d(x, kernel, stride, padding), x,
       attr=[*kernel, *stride, *padding], second=second)


def pools(out):
    nan = float('nan')
    pool(out, 'kernel_2', uniform(2, 3, 4, 6), (2, 2))
    pool(out, 'kernel_3x2', uniform(2, 2, 7, 5), (3, 2))
    pool(out, 'overlapping', uniform(2, 2, 6, 5), (3, 3), (1, 1))
    pool(out, 'overlapping_2x1', uniform(1, 3, 7, 6), (3, 2), (2, 1), (1, 0))
    pool(out, 'padded', uniform(2, 2, 5, 4), (2, 3), (2, 2), (1, 1))
    pool(out, 'padded_negative', uniform(1, 2, 4, 4, high=-0.5), (3, 3), (2, 2), (1, 1))
    pool(out, 'gaps', uniform(1, 2, 7, 8), (2, 2), (3, 4))
    pool(out, 'whole_plane', uniform(3, 2, 3, 4), (3, 4))
    pool(out, 'one_pixel', uniform(1, 2, 3, 3), (1, 1), (2, 2))
    ties = torch.randint(0, 2, (2, 2, 5, 6), generator=random).double() / 2
    pool(out, 'ties', ties, (2, 2))
    pool(out, 'ties_overlapping', ties, (3, 3), (1, 2), (1, 1))
    pool(out, 'all_equal', torch.full((1, 2, 4, 4), -1.5).double(), (3, 3), (1, 1), (1, 1))
    special = uniform(1, 1, 6, 6)
    special[0, 0, 1, 2] = special[0, 0, 4, 4] = special[0, 0, 4, 5] = nan  # two in one window
    special[0, 0, 0, 5], special[0, 0, 5, 0] = float('inf'), -float('inf')
    special[0, 0, 2:4, 4:6] = -float('inf')  # a whole window
    pool(out, 'nan', special, (2, 2))
    pool(out, 'nan_overlapping', special, (3, 3), (1, 1), (1, 1))
    pool(out, 'second', uniform(1, 2, 5, 4), (3, 2), (2, 1), (1, 0), second=True)


def make_ops():
    random.manual_seed(4)
    with open(os.path.join(HERE, 'conv.txt'), 'w') as out:
        convolutions(out)
        linears(out)
        pools(out)
        op(out, 'prelu', 'channels_ncdhw', F.prelu, uniform(2, 3, 2, 2, 3), tensor(0.25, -0.5, 1.5))
        for variant, shape in ('nc', (6, 3)), ('ncl', (2, 3, 3)), ('nchw', (2, 3, 2, 2)):
            op(out, 'batch_norm', 'second_' + variant,
               lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=0.125),
               uniform(*shape), uniform(3), uniform(3), attr=[0.125], second=True)
        for size in (4, 5), (1, 1):
            op(out, 'global_avg_pool2d', '%dx%d' % size,
               lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), uniform(2, 3, *size), second=True)


# --- batch normalisation as a module --------------------------------------------------------------

def gradients(norm, x, gy, label):
    x = x.detach().to(gy.dtype).requires_grad_()
    norm.zero_grad()
    y = norm(x)
    y.backward(gy)
    result = {'y' + label: y.detach(), 'gx' + label: x.grad}
    if norm.affine:
        result['gw' + label] = norm.weight.grad.clone()
        result['gb' + label] = norm.bias.grad.clone()
    return result


def run_norm(make, start, inputs, cotangents, dtype):
    norm = make().to(dtype)
    for name, t in start.items():
        getattr(norm, name).data = t.to(dtype)
    result = {}
    for step in range(NORM_STEPS):
        result.update(gradients(norm, inputs[step], cotangents[step].to(dtype), str(step)))
        result['mean%d' % step] = norm.running_mean.clone()
        result['var%d' % step] = norm.running_var.clone()
    norm.eval()
    result.update(gradients(norm, inputs[-1], cotangents[-1].to(dtype), 'e'))
    result['batches'] = norm.num_batches_tracked.to(dtype)
    return result


def norm_case(out, variant, kind, shape, momentum=0.1, eps=1e-5, affine=True):
    start = {'weight': uniform(shape[1]), 'bias': uniform(shape[1])} if affine else {}
    inputs = [uniform(*shape) * 2 + uniform(1, shape[1], *[1] * (len(shape) - 2))
              for _ in range(NORM_STEPS + 1)]
    cotangents = [uniform(*shape) for _ in inputs]

    def run(dtype):
        return run_norm(lambda: kind(shape[1], eps=eps, momentum=momentum, affine=affine), start,
                        inputs, cotangents, dtype)
    result = run(torch.float64)
    check_float(('batch_norm', variant), result, run(torch.float32), FLOAT_TOLERANCE)
    tensors = {'attr': tensor(momentum, eps, affine), **start}
    for i, label in enumerate('012e'):
        tensors.update({'x' + label: inputs[i], 'gy' + label: cotangents[i]})
    write_case(out, kind.__name__, variant, {**tensors, **result})


def make_norms():
    random.manual_seed(5)
    with open(os.path.join(HERE, 'norm.txt'), 'w') as out:
        norm_case(out, 'nc', nn.BatchNorm1d, (5, 3))
        norm_case(out, 'nc_half_momentum', nn.BatchNorm1d, (4, 2), momentum=0.5, eps=0.5)
        norm_case(out, 'ncl', nn.BatchNorm1d, (2, 3, 4), momentum=0.5)
        norm_case(out, 'ncl_one_example', nn.BatchNorm1d, (1, 2, 5), eps=0.5)
        norm_case(out, 'ncl_no_affine', nn.BatchNorm1d, (2, 2, 3), momentum=0.0, affine=False)
        norm_case(out, 'nchw', nn.BatchNorm2d, (2, 3, 2, 3))
        norm_case(out, 'nchw_no_momentum', nn.BatchNorm2d, (2, 2, 3, 2), momentum=0.0)
        norm_case(out, 'nchw_no_affine', nn.BatchNorm2d, (3, 2, 2, 2), eps=0.5, affine=False)
        norm_case(out, 'nchw_half_momentum', nn.BatchNorm2d, (2, 4, 2, 2), momentum=0.5)


# --- training: ten Adam steps of a small ConvNetPReLU ---------------------------------------------

class ConvNetPReLU(nn.Module):
    """A small version of the document's network, for images (2,8,8); dropout 0 is the identity."""

    def __init__(self, classes=3, dropout=0.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.PReLU(4), nn.BatchNorm2d(4), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1), nn.PReLU(6), nn.BatchNorm2d(6), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Linear(6 * 2 * 2, 8), nn.PReLU(8), nn.Dropout(dropout),
                                        nn.Linear(8, classes))

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.view(x.size(0), -1))


def network():
    """The slopes of a layer are distinct, two of them negative, in random order."""
    net = ConvNetPReLU()
    for name, p in net.named_parameters():
        p.data = uniform(*p.shape, low=-0.5, high=0.5)
        if name in ('features.1.weight', 'features.5.weight', 'classifier.1.weight'):
            p.data = (torch.randperm(len(p), generator=random).double() - 1.5) / 8
        elif name in ('features.2.weight', 'features.6.weight'):
            p.data = uniform(*p.shape, low=0.5, high=1.5)
    return net


def train_conv(start, x, labels, dtype):
    net = ConvNetPReLU()
    result = train(net, start, x, labels, dtype)
    net.eval()
    result['y'] = net(x.to(dtype)).detach()
    return result


def make_training():
    random.manual_seed(6)
    start = {name: t.detach().clone() for name, t in network().state_dict().items()}
    x, labels = uniform(6, 2, 8, 8), torch.randint(0, 3, (6,), generator=random)
    result = train_conv(start, x, labels, torch.float64)
    check_float('conv_training', result, train_conv(start, x, labels, torch.float32),
                TRAINING_TOLERANCE)
    names = dict(ConvNetPReLU().named_parameters())
    tensors = {'x0': x, 'c0': labels, **{'start_' + name: start[name] for name in names}}
    with open(os.path.join(HERE, 'conv_training.txt'), 'w') as out:
        write_case(out, 'training', 'conv_net_prelu', {**tensors, **result})


def make_all():
    make_ops()
    make_norms()
    make_training()
