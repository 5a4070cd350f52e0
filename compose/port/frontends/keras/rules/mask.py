"""Comparisons, choices and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.errors import PortError
from compose.core.registry import word
from compose.port.frontends.keras.registry import rule, rules
from compose.port.lowering.arrays import layer_of
from compose.port.lowering.compare import MIRRORED
from compose.port.lowering.values import GraphValue

_COMPARED = {
    "Equal": "equal", "NotEqual": "not_equal", "Greater": "greater", "Less": "less",
    "GreaterEqual": "greater_equal", "LessEqual": "less_equal",
}  # fmt: skip


@rules(*(f"keras.ops.{name}" for name in _COMPARED))
def _compare(walk, op, a, b):
    name = _COMPARED[type(op).__name__]
    if not isinstance(a, GraphValue):
        a, b, name = b, a, MIRRORED[name]
    layer = word(f"ops.{name}")
    return walk.emit(layer, a, b) if isinstance(b, GraphValue) else walk.emit(layer(y=b), a)


@rule("keras.ops.LogicalNot")
def _not(walk, op, x):
    return walk.emit(word("ops.logical_not"), x)


@rule("keras.ops.LogicalAnd")
def _and(walk, op, a, b):
    return a if a == b else walk.emit(word("ops.logical_and"), a, b)


@rule("keras.ops.LogicalOr")
def _or(walk, op, a, b):
    return a if a == b else walk.emit(word("ops.logical_or"), a, b)


@rules("keras.ops.Any", "keras.ops.All")
def _any(walk, op, x):
    options = {"keepdims": True} if op.keepdims else {}
    axis = tuple(op.axis) if isinstance(op.axis, (list, tuple)) else op.axis
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    return walk.emit(word("ops.max" if type(op).__name__ == "Any" else "ops.min")(axis=axis, **options), x)


@rule("keras.ops.Where")
def _where(walk, op, condition, a, b):
    if np.ndim(a) == 0 and not isinstance(a, GraphValue):
        condition, a, b = walk.emit(word("ops.logical_not"), condition), b, a
    if np.ndim(b) == 0 and not isinstance(b, GraphValue):
        return walk.emit(word("ops.where")(y=np.asarray(b).item()), condition, a)
    like = next(v for v in (condition, a, b) if isinstance(v, GraphValue))
    return walk.emit(word("ops.where"), *(_value(walk, v, like) for v in (condition, a, b)))


def _value(walk: Any, x: Any, like: GraphValue) -> GraphValue:
    if isinstance(x, GraphValue):
        return x
    array = np.asarray(x)
    layer, arrays = layer_of(array, array.shape, batch=False)
    return walk.emit(layer, like, shape=array.shape, **arrays)


@rule("keras.layers.Masking")
def _masking(walk, layer, x):
    made = walk.node.outputs[0]
    if layer.mask_value == 0 and unread(walk, made, made._keras_mask):
        return x  # what is hidden is zero already, and has no gradient
    real = walk.emit(word("ops.logical_not"), walk.emit(word("ops.equal")(y=layer.mask_value), x))
    return walk.emit(word("multiply"), x, walk.emit(word("ops.max")(axis=-1, keepdims=True), real))


_EACH_STEP = {
    "Dense", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "Activation", "ReLU", "LeakyReLU",
    "ELU", "LayerNormalization", "RMSNormalization", "Add", "Subtract", "Average", "Concatenate", "TimeDistributed",
    "Identity", "Multiply", "Divide", "TrueDivide", "Relu", "Gelu", "Silu", "Tanh", "Sigmoid",
}  # fmt: skip
_OVER_STEPS = {"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "GlobalAveragePooling1D"}


def unread(walk: Any, tensor: Any, mask: Any) -> bool:
    """Whether nothing reads the masked steps of a symbolic value, so that they may hold anything."""
    if any(tensor is out for out in walk.within.outputs):
        return False
    return all(_spares(walk, node, tensor, mask) for node in walk.readers(tensor))


def _spares(walk: Any, node: Any, tensor: Any, mask: Any) -> bool:
    kind, kwargs = type(node.operation).__name__, walk.keywords(node)
    if kind in _OVER_STEPS:
        return _same(kwargs.get("mask"), mask)
    if kind in _EACH_STEP:
        return unread(walk, node.outputs[0], mask)
    if kind in ("MultiHeadAttention", "GroupQueryAttention"):
        query, *memory = (v for v in (*node.arguments.args, kwargs.get("value"), kwargs.get("key")) if v is not None)
        hidden = not any(v is tensor for v in memory) or _same(kwargs.get("value_mask"), mask)
        return hidden and (query is not tensor or unread(walk, node.outputs[0], mask))
    return False


def _same(given: Any, mask: Any) -> bool:
    """Whether two masks are equal; Keras joins the masks of a sum into the union of one with itself."""
    if given is mask or given is None:
        return given is mask
    history = given._keras_history
    joined = type(history.operation).__name__ in ("LogicalOr", "LogicalAnd")
    return joined and all(_same(t, mask) for t in history.operation._inbound_nodes[history.node_index].input_tensors)


@rules("keras.ops.Tril", "keras.ops.Triu")
def _triangle(walk, op, x):
    rows, columns = walk.node.input_tensors[0].shape[-2:]
    if None in (rows, columns):
        raise PortError("matrices of known sizes")
    kept = (np.tril if type(op).__name__ == "Tril" else np.triu)(np.ones((rows, columns)), op.k)
    return walk.with_known("multiply", x, kept)
