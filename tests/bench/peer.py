"""The work of bench.c in PyTorch: prints "name,threads,ms" for 1 and for N threads (argument).

SPDX-License-Identifier: MIT
"""
import sys
import time

import torch
from torch import nn


def median_ms(work):
    """The median of at least 5 calls, and about half a second's worth, after 3 that do not count."""
    for _ in range(3):
        work()
    times = []
    while len(times) < 400 and (len(times) < 5 or sum(times) < 0.5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1e3 * sorted(times)[len(times) // 2]


def report(name, work):
    print(f"{name},{torch.get_num_threads()},{median_ms(work):.4f}", flush=True)


def mlp_step(batch):
    net = nn.Sequential(nn.Linear(784, 256), nn.PReLU(256), nn.Linear(256, 256), nn.PReLU(256), nn.Linear(256, 10))
    adam = torch.optim.Adam(net.parameters())
    loss_of = nn.CrossEntropyLoss()
    x, y = torch.randn(batch, 784), torch.randint(0, 10, (batch,))

    def step():
        adam.zero_grad()
        loss_of(net(x), y).backward()
        adam.step()

    return step


def prelu_backward():
    x = torch.randn(64, 64, 32, 32, requires_grad=True)
    prelu = nn.PReLU(64)
    y = prelu(x)
    g = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, [x, prelu.weight], g, retain_graph=True)


def everything():
    for n in (256, 512, 1024):
        a, b = torch.randn(n, n), torch.randn(n, n)
        report(f"gemm_{n}", lambda: a @ b)
    with torch.no_grad():
        x, prelu = torch.randn(64, 64, 32, 32), nn.PReLU(64)
        report("prelu_fwd", lambda: prelu(x))
    report("prelu_bwd", prelu_backward())
    for batch in (32, 64, 128, 256):
        report(f"mlp_step_{batch}", mlp_step(batch))


for threads in sorted({1, int(sys.argv[1])}):
    torch.set_num_threads(threads)
    everything()
