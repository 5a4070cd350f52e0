"""Sums and products of `keras.ops` with values, numbers, arrays and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.ir.weights import Take
from compose.port.lowering.registry import rules
from compose.port.lowering.values import BroadcastWeight, GraphValue

_CONSTANT = {
    "add": lambda c: word("add_constant")(value=c),
    "subtract": lambda c: word("add_constant")(value=-c),
    "multiply": lambda c: word("scale")(by=c),
    "divide": lambda c: word("scale")(by=1 / c),
}


@rules("keras.ops.Add", "keras.ops.Multiply", "keras.ops.Subtract", "keras.ops.Divide", "keras.ops.TrueDivide")
def _operator(walk, op, a, b):
    name = type(op).__name__.removeprefix("True").lower()
    if isinstance(a, GraphValue) and isinstance(b, GraphValue):
        return walk.emit(word(name), a, b)
    if not isinstance(a, GraphValue):
        a, b, name = _turned(walk, name, a, b)
    weight = walk.weight(b)
    if weight is not None:
        return _with_weight(walk, name, a, weight)
    array = np.asarray(keras.ops.convert_to_numpy(b), np.float64)
    if array.size > 1 and (array != array.flat[0]).any():
        return _with_array(walk, name, a, array)
    number = float(array.flat[0])
    return a if number == (name in ("multiply", "divide")) else walk.emit(_CONSTANT[name](number), a)


def _turned(walk: Any, name: str, known: Any, x: GraphValue) -> tuple[GraphValue, Any, str]:
    """`known - x` and `known / x` as something with `x` first."""
    if name == "subtract":
        return walk.emit(word("scale")(by=-1.0), x), known, "add"
    if name == "divide":
        return walk.emit(word("reciprocal"), x), known, "multiply"
    return x, known, name


def _with_weight(walk: Any, name: str, x: GraphValue, weight: BroadcastWeight) -> GraphValue:
    if name == "divide":
        raise PortError("a value times a weight, got it divided by one; keep the reciprocal as the weight")
    made = walk.node.output_tensors[0].shape
    if weight.places and name == "add" and len(made) == 3 and made[1] == weight.shape[-2]:
        return walk.emit(word("learned_positions")(weight.places), x, weights={"embedding": Take(weight.take.source)})
    if name == "subtract":  # x - w is -(w - x)
        turned = _with_weight(walk, "add", walk.emit(word("scale")(by=-1.0), x), weight)
        return walk.emit(word("scale")(by=-1.0), turned)
    joined = _as_bias(walk, x, weight) if name == "add" else None
    if joined is not None:
        return joined
    shape = weight.own
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    take = weight.take if shape == weight.own else replace(weight.take, shape=shape)
    word_ = "learned_scale" if name == "multiply" else "learned_bias"
    return walk.emit(walk.sized(word_, shape), x, weights={word_.removeprefix("learned_"): take})


def _as_bias(walk: Any, x: GraphValue, weight: BroadcastWeight) -> GraphValue | None:
    """The sum as the bias of the product before it, where that has none yet and nothing else reads it."""
    op = walk.producer(x)
    tensor = walk.node.input_tensors[0]
    alone = len(walk.readers(tensor)) == 1 and not any(tensor is out for out in walk.within.outputs)
    if op is None or not alone or weight.own != (tensor.shape[-1],):
        return None
    if op.layer.kind not in ("fc", "conv") or getattr(op.layer, "bias", True) or "kernel" not in op.weights:
        return None
    walk.replace_op(op, layer=op.layer.but(bias=True), weights={**op.weights, "bias": weight.take})
    return x


def _with_array(walk: Any, name: str, x: GraphValue, array: np.ndarray) -> GraphValue:
    """A value with an array that is no weight of the model."""
    if name in ("subtract", "divide"):
        array, name = (-array, "add") if name == "subtract" else (1 / array, "multiply")
    return walk.fixed("learned_scale" if name == "multiply" else "learned_bias", x, array)


@rules("keras.ops.Matmul", "keras.ops.Dot")
def _matmul(walk, op, a, b):
    weight = walk.weight(b)
    if isinstance(a, GraphValue) and weight is not None and len(weight.shape) == 2:
        return walk.emit(word("fc")(weight.shape[1], bias=False), a, weights={"kernel": b})
    if type(op).__name__ == "Dot" or not (isinstance(a, GraphValue) and isinstance(b, GraphValue)):
        raise PortError("the matrix product of two values, or of a value and a weight after it")
    return walk.emit(word("matmul"), a, b)
