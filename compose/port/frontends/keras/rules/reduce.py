"""Reductions, scans, positions of the largest."""

from __future__ import annotations

from typing import Any

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules


@rule("keras.ops.Argmin")
def _argmin(walk, op, x):
    return walk.emit(word("ops.argmin")(axis=op.axis, **({"keepdims": True} if op.keepdims else {})), x)


@rule("keras.ops.TopK")
def _top_k(walk, op, x):
    both = walk.emit(word("ops.top_k")(k=op.k), x)
    return [walk.emit(word("at")(str(i)), both) for i in (0, 1)]


@rule("keras.ops.Average")
def _average(walk, op, x, weights=None):
    if weights is not None:
        raise PortError("an average without weights")
    return walk.emit(word("ops.mean")(axis=op.axis), x)


@rule("keras.ops.Moments")
def _moments(walk, op, x):
    axes = tuple(op.axes) if isinstance(op.axes, (list, tuple)) else (op.axes,)
    options: dict[str, Any] = {"axis": axes[0] if len(axes) == 1 else axes}
    options |= {"keepdims": True} if op.keepdims else {}
    return [walk.emit(word(name)(**options), x) for name in ("ops.mean", "ops.var")]


_REDUCED = ("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Prod", "Var", "Std", "Logsumexp")


@rules(*(f"keras.ops.{name}" for name in _REDUCED))
def _reduce(walk, op, x):
    options: dict[str, Any] = {"keepdims": True} if op.keepdims else {}
    if op.axis is not None:
        axes = list(op.axis) if isinstance(op.axis, (list, tuple)) else [op.axis]
        options["axis"] = tuple(axes) if len(axes) > 1 else axes[0]
    name = type(op).__name__.lower()
    return walk.emit(word({"amax": "ops.max", "amin": "ops.min", "std": "std"}.get(name, f"ops.{name}"))(**options), x)


@rule("keras.ops.Argmax")
def _argmax(walk, op, x):
    return walk.emit(word("ops.argmax")(axis=op.axis, **({"keepdims": True} if op.keepdims else {})), x)


@rules("keras.ops.Norm", "keras.ops.Normalize")
def _vector_norm(walk, op, x):
    order = op.order if type(op).__name__ == "Normalize" else op.ord
    axis = tuple(range(walk.rank)) if op.axis is None else op.axis
    axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    matrix = order == 2 and not isinstance(axis, int) and (op.axis is not None or walk.rank == 2)
    if order not in (None, 2, "fro") or matrix:
        raise PortError(f"the Euclidean norm of a vector, got order {order} along {axis}")
    axis = axis if isinstance(axis, int) else tuple(axis)
    if type(op).__name__ == "Normalize":
        return walk.emit(word("unit_norm")(axis=axis), x)
    return walk.emit(word("norm")(axis=axis, **({"keepdims": True} if op.keepdims else {})), x)
