#!/usr/bin/python3
# tests/golden/accuracy.py -- the errors of Slope and of PyTorch in float, measured in ulps.
#
#  - `make accuracy` runs it if it finds a Python with torch:
#        /usr/bin/python3 tests/golden/accuracy.py build/float/tests/golden/accuracy
#  - accuracy.c computes every case on random inputs; PyTorch computes the same here, in float32 and
#    in float64. An error is the difference from the result in float64.
#  - element   the largest error, in ulps of the element itself; an element whose terms cancel to
#              nearly 0 can be many ulps off although its error is tiny
#    largest   the largest error, in ulps of the tensor's largest element
#    mean      the mean error, in the same unit
#
# SPDX-License-Identifier: MIT
import os
import subprocess
import sys
import tempfile
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tensor', 'files'))
sys.dont_write_bytecode = True
from load_safetensors import load  # noqa: E402


# --- the cases: inputs by name -> results by name -------------------------------------------------

def with_gradients(y, t, names):
    grads = torch.autograd.grad(y, [t[name] for name in names], t['gy'])
    return {'y': y, **{'g' + name: g for name, g in zip(names, grads)}}


def batch_norm(t):
    C = t['x'].shape[1]
    mean, var = torch.zeros(C, dtype=t['x'].dtype), torch.zeros(C, dtype=t['x'].dtype)
    y = F.batch_norm(t['x'], mean, var, t['w'], t['b'], training=True, momentum=1, eps=1e-5)
    n = t['x'].numel() // C
    return {**with_gradients(y, t, 'xwb'), 'mean': mean, 'var': var * ((n - 1) / n)}


def log_softmax(t):
    return with_gradients(F.log_softmax(t['x'], 1), t, 'x')


def softmax(t):
    return with_gradients(F.softmax(t['x'], 1), t, 'x')


def cross_entropy(t):
    N, K = t['x'].shape
    y = F.cross_entropy(t['x'], torch.arange(N) % K, reduction='none')
    return with_gradients(y, t, 'x')


def matmul(t):
    return with_gradients(t['a'] @ t['b'], t, 'ab')


def conv2d(t):
    return with_gradients(F.conv2d(t['x'], t['w'], padding=1), t, 'xw')


def adam(t):
    w = t['w'].detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([w])
    for g in t['g'].detach():
        w.grad = g
        optimizer.step()
    return {'y': w}


WORK = {f.__name__: f for f in (batch_norm, log_softmax, softmax, cross_entropy, matmul, conv2d,
                                adam)}
WORK |= {'sum axis 0': lambda t: {'y': t['x'].sum(0)},
         'sum axis 1': lambda t: {'y': t['x'].sum(1)},
         'sum all': lambda t: {'y': t['x'].sum()}}


def work_of(case):
    return next(work for name, work in WORK.items() if case.startswith(name))


# --- the table ------------------------------------------------------------------------------------

def ulp(x):
    """The distance from |x|, as a float, to the next larger float."""
    x = x.abs().float()
    return (torch.nextafter(x, torch.tensor(float('inf'))) - x).double()


def errors(found, exact):
    """The largest error in ulps of its element; the largest and mean in ulps of the largest one."""
    error = (found.detach().double() - exact).abs()
    unit = ulp(exact.abs().max())
    return [(error / ulp(exact)).max().item(), (error.max() / unit).item(),
            (error.mean() / unit).item()]


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + '/accuracy.safetensors'
        subprocess.run([program, path], check=True)
        tensors = load(path)
    cases = {}
    for name, t in tensors.items():
        case, tensor = name.split('|')
        cases.setdefault(case, {})[tensor] = t
    print('%-44s%30s%30s' % ('ulps off float64', 'Slope', 'PyTorch ' + torch.__version__))
    print('%-44s' % '' + 2 * '%10s%10s%10s' % (2 * ('element', 'largest', 'mean')))
    for case, ours in cases.items():
        single, double = (
            work_of(case)({k: t.to(d).requires_grad_() for k, t in ours.items()})
            for d in (torch.float32, torch.float64))
        for key in double:
            exact = double[key].detach()
            row = errors(ours[key].reshape(exact.shape), exact) + errors(single[key], exact)
            print('%-44s' % (case + ': ' + key) + ''.join('%10.3g' % e for e in row))


if __name__ == '__main__':
    main(sys.argv[1])
