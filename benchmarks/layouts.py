"""What each layout over eight devices keeps, computes and sends, counted in the compiled training step.

    JAX_NUM_CPU_DEVICES=8 python benchmarks/layouts.py

A language model, 4 blocks of width 256, 32 sequences of 64 tokens, Adam. For each layout it prints, of one device,
megabytes of parameters and optimizer, GFLOPs of a step, and megabytes of the results of its collectives: all-reduce,
all-gather, reduce-scatter, others. Expected are

- replicated: all gradients are summed, P bytes;
- fsdp: parameters are gathered, P bytes, and gradients summed, P bytes (a reduce-scatter of P / 8 on GPUs and TPUs);
- tensor: gradients of the parts, P / 2; and activations, of A bytes in all and A / 4 on each device: 2 sums for each
  block in the forward pass and 4 in the backward pass (query, key and value each have one), 1 for the embedding, 1 for
  the last layer.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

from compose import compose_seq, embedding, encoder_block, fc
from compose.train.distribution_of import distribution_of
from compose.train.examples import examples
from compose.train.scoring import Scoring
from compose.train.train_step import Carry, training_steps

BATCH, TIME, WIDTH, BLOCKS, WORDS = 32, 64, 256, 4, 512
NET = compose_seq(
    embedding(WORDS, WIDTH), *(encoder_block(8, 4 * WIDTH, dropout=0.0) for _ in range(BLOCKS)), fc(WORDS)
)  # fmt: skip
LAYOUTS = {
    "one device": {},
    "replicated": dict(devices=8),
    "fsdp": dict(devices=8, sharding="fsdp"),
    "tensor, 4 × 2": dict(devices={"data": 4, "model": 2}, sharding="tensor"),
}
KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
SIZES = {"f32": 4, "s32": 4, "pred": 1, "u32": 4, "bf16": 2, "f16": 2}


def step(options: dict) -> tuple[int, jax.stages.Compiled]:
    """The bytes that a device keeps, and the compiled training step."""
    where = distribution_of(options.get("devices"), None, options.get("sharding"))
    x = np.random.default_rng(0).integers(0, WORDS, (BATCH, TIME))
    params, state = NET.init(0, x[:1])
    optimizer, scores = optax.adam(1e-3), Scoring(NET, examples(x, x), "cross_entropy").scores
    carry, put = where.place(params, Carry(params, optimizer.init(params), state, jnp.int32(0))), where.whole
    run = training_steps(NET, scores, optimizer, None, None, where)
    fixed = jax.tree.map(lambda _: None, params)
    constants = (fixed, put(jax.random.key(0)))
    lowered = run.lower(
        carry, scores.start(BATCH), constants, (put(x), put(x)), put(np.arange(BATCH)), 0, 0, 1, size=BATCH
    )
    kept = jax.tree.leaves((carry.training, carry.opt_state))
    return sum(a.addressable_data(0).nbytes for a in kept), lowered.compile()


def sent(text: str) -> dict[str, int]:
    """Bytes of the results of collectives by kind, in the text of a compiled program."""
    found: dict[str, int] = defaultdict(int)
    text = re.sub(r"/\*.*?\*/", "", text)
    for results, kind in re.findall(rf"= (\(?[^=]*?\)?) ({'|'.join(KINDS)})(?:-start)?\(", text):
        for dtype, shape in re.findall(r"(\w+)\[([\d,]*)\]", results):
            found[kind] += SIZES.get(dtype, 4) * int(np.prod([int(n) for n in shape.split(",") if n], dtype=np.int64))
    return found


def main() -> None:
    params, _ = NET.init(0, np.zeros((1, TIME), int))
    p = sum(a.nbytes for a in jax.tree.leaves(params)) / 1e6
    a = 4 * BATCH * TIME * WIDTH / 1e6
    table = Table("layout", "kept", "GFLOPs", "reduce", "gather", "scatter", "others")
    for name, options in LAYOUTS.items():
        kept, compiled = step(options)
        cost, moved = compiled.cost_analysis(), sent(compiled.as_text())
        assert cost is not None
        others = sum(moved[kind] for kind in KINDS[3:])
        cells = [kept / 1e6, cost["flops"] / 1e9, *(moved[kind] / 1e6 for kind in KINDS[:3]), others / 1e6]
        table.add_row(name, *(f"{value:.2f}" for value in cells))
    Console().print(table)
    print(f"P = {p:.2f} MB of parameters; A = {a:.2f} MB of activations between blocks, over the whole batch")


if __name__ == "__main__":
    main()
