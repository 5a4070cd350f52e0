"""What of a training step is spent in matrix products and convolutions, and what torch takes for the same ones.

    python benchmarks/products.py                      all of it, a few minutes
    python benchmarks/products.py lstm resnet18

For each network: the time of a step (loss and gradients) here and in torch; then all products and convolutions of the
program that XLA compiled, each by itself in a loop, once in XLA and once in torch. Networks are those of `peers.py`,
and torchvision's, ported, with 4 images of 224². Where ours are slower than torch's for the same shapes, the library
that XLA calls is what is left.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from peer import ours, pytorch
from peer.work import WORK, data
from program import Convolution, Product, operations
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F
from zoo import torchvision

from compose import port

PORTED = ("resnet18", "mobilenet_v3_small", "convnext_tiny", "efficientnet_b0")
SECONDS = 0.3  # of measuring each operation
ROUNDS = 5


def median(call: Callable[[], Any], rounds: int = ROUNDS) -> float:
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


# Steps: a call of ours, its compiled program, the turns of its loop; and a call of torch.


def trained(work: str):
    x, y, size = data(work)
    x, y = x[:size], y[:size]
    net = ours.network(work)
    params, state = net.init(0, jnp.asarray(x))
    turns = 4

    def loss(p):
        z = net.apply(p, state, jnp.asarray(x), train=True)[0]
        if work == "autoencoder":
            return jnp.mean((z - y) ** 2)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), jnp.asarray(y)[..., None], -1))

    step = lambda _, p: jax.tree.map(lambda a, g: a - 1e-3 * g, p, jax.grad(loss)(p))
    compiled = jax.jit(lambda p: lax.fori_loop(0, turns, step, p)).lower(params).compile()
    model = pytorch.network(work)
    images = x.transpose(0, 3, 1, 2) if work in ("cnn", "mobile") else x
    tx, ty = torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(y)

    def theirs():
        model.zero_grad()
        z = model(tx)
        error = F.mse_loss(z, ty) if work == "autoencoder" else F.cross_entropy(z.flatten(0, -2), ty.flatten().long())
        error.backward()

    return compiled, (params,), turns, theirs


def ported(name: str):
    torch.manual_seed(0)
    model = getattr(torchvision().models, name)(weights=None).eval()
    tx = torch.randn(4, 3, 224, 224)
    p = port.from_torch(model, tx)
    x = jnp.asarray(tx.numpy().transpose(0, 2, 3, 1))
    gradient = jax.grad(lambda q, x: jnp.mean(p.net.apply(q, p.state, x)[0] ** 2))
    compiled = jax.jit(gradient).lower(p.params, x).compile()

    def theirs():
        model.zero_grad()
        (model(tx) ** 2).mean().backward()

    return compiled, (p.params, x), 1, theirs


# One operation by itself.


def in_xla(op: Product | Convolution, turns: int) -> Callable[[], Any]:
    a, b = (jnp.asarray(np.random.default_rng(i).normal(size=s), jnp.float32) for i, s in enumerate(op.shapes))

    def once(a, b):
        if isinstance(op, Product):
            return lax.dot_general(a, b, (op.contracted, op.batch))
        numbers = _numbers(op.labels)
        return lax.conv_general_dilated(
            a, b, op.stride, op.padding, op.stretch, op.dilation, numbers, op.groups,
        )  # fmt: skip

    def body(_, carry):  # one number of the result goes in again, so that no turn can be left out
        a, total = carry
        some = once(a, b).ravel()[0]
        return a.at[(0,) * a.ndim].add(some * 1e-30), total + some

    run = jax.jit(lambda a: lax.fori_loop(0, turns, body, (a, jnp.float32(0)))[1])
    return lambda: run(a)


def _numbers(labels: str) -> lax.ConvDimensionNumbers:
    inputs, rest = labels.split("_")
    kernel, out = rest.split("->")
    space = sorted(set(inputs) - {"b", "f"})
    place = lambda text, first, second: tuple(text.index(c) for c in (first, second, *space))
    return lax.ConvDimensionNumbers(place(inputs, "b", "f"), place(kernel, "o", "i"), place(out, "b", "f"))


def in_torch(op: Product | Convolution, turns: int) -> Callable[[], Any]:
    a, b = (torch.randn(s) for s in op.shapes)
    if isinstance(op, Product):
        left, right = _matrices(a, 0, op), _matrices(b, 1, op)
        once = lambda: left @ right
    else:
        numbers = _numbers(op.labels)
        a, b = (x.permute(axes).contiguous() for x, axes in ((a, numbers.lhs_spec), (b, numbers.rhs_spec)))
        ends = [n for pair in reversed(op.padding) for n in pair]
        even = all(lo == hi >= 0 for lo, hi in op.padding)
        conv = (F.conv1d, F.conv2d, F.conv3d)[a.ndim - 3]
        pads: Any = [lo for lo, _ in op.padding] if even else 0
        stretched = max(op.stretch) > 1
        once = lambda: conv(
            a if even or stretched else F.pad(a, ends), b, None, op.stride, pads, op.dilation, op.groups
        )

    def run():
        with torch.no_grad():
            for _ in range(turns):
                once()

    return run


def _matrices(x: torch.Tensor, side: int, op: Product) -> torch.Tensor:
    """An operand as torch's `matmul` takes it: batch axes, then rows and columns, without a copy where it can be."""
    summed, shared = op.contracted[side], op.batch[side]
    free = [axis for axis in range(x.ndim) if axis not in (*summed, *shared)]
    order = [*shared, *(free if side == 0 else summed), *(summed if side == 0 else free)]
    count = lambda axes: int(np.prod([x.shape[axis] for axis in axes], dtype=int))
    rows, columns = (free, summed) if side == 0 else (summed, free)
    lead = [x.shape[axis] for axis in shared]
    return x.permute(order).reshape(*lead, count(rows), count(columns))


def alone(counted, form: Callable[[Product | Convolution, int], Callable[[], Any]]) -> float:
    """Seconds of all operations, each by itself, as often as it runs."""
    total = 0.0
    for op, times in counted.items():
        once = median(form(op, 1), 1)
        turns = max(1, min(times, int(SECONDS / ROUNDS / max(once, 1e-6))))
        total += median(form(op, turns), ROUNDS) / turns * times
    return total


def main(names: list[str]) -> None:
    table = Table("", "GFLOP", "step", "in products", "torch's step", "torch, the same products", title="ms")
    torch.set_num_threads(2)
    for name in names:
        compiled, arguments, turns, theirs = (trained if name in WORK else ported)(name)
        step = lambda compiled=compiled, arguments=arguments: compiled(*arguments)
        counted = operations(compiled.as_text())
        flops = sum(op.flops * times for op, times in counted.items()) / turns
        # Not in turns: threads of torch that wait for work slow down what runs after it.
        seconds = [
            median(step) / turns,
            alone(counted, in_xla) / turns,
            median(theirs),
            alone(counted, in_torch) / turns,
        ]
        table.add_row(name, f"{flops / 1e9:.2f}", *(f"{s * 1e3:.1f}" for s in seconds))
    Console(width=100).print(table)


if __name__ == "__main__":
    main(sys.argv[1:] or ["lstm", "gru", "lm", "mobile", "cnn", *PORTED])
