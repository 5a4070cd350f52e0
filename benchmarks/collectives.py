"""What a training step sends by each layout: the formulas of docs/scaling.md beside the compiled programs.

    python benchmarks/collectives.py

For language models of several sizes on eight forced devices of a CPU it prints, of one device, the megabytes of the
results of collectives in the compiled step and what the formula says, and fails if they differ by more than 2 %. With P
bytes of parameters, A bytes of activations between blocks over the whole batch, L blocks, and d × m devices:

- replicated: gradients are summed, P;
- fsdp: parameters that are split are gathered, and gradients summed, P each. (On GPUs and TPUs the sum of a part is a
  reduce-scatter, whose result is P / d.)
- tensor: gradients of the parts are summed, P / m; and activations, A / d each time: two in every block forward and
  four backward (query, key and value have one each), one after the embedding and one before the last layer. Biases
  of at most 1,024 elements are whole, but computed in parts, which are gathered: gradient, moments and result.

Then it prints what each of 8 to 1,000 devices of an accelerator sends for a model of 7 billion parameters, and how long
that takes beside its computing.
"""

from __future__ import annotations

import os
import sys

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUM_CPU_DEVICES"] = "8"
import jax
import jax.numpy as jnp
import numpy as np
import optax
from layouts import sent
from rich.console import Console
from rich.table import Table

import compose
from compose import compose_seq, embedding, encoder_block, fc
from compose.sharding import mesh_of
from compose.train.distribution_of import distribution_of
from compose.train.examples import examples
from compose.train.scoring import Scoring
from compose.train.train_step import Carry, training_steps

# width, blocks, examples of a batch, tokens of each
SIZES = {"width 64": (64, 2, 32, 16), "width 128": (128, 3, 16, 32)}
WORDS = 256
LAYOUTS = {
    "replicated": (8, "replicated"),
    "fsdp": (8, "fsdp"),
    "tensor, 4 × 2": ({"data": 4, "model": 2}, "tensor"),
    "tensor, 2 × 4": ({"data": 2, "model": 4}, "tensor"),
}
# of an accelerator: FLOPs a second that it reaches, bytes a second to others in its machine and outside
FLOPS, INSIDE, OUTSIDE = 400e12, 400e9, 50e9


def network(width: int, blocks: int) -> compose.Layer:
    body = (encoder_block(8, 4 * width, dropout=0.0) for _ in range(blocks))
    return compose_seq(embedding(WORDS, width), *body, fc(WORDS))


def counted(size: tuple[int, int, int, int], devices: object, sharding: str) -> tuple[float, float]:
    """Bytes of the results of sums and of gathers in the compiled step of one device."""
    width, blocks, batch, time = size
    net, where = network(width, blocks), distribution_of(devices, None, sharding)
    x = np.random.default_rng(0).integers(0, WORDS, (batch, time))
    params, state = net.init(0, x[:1])
    optimizer, scores = optax.adam(1e-3), Scoring(net, examples(x, x), "cross_entropy").scores
    carry = where.place(params, Carry(params, optimizer.init(params), state, jnp.int32(0)))
    run, put = training_steps(net, scores, optimizer, None, None, where), where.whole
    constants = (jax.tree.map(lambda _: None, params), put(jax.random.key(0)))
    arrays = (put(x), put(x))
    lowered = run.lower(carry, scores.start(batch), constants, arrays, put(np.arange(batch)), 0, 0, 1, size=batch)
    moved = sent(lowered.compile().as_text())
    return moved["all-reduce"] + moved["reduce-scatter"], moved["all-gather"]


def formula(size: tuple[int, int, int, int], devices: object, sharding: str) -> tuple[float, float]:
    """The same by the formulas."""
    width, blocks, batch, time = size
    params, _ = jax.eval_shape(lambda: network(width, blocks).init(0, np.zeros((1, time), int)))
    mesh = mesh_of(devices, sharding)  # pyright: ignore[reportArgumentType]
    places = jax.tree.leaves(compose.shardings(params, mesh, sharding))
    whole = [4 * a.size for a in jax.tree.leaves(params)]
    parts = [4 * np.prod(place.shard_shape(a.shape)) for a, place in zip(jax.tree.leaves(params), places)]
    if sharding == "replicated":
        return sum(whole), 0
    if sharding == "fsdp":
        return sum(whole), sum(all_ for all_, part in zip(whole, parts) if part < all_)
    activations = 4 * batch * time * width / mesh.shape["data"]
    small = 4 * (blocks * (3 + 4) * width + WORDS)  # of query, key, value, the first layer of each MLP, and the last
    return float(sum(parts)) + (6 * blocks + 2) * activations, 4 * small


def compared() -> list[str]:
    """Print both; returns what differs."""
    table, wrong = Table("", "layout", "summed, MB", "by formula", "gathered, MB", "by formula"), []
    for name, size in SIZES.items():
        for layout, (devices, sharding) in LAYOUTS.items():
            found, expected = counted(size, devices, sharding), formula(size, devices, sharding)
            table.add_row(name, layout, *(f"{v / 1e6:.3f}" for pair in zip(found, expected) for v in pair))
            if any(abs(a - b) > 0.02 * max(b, 1e4) for a, b in zip(found, expected)):
                wrong.append(f"{name}, {layout}")
    Console().print(table)
    return wrong


def projected(parameters: float = 7e9, width: int = 4096, blocks: int = 32, tokens: int = 16384) -> Table:
    """What a device sends and how long that takes, for `tokens` tokens on each, parameters and gradients in float32."""
    table = Table("devices", "layout", "sent, GB", "seconds", "computing, s", "kept, GB")
    for n in (8, 64, 1000):
        link = INSIDE if n <= 8 else OUTSIDE
        computing = 6 * parameters * tokens / FLOPS
        ring = (n - 1) / n
        table.add_row(str(n), "replicated", *_cells(8 * parameters * ring, link, computing, 16 * parameters))
        table.add_row("", "fsdp", *_cells(12 * parameters * ring, link, computing, 16 * parameters / n))
        d, m = n // 8, 8  # tensor parallel inside machines of eight
        sums = 6 * blocks * 2 * (m - 1) / m * 4 * (tokens * m) * width / INSIDE
        grads = 8 * parameters / m * (d - 1) / d
        cells = [f"{(sums * INSIDE + grads) / 1e9:.1f}", f"{sums + grads / OUTSIDE:.2f}", f"{computing:.2f}"]
        table.add_row("", f"tensor, {d} × {m}", *cells, f"{16 * parameters / m / 1e9:.1f}")
    return table


def _cells(sent: float, link: float, computing: float, kept: float) -> list[str]:
    return [f"{sent / 1e9:.1f}", f"{sent / link:.2f}", f"{computing:.2f}", f"{kept / 1e9:.1f}"]


if __name__ == "__main__":
    wrong = compared()
    Console().print(projected())
    if wrong:
        sys.exit(f"the formula and the program differ: {'; '.join(wrong)}")
