"""Comparisons, choices and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.onnx.registry import rule, rules
from compose.port.ir.weights import Constant
from compose.port.lowering.values import Value, Weight

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
        made = low.joined(name, low.value(a), as_value(low, b, a))
    else:
        made = low.emit(word(name)(y=value), low.whole(low.value(a)))
    return made if holds else low.emit(word("ops.logical_not"), made)


@rules("onnx.And", "onnx.Or")
def _both(low, node, a, b):
    return low.joined("ops.logical_and" if node.op == "onnx.And" else "ops.logical_or", low.value(a), low.value(b))


@rule("onnx.Not")
def _not(low, node, x):
    return low.emit(word("ops.logical_not"), low.whole(x))


@rule("onnx.Where")
def _where(low, node, condition, a, b):
    like = next((v for v in (condition, a, b) if isinstance(v, Value) and v.shape == low.shape), None)
    if like is None:
        raise PortError(f"a choice of which one part has the shape of the result, {low.shape}")
    like = low.whole(like)
    parts = [as_value(low, v, like) for v in (condition, a, b)]
    if any(v.ndim != like.ndim for v in parts):
        raise PortError(f"a choice between values of {like.ndim} axes each")
    return low.emit(word("ops.where"), *(low.moved(v, like.axes) for v in parts), axes=like.axes)


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
