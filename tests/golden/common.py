# tests/golden/common.py -- random inputs, the files' format, one case of an op, and training.
#
# Shared by make_golden.py and make_golden_conv.py; make_golden.py describes the format.
#
# SPDX-License-Identifier: MIT
import os
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
FLOAT_TOLERANCE, TRAINING_TOLERANCE = 1e-5, 1e-4  # as in tests/golden/golden.h
STEPS = 10  # of optimizers and of training
random = torch.Generator()


# --- values and files -----------------------------------------------------------------------------

def uniform(*shape, low=-2.0, high=2.0):
    """Random multiples of 1/64 in low ... high, without 0."""
    n = torch.randint(int(low * 64), int(high * 64) + 1, shape, generator=random).double()
    return torch.where(n == 0, torch.ones_like(n), n) / 64


def tensor(*values, shape=None):
    t = torch.tensor(values, dtype=torch.float64)
    return t if shape is None else t.reshape(shape)


def write_tensor(out, name, t):
    t = torch.as_tensor(t, dtype=torch.float64).detach()
    numbers = [repr(v) for v in t.flatten().tolist()]
    numbers = [n[:-2] if n.endswith('.0') else n for n in numbers]
    out.write(' '.join(['tensor', name, str(t.dim())] + [str(d) for d in t.shape]) + '\n')
    for i in range(0, len(numbers), 6):
        out.write(' '.join(numbers[i:i + 6]) + '\n')


def write_case(out, name, variant, tensors):
    out.write('case %s %s\n' % (name, variant))
    for key, t in tensors.items():
        write_tensor(out, key, t)
    out.write('end\n\n')


def check_float(label, double, single, tolerance):
    """Asserts that float32 and float64 agree within a quarter of the float build's tolerance."""
    for key, d in double.items():
        d, s = torch.as_tensor(d).double(), torch.as_tensor(single[key]).double()
        finite = torch.isfinite(d)
        assert torch.equal(finite, torch.isfinite(s)), (label, key)
        scale = d[finite].abs().max() if finite.any() else 0
        worst = (d - s)[finite].abs().max() if finite.any() else 0
        assert worst <= tolerance / 4 * scale, (label, key, float(worst), float(scale))


# --- one case of an op ----------------------------------------------------------------------------

def evaluate(f, x, gy, v, dtype):
    """Value, gradients and, if v is given, gradients of gradients."""
    x = [t.detach().to(dtype).requires_grad_() for t in x]
    y = f(*x)
    gy = gy.to(dtype).requires_grad_()

    def grad(of, to, by):
        found = torch.autograd.grad(of, to, by, create_graph=v is not None, allow_unused=True)
        return [torch.zeros_like(t) if g is None else g for g, t in zip(found, to)]

    g = grad([y], x, [gy])
    result = {'y': y, **{'g%d' % i: t for i, t in enumerate(g)}}
    if v is not None:
        total = sum((a.to(dtype) * b).sum() for a, b in zip(v, g))
        h = grad([total], x + [gy], None)
        result.update({'h%d' % i: t for i, t in enumerate(h[:-1])}, hy=h[-1])
    return {key: t.detach() for key, t in result.items()}


def op(out, name, variant, f, *x, attr=None, const=None, second=False):
    gy = uniform(*f(*x).shape)
    v = [uniform(*t.shape) for t in x] if second else None
    result = evaluate(f, x, gy, v, torch.float64)
    check_float((name, variant), result, evaluate(f, x, gy, v, torch.float32), FLOAT_TOLERANCE)
    tensors = {'x%d' % i: t for i, t in enumerate(x)}
    if const is not None:
        tensors['c0'] = const
    if attr is not None:
        tensors['attr'] = tensor(*attr)
    tensors['gy'] = gy
    if second:
        tensors.update({'v%d' % i: t for i, t in enumerate(v)})
    write_case(out, name, variant, {**tensors, **result})


# --- ten Adam steps of a network ------------------------------------------------------------------

def train(net, start, x, labels, dtype):
    """The gradients of every step, the losses and the final state, in which net is left."""
    net.to(dtype).load_state_dict({name: t.to(dtype) for name, t in start.items()})
    optimizer = torch.optim.Adam(net.parameters(), lr=0.015625)
    result, losses = {}, []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x.to(dtype)), labels)
        loss.backward()
        losses.append(loss.item())
        for name, p in net.named_parameters():
            result['grad%d_%s' % (step, name)] = p.grad.clone()
        optimizer.step()
    result['losses'] = tensor(*losses)
    result.update({'end_' + name: t.detach().clone() for name, t in net.state_dict().items()})
    return result
