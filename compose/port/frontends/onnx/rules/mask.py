"""Comparisons, choices and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.ir.weights import Constant
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.compare import MIRRORED
from compose.port.lowering.values import Value, Weight, identity_axes

_COMPARED = {
    "Equal": "equal", "Greater": "greater", "LessOrEqual": "less_equal",
    "Less": "less", "GreaterOrEqual": "greater_equal",
}  # fmt: skip


@rules(*(f"onnx.{name}" for name in _COMPARED))
def _compare(low, node, a, b):
    name = _COMPARED[node.op.removeprefix("onnx.")]
    if not isinstance(a, Value):
        a, b, name = b, a, MIRRORED[name]
    value = low.number(b)
    if value is None:
        return low.joined(f"ops.{name}", low.value(a), low.as_value(b))
    return low.emit(word(f"ops.{name}")(y=value), low.whole(low.value(a)))


@rules("onnx.And", "onnx.Or")
def _both(low, node, a, b):
    name = "ops.logical_and" if node.op == "onnx.And" else "ops.logical_or"
    return low.joined(name, low.as_value(a), low.as_value(b))


@rule("onnx.Not")
def _not(low, node, x):
    return low.emit(word("ops.logical_not"), low.whole(x))


@rule("onnx.Where")
def _where(low, node, condition, a, b):
    like = next((v for v in (condition, a, b) if isinstance(v, Value) and v.shape == low.shape), None)
    fits = lambda v: isinstance(v, Value) or _for_each(v, len(low.shape))
    given = [v for v in (condition, a, b) if isinstance(v, Value)]
    if like is None or any(v.ndim != like.ndim for v in given) or not all(map(fits, (condition, a, b))):
        parts = [low.as_source(low.as_value(v)) for v in (condition, a, b)]
        return low.emit(word("ops.where"), *parts, axes=identity_axes(len(low.shape)))
    like = low.whole(like)
    parts = [as_value(low, v, like) for v in (condition, a, b)]
    return low.emit(word("ops.where"), *(low.moved(v, like.axes) for v in parts), axes=like.axes)


def _for_each(given: Any, rank: int) -> bool:
    """Whether a constant is the same for each example of a value with so many axes."""
    array = given.array if isinstance(given, Weight) else given
    plain = not isinstance(given, Weight) or array.size == 1
    return plain and (array.ndim < rank or (array.ndim == rank and array.shape[:1] == (1,)))


def as_value(low: Any, given: Any, like: Value) -> Value:
    """A number or an array of constants as a value in the layout of `like`, against which it broadcasts.

    Raises `PortError` for one that is not the same for each example, or that is learned.
    """
    if isinstance(given, Value):
        return given
    low.check_batch(given)
    if isinstance(given, Weight) and given.array.size > 1:
        raise PortError("values or constants to compare and choose, got a weight")
    like, array = low.whole(like), np.asarray(low.fixed(given))
    array = array.reshape((1,) * (like.ndim - array.ndim) + array.shape)
    if array.ndim > like.ndim or like.axes[:1] != (0,) or array.shape[0] != 1:
        raise PortError(f"a constant that is the same for each example, got shape {array.shape}")
    ours = array.transpose(like.axes)[0]
    layer, arrays = layer_of(Weight.of(Constant(array=ours), ours, trained=False), ours.shape)
    return low.emit(layer, like, shape=(like.shape[0], *array.shape[1:]), axes=like.axes, **arrays)
