"""Layers made of layers, and wrappers around one."""

from __future__ import annotations

from typing import Any

import jax

from compose.combinators.branch import collect, identity
from compose.combinators.choose import choose
from compose.combinators.repeat import next_inputs, repeat
from compose.combinators.wrappers import cast, lora, remat, when_training
from compose.core.combinator import Combinator, Composite
from compose.core.layer import Layer
from compose.export.errors import ExportError
from compose.export.source.registry import follows, shares
from compose.layers.norm.weight import spectral_norm, weight_norm


@shares(Combinator)
@follows
def combinator(w, layer, p, s, x):
    """`flow` routes values as it routes arrays."""
    run = lambda key, inner, x: w.named(w.layer(inner, p.get(key, {}), s.get(key, {}), x, key))
    if refers(layer):
        return layer.flow(x, run)
    return w.block(layer, lambda x: layer.flow(x, run), x)


@shares(choose)
@follows
def chosen(w, layer, p, s, x):
    raise ExportError("layers that all run", "choose, of which one does")


@shares(Composite)
@follows
def composite(w, layer, p, s, x):
    return w.layer(layer.expand(w.specs(x)), p, s, x)


@shares(identity, collect)
@follows
def unchanged(w, layer, p, s, x):
    return x


@shares(when_training)
@follows
def idle(w, layer, p, s, x):
    w.note(f"{layer.inner} works in training alone and is left out.".replace("\n", " "))
    return x


@shares(remat)
@follows
def inner(w, layer, p, s, x):
    return w.layer(layer.inner, p, s, x)


@shares(cast)
@follows
def narrowed(w, layer, p, s, x):
    raise ExportError("a network that computes in one dtype", f"cast to {layer.dtype}", "export it without cast")


MERGED = {
    "lora": "LoRA's updates are added to the kernels.",
    "weight_norm": "The kernels are as weight norm leaves them.",
}


@shares(lora, weight_norm)
@follows
def merged(w, layer, p, s, x):
    """The kernels that the layer inside runs with."""
    key = layer.kind_of_class()
    w.note(MERGED[key])
    own = {k: v for k, v in p.items() if k != key}
    return w.layer(layer.inner, layer.merge(own, p[key]), s, x)


@shares(spectral_norm)
@follows
def divided(w, layer, p, s, x):
    w.note("The kernels are as spectral norm leaves them.")
    own = {k: v for k, v in s.items() if k != "spectral_norm"}
    return w.layer(layer.inner, layer.divide(p, s["spectral_norm"], False)[0], own, x)


def within(w, layer, p, s, x, cell):
    """The body of a `share`, in which `cell` is the layer that it refers to."""
    _, (key, _) = layer.children()

    def run(x):
        before, w.scope = w.scope, (*w.scope, cell)
        try:
            return w.layer(layer.body, p.get(key, {}), s.get(key, {}), x, key)
        finally:
            w.scope = before

    return w.block(layer, run, x)


def refers(layer: Layer) -> bool:
    """Whether something inside is the layer of a `share` around it."""
    return any(getattr(inner, "refers", False) for _, inner in layer.walk())


def written_out(w: Any, layer: repeat, p: Any, s: Any, x: Any, keyed: bool = False) -> Any:
    """Each turn of a `repeat` on its own slice of the weights, under its number if it is `keyed`."""
    y = x
    for i in range(layer.times):
        own, held = jax.tree.map(lambda a, i=i: a[i], (p, s))
        y = w.named(w.layer(layer.block, own, held, x, str(i) if keyed else None))
        x = next_inputs(y, x)
    return y
