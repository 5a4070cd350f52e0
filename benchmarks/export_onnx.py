"""What of the catalogue ONNX says, how exactly, in how many nodes, and how fast onnxruntime runs it.

The first table has the cases of every word by family: words written, largest error, nodes for each case. The second has
networks: nodes, largest error, and milliseconds for a batch of 32 in onnxruntime and in JAX, and the nodes and
milliseconds of the files that jax2onnx writes, where it is installed: in an environment of its own, since it needs
versions that other extras exclude.

Run: python benchmarks/export_onnx.py [family ... | networks]
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from compose import (
    batch_norm,
    bidirectional,
    compose_seq,
    conv,
    conv_transpose,
    depthwise_conv,
    dropout,
    embedding,
    encoder_block,
    fc,
    gelu,
    global_avg_pool,
    group_norm,
    gru,
    layer_norm,
    lstm,
    max_pool,
    multi_head_attention,
    relu,
    repeat,
    residual,
    rotary,
    sinusoidal_positions,
    softmax,
    upsample,
)
from compose.export import to_onnx
from compose.export.onnx.run import Session
from tests.cases.subject import Subject, families

BATCH = 32
NETS: dict[str, tuple[Any, tuple[int, ...], int]] = {
    "mlp": (compose_seq(fc(256, relu), batch_norm(), dropout(0.5), fc(10, softmax)), (784,), 0),
    "cnn": (compose_seq(conv(32, 3, relu), batch_norm(), max_pool(2), conv(64, 3, relu), global_avg_pool, fc(10)),
            (32, 32, 3), 0),
    "depthwise": (compose_seq(conv(32, 3), depthwise_conv(3, relu), conv(64, 1), global_avg_pool, fc(10)),
                  (32, 32, 3), 0),
    "decoder": (compose_seq(conv_transpose(32, 3, relu, stride=2), upsample(2), conv(3, 3)), (16, 16, 16), 0),
    "bilstm": (compose_seq(embedding(1000, 64), bidirectional(lstm(64)), fc(10)), (20,), 1000),
    "gru": (compose_seq(gru(64, output="last"), fc(10)), (20, 16), 0),
    "transformer": (compose_seq(embedding(1000, 64), sinusoidal_positions(), repeat(2, encoder_block(4, 256)),
                                layer_norm(), fc(10)), (20,), 1000),
    "rotary": (compose_seq(embedding(1000, 64), residual(multi_head_attention(4, causal=True, rotary=rotary())),
                           group_norm(4), gelu, fc(10)), (20,), 1000),
}  # fmt: skip


def main() -> None:
    console, wanted = Console(width=120), sys.argv[1:]
    if wanted != ["networks"]:
        console.print(catalogue(wanted))
    if wanted in ([], ["networks"]):
        console.print(networks())


def catalogue(wanted: list[str]) -> Table:
    table = Table("family", "words", "written", "largest error", "nodes a case", "not written", title="The catalogue")
    every, done = set(), set()
    for family, cases in families().items():
        if wanted and family not in wanted:
            continue
        words: dict[str, list[bool]] = defaultdict(list)
        errors, nodes, missing = [0.0], [], []
        for case in cases:
            subject = Subject(case)
            batch: Any
            for batch in ("batch", jax.tree.leaves(subject.inputs)[0].shape[0]):
                try:
                    made = to_onnx(case.layer, subject.params, subject.state, subject.inputs, batch=batch)
                except ValueError as e:
                    reason = str(e).splitlines()[0]
                    continue
                errors.append(made.report.largest if made.report else 0.0)
                nodes.append(len(made.model.graph.node))
                words[case.layer.kind].append(True)
                break
            else:
                words[case.layer.kind].append(False)
                missing.append(f"{case.layer.kind}: {reason[-60:]}")
        good = {word for word, made in words.items() if any(made)}
        every, done = every | set(words), done | good
        average = f"{np.mean(nodes):.1f}" if nodes else ""
        table.add_row(family, str(len(words)), str(len(good)), f"{max(errors):.1e}", average, "; ".join(missing))
    table.add_row("all", str(len(every)), f"{len(done)} ({len(done) / max(len(every), 1):.0%})", "", "", "")
    return table


def networks() -> Table:
    table = Table(
        "network", "nodes", "largest error", "onnxruntime ms", "JAX ms", "jax2onnx nodes", "jax2onnx ms",
        title=f"Networks, batch {BATCH}",
    )  # fmt: skip
    for name, (net, shape, ids) in NETS.items():
        noise = np.random.default_rng(0)
        x = noise.integers(0, ids, (BATCH, *shape)).astype(np.int32) if ids else noise.normal(size=(BATCH, *shape))
        x = np.asarray(x, np.int32 if ids else np.float32)
        params, state = net.init(0, x)
        made = to_onnx(net, params, state, x)
        session = Session(made.model)
        run = jax.jit(lambda x, net=net, params=params, state=state: net.apply(params, state, x)[0])
        times = [milliseconds(session, x), milliseconds(lambda x, run=run: jax.block_until_ready(run(x)), x)]
        assert made.report is not None
        ours = str(len(made.model.graph.node)), f"{made.report.largest:.1e}", *(f"{t:.2f}" for t in times)
        table.add_row(name, *ours, *by_jax2onnx(run, x))
    return table


def by_jax2onnx(run: Callable[[Any], Any], x: np.ndarray) -> tuple[str, ...]:
    """Nodes and milliseconds of the file that jax2onnx writes, functions inlined, or why there is none."""
    try:
        from jax2onnx import to_onnx as peer
        from onnx import inliner
    except ImportError:
        return "", ""
    try:
        model = inliner.inline_local_functions(peer(run, [jax.ShapeDtypeStruct(("B", *x.shape[1:]), x.dtype)]))
        session = Session(model)
        difference = float(np.abs(session(x)[0] - np.asarray(run(x))).max())
    except Exception as e:  # whatever it raises is its result
        return f"{type(e).__name__}: {str(e).strip().splitlines()[0][:40]}", ""
    nodes = str(len(model.graph.node)) + ("" if difference < 1e-4 else f" (off by {difference:.1g})")
    return nodes, f"{milliseconds(session, x):.2f}"


def milliseconds(call: Callable[[Any], Any], x: Any, repetitions: int = 20) -> float:
    """The median time of a call."""
    call(x)
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call(x)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)) * 1e3


if __name__ == "__main__":
    main()
