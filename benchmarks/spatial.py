"""Convolution and pooling on a CPU: the forms that this package lowers to, against XLA's own and PyTorch.

Run: python benchmarks/spatial.py [repetitions]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from jax import lax
from rich import print as show
from rich.table import Table

from compose import Layer, conv, depthwise_conv, max_pool

NHWC = ("NHWC", "HWIO", "NHWC")


def xla_conv(stride: int, groups: int, padding: int):
    def run(p, x):
        pads = [(padding, padding)] * 2
        return lax.conv_general_dilated(x, p["kernel"], (stride, stride), pads, None, None, NHWC, groups)

    return run


def xla_max(size: int, stride: int, padding: int):
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return lambda p, x: lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), pads)


def torch_conv(stride: int, groups: int, padding: int):
    return lambda p, x: F.conv2d(x, p["kernel"], None, stride, padding, 1, groups)


CASES: list[tuple[str, Layer, Callable, Callable, tuple[int, ...]]] = [
    ("depthwise 3×3", depthwise_conv(3, padding=1, bias=False), xla_conv(1, 128, 1), torch_conv(1, 128, 1),
     (4, 56, 56, 128)),
    ("depthwise 3×3, stride 2", depthwise_conv(3, padding=1, stride=2, bias=False), xla_conv(2, 128, 1),
     torch_conv(2, 128, 1), (4, 56, 56, 128)),
    ("depthwise 7×7", depthwise_conv(7, padding=3, bias=False), xla_conv(1, 96, 3), torch_conv(1, 96, 3),
     (4, 56, 56, 96)),
    ("1×1", conv(256, 1, bias=False), xla_conv(1, 1, 0), torch_conv(1, 1, 0), (4, 56, 56, 64)),
    ("1×1, stride 2", conv(512, 1, stride=2, padding=0, bias=False), xla_conv(2, 1, 0), torch_conv(2, 1, 0),
     (4, 56, 56, 256)),
    ("max pool 2", max_pool(2), xla_max(2, 2, 0), lambda p, x: F.max_pool2d(x, 2), (4, 112, 112, 64)),
    ("max pool 3, stride 2", max_pool(3, 2, 1), xla_max(3, 2, 1), lambda p, x: F.max_pool2d(x, 3, 2, 1),
     (4, 112, 112, 64)),
]  # fmt: skip


def in_jax(fn: Callable, gradient: bool) -> Callable:
    if not gradient:
        return jax.jit(fn)
    return jax.jit(jax.grad(lambda p, x: jnp.square(fn(p, x)).sum(), argnums=(0, 1)))


def in_torch(fn: Callable, gradient: bool) -> Callable:
    def run(p, x):
        if not gradient:
            with torch.no_grad():
                return fn(p, x)
        return torch.autograd.grad(fn(p, x).square().sum(), [*p.values(), x])

    return run


def milliseconds(calls: list[tuple[Callable, tuple]], repetitions: int) -> list[float]:
    """The least time of each, taken in turns, after one call that compiles."""
    best = [np.inf] * len(calls)
    for turn in range(repetitions + 1):
        for i, (run, args) in enumerate(calls):
            start = time.perf_counter()
            jax.block_until_ready(run(*args)) if isinstance(args[1], jax.Array) else run(*args)
            best[i] = min(best[i], time.perf_counter() - start) if turn else best[i]
    return [b * 1e3 for b in best]


def main(repetitions: int = 5) -> None:
    table = Table("", "", "compose", "XLA's own", "PyTorch", title="ms on a CPU, the least of several")
    for name, layer, xla, theirs, shape in CASES:
        x = jax.random.normal(jax.random.key(0), shape)
        params, _ = layer.init(0, x)
        as_torch = {
            k: torch.tensor(np.asarray(v)).permute(3, 2, 0, 1).contiguous().requires_grad_() for k, v in params.items()
        }
        images = torch.tensor(np.asarray(x)).permute(0, 3, 1, 2).contiguous().requires_grad_()
        ours = lambda p, x, layer=layer: layer.apply(p, {}, x)[0]
        for gradient in (False, True):
            calls = [
                (in_jax(ours, gradient), (params, x)),
                (in_jax(xla, gradient), (params, x)),
                (in_torch(theirs, gradient), (as_torch, images)),
            ]
            times = milliseconds(calls, repetitions)
            table.add_row(name, "gradient" if gradient else "forward", *(f"{t:.1f}" for t in times))
    show(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
