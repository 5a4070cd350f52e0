"""Layers made of layers, and wrappers around one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from compose.combinators.repeat import outputs_in, repeat
from compose.combinators.share import Shared, share
from compose.combinators.steps import time_distributed
from compose.combinators.wrappers import frozen
from compose.core.layer import Layer
from compose.core.plan import draws
from compose.export.errors import ExportError
from compose.export.keras import writer
from compose.export.keras.registry import writes
from compose.export.source.code import Statement
from compose.export.source.words.combinators import refers, within, written_out
from compose.layers.embedding import embedding


@writes(frozen)
def fixed(w, layer, p, s, x):
    """The same layer, whose weights are not trainable."""
    if draws(layer.inner):
        w.note("Dropout inside frozen layers works in training.")
    before, w.frozen = w.frozen, True
    try:
        return w.layer(layer.inner, jax.tree.map(jax.lax.stop_gradient, p), s, x)
    finally:
        w.frozen = before


@writes(time_distributed)
def each_step(w, layer, p, s, x):
    """The layer on all steps of all sequences at once."""
    if isinstance(x, tuple):
        raise ExportError("one sequence", "several")
    batch, time = x.shape[:2]
    flat = w.call(x, f"ops.reshape({{}}, {(-1, *x.shape[2:])})", shape=(batch * time, *x.shape[2:]))
    y = w.layer(layer.inner, p, s, w.named(flat))
    shape = (batch, time, *y.shape[1:])
    return w.call(w.named(y), f"ops.reshape({{}}, {(-1, *shape[1:])})", shape=shape)


@writes(repeat)
def repeated(w, layer, p, s, x):
    """A function that a loop calls."""
    take = lambda i: (jax.tree.map(lambda a: a[i], p), jax.tree.map(lambda a: a[i], s))
    if refers(layer.block) or w.shared is not None:
        return written_out(w, layer, p, s, x, keyed=True)

    def made(i: int) -> tuple:
        return w.apart(layer.block, lambda x: w.named(w.layer(layer.block, *take(i), x)), x, layer.block.kind)

    function, _, call, y = made(0)
    if function is None:
        return written_out(w, layer, p, s, x)
    weights = {f"{i}_{name}": a for i in range(layer.times) for name, a in made(i)[1].items()}
    leaves = jax.tree.leaves(x)
    if len({leaf.text for leaf in leaves}) != len(leaves):
        raise ExportError("a repeat over different values", "one value twice")
    name = w.name_text(w.prefix(weights), "_{i}")
    targets = tuple(w.token() for _ in leaves)
    start = call if len(leaves) == 1 else f"({call})"
    head, body = f"for i in range({layer.times})", f"{function}({{}}, {name})"
    loop = Statement(targets, start, None, head, body, outputs=len(jax.tree.leaves(y)))
    w.code.statements.append(loop)
    ends = iter(targets)
    return jax.tree.map(lambda v: v.but(base=next(ends), steps=()), outputs_in(x, y))


@dataclass
class Use:
    """The layer of a `share`, and the layers of Keras that it is once the first use has written them."""

    layer: Layer
    params: Any
    state: Any
    scope: tuple
    key: str
    shared: writer.Shared


@writes(share)
def shared(w, layer, p, s, x):
    (key, _), _ = layer.children()
    attends = any(getattr(inner, "method", None) == "attend" for _, inner in layer.walk())
    cell = Use(layer.shared, p.get(key, {}), s.get(key, {}), w.scope, key, writer.Shared(attends))
    return within(w, layer, p, s, x, cell)


@writes(Shared)
def use(w, layer, p, s, x):
    """A call of the layers of the shared layer, which the first use makes."""
    cell = w.scope[-1 - layer.index]
    before = w.scope, w.path, w.shared
    w.scope, w.path = cell.scope, (*w.path[: w.start], cell.key)
    if w.shared is None:
        w.shared = cell.shared
        cell.shared.at = 0
    try:
        if layer.method is None:
            return w.named(w.layer(cell.layer, cell.params, cell.state, w.named(x)))
        if not cell.shared.layers or layer.method != "attend" or not isinstance(cell.layer, embedding):
            raise ExportError("a shared layer that is called", f".{layer.method}")
        count = cell.params["embedding"].shape[0]
        text = f"{cell.shared.layers[0]}({{}}, reverse=True)"
        return w.call(w.named(x), text, shape=(*x.shape[:-1], count))
    finally:
        w.scope, w.path, w.shared = before
