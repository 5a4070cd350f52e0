"""What a training step costs as the network grows, in depth, in width, and with the batch.

    python benchmarks/sizes.py                   all three tables, about five minutes
    python benchmarks/sizes.py --axis depth

Depth is that of a stack of transformer blocks of 128 features, under `repeat` and written out. Width and batch are
those of two dense layers. The last columns divide: what stays level scales; what falls pays a fixed cost with the
smaller sizes; what rises has left the cache or the memory. FLOPs are those that XLA counts; the peak is the rate of a
large product on this machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from compose import Layer, compose_seq, fc, gelu, layer_norm, multi_head_attention, relu, repeat, residual

DEPTHS = (4, 8, 12, 24, 48)
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
COLUMNS = ("compile, s", "step, ms", "memory, MiB", "GFLOP/s", "of the peak")


def block() -> Layer:
    attention = residual(compose_seq(layer_norm(), multi_head_attention(4, causal=True)))
    return compose_seq(attention, residual(compose_seq(layer_norm(), fc(512, gelu), fc(128))))


def dense(width: int) -> Layer:
    return compose_seq(fc(width, relu), fc(width))


def measure(net: Layer, x: Any, counted: Layer | None = None) -> tuple[float, float, float, float]:
    """Seconds to compile, milliseconds of a step, MiB of temporaries, FLOPs counted on `counted` (without loops)."""
    loss = lambda net: lambda params, x: jnp.mean(net.apply(params, {}, x, train=True)[0] ** 2)

    def step(net: Layer) -> Callable[..., Any]:
        return lambda params, x: jax.tree.map(lambda p, g: p - 1e-3 * g, params, jax.grad(loss(net))(params, x))

    params, _ = net.init(0, x)
    began = time.perf_counter()
    run = jax.jit(step(net), donate_argnums=0).lower(params, x).compile()
    compiling = time.perf_counter() - began
    memory: Any = run.memory_analysis()
    shapes, _ = jax.eval_shape(lambda x: (counted or net).init(0, x), x)
    cost: Any = jax.jit(step(counted or net)).lower(shapes, x).cost_analysis()
    params = jax.block_until_ready(run(params, x))
    times = []
    while len(times) < 3 or (sum(times) < 1 and len(times) < 50):
        began = time.perf_counter()
        params = jax.block_until_ready(run(params, x))
        times.append(time.perf_counter() - began)
    return compiling, float(np.median(times)) * 1e3, memory.temp_size_in_bytes / 2**20, cost["flops"]


def peak(n: int = 2048) -> float:
    a = jnp.ones((n, n))
    run = jax.jit(lambda a: a @ a)
    jax.block_until_ready(run(a))
    began = time.perf_counter()
    jax.block_until_ready([run(a) for _ in range(5)])
    return 5 * 2 * n**3 / (time.perf_counter() - began)


def table(title: str, unit: str, rows: list[tuple[str, float, Any, Any, Layer | None]], best: float) -> Table:
    shown = Table("", *COLUMNS, f"ms {unit}", title=title)
    for name, size, net, x, counted in rows:
        compiling, ms, mib, flops = measure(net, x, counted)
        rate = flops / ms * 1e3
        cells = f"{compiling:.2f}", f"{ms:.2f}", f"{mib:.1f}", f"{rate / 1e9:.1f}", f"{rate / best:.0%}"
        shown.add_row(name, *cells, f"{ms / size:.4f}")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--axis", nargs="+", choices=("depth", "width", "batch"), default=["depth", "width", "batch"])
    axes, best, console, rng = parser.parse_args().axis, peak(), Console(width=110), np.random.default_rng(0)
    array = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    if "depth" in axes:
        x = array(8, 128, 128)
        rows: list[Any] = []
        for n in DEPTHS:
            written_out = compose_seq(*[block()] * n)
            rows += [
                (f"{n}, repeat", n, repeat(n, block(), unroll=1), x, written_out),
                (f"{n}, written out", n, written_out, x, None),
            ]
        console.print(table("transformer blocks of 128, 8 × 128 steps", "a block", rows, best))
    if "width" in axes:
        rows = [(str(n), n * n / 1e6, dense(n), array(64, n), None) for n in WIDTHS]
        console.print(table("width of two dense layers, batch 64", "per 10⁶ weights", rows, best))
    if "batch" in axes:
        rows = [(str(n), n, dense(512), array(n, 512), None) for n in BATCHES]
        console.print(table("batch, two dense layers of 512", "an example", rows, best))
    console.print(f"peak {best / 1e9:.0f} GFLOP/s, JAX {jax.__version__}")


if __name__ == "__main__":
    main()
