"""Reductions, scans, positions of the largest."""

from __future__ import annotations

from typing import Any

from compose.core.registry import word
from compose.port.frontends.flax.registry import rule, rules
from compose.port.frontends.flax.values import Value


def keeps(before: tuple[int, ...], axes: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether a reduction leaves axes of length 1."""
    return tuple(after) == tuple(1 if i in axes else n for i, n in enumerate(before))


def reduced(name: str, axes: tuple[int, ...], x: Value, keepdims: bool = False) -> Any:
    """A reduction as its word: over all space, that of global pooling."""
    options: dict[str, Any] = {"keepdims": True} if keepdims else {}
    if name in ("ops.mean", "ops.max") and x.ndim > 2 and tuple(axes) == tuple(range(1, x.ndim - 1)):
        made = word("global_avg_pool" if name == "ops.mean" else "global_max_pool")
        return made(**options) if options else made
    if len(axes) < x.ndim:
        last = tuple(a - x.ndim if a == x.ndim - 1 else a for a in axes)
        options = {"axis": last[0] if len(last) == 1 else last, **options}
    return word(name)(**options) if options else word(name)


REDUCED = {"reduce_sum": "ops.sum", "reduce_max": "ops.max", "reduce_min": "ops.min", "reduce_prod": "ops.prod"}


@rules(*(f"jax.{name}" for name in REDUCED))
def _reduce(low, eqn, x):
    return low.emit(reduced(REDUCED[eqn.name], eqn.params["axes"], x), x)


@rule("jax.argmax")
def _argmax(low, eqn, x):
    return low.emit(word("ops.argmax")(axis=eqn.params["axes"][0]), x)


@rule("jax.cumsum")
def _cumsum(low, eqn, x):
    made = low.emit(word("ops.flip")(axis=eqn.params["axis"]), x) if eqn.params["reverse"] else x
    made = low.emit(word("ops.cumsum")(axis=eqn.params["axis"]), made)
    return low.emit(word("ops.flip")(axis=eqn.params["axis"]), made) if eqn.params["reverse"] else made
