"""Reductions, scans, positions of the largest, sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.jax.each_example import filled
from compose.port.frontends.jax.registry import rule, rules
from compose.port.frontends.jax.values import Value


def keeps(before: tuple[int, ...], axes: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether a reduction leaves axes of length 1."""
    return tuple(after) == tuple(1 if i in axes else n for i, n in enumerate(before))


def reduced(name: str, axes: tuple[int, ...], x: Value, keepdims: bool = False) -> Any:
    """A reduction as its word: over all space, that of global pooling."""
    options: dict[str, Any] = {"keepdims": True} if keepdims else {}
    axes = tuple(int(a) for a in axes)
    if name in ("ops.mean", "ops.max") and x.ndim > 2 and axes == tuple(range(1, x.ndim - 1)):
        made = word("global_avg_pool" if name == "ops.mean" else "global_max_pool")
        return made(**options) if options else made
    if len(axes) < x.ndim:
        last = tuple(a - x.ndim if a == x.ndim - 1 else a for a in axes)
        options = {"axis": last[0] if len(last) == 1 else last, **options}
    return word(name)(**options) if options else word(name)


REDUCED = {
    "reduce_sum": "ops.sum", "reduce_max": "ops.max", "reduce_min": "ops.min", "reduce_prod": "ops.prod",
    "reduce_and": "ops.all", "reduce_or": "ops.any",
}  # fmt: skip
_RUNNING = ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")


@rules(*(f"jax.{name}" for name in REDUCED))
def _reduce(low, eqn, x):
    if not eqn.params["axes"]:
        return x
    if eqn.name in ("reduce_and", "reduce_or") and x.dtype != bool:
        raise PortError(f"{eqn.name} of booleans, got {x.dtype}")
    return low.emit(reduced(REDUCED[eqn.name], eqn.params["axes"], x), x)


@rules("jax.argmax", "jax.argmin")
def _argmax(low, eqn, x):
    (axis,) = eqn.params["axes"]
    return low.emit(word(f"ops.{eqn.name}")(axis=int(axis)), x)


@rules(*(f"jax.{name}" for name in _RUNNING))
def _running(low, eqn, x):
    axis, turned = int(eqn.params["axis"]), eqn.params["reverse"]
    made = low.emit(word("ops.flip")(axis=axis), x) if turned else x
    made = low.emit(word(f"ops.{eqn.name}")(axis=axis), made)
    return low.emit(word("ops.flip")(axis=axis), made) if turned else made


@rule("jax.sort")
def _sort(low, eqn, *xs):
    axis, keys = int(eqn.params["dimension"]), eqn.params["num_keys"]
    if keys != 1 or not isinstance(xs[0], Value):
        raise PortError(f"values sorted by one key, got {keys} keys")
    if len(xs) == 1:
        return low.emit(word("ops.sort")(axis=axis), xs[0])
    order = low.emit(word("ops.argsort")(axis=axis), xs[0]).but(dtype=np.dtype(np.int32))
    made = [low.emit(word("ops.take_along_axis")(axis=axis), xs[0], order)]
    for x in xs[1:]:
        if isinstance(x, np.ndarray) and (x == _places(x.shape, axis)).all():
            made.append(order)
        else:
            made.append(low.emit(word("ops.take_along_axis")(axis=axis), filled(low, x, order), order))
    return made


@rule("jax.top_k")
def _top_k(low, eqn, x):
    axis = int(eqn.params.get("axis", x.ndim - 1))
    both = low.emit(word("ops.top_k")(k=int(eqn.params["k"]), **({} if axis == x.ndim - 1 else {"axis": axis})), x)
    return [low.emit(word("at")(str(i)), both) for i in range(2)]


def _places(shape: tuple[int, ...], axis: int) -> np.ndarray:
    return np.arange(shape[axis]).reshape(*(-1 if i == axis else 1 for i in range(len(shape))))
