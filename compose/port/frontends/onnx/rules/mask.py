"""Comparisons, choices and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.ir.weights import Constant
from compose.port.lowering.values import Value, Weight, identity_axes

_COMPARED = {
    "Equal": ("ops.equal", True), "Greater": ("ops.greater", True), "LessOrEqual": ("ops.greater", False),
    "Less": ("ops.less", True), "GreaterOrEqual": ("ops.less", False),
}  # fmt: skip
_TURNED = {"ops.greater": "ops.less", "ops.less": "ops.greater", "ops.equal": "ops.equal"}


@rules(*(f"onnx.{name}" for name in _COMPARED))
def _compare(low, node, a, b):
    name, holds = _COMPARED[node.op.removeprefix("onnx.")]
    if not isinstance(a, Value):
        a, b, name = b, a, _TURNED[name]
    value = low.number(b)
    if value is None:
        made = low.joined(name, low.value(a), low.as_value(b))
    else:
        made = low.emit(word(name)(y=value), low.whole(low.value(a)))
    return made if holds else low.emit(word("ops.logical_not"), made)


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
    like, array = low.whole(like), np.asarray(low.fixed(given), float)
    array = array.reshape((1,) * (like.ndim - array.ndim) + array.shape)
    if array.ndim > like.ndim or like.axes[:1] != (0,) or array.shape[0] != 1:
        raise PortError(f"a constant that is the same for each example, got shape {array.shape}")
    ours = array.transpose(like.axes)[0]
    weight = Weight.of(Constant(array=ours), ours, trained=False)
    shape = (like.shape[0], *array.shape[1:])
    return low.emit(word("parameter")(*ours.shape), like, shape=shape, axes=like.axes, weights={"value": weight})
