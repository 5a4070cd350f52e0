"""Layers made of layers, and wrappers around one."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from compose.combinators.branch import collect, identity
from compose.combinators.repeat import next_inputs, repeat
from compose.combinators.share import Cell, Shared, share
from compose.combinators.wrappers import cast, frozen, lora, remat, when_training
from compose.core.combinator import Combinator, Composite
from compose.core.context import Context
from compose.export.onnx.program import written_function
from compose.export.onnx.registry import writes
from compose.export.onnx.words.dense import attend
from compose.layers.embedding import embedding


@writes(Combinator)
def combinator(writer, layer, p, s, x):
    """`flow` routes values as it routes arrays."""
    run = lambda key, inner, x: writer.layer(inner, p.get(key, {}), s.get(key, {}), x, key)
    return layer.flow(x, run)


@writes(Composite)
def composite(writer, layer, p, s, x):
    return writer.layer(layer.expand(writer.specs(x)), p, s, x)


@writes(identity, collect)
def unchanged(writer, layer, p, s, x):
    return x


@writes(repeat)
def unrolled(writer, layer, p, s, x):
    """Each turn with its own slice of the weights, under its number."""
    y = x
    for i in range(layer.times):
        take = lambda a, i=i: a[i] if isinstance(a, np.ndarray) else a
        own, held = jax.tree.map(take, p), jax.tree.map(take, s)
        with writer.at(str(i)):
            own = writer.named(own)
            held = writer.named(held)
            y = writer.layer(layer.block, own, held, x)
        x = next_inputs(y, x)
    return y


@writes(frozen, remat)
def inner(writer, layer, p, s, x):
    return writer.layer(layer.inner, p, s, x)


@writes(when_training)
def idle(writer, layer, p, s, x):
    return x


@writes(cast)
def narrowed(writer, layer, p, s, x):
    to = lambda tree: jax.tree.map(lambda a: writer.cast(a, layer._to(a.dtype)), tree)
    return writer.layer(layer.inner, writer.renamed(p, to(p)), s, to(x))


@writes(lora)
def merged(writer, layer, p, s, x):
    """The kernels with their updates added."""
    base = {k: v for k, v in p.items() if k != "lora"}
    with jax.ensure_compile_time_eval():
        both = jax.tree.map(np.asarray, layer.merge(base, p["lora"]))
    return writer.layer(layer.inner, writer.renamed(base, both), s, x)


@writes(share)
def shared(writer, layer, p, s, x):
    (key, _), (body_key, _) = layer.children()
    cell = Cell(layer.shared, writer.scope, p.get(key, {}), s.get(key, {}))
    before, writer.scope = writer.scope, (*writer.scope, cell)
    try:
        return writer.layer(layer.body, p.get(body_key, {}), s.get(body_key, {}), x, body_key)
    finally:
        writer.scope = before


@writes(Shared)
def use(writer, layer, p, s, x):
    cell = writer.scope[-1 - layer.index]
    before, writer.scope = writer.scope, cell.scope
    try:
        if layer.method is None:
            return writer.layer(cell.layer, cell.params, cell.state, x)
        if isinstance(cell.layer, embedding) and layer.method == "attend":
            return attend(writer, cell.params, x)
        method: Any = getattr(cell.layer, layer.method)
        return written_function(
            writer, lambda whole: lambda p, x: method(p, x, Context(path=writer.path)), cell.params, x
        )
    finally:
        writer.scope = before
