#!/usr/bin/python3
# tests/golden/make_golden.py -- what PyTorch computes, for check_golden.c to compare with.
#
#  - Run from anywhere, with a Python that has torch (1.13 wrote the committed files):
#        /usr/bin/python3 tests/golden/make_golden.py
#    It writes ops.txt, optim.txt, schedule.txt and training.txt beside itself and, through
#    make_golden_conv.py, conv.txt, norm.txt and conv_training.txt. The same version of torch writes
#    the same files.
#  - Inputs are multiples of 1/64, so that float and double builds start from the same values.
#    References are float64. Every case is also computed in float32 and must agree within a quarter
#    of the float build's tolerance: a case too delicate for float stops the script.
#  - The format is words separated by white space:
#        case prelu channels_nc      what to call, and the name of the case
#        tensor x0 2 4 3             name, number of axes, their sizes ...
#        -0.5 1.25 ...               ... and as many values
#        end
#    Names: x0 x1 ... inputs that require a gradient, c0 a constant, attr the call's options, y the
#    value, gy its random cotangent, g0 g1 ... the gradients of sum(gy y). Second-order cases add
#    v0 v1 ..., the cotangents of the gradients, and h0 h1 ... hy, the gradients of
#    sum_i sum(v_i g_i) with respect to the inputs and to gy.
#
# To add a case of an op that is already here, add a line and run this script; for a new op, also
# add its call to the table in check_golden.c or check_golden_conv.c.
#
# SPDX-License-Identifier: MIT
import os
import torch
import torch.nn.functional as F

import make_golden_conv
from common import (FLOAT_TOLERANCE, HERE, STEPS, TRAINING_TOLERANCE, check_float, op, random,
                    tensor, train, uniform, write_case)


# --- ops ------------------------------------------------------------------------------------------

def elementwise(out):
    binary = {'add': torch.add, 'sub': torch.sub, 'mul': torch.mul, 'div': torch.div,
              'maximum': torch.maximum, 'minimum': torch.minimum}
    for name, f in binary.items():
        far = dict(low=0.5, high=2) if name == 'div' else {}
        op(out, name, 'same', f, uniform(2, 3), uniform(2, 3, **far))
        op(out, name, 'broadcast', f, uniform(2, 3, 4), uniform(3, 1, **far))
        op(out, name, 'broadcast_both', f, uniform(2, 1, 3), uniform(4, 1, **far))
        op(out, name, 'scalar', f, uniform(2, 3), uniform(**far))
    ties = tensor(1, -2, 0.5, 3, 0, -1, shape=(2, 3)), tensor(1, -1, 0.5, 2, 0, -1, shape=(2, 3))
    op(out, 'maximum', 'ties', torch.maximum, *ties)
    op(out, 'minimum', 'ties', torch.minimum, *ties)
    condition = tensor(1, 0, 0, 1, 1, 0, shape=(2, 3))
    op(out, 'where', 'broadcast', lambda a, b: torch.where(condition > 0, a, b), uniform(2, 3),
       uniform(3), const=condition)
    op(out, 'abs', 'zero', torch.abs, tensor(-1.5, 0, 2, -0.25))
    for name in 'neg exp tanh sigmoid'.split():
        op(out, name, 'plain', getattr(torch, name), uniform(3, 4))
    op(out, 'tanh', 'large', torch.tanh, tensor(-30, 3, 30, -0.125))
    op(out, 'sigmoid', 'large', torch.sigmoid, tensor(-30, 3, 60, -0.125))
    op(out, 'log', 'plain', torch.log, uniform(3, 4, low=0.125))
    op(out, 'sqrt', 'plain', torch.sqrt, uniform(3, 4, low=0.125))
    op(out, 'pow', '0', lambda x: torch.pow(x, 0), tensor(-1.5, 0, 2, 0.5), attr=[0])
    op(out, 'pow', '2', lambda x: torch.pow(x, 2), tensor(-1.5, 0, 2, 0.5), attr=[2])
    op(out, 'pow', 'half', lambda x: torch.pow(x, 0.5), uniform(5, low=0.125), attr=[0.5])
    op(out, 'pow', 'minus_1', lambda x: torch.pow(x, -1), tensor(-1.5, 0.25, 2, -0.5), attr=[-1])


def activations(out):
    slopes = tensor(0.25, -0.5, 1.5)
    one = tensor(-0.375)
    for variant, shape in ('nc', (4, 3)), ('ncl', (2, 3, 5)), ('nchw', (2, 3, 2, 4)):
        op(out, 'prelu', 'channels_' + variant, F.prelu, uniform(*shape), slopes)
        op(out, 'prelu', 'shared_' + variant, F.prelu, uniform(*shape), one)
    op(out, 'prelu', 'shared_1d', F.prelu, uniform(6), one)
    # The kink: +0, -0, NaN and -Inf take the slope's side, +Inf takes the other.
    special = tensor(0.0, -0.0, float('nan'), float('inf'), -float('inf'), shape=(1, 5))
    op(out, 'prelu', 'special', F.prelu, special, tensor(0.25, -0.5, 0.75, -0.25, 0.5))
    op(out, 'relu', 'zero', torch.relu, tensor(-1.5, 0, 2, -0.25, 0.5))
    op(out, 'leaky_relu', '0.2', lambda x: F.leaky_relu(x, 0.2), uniform(3, 4), attr=[0.2])
    op(out, 'leaky_relu', 'zero', lambda x: F.leaky_relu(x, 0.01), tensor(-1.5, 0, 2), attr=[0.01])

    def prelu_backward(x, a, g):
        """gx + ga broadcast along the channels, as op_prelu_backward's sample combines them."""
        gx, ga = torch.autograd.grad(F.prelu(x, a), [x, a], g, create_graph=True)
        return gx + ga.reshape(-1, *[1] * (x.dim() - 2))

    def with_leaves(x, a, g):
        return prelu_backward(*[t if t.requires_grad else t.clone().requires_grad_()
                                for t in (x, a, g)])
    op(out, 'prelu_backward', 'ncl', with_leaves, uniform(2, 3, 4), slopes, uniform(2, 3, 4))

    large = tensor(1000, 999.5, -1000, 0, -500, -500.25, 88.5, -88.5, shape=(2, 4))
    for name in 'softmax', 'log_softmax':
        f = getattr(torch, name)
        op(out, name, 'rows', lambda x: f(x, 1), uniform(3, 4), attr=[1])
        op(out, name, 'middle', lambda x: f(x, 1), uniform(2, 3, 4), attr=[1])
        op(out, name, 'first', lambda x: f(x, 0), uniform(3, 2), attr=[0])
        op(out, name, 'large', lambda x: f(x, 1), large, attr=[1])


def reductions(out):
    for name, f in ('sum', torch.sum), ('mean', torch.mean), ('max', torch.amax):
        op(out, name, 'axes', lambda x: f(x, dim=(0, 2)), uniform(2, 3, 4), attr=[0, 0, 2])
        op(out, name, 'keepdim', lambda x: f(x, dim=1, keepdim=True), uniform(2, 3, 4), attr=[1, 1])
        op(out, name, 'all', lambda x: f(x, dim=(0, 1)), uniform(3, 4), attr=[0, 0, 1])
    ties = tensor(1, 3, 3, -1, 2, 2, 2, 0, -1, -1, -2, -3, shape=(3, 4))
    op(out, 'max', 'ties', lambda x: torch.amax(x, dim=1), ties, attr=[0, 1])
    op(out, 'sum_to', '31', lambda x: x.sum_to_size(3, 1), uniform(2, 3, 4), attr=[3, 1])


def shapes(out):
    op(out, 'reshape', '43', lambda x: x.reshape(4, 3), uniform(2, 6), attr=[4, 3])
    op(out, 'transpose', '02', lambda x: x.transpose(0, 2), uniform(2, 3, 4), attr=[0, 2])
    op(out, 'permute', '201', lambda x: x.permute(2, 0, 1), uniform(2, 3, 4), attr=[2, 0, 1])
    op(out, 'slice', 'step', lambda x: x[:, 1:6:2], uniform(2, 7), attr=[1, 1, 6, 2])
    op(out, 'select', '1', lambda x: x.select(1, 2), uniform(2, 3, 4), attr=[1, 2])
    op(out, 'expand', '234', lambda x: x.expand(2, 3, 4), uniform(3, 1), attr=[2, 3, 4])
    op(out, 'concat', 'axis_1', lambda a, b: torch.cat([a, b], 1), uniform(2, 3), uniform(2, 2),
       attr=[1])
    op(out, 'contiguous', 'transposed', lambda x: x.t().contiguous(), uniform(2, 3))
    op(out, 'slice_scatter', 'step',
       lambda x: torch.zeros(2, 7, dtype=x.dtype).slice_scatter(x, 1, 1, 6, 2), uniform(2, 3),
       attr=[2, 7, 1, 1, 2])


def products(out):
    op(out, 'matmul', 'plain', torch.matmul, uniform(3, 4), uniform(4, 2))
    op(out, 'matmul', 'batched', torch.matmul, uniform(2, 3, 4), uniform(2, 4, 2))
    op(out, 'matmul', 'broadcast', torch.matmul, uniform(2, 3, 4), uniform(4, 5))
    op(out, 'matmul', 'broadcast_both', torch.matmul, uniform(2, 1, 3, 4), uniform(3, 4, 2))


def cross_entropy(out):
    labels = {'plain': [2, 0, 3, 1, 0], 'ignored': [2, -100, 3, -100, 0],
              'ignore_1': [2, 1, 3, 1, 0]}
    for r, reduction in enumerate(['mean', 'sum', 'none']):
        for variant, places in labels.items():
            for smoothing in 0.0, 0.125:
                ignore = 1 if variant == 'ignore_1' else -100
                places_ = torch.tensor(places)
                op(out, 'cross_entropy', '%s_%s_%g' % (reduction, variant, smoothing),
                   lambda x: F.cross_entropy(x, places_, ignore_index=ignore, reduction=reduction,
                                             label_smoothing=smoothing),
                   uniform(5, 4, low=-4, high=4), const=places_, attr=[ignore, smoothing, r])
    op(out, 'cross_entropy', 'large', lambda x: F.cross_entropy(x, torch.tensor([2, 1])),
       tensor(1000, 0, -1000, 500.5, 500, 499.5, shape=(2, 3)), const=torch.tensor([2, 1]),
       attr=[-100, 0, 0])


def second_order(out):
    op(out, 'prelu', 'second_channels', F.prelu, uniform(2, 3, 4), tensor(0.25, -0.5, 1.5),
       second=True)
    op(out, 'prelu', 'second_shared', F.prelu, uniform(4, 3), tensor(-0.375), second=True)
    op(out, 'tanh', 'second', torch.tanh, uniform(3, 4), second=True)
    op(out, 'softmax', 'second', lambda x: torch.softmax(x, 1), uniform(3, 4), attr=[1],
       second=True)
    op(out, 'div', 'second', torch.div, uniform(2, 3), uniform(3, low=0.5), second=True)


# Functions of the page of derivatives (pointwise.c) that were added later. They come last, so that
# the cases above keep their random inputs.
def transcendental(out):
    for name in 'sin cos erf expm1'.split():
        op(out, name, 'plain', getattr(torch, name), uniform(3, 4))
    op(out, 'expm1', 'small', torch.expm1, tensor(2.0**-20, -2.0**-30, 0, 1))
    op(out, 'log1p', 'plain', torch.log1p, uniform(3, 4, low=0.125))
    op(out, 'log1p', 'small', torch.log1p, tensor(2.0**-20, -2.0**-30, 0, -0.5))
    op(out, 'softplus', 'plain', F.softplus, uniform(3, 4))
    op(out, 'softplus', 'large', lambda x: F.softplus(x, threshold=1000), tensor(-60, 3, 80, 0))


def weighted_cross_entropy(out):
    for r, reduction in enumerate(['mean', 'sum', 'none']):
        for variant, places in ('plain', [2, 0, 3, 1, 0]), ('ignored', [2, -100, 3, -100, 0]):
            for smoothing in 0.0, 0.125:
                weight, labels = tensor(0.5, 2, 0.25, 1.5), torch.tensor(places)
                op(out, 'cross_entropy', 'weighted_%s_%s_%g' % (reduction, variant, smoothing),
                   lambda x: F.cross_entropy(x, labels, weight.to(x.dtype), reduction=reduction,
                                             label_smoothing=smoothing),
                   uniform(5, 4, low=-4, high=4), const=labels,
                   attr=[-100, smoothing, r, *weight], second=reduction == 'none')
    weight, labels = tensor(0, 2, 1), torch.tensor([0, 1, 2, 1])
    op(out, 'cross_entropy', 'weighted_0', lambda x: F.cross_entropy(x, labels, weight.to(x.dtype)),
       uniform(4, 3), const=labels, attr=[-100, 0, 0, *weight])


def logistic(out):
    def each(x, t):
        return F.binary_cross_entropy_with_logits(x, t, reduction='none')
    op(out, 'logistic_loss', 'plain', each, uniform(3, 4), uniform(3, 4, low=0, high=1))
    op(out, 'logistic_loss', 'second', each, uniform(2, 3), uniform(2, 3, low=0, high=1),
       second=True)
    op(out, 'logistic_loss', 'large', each, tensor(-700, 30, 90, -90, 40, -0.125, 0),
       tensor(0, 1, 0, 1, 0.25, 1, 0.5))
    op(out, 'bce_with_logits', 'mean', F.binary_cross_entropy_with_logits, uniform(3, 4),
       uniform(3, 4, low=0, high=1), second=True)


def numbers_and_axes(out):
    op(out, 'scalar_sub', '1', lambda x: 1 - x, uniform(2, 3), attr=[1])
    op(out, 'scalar_div', '1.5', lambda x: 1.5 / x, uniform(2, 3, low=0.5), attr=[1.5], second=True)
    op(out, 'squeeze', 'middle', lambda x: x.squeeze(1), uniform(2, 1, 3), attr=[1])
    op(out, 'squeeze', 'minus_1', lambda x: x.squeeze(-1), uniform(2, 3, 1), attr=[-1])
    for axis in 0, 2, -1, -2:
        op(out, 'unsqueeze', str(axis), lambda x: x.unsqueeze(axis), uniform(2, 3), attr=[axis])


def make_ops():
    random.manual_seed(1)
    with open(os.path.join(HERE, 'ops.txt'), 'w') as out:
        for part in (elementwise, activations, reductions, shapes, products, cross_entropy,
                     second_order, transcendental, weighted_cross_entropy, logistic,
                     numbers_and_axes):
            part(out)


# --- optimizers: ten steps with given gradients, some of them missing -----------------------------

OPTIMIZERS = {  # case: rule, options
    'sgd_plain': ('SGD', dict(lr=0.0625)),
    'sgd_momentum': ('SGD', dict(lr=0.0625, momentum=0.875)),
    'sgd_dampening': ('SGD', dict(lr=0.0625, momentum=0.875, dampening=0.25)),
    'sgd_nesterov': ('SGD', dict(lr=0.0625, momentum=0.875, nesterov=True)),
    'sgd_decay': ('SGD', dict(lr=0.0625, weight_decay=0.125)),
    'sgd_nesterov_decay': ('SGD', dict(lr=0.0625, momentum=0.875, nesterov=True,
                                       weight_decay=0.125)),
    'adam_plain': ('Adam', dict(lr=0.0625)),
    'adam_amsgrad': ('Adam', dict(lr=0.0625, amsgrad=True)),
    'adam_l2': ('Adam', dict(lr=0.0625, weight_decay=0.125)),
    'adam_betas': ('Adam', dict(lr=0.0625, betas=(0.5, 0.75), eps=0.015625)),
    'adamw_plain': ('AdamW', dict(lr=0.0625)),
    'adamw_amsgrad': ('AdamW', dict(lr=0.0625, weight_decay=0.5, amsgrad=True)),
}


def run_optimizer(rule, options, start, gradients, dtype):
    params = [torch.nn.Parameter(p.clone().to(dtype)) for p in start]
    optimizer = getattr(torch.optim, rule)(params, **options)
    after = {}
    for step, gradient in enumerate(gradients):
        for p, g in zip(params, gradient):
            p.grad = None if g is None else g.to(dtype)
        optimizer.step()
        after.update({'after%d_%d' % (step, i): p.detach().clone() for i, p in enumerate(params)})
    return after


def optimizer_attr(rule, o):
    betas = o.get('betas', (0.9, 0.999))
    decay = o.get('weight_decay', 0.01 if rule == 'AdamW' else 0)
    return tensor(o['lr'], decay, o.get('momentum', 0), o.get('dampening', 0),
                  o.get('nesterov', False), *betas, o.get('eps', 1e-8), o.get('amsgrad', False))


def make_optimizers():
    """Parameter 1 has no gradient in steps 3 and 4, parameter 2 none in the first step."""
    random.manual_seed(2)
    with open(os.path.join(HERE, 'optim.txt'), 'w') as out:
        for variant, (rule, options) in OPTIMIZERS.items():
            start = [uniform(3, 2), uniform(3), uniform(2)]
            # Large gradients first, so that AMSGrad's maximum is not the last v.
            gradients = [[uniform(*p.shape) * (4 if step < 3 else 1) for p in start]
                         for step in range(STEPS)]
            gradients[3][1] = gradients[4][1] = gradients[0][2] = None
            after = run_optimizer(rule, options, start, gradients, torch.float64)
            check_float(variant, after,
                        run_optimizer(rule, options, start, gradients, torch.float32),
                        FLOAT_TOLERANCE)
            tensors = {'attr': optimizer_attr(rule, options)}
            tensors.update({'x%d' % i: p for i, p in enumerate(start)})
            tensors.update({'grad%d_%d' % (s, i): g for s, gs in enumerate(gradients)
                            for i, g in enumerate(gs) if g is not None})
            write_case(out, rule, variant, {**tensors, **after})


# --- schedules: the rate of every update, for two base rates --------------------------------------

BATCHES = 4  # per epoch
SETTINGS = 'warmup warmup_from every epochs factor lowest patience cooldown threshold'.split()

SCHEDULES = {  # case: kind, settings of optim/schedule.h
    'plain': ('step', dict(every=3, factor=0.5)),
    'fractions': ('step', dict(every=0.75, factor=0.75)),
    'warmup': ('step', dict(every=3, factor=0.25, warmup=1.5, warmup_from=0.125)),
    'to_zero': ('cosine', dict(epochs=8)),
    'lowest': ('cosine', dict(epochs=8, lowest=0.0625)),
    'after_warmup': ('cosine', dict(epochs=8, lowest=0.125, warmup=2.5, warmup_from=0.25)),
    'linear': ('constant', dict(warmup=5, warmup_from=0.375)),
    'at_once': ('plateau', dict(factor=0.5)),
    'patience': ('plateau', dict(factor=0.5, patience=2)),
    'threshold': ('plateau', dict(factor=0.25, patience=1, threshold=0.125)),
    'cooldown': ('plateau', dict(factor=0.5, patience=1, cooldown=3)),
    'to_lowest': ('plateau', dict(factor=0.25, lowest=0.03125)),
}
LOSSES = [4, 3, 3.5, 3, 2.75, 2.5, 2.5, float('nan'), 2.25, 2.25, float('inf'), 3, 3, 2.125, 2, 2,
          2, 2, 2, 1, 1.5, 1.5, 1.5, 1.5]


def scheduler(optimizer, kind, o):
    """LinearLR cannot start from 0, so every warm-up here has a warmup_from."""
    lr = torch.optim.lr_scheduler
    base, warmup = optimizer.param_groups[0]['lr'], int(o.get('warmup', 0) * BATCHES)
    linear = lr.LinearLR(optimizer, o['warmup_from'], 1, warmup) if warmup else None
    if kind == 'step':
        step = lr.StepLR(optimizer, int(o['every'] * BATCHES), o['factor'])
        return lr.ChainedScheduler([linear, step]) if warmup else step
    if kind == 'cosine':
        cosine = lr.CosineAnnealingLR(optimizer, int(o['epochs'] * BATCHES) - warmup,
                                      o.get('lowest', 0) * base)
        return lr.SequentialLR(optimizer, [linear, cosine], [warmup]) if warmup else cosine
    if kind == 'plateau':
        return lr.ReduceLROnPlateau(
            optimizer, factor=o['factor'], patience=o.get('patience', 0), eps=0,
            threshold=o.get('threshold', 0), cooldown=o.get('cooldown', 0),
            min_lr=o.get('lowest', 0) * base)
    return linear


def run_schedule(kind, options, base):
    """The rates before each update of 8 epochs, or in each epoch of a plateau."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    schedule = scheduler(optimizer, kind, options)
    rates = []
    for i in range(len(LOSSES) if kind == 'plateau' else 8 * BATCHES):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step(*([LOSSES[i]] if kind == 'plateau' else []))
    return rates


def make_schedules():
    with open(os.path.join(HERE, 'schedule.txt'), 'w') as out:
        for variant, (kind, options) in SCHEDULES.items():
            base = [0.5, 0.125]
            rates = [run_schedule(kind, options, b) for b in base]
            write_case(out, kind, variant, {
                'attr': tensor(*[options.get(name, 0) for name in SETTINGS]),
                'base': tensor(*base), 'losses': tensor(*LOSSES),
                'rates': torch.tensor(rates, dtype=torch.float64)})


# --- training: ten Adam steps of a small PReLU network --------------------------------------------

def network():
    net = torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.PReLU(8), torch.nn.Linear(8, 8),
                              torch.nn.PReLU(8), torch.nn.Linear(8, 4))
    for name, p in net.named_parameters():
        p.data = uniform(*p.shape, low=-0.5, high=0.5)
        if name in ('1.weight', '3.weight'):
            p.data = (torch.randperm(8, generator=random).double() - 2) / 8  # -2/8 ... 5/8
    return net


def make_training():
    random.manual_seed(3)
    start = {name: p.detach().clone() for name, p in network().named_parameters()}
    x, labels = uniform(16, 12), torch.randint(0, 4, (16,), generator=random)
    result = train(network(), start, x, labels, torch.float64)
    check_float('training', result, train(network(), start, x, labels, torch.float32),
                TRAINING_TOLERANCE)
    tensors = {'x0': x, 'c0': labels, **{'start_' + name: p for name, p in start.items()}}
    with open(os.path.join(HERE, 'training.txt'), 'w') as out:
        write_case(out, 'training', 'adam_prelu', {**tensors, **result})


if __name__ == '__main__':
    torch.set_num_threads(1)
    make_ops()
    make_optimizers()
    make_schedules()
    make_training()
    make_golden_conv.make_all()
