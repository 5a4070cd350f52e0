"""Convolution and pooling on a CPU: the forms that this package lowers to, against XLA's own and PyTorch.

Each is timed as one call and as the body of a loop, where XLA does not rewrite layouts.

Run: python benchmarks/spatial.py [repetitions]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from jax import lax
from rich.console import Console
from rich.table import Table

from compose import Layer, conv, conv_transpose, depthwise_conv, max_pool

TURNS = 2  # of the loop
LONG = 1.0  # seconds: a call that takes longer is timed once


@dataclass(frozen=True)
class Case:
    """A layer, XLA's own form of it, PyTorch's, and the shape of the input with its channels last."""

    name: str
    layer: Layer
    xla: Callable[[Any, Any], Any]
    torch: Callable[[Any, Any], Any]
    shape: tuple[int, ...]
    channels_first: bool = False


def convolution(
    name, shape, filters, kernel, stride=1, groups=1, padding=None, depthwise=False, channels_first=False
) -> Case:
    pad = kernel // 2 if padding is None else padding
    layout = ("NCHW", "HWIO", "NCHW") if channels_first else ("NHWC", "HWIO", "NHWC")

    def xla(p, x):
        pads = [(pad, pad)] * 2
        return lax.conv_general_dilated(x, p["kernel"], (stride, stride), pads, None, None, layout, groups)

    options: dict[str, Any] = {"stride": stride, "padding": pad, "bias": False, "channels_first": channels_first}
    layer = depthwise_conv(kernel, **options) if depthwise else conv(filters, kernel, groups=groups, **options)
    return Case(name, layer, xla, lambda p, x: F.conv2d(x, p["kernel"], None, stride, pad, 1, groups), shape,
                channels_first)  # fmt: skip


def transposed(name, shape, filters, kernel, stride) -> Case:
    ends = [(kernel - 1 - 1, kernel - 1 - 1)] * 2

    def xla(p, x):
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, p["kernel"], (1, 1), ends, (stride, stride), None, layout)

    def in_torch(p, x):
        return F.conv_transpose2d(x, p["kernel"].flip(2, 3).transpose(0, 1), None, stride, 1)

    return Case(name, conv_transpose(filters, kernel, stride=stride, padding=1, bias=False), xla, in_torch, shape)


def pool(name, shape, size, stride, padding) -> Case:
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    xla = lambda p, x: lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), pads)
    return Case(name, max_pool(size, stride, padding), xla, lambda p, x: F.max_pool2d(x, size, stride, padding), shape)


CASES = [
    convolution("3×3, 32 to 64", (100, 14, 14, 32), 64, 3),
    convolution("3×3, 64 to 64", (4, 56, 56, 64), 64, 3),
    convolution("3×3, 256 to 256", (4, 14, 14, 256), 256, 3),
    convolution("3×3, 64 to 128, stride 2", (4, 56, 56, 64), 128, 3, stride=2),
    convolution("3×3, 1 to 32", (100, 28, 28, 1), 32, 3),
    convolution("3×3, 16 to 32, batch 128", (128, 32, 32, 16), 32, 3),
    convolution("3×3, 64 to 64, batch 32", (32, 32, 32, 64), 64, 3),
    convolution("3×3, 32 to 64, stride 2, batch 128", (128, 32, 32, 32), 64, 3, stride=2),
    convolution("5×5, 64 to 16", (32, 16, 16, 64), 16, 5),
    convolution("7×7, 3 to 64, stride 2", (4, 224, 224, 3), 64, 7, stride=2),
    convolution("3×3, channels first", (100, 14, 14, 32), 64, 3, channels_first=True),
    convolution("3×3, 4 groups of 64", (16, 14, 14, 256), 256, 3, groups=4),
    convolution("3×3, 32 groups of 4", (16, 28, 28, 128), 128, 3, groups=32),
    transposed("4×4, 64 to 32, transposed", (32, 14, 14, 64), 32, 4, 2),
    convolution("depthwise 3×3", (4, 56, 56, 128), 128, 3, groups=128, depthwise=True),
    convolution("depthwise 3×3, stride 2", (4, 56, 56, 128), 128, 3, stride=2, groups=128, depthwise=True),
    convolution("depthwise 7×7", (4, 56, 56, 96), 96, 7, groups=96, depthwise=True),
    convolution("1×1", (4, 56, 56, 64), 256, 1),
    convolution("1×1, stride 2", (4, 56, 56, 256), 512, 1, stride=2, padding=0),
    pool("max pool 2", (4, 112, 112, 64), 2, 2, 0),
    pool("max pool 3, stride 2", (4, 112, 112, 64), 3, 2, 1),
]


def in_jax(fn: Callable, gradient: bool, loop: bool) -> Callable:
    run = jax.grad(lambda p, x: jnp.square(fn(p, x)).sum(), argnums=(0, 1)) if gradient else fn
    if not loop:
        return jax.jit(run)

    def body(_, carry):
        total, p, x = carry
        out = lax.optimization_barrier(run(p, x + total * 1e-30))  # so that no turn is left out or moved
        return total + sum(leaf.ravel()[0] for leaf in jax.tree.leaves(out)), p, x

    return jax.jit(lambda p, x: lax.fori_loop(0, TURNS, body, (jnp.float32(0), p, x))[0])


def in_torch(fn: Callable, gradient: bool) -> Callable:
    def run(p, x):
        if not gradient:
            with torch.no_grad():
                return fn(p, x)
        return torch.autograd.grad(fn(p, x).square().sum(), [*p.values(), x])

    return run


def milliseconds(calls: list[tuple[Callable, tuple, int]], repetitions: int) -> list[float]:
    """The least time of each, taken in turns, after one call that compiles; a loop's is divided by its turns."""
    best = [np.inf] * len(calls)
    for turn in range(repetitions + 1):
        for i, (run, args, parts) in enumerate(calls):
            if turn > 1 and best[i] * parts > LONG:
                continue
            start = time.perf_counter()
            jax.block_until_ready(run(*args)) if isinstance(args[1], jax.Array) else run(*args)
            best[i] = min(best[i], (time.perf_counter() - start) / parts) if turn else best[i]
    return [b * 1e3 for b in best]


def main(repetitions: int = 5) -> None:
    table = Table("", "", "compose", "XLA's own", "compose, loop", "XLA's own, loop", "PyTorch",
                  title="ms on a CPU, the least of several")  # fmt: skip
    for case in CASES:
        x = jax.random.normal(jax.random.key(0), case.shape)
        images = torch.tensor(np.asarray(x)).permute(0, 3, 1, 2).contiguous().requires_grad_()
        x = jnp.moveaxis(x, -1, 1) if case.channels_first else x
        params, _ = case.layer.init(0, x)
        as_torch = {
            k: torch.tensor(np.asarray(v)).permute(3, 2, 0, 1).contiguous().requires_grad_() for k, v in params.items()
        }
        ours = lambda p, x, layer=case.layer: layer.apply(p, {}, x)[0]
        for gradient in (False, True):
            calls = [
                (in_jax(fn, gradient, loop), (params, x), TURNS if loop else 1)
                for loop in (False, True)
                for fn in (ours, case.xla)
            ]
            calls.append((in_torch(case.torch, gradient), (as_torch, images), 1))
            times = milliseconds(calls, repetitions)
            table.add_row(case.name, "gradient" if gradient else "forward", *(f"{t:.1f}" for t in times))
    Console(width=110).print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
