"""Comparisons, choices and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from compose.core.registry import word
from compose.port.frontends.keras.as_value import as_value, is_number
from compose.port.frontends.keras.registry import rule, rules
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
    return walk.emit(layer(y=b), a) if is_number(walk, b) else walk.emit(layer, a, as_value(walk, b))


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
    if is_number(walk, a):
        condition, a, b = walk.emit(word("ops.logical_not"), as_value(walk, condition)), b, a
    if is_number(walk, b):
        return walk.emit(word("ops.where")(y=np.asarray(b).item()), *(as_value(walk, v) for v in (condition, a)))
    return walk.emit(word("ops.where"), *(as_value(walk, v) for v in (condition, a, b)))


@rule("keras.ops.Chosen")
def _chosen(walk, op, condition, a, b):
    made = walk.emit(word("ops.where"), *(as_value(walk, v) for v in (condition, a, b)))
    walk.choices.setdefault(op.choice, []).append(made.index)
    return made


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
    return walk.emit(word("ops.tril" if type(op).__name__ == "Tril" else "ops.triu")(k=int(op.k)), x)
