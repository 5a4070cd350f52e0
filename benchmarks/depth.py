"""Compile time over depth: transformer blocks under `repeat`, written out, and in Flax.

    python benchmarks/depth.py                     the table; --written-out 4 12 48 takes minutes longer

Measured is a training step's gradient, from tracing to machine code, of pre-norm blocks with causal attention.
Each round compiles every row once, in turn; nothing is found in a cache, since each compiles a function of its own.
Seconds are the processor's, all threads together: other programs on the machine hardly disturb them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from compose import compose_seq, fc, gelu, layer_norm, multi_head_attention, repeat, residual

WIDTH, HEADS = 64, 4
x = jnp.ones((4, 32, WIDTH))

block = compose_seq(
    residual(compose_seq(layer_norm(), multi_head_attention(HEADS, causal=True))),
    residual(compose_seq(layer_norm(), fc(4 * WIDTH, gelu), fc(WIDTH))),
)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        mask = nn.make_causal_mask(x[..., 0])
        x = x + nn.MultiHeadDotProductAttention(HEADS)(nn.LayerNorm()(x), mask=mask)
        y = nn.gelu(nn.Dense(4 * WIDTH)(nn.LayerNorm()(x)), approximate=False)
        return x + nn.Dense(WIDTH)(y), None


class Blocks(nn.Module):
    depth: int
    scanned: bool

    @nn.compact
    def __call__(self, x):
        if self.scanned:
            split = {"params": True}
            return nn.scan(Block, variable_axes={"params": 0}, split_rngs=split, length=self.depth)()(x, None)[0]
        for _ in range(self.depth):
            x, _ = Block()(x)
        return x


def ours(net) -> Callable:
    return lambda: (net.init, lambda params, x: net.apply(params, {}, x)[0], lambda made: made[0])


def flax(depth: int, scanned: bool) -> Callable:
    module = Blocks(depth, scanned)
    return lambda: (module.init, module.apply, lambda made: made)


def compiling(build: Callable) -> float:
    """Seconds of the processor from the network to a program for its gradient."""
    init, forward, pick = build()
    params = pick(jax.eval_shape(init, jax.random.key(0), x))
    start = time.process_time()
    jax.jit(jax.grad(lambda params, x: forward(params, x).mean())).lower(params, x).compile()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the compilation of transformer blocks.")
    parser.add_argument("--depths", type=int, nargs="*", default=[4, 12, 48])
    parser.add_argument("--written-out", type=int, nargs="*", default=[4, 12])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()

    rows: dict[tuple[str, int], Callable] = {}
    for n in asked.depths:
        rows["repeat(n, block)", n] = ours(repeat(n, block))
        rows["Flax Linen, nn.scan", n] = flax(n, True)
    for n in asked.written_out:
        rows["compose_seq(block, ...)", n] = ours(compose_seq(*[block] * n))
        rows["Flax Linen, written out", n] = flax(n, False)
    compiling(ours(repeat(2, block)))
    seconds: dict[tuple[str, int], list[float]] = {row: [] for row in rows}
    for _ in range(asked.rounds):
        for row, build in rows.items():
            seconds[row].append(compiling(build))

    table = Table("processor seconds to compile", *(f"{n} blocks" for n in asked.depths), "deepest over shallowest")
    for name in dict.fromkeys(name for name, _ in rows):
        found = {n: seconds[name, n] for n in asked.depths if (name, n) in seconds}
        ratio = statistics.median(b / a for a, b in zip(found[min(found)], found[max(found)]))
        cells = [f"{statistics.median(found[n]):.2f}" if n in found else "" for n in asked.depths]
        table.add_row(name, *cells, f"{ratio:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
