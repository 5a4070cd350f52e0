"""Resizing in ways that no layer has, one axis after the other, as onnx's reference evaluator computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from compose.core.registry import word
from compose.port.frontends.onnx.exact import evaluator
from compose.port.ir.weights import Constant
from compose.port.lowering.values import Value, Weight

Resized = Callable[[np.ndarray], np.ndarray]


def one_axis(node, before: int, after: int, factor: float) -> Resized:
    """The function of one axis, from length `before` to `after`, that a `Resize` of several applies to each."""
    attributes = {k: v for k, v in node.attributes.items() if k not in ("axes", "keep_aspect_ratio_policy")}
    scaled = int(np.floor(before * np.float32(factor))) == after
    last = helper.make_tensor("by", TensorProto.FLOAT, [1], [factor]) if scaled else None
    last = last or helper.make_tensor("to", TensorProto.INT64, [1], [after])
    one = helper.make_node("Resize", ["x", "", "by"] if scaled else ["x", "", "", "to"], ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [before])
    graph = helper.make_graph([one], "axis", [x], [helper.make_empty_tensor_value_info("y")], [last])
    made: Any = evaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)]))
    return lambda x: np.asarray(made.run(None, {"x": x})[0])


def along_each(low: Any, x: Value, axes: list[Resized | None], node) -> Value:
    """Resize the spatial axes in turn: the pixels that are taken, or a product with a matrix that is not trained.

    Args:
        axes: the functions of the spatial axes, None for one that stays.
    """
    for axis, resized in enumerate(axes, start=2):
        if resized is None:
            continue
        before = x.shape[axis]
        if node.get("mode", "nearest") == "nearest":
            x = _taken(low, x, axis, resized(np.arange(before, dtype=float)).astype(int).tolist())
        else:
            x = _product(low, x, axis, np.stack([resized(one) for one in np.eye(before)]))
    return x


def _taken(low: Any, x: Value, axis: int, places: list[int]) -> Value:
    layer = word("at")(", ".join([":"] * x.axis(axis) + [str(places)]))
    return low.emit(layer, x, shape=_with_length(x, axis, len(places)), axes=x.axes)


def _product(low: Any, x: Value, axis: int, matrix: np.ndarray) -> Value:
    """The product of one axis and a matrix `(before, after)`."""
    letters = "".join(chr(ord("a") + i) for i in range(x.ndim))
    inner = letters[x.axis(axis)]
    layer = word("einsum")(f"{letters},{inner}z->{letters.replace(inner, 'z')}", (matrix.shape[1],))
    kernel = Weight.of(Constant(array=matrix), matrix, trained=False)
    return low.emit(layer, x, shape=_with_length(x, axis, matrix.shape[1]), axes=x.axes, weights={"kernel": kernel})


def _with_length(x: Value, axis: int, length: int) -> tuple[int, ...]:
    return (*x.shape[:axis], length, *x.shape[axis + 1 :])
