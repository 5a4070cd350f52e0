"""A layer's expression in one line, without its name and without inner layers that have their own rows."""

from __future__ import annotations

import re
from typing import Any

from compose.combinators.share import share
from compose.core.combinator import Composite
from compose.core.layer import Layer
from compose.core.plan import Plan
from compose.core.printing import Writer, layout


def brief(chain: list[Plan], shared: int = 0) -> str:
    """The text of a chain of wrappers around a layer; `shared` is the number of enclosing `share`s.

    A leaf is written in full, a combinator with its contents elided: `repeat(12, residual(…))`.
    """
    layers = [plan.layer for plan in chain]
    write = Writer(letters(shared)) if is_leaf(chain[-1]) else _Heads(letters(shared), layers)
    text = layout(write.value(unnamed(layers[0])), width=1_000_000)
    return re.sub(r"…(, …)+", "…", text)


def is_leaf(plan: Plan) -> bool:
    """Whether a layer is a leaf: it computes by itself, and layers in its fields have no rows."""
    return type(plan.layer).forward is not Layer.forward or not plan.parts or plan.layer.refers


def letters(shared: int) -> tuple[str, ...]:
    """The names of shared layers in an expression, outermost first."""
    return tuple(f"e{i}" if i else "e" for i in range(shared))


def unnamed(layer: Layer) -> Layer:
    """The layer without its name, also inside wrappers."""
    wraps = getattr(layer, "wraps", None)
    if wraps is not None:
        inner = getattr(layer, wraps)
        bare = unnamed(inner)
        return layer if bare is inner else layer.but(**{wraps: bare})
    return layer if layer.name is None else layer.but(name=None)


class _Heads(Writer):
    """A writer that writes the layers in `shown` and elides all others."""

    def __init__(self, names: tuple[str, ...], shown: list[Layer]):
        super().__init__(names)
        self.shown = [unnamed(layer) for layer in shown]

    def value(self, v: Any):
        if isinstance(v, Layer):
            v = unnamed(v)
            if v not in self.shown:
                return "…"
            if isinstance(v, Composite):
                return Writer(self.names).value(v)
            if isinstance(v, share):
                return f"share(…, lambda {letters(len(self.names) + 1)[-1]}: …)"
        return super().value(v)
