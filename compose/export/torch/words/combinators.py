"""Layers made of layers, and wrappers around one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax

from compose.combinators.repeat import next_inputs, outputs_in, repeat
from compose.combinators.share import Shared, share
from compose.combinators.steps import time_distributed
from compose.combinators.wrappers import frozen
from compose.core.layer import Layer
from compose.core.plan import draws
from compose.export.errors import ExportError
from compose.export.source.code import Statement
from compose.export.source.registry import follows
from compose.export.source.words.combinators import refers, within, written_out
from compose.export.torch.registry import writes
from compose.layers.embedding import embedding


@writes(frozen)
@follows
def fixed(w, layer, p, s, x):
    """The same layer, whose parameters get no gradient."""
    if s or draws(layer.inner):
        w.note("Frozen layers stay in inference mode: call eval() on them after train().")
    before = set(w.code.attributes)
    y = w.layer(layer.inner, jax.tree.map(jax.lax.stop_gradient, p), s, x)
    for name in [n for n in w.code.attributes if n not in before]:
        w.code.lines.append(f"self.{name}.requires_grad_(False)")
    return y


@writes(time_distributed)
def each_step(w, layer, p, s, x):
    """The layer on all steps of all sequences at once."""
    if isinstance(x, tuple):
        raise ExportError("one sequence", "several")
    batch, time = x.shape[:2]
    x = w.named(x)
    flat = w.call(x, "{}.flatten(0, 1)", shape=(batch * time, *x.shape[2:]))
    y = w.last(w.layer(layer.inner, p, s, flat))
    return w.made("{}.unflatten(0, {}.shape[:2])", y, x, shape=(batch, time, *y.shape[1:]), dtype=y.dtype)


@writes(repeat)
@follows
def repeated(w, layer, p, s, x):
    """Blocks of one class, in an `nn.Sequential`, or in an `nn.ModuleList` and a loop for several values."""
    if refers(layer.block):
        return written_out(w, layer, p, s, x, keyed=True)

    def made(i: int, x: Any) -> tuple:
        own, held = jax.tree.map(lambda a: a[i], p), jax.tree.map(lambda a: a[i], s)
        run = lambda x: w.named(w.layer(layer.block, own, held, x))
        return w.apart(layer.block, run, x, layer.block.kind)

    before = w.classes.copy(), w.parts.copy()
    text, _, call, y = made(0, x)
    if _layouts(next_inputs(y, x)) != _layouts(x):
        w.classes, w.parts = before
        x = jax.tree.map(w.first, x)
        text, _, call, y = made(0, x)
        if _layouts(next_inputs(y, x)) != _layouts(x):
            raise ExportError("a block whose output has the layout of its input")
    if text is None:
        return written_out(w, layer, p, s, x)
    weights = {f"{i}.{name}": a for i in range(layer.times) for name, a in made(i, x)[1].items()}
    blocks = f"{text} for _ in range({layer.times})"
    leaves = jax.tree.leaves(x)
    if len(leaves) == 1:
        return w.module(x, f"nn.Sequential(*({blocks}))", weights, first=leaves[0].first)
    if len(set(leaf.text for leaf in leaves)) != len(leaves):
        raise ExportError("a repeat over different values", "one value twice")
    name = w.submodule(f"nn.ModuleList({blocks})", weights)
    targets = tuple(w.token() for _ in leaves)
    loop = Statement(targets, f"({call})", None, f"for block in self.{name}", outputs=len(jax.tree.leaves(y)))
    w.code.statements.append(loop)
    ends = iter(targets)
    return jax.tree.map(lambda v: v.but(base=next(ends), steps=()), outputs_in(x, y))


def _layouts(x: Any) -> list:
    return [leaf.first for leaf in jax.tree.leaves(x)]


@dataclass
class Use:
    """The layer of a `share`, and the module that it is once the first use has written it."""

    layer: Layer
    params: Any
    state: Any
    scope: tuple
    key: str
    module: str | None = None


@writes(share)
@follows
def shared(w, layer, p, s, x):
    (key, _), _ = layer.children()
    cell = Use(layer.shared, p.get(key, {}), s.get(key, {}), w.scope, key)
    return within(w, layer, p, s, x, cell)


@writes(Shared)
def use(w, layer, p, s, x):
    """A call of the module of the shared layer, which the first use writes."""
    cell = w.scope[-1 - layer.index]
    before, path = (w.scope, w.path)
    w.scope, w.path = cell.scope, (*w.path[: w.start], cell.key)
    try:
        if layer.method is not None:
            if cell.module is None or layer.method != "attend" or not isinstance(cell.layer, embedding):
                raise ExportError("a shared layer that is called", f".{layer.method}")
            count = cell.params["embedding"].shape[0]
            return w.call(x, f"F.linear({{}}, {cell.module}.weight)", shape=(*x.shape[:-1], count))
        if cell.module is None and isinstance(cell.layer, embedding):
            y = w.layer(cell.layer, cell.params, cell.state, x)
            cell.module = y.steps[-1].text.removesuffix("({})")
            return y
        if cell.module is None:
            run = lambda x: w.named(w.layer(cell.layer, cell.params, cell.state, x))
            text, weights, _, _ = w.apart(cell.layer, run, x)
            if text is None:
                return run(x)
            cell.module = f"self.{w.submodule(text, weights)}"
        call = ", ".join(dict.fromkeys(leaf.text for leaf in jax.tree.leaves(w.named(x))))
        return w.called(f"{cell.module}({call})", w.out(cell.layer, x))
    finally:
        w.scope, w.path = before, path
