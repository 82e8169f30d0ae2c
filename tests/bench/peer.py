"""The work of tests/bench in PyTorch: prints "name,threads,ms" for 1 and for N threads.

    peer.py N [NAME...]     the benchmarks whose names begin with a NAME, or all

Each function below returns the call to be timed, with its tensors allocated and warm; the names and
the work are those of the .c files in this folder.

SPDX-License-Identifier: MIT
"""
import ctypes
import sys
import time

import torch
from torch import nn

SECONDS, LEAST, MOST = 0.15, 3, 1000


def median_ms(work):
    """As bench_time in time.c: warm-up calls, then as many as fit, but at least three."""
    work()
    warm_until = time.perf_counter() + SECONDS / 10
    while True:
        work()
        if time.perf_counter() >= warm_until:
            break
    times, spent = [], 0.0
    while len(times) < MOST and (len(times) < LEAST or spent < SECONDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
        spent += times[-1]
    return 1e3 * sorted(times)[len(times) // 2]


def set_threads(n):
    """Sets the threads of torch's loops, and of OpenBLAS, which ignores torch's setting."""
    torch.set_num_threads(n)
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(n)
    except (OSError, AttributeError):
        pass  # torch uses another BLAS


def gemm(m, n, k):
    a, b = torch.randn(m, k), torch.randn(k, n)
    return lambda: a @ b


def forward(layer, x):
    return lambda: layer(x)


def backward(layer, x):
    """All gradients: of the input and of the layer's parameters."""
    y = layer(x)
    gy = torch.randn_like(y)
    wanted = [x, *layer.parameters()]
    return lambda: torch.autograd.grad(y, wanted, gy, retain_graph=True)


def conv(direction, channels_in, channels_out, size):
    x = torch.randn(64, channels_in, size, size, requires_grad=True)
    return direction(nn.Conv2d(channels_in, channels_out, 3, padding=1), x)


def prelu(direction, slopes):
    return direction(nn.PReLU(slopes), torch.randn(64, 64, 32, 32, requires_grad=True))


def adam():
    w = torch.randn(1 << 24, requires_grad=True)
    w.grad = torch.randn(1 << 24)
    return torch.optim.Adam([w]).step


def step(net, shape):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-5)
    loss_of = nn.CrossEntropyLoss()
    x, labels = torch.randn(shape), torch.arange(shape[0]) % 10

    def once():
        optimizer.zero_grad()
        loss_of(net(x), labels).backward()
        optimizer.step()

    return once


def mlp_step(batch):
    net = nn.Sequential(
        nn.Linear(784, 256), nn.PReLU(256), nn.Linear(256, 256), nn.PReLU(256), nn.Linear(256, 10))
    return step(net, (batch, 784))


def cnn_step(batch):
    net = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.PReLU(64), nn.BatchNorm2d(64), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.PReLU(128), nn.BatchNorm2d(128), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128 * 8 * 8, 512), nn.PReLU(512), nn.Dropout(0.5),
        nn.Linear(512, 10))
    return step(net, (batch, 3, 32, 32))


WORK = {f"gemm_{n}": (gemm, n, n, n) for n in (256, 512, 1024, 2048)}
WORK |= {f"gemm_{m}x{n}x{k}": (gemm, m, n, k) for m, n, k in (
    (1, 256, 784), (32, 256, 784), (64, 256, 784), (64, 10, 256), (256, 784, 64),
    (64, 512, 8192), (64, 8192, 512), (512, 8192, 64))}
WORK |= {
    "conv_fwd_a": (conv, forward, 3, 64, 32), "conv_bwd_a": (conv, backward, 3, 64, 32),
    "conv_fwd_b": (conv, forward, 64, 128, 16), "conv_bwd_b": (conv, backward, 64, 128, 16),
    "prelu_fwd": (prelu, forward, 64), "prelu_bwd": (prelu, backward, 64),
    "prelu_shared_fwd": (prelu, forward, 1), "prelu_shared_bwd": (prelu, backward, 1),
    "adam": (adam,)}
WORK |= {f"mlp_step_{batch}": (mlp_step, batch) for batch in (32, 64, 128, 256)}
WORK |= {f"cnn_step_{batch}": (cnn_step, batch) for batch in (32, 64, 128)}


def main():
    prefixes = tuple(sys.argv[2:]) or ("",)
    for name, (make, *arguments) in WORK.items():
        if name.startswith(prefixes):
            torch.manual_seed(1)
            work = make(*arguments)
            for threads in sorted({1, int(sys.argv[1])}):
                set_threads(threads)
                print(f"{name},{threads},{median_ms(work):.4f}", flush=True)


main()
